//! `leastconn`: the eligible node with the fewest attempts in hand for its weight; among equals, the one that
//! has waited longest for a change.
//!
//! The tie rule is HAProxy's: its tree holds the servers by load, and a server whose load changes goes to
//! the end of its new level. Each level is a linked list. While all weights are equal, levels are counted by load and
//! every step takes constant time; otherwise there is one for each of HAProxy's keys that occurs, few as they are: 0
//! for an idle node, else (in flight + 1) · 4096 ÷ weight in sixteenths, rounded down. So an idle node beats any busy
//! one, whatever their weights (haproxy `src/lb_fwlc.c`, 2.6). A node is passed over when it and its line at the
//! balancer are full.

use super::{Ask, Balance, Member};
use crate::base::id::{NONE, NodeId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    // Of the level that it is on.
    key: u32,
    member: bool,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    key: u32,
    first: u32,
    last: u32,
}

const OUTSIDE: Link = Link { before: NONE, after: NONE, load: 0, weight: 0, key: 0, member: false };

/// So many levels are kept however many of them are empty.
const SPARE: usize = 64;

/// Working state: by rising key, the lists of eligible nodes.
#[derive(Debug)]
pub struct LeastConn {
    links: Vec<Link>,
    levels: Vec<Level>,
    // No eligible node has less.
    lowest: usize,
    // Levels that are not empty.
    filled: usize,
    members: u32,
    // The weight of all nodes in sixteenths, until they differ.
    weight: u32,
    differ: bool,
}

impl LeastConn {
    /// Nobody is eligible yet.
    pub fn new(_: &Params) -> LeastConn {
        let (links, levels) = Default::default();
        LeastConn { links, levels, lowest: 0, filled: 0, members: 0, weight: 0, differ: false }
    }

    fn key(&self, link: &Link) -> u32 {
        if !self.differ || link.load == 0 {
            return link.load;
        }
        // Divisions of short numbers are the faster ones.
        match (link.load + 1).checked_mul(4096) {
            Some(load) => load / link.weight,
            None => u32::try_from((u64::from(link.load) + 1) * 4096 / u64::from(link.weight)).unwrap_or(u32::MAX),
        }
    }

    /// The place of the level with this key, if there is one, or else where it belongs.
    #[inline]
    fn find(&self, key: u32) -> Result<usize, usize> {
        if self.differ {
            return self.levels.binary_search_by_key(&key, |level| level.key);
        }
        if (key as usize) < self.levels.len() { Ok(key as usize) } else { Err(self.levels.len()) }
    }

    /// Makes a level with this key, which there is not.
    fn make(&mut self, key: u32) -> usize {
        let empty = |key| Level { key, first: NONE, last: NONE };
        if !self.differ {
            self.levels.extend((self.levels.len() as u32..=key).map(empty));
            return key as usize;
        }
        if self.levels.len() >= SPARE.max(4 * self.filled) {
            self.levels.retain(|level| level.first != NONE);
            self.lowest = 0;
        }
        let place = self.levels.partition_point(|level| level.key < key);
        self.levels.insert(place, empty(key));
        place
    }

    fn append(&mut self, node: u32) {
        let key = self.key(&self.links[node as usize]);
        let place = self.find(key).unwrap_or_else(|_| self.make(key));
        let last = std::mem::replace(&mut self.levels[place].last, node);
        let link = &mut self.links[node as usize];
        (link.before, link.after, link.key) = (last, NONE, key);
        match last {
            NONE => {
                self.levels[place].first = node;
                self.filled += 1;
            }
            last => self.links[last as usize].after = node,
        }
        self.lowest = self.lowest.min(place);
    }

    fn remove(&mut self, node: u32) {
        let Link { before, after, key, .. } = self.links[node as usize];
        if before != NONE {
            self.links[before as usize].after = after;
        }
        if after != NONE {
            self.links[after as usize].before = before;
        }
        if before != NONE && after != NONE {
            return;
        }
        let place = self.find(key).expect("a node's level is there");
        let level = &mut self.levels[place];
        if before == NONE {
            level.first = after;
        }
        if after == NONE {
            level.last = before;
        }
        self.filled -= usize::from(before == after);
    }

    /// Weights differ from now on: the lists are cut by key.
    fn sort(&mut self) {
        self.differ = true;
        (self.lowest, self.filled) = (0, 0);
        for level in std::mem::take(&mut self.levels) {
            let mut node = level.first;
            while node != NONE {
                let after = self.links[node as usize].after;
                self.append(node);
                node = after;
            }
        }
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
        let mut avoided = None;
        let all = self.levels.iter().flat_map(row);
        for node in all.filter(|&node| ask.room.is_none_or(|room| !room.is_packed(node))) {
            if Some(node) != ask.avoid {
                return Some(node);
            }
            avoided = Some(node);
        }
        avoided
    }

    /// The first node in order that is not `avoid`.
    fn best(&mut self, avoid: u32) -> Option<NodeId> {
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
        if self.weight != weight && !self.differ {
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
        fn with_weights_too_it_is_the_one_with_the_least_key_that_came_to_it_first(
            weights in prop::collection::vec(1u32..5, 6),
            steps in prop::collection::vec((0u32..6, 0u32..300, any::<bool>()), 1..300)
        ) {
            let mut lc = leastconn(&weights);
            lc.joined(Member { weight: 9, ..member(6) });
            // By key, then by when it came to that.
            let key = |node: usize, load: u32| match load {
                0 => 0,
                load => (load + 1) * 4096 / (16 * if node == 6 { 9 } else { weights[node] }),
            };
            let mut places: Vec<Option<(u32, usize)>> = (0..7).map(|node| Some((0, node))).collect();
            let mut loads = [0; 7];
            for (step, (node, load, toggle)) in (7..).zip(steps) {
                let i = node as usize;
                if !toggle {
                    loads[i] = load;
                    lc.load(NodeId(node), load);
                    places[i] = places[i].map(|_| (key(i, load), step));
                } else if places[i].is_some() {
                    lc.left(NodeId(node));
                    places[i] = None;
                } else {
                    lc.joined(Member { weight: weights[i], ..member(node) });
                    places[i] = Some((key(i, loads[i]), step));
                }
                let best = (0..7).filter(|&i| places[i].is_some()).min_by_key(|&i| places[i]);
                prop_assert_eq!(lc.pick(&ask(0)).map(|node| node.index()), best);
            }
        }

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
