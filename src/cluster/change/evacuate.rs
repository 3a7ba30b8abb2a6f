//! `evacuate`: hosts are emptied for maintenance, and what ran there starts anew elsewhere, within the disruption budget.
//!
//! It is `kubectl drain`, which an upgrade of a cluster does host by host: each process is to be evicted, the eviction is
//! refused while `cluster.disruption_budget` does not allow it, and is asked for again every `retry`. An evicted process
//! is drained and ends; its replacement is started elsewhere at once, not when it has ended (a pod that terminates does
//! not count for its ReplicaSet). `kubectl` asks for ever; GKE takes a node all the same after an hour (documentation,
//! *Standard cluster upgrades*), an upgrade of AKS or EKS fails. It is complete when all hosts are empty and all
//! replacements have been started.

use super::{Aim, Bound, LOOKS_EVERY, Step, Steps, no_rate};
use crate::base::cause::Cause;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::base::units::Rate;
use crate::cluster::Sim;
use crate::cluster::balancer::view::Admin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list change`.
pub const MEANING: &str = "hosts are emptied within the disruption budget; what ran there starts anew elsewhere";

/// Parameters of `evacuate`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Whom: a number of nodes, names, a share, a zone, or the fullest.
    pub nodes: Aim,
    /// How many are emptied at once; ≥ 1, default 1.
    #[serde(default = "one")]
    pub at_once: u32,
    /// From an eviction until the process that replaces it is started; it listens `cluster.node.start` later. Default
    /// none.
    #[serde(default)]
    pub start: Duration,
    /// How long an evicted process waits for sessions to end; default 30 s (Kubernetes' grace period).
    #[serde(default = "half_a_minute")]
    pub drain_timeout: Duration,
    /// So many a second are asked to leave it meanwhile; nobody unless given.
    pub evict: Option<Rate>,
    /// After a refusal it is asked again so much later; above zero, default 5 s (kubectl).
    #[serde(default = "five_seconds")]
    pub retry: Duration,
    /// After refusals for so long the process is evicted all the same; never unless given.
    pub force_after: Option<Duration>,
}

fn one() -> u32 {
    1
}
fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}
fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

/// How many nodes may be disrupted on purpose at a time: exactly one of the two.
///
/// It bounds evictions, that is `evacuate`, and nothing else: not a roll, which has bounds of its own, nor a scale-in,
/// after which fewer nodes are wanted (Kubernetes documentation, *Disruptions*). Shares are rounded up in both forms
/// (*Specifying a Disruption Budget*).
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "DisruptionBudget")]
pub struct Budget {
    /// So many of the nodes that the cluster should have, or this share of them, may be away. Either this or
    /// `available_min`.
    pub unavailable_max: Option<Bound>,
    /// So many of them, or this share, must be there.
    pub available_min: Option<Bound>,
}

impl Budget {
    /// What is wrong: (key, message, how to mend it).
    pub fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        match (self.unavailable_max, self.available_min) {
            (Some(_), None) | (None, Some(_)) => Vec::new(),
            (Some(_), Some(_)) => {
                let message = "it takes exactly one of unavailable_max and available_min";
                vec![("available_min", message.into(), "leave one of them out")]
            }
            (None, None) => {
                let mend = "write { unavailable_max = 1 } or { available_min = \"50%\" }, or leave the budget out";
                vec![("unavailable_max", "it does not say how many nodes may be away".into(), mend)]
            }
        }
    }

    /// How many of `wanted` nodes must be well.
    pub fn needed(&self, wanted: usize) -> usize {
        let away = self.unavailable_max.map(|bound| wanted.saturating_sub(bound.up(wanted)));
        away.or_else(|| self.available_min.map(|bound| bound.up(wanted))).unwrap_or(0)
    }
}

impl Steps for Params {
    fn name(&self) -> &'static str {
        "evacuate"
    }
    fn aim(&self) -> Option<&Aim> {
        Some(&self.nodes)
    }
    fn spares(&self, nodes: usize) -> usize {
        match self.nodes {
            Aim::Count(count) => count as usize,
            Aim::Names(ref names) => names.len(),
            Aim::Fullest(_) => 1,
            Aim::Part(_) => nodes,
        }
    }
    fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut faults: Vec<_> = no_rate(self.evict).into_iter().collect();
        if self.at_once == 0 {
            faults.push(("at_once", "at_once is zero: no host would ever be emptied".into(), "write 1 or more"));
        }
        if self.retry.is_zero() {
            faults.push(("retry", "retry is zero: it would ask without end".into(), "write a time such as \"5s\""));
        }
        faults
    }
    fn evicts(&self) -> Option<Rate> {
        self.evict
    }
    fn needs_budget(&self) -> bool {
        self.force_after.is_none()
    }
    fn go_on(&self, sim: &mut Sim, now: Instant, index: usize) -> Option<Instant> {
        if sim.rolls[index].is_new() {
            let nodes = sim.aimed_by_change(index, &self.nodes);
            sim.rolls[index].begin(nodes);
        }
        sim.go_on_evacuating(now, index);
        sim.evict_nodes(now, index, self);
        let roll = &sim.rolls[index];
        let look = |&(_, step): &(NodeId, Step)| match step {
            Step::Draining(until) => until.min(now + LOOKS_EVERY),
            Step::Away(start) => start,
            _ => now + LOOKS_EVERY,
        };
        let asks = roll.refused.map(|(_, again)| again);
        roll.active.iter().map(look).chain(asks).min()
    }
}

impl Sim<'_> {
    /// Replacements are started, and those that were evicted go.
    fn go_on_evacuating(&mut self, now: Instant, index: usize) {
        let mut active = std::mem::take(&mut self.rolls[index].active);
        active.retain(|&(node, step)| match step {
            Step::Away(start) if start <= now => {
                if self.is_wanted(node) {
                    self.begin_node(now, node);
                }
                false
            }
            Step::Draining(until) if self.ends_drain(now, node, until) => {
                let cause = if until <= now { Cause::DrainTimeout } else { Cause::Restart };
                self.take_away(now, node, cause);
                false
            }
            _ => true,
        });
        self.rolls[index].active = active;
    }

    /// Asks for as many evictions as may go on at once.
    fn evict_nodes(&mut self, now: Instant, index: usize, params: &Params) {
        while let Some(node) = self.rolls[index].next_to_come() {
            let leaving = self.rolls[index].active.iter().filter(|(_, step)| matches!(step, Step::Draining(_)));
            if leaving.count() >= params.at_once as usize {
                return;
            }
            // Who has been taken away meanwhile need not be, and who has yet to come comes elsewhere.
            if !self.is_wanted(node) || self.fleet.get(node).is_new() {
                self.rolls[index].take_next();
                self.rolls[index].refused = None;
                continue;
            }
            let (since, again) = self.rolls[index].refused.unwrap_or((now, now));
            if again > now {
                return;
            }
            let forced = params.force_after.is_some_and(|after| now >= since + after);
            if !forced && !self.may_be_disrupted(node) {
                let patience = params.force_after.map_or(Instant::NEVER, |after| since + after);
                self.rolls[index].refused = Some((since, (now + params.retry).min(patience)));
                return;
            }
            self.rolls[index].refused = None;
            self.rolls[index].take_next();
            self.replace(now, index, node, params);
        }
    }

    /// Whether the disruption budget lets a node go: those that are left must be enough.
    fn may_be_disrupted(&self, node: NodeId) -> bool {
        let Some(budget) = &self.plan.disruption_budget else { return true };
        let is_well = |node: NodeId| self.said[node.index()].admin == Admin::Ready && self.fleet.is_up(node);
        let wanted: Vec<NodeId> = self.fleet.ids().filter(|&node| self.is_wanted(node)).collect();
        let well = wanted.iter().filter(|&&node| is_well(node) && self.is_found_up(node)).count();
        let left = well - usize::from(is_well(node) && self.is_found_up(node));
        left >= budget.needed(wanted.len())
    }

    /// A node is evicted, and another takes its place.
    fn replace(&mut self, now: Instant, index: usize, node: NodeId, params: &Params) {
        self.want(now, node, false);
        self.begin_drain(now, node, params.evict);
        self.rolls[index].active.push((node, Step::Draining(now + params.drain_timeout)));
        if let Some(fresh) = self.spares.pop_front() {
            self.side_with(node, fresh);
            self.want(now, fresh, true);
            self.rolls[index].active.push((fresh, Step::Away(now + params.start)));
        }
        self.go_on_evacuating(now, index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_up_in_both_forms() {
        // Kubernetes documentation, Specifying a Disruption Budget: 7 pods and 50 % of them are 4, in both forms.
        let half = Some(Bound::Share("50%".parse().unwrap()));
        let most = |bound| Budget { unavailable_max: bound, available_min: None };
        let least = |bound| Budget { unavailable_max: None, available_min: bound };
        let needed = |budget: Budget| (1..=8).map(|nodes| budget.needed(nodes)).collect::<Vec<usize>>();
        assert_eq!(needed(most(half)), [0, 1, 1, 2, 2, 3, 3, 4]);
        assert_eq!(needed(least(half)), [1, 1, 2, 2, 3, 3, 4, 4]);
        assert_eq!(needed(most(Some(Bound::Count(1)))), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(needed(most(Some(Bound::Count(0)))), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(needed(least(Some(Bound::Count(3)))), [3; 8]);
        assert_eq!(needed(Budget::default()), [0; 8]);
    }
}
