//! `scale_out` and `scale_in`: more nodes, and fewer, by hand.

use super::leave::Stop;
use super::{Aim, LOOKS_EVERY, Step, Steps, no_rate};
use crate::base::cause::Cause;
use crate::base::time::{Duration, Instant};
use crate::base::units::Rate;
use crate::cluster::Sim;
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
    /// How long a drain waits for sessions to end; default 30 s.
    #[serde(default = "half_a_minute")]
    pub drain_timeout: Duration,
    /// Their processes are told to stop and go by clocks of their own, instead of being drained; not unless given.
    pub stop: Option<Stop>,
    /// So many a second are asked to leave each node meanwhile; nobody unless given.
    pub evict: Option<Rate>,
}

fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

impl Steps for Out {
    fn name(&self) -> &'static str {
        "scale_out"
    }
    fn spares(&self, _: usize) -> usize {
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
    fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        no_rate(self.evict).into_iter().collect()
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
        }
        if starts > now {
            return Some(starts);
        }
        let mut active = std::mem::take(&mut self.rolls[index].active);
        for (node, step) in &mut active {
            if matches!(step, Step::Away(_)) {
                self.begin_node(now, *node);
                *step = Step::Unseen;
            }
        }
        let seen = active.iter().all(|&(node, _)| self.is_found_up(node));
        self.rolls[index].active = active;
        (!seen).then_some(now + LOOKS_EVERY)
    }

    fn scale_in(&mut self, now: Instant, index: usize, params: &In) -> Option<Instant> {
        if self.rolls[index].is_new() {
            let nodes = self.aimed_by_change(index, &params.nodes);
            self.rolls[index].begin([]);
            for node in nodes {
                self.want(now, node, false);
                let step = match &params.stop {
                    Some(stop) => self.begin_stopping(now, node, stop),
                    None => {
                        self.begin_drain(now, node, params.evict);
                        Step::Draining(now + params.drain_timeout)
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
