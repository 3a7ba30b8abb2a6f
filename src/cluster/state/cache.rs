//! `cache`: every node that has served a session keeps what it worked out for it, and can work it out again.
//!
//! Nothing can be lost; what a crash or a move costs is the work of filling the cache anew, also for the
//! first request of a session. With a `capacity` a node keeps so many entries, and with a `ttl` each for so long.

use super::shelves::{Limits, Shelves};
use super::{Gone, Ground, Keep, Kind, Look, Place, Rebuild, Toll, Visit};
use crate::base::id::{NodeId, SessionId};
use crate::base::time::{Duration, Instant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list state`.
pub const MEANING: &str = "a reproducible cache on every node that served the session; a miss costs rebuild work";

/// Parameters of `cache`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Work that fills a missing entry.
    pub rebuild: Rebuild,
    /// Entries on each node; ≥ 1. Whoever fills one more throws out the one used least recently. Unlimited unless given.
    pub capacity: Option<u32>,
    /// How long an entry is good, from when it was filled. As long as the session unless given.
    pub ttl: Option<Duration>,
}

impl Params {
    /// The place, ready to run.
    pub fn place(&self, ground: &mut dyn Ground) -> Option<Place> {
        let limits = Limits::of(ground, &[], self.capacity, self.ttl);
        let (rebuild, rebuild_at) = ground.rebuild(&self.rebuild)?;
        let limits = Some(limits?).filter(|_| self.capacity.is_some() || self.ttl.is_some());
        Some(Place { kind: Kind::Cache, rebuild: Some(rebuild), rebuild_at, limits, ..Place::nothing() })
    }
}

/// Which nodes have an entry for each session.
#[derive(Debug, Default)]
pub struct Cache {
    // By slot: (node, its incarnation when the entry was made). An entry of an earlier life is gone.
    entries: Vec<Vec<(NodeId, u32)>>,
    nodes: Vec<Shelf>,
}

/// What one node holds.
#[derive(Clone, Copy, Debug, Default)]
struct Shelf {
    // How often it has lost its memory.
    incarnation: u32,
    // Entries made since.
    entries: u32,
}

impl Cache {
    fn incarnation(&self, node: NodeId) -> u32 {
        self.nodes.get(node.index()).map_or(0, |shelf| shelf.incarnation)
    }

    fn shelf(&mut self, node: NodeId) -> &mut Shelf {
        if node.index() >= self.nodes.len() {
            self.nodes.resize(node.index() + 1, Shelf::default());
        }
        &mut self.nodes[node.index()]
    }

    fn of(&self, session: SessionId) -> impl Iterator<Item = NodeId> {
        let entries = self.entries.get(session.index()).into_iter().flatten();
        entries.filter(|entry| entry.1 == self.incarnation(entry.0)).map(|entry| entry.0)
    }
}

impl Keep for Cache {
    fn look(&mut self, &Visit { session, node, .. }: &Visit) -> Look {
        let entry = (node, self.incarnation(node));
        let found = self.entries.get(session.index()).is_some_and(|entries| entries.contains(&entry));
        if found { Look::Here } else { Look::Missing }
    }

    fn keep(&mut self, &Visit { session, node, .. }: &Visit) {
        if session.index() >= self.entries.len() {
            self.entries.resize_with(session.index() + 1, Vec::new);
        }
        let incarnation = self.incarnation(node);
        let entries = &mut self.entries[session.index()];
        match entries.iter_mut().find(|entry| entry.0 == node) {
            Some(entry) if entry.1 == incarnation => return,
            Some(entry) => entry.1 = incarnation,
            None => entries.push((node, incarnation)),
        }
        self.shelf(node).entries += 1;
    }

    fn forget_node(&mut self, _: Instant, node: NodeId, _: Gone, _: &mut Toll) {
        let shelf = self.shelf(node);
        *shelf = Shelf { incarnation: shelf.incarnation + 1, entries: 0 };
    }

    fn copies(&self, node: NodeId) -> usize {
        self.nodes.get(node.index()).map_or(0, |shelf| shelf.entries as usize)
    }

    fn holders(&self, session: SessionId, nodes: &mut Vec<NodeId>) {
        nodes.extend(self.of(session));
    }

    fn end(&mut self, session: SessionId) {
        let Some(entries) = self.entries.get_mut(session.index()) else { return };
        for (node, incarnation) in entries.drain(..) {
            let shelf = &mut self.nodes[node.index()];
            shelf.entries -= u32::from(shelf.incarnation == incarnation);
        }
    }
}

/// The same within limits.
#[derive(Debug)]
pub struct Bounded(Shelves);

impl Bounded {
    /// Nothing anywhere.
    pub fn new(limits: Limits) -> Bounded {
        Bounded(Shelves::new(limits))
    }
}

impl Keep for Bounded {
    fn look(&mut self, &Visit { now, session, node, .. }: &Visit) -> Look {
        if self.0.find(now, node, session).is_some() { Look::Here } else { Look::Missing }
    }

    /// What was found is not filled anew: its time goes on, and it may have had to make room meanwhile.
    fn keep(&mut self, &Visit { now, session, node, made, .. }: &Visit) {
        if made {
            self.0.fill(now, node, session, 0);
        }
    }

    fn forget_node(&mut self, _: Instant, node: NodeId, _: Gone, _: &mut Toll) {
        self.0.clear(node);
    }

    fn copies(&self, node: NodeId) -> usize {
        self.0.len(node)
    }

    fn holders(&self, session: SessionId, nodes: &mut Vec<NodeId>) {
        nodes.extend(self.0.holders(session));
    }

    fn end(&mut self, session: SessionId) {
        self.0.end(session);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::visit;
    use super::*;

    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);

    fn crash(cache: &mut Cache, node: NodeId) {
        cache.forget_node(Instant::START, node, Gone::Process, &mut Toll::default());
    }

    #[test]
    fn each_node_fills_its_own_entry_and_loses_it_with_its_process() {
        let mut cache = Cache::default();
        let found = |cache: &mut Cache| [0, 1].map(|node| cache.look(&visit(3, node)));
        cache.keep(&visit(3, 0));
        assert_eq!(found(&mut cache), [Look::Here, Look::Missing]);
        cache.keep(&visit(3, 1));
        crash(&mut cache, A);
        assert_eq!(found(&mut cache), [Look::Missing, Look::Here]);
    }

    #[test]
    fn within_limits_what_was_found_grows_old_and_what_was_not_used_goes() {
        let mut cache = Bounded::new(Limits { capacity: 2, ttl: Duration::MAX });
        let found = |cache: &mut Bounded| [3, 4, 5].map(|session| cache.look(&visit(session, 0)) == Look::Here);
        [3, 4].into_iter().for_each(|session| cache.keep(&visit(session, 0)));
        assert_eq!(cache.look(&visit(3, 0)), Look::Here);
        cache.keep(&visit(5, 0));
        assert_eq!((found(&mut cache), cache.copies(A)), ([true, false, true], 2));
        cache.keep(&Visit { made: false, ..visit(4, 0) });
        assert_eq!(found(&mut cache), [true, false, true], "found by a request that took too long");
        cache.forget_node(Instant::START, A, Gone::Process, &mut Toll::default());
        assert_eq!((found(&mut cache), cache.copies(A)), ([false; 3], 0));
    }

    #[test]
    fn each_node_counts_the_entries_that_it_has() {
        let mut cache = Cache::default();
        for (session, node) in [(3, 0), (3, 0), (3, 1), (4, 0)] {
            cache.keep(&visit(session, node));
        }
        assert_eq!((cache.copies(A), cache.copies(B)), (2, 1));
        crash(&mut cache, A);
        cache.keep(&visit(4, 0));
        assert_eq!((cache.copies(A), cache.copies(B)), (1, 1));
        [3, 4].into_iter().for_each(|session| cache.end(SessionId(session)));
        assert_eq!((cache.copies(A), cache.copies(B)), (0, 0));
    }
}
