//! `ring`: consistent hashing. Each node owns `points` places on a circle of hashes; a session belongs to
//! the first point at or after its own hash.
//!
//! When a node leaves, only its sessions move, and when it returns they come back (Karger et al., STOC
//! 1997). The unevenness of a ring is luck that depends on the nodes' names; here the seed takes part in
//! the hash, so that intervals over seeds cover that luck too.

use super::{Ask, Balance, Key, Member};
use crate::base::draw::Stream;
use crate::base::id::NodeId;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line for `stickysim list balance`.
pub const MEANING: &str = "consistent hashing: a session belongs to the next of `points` points per node on a ring";

/// Parameters of `ring`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Points per node and unit of weight; from 1 to 100,000, default 160 as in NGINX's `hash … consistent`. More are more even.
    pub points: u32,
    /// What is hashed; default the session.
    pub key: Key,
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
    params: Params,
    seed: u64,
    // Name and weight of the eligible.
    members: BTreeMap<NodeId, (u64, u32)>,
    // Sorted by hash; empty when the members have changed since.
    ring: Vec<(u64, NodeId)>,
}

impl Ring {
    /// Nobody is eligible yet.
    pub fn new(params: &Params, seed: u64) -> Ring {
        Ring { params: *params, seed, members: BTreeMap::new(), ring: Vec::new() }
    }

    /// Built on the first pick after a change: a node that flaps between two picks costs nothing.
    fn build(&mut self) {
        let place = Stream::new(self.seed, "ring", "");
        for (&node, &(name, weight)) in &self.members {
            let points = u64::from(self.params.points) * u64::from(weight);
            self.ring.extend((0..points).map(|i| (place.at(name, i).next_u64(), node)));
        }
        self.ring.sort_unstable();
    }
}

impl Balance for Ring {
    fn joined(&mut self, member: Member) {
        self.members.insert(member.id, (member.name, member.weight));
        self.ring.clear();
    }

    fn left(&mut self, node: NodeId) {
        self.members.remove(&node);
        self.ring.clear();
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        if self.ring.is_empty() {
            self.build();
        }
        let key = self.params.key.of(ask);
        let start = self.ring.partition_point(|&(hash, _)| hash < key);
        let mut onwards = self.ring[start..].iter().chain(&self.ring[..start]).map(|&(_, node)| node);
        let avoid = ask.avoid.filter(|_| self.members.len() > 1);
        onwards.find(|&node| Some(node) != avoid)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, member};
    use super::*;

    fn ring(points: u32, nodes: u32, seed: u64) -> Ring {
        let mut ring = Ring::new(&Params { points, ..Params::default() }, seed);
        (0..nodes).for_each(|n| ring.joined(member(n)));
        ring
    }

    fn homes(ring: &mut Ring, keys: u64) -> Vec<NodeId> {
        (0..keys).map(|key| ring.pick(&ask(key)).unwrap()).collect()
    }

    #[test]
    fn only_the_sessions_of_the_node_that_left_move_and_they_come_back() {
        let mut ring = ring(160, 10, 1);
        let before = homes(&mut ring, 10_000);
        ring.left(NodeId(4));
        for (was, is) in before.iter().zip(homes(&mut ring, 10_000)) {
            assert!(*was == is || *was == NodeId(4));
            assert_ne!(is, NodeId(4));
        }
        ring.joined(member(4));
        assert_eq!(before, homes(&mut ring, 10_000));
    }

    #[test]
    fn a_new_node_takes_its_share_and_nobody_moves_elsewhere() {
        // Oracle O7(b): 9.09 %, with the spread of O8(a) from ring to ring.
        let mut moved = 0.0;
        for seed in 0..30 {
            let mut ring = ring(100, 10, seed);
            let before = homes(&mut ring, 5_000);
            ring.joined(member(10));
            for (was, is) in before.iter().zip(homes(&mut ring, 5_000)) {
                assert!(*was == is || is == NodeId(10));
                moved += f64::from(u8::from(*was != is)) / 150_000.0;
            }
        }
        assert!((moved - 0.0909).abs() < 0.007, "{moved}");
    }

    #[test]
    fn how_uneven_a_ring_is() {
        // Oracle O8(a): exact shares of the circle, 10 nodes × 100 points, over 400 rings.
        let (mut peaks, mut squares) = (0.0, 0.0);
        for seed in 0..400 {
            let mut ring = ring(100, 10, seed);
            ring.build();
            let mut shares = [0.0; 10];
            let mut before = ring.ring[ring.ring.len() - 1].0;
            for &(hash, node) in &ring.ring {
                shares[node.index()] += hash.wrapping_sub(before) as f64 / 18_446_744_073_709_551_616.0 * 10.0;
                before = hash;
            }
            peaks += shares.iter().copied().fold(0.0, f64::max) / 400.0;
            squares += shares.iter().map(|share| (share - 1.0) * (share - 1.0)).sum::<f64>() / 4_000.0;
        }
        assert!((peaks - 1.1594).abs() < 0.010, "{peaks}");
        assert!((squares.sqrt() - 0.0948).abs() < 0.010, "{squares}");
    }

    #[test]
    fn weight_multiplies_points() {
        let mut ring = ring(160, 3, 1);
        ring.joined(Member { weight: 4, ..member(3) });
        let share = homes(&mut ring, 20_000).iter().filter(|&&node| node == NodeId(3)).count();
        assert!((share as f64 / 20_000.0 - 4.0 / 7.0).abs() < 0.06, "{share}");
    }
}
