//! `envoy_least_request`: a few nodes are drawn, perhaps the same twice, and the one with the fewest requests takes it;
//! where weights differ, deadlines decide, with weights that shrink with load.
//!
//! With equal weights `choice_count` nodes are drawn with replacement, and the first drawn wins a tie: of two nodes the
//! busier one still gets a quarter of the requests. With weights that differ, or while a node starts slowly, every
//! turn goes to whoever is due first (`parts/edf.rs`), the next one 1 ÷ (weight ÷ (requests + 1)^`active_request_bias`)
//! later; the load is looked at when a node is picked, and not again before its turn has come. Source: envoy
//! `least_request_lb.cc`, `load_balancer_impl.cc`.
//!
//! ```toml
//! balancer.balance = { envoy_least_request = { choice_count = 3 } }
//! ```

use super::parts::edf::{Deadlines, pick_again};
use super::{Ask, Balance, Member};
use crate::base::draw::{Draw, Stream};
use crate::base::id::NodeId;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list balance`.
pub const MEANING: &str =
    "Envoy's LEAST_REQUEST: the least loaded of `choice_count` draws; by deadlines where weights differ";

/// Parameters of `envoy_least_request`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// How many nodes are drawn; from 1 to 100, default 2.
    pub choice_count: u32,
    /// How strongly load tells against a weight, where weights differ; ≥ 0, default 1.
    pub active_request_bias: f64,
    /// Whether all nodes are looked at instead of a few (`FULL_SCAN`); one of those that tie is drawn. Default no.
    pub full_scan: bool,
}

impl Default for Params {
    fn default() -> Params {
        Params { choice_count: 2, active_request_bias: 1.0, full_scan: false }
    }
}

impl Params {
    /// What is wrong with the parameters.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if !(1..=100).contains(&self.choice_count) {
            faults.push(("choice_count", format!("choice_count must be from 1 to 100, but is {}", self.choice_count)));
        }
        if !(0.0..=100.0).contains(&self.active_request_bias) {
            let message = format!("active_request_bias must be from 0 to 100, but is {}", self.active_request_bias);
            faults.push(("active_request_bias", message));
        }
        faults
    }
}

/// What a weight is worth under so much load.
#[inline]
fn worth(weight: u32, in_flight: u32, bias: f64) -> f64 {
    let (weight, active) = (f64::from(weight), f64::from(in_flight));
    match bias {
        0.0 => weight,
        1.0 => weight / (active + 1.0),
        bias => (weight / libm::pow(active + 1.0, bias)).max(LEAST_WORTH),
    }
}

/// So that 1 ÷ a worth is a number, however large the load.
const LEAST_WORTH: f64 = 1e-100;

/// Working state.
#[derive(Debug)]
pub struct LeastRequest {
    params: Params,
    deadlines: Deadlines,
    // Requests in flight, by node.
    loads: Vec<u32>,
    draw: Draw,
}

impl LeastRequest {
    /// Nobody is eligible yet.
    pub fn new(params: &Params, seed: u64, instance: &str) -> LeastRequest {
        let draw = Stream::new(seed, "balance least request", instance).sequence();
        LeastRequest { params: *params, deadlines: Deadlines::default(), loads: Vec::new(), draw }
    }

    fn load_of(&mut self, node: NodeId) -> &mut u32 {
        if node.index() >= self.loads.len() {
            self.loads.resize(node.index() + 1, 0);
        }
        &mut self.loads[node.index()]
    }

    /// One choice, whoever is to be avoided.
    fn choose(&mut self) -> NodeId {
        let (loads, bias) = (&self.loads, self.params.active_request_bias);
        if let Some(node) = self.deadlines.turn(|node, weight| worth(weight, loads[node.index()], bias)) {
            return node;
        }
        if self.params.full_scan {
            return self.scan();
        }
        let members = &self.deadlines.members.0;
        let mut best = members[self.draw.random_range(0..members.len())];
        for _ in 1..self.params.choice_count {
            let other = members[self.draw.random_range(0..members.len())];
            if loads[other.index()] < loads[best.index()] {
                best = other;
            }
        }
        best
    }

    /// The least loaded of all; of those that tie, each with the same chance.
    fn scan(&mut self) -> NodeId {
        let members = &self.deadlines.members.0;
        let (mut best, mut ties) = (members[0], 0);
        for &node in members {
            let [load, least] = [node, best].map(|node| self.loads[node.index()]);
            if load < least {
                (best, ties) = (node, 1);
            } else if load == least {
                ties += 1;
                if self.draw.random_range(0..ties) == 0 {
                    best = node;
                }
            }
        }
        best
    }
}

impl Balance for LeastRequest {
    fn joined(&mut self, member: Member) {
        self.load_of(member.id);
        self.deadlines.joined(member);
    }

    fn left(&mut self, node: NodeId) {
        self.deadlines.left(node);
    }

    fn load(&mut self, node: NodeId, in_flight: u32) {
        *self.load_of(node) = in_flight;
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        let (loads, bias, draw) = (&self.loads, self.params.active_request_bias, &mut self.draw);
        self.deadlines.renew(|node, weight| worth(weight, loads[node.index()], bias), |n| draw.random_range(0..n));
        pick_again(self, |all| &all.deadlines.members.0, ask, LeastRequest::choose)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, member};
    use super::*;

    fn least_request(params: Params, weights: &[u32]) -> LeastRequest {
        let mut balance = LeastRequest::new(&params, 1, "lb1");
        (0..).zip(weights).for_each(|(n, &weight)| balance.joined(Member { weight, ..member(n) }));
        balance
    }

    fn share(balance: &mut LeastRequest, node: u32) -> f64 {
        (0..20_000).filter(|_| balance.pick(&ask(0)) == Some(NodeId(node))).count() as f64 / 20_000.0
    }

    #[test]
    fn of_two_the_busier_one_still_gets_a_quarter() {
        for (choice_count, busy) in [(1, 0.5), (2, 0.25), (3, 0.125)] {
            let mut balance = least_request(Params { choice_count, ..Params::default() }, &[1, 1]);
            balance.load(NodeId(0), 5);
            assert!((share(&mut balance, 0) - busy).abs() < 0.01, "{choice_count} draws");
        }
        let mut balance = least_request(Params { full_scan: true, ..Params::default() }, &[1, 1, 1]);
        balance.load(NodeId(0), 5);
        assert_eq!(share(&mut balance, 0), 0.0);
        assert!((share(&mut balance, 1) - 0.5).abs() < 0.02, "those that tie share");
    }

    #[test]
    fn where_weights_differ_load_divides_them() {
        for (bias, expected) in [(0.0, 3.0 / 4.0), (1.0, 1.5 / 2.5), (2.0, 0.75 / 1.75)] {
            let mut balance = least_request(Params { active_request_bias: bias, ..Params::default() }, &[3, 1]);
            balance.load(NodeId(0), 1);
            assert!((share(&mut balance, 0) - expected).abs() < 0.01, "bias {bias}");
        }
    }

    #[test]
    fn the_one_that_has_failed_is_chosen_only_when_alone() {
        let mut balance = least_request(Params::default(), &[100, 1]);
        let avoid = Ask { avoid: Some(NodeId(0)), ..ask(0) };
        assert!((0..100).all(|_| balance.pick(&avoid) == Some(NodeId(1))));
        balance.left(NodeId(1));
        assert_eq!(balance.pick(&avoid), Some(NodeId(0)));
    }
}
