//! `random`: a few nodes are drawn, the one with the fewest attempts in hand takes it.
//!
//! One draw is plain random; two are the *power of two choices* (Mitzenmacher, IEEE TPDS 12, 2001). The
//! products differ in whether the same node may be drawn twice: NGINX `random two` and HAProxy do not want
//! it, Envoy's least request allows it.

use super::{Ask, Balance, Members};
use crate::base::draw::{Draw, Stream};
use crate::base::id::NodeId;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list balance`.
pub const MEANING: &str = "the least loaded of `draws` nodes drawn at random (2 = power of two choices)";

/// Parameters of `random`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// How many nodes are drawn; from 1 to 16, default 2 as in HAProxy.
    pub draws: u32,
    /// Whether the same node may be drawn twice; default no.
    pub replacement: bool,
}

impl Default for Params {
    fn default() -> Params {
        Params { draws: 2, replacement: false }
    }
}

const DRAWS_MAX: usize = 16;

impl Params {
    /// What is wrong with the parameters.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        if (1..=DRAWS_MAX as u32).contains(&self.draws) {
            return Vec::new();
        }
        vec![("draws", format!("draws must be from 1 to {DRAWS_MAX}, but is {}", self.draws))]
    }
}

/// Working state.
#[derive(Debug)]
pub struct Random {
    params: Params,
    members: Members,
    in_flight: Vec<u32>,
    draw: Draw,
}

impl Random {
    /// Nobody is eligible yet.
    pub fn new(params: &Params, nodes: usize, seed: u64, instance: &str) -> Random {
        let draw = Stream::new(seed, "balance random", instance).sequence();
        Random { params: *params, members: Members::default(), in_flight: vec![0; nodes], draw }
    }

    /// Positions of `k` of `n` candidates, in the order in which they were drawn.
    fn positions(&mut self, n: usize, k: usize) -> ([usize; DRAWS_MAX], usize) {
        let mut drawn = [0; DRAWS_MAX];
        let k = if self.params.replacement { k } else { k.min(n) };
        for i in 0..k {
            drawn[i] = loop {
                let position = self.draw.random_range(0..n);
                if self.params.replacement || !drawn[..i].contains(&position) {
                    break position;
                }
            };
        }
        (drawn, k)
    }
}

impl Balance for Random {
    fn joined(&mut self, node: NodeId, _weight: u32) {
        self.members.join(node);
    }

    fn left(&mut self, node: NodeId) {
        self.members.leave(node);
    }

    fn load(&mut self, node: NodeId, in_flight: u32) {
        self.in_flight[node.index()] = in_flight;
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        let avoided = ask.avoid.and_then(|node| self.members.0.binary_search(&node).ok());
        let total = self.members.0.len();
        // Without the node to avoid, unless it is the only one.
        let skip = avoided.filter(|_| total > 1);
        let n = total - usize::from(skip.is_some());
        if n == 0 {
            return None;
        }
        let (drawn, k) = self.positions(n, self.params.draws as usize);
        let node = |position: usize| {
            let shifted = position + usize::from(skip.is_some_and(|gap| position >= gap));
            self.members.0[shifted]
        };
        // The first drawn wins a tie, which makes ties random.
        drawn[..k].iter().map(|&p| node(p)).min_by_key(|node| self.in_flight[node.index()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(draws: u32, replacement: bool, nodes: u32) -> Random {
        let mut random = Random::new(&Params { draws, replacement }, nodes as usize, 1, "lb1");
        (0..nodes).for_each(|n| random.joined(NodeId(n), 1));
        random
    }

    fn shares(random: &mut Random, nodes: usize) -> Vec<f64> {
        let mut picks = vec![0.0; nodes];
        for _ in 0..20_000 {
            picks[random.pick(&Ask { key: 0, avoid: None }).unwrap().index()] += 1.0 / 20_000.0;
        }
        picks
    }

    #[test]
    fn two_distinct_draws_never_take_the_fullest() {
        let mut random = random(2, false, 3);
        random.load(NodeId(1), 5);
        let shares = shares(&mut random, 3);
        assert_eq!(shares[1], 0.0);
        assert!((shares[0] - 0.5).abs() < 0.02, "ties are even: {shares:?}");
    }

    #[test]
    fn with_replacement_the_fullest_is_taken_when_drawn_twice() {
        let mut random = random(2, true, 3);
        random.load(NodeId(1), 5);
        assert!((shares(&mut random, 3)[1] - 1.0 / 9.0).abs() < 0.012);
    }
}
