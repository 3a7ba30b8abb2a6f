//! `scale_out` and `scale_in`: more nodes, and fewer, by hand.

use super::leave::{DRAIN, Stop, two_ends};
use super::{Aim, LOOKS_EVERY, Order, Step, Steps, no_rate};
use crate::base::cause::Cause;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::base::units::Rate;
use crate::cluster::Sim;
use crate::cluster::fate::Among;
use crate::cluster::fate::aim::Part;
use crate::observe::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list change`.
pub const OUT: &str = "nodes are added; they take part when the balancer's checks have seen them";
/// One line for `stickysim list change`.
pub const IN: &str = "nodes are drained and taken away for good";

/// More at once are a mistake.
const ADDED_MAX: u32 = 10_000;

/// Parameters of `scale_out`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Out {
    /// How many nodes are added; from 1 to 10,000.
    pub nodes: u32,
    /// How long until their processes are started, for machines and images to be there; they listen
    /// `cluster.node.start` later. Default none.
    #[serde(default)]
    pub start: Duration,
}

/// Parameters of `scale_in`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct In {
    /// Whom: a number of nodes, names, a share, a zone, or the fullest.
    pub nodes: Aim,
    /// Which of them, if `nodes` is a number or a share: whose turn comes first by `newest`, `oldest`,
    /// `fewest_sessions`, `most_sessions`, `random`, `forward`, `reverse`, or names. Who is not up goes first. Drawn by
    /// the luck of the change unless given.
    pub victim: Option<Order>,
    /// How long a drain waits for sessions to end; default 30 s. Not with `stop`.
    pub drain_timeout: Option<Duration>,
    /// Their processes are told to stop and go by clocks of their own, instead of being drained; not unless given.
    pub stop: Option<Stop>,
    /// So many a second are asked to leave each node meanwhile; nobody unless given.
    pub evict: Option<Rate>,
}

impl Steps for Out {
    fn name(&self) -> &'static str {
        "scale_out"
    }
    fn spares(&self, _: usize) -> usize {
        self.nodes as usize
    }
    fn adds(&self) -> usize {
        self.nodes as usize
    }
    fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        if (1..=ADDED_MAX).contains(&self.nodes) {
            return Vec::new();
        }
        let message = format!("{} nodes are added, but from 1 to {ADDED_MAX} can be", self.nodes);
        vec![("nodes", message, "add fewer, or start with more")]
    }
    fn go_on(&self, sim: &mut Sim, now: Instant, index: usize) -> Option<Instant> {
        sim.scale_out(now, index, self)
    }
}

impl Steps for In {
    fn name(&self) -> &'static str {
        "scale_in"
    }
    fn aim(&self) -> Option<&Aim> {
        Some(&self.nodes)
    }
    fn order(&self) -> Option<(&'static str, &Order)> {
        self.victim.as_ref().map(|order| ("victim", order))
    }
    fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        let told = self.victim.is_some() && (self.nodes.is_exact() || matches!(self.nodes, Aim::Fullest(_)));
        let message = || "`victim` chooses among nodes, but `nodes` says which".to_owned();
        let told = told.then(|| ("victim", message(), "write how many: nodes = 1, or leave victim out"));
        let ends = two_ends(self.stop.as_ref(), self.drain_timeout);
        told.into_iter().chain(ends).chain(no_rate(self.evict)).collect()
    }
    fn evicts(&self) -> Option<Rate> {
        self.evict
    }
    fn stops(&self) -> bool {
        self.stop.is_some()
    }
    fn go_on(&self, sim: &mut Sim, now: Instant, index: usize) -> Option<Instant> {
        sim.scale_in(now, index, self)
    }
}

impl Sim<'_> {
    fn scale_out(&mut self, now: Instant, index: usize, params: &Out) -> Option<Instant> {
        let starts = self.plan.changes[index].at + params.start;
        if self.rolls[index].is_new() {
            self.rolls[index].begin([]);
            for _ in 0..params.nodes {
                let Some(fresh) = self.spares.pop_front() else { break };
                self.want(now, fresh, true);
                self.rolls[index].active.push((fresh, Step::Away(starts)));
            }
            self.recorder.note(now, Fact::Scaled { out: true });
        }
        if starts > now {
            return Some(starts);
        }
        let mut active = std::mem::take(&mut self.rolls[index].active);
        for (node, step) in &mut active {
            if matches!(step, Step::Away(_)) {
                // Something else may have taken it away before it came.
                if self.is_wanted(*node) {
                    self.begin_node(now, *node);
                }
                *step = Step::Unseen;
            }
        }
        if active.iter().all(|&(node, _)| !self.is_wanted(node) || self.is_found_up(node)) {
            return None;
        }
        self.rolls[index].active = active;
        Some(now + LOOKS_EVERY)
    }

    fn those_to_go(&self, index: usize, params: &In) -> Vec<NodeId> {
        let change = (self.plan.changes[index].name.as_str(), 0);
        let all = self.fleet.ids().filter(|&node| self.belongs(node)).count();
        let count = match params.nodes {
            Aim::Count(count) => count,
            Aim::Part(Part::Share(share)) => (share.ratio() * all as f64 + 0.5).max(1.0) as u32,
            // These choose for themselves.
            Aim::Names(_) | Aim::Part(Part::Zone(_)) | Aim::Fullest(_) => {
                return self.aimed(change, Among::All, &params.nodes, Sim::belongs);
            }
        };
        let Some(order) = &params.victim else {
            return self.aimed(change, Among::All, &Aim::Count(count), Sim::belongs);
        };
        let mut nodes = self.victims(order, change);
        nodes.truncate(count as usize);
        nodes
    }

    fn scale_in(&mut self, now: Instant, index: usize, params: &In) -> Option<Instant> {
        if self.rolls[index].is_new() {
            let nodes = self.those_to_go(index, params);
            self.rolls[index].begin([]);
            self.recorder.note(now, Fact::Scaled { out: false });
            for node in nodes {
                self.want(now, node, false);
                let step = match &params.stop {
                    Some(stop) => self.begin_stopping(now, node, stop),
                    None => {
                        self.begin_drain(now, node, params.evict);
                        Step::Draining(now + params.drain_timeout.unwrap_or(DRAIN))
                    }
                };
                self.rolls[index].active.push((node, step));
            }
        }
        let mut active = std::mem::take(&mut self.rolls[index].active);
        active.retain_mut(|(node, step)| {
            let over = self.go_on_leaving(now, *node, step, (params.stop.as_ref(), params.evict));
            if over.is_some() {
                self.take_away(now, *node, Cause::ScaleIn);
            }
            over.is_none()
        });
        let next = active.iter().map(|&(node, step)| self.look_at(now, node, step)).min();
        self.rolls[index].active = active;
        next
    }
}
