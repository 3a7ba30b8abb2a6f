//! `hash` and `source`: a table with as many slots per node as its weight, and a hash that names the slot.
//!
//! The construction is HAProxy's `hash-type map-based`: the table holds the eligible nodes only, in the order
//! of their identifiers, spread smoothly when weights differ (greatest common divisor taken out), and the slot
//! is hash mod length. It is perfectly even and keeps nobody in place: when one of n nodes leaves, the
//! length changes, and 1 − 1/n of all sessions move (haproxy `src/lb_map.c`).
//!
//! A node that has just refused gives way to the next other node in the table. (HAProxy would name the same
//! server again until its check fails.)
//!
//! ```toml
//! balancer.balance = { hash = { key = "header" } }
//! balancer.balance = "source"      # the same with key = "address"
//! ```

use super::{Ask, Balance, Key, Member};
use crate::base::id::NodeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line for `stickysim list balance`.
pub const MEANING: &str = "hash mod the list of eligible nodes: even, and nearly everybody moves when the list changes";
/// The same for `source`.
pub const SOURCE: &str = "`hash` of the client's address";

/// Parameters of `hash`.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// What is hashed; default the session.
    pub key: Key,
}

/// `source` has no parameters.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {}

/// Working state.
#[derive(Debug)]
pub struct Hash {
    key: Key,
    // Weights of the eligible.
    members: BTreeMap<NodeId, u32>,
    // Of all weights ever seen: HAProxy divides once, by that of all servers.
    divisor: u32,
    // Empty when the members have changed since.
    slots: Vec<NodeId>,
}

impl Hash {
    /// Nobody is eligible yet.
    pub fn new(params: &Params) -> Hash {
        Hash { key: params.key, members: BTreeMap::new(), divisor: 0, slots: Vec::new() }
    }

    /// Built on the first pick after a change. Every slot goes to the node with the largest claim; claims grow
    /// by the weight per slot and fall by the total when granted.
    fn build(&mut self) {
        let weights: Vec<(NodeId, i64)> =
            self.members.iter().map(|(&node, &weight)| (node, i64::from(weight / self.divisor))).collect();
        if weights.windows(2).all(|two| two[0].1 == two[1].1) {
            // Equal weights: the list itself, repeated.
            let times = weights.first().map_or(0, |&(_, weight)| weight as usize);
            self.slots = weights.iter().map(|&(node, _)| node).cycle().take(weights.len() * times).collect();
            return;
        }
        let total: i64 = weights.iter().map(|&(_, weight)| weight).sum();
        let mut claims = vec![0; weights.len()];
        for _ in 0..total {
            let mut best = (i64::MIN, 0);
            for (index, claim) in claims.iter_mut().enumerate() {
                *claim += weights[index].1;
                let value = (*claim + total) / total;
                if value > best.0 {
                    best = (value, index);
                }
            }
            claims[best.1] -= total;
            self.slots.push(weights[best.1].0);
        }
    }
}

impl Balance for Hash {
    fn joined(&mut self, member: Member) {
        self.divisor = gcd(self.divisor, member.weight);
        self.members.insert(member.id, member.weight);
        self.slots.clear();
    }

    fn left(&mut self, node: NodeId) {
        self.members.remove(&node);
        self.slots.clear();
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        if self.members.is_empty() {
            return None;
        }
        if self.slots.is_empty() {
            self.build();
        }
        let slot = (self.key.of(ask) % self.slots.len() as u64) as usize;
        let avoid = ask.avoid.filter(|_| self.members.len() > 1);
        self.slots[slot..].iter().chain(&self.slots[..slot]).copied().find(|&node| Some(node) != avoid)
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if a == 0 { b } else { gcd(b % a, a) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, member};
    use super::*;

    fn hash(nodes: u32) -> Hash {
        let mut hash = Hash::new(&Params::default());
        (0..nodes).for_each(|n| hash.joined(member(n)));
        hash
    }

    const KEYS: u64 = 200_000;

    fn homes(hash: &mut Hash) -> Vec<NodeId> {
        (0..KEYS).map(|key| hash.pick(&ask(key)).unwrap()).collect()
    }

    #[test]
    fn nearly_everybody_moves_when_the_list_changes() {
        // Oracle O7(a), ± 0.3 points.
        let mut hash = hash(10);
        let before = homes(&mut hash);
        hash.left(NodeId(9));
        let after = homes(&mut hash);
        let moved = |of: &dyn Fn(NodeId) -> bool| {
            let all = before.iter().zip(&after).filter(|&(&was, _)| of(was));
            all.clone().filter(|(was, is)| was != is).count() as f64 / all.count() as f64
        };
        assert!((moved(&|_| true) - 0.9).abs() < 0.003);
        assert!((moved(&|was| was != NodeId(9)) - 0.8889).abs() < 0.003);
        hash.joined(member(9));
        assert_eq!(homes(&mut hash), before);
        hash.joined(member(10));
        let eleven = homes(&mut hash);
        let moved = before.iter().zip(&eleven).filter(|(was, is)| was != is).count() as f64 / KEYS as f64;
        assert!((moved - 0.9091).abs() < 0.003);
    }

    #[test]
    fn slots_are_as_the_weights_and_spread() {
        let mut hash = Hash::new(&Params::default());
        [10, 2, 2].into_iter().zip(0..).for_each(|(weight, n)| hash.joined(Member { weight, ..member(n) }));
        hash.build();
        let slots: String = hash.slots.iter().map(|node| char::from(b'A' + node.0 as u8)).collect();
        // HAProxy's static-rr walks the same table: A A A B A A C, measured.
        assert_eq!(slots, "AAABAAC");
    }
}
