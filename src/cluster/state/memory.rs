//! `memory`: the only copy lives in the process that served the session last.
//!
//! It dies with the process. A request served elsewhere makes a new copy there, and the old one, although
//! it still exists, is not current any more: the user has logged in again.

use super::{Gone, Ground, Keep, Kind, Lifetime, Look, OnMissing, Place, Rebuild, Toll, Visit};
use crate::base::id::{NodeId, SessionId};
use crate::base::time::{Duration, Instant};
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

impl Params {
    /// The place, ready to run.
    pub fn place(&self, ground: &mut dyn Ground) -> Option<Place> {
        let (rebuild, rebuild_at) = ground.rebuild(&self.rebuild)?;
        let resume = (self.lifetime == Lifetime::Connection).then_some(self.resume);
        let (kind, rebuild, on_missing) = (Kind::Memory, Some(rebuild), self.on_missing);
        Some(Place { kind, rebuild, rebuild_at, on_missing, resume, ..Place::nothing() })
    }
}

/// Which node holds each session's copy.
#[derive(Debug, Default)]
pub struct Memory {
    copies: Residents,
    // Whether copies outlive the process.
    on_disk: bool,
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
    fn look(&mut self, &Visit { session, node, .. }: &Visit) -> Look {
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

    fn keep(&mut self, &Visit { session, node, .. }: &Visit) {
        self.copies.bind(session.0, node);
    }

    fn give_up(&mut self, session: SessionId) {
        self.copies.unbind(session.0);
        self.set_without(session.0, Without::Lost);
    }

    fn tell(&mut self, session: SessionId) {
        self.set_without(session.0, Without::Told);
    }

    fn forget_node(&mut self, _: Instant, node: NodeId, gone: Gone, toll: &mut Toll) {
        if !self.on_disk || gone == Gone::Host {
            self.forget(node, toll);
        }
    }

    fn node_leaves(&mut self, _: Instant, node: NodeId, toll: &mut Toll) {
        self.forget(node, toll);
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
        if self.on_disk { 0 } else { self.copies.count(node) }
    }

    fn holders(&self, session: SessionId, nodes: &mut Vec<NodeId>) {
        nodes.extend(self.copies.node(session.0).filter(|_| !self.on_disk));
    }

    fn expect(&mut self, sessions: usize) {
        self.copies.expect(sessions);
    }

    fn fetch(&self, session: SessionId) {
        self.copies.fetch(session.0);
    }
}

impl Memory {
    /// The same on the disk of the node's host.
    pub fn on_disk() -> Memory {
        Memory { on_disk: true, ..Memory::default() }
    }

    fn forget(&mut self, node: NodeId, toll: &mut Toll) {
        let before = toll.lost.len();
        self.copies.take(node, &mut toll.lost);
        toll.lost[before..].iter().for_each(|&session| self.set_without(session, Without::Lost));
    }

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
    use super::super::tests::visit;
    use super::*;

    const ALICE: u32 = 7;

    fn lost(memory: &mut Memory, gone: Gone) -> Vec<u32> {
        let mut toll = Toll::default();
        memory.forget_node(Instant::START, NodeId(0), gone, &mut toll);
        toll.lost
    }

    #[test]
    fn state_dies_with_its_node_and_is_then_missing_everywhere() {
        let mut memory = Memory::default();
        assert_eq!(memory.look(&visit(ALICE, 0)), Look::New);
        memory.keep(&visit(ALICE, 0));
        assert_eq!((memory.look(&visit(ALICE, 0)), memory.look(&visit(ALICE, 1))), (Look::Here, Look::Elsewhere));
        assert_eq!(lost(&mut memory, Gone::Process), [ALICE]);
        assert_eq!(memory.look(&visit(ALICE, 0)), Look::Missing);
    }

    #[test]
    fn on_disk_it_dies_with_the_host_only_and_takes_no_memory() {
        let mut disk = Memory::on_disk();
        disk.keep(&visit(ALICE, 0));
        assert_eq!((lost(&mut disk, Gone::Process), disk.copies(NodeId(0))), (vec![], 0));
        assert_eq!((disk.look(&visit(ALICE, 0)), disk.look(&visit(ALICE, 1))), (Look::Here, Look::Elsewhere));
        assert_eq!(lost(&mut disk, Gone::Host), [ALICE]);
        assert_eq!(disk.look(&visit(ALICE, 0)), Look::Missing);
    }

    #[test]
    fn the_next_user_of_a_slot_starts_anew() {
        let mut memory = Memory::default();
        memory.keep(&visit(ALICE, 0));
        memory.end(SessionId(ALICE));
        assert_eq!(memory.look(&visit(ALICE, 0)), Look::New);
    }
}
