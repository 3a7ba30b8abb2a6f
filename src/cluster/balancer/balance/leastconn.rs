//! `leastconn`: the eligible node with the fewest attempts in hand; among equals, the one that has waited
//! longest for a change.
//!
//! The tie rule is HAProxy's: its tree holds the servers by load, and a server whose load changes goes to
//! the end of its new level. Here each level is a linked list, so every step takes constant time.

use super::{Ask, Balance};
use crate::base::id::{NONE, NodeId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list balance`.
pub const MEANING: &str = "the node with the fewest attempts in hand; among equals the one unchanged the longest";

/// `leastconn` has no parameters.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {}

#[derive(Clone, Copy, Debug)]
struct Link {
    before: u32,
    after: u32,
    load: u32,
    member: bool,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    first: u32,
    last: u32,
}

const EMPTY: Level = Level { first: NONE, last: NONE };

/// Working state: per load, the list of eligible nodes with that load.
#[derive(Debug)]
pub struct LeastConn {
    links: Vec<Link>,
    levels: Vec<Level>,
    // No eligible node has less.
    lowest: usize,
    members: u32,
}

impl LeastConn {
    /// Nobody is eligible yet.
    pub fn new(_: &Params, nodes: usize) -> LeastConn {
        let link = Link { before: NONE, after: NONE, load: 0, member: false };
        LeastConn { links: vec![link; nodes], levels: vec![EMPTY], lowest: 0, members: 0 }
    }

    fn append(&mut self, node: u32) {
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

    /// The first node in order that is not `avoid`.
    fn best(&self, avoid: u32) -> Option<NodeId> {
        self.levels[self.lowest..].iter().find_map(|level| match level.first {
            NONE => None,
            first if first == avoid => NodeId(self.links[first as usize].after).some(),
            first => Some(NodeId(first)),
        })
    }
}

impl Balance for LeastConn {
    fn joined(&mut self, node: NodeId, _weight: u32) {
        if !std::mem::replace(&mut self.links[node.index()].member, true) {
            self.members += 1;
            self.append(node.0);
        }
    }

    fn left(&mut self, node: NodeId) {
        if std::mem::replace(&mut self.links[node.index()].member, false) {
            self.members -= 1;
            self.remove(node.0);
        }
    }

    fn load(&mut self, node: NodeId, in_flight: u32) {
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
        while self.levels[self.lowest].first == NONE {
            self.lowest += 1;
        }
        let avoid = ask.avoid.filter(|_| self.members > 1);
        self.best(avoid.map_or(NONE, |node| node.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leastconn(nodes: u32) -> LeastConn {
        let mut lc = LeastConn::new(&Params {}, nodes as usize);
        (0..nodes).for_each(|n| lc.joined(NodeId(n), 1));
        lc
    }

    const ASK: Ask = Ask { key: 0, avoid: None };

    #[test]
    fn among_equals_the_one_unchanged_the_longest() {
        let mut lc = leastconn(3);
        lc.load(NodeId(0), 1);
        lc.load(NodeId(0), 0);
        assert_eq!(lc.pick(&ASK), Some(NodeId(1)));
    }

    proptest! {
        #[test]
        fn it_is_always_one_of_the_least_loaded(
            steps in prop::collection::vec((0u32..6, 0u32..5, any::<bool>()), 1..100)
        ) {
            let mut lc = leastconn(6);
            let (mut loads, mut member) = ([0; 6], [true; 6]);
            for (node, load, toggle) in steps {
                let i = node as usize;
                if toggle {
                    member[i] = !member[i];
                    if member[i] { lc.joined(NodeId(node), 1) } else { lc.left(NodeId(node)) }
                } else {
                    loads[i] = load;
                    lc.load(NodeId(node), load);
                }
                let least = (0..6).filter(|&i| member[i]).map(|i| loads[i]).min();
                let picked = lc.pick(&ASK);
                prop_assert_eq!(picked.map(|n| loads[n.index()]), least);
                prop_assert!(picked.is_none_or(|n| member[n.index()]));
            }
        }
    }
}
