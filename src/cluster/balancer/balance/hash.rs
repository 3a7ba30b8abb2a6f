//! `hash` and `source`: a table with as many slots per node as its weight, and a hash that names the slot.
//!
//! The table is that of HAProxy's `hash-type map-based` (`parts/slots.rs`): it holds the eligible nodes only, in the
//! order of their identifiers, spread smoothly when weights differ, and the slot is hash mod length. It is perfectly
//! even and keeps nobody in place: when one of n nodes leaves, the length changes, and 1 − 1/n of all sessions
//! move. The hash is a good one of our own; HAProxy's are in `haproxy_hash`, with the same table.
//!
//! A node that has just refused gives way to the next other node in the table. (HAProxy would name the same
//! server again until its check fails.)
//!
//! ```toml
//! balancer.balance = { hash = { key = "header" } }
//! balancer.balance = "source"      # the same with key = "address"
//! ```

use super::parts::slots::Slots;
use super::{Ask, Balance, Key, Member};
use crate::base::id::NodeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    slots: Slots,
}

impl Hash {
    /// Nobody is eligible yet.
    pub fn new(params: &Params) -> Hash {
        Hash { key: params.key, slots: Slots::default() }
    }
}

impl Balance for Hash {
    fn joined(&mut self, member: Member) {
        self.slots.join(member);
    }

    fn left(&mut self, node: NodeId) {
        self.slots.leave(node);
    }

    fn gone(&mut self, node: NodeId) {
        self.slots.forget(node);
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        self.slots.at(self.key.of(ask), ask.avoid)
    }
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
}
