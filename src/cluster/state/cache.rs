//! `cache`: every node that has served a session keeps what it worked out for it, and can work it out again.
//!
//! Nothing can be lost; what a crash or a move costs is the work of filling the cache anew, also for the
//! first request of a session.

use super::{Gone, Keep, Look, Rebuild};
use crate::base::id::{NodeId, SessionId};
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
    fn look(&mut self, session: SessionId, node: NodeId) -> Look {
        let entry = (node, self.incarnation(node));
        let found = self.entries.get(session.index()).is_some_and(|entries| entries.contains(&entry));
        if found { Look::Here } else { Look::Missing }
    }

    fn keep(&mut self, session: SessionId, node: NodeId) {
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

    fn forget_node(&mut self, node: NodeId, _: Gone, _lost: &mut Vec<u32>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_fills_its_own_entry_and_loses_it_with_its_process() {
        let (alice, a, b) = (SessionId(3), NodeId(0), NodeId(1));
        let mut cache = Cache::default();
        cache.keep(alice, a);
        assert_eq!((cache.look(alice, a), cache.look(alice, b)), (Look::Here, Look::Missing));
        cache.keep(alice, b);
        cache.forget_node(a, Gone::Process, &mut Vec::new());
        assert_eq!((cache.look(alice, a), cache.look(alice, b)), (Look::Missing, Look::Here));
    }

    #[test]
    fn each_node_counts_the_entries_that_it_has() {
        let (alice, bob, a, b) = (SessionId(3), SessionId(4), NodeId(0), NodeId(1));
        let mut cache = Cache::default();
        for (session, node) in [(alice, a), (alice, a), (alice, b), (bob, a)] {
            cache.keep(session, node);
        }
        assert_eq!((cache.copies(a), cache.copies(b)), (2, 1));
        cache.forget_node(a, Gone::Process, &mut Vec::new());
        cache.keep(bob, a);
        assert_eq!((cache.copies(a), cache.copies(b)), (1, 1));
        [alice, bob].into_iter().for_each(|session| cache.end(session));
        assert_eq!((cache.copies(a), cache.copies(b)), (0, 0));
    }
}
