//! `roundrobin`: the eligible nodes in turn, each as often as its weight says.
//!
//! `order = "haproxy"` (default) follows HAProxy's scheduler, in which every node owns a *position* on a line
//! that moves on by one with every pick. A node that was picked stands total ÷ weight further on. Three rows
//! hold the nodes: those not yet met since the row began (heavy ones first), those with a position, and those
//! whose position lies beyond the present cycle. A node that returns gets the position it would have had after
//! the rest of the cycle, so it is not flooded and does not jump the queue. Source: haproxy `src/lb_fwrr.c`;
//! weights 5/1/1 give A A A B A A C, and measured rolling restarts agree to the connection (`docs/fidelity.md`).
//!
//! `order = "nginx"` is NGINX's smooth weighted turn: `smooth.rs`. `order = "envoy"` is Envoy's: `envoy.rs`.
//!
//! ```toml
//! balancer.balance = { roundrobin = { order = "nginx" } }
//! ```

mod envoy;
mod smooth;

use super::{Ask, Balance, Member};
use crate::base::id::NodeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// One line for `stickysim list balance`.
pub const MEANING: &str = "the eligible nodes in turn, by weight; one rotation over all requests";

/// Parameters of `roundrobin`.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Whose order: it matters when weights differ or nodes come and go; default `haproxy`.
    pub order: Order,
}

/// How turns are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Positions on a line, as in HAProxy's `balance roundrobin`.
    #[default]
    Haproxy,
    /// Current weights, as in NGINX.
    Nginx,
    /// Deadlines, as in Envoy.
    Envoy,
}

impl Params {
    /// Working state; nobody is eligible yet. `seed` and `instance` key where it begins.
    pub fn start(&self, seed: u64, instance: &str) -> Box<dyn Balance> {
        match self.order {
            Order::Haproxy => Box::new(RoundRobin::default()),
            Order::Nginx => Box::new(smooth::Smooth::default()),
            Order::Envoy => Box::new(envoy::Turns::new(seed, instance)),
        }
    }
}

/// HAProxy counts weights in sixteenths, so a cycle of n equal nodes is 16·n positions long.
const SCALE: u64 = 16;
/// More than any scaled weight.
const WEIGHT_MAX: u64 = 256 * SCALE;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Row {
    /// Not eligible, or taken out to be put elsewhere.
    #[default]
    None,
    /// Not yet met: heavy nodes first.
    Fresh,
    /// By position.
    Current,
    /// Beyond the present cycle: heavy nodes first.
    Later,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seat {
    weight: u64,
    // Where its next turn is, and where its last was; 0 before the first.
    position: u64,
    last: u64,
    // What divisions have left over; below `weight`.
    lag: u64,
    row: Row,
}

/// (order, place in the queue among equals, node).
type Heap = BinaryHeap<Reverse<(u64, u64, u32)>>;

/// Working state.
#[derive(Debug, Default)]
pub struct RoundRobin {
    seats: Vec<Seat>,
    fresh: Heap,
    current: Heap,
    later: Heap,
    // The position of the next pick; it starts a cycle at `cycle`.
    now: u64,
    // Sum of weights when the cycle began, and at present.
    cycle: u64,
    total: u64,
    queued: u64,
    begun: bool,
}

impl RoundRobin {
    fn push(&mut self, node: u32, row: Row) {
        let seat = &mut self.seats[node as usize];
        seat.row = row;
        let (heap, key) = match row {
            Row::Current => {
                let tie = (WEIGHT_MAX + seat.lag - seat.weight) / SCALE;
                (&mut self.current, 256 * seat.position + tie)
            }
            Row::Later => (&mut self.later, WEIGHT_MAX - seat.weight),
            _ => (&mut self.fresh, WEIGHT_MAX - seat.weight),
        };
        heap.push(Reverse((key, self.queued, node)));
        self.queued += 1;
    }

    /// Puts a node where its position belongs.
    fn place(&mut self, node: u32) {
        let (cycle, total) = (self.cycle, self.total);
        let seat = &mut self.seats[node as usize];
        if seat.position >= (2 * cycle).min(cycle + total) {
            seat.position -= cycle;
            self.push(node, Row::Later);
        } else {
            self.push(node, Row::Current);
        }
    }

    fn remove(&mut self, node: u32) {
        let row = std::mem::take(&mut self.seats[node as usize].row);
        let heap = match row {
            Row::None => return,
            Row::Fresh => &mut self.fresh,
            Row::Current => &mut self.current,
            Row::Later => &mut self.later,
        };
        heap.retain(|&Reverse((_, _, other))| other != node);
    }

    /// The node whose turn it is, taken out of its row. A new cycle is begun at most once per pick.
    fn take(&mut self, turned: &mut bool) -> Option<u32> {
        loop {
            let first = self.current.peek().map(|&Reverse((_, _, node))| node);
            let due = first.is_some_and(|node| self.seats[node as usize].position <= self.now);
            let taken = if due || self.fresh.is_empty() { self.current.pop() } else { None };
            if let Some(Reverse((_, _, node))) = taken {
                self.seats[node as usize].row = Row::None;
                return Some(node);
            }
            if let Some(Reverse((_, _, node))) = self.fresh.pop() {
                let seat = &mut self.seats[node as usize];
                (seat.position, seat.lag, seat.row) = (0, 0, Row::None);
                return Some(node);
            }
            if std::mem::replace(turned, true) {
                return None;
            }
            std::mem::swap(&mut self.fresh, &mut self.later);
            for &Reverse((_, _, node)) in &self.fresh {
                self.seats[node as usize].row = Row::Fresh;
            }
            (self.cycle, self.now) = (self.total, self.total);
        }
    }

    /// Moves a node's next turn on by total ÷ weight, and the line by one.
    fn step(&mut self, node: u32) {
        let seat = &mut self.seats[node as usize];
        seat.last = if seat.position == 0 { self.now } else { seat.position };
        seat.position = seat.last + self.total / seat.weight;
        seat.lag += self.total % seat.weight;
        if seat.lag >= seat.weight {
            seat.lag -= seat.weight;
            seat.position += 1;
        }
        self.now += 1;
    }

    /// A node that has a place gets another weight.
    fn reweigh(&mut self, node: u32, weight: u64) {
        let row = self.seats[node as usize].row;
        self.remove(node);
        let (now, cycle) = (self.now, self.cycle);
        let seat = &mut self.seats[node as usize];
        self.total = self.total - seat.weight + weight;
        seat.weight = weight;
        if row == Row::Fresh {
            return self.push(node, Row::Fresh);
        }
        let step = self.total / weight;
        let before = if row == Row::Later { seat.position + cycle } else { seat.position };
        seat.position = before.min(seat.last + step);
        seat.lag = 0;
        if seat.position < now + 2 {
            seat.position = now + step;
        }
        self.place(node);
    }
}

impl Balance for RoundRobin {
    fn joined(&mut self, member: Member) {
        let (node, weight) = (member.id.0, u64::from(member.sixteenths()));
        if member.id.index() >= self.seats.len() {
            self.seats.resize(member.id.index() + 1, Seat::default());
        }
        let seat = &mut self.seats[member.id.index()];
        if seat.row != Row::None {
            if seat.weight != weight {
                self.reweigh(node, weight);
            }
            return;
        }
        seat.weight = weight;
        self.total += weight;
        if self.begun {
            // Where it would stand after the rest of the cycle: neither first nor starved.
            let seat = &mut self.seats[member.id.index()];
            seat.lag = seat.lag.min(weight - 1);
            seat.position = self.now + (self.total + self.cycle).saturating_sub(self.now) / weight;
            self.place(node);
        } else {
            (self.cycle, self.now) = (self.total, self.total);
            self.push(node, Row::Fresh);
        }
    }

    fn left(&mut self, node: NodeId) {
        let seat = self.seats[node.index()];
        if seat.row != Row::None {
            self.remove(node.0);
            self.total -= seat.weight;
        }
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        if self.total == 0 {
            return None;
        }
        self.begun = true;
        let (mut turned, mut avoided, mut passed) = (false, None, Vec::new());
        let picked = loop {
            let Some(node) = self.take(&mut turned) else { break avoided };
            self.step(node);
            if ask.is_full(NodeId(node)) {
                passed.push(node);
            } else if Some(NodeId(node)) == ask.avoid {
                avoided = Some(node);
            } else {
                break Some(node);
            }
        };
        if let Some(node) = picked {
            self.place(node);
        }
        for passed in passed.into_iter().chain(avoided.filter(|_| picked != avoided)) {
            // It has had its turn; after the end of a cycle only its weight still places it.
            if turned { self.push(passed, Row::Fresh) } else { self.place(passed) }
        }
        picked.map(NodeId)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, member};
    use super::*;
    use proptest::prelude::*;

    fn turns(balance: &mut dyn Balance, n: usize) -> String {
        (0..n).map(|_| char::from(b'A' + balance.pick(&ask(0)).unwrap().0 as u8)).collect()
    }

    fn weighted(order: Order, weights: &[u32]) -> Box<dyn Balance> {
        let mut balance = Params { order }.start(1, "lb1");
        (0..).zip(weights).for_each(|(n, &weight)| balance.joined(Member { weight, ..member(n) }));
        balance
    }

    #[test]
    fn the_turn_goes_round_and_survives_a_leaving_node() {
        for order in [Order::Haproxy, Order::Nginx] {
            let mut rr = weighted(order, &[1, 1, 1]);
            assert_eq!(turns(&mut *rr, 4), "ABCA");
            rr.left(NodeId(1));
            assert_eq!(turns(&mut *rr, 4), if order == Order::Haproxy { "CACA" } else { "CCAC" });
        }
    }

    #[test]
    fn unequal_weights_give_the_cycles_measured_on_the_products() {
        assert_eq!(turns(&mut *weighted(Order::Haproxy, &[5, 1, 1]), 14), "AAABAACAAABAAC");
        assert_eq!(turns(&mut *weighted(Order::Nginx, &[5, 1, 1]), 14), "AABACAAAABACAA");
        // Later the sums of fifths are no longer whole in floating point, in Envoy as here, and now and then an A comes early.
        let envoy = turns(&mut *weighted(Order::Envoy, &[5, 1, 1]), 7);
        assert!("AAABCAAAAABCAA".contains(&envoy), "{envoy}: some rotation of AAABCAA");
    }

    #[test]
    fn another_weight_for_a_node_in_place_changes_its_share() {
        let mut rr = weighted(Order::Haproxy, &[1, 1]);
        turns(&mut *rr, 5);
        rr.joined(Member { weight: 3, ..member(1) });
        let share = turns(&mut *rr, 400).matches('B').count();
        assert!((295..=305).contains(&share), "{share}");
    }

    proptest! {
        #[test]
        fn over_whole_cycles_everybody_is_picked_as_often_as_the_weight_says(
            weights in prop::collection::vec(1u32..20, 1..8),
            order in prop::sample::select(&[Order::Haproxy, Order::Nginx, Order::Envoy][..]),
        ) {
            let mut rr = weighted(order, &weights);
            let total: u32 = weights.iter().sum();
            let mut picks = vec![0; weights.len()];
            for _ in 0..total * 32 {
                picks[rr.pick(&ask(0)).unwrap().index()] += 1;
            }
            for (picked, weight) in picks.iter().zip(&weights) {
                let fair = (weight * 32) as i64;
                prop_assert!((i64::from(*picked) - fair).abs() <= 2, "{picks:?} for {weights:?}");
            }
        }
    }
}
