//! When does a fault come: at a given time, so long after something else begins, or again and again at random?
//!
//! At random, each of what it befalls (every node, every zone, all nodes together, a store) is up for a time out of
//! `up`, then down for a time out of `down`, and so on: an alternating renewal process of its own, which knows nothing of
//! what else goes on. In the long run it is down for mean `down` ÷ (mean `up` + mean `down`) of the time, whatever else
//! these laws are like (Cox, *Renewal Theory*, ch. 7). A run begins in the middle of a life: what is left of the first is
//! drawn from the residual law (ch. 5).

use super::Harm;
use crate::base::dist::{Law, Sampler};
use crate::base::draw::{Stream, name_key};
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::cluster::plan::Plan;
use crate::cluster::{Sim, event};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `after`: what a fault follows, and by how much.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// What it follows: `change.<name>` or `fault.<name>`, one that does not come at random.
    pub of: String,
    /// How long after the beginning of that.
    pub by: Duration,
}

/// `random`: again and again, at times that nobody knows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Random {
    /// From the end of one failure to the beginning of the next; mean above zero. Its mean is the MTBF of maintenance
    /// tables (time to failure; some count from one beginning to the next).
    pub up: Law<Duration>,
    /// How long a failure lasts; mean above zero, the MTTR.
    pub down: Law<Duration>,
    /// What fails on its own; default `node`. Not for a store, which is one thing.
    pub each: Option<Each>,
}

/// What fails on its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Each {
    /// Every node that the fault is aimed at.
    #[default]
    Node,
    /// Every zone: at each failure the fault is aimed at the nodes of one zone.
    Zone,
    /// Everything together: at each failure the fault is aimed as one that comes at a given time.
    All,
}

/// When a fault comes, ready to run.
#[derive(Clone, Debug)]
pub enum When {
    /// Then.
    At(Instant),
    /// At random.
    Random(Box<Renewal>),
}

/// A life of ups and downs.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// From one failure to the next.
    pub up: Sampler,
    /// How long one lasts.
    pub down: Sampler,
    /// What has such a life of its own.
    pub each: Each,
}

/// Nodes that fail together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::cluster) enum Among {
    /// All of them; or a store.
    All,
    /// Those of a zone: a place in [`Plan::zones`].
    Zone(u32),
    /// One.
    Node(NodeId),
}

impl Among {
    /// Whether a node is one of them.
    pub(super) fn has(self, plan: &Plan, node: NodeId) -> bool {
        match self {
            Among::All => true,
            Among::Zone(zone) => plan.nodes[node.index()].zone == zone,
            Among::Node(one) => one == node,
        }
    }
}

/// One thing that a fault befalls, and what it has done to it.
#[derive(Debug)]
pub(in crate::cluster) struct Target {
    /// Place of its fault in the plan.
    pub(super) fault: u16,
    pub(super) among: Among,
    // The key of its draws: its name, so that it is the same bad luck in every variant.
    key: u64,
    /// How often it has been struck before.
    pub(super) nth: u64,
    /// The nodes that suffer from the failure under way.
    pub(super) victims: Vec<NodeId>,
}

/// Everything that faults befall, by fault.
pub(in crate::cluster) fn targets(plan: &Plan) -> Vec<Target> {
    let mut targets = Vec::new();
    for (fault, planned) in (0..).zip(&plan.faults) {
        let mut add = |among, key| targets.push(Target { fault, among, key, nth: 0, victims: Vec::new() });
        match &planned.when {
            When::Random(life) if life.each == Each::Node && !befalls_store(&*planned.kind) => {
                for (id, node) in (0..).map(NodeId).zip(&plan.nodes) {
                    if planned.kind.aim().is_some_and(|aim| aim.means(plan, id)) {
                        add(Among::Node(id), name_key(&node.name));
                    }
                }
            }
            When::Random(life) if life.each == Each::Zone && !befalls_store(&*planned.kind) => {
                for (zone, name) in (0..).zip(&plan.zones) {
                    add(Among::Zone(zone), name_key(name));
                }
            }
            _ => add(Among::All, 0),
        }
    }
    targets
}

fn befalls_store(kind: &dyn Harm) -> bool {
    kind.at_store().is_some()
}

impl Sim<'_> {
    /// Puts the first failure of everything into the queue.
    pub(in crate::cluster) fn await_faults(&mut self) {
        for target in 0..self.targets.len() {
            let fault = &self.plan.faults[usize::from(self.targets[target].fault)];
            let at = match &fault.when {
                When::At(at) => *at,
                When::Random(life) => {
                    let mut luck = Stream::new(self.seed, "fault up", &fault.name).at(self.targets[target].key, 0);
                    Instant::START + Duration::from_nanos_f64(life.up.sample_residual(&mut luck))
                }
            };
            self.strike_at(at, target);
        }
    }

    /// How long the failure of a target that now begins will last; `None` for good.
    pub(super) fn failure_lasts(&self, target: usize) -> Option<Duration> {
        let Target { fault, key, nth, .. } = self.targets[target];
        let fault = &self.plan.faults[usize::from(fault)];
        match &fault.when {
            When::At(_) => fault.kind.lasts(),
            When::Random(life) => {
                let mut luck = Stream::new(self.seed, "fault down", &fault.name).at(key, nth);
                Some(life.down.duration(&mut luck))
            }
        }
    }

    /// A failure of a target is over: when will the next one come?
    pub(super) fn await_next(&mut self, now: Instant, target: usize) {
        self.targets[target].nth += 1;
        let Target { fault, key, nth, .. } = self.targets[target];
        let fault = &self.plan.faults[usize::from(fault)];
        if let When::Random(life) = &fault.when {
            let mut luck = Stream::new(self.seed, "fault up", &fault.name).at(key, nth);
            self.strike_at(now + life.up.duration(&mut luck), target);
        }
    }

    fn strike_at(&mut self, at: Instant, target: usize) {
        if at < self.plan.end {
            self.queue.at(at, event::fault(target, false));
        }
    }
}
