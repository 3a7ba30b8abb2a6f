//! A near cache: each node keeps what it has read from the store, or written to it, and serves from that while it is
//! good. Affinity is a hint then, and not a promise.
//!
//! A write goes through to the store and fills the writer's entry. Entries on other nodes are not told: until their time
//! is over they are as they were, and a request served from one has read what was not as last written. A node's entries
//! die with its process. Sources: Hazelcast reference manual, *Near Cache* (`time-to-live-seconds`, `eviction` with LRU;
//! without invalidation); Spring's `@Cacheable` in front of a shared store does the same.

use super::shelves::{Limits, Shelves};
use super::table::Table;
use super::{Gone, Keep, Look, Nearby, Toll, Visit};
use crate::base::id::{NodeId, SessionId};
use crate::base::time::{Duration, Instant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A near cache, as written in a scenario.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Near")]
pub struct Params {
    /// Entries on each node; ≥ 1. Whoever fills one more throws out the one used least recently. Unlimited unless given.
    pub capacity: Option<u32>,
    /// How long an entry is good, from when it was filled. Without end unless given.
    pub ttl: Option<Duration>,
}

/// The books of a store, and of the near caches before it.
#[derive(Debug)]
pub struct Near {
    table: Table,
    shelves: Shelves,
    // By slot: how often the session's state has been written.
    versions: Vec<u32>,
}

impl Near {
    /// Nothing anywhere.
    pub fn new(limits: Limits) -> Near {
        Near { table: Table::default(), shelves: Shelves::new(limits), versions: Vec::new() }
    }

    fn version(&self, session: SessionId) -> u32 {
        self.versions.get(session.index()).copied().unwrap_or(0)
    }
}

impl Keep for Near {
    fn look(&mut self, visit: &Visit) -> Look {
        self.table.look(visit)
    }

    fn keep(&mut self, visit: &Visit) {
        self.table.keep(visit);
    }

    fn look_near(&mut self, &Visit { now, session, node, .. }: &Visit) -> Nearby {
        match self.shelves.find(now, node, session) {
            None => Nearby::Missing,
            Some(entry) if entry.version < self.version(session) => Nearby::Stale,
            Some(_) => Nearby::Here,
        }
    }

    fn fill_near(&mut self, now: Instant, session: SessionId, node: NodeId, is_behind: bool) {
        if self.table.has(session) {
            // One version older is as stale as many.
            let version = self.version(session).saturating_sub(u32::from(is_behind));
            self.shelves.fill(now, node, session, version);
        }
    }

    fn written(&mut self, now: Instant, session: SessionId) -> bool {
        if session.index() >= self.versions.len() {
            self.versions.resize(session.index() + 1, 0);
        }
        self.versions[session.index()] += 1;
        self.table.written(now, session)
    }

    fn last_written(&self, session: SessionId) -> Option<Instant> {
        self.table.last_written(session)
    }

    fn has(&self, session: SessionId) -> bool {
        self.table.has(session)
    }

    fn revert(&mut self, kept: Option<Instant>, toll: &mut Toll) {
        self.table.revert(kept, toll);
    }

    fn tell(&mut self, session: SessionId) {
        self.table.tell(session);
    }

    fn forget_node(&mut self, _: Instant, node: NodeId, _: Gone, _: &mut Toll) {
        self.shelves.clear(node);
    }

    fn expire(&mut self, session: SessionId) -> bool {
        self.table.expire(session)
    }

    fn copies(&self, node: NodeId) -> usize {
        self.shelves.len(node)
    }

    fn holders(&self, session: SessionId, nodes: &mut Vec<NodeId>) {
        nodes.extend(self.shelves.holders(session));
    }

    fn end(&mut self, session: SessionId) {
        self.table.end(session);
        self.shelves.end(session);
        if let Some(version) = self.versions.get_mut(session.index()) {
            *version = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::visit;
    use super::*;

    const ALICE: SessionId = SessionId(3);

    #[test]
    fn what_another_node_has_written_since_makes_an_entry_stale_until_it_is_filled_anew() {
        let mut near = Near::new(Limits { capacity: 2, ttl: Duration::MAX });
        let found = |near: &mut Near| [0, 1].map(|node| near.look_near(&visit(3, node)));
        near.fill_near(Instant::START, ALICE, NodeId(0), false);
        assert_eq!(found(&mut near), [Nearby::Missing; 2], "nothing is in the store yet");
        near.written(Instant::START, ALICE);
        near.fill_near(Instant::START, ALICE, NodeId(0), false);
        assert_eq!(found(&mut near), [Nearby::Here, Nearby::Missing]);
        near.written(Instant::START, ALICE);
        near.fill_near(Instant::START, ALICE, NodeId(1), false);
        assert_eq!(found(&mut near), [Nearby::Stale, Nearby::Here]);
        near.fill_near(Instant::START, ALICE, NodeId(0), false);
        assert_eq!(found(&mut near), [Nearby::Here; 2]);
        near.fill_near(Instant::START, ALICE, NodeId(1), true);
        assert_eq!(found(&mut near), [Nearby::Here, Nearby::Stale], "what a replica has said was old already");
        near.fill_near(Instant::START, ALICE, NodeId(1), false);
        near.forget_node(Instant::START, NodeId(1), Gone::Process, &mut Toll::default());
        assert_eq!((found(&mut near), near.copies(NodeId(0))), ([Nearby::Here, Nearby::Missing], 1));
        near.end(ALICE);
        assert_eq!(found(&mut near), [Nearby::Missing; 2], "the next user of the slot finds nothing");
    }
}
