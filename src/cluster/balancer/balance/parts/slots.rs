//! A table with as many slots per eligible node as its weight, spread smoothly: HAProxy's map.
//!
//! For each slot in turn the claim of every node grows by its weight; the highest level of claims, counted in
//! whole tables, wins it, and among equals the first declared; the winner's claim falls by the length of the table
//! (haproxy `src/lb_map.c`). Weights are divided once by the greatest common divisor of all servers'.
//!
//! HAProxy looks at every server for every slot. Here the times at which a claim reaches its next level are known
//! beforehand and noted in a calendar, so a slot costs a few steps in a heap: the same table, in time that a large cluster can pay.

use super::super::Member;
use crate::base::id::NodeId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The table and those who may be in it.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    // By node: weight (0 for those not configured), whether it is eligible.
    weights: Vec<u32>,
    eligible: Vec<bool>,
    count: usize,
    slots: Vec<NodeId>,
    stale: bool,
}

impl Slots {
    /// A node is eligible.
    pub fn join(&mut self, member: Member) {
        if member.id.index() >= self.weights.len() {
            self.weights.resize(member.id.index() + 1, 0);
            self.eligible.resize(member.id.index() + 1, false);
        }
        self.weights[member.id.index()] = member.weight;
        self.count += usize::from(!std::mem::replace(&mut self.eligible[member.id.index()], true));
        self.stale = true;
    }

    /// A node is not eligible any more.
    pub fn leave(&mut self, node: NodeId) {
        if let Some(eligible) = self.eligible.get_mut(node.index()) {
            self.count -= usize::from(std::mem::replace(eligible, false));
            self.stale = true;
        }
    }

    /// A node, not eligible, is not configured any more.
    pub fn forget(&mut self, node: NodeId) {
        if let Some(weight) = self.weights.get_mut(node.index()) {
            *weight = 0;
            self.stale = true;
        }
    }

    /// The node of the slot of `hash`, or, if that is `avoid` and there is another, of the next slot that is not its.
    #[inline]
    pub fn at(&mut self, hash: u64, avoid: Option<NodeId>) -> Option<NodeId> {
        let slots = self.table();
        if slots.is_empty() {
            return None;
        }
        let slot = (hash % slots.len() as u64) as usize;
        if avoid != Some(slots[slot]) {
            return Some(slots[slot]);
        }
        slots[slot..].iter().chain(&slots[..slot]).copied().find(|&node| Some(node) != avoid).or(avoid)
    }

    /// The table, made on the first use after a change.
    #[inline]
    pub fn table(&mut self) -> &[NodeId] {
        if self.stale {
            self.stale = false;
            let divisor = self.weights.iter().fold(0, |a, &b| gcd(a, b)).max(1);
            let eligible = self.weights.iter().zip(&self.eligible).enumerate().filter(|(_, (_, eligible))| **eligible);
            let members: Vec<(NodeId, u32)> =
                eligible.map(|(index, (&weight, _))| (NodeId(index as u32), weight / divisor)).collect();
            self.slots.clear();
            fill(&members, &mut self.slots);
        }
        &self.slots
    }
}

/// Fills the table for these nodes and weights.
fn fill(members: &[(NodeId, u32)], slots: &mut Vec<NodeId>) {
    let total: u64 = members.iter().map(|&(_, weight)| u64::from(weight)).sum();
    if members.windows(2).all(|two| two[0].1 == two[1].1) {
        // Equal weights: the list itself, repeated.
        slots.extend(members.iter().map(|&(node, _)| node).cycle().take(total as usize));
        return;
    }
    // The first slot before which the claim of a node that has won so often reaches `level`.
    let reaches = |index: u32, won: u64, level: u64| -> u64 {
        ((won + level - 1) * total).div_ceil(u64::from(members[index as usize].1)).max(1)
    };
    // Who stands on each level, the first declared on top; a node that has risen since is still listed below.
    let mut levels: [BinaryHeap<Reverse<u32>>; 3] = Default::default();
    let mut standing: Vec<(u64, u8)> = vec![(0, 0); members.len()];
    let mut rises = Calendar::new(total);
    (0..members.len() as u32).for_each(|index| rises.put(1, Rise { index, won: 0, level: 1 }));
    for slot in 1..=total {
        while let Some(Rise { index, won, level }) = rises.take(slot) {
            if standing[index as usize].0 == won {
                standing[index as usize].1 = level;
                levels[usize::from(level) - 1].push(Reverse(index));
                if level < 3 {
                    let due = reaches(index, won, u64::from(level) + 1).max(slot);
                    rises.put(due, Rise { index, won, level: level + 1 });
                }
            }
        }
        let winner = (1..=3).rev().find_map(|level: u8| {
            let heap = &mut levels[usize::from(level) - 1];
            while let Some(Reverse(index)) = heap.pop() {
                if standing[index as usize].1 == level {
                    return Some(index);
                }
            }
            None
        });
        // The claims add up to a whole table before every slot, so one of them is on the first level at least.
        let index = winner.expect("somebody has a claim");
        let won = standing[index as usize].0 + 1;
        standing[index as usize] = (won, 0);
        rises.put(reaches(index, won, 1).max(slot + 1), Rise { index, won, level: 1 });
        slots.push(members[index as usize].0);
    }
}

/// When a claim gets to a level: the node, how often it had won by then, the level.
#[derive(Clone, Copy)]
struct Rise {
    index: u32,
    won: u64,
    level: u8,
}

/// What comes before which slot, as a list for each: in no order, which makes no difference between nodes.
struct Calendar {
    // By slot: the place of one more than its last rise; 0 for none. Each names the one before it.
    last: Vec<usize>,
    rises: Vec<(Rise, usize)>,
}

impl Calendar {
    fn new(slots: u64) -> Calendar {
        Calendar { last: vec![0; slots as usize + 1], rises: Vec::new() }
    }

    /// What comes after the last slot never does.
    fn put(&mut self, slot: u64, rise: Rise) {
        if let Some(last) = self.last.get_mut(slot as usize) {
            self.rises.push((rise, *last));
            *last = self.rises.len();
        }
    }

    fn take(&mut self, slot: u64) -> Option<Rise> {
        let last = &mut self.last[slot as usize];
        let (rise, before) = *self.rises.get(last.checked_sub(1)?)?;
        *last = before;
        Some(rise)
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if a == 0 { b } else { gcd(b % a, a) }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::member;
    use super::*;
    use proptest::prelude::*;

    /// HAProxy's own way, slot by slot.
    fn plainly(members: &[(NodeId, u32)]) -> Vec<NodeId> {
        let total: i64 = members.iter().map(|&(_, weight)| i64::from(weight)).sum();
        let mut claims = vec![0; members.len()];
        let slot = |_| {
            let mut best = (i64::MIN, 0);
            for (index, claim) in claims.iter_mut().enumerate() {
                *claim += i64::from(members[index].1);
                let level = (*claim + total) / total;
                if level > best.0 {
                    best = (level, index);
                }
            }
            claims[best.1] -= total;
            members[best.1].0
        };
        (0..total).map(slot).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn the_table_is_the_one_that_haproxy_fills_slot_by_slot(weights in prop::collection::vec(1u32..60, 1..12)) {
            let members: Vec<(NodeId, u32)> = (0..).map(NodeId).zip(weights).collect();
            let mut slots = Vec::new();
            fill(&members, &mut slots);
            prop_assert_eq!(slots, plainly(&members));
        }
    }

    #[test]
    fn slots_are_as_the_weights_and_spread() {
        let mut slots = Slots::default();
        (0..).zip([10, 2, 2]).for_each(|(n, weight)| slots.join(Member { weight, ..member(n) }));
        let letters = |slots: &mut Slots| -> String {
            slots.table().iter().map(|node| char::from(b'A' + node.0 as u8)).collect()
        };
        // HAProxy's static-rr walks the same table: A A A B A A C, measured.
        assert_eq!(letters(&mut slots), "AAABAAC");
        slots.leave(NodeId(0));
        assert_eq!(letters(&mut slots), "BC", "divided by the divisor of all three");
    }

    #[test]
    fn the_divisor_is_that_of_the_configured_servers() {
        let mut slots = Slots::default();
        (0..).zip([4, 4, 3]).for_each(|(n, weight)| slots.join(Member { weight, ..member(n) }));
        slots.leave(NodeId(2));
        assert_eq!(slots.table().len(), 8, "a server that is down is still configured");
        slots.forget(NodeId(2));
        assert_eq!(slots.table().len(), 2);
    }
}
