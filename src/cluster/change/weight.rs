//! `weight`: an operator gives nodes another weight; 0 takes nobody new (HAProxy `set server … weight`).
//!
//! What a fair load is proportional to, in figures of imbalance, stays the weight that was planned.

use super::{Aim, Steps, no_time};
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::cluster::Sim;
use crate::cluster::balancer::view::Word;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list change`.
pub const MEANING: &str = "nodes get another weight; with 0 nobody new, those bound to them as `persist` says";

/// Parameters of `weight`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Whom: a number of nodes, names, a share, a zone, or the fullest.
    pub nodes: Aim,
    /// Their weight from then on; from 0 to 256.
    pub weight: u32,
    /// After this they have their own weights again; never unless given.
    pub lasts: Option<Duration>,
}

const WEIGHT_MAX: u32 = 256;

impl Steps for Params {
    fn name(&self) -> &'static str {
        "weight"
    }
    fn aim(&self) -> Option<&Aim> {
        Some(&self.nodes)
    }
    fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut faults: Vec<_> = no_time(self.lasts).into_iter().collect();
        if self.weight > WEIGHT_MAX {
            let message = format!("weight must be from 0 to {WEIGHT_MAX}, but is {}", self.weight);
            faults.push(("weight", message, "0 takes nobody new"));
        }
        faults
    }
    fn go_on(&self, sim: &mut Sim, now: Instant, index: usize) -> Option<Instant> {
        if sim.rolls[index].is_new() {
            let nodes = sim.aimed_by_change(index, &self.nodes);
            for &node in &nodes {
                sim.set_weight(now, node, self.weight);
            }
            sim.rolls[index].begin(nodes);
        }
        let until = sim.plan.changes[index].at + self.lasts?;
        if until > now {
            return Some(until);
        }
        while let Some(node) = sim.rolls[index].take_next() {
            let own = sim.plan.nodes[node.index()].weight;
            sim.set_weight(now, node, own);
        }
        None
    }
}

impl Sim<'_> {
    /// The operator tells every balancer another weight of a node.
    fn set_weight(&mut self, now: Instant, node: NodeId, weight: u32) {
        self.said[node.index()].is_weightless = weight == 0;
        self.tell_balancers(now, node, Word::Weight(weight));
        self.note_drains(now, node);
    }
}
