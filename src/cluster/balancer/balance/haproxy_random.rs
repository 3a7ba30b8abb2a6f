//! `haproxy_random`: HAProxy's `balance random(N)`, bit for bit but for where its generator begins.
//!
//! HAProxy draws 32-bit numbers and looks each up on the ring of `haproxy_hash`, so that a server is drawn by its part
//! of the circle, which is uneven, and may be drawn twice. The drawn server with the fewest attempts in hand for its
//! weight takes it; of equals the one drawn later (haproxy 2.6 `src/backend.c`).
//!
//! The generator is Marsaglia's xorshift of 13, 17, 5 (J. Stat. Software 8, 2003). HAProxy starts it from a constant,
//! so that every restart repeats the same choices; here seed and balancer say where it starts.
//!
//! ```toml
//! balancer.balance = { haproxy_random = { draws = 2 } }
//! ```

use super::haproxy_hash::Ring;
use super::parts::bound;
use super::{Ask, Balance, Member};
use crate::base::draw::Stream;
use crate::base::id::NodeId;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list balance`.
pub const MEANING: &str =
    "HAProxy's `balance random(draws)`: points of its uneven ring, the less loaded of those drawn";

const DRAWS_MAX: u32 = 16;

/// Parameters of `haproxy_random`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// How many servers are drawn; from 1 to 16, default 2.
    pub draws: u32,
    /// The most that a server may have in hand, in percent of its share (HAProxy `hash-balance-factor`); from 101
    /// to 100,000, no bound unless given.
    pub balance_factor: Option<u32>,
}

impl Default for Params {
    fn default() -> Params {
        Params { draws: 2, balance_factor: None }
    }
}

impl Params {
    /// What is wrong with the parameters.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults: Vec<_> = bound::fault(self.balance_factor).into_iter().collect();
        if !(1..=DRAWS_MAX).contains(&self.draws) {
            faults.push(("draws", format!("draws must be from 1 to {DRAWS_MAX}, but is {}", self.draws)));
        }
        faults
    }
}

/// Working state.
#[derive(Debug)]
pub struct Random {
    draws: u32,
    ring: Ring,
    // By node: in hand, and weight in sixteenths.
    loads: Vec<(u32, u32)>,
    generator: u32,
}

impl Random {
    /// Nobody is eligible yet.
    pub fn new(params: &Params, seed: u64, instance: &str) -> Random {
        let start = Stream::new(seed, "balance haproxy_random", instance).sequence().next_u32();
        Random::from_state(params, start)
    }

    /// With the generator in this state, of which zero is the one that it never leaves.
    pub(super) fn from_state(params: &Params, state: u32) -> Random {
        let ring = Ring::new(params.balance_factor);
        Random { draws: params.draws, ring, loads: Vec::new(), generator: state.max(1) }
    }

    #[inline]
    pub(super) fn draw(&mut self) -> u32 {
        let mut x = self.generator;
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.generator = x;
        x
    }

    fn seat(&mut self, node: NodeId) -> &mut (u32, u32) {
        if node.index() >= self.loads.len() {
            self.loads.resize(node.index() + 1, (0, 1));
        }
        &mut self.loads[node.index()]
    }
}

impl Balance for Random {
    fn joined(&mut self, member: Member) {
        self.seat(member.id).1 = member.sixteenths();
        self.ring.join(member);
    }

    fn left(&mut self, node: NodeId) {
        self.ring.leave(node);
    }

    fn gone(&mut self, node: NodeId) {
        self.ring.forget(node);
    }

    fn load(&mut self, node: NodeId, in_flight: u32) {
        self.seat(node).0 = in_flight;
        self.ring.load(node, in_flight);
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        let mut best: Option<NodeId> = None;
        for _ in 0..self.draws {
            let hash = self.draw();
            let drawn = self.ring.at(hash, ask.avoid)?;
            // In hand per weight, without division.
            let of = |node: NodeId, other: NodeId| {
                u64::from(self.loads[node.index()].0) * u64::from(self.loads[other.index()].1)
            };
            best = Some(best.filter(|&best| of(drawn, best) > of(best, drawn)).unwrap_or(drawn));
        }
        // A full one sends the attempt to the common line, even if others have room.
        best.filter(|&best| !ask.is_full(best))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, member};
    use super::*;

    /// HAProxy's constant.
    const START: u32 = 2_463_534_242;

    /// 2,000 connections that stay, one after the other, after so many draws.
    fn connections(draws: u32, before: u32) -> [u32; 10] {
        let mut random = Random::from_state(&Params { draws, ..Params::default() }, START);
        (0..10).for_each(|n| random.joined(member(n)));
        (0..before).for_each(|_| _ = random.draw());
        let mut counts = [0; 10];
        for _ in 0..2_000 {
            let node = random.pick(&ask(0)).unwrap();
            counts[node.index()] += 1;
            random.load(node, counts[node.index()]);
        }
        counts
    }

    #[test]
    fn every_server_gets_the_connections_that_haproxy_gave_it() {
        // HAProxy 2.6.12, balance random(1) and random(2), ten servers, 2,000 connections that stay; the first
        // connection of all was a probe of the measurement, and in the later rows so many more came and went before.
        let measured: [(u32, u32, [u32; 10]); 12] = [
            (1, 0, [227, 157, 184, 196, 206, 229, 147, 175, 208, 271]),
            (1, 113, [233, 157, 180, 201, 218, 226, 153, 168, 203, 261]),
            (1, 271, [235, 158, 181, 206, 216, 218, 154, 161, 205, 266]),
            (1, 397, [240, 161, 175, 201, 218, 217, 149, 161, 208, 270]),
            (1, 541, [233, 157, 179, 201, 230, 212, 150, 151, 211, 276]),
            (1, 683, [233, 163, 173, 200, 229, 223, 152, 145, 217, 265]),
            (2, 0, [200, 201, 197, 201, 199, 201, 200, 200, 200, 201]),
            (2, 113, [200, 198, 199, 200, 200, 200, 199, 202, 200, 202]),
            (2, 271, [201, 199, 200, 201, 199, 200, 198, 202, 200, 200]),
            (2, 397, [201, 199, 201, 201, 199, 202, 197, 198, 200, 202]),
            (2, 541, [202, 199, 200, 200, 201, 198, 199, 198, 201, 202]),
            (2, 683, [200, 201, 200, 201, 201, 201, 199, 198, 200, 199]),
        ];
        for (draws, before, counts) in measured {
            assert_eq!(connections(draws, draws * (before + 1)), counts, "random({draws}) after {before} connections");
        }
    }

    #[test]
    fn a_seed_says_where_the_generator_begins() {
        let start = |seed| Random::new(&Params::default(), seed, "lb1").generator;
        assert_eq!(start(1), start(1));
        assert_ne!(start(1), start(2));
    }

    #[test]
    fn loads_count_per_weight() {
        let mut random = Random::new(&Params { draws: 8, ..Params::default() }, 1, "lb1");
        random.joined(member(0));
        random.joined(Member { weight: 4, ..member(1) });
        random.load(NodeId(0), 1);
        random.load(NodeId(1), 3);
        let picked = (0..200).filter(|_| random.pick(&ask(0)) == Some(NodeId(1))).count();
        assert!(picked > 195, "3/4 is less than 1: {picked} of 200");
    }
}
