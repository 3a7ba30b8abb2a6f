//! A controller that makes the nodes even again: it looks at connections per node and evicts what is too much.
//!
//! A node's fair share is its part of all connections by weight, over the nodes that may get new ones. Whoever holds
//! more than `threshold` times that has the excess asked to leave. Where they go is the balancer's affair: one that picks
//! at random sends some of them back, one that looks at connections does not.
//!
//! EMQX's `rebalance` does the same once, when an operator asks for it: nodes above the mean by `rel-conn-threshold`
//! (1.1) are asked for `conn-evict-rate` (500) connections a second each (emqx `emqx_node_rebalance.erl`).

use super::event;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::base::units::{Number, Rate};
use crate::cluster::Sim;
use crate::cluster::balancer::view::Admin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of `rebalance`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Rebalance")]
pub struct Params {
    /// How often it looks; above zero, default 30 s.
    pub every: Duration,
    /// A node may hold so many times its fair share; ≥ 1, default 1.1 (EMQX).
    pub threshold: Number,
    /// So many a second are asked to leave one node; above zero, default 500/s (EMQX).
    pub rate: Rate,
}

impl Default for Params {
    fn default() -> Params {
        Params { every: Duration::from_secs(30), threshold: Number::new(1.1), rate: Rate::new(500.0) }
    }
}

impl Params {
    /// What is wrong: (key, message, how to mend it).
    pub fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut faults = Vec::new();
        if self.every.is_zero() {
            faults.push(("every", "every is zero: it would look without end".into(), "write a time such as \"30s\""));
        }
        if self.threshold.get() < 1.0 {
            let message = format!("threshold must be at least 1, but is {}", self.threshold);
            faults.push(("threshold", message, "1.2 lets a node hold a fifth more than its fair share"));
        }
        if self.rate.per_second() == 0.0 {
            let mend = "write a rate such as \"20/s\", or leave rebalance out";
            faults.push(("rate", "rate is zero: nobody would ever be asked to leave".into(), mend));
        }
        faults
    }

    /// How many of `held` connections are too many for a node whose fair share is `fair`.
    fn excess(&self, held: usize, fair: f64) -> usize {
        // What is left is within the threshold; the margin forgives the rounding of a product such as 1.1 · 100.
        (held as f64 - self.threshold.get() * fair - 1e-6).ceil().max(0.0) as usize
    }
}

impl Sim<'_> {
    /// The controller's first look is one interval after the start.
    pub(in crate::cluster) fn begin_rebalancing(&mut self) {
        if let Some(Params { every, .. }) = self.plan.rebalance {
            self.queue.at(Instant::START + every, event::rebalance());
        }
    }

    /// The controller looks.
    pub(in crate::cluster) fn on_rebalance(&mut self, now: Instant) {
        let Some(params) = self.plan.rebalance else { return };
        if now + params.every < self.plan.end {
            self.queue.at(now + params.every, event::rebalance());
        }
        let nodes: Vec<NodeId> = self.fleet.ids().filter(|&node| self.may_be_filled(node)).collect();
        let weight = |node: NodeId| f64::from(self.plan.nodes[node.index()].weight);
        let held: Vec<usize> = nodes.iter().map(|&node| self.holds(node)).collect();
        let each = held.iter().sum::<usize>() as f64 / nodes.iter().map(|&node| weight(node)).sum::<f64>();
        let excess: Vec<usize> =
            nodes.iter().zip(held).map(|(&node, held)| params.excess(held, each * weight(node))).collect();
        for (node, excess) in nodes.into_iter().zip(excess) {
            self.evict_some(now, node, excess, params.rate);
        }
    }

    /// Whether a node may get new connections, by what operators and balancers think of it.
    fn may_be_filled(&self, node: NodeId) -> bool {
        let said = &self.said[node.index()];
        let is_ready = said.admin == Admin::Ready && !said.is_weightless;
        self.is_wanted(node) && is_ready && self.fleet.is_up(node) && self.is_found_up(node)
    }

    /// Connections that hang on a node, without those that are about to close.
    fn holds(&self, node: NodeId) -> usize {
        let mut linked = Vec::new();
        self.linked.list(node, &mut linked);
        let stays = |&session: &u32| !self.farewells.is_told(crate::base::id::SessionId(session));
        linked.into_iter().filter(stays).count().saturating_sub(self.fleet.get(node).stale as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_excess_leaves_what_the_threshold_allows() {
        let at = |threshold| Params { threshold: Number::new(threshold), ..Params::default() };
        assert_eq!(at(1.2).excess(150, 75.0), 60, "90 may stay");
        assert_eq!(at(1.1).excess(110, 100.0), 0);
        assert_eq!(at(1.1).excess(111, 100.0), 1);
        assert_eq!(at(1.0).excess(3, 2.5), 1, "2 stay, since 3 are more than 2.5");
        assert_eq!(at(1.5).excess(0, 40.0), 0);
    }
}
