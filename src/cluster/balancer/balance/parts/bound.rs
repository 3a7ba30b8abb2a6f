//! Bounded load: a node that has its share of the attempts in hand, and a bit, is passed over (Mirrokni, Thorup,
//! Zadimoghaddam, *Consistent hashing with bounded loads*, SODA 2018).
//!
//! With m attempts in hand, ⌈(m + 1) · factor⌉ slots are dealt out by weight as HAProxy's `hash-balance-factor` deals
//! them: whole slots to each unit of weight, the rest in proportion, the earlier servers' part subtracted so that all
//! of them add up, and one at least for each. A node takes another attempt while it has fewer than its slots
//! (haproxy `src/lb_chash.c`). Where servers are down, the places of the others in that dealing stay.

use super::super::Member;
use crate::base::id::NodeId;

/// The smallest and largest factor [%]: at 100 % or below not even an even load would fit.
const FACTORS: std::ops::RangeInclusive<u32> = 101..=100_000;

/// What is wrong with a factor: (key, message).
pub fn fault(factor: Option<u32>) -> Option<(&'static str, String)> {
    let factor = factor.filter(|factor| !FACTORS.contains(factor))?;
    let (least, most) = (FACTORS.start(), FACTORS.end());
    Some(("balance_factor", format!("balance_factor must be from {least} to {most} percent, but is {factor}")))
}

#[derive(Clone, Copy, Debug, Default)]
struct Seat {
    // Scaled; 0 for those not configured.
    weight: u64,
    // Of all configured nodes before this one.
    before: u64,
    in_flight: u32,
    is_eligible: bool,
}

/// Loads, and the bound on them.
#[derive(Clone, Debug)]
pub struct Bound {
    percent: u64,
    // By node.
    seats: Vec<Seat>,
    // In hand of all, eligible or not.
    in_flight: u64,
    // Of the eligible.
    weight: u64,
    stale: bool,
}

impl Bound {
    /// Nothing in hand; `None` when there is no factor [%].
    pub fn new(factor: Option<u32>) -> Option<Bound> {
        let percent = u64::from(factor?);
        Some(Bound { percent, seats: Vec::new(), in_flight: 0, weight: 0, stale: false })
    }

    fn seat(&mut self, node: NodeId) -> &mut Seat {
        if node.index() >= self.seats.len() {
            self.seats.resize(node.index() + 1, Seat::default());
        }
        &mut self.seats[node.index()]
    }

    /// A node is eligible.
    pub fn join(&mut self, member: Member) {
        self.leave(member.id);
        let weight = u64::from(member.sixteenths());
        let seat = self.seat(member.id);
        let is_new = std::mem::replace(&mut seat.weight, weight) != weight;
        seat.is_eligible = true;
        self.weight += weight;
        self.stale |= is_new;
    }

    /// A node is not eligible any more.
    pub fn leave(&mut self, node: NodeId) {
        let seat = self.seat(node);
        let weight = seat.weight;
        if std::mem::replace(&mut seat.is_eligible, false) {
            self.weight -= weight;
        }
    }

    /// A node, not eligible, is not configured any more.
    pub fn forget(&mut self, node: NodeId) {
        self.seat(node).weight = 0;
        self.stale = true;
    }

    /// A node has so many in hand.
    pub fn load(&mut self, node: NodeId, in_flight: u32) {
        let before = std::mem::replace(&mut self.seat(node).in_flight, in_flight);
        self.in_flight = self.in_flight + u64::from(in_flight) - u64::from(before);
    }

    /// The room there is for one more; somebody must be eligible.
    pub fn room(&mut self) -> Room<'_> {
        if std::mem::replace(&mut self.stale, false) {
            self.seats.iter_mut().fold(0, |before, seat| {
                seat.before = before;
                before + seat.weight
            });
        }
        let slots = ((self.in_flight + 1) * self.percent).div_ceil(100);
        let each = quotient(slots, self.weight);
        Room { seats: &self.seats, weight: self.weight, each, rest: slots - each * self.weight }
    }
}

/// The room at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Room<'b> {
    seats: &'b [Seat],
    weight: u64,
    // Slots per unit of weight, and those left over.
    each: u64,
    rest: u64,
}

impl Room<'_> {
    /// Whether a node takes another attempt.
    #[inline]
    pub fn is_at(&self, node: NodeId) -> bool {
        let seat = &self.seats[node.index()];
        let whole = (seat.weight * self.each).max(1);
        if u64::from(seat.in_flight) < whole {
            return true;
        }
        let part = |weight: u64| quotient(weight * self.rest, self.weight);
        let slots = seat.weight * self.each + part(seat.before + seat.weight) - part(seat.before);
        u64::from(seat.in_flight) < slots
    }
}

/// a ÷ b; several times as fast when both are short, as they are in all but huge clusters.
#[inline]
fn quotient(a: u64, b: u64) -> u64 {
    match (u32::try_from(a), u32::try_from(b)) {
        (Ok(a), Ok(b)) => u64::from(a / b),
        _ => a / b,
    }
}

/// The first of a walk that has room, or without a bound the first; `avoid` only if there is nobody else.
#[inline]
pub fn first<W>(walk: W, avoid: Option<NodeId>, bound: Option<&mut Bound>) -> Option<NodeId>
where
    W: Iterator<Item = NodeId>,
{
    let mut walk = walk.filter(|&node| Some(node) != avoid);
    let Some(bound) = bound else { return walk.next() };
    let room = bound.room();
    walk.find(|&node| room.is_at(node))
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::member;
    use super::*;

    fn bound(percent: u32, weights: &[u32]) -> Bound {
        let mut bound = Bound::new(Some(percent)).unwrap();
        (0..).zip(weights).for_each(|(n, &weight)| bound.join(Member { weight, ..member(n) }));
        bound
    }

    /// How many a node takes while all others have `others` in hand together.
    fn takes(bound: &mut Bound, node: u32) -> u32 {
        (0..).find(|_| {
            let full = !bound.room().is_at(NodeId(node));
            let now = bound.seats[node as usize].in_flight;
            bound.load(NodeId(node), now + u32::from(!full));
            full
        });
        bound.seats[node as usize].in_flight
    }

    #[test]
    fn nobody_takes_more_than_its_share_and_a_bit() {
        let mut even = bound(125, &[1; 4]);
        (0..3).for_each(|node| even.load(NodeId(node), 100));
        // x < ⌈1.25 · (300 + x + 1)⌉ / 4 for the last time at x = 136.
        assert_eq!(takes(&mut even, 3), 137);
        let mut weighted = bound(150, &[1, 3]);
        weighted.load(NodeId(0), 10);
        // x < 3/4 · ⌈1.5 · (10 + x + 1)⌉ always holds: three quarters of one and a half is more than all.
        (0..50).for_each(|_| {
            let now = weighted.seats[1].in_flight;
            assert!(weighted.room().is_at(NodeId(1)));
            weighted.load(NodeId(1), now + 1);
        });
    }

    #[test]
    fn the_slots_of_the_eligible_add_up() {
        for loads in 0..40 {
            let mut bound = bound(110, &[1, 2, 5, 1]);
            bound.load(NodeId(2), loads);
            let room = bound.room();
            let slots: u64 = room
                .seats
                .iter()
                .map(|seat| {
                    let part = |weight: u64| weight * room.rest / room.weight;
                    seat.weight * room.each + part(seat.before + seat.weight) - part(seat.before)
                })
                .sum();
            assert_eq!(slots, ((u64::from(loads) + 1) * 110).div_ceil(100));
        }
    }

    #[test]
    fn a_factor_that_nothing_fits_under_is_refused() {
        assert!(fault(Some(100)).unwrap().1.contains("from 101"));
        assert!(fault(Some(101)).is_none() && fault(None).is_none());
    }
}
