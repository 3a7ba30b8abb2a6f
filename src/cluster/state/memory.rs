//! `memory`: the only copy lives in the process that served the session last.
//!
//! It dies with the process. A request served elsewhere makes a new copy there, and the old one, although
//! it still exists, is not current any more: the user has logged in again.

use super::{Gone, Keep, Lifetime, Look, OnMissing, Rebuild};
use crate::base::id::{NodeId, SessionId};
use crate::base::time::Duration;
use crate::cluster::residents::Residents;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list state`.
pub const MEANING: &str = "in the memory of the node that served the session last; gone with its process";

/// Parameters of `memory`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Work that makes missing state anew.
    pub rebuild: Rebuild,
    /// What a node does without the state; default `rebuild`.
    pub on_missing: OnMissing,
    /// Whether the state lives as long as the session or as its stream; default `session`.
    pub lifetime: Lifetime,
    /// With `lifetime = "connection"`: how long a cut session may be resumed; default 0 s.
    pub resume: Duration,
}

/// Which node holds each session's copy.
#[derive(Debug, Default)]
pub struct Memory {
    copies: Residents,
    // By slot: the session has lost its only copy, so its absence is a loss that was already counted. Read
    // only where there is no copy.
    without: Vec<Without>,
}

/// Why a session has no copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Without {
    /// It is new.
    New,
    /// It was lost.
    Lost,
    /// It was lost, and the client knows.
    Told,
}

impl Keep for Memory {
    fn look(&mut self, session: SessionId, node: NodeId) -> Look {
        match self.copies.node(session.0) {
            Some(home) if home == node => Look::Here,
            Some(_) => Look::Elsewhere,
            None => match self.without.get(session.index()) {
                None | Some(Without::New) => Look::New,
                Some(Without::Lost) => Look::Missing,
                Some(Without::Told) => Look::Told,
            },
        }
    }

    fn keep(&mut self, session: SessionId, node: NodeId) {
        self.copies.bind(session.0, node);
    }

    fn give_up(&mut self, session: SessionId) {
        self.copies.unbind(session.0);
        self.set_without(session.0, Without::Lost);
    }

    fn tell(&mut self, session: SessionId) {
        self.set_without(session.0, Without::Told);
    }

    fn forget_node(&mut self, node: NodeId, _: Gone, lost: &mut Vec<u32>) {
        let before = lost.len();
        self.copies.take(node, lost);
        lost[before..].iter().for_each(|&session| self.set_without(session, Without::Lost));
    }

    fn end(&mut self, session: SessionId) {
        self.copies.unbind(session.0);
        self.set_without(session.0, Without::New);
    }

    fn expire(&mut self, session: SessionId) -> bool {
        let had = self.copies.node(session.0).is_some();
        if had {
            self.give_up(session);
        }
        had
    }

    fn copies(&self, node: NodeId) -> usize {
        self.copies.count(node)
    }

    fn holders(&self, session: SessionId, nodes: &mut Vec<NodeId>) {
        nodes.extend(self.copies.node(session.0));
    }

    fn fetch(&self, session: SessionId) {
        self.copies.fetch(session.0);
    }
}

impl Memory {
    fn set_without(&mut self, session: u32, without: Without) {
        let index = session as usize;
        if index >= self.without.len() {
            if without == Without::New {
                return;
            }
            self.without.resize(index + 1, Without::New);
        }
        self.without[index] = without;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: SessionId = SessionId(7);
    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);

    #[test]
    fn state_dies_with_its_node_and_is_then_missing_everywhere() {
        let mut memory = Memory::default();
        assert_eq!(memory.look(ALICE, A), Look::New);
        memory.keep(ALICE, A);
        assert_eq!((memory.look(ALICE, A), memory.look(ALICE, B)), (Look::Here, Look::Elsewhere));
        let mut lost = Vec::new();
        memory.forget_node(A, Gone::Process, &mut lost);
        assert_eq!(lost, [ALICE.0]);
        assert_eq!(memory.look(ALICE, A), Look::Missing);
    }

    #[test]
    fn the_next_user_of_a_slot_starts_anew() {
        let mut memory = Memory::default();
        memory.keep(ALICE, A);
        memory.end(ALICE);
        assert_eq!(memory.look(ALICE, A), Look::New);
    }
}
