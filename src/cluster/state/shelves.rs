//! What every node keeps for itself of what others can make, or have: within a number of entries, and for a time.
//!
//! An entry is good for `ttl` from when it was filled. Whoever fills one more than `capacity` throws out the one that
//! was used least recently. One that is not good any more is in nobody's way but that of its place: it goes when it is
//! filled anew, or as any other does (memcached, Guava and Caffeine clear out lazily too).

use super::{Ground, Lru};
use crate::base::id::{NodeId, SessionId};
use crate::base::time::{Duration, Instant};
use std::num::NonZeroU32;

/// How much a node keeps, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Entries on each node; ≥ 1.
    pub capacity: u64,
    /// How long an entry is good; above zero.
    pub ttl: Duration,
}

impl Limits {
    /// These limits, where they are given; `None` when they are wrong.
    pub fn of(
        ground: &mut dyn Ground,
        within: &[&str],
        capacity: Option<u32>,
        ttl: Option<Duration>,
    ) -> Option<Limits> {
        let mut wrong = |key, message: &str, mend| {
            let path: Vec<&str> = within.iter().copied().chain([key]).collect();
            ground.wrong(&path, message.to_owned(), mend);
        };
        let capacity = capacity.map(NonZeroU32::new);
        if capacity == Some(None) {
            wrong("capacity", "capacity is zero: nothing would ever be kept", "write 1 or more, or leave it out");
        }
        let lasts = ttl.is_none_or(|ttl| !ttl.is_zero());
        if !lasts {
            wrong("ttl", "ttl is zero: no entry would ever be good", "write a time such as \"1m\", or leave it out");
        }
        let capacity = capacity.map_or(Some(u64::MAX), |entries| entries.map(|entries| u64::from(entries.get())));
        Some(Limits { capacity: capacity?, ttl: ttl.unwrap_or(Duration::MAX) }).filter(|_| lasts)
    }
}

/// Since when a node has something, and which version of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    filled: Instant,
    /// What it was when it was filled.
    pub version: u32,
}

/// What each node keeps, by session.
#[derive(Debug)]
pub struct Shelves {
    limits: Limits,
    nodes: Vec<Lru<Entry>>,
}

impl Shelves {
    /// Nothing anywhere.
    pub fn new(limits: Limits) -> Shelves {
        Shelves { limits, nodes: Vec::new() }
    }

    /// Uses a node's entry, if it has one that is good.
    pub fn find(&mut self, now: Instant, node: NodeId, session: SessionId) -> Option<Entry> {
        let shelf = self.nodes.get_mut(node.index())?;
        let entry = shelf.get(session.0).filter(|entry| now.since(entry.filled) < self.limits.ttl)?;
        shelf.touch(session.0);
        Some(entry)
    }

    /// Fills a node's entry.
    pub fn fill(&mut self, now: Instant, node: NodeId, session: SessionId, version: u32) {
        while node.index() >= self.nodes.len() {
            self.nodes.push(Lru::new(self.limits.capacity));
        }
        self.nodes[node.index()].put(session.0, 1, Entry { filled: now, version }, |_| {});
    }

    /// A node's process has ended, and all its entries with it.
    pub fn clear(&mut self, node: NodeId) {
        if let Some(shelf) = self.nodes.get_mut(node.index()) {
            shelf.clear();
        }
    }

    /// A session is over: nobody keeps anything of it.
    pub fn end(&mut self, session: SessionId) {
        for shelf in &mut self.nodes {
            shelf.remove(session.0);
        }
    }

    /// How many entries a node has.
    pub fn len(&self, node: NodeId) -> usize {
        self.nodes.get(node.index()).map_or(0, Lru::count)
    }

    /// The nodes that have an entry of a session, good or not.
    pub fn holders(&self, session: SessionId) -> impl Iterator<Item = NodeId> {
        let have = (0..).map(NodeId).zip(&self.nodes).filter(move |(_, shelf)| shelf.get(session.0).is_some());
        have.map(|(node, _)| node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: SessionId = SessionId(3);
    const A: NodeId = NodeId(0);

    fn at(secs: u64) -> Instant {
        Instant::START + Duration::from_secs(secs)
    }

    #[test]
    fn an_entry_is_good_for_its_time_from_when_it_was_filled_and_use_does_not_prolong_it() {
        let mut shelves = Shelves::new(Limits { capacity: 2, ttl: Duration::from_secs(50) });
        shelves.fill(at(10), A, ALICE, 7);
        assert_eq!(shelves.find(at(59), A, ALICE).map(|entry| entry.version), Some(7));
        assert_eq!((shelves.find(at(60), A, ALICE), shelves.len(A)), (None, 1));
        assert_eq!(shelves.find(at(20), NodeId(1), ALICE), None);
        shelves.fill(at(60), A, ALICE, 8);
        assert_eq!(shelves.find(at(109), A, ALICE).map(|entry| entry.version), Some(8));
        shelves.end(ALICE);
        assert_eq!((shelves.find(at(61), A, ALICE), shelves.len(A)), (None, 0));
    }
}
