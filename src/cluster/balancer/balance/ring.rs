//! `ring`: consistent hashing. Each node owns `points` places on a circle of hashes; a session belongs to
//! the first point at or after its own hash.
//!
//! When a node leaves, only its sessions move, and when it returns they come back (Karger et al., STOC
//! 1997). The unevenness of a ring is luck that depends on the nodes' names; here the seed takes part in
//! the hash, so that intervals over seeds cover that luck too. The rings of products, with their own points, are
//! `haproxy_hash`, `nginx_hash` and `envoy_ring_hash`.
//!
//! With `balance_factor` a node that has its share of the attempts in hand, and a bit, is passed over
//! (`parts/bound.rs`).

use super::parts::bound::{self, Bound};
use super::parts::circle::Circle;
use super::{Ask, Balance, Key, Member};
use crate::base::draw::Stream;
use crate::base::id::NodeId;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One line for `stickysim list balance`.
pub const MEANING: &str = "consistent hashing: a session belongs to the next of `points` points per node on a ring";

/// Parameters of `ring`.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Points per node and unit of weight; from 1 to 100,000, default 160 as in NGINX's `hash … consistent`. More are more even.
    pub points: u32,
    /// What is hashed; default the session.
    pub key: Key,
    /// The most that a node may have in hand, in percent of its share; from 101 to 100,000, no bound unless given.
    pub balance_factor: Option<u32>,
}

impl Default for Params {
    fn default() -> Params {
        Params { points: 160, key: Key::Session, balance_factor: None }
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A plan is known by this text: what is not written leaves it as it always was.
        let mut text = f.debug_struct("Params");
        text.field("points", &self.points).field("key", &self.key);
        if let Some(factor) = &self.balance_factor {
            text.field("balance_factor", factor);
        }
        text.finish()
    }
}

impl Params {
    /// What is wrong with the parameters.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults: Vec<_> = bound::fault(self.balance_factor).into_iter().collect();
        if !(1..=100_000).contains(&self.points) {
            faults.push(("points", format!("points must be from 1 to 100000, but is {}", self.points)));
        }
        faults
    }
}

/// Working state.
#[derive(Debug)]
pub struct Ring {
    params: Params,
    places: Stream,
    // By node.
    names: Vec<u64>,
    circle: Circle<u64>,
    bound: Option<Bound>,
}

impl Ring {
    /// Nobody is eligible yet.
    pub fn new(params: &Params, seed: u64) -> Ring {
        let (places, bound) = (Stream::new(seed, "ring", ""), Bound::new(params.balance_factor));
        Ring { params: *params, places, names: Vec::new(), circle: Circle::default(), bound }
    }

    /// Lays the points of new nodes, on the first pick after they came.
    fn settle(&mut self) {
        let (places, names, points) = (self.places, &self.names, u64::from(self.params.points));
        self.circle.settle(|node, weight, fresh| {
            let point = |i| (places.at(names[node.index()], i).next_u64(), node);
            fresh.extend((0..points * u64::from(weight)).map(point));
        });
    }
}

impl Balance for Ring {
    fn joined(&mut self, member: Member) {
        if member.id.index() >= self.names.len() {
            self.names.resize(member.id.index() + 1, 0);
        }
        self.names[member.id.index()] = member.name;
        self.circle.join(member.id, member.weight);
        if let Some(bound) = &mut self.bound {
            bound.join(member);
        }
    }

    fn left(&mut self, node: NodeId) {
        self.circle.leave(node);
        if let Some(bound) = &mut self.bound {
            bound.leave(node);
        }
    }

    fn gone(&mut self, node: NodeId) {
        self.circle.forget(node);
        if let Some(bound) = &mut self.bound {
            bound.forget(node);
        }
    }

    fn load(&mut self, node: NodeId, in_flight: u32) {
        if let Some(bound) = &mut self.bound {
            bound.load(node, in_flight);
        }
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        if self.circle.count() == 0 {
            return None;
        }
        self.settle();
        let avoid = ask.avoid.filter(|_| self.circle.count() > 1);
        let start = self.circle.points().find(self.params.key.of(ask));
        // Nobody has room only when the one to be avoided has it all.
        let anybody = || self.circle.walk(start).find(|&node| Some(node) != avoid);
        bound::first(self.circle.walk(start), avoid, self.bound.as_mut()).or_else(anybody)
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
            ring.settle();
            let points = ring.circle.points().all();
            let mut shares = [0.0; 10];
            let mut before = points[points.len() - 1].0;
            for &(hash, node) in points {
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

    #[test]
    fn under_a_bound_nobody_has_more_than_its_share_and_a_bit() {
        // Oracle O8(c): 10,000 equal keys, 5 %, 10 nodes × 100 points, over 120 rings.
        let (mut displaced, rings) = (0.0, 120);
        for seed in 0..rings {
            let mut free = ring(100, 10, seed);
            let mut bounded = Ring::new(&Params { balance_factor: Some(105), ..free.params }, seed);
            (0..10).for_each(|n| bounded.joined(member(n)));
            let mut loads = [0; 10];
            // The bound is that of all 10,000: those to come are in somebody else's hand for now.
            let others = NodeId(10);
            for key in 0..10_000 {
                bounded.load(others, 9_999 - key);
                let node = bounded.pick(&ask(u64::from(key))).unwrap();
                loads[node.index()] += 1;
                bounded.load(node, loads[node.index()]);
                displaced += f64::from(u8::from(free.pick(&ask(u64::from(key))) != Some(node)));
            }
            assert!(loads.iter().all(|&load| load <= 1_050), "{loads:?}");
        }
        let displaced = displaced / 10_000.0 / rings as f64;
        assert!((displaced - 0.0225).abs() < 0.003, "{displaced}");
    }

    #[test]
    fn without_a_bound_the_text_of_a_plan_is_what_it_always_was() {
        assert_eq!(format!("{:?}", Params::default()), "Params { points: 160, key: Session }");
        let bounded = Params { balance_factor: Some(125), ..Params::default() };
        assert!(format!("{bounded:?}").ends_with("balance_factor: 125 }"));
    }
}
