//! What goes wrong, when, and whom does it hit?
//!
//! Fate is drawn from streams keyed by the fault's name, so every variant suffers the same bad luck. To
//! add a fault: write its file here, then its lines below.

pub mod aim;
mod black_hole;
mod freeze;
mod kill;
mod lose;
mod refuse;
mod slow;

use super::{Sim, event};
use crate::base::choice::Alternatives;
use crate::base::draw::Stream;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use aim::{Aim, Part};
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::sync::Arc;

/// A kind of fault: what it does to a node when it begins and when it is over.
///
/// To a running cluster all kinds are alike, so that one file says everything of a kind but its key.
pub trait Harm: Debug + Send + Sync {
    /// Its key in a scenario.
    fn name(&self) -> &'static str;
    /// Whom it hits.
    fn aim(&self) -> &Aim;
    /// How long it lasts; `None` for good.
    fn lasts(&self) -> Option<Duration>;
    /// What is wrong with the parameters: (key, message, how to mend it).
    fn faults(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        Vec::new()
    }
    /// What it leaves of a node's speed.
    fn speed(&self) -> f64 {
        1.0
    }
    /// Whether two at one node do more harm than one.
    fn adds_up(&self) -> bool {
        false
    }
    /// It begins at `node`.
    fn begin(&self, sim: &mut Sim, now: Instant, node: NodeId);
    /// It is over at `node`, and no other of its kind holds it, unless kinds like it [add up](Harm::adds_up).
    fn end(&self, sim: &mut Sim, now: Instant, node: NodeId);
}

/// Whom, and for how long.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Whom it hits: a number of nodes, names, a share, a zone, or the fullest.
    pub nodes: Aim,
    /// How long it lasts; for good unless given.
    pub lasts: Option<Duration>,
}

/// A fault as written: when, and exactly one of the kinds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// When it begins, counted from the start of the run.
    pub at: Duration,
    /// Processes crash: connections are reset, memory is gone, the host answers.
    pub kill: Option<Params>,
    /// Hosts are gone without a word: nothing is reset, nothing is answered.
    pub lose: Option<Params>,
    /// Processes stand still: the kernel accepts, nothing is answered, queues are kept.
    pub freeze: Option<Params>,
    /// No new connections are taken; those that live go on.
    pub refuse: Option<Params>,
    /// Every request is answered with an error at once.
    pub black_hole: Option<black_hole::Params>,
    /// Work takes longer.
    pub slow: Option<slow::Params>,
}

impl Written {
    /// The kinds that are given: one, in a sound scenario.
    pub fn kinds(self) -> Vec<Arc<dyn Harm>> {
        let kinds = [
            self.kill.map(|params| harm(kill::Kill(params))),
            self.lose.map(|params| harm(lose::Lose(params))),
            self.freeze.map(|params| harm(freeze::Freeze(params))),
            self.refuse.map(|params| harm(refuse::Refuse(params))),
            self.black_hole.map(harm),
            self.slow.map(harm),
        ];
        kinds.into_iter().flatten().collect()
    }
}

/// Of whatever kind: all are alike to the cluster.
fn harm<K: Harm + 'static>(kind: K) -> Arc<dyn Harm> {
    Arc::new(kind)
}

impl Alternatives for Written {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("kill", kill::MEANING),
        ("lose", lose::MEANING),
        ("freeze", freeze::MEANING),
        ("refuse", refuse::MEANING),
        ("black_hole", black_hole::MEANING),
        ("slow", slow::MEANING),
    ];
}

/// A fault, ready to run.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Its name in the scenario: the key of its draws.
    pub name: String,
    /// When it begins.
    pub at: Instant,
    /// What it does.
    pub kind: Arc<dyn Harm>,
}

impl Sim<'_> {
    /// Begins the fault at this place in the plan.
    pub(super) fn begin_fault(&mut self, now: Instant, index: usize) {
        let fault = &self.plan.faults[index];
        let victims = self.aimed(&fault.name, fault.kind.aim(), |sim, node| sim.fleet.is_up(node));
        self.victims_of[index] = victims.clone();
        for node in victims {
            fault.kind.begin(self, now, node);
        }
        if let Some(lasts) = fault.kind.lasts() {
            self.queue.at(now + lasts, event::fault(index, true));
        }
    }

    /// Ends it again.
    pub(super) fn end_fault(&mut self, now: Instant, index: usize) {
        let kind = &self.plan.faults[index].kind;
        for node in std::mem::take(&mut self.victims_of[index]) {
            let is_held = self.faults_of(node).any(|other| other.name() == kind.name());
            if kind.adds_up() || !is_held {
                kind.end(self, now, node);
            }
        }
    }

    /// The faults that hold a node at present.
    fn faults_of(&self, node: NodeId) -> impl Iterator<Item = &dyn Harm> {
        let all = self.plan.faults.iter().zip(&self.victims_of);
        all.filter(move |(_, victims)| victims.contains(&node)).map(|(fault, _)| &*fault.kind)
    }

    /// The nodes that the fault or change called `name` is aimed at, out of those that `may` be hit: the same in
    /// every variant that has the same of those.
    pub(super) fn aimed(&self, name: &str, aim: &Aim, may: fn(&Self, NodeId) -> bool) -> Vec<NodeId> {
        let nodes = self.fleet.ids().filter(|&node| may(self, node));
        match aim {
            Aim::Names(names) => nodes.filter(|&node| names.contains(&self.plan.nodes[node.index()].name)).collect(),
            Aim::Count(count) => self.drawn(name, *count as usize, nodes),
            Aim::Part(Part::Share(share)) => {
                let all = self.wanted.iter().filter(|&&wanted| wanted).count();
                self.drawn(name, (share.ratio() * all as f64 + 0.5).max(1.0) as usize, nodes)
            }
            Aim::Part(Part::Zone(zone)) => nodes.filter(|&node| self.plan.zone_of(node) == *zone).collect(),
            Aim::Fullest(_) => {
                let fullest = nodes.max_by_key(|&node| (self.bound_to[node.index()], std::cmp::Reverse(node)));
                fullest.into_iter().collect()
            }
        }
    }

    /// So many of these nodes, by a luck of their own.
    fn drawn(&self, name: &str, count: usize, nodes: impl Iterator<Item = NodeId>) -> Vec<NodeId> {
        let luck = Stream::new(self.seed, "fault victims", name);
        let mut drawn: Vec<(u64, NodeId)> =
            nodes.map(|node| (luck.at(u64::from(node.0), 0).next_u64(), node)).collect();
        drawn.sort_unstable();
        drawn.into_iter().take(count).map(|(_, node)| node).collect()
    }
}
