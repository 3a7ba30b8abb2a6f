//! `leastconn`: the eligible node with the fewest attempts in hand for its weight; among equals, the one that
//! has waited longest for a change.
//!
//! The tie rule is HAProxy's: its tree holds the servers by load, and a server whose load changes goes to
//! the end of its new level. While all weights are equal each level is a linked list, so every step takes
//! constant time; otherwise a sorted set stands in, in HAProxy's order: key 0 for an idle node, else
//! (in flight + 1) · 4096 ÷ weight in sixteenths, rounded down. So an idle node beats any busy one, whatever their weights
//! (haproxy `src/lb_fwlc.c`, 2.6). A node is passed over when it and its line at the balancer are full.

use super::{Ask, Balance, Member};
use crate::base::id::{NONE, NodeId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One line for `stickysim list balance`.
pub const MEANING: &str =
    "the node with the fewest attempts in hand for its weight; among equals the one unchanged the longest";

/// `leastconn` has no parameters.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {}

#[derive(Clone, Copy, Debug)]
struct Link {
    before: u32,
    after: u32,
    load: u32,
    weight: u32,
    member: bool,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    first: u32,
    last: u32,
}

const EMPTY: Level = Level { first: NONE, last: NONE };
const OUTSIDE: Link = Link { before: NONE, after: NONE, load: 0, weight: 0, member: false };

/// Working state: per load, the list of eligible nodes with that load.
#[derive(Debug)]
pub struct LeastConn {
    links: Vec<Link>,
    levels: Vec<Level>,
    // No eligible node has less.
    lowest: usize,
    members: u32,
    // The weight of all nodes in sixteenths, until they differ.
    weight: u32,
    sorted: Option<Sorted>,
}

/// The eligible nodes by key, then by when they came to it.
#[derive(Debug, Default)]
struct Sorted {
    order: BTreeSet<(u32, u64, u32)>,
    // By node.
    place: Vec<(u32, u64)>,
    queued: u64,
}

impl Sorted {
    fn append(&mut self, node: u32, link: &Link) {
        let key = if link.load == 0 { 0 } else { (u64::from(link.load) + 1) * 4096 / u64::from(link.weight) };
        let place = (u32::try_from(key).unwrap_or(u32::MAX), self.queued);
        self.queued += 1;
        if node as usize >= self.place.len() {
            self.place.resize(node as usize + 1, (0, 0));
        }
        self.place[node as usize] = place;
        self.order.insert((place.0, place.1, node));
    }

    fn remove(&mut self, node: u32) {
        let (key, queued) = self.place[node as usize];
        self.order.remove(&(key, queued, node));
    }
}

impl LeastConn {
    /// Nobody is eligible yet.
    pub fn new(_: &Params) -> LeastConn {
        LeastConn { links: Vec::new(), levels: vec![EMPTY], lowest: 0, members: 0, weight: 0, sorted: None }
    }

    fn append(&mut self, node: u32) {
        if let Some(sorted) = &mut self.sorted {
            return sorted.append(node, &self.links[node as usize]);
        }
        let load = self.links[node as usize].load as usize;
        if load >= self.levels.len() {
            self.levels.resize(load + 1, EMPTY);
        }
        let last = std::mem::replace(&mut self.levels[load].last, node);
        (self.links[node as usize].before, self.links[node as usize].after) = (last, NONE);
        match last {
            NONE => self.levels[load].first = node,
            last => self.links[last as usize].after = node,
        }
        self.lowest = self.lowest.min(load);
    }

    fn remove(&mut self, node: u32) {
        if let Some(sorted) = &mut self.sorted {
            return sorted.remove(node);
        }
        let Link { before, after, load, .. } = self.links[node as usize];
        match before {
            NONE => self.levels[load as usize].first = after,
            before => self.links[before as usize].after = after,
        }
        match after {
            NONE => self.levels[load as usize].last = before,
            after => self.links[after as usize].before = before,
        }
    }

    /// Weights differ from now on: the lists become a sorted set.
    fn sort(&mut self) {
        let mut sorted = Sorted::default();
        for level in std::mem::take(&mut self.levels) {
            let mut node = level.first;
            while node != NONE {
                sorted.append(node, &self.links[node as usize]);
                node = self.links[node as usize].after;
            }
        }
        self.sorted = Some(sorted);
    }

    fn grow(&mut self, node: NodeId) {
        if node.index() >= self.links.len() {
            self.links.resize(node.index() + 1, OUTSIDE);
        }
    }

    /// The first node in order that has room, the one to be avoided last.
    fn best_with_room(&self, ask: &Ask) -> Option<NodeId> {
        let after = |node: &NodeId| NodeId(self.links[node.index()].after).some();
        let row = |level: &Level| std::iter::successors(NodeId(level.first).some(), after);
        let levels = self.levels.iter().flat_map(row);
        let sorted = self.sorted.iter().flat_map(|sorted| &sorted.order).map(|&(_, _, node)| NodeId(node));
        let mut avoided = None;
        for node in levels.chain(sorted).filter(|&node| ask.room.is_none_or(|room| !room.is_packed(node))) {
            if Some(node) != ask.avoid {
                return Some(node);
            }
            avoided = Some(node);
        }
        avoided
    }

    /// The first node in order that is not `avoid`.
    fn best(&mut self, avoid: u32) -> Option<NodeId> {
        if let Some(sorted) = &self.sorted {
            return sorted.order.iter().map(|&(_, _, node)| node).find(|&node| node != avoid).map(NodeId);
        }
        while self.levels[self.lowest].first == NONE {
            self.lowest += 1;
        }
        self.levels[self.lowest..].iter().find_map(|level| match level.first {
            NONE => None,
            first if first == avoid => NodeId(self.links[first as usize].after).some(),
            first => Some(NodeId(first)),
        })
    }
}

impl Balance for LeastConn {
    fn joined(&mut self, member: Member) {
        let (node, weight) = (member.id, member.sixteenths());
        self.grow(node);
        if self.weight == 0 {
            self.weight = weight;
        }
        if self.weight != weight && self.sorted.is_none() {
            self.sort();
        }
        let was = self.links[node.index()];
        if was.member && was.weight == weight {
            return;
        }
        if was.member {
            self.remove(node.0);
        } else {
            self.members += 1;
        }
        let link = &mut self.links[node.index()];
        (link.member, link.weight) = (true, weight);
        self.append(node.0);
    }

    fn left(&mut self, node: NodeId) {
        if std::mem::replace(&mut self.links[node.index()].member, false) {
            self.members -= 1;
            self.remove(node.0);
        }
    }

    fn load(&mut self, node: NodeId, in_flight: u32) {
        self.grow(node);
        let member = self.links[node.index()].member;
        if member {
            self.remove(node.0);
        }
        self.links[node.index()].load = in_flight;
        if member {
            self.append(node.0);
        }
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        if self.members == 0 {
            return None;
        }
        if ask.room.is_some() {
            return self.best_with_room(ask);
        }
        let avoid = ask.avoid.filter(|_| self.members > 1);
        self.best(avoid.map_or(NONE, |node| node.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, member};
    use super::*;
    use proptest::prelude::*;

    fn leastconn(weights: &[u32]) -> LeastConn {
        let mut lc = LeastConn::new(&Params {});
        (0..).zip(weights).for_each(|(n, &weight)| lc.joined(Member { weight, ..member(n) }));
        lc
    }

    #[test]
    fn among_equals_the_one_unchanged_the_longest() {
        let mut lc = leastconn(&[1, 1, 1]);
        lc.load(NodeId(0), 1);
        lc.load(NodeId(0), 0);
        assert_eq!(lc.pick(&ask(0)), Some(NodeId(1)));
    }

    #[test]
    fn connections_that_stay_divide_by_weight() {
        let mut lc = leastconn(&[1, 2, 3]);
        let mut loads = [0; 3];
        for _ in 0..600 {
            let node = lc.pick(&ask(0)).unwrap();
            loads[node.index()] += 1;
            lc.load(node, loads[node.index()]);
        }
        assert_eq!(loads, [100, 200, 300]);
    }

    #[test]
    fn an_idle_node_beats_a_busy_one_of_any_weight() {
        let mut lc = leastconn(&[1, 256]);
        lc.load(NodeId(1), 1);
        assert_eq!(lc.pick(&ask(0)), Some(NodeId(0)));
        lc.load(NodeId(0), 1);
        assert_eq!(lc.pick(&ask(0)), Some(NodeId(1)));
    }

    #[test]
    fn a_node_that_brings_another_weight_changes_no_order_that_was_there() {
        let mut lc = leastconn(&[1, 1, 1]);
        lc.load(NodeId(0), 1);
        lc.load(NodeId(2), 1);
        lc.load(NodeId(1), 1);
        lc.joined(Member { weight: 2, ..member(3) });
        lc.load(NodeId(3), 9);
        assert_eq!(lc.pick(&ask(0)), Some(NodeId(0)));
        lc.load(NodeId(0), 2);
        assert_eq!(lc.pick(&ask(0)), Some(NodeId(2)));
    }

    proptest! {
        #[test]
        fn it_is_always_one_of_the_least_loaded(
            steps in prop::collection::vec((0u32..6, 0u32..5, any::<bool>()), 1..100)
        ) {
            let mut lc = leastconn(&[1; 6]);
            let (mut loads, mut is_member) = ([0; 6], [true; 6]);
            for (node, load, toggle) in steps {
                let i = node as usize;
                if toggle {
                    is_member[i] = !is_member[i];
                    if is_member[i] { lc.joined(member(node)) } else { lc.left(NodeId(node)) }
                } else {
                    loads[i] = load;
                    lc.load(NodeId(node), load);
                }
                let least = (0..6).filter(|&i| is_member[i]).map(|i| loads[i]).min();
                let picked = lc.pick(&ask(0));
                prop_assert_eq!(picked.map(|n| loads[n.index()]), least);
                prop_assert!(picked.is_none_or(|n| is_member[n.index()]));
            }
        }
    }
}
