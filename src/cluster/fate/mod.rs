//! What goes wrong, when, and whom does it hit?
//!
//! Fate is drawn from streams keyed by the fault's name, so every variant suffers the same bad luck. To
//! add a fault: write its file here, then its lines below.
//!
//! `kill` and `lose` end a process and hold it until they are over (`cluster/life.rs`). The others make something
//! of a node for as long as they are in force: of its process, and then they end with it, or of its host, and then
//! the next process has it too. What several make of one node is worked out anew whenever one begins or ends.

pub mod aim;
mod black_hole;
mod crash_loop;
mod cut;
mod freeze;
mod kill;
mod lose;
mod refuse;
mod slow;
mod store;
mod when;

use super::{Sim, event};
use crate::base::choice::Alternatives;
use crate::base::draw::Stream;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::observe::Fact;
use crate::observe::trace::Happening;
use aim::{Aim, Part};
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::sync::Arc;
pub use store::AtStore;
pub use when::{After, Each, Random, Renewal, When};
pub(super) use when::{Among, Target, targets};

/// A kind of fault: what it does to a node when it begins and when it is over.
///
/// To a running cluster all kinds are alike, so that one file says everything of a kind but its key.
pub trait Harm: Debug + Send + Sync {
    /// Its key in a scenario.
    fn name(&self) -> &'static str;
    /// Whom it hits; `None` when it befalls a store.
    fn aim(&self) -> Option<&Aim>;
    /// What it does to a store, if that is what it befalls.
    fn at_store(&self) -> Option<&AtStore> {
        None
    }
    /// How long it lasts; `None` for good.
    fn lasts(&self) -> Option<Duration>;
    /// What is wrong with the parameters: (key, message, how to mend it).
    fn faults(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        Vec::new()
    }
    /// What it makes of a node for as long as it is in force.
    fn ail(&self, _ills: &mut Ills) {}
    /// Whether it lies in the host, or in what a process is started with, so that the next process has it too.
    fn is_of_host(&self) -> bool {
        false
    }
    /// Whether all that it does is done to connections that hang on nodes.
    fn is_of_connections(&self) -> bool {
        false
    }
    /// It begins, for the `nth` time: what the fault called `name` does to all its `nodes` at once.
    fn befall(&self, _sim: &mut Sim, _now: Instant, (_name, _nth): (&str, u64), _nodes: &[NodeId]) {}
    /// It begins at `node`: what it does beside that.
    fn begin(&self, _sim: &mut Sim, _now: Instant, _node: NodeId) {}
    /// It is over at `node`: what it undoes beside that.
    fn end(&self, _sim: &mut Sim, _now: Instant, _node: NodeId) {}
}

/// What the faults in force make of a node.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ills {
    /// Its process stands still: the kernel accepts, nothing is answered, queues are kept.
    pub is_frozen: bool,
    /// It takes no new connections; those it has live on.
    pub refuses: bool,
    /// It answers every request with an error at once.
    pub answers_errors: bool,
    /// Whether health checks see nothing of that.
    pub hides_errors: bool,
    /// What is left of its speed; in (0, 1].
    pub speed: f64,
    /// How long its process listens before it dies; `None` for ever.
    pub dies_after: Option<Duration>,
}

impl Default for Ills {
    fn default() -> Ills {
        let (is_frozen, refuses, answers_errors, hides_errors) = (false, false, false, false);
        Ills { is_frozen, refuses, answers_errors, hides_errors, speed: 1.0, dies_after: None }
    }
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

/// A fault as written: exactly one of `at`, `after` and `random`, and exactly one of the kinds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// When it begins, counted from the start of the run. Either this or `after` or `random`.
    pub at: Option<Duration>,
    /// What it follows, and by how much.
    pub after: Option<After>,
    /// Again and again, at random.
    pub random: Option<Random>,
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
    /// Processes crash again and again.
    pub crash_loop: Option<crash_loop::Params>,
    /// Connections are cut, processes live on.
    pub cut: Option<cut::Params>,
    /// A store's primary is gone: connections are refused.
    pub store_kill: Option<store::Params>,
    /// A store's primary stands still: nothing is answered.
    pub store_hang: Option<store::Hang>,
    /// A store's primary is cut off from its replicas and from all nodes but some.
    pub store_cut: Option<store::Cut>,
    /// A store is gone with all that it held.
    pub store_lose: Option<store::Params>,
    /// A store works at a fraction of its speed.
    pub store_slow: Option<store::Slow>,
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
            self.crash_loop.map(harm),
            self.cut.map(harm),
            self.store_kill.map(|params| harm(params.kill())),
            self.store_hang.map(|params| harm(params.hang())),
            self.store_cut.map(|params| harm(params.cut())),
            self.store_lose.map(|params| harm(params.lose())),
            self.store_slow.map(|params| harm(params.slow())),
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
        ("crash_loop", crash_loop::MEANING),
        ("cut", cut::MEANING),
        ("store_kill", store::KILL),
        ("store_hang", store::HANG),
        ("store_cut", store::CUT),
        ("store_lose", store::LOSE),
        ("store_slow", store::SLOW),
    ];
}

/// A fault, ready to run.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Its name in the scenario: the key of its draws.
    pub name: String,
    /// When it comes.
    pub when: When,
    /// What it does.
    pub kind: Arc<dyn Harm>,
}

impl Fault {
    /// When it begins, unless it comes at random.
    pub fn at(&self) -> Option<Instant> {
        match self.when {
            When::At(at) => Some(at),
            When::Random(_) => None,
        }
    }
}

impl Sim<'_> {
    /// A failure of this target begins or ends.
    pub(super) fn on_fault(&mut self, now: Instant, target: usize, ends: bool) {
        if ends {
            self.end_fault(now, target);
            return self.await_next(now, target);
        }
        let lasts = self.failure_lasts(target);
        let index = self.targets[target].fault;
        // What comes at random comes often, and is part of the time that it happens in.
        if self.plan.faults[usize::from(index)].at().is_some() {
            let cleared = lasts.map_or(now, |lasts| now + lasts);
            self.recorder.note(now, Fact::Incident { index, cleared });
        }
        self.begin_fault(now, target);
        if let Some(over) = lasts.map(|lasts| now + lasts).filter(|&over| over < self.plan.end) {
            self.queue.at(over, event::fault(target, true));
        }
    }

    fn begin_fault(&mut self, now: Instant, target: usize) {
        let Target { fault: index, among, nth, .. } = self.targets[target];
        let fault = &self.plan.faults[usize::from(index)];
        let Some(aim) = fault.kind.aim() else {
            self.trace_strike(now, index, None, false);
            return self.begin_at_store(now, usize::from(index), nth);
        };
        // A name, a zone or all means nodes whatever they are doing; a number means nodes that are up.
        let is_exact = aim.is_exact();
        let victims = self.aimed((&fault.name, nth), among, aim, |sim, node| {
            sim.fleet.is_up(node) || is_exact && sim.is_wanted(node)
        });
        self.recorder.note(now, Fact::NodesFail { nodes: victims.len() as u32 });
        self.targets[target].victims = victims.clone();
        victims.iter().for_each(|&node| self.trace_strike(now, index, Some(node), false));
        fault.kind.befall(self, now, (&fault.name, nth), &victims);
        for node in victims {
            fault.kind.begin(self, now, node);
            // Without a process there is nothing that could befall it.
            if fault.kind.is_of_host() || self.fleet.is_up(node) {
                self.fleet.node(node).suffers.push(index);
                self.suffer(now, node);
            }
        }
    }

    /// What comes at a given time is an incident; of what comes at random the trace has every strike.
    fn trace_strike(&mut self, now: Instant, index: u16, node: Option<NodeId>, over: bool) {
        if self.plan.faults[usize::from(index)].at().is_none() {
            self.recorder.trace.note(now, Happening::Struck { index, node, over });
        }
    }

    fn end_fault(&mut self, now: Instant, target: usize) {
        let index = self.targets[target].fault;
        let kind = &self.plan.faults[usize::from(index)].kind;
        if kind.at_store().is_some() {
            self.trace_strike(now, index, None, true);
            return self.end_at_store(now, usize::from(index));
        }
        let mut back_at = None;
        for node in std::mem::take(&mut self.targets[target].victims) {
            self.trace_strike(now, index, Some(node), true);
            kind.end(self, now, node);
            // No other target of this fault has that node.
            self.fleet.node(node).suffers.retain(|&other| other != index);
            self.suffer(now, node);
            back_at = back_at.max(self.fleet.get(node).back_at());
        }
        // What it did is over when the last of its processes is back.
        if let Some(at) = back_at {
            self.recorder.note(now, Fact::Cleared { index, at });
        }
    }

    /// Makes of a node what the faults in force on it say.
    fn suffer(&mut self, now: Instant, id: NodeId) {
        let mut ills = Ills::default();
        let node = self.fleet.node(id);
        node.suffers.iter().for_each(|&index| self.plan.faults[usize::from(index)].kind.ail(&mut ills));
        let before = std::mem::replace(&mut node.ills, ills);
        match (before.is_frozen, ills.is_frozen) {
            (false, true) => self.freeze(now, id),
            (true, false) => self.thaw(now, id),
            _ => {}
        }
        if before.speed != ills.speed {
            self.set_speed(now, id, ills.speed * self.plan.nodes[id.index()].speed);
        }
        match (before.dies_after, ills.dies_after) {
            (None, Some(_)) => self.doom(id, now),
            (Some(_), None) => {
                let dies_at = self.differs(id).dies_after.map_or(Instant::NEVER, |after| now + after);
                self.fleet.node(id).dies_at = dies_at;
                if dies_at != Instant::NEVER {
                    self.doom(id, dies_at);
                }
            }
            _ => {}
        }
    }

    /// A node's process has ended, and with it what lay in it alone. Nothing is thawed: it will never go on.
    pub(super) fn outlive(&mut self, id: NodeId) {
        let faults = &self.plan.faults;
        let node = self.fleet.node(id);
        if node.suffers.is_empty() {
            return;
        }
        node.suffers.retain(|&index| faults[usize::from(index)].kind.is_of_host());
        node.ills = Ills::default();
        node.suffers.iter().for_each(|&index| faults[usize::from(index)].kind.ail(&mut node.ills));
    }

    /// The nodes among these that the fault or change called `name` is aimed at the `nth` time, out of those that `may`
    /// be hit: the same in every variant that has the same of those.
    pub(super) fn aimed(
        &self,
        (name, nth): (&str, u64),
        among: Among,
        aim: &Aim,
        may: impl Fn(&Self, NodeId) -> bool,
    ) -> Vec<NodeId> {
        let nodes = self.fleet.ids().filter(|&node| among.has(self.plan, node) && may(self, node));
        match aim {
            Aim::Names(_) | Aim::Part(Part::Zone(_)) => nodes.filter(|&node| aim.means(self.plan, node)).collect(),
            Aim::Count(count) => self.drawn(name, nth, *count as usize, nodes),
            Aim::Part(Part::Share(_)) if aim.is_exact() => self.drawn(name, nth, usize::MAX, nodes),
            Aim::Part(Part::Share(share)) => {
                let all = self.fleet.ids().filter(|&node| among.has(self.plan, node) && self.is_wanted(node)).count();
                self.drawn(name, nth, (share.ratio() * all as f64 + 0.5).max(1.0) as usize, nodes)
            }
            Aim::Fullest(_) => {
                let fullest = nodes.max_by_key(|&node| (self.bound_to[node.index()], std::cmp::Reverse(node)));
                fullest.into_iter().collect()
            }
        }
    }

    /// So many of these nodes, by a luck of their own.
    fn drawn(&self, name: &str, nth: u64, count: usize, nodes: impl Iterator<Item = NodeId>) -> Vec<NodeId> {
        let luck = Stream::new(self.seed, "fault victims", name);
        let mut drawn: Vec<(u64, NodeId)> =
            nodes.map(|node| (luck.at(u64::from(node.0), nth).next_u64(), node)).collect();
        drawn.sort_unstable();
        drawn.into_iter().take(count).map(|(_, node)| node).collect()
    }
}
