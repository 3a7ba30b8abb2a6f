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
    // By node: how often it has lost its memory.
    incarnations: Vec<u32>,
}

impl Cache {
    fn incarnation(&self, node: NodeId) -> u32 {
        self.incarnations.get(node.index()).copied().unwrap_or(0)
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
            Some(entry) => entry.1 = incarnation,
            None => entries.push((node, incarnation)),
        }
    }

    fn forget_node(&mut self, node: NodeId, _: Gone, _lost: &mut Vec<u32>) {
        if node.index() >= self.incarnations.len() {
            self.incarnations.resize(node.index() + 1, 0);
        }
        self.incarnations[node.index()] += 1;
    }

    fn end(&mut self, session: SessionId) {
        if let Some(entries) = self.entries.get_mut(session.index()) {
            entries.clear();
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
}
