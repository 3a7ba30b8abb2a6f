//! `random`: a few nodes are drawn, the one with the fewest attempts in hand takes it.
//!
//! One draw is plain random; two are the *power of two choices* (Mitzenmacher, IEEE TPDS 12, 2001). The
//! products differ in whether the same node may be drawn twice: NGINX `random two` and HAProxy do not want
//! it, Envoy's least request allows it. With weights, a node is drawn in proportion to its own, and loads are
//! compared per unit of weight. Where the one that is picked is full, nobody is: the attempt joins the common line,
//! even if others have room (haproxy `get_server_rnd`).

use super::{Ask, Balance, Member, Members};
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
    // By node.
    in_flight: Vec<u32>,
    weights: Vec<u32>,
    // By member, running sums of weights; empty while all are equal, and after a change.
    sums: Vec<u64>,
    // By upper bits of a number below the sum: the first member whose running sum is above it with the rest 0.
    starts: Vec<u32>,
    shift: u32,
    draw: Draw,
}

impl Random {
    /// Nobody is eligible yet.
    pub fn new(params: &Params, seed: u64, instance: &str) -> Random {
        let draw = Stream::new(seed, "balance random", instance).sequence();
        let (members, in_flight, weights, sums, starts) = Default::default();
        Random { params: *params, members, in_flight, weights, sums, starts, shift: 0, draw }
    }

    /// Running sums of weights; none when they are all equal.
    fn weigh(&mut self) {
        self.sums.clear();
        let weight = |node: &NodeId| self.weights[node.index()];
        let members = &self.members.0;
        if members.windows(2).any(|two| weight(&two[0]) != weight(&two[1])) {
            let sums = members.iter().scan(0, |sum, node| {
                *sum += u64::from(weight(node));
                Some(*sum)
            });
            self.sums = sums.collect();
            self.index();
        }
    }

    /// Makes the directory: about an entry for each member, so that a member is found in a step or two.
    fn index(&mut self) {
        let total = *self.sums.last().expect("somebody has a weight");
        self.shift = (total / self.sums.len() as u64).max(1).ilog2();
        self.starts.clear();
        let mut position = 0;
        for entry in 0..=(total - 1) >> self.shift {
            while self.sums[position] <= entry << self.shift {
                position += 1;
            }
            self.starts.push(position as u32);
        }
    }

    /// The first member whose running sum is above `target`.
    fn holder(&self, target: u64) -> usize {
        let start = self.starts[(target >> self.shift) as usize] as usize;
        start + self.sums[start..].iter().take_while(|&&sum| sum <= target).count()
    }

    /// Draws a member's position: any but `skip`.
    fn position(&mut self, skip: Option<usize>) -> usize {
        let Some(&total) = self.sums.last() else {
            let n = self.members.0.len() - usize::from(skip.is_some());
            let position = self.draw.random_range(0..n);
            return position + usize::from(skip.is_some_and(|gap| position >= gap));
        };
        loop {
            let target = self.draw.random_range(0..total);
            let position = self.holder(target);
            if Some(position) != skip {
                return position;
            }
        }
    }

    /// Positions of `k` members, in the order in which they were drawn.
    fn positions(&mut self, skip: Option<usize>, k: usize) -> ([usize; DRAWS_MAX], usize) {
        let mut drawn = [0; DRAWS_MAX];
        let n = self.members.0.len() - usize::from(skip.is_some());
        let k = if self.params.replacement { k } else { k.min(n) };
        for i in 0..k {
            drawn[i] = loop {
                let position = self.position(skip);
                if self.params.replacement || !drawn[..i].contains(&position) {
                    break position;
                }
            };
        }
        (drawn, k)
    }

    fn grow(&mut self, node: NodeId) {
        if node.index() >= self.weights.len() {
            self.weights.resize(node.index() + 1, 1);
            self.in_flight.resize(node.index() + 1, 0);
        }
    }
}

impl Balance for Random {
    fn joined(&mut self, member: Member) {
        self.grow(member.id);
        self.weights[member.id.index()] = member.parts();
        self.members.join(member.id);
        self.weigh();
    }

    fn left(&mut self, node: NodeId) {
        self.members.leave(node);
        self.weigh();
    }

    fn load(&mut self, node: NodeId, in_flight: u32) {
        if self.params.draws == 1 {
            return; // Nobody compares.
        }
        self.grow(node);
        self.in_flight[node.index()] = in_flight;
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        let avoided = ask.avoid.and_then(|node| self.members.0.binary_search(&node).ok());
        let total = self.members.0.len();
        if total == 0 {
            return None;
        }
        // Without the node to avoid, unless it is the only one.
        let skip = avoided.filter(|_| total > 1);
        let (drawn, k) = self.positions(skip, self.params.draws as usize);
        let mut nodes = drawn[..k].iter().map(|&position| self.members.0[position]);
        // Load per weight without division; the first drawn wins a tie, which makes ties random.
        let load = |a: NodeId, b: NodeId| u64::from(self.in_flight[a.index()]) * u64::from(self.weights[b.index()]);
        let first = nodes.next()?;
        let best = nodes.fold(first, |best, node| if load(node, best) < load(best, node) { node } else { best });
        (!ask.is_full(best)).then_some(best)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, member};
    use super::*;

    fn random(draws: u32, replacement: bool, weights: &[u32]) -> Random {
        let mut random = Random::new(&Params { draws, replacement }, 1, "lb1");
        (0..).zip(weights).for_each(|(n, &weight)| random.joined(Member { weight, ..member(n) }));
        random
    }

    #[test]
    fn every_number_below_the_sum_belongs_to_the_member_whose_weight_it_falls_into() {
        for weights in [&[1, 2][..], &[256, 1, 1, 1, 30], &[1, 256, 7], &[3, 1, 4, 1, 5, 9, 2, 6]] {
            let random = random(2, false, weights);
            for target in 0..*random.sums.last().unwrap() {
                assert_eq!(random.holder(target), random.sums.partition_point(|&sum| sum <= target), "{weights:?}");
            }
        }
    }

    fn shares(random: &mut Random, nodes: usize) -> Vec<f64> {
        let mut picks = vec![0.0; nodes];
        for _ in 0..20_000 {
            picks[random.pick(&ask(0)).unwrap().index()] += 1.0 / 20_000.0;
        }
        picks
    }

    #[test]
    fn two_distinct_draws_never_take_the_fullest() {
        let mut random = random(2, false, &[1; 3]);
        random.load(NodeId(1), 5);
        let shares = shares(&mut random, 3);
        assert_eq!(shares[1], 0.0);
        assert!((shares[0] - 0.5).abs() < 0.02, "ties are even: {shares:?}");
    }

    #[test]
    fn with_replacement_the_fullest_is_taken_when_drawn_twice() {
        let mut random = random(2, true, &[1; 3]);
        random.load(NodeId(1), 5);
        assert!((shares(&mut random, 3)[1] - 1.0 / 9.0).abs() < 0.012);
    }

    #[test]
    fn a_node_is_drawn_in_proportion_to_its_weight() {
        let shares = shares(&mut random(1, false, &[1, 2, 5]), 3);
        assert!(
            shares.iter().zip([0.125, 0.25, 0.625]).all(|(share, fair)| (share - fair).abs() < 0.015),
            "{shares:?}"
        );
    }

    #[test]
    fn loads_are_compared_per_weight() {
        let mut random = random(2, false, &[1, 4]);
        random.load(NodeId(0), 1);
        random.load(NodeId(1), 3);
        assert_eq!(shares(&mut random, 2)[0], 0.0, "3/4 is less than 1");
    }
}
