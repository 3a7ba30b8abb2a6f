//! `ring`: consistent hashing. Each node owns `points` places on a circle of hashes; a session belongs to
//! the first point at or after its own hash.
//!
//! When a node leaves, only its sessions move, and when it returns they come back (Karger et al., STOC
//! 1997). The unevenness of a ring is luck that depends on the nodes' names; here the seed takes part in
//! the hash, so that intervals over seeds cover that luck too.

use super::{Ask, Balance, Members};
use crate::base::draw::{Stream, name_key};
use crate::base::id::NodeId;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list balance`.
pub const MEANING: &str = "consistent hashing: a session belongs to the next of `points` points per node on a ring";

/// Parameters of `ring`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Points per node; from 1 to 100,000, default 160 as in NGINX's `hash … consistent`. More are more even.
    pub points: u32,
    /// What is hashed; default the session.
    pub key: Key,
}

/// What a hash looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// The session's own name, as in a header or a parameter.
    #[default]
    Session,
}

impl Default for Params {
    fn default() -> Params {
        Params { points: 160, key: Key::Session }
    }
}

impl Params {
    /// What is wrong with the parameters.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        if (1..=100_000).contains(&self.points) {
            return Vec::new();
        }
        vec![("points", format!("points must be from 1 to 100000, but is {}", self.points))]
    }
}

/// Working state.
#[derive(Debug)]
pub struct Ring {
    points: u32,
    hashes: Vec<u64>,
    seed: u64,
    members: Members,
    // Sorted by hash; empty when the members have changed since.
    ring: Vec<(u64, NodeId)>,
}

impl Ring {
    /// Nobody is eligible yet.
    pub fn new(params: &Params, nodes: &[String], seed: u64) -> Ring {
        let hashes = nodes.iter().map(|name| name_key(name)).collect();
        Ring { points: params.points, hashes, seed, members: Members::default(), ring: Vec::new() }
    }

    /// Built on the first pick after a change: a node that flaps between two picks costs nothing.
    fn build(&mut self) {
        let place = Stream::new(self.seed, "ring", "");
        for &node in &self.members.0 {
            let hash = self.hashes[node.index()];
            let point = |i| (place.at(hash, u64::from(i)).next_u64(), node);
            self.ring.extend((0..self.points).map(point));
        }
        self.ring.sort_unstable();
    }
}

impl Balance for Ring {
    fn joined(&mut self, node: NodeId, _weight: u32) {
        self.members.join(node);
        self.ring.clear();
    }

    fn left(&mut self, node: NodeId) {
        self.members.leave(node);
        self.ring.clear();
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        if self.ring.is_empty() {
            self.build();
        }
        let start = self.ring.partition_point(|&(hash, _)| hash < ask.key);
        let mut onwards = self.ring[start..].iter().chain(&self.ring[..start]).map(|&(_, node)| node);
        let avoid = ask.avoid.filter(|_| self.members.0.len() > 1);
        onwards.find(|&node| Some(node) != avoid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::draw::mix;

    #[test]
    fn only_the_sessions_of_the_node_that_left_move_and_they_come_back() {
        let names: Vec<String> = (0..10).map(|i| format!("n{i}")).collect();
        let mut ring = Ring::new(&Params::default(), &names, 1);
        (0..10).for_each(|n| ring.joined(NodeId(n), 1));
        let homes = |ring: &mut Ring| -> Vec<NodeId> {
            (0..10_000).map(|i| ring.pick(&Ask { key: mix(i), avoid: None }).unwrap()).collect()
        };
        let before = homes(&mut ring);
        ring.left(NodeId(4));
        for (was, is) in before.iter().zip(homes(&mut ring)) {
            assert!(*was == is || *was == NodeId(4));
            assert_ne!(is, NodeId(4));
        }
        ring.joined(NodeId(4), 1);
        assert_eq!(before, homes(&mut ring));
    }
}
