//! `rendezvous`: every node draws a number for the key, and the highest wins (Thaler, Ravishankar, *Using name-based
//! mappings to increase hit rates*, IEEE/ACM ToN 6, 1998).
//!
//! When a node leaves, its keys go to their second highest, each to one of its own: nobody else moves, and the load
//! spreads over all. With weights the score is weight ÷ −ln u, u uniform: a node of weight w wins w times as often
//! (Schindelhauer, Schomaker, *Weighted distributed hash tables*, SPAA 2005). There is no table and no luck of
//! points; a choice looks at every node. With `balance_factor` the highest that has room wins.
//!
//! ```toml
//! balancer.balance = { rendezvous = { key = "session" } }
//! ```

use super::parts::bound::{self, Bound};
use super::{Ask, Balance, Key, Member};
use crate::base::draw::{Stream, mix};
use crate::base::id::NodeId;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line for `stickysim list balance`.
pub const MEANING: &str =
    "rendezvous: every node draws for the key and the highest wins; only the keys of a lost node move";

/// Parameters of `rendezvous`.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// What is hashed; default the session.
    pub key: Key,
    /// The most that a node may have in hand, in percent of its share; from 101 to 100,000, no bound unless given.
    pub balance_factor: Option<u32>,
}

impl Params {
    /// What is wrong with the parameters.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        bound::fault(self.balance_factor).into_iter().collect()
    }
}

/// Working state.
#[derive(Debug)]
pub struct Rendezvous {
    key: Key,
    names: Stream,
    bound: Option<Bound>,
    // What a node's draws are keyed by, by weight, in the order of the nodes.
    classes: BTreeMap<u32, Vec<(NodeId, u64)>>,
    count: usize,
}

impl Rendezvous {
    /// Nobody is eligible yet.
    pub fn new(params: &Params, seed: u64) -> Rendezvous {
        let names = Stream::new(seed, "rendezvous", "");
        Rendezvous {
            key: params.key,
            names,
            bound: Bound::new(params.balance_factor),
            classes: BTreeMap::new(),
            count: 0,
        }
    }

    fn remove(&mut self, node: NodeId) {
        for class in self.classes.values_mut() {
            if let Ok(place) = class.binary_search_by_key(&node, |&(other, _)| other) {
                class.remove(place);
                self.count -= 1;
            }
        }
    }

    /// The highest score among those that may be taken.
    #[inline]
    fn highest(&self, key: u64, may: impl Fn(NodeId) -> bool) -> Option<NodeId> {
        let mut best: Option<(f64, NodeId)> = None;
        for (&weight, class) in &self.classes {
            // Among equal weights the highest number has the highest score: one logarithm each is enough.
            let mut highest: Option<(u64, NodeId)> = None;
            for &(node, name) in class {
                let drawn = mix(key ^ name);
                if highest.is_none_or(|(most, _)| drawn > most) && may(node) {
                    highest = Some((drawn, node));
                }
            }
            let Some((drawn, node)) = highest else { continue };
            if self.classes.len() == 1 {
                return Some(node);
            }
            // In (0, 1): the middle of what 53 bits can tell apart.
            let uniform = ((drawn >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
            let score = f64::from(weight) / -libm::log(uniform);
            if best.is_none_or(|(most, _)| score > most) {
                best = Some((score, node));
            }
        }
        best.map(|(_, node)| node)
    }
}

impl Balance for Rendezvous {
    fn joined(&mut self, member: Member) {
        self.remove(member.id);
        let class = self.classes.entry(member.weight).or_default();
        let place = class.partition_point(|&(other, _)| other < member.id);
        class.insert(place, (member.id, self.names.at(member.name, 0).next_u64()));
        self.count += 1;
        if let Some(bound) = &mut self.bound {
            bound.join(member);
        }
    }

    fn left(&mut self, node: NodeId) {
        self.remove(node);
        if let Some(bound) = &mut self.bound {
            bound.leave(node);
        }
    }

    fn gone(&mut self, node: NodeId) {
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
        let (key, avoid) = (self.key.of(ask), ask.avoid.filter(|_| self.count > 1));
        let may = |node| Some(node) != avoid;
        if self.count == 0 {
            return None;
        }
        let mut bound = self.bound.take();
        let room = bound.as_mut().map(Bound::room);
        let roomy = room.and_then(|room| self.highest(key, |node| may(node) && room.is_at(node)));
        self.bound = bound;
        roomy.or_else(|| self.highest(key, may))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, member};
    use super::*;

    fn rendezvous(weights: &[u32]) -> Rendezvous {
        let mut rendezvous = Rendezvous::new(&Params::default(), 1);
        (0..).zip(weights).for_each(|(n, &weight)| rendezvous.joined(Member { weight, ..member(n) }));
        rendezvous
    }

    fn homes(balance: &mut Rendezvous, keys: u64) -> Vec<NodeId> {
        (0..keys).map(|key| balance.pick(&ask(key)).unwrap()).collect()
    }

    #[test]
    fn a_new_node_takes_its_share_and_nobody_moves_elsewhere() {
        // Oracle O7(b): 9.09 ± 0.3 %.
        let mut ten = rendezvous(&[1; 10]);
        let before = homes(&mut ten, 200_000);
        ten.joined(member(10));
        let after = homes(&mut ten, 200_000);
        let moved = before.iter().zip(&after).filter(|(was, is)| was != is);
        let moved = moved.inspect(|(_, is)| assert_eq!(**is, NodeId(10))).count();
        assert!((moved as f64 / 200_000.0 - 1.0 / 11.0).abs() < 0.003, "{moved}");
        ten.left(NodeId(10));
        assert_eq!(homes(&mut ten, 1_000), before[..1_000]);
    }

    #[test]
    fn the_keys_of_a_lost_node_spread_over_all_others() {
        let mut ten = rendezvous(&[1; 10]);
        let before = homes(&mut ten, 100_000);
        ten.left(NodeId(3));
        let mut heirs = [0; 10];
        for (was, is) in before.iter().zip(homes(&mut ten, 100_000)) {
            assert!(*was == is || *was == NodeId(3));
            heirs[is.index()] += u32::from(*was != is);
        }
        assert!((0..10).all(|n| n == 3 || heirs[n].abs_diff(1_111) < 150), "{heirs:?}");
    }

    #[test]
    fn a_node_wins_as_often_as_its_weight_says_and_a_new_weight_moves_no_more_than_it_must() {
        let mut weighted = rendezvous(&[1, 2, 5]);
        let before = homes(&mut weighted, 80_000);
        let share = |homes: &[NodeId], node| homes.iter().filter(|home| home.0 == node).count() as f64 / 80_000.0;
        for (node, fair) in [(0, 0.125), (1, 0.25), (2, 0.625)] {
            assert!((share(&before, node) - fair).abs() < 0.006, "{node}: {}", share(&before, node));
        }
        weighted.joined(Member { weight: 4, ..member(1) });
        let after = homes(&mut weighted, 80_000);
        assert!(before.iter().zip(&after).all(|(was, is)| was == is || is.0 == 1), "keys go to the heavier one only");
        assert!((share(&after, 1) - 0.4).abs() < 0.006);
    }

    #[test]
    fn with_a_bound_the_highest_that_has_room_wins() {
        let mut bounded = Rendezvous::new(&Params { balance_factor: Some(105), ..Params::default() }, 1);
        (0..10).for_each(|n| bounded.joined(member(n)));
        let mut loads = [0; 10];
        for key in 0..10_000 {
            let node = bounded.pick(&ask(key)).unwrap();
            loads[node.index()] += 1;
            bounded.load(node, loads[node.index()]);
        }
        assert!(loads.iter().all(|&load| load <= 1_050), "{loads:?}");
    }
}
