//! Near caches: whether a node must ask the store at all, and what it keeps of the answer.
//!
//! A node looks when it would ask. What it finds it serves from, also while the store is out, and even if the store has
//! lost the state meanwhile; what it does not find is read, and kept.

use super::Sim;
use super::request::{Attempt, Stage};
use super::state::{Nearby, Visit};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId, PopulationId, SessionId};
use crate::base::time::Instant;
use crate::observe::Fact;

impl Sim<'_> {
    /// Whether an attempt at its node needs nothing from the store, since the node has the state itself.
    #[inline]
    pub(super) fn finds_near(&mut self, now: Instant, id: AttemptId) -> bool {
        self.plan.populations[self.attempts[id].population.index()].state.is_near() && self.looks_near(now, id)
    }

    #[inline(never)]
    fn looks_near(&mut self, now: Instant, id: AttemptId) -> bool {
        let Attempt { who, population, session, node, writes, .. } = self.attempts[id];
        let Some(session) = session.some() else { return false };
        let visit = Visit { now, session, who, node, writes, made: false };
        let found = self.keepers[population.index()].look_near(&visit);
        let hit = found != Nearby::Missing;
        self.recorder.note(now, Fact::LookedNear { population, hit });
        if found == Nearby::Stale {
            self.recorder.note(now, Fact::StaleRead { population, cause: Cause::NearCopy });
        }
        self.attempts[id].is_near = hit;
        hit
    }

    /// The store has answered an attempt, and its node has heard it: the node keeps what it has read or written, which
    /// may be behind the last write already.
    #[inline]
    pub(super) fn keep_near(&mut self, now: Instant, id: AttemptId, is_behind: bool) {
        let Attempt { population, session, node, stage, .. } = self.attempts[id];
        if self.plan.populations[population.index()].state.is_near()
            && matches!(stage, Stage::StoreRead | Stage::StoreWrite)
            && let Some(session) = session.some()
            && !self.fleet.get(node).is_silent()
        {
            self.fill_near(now, (population, session), node, is_behind);
        }
    }

    #[inline(never)]
    pub(super) fn fill_near(&mut self, now: Instant, whose: (PopulationId, SessionId), node: NodeId, is_behind: bool) {
        let (population, session) = whose;
        self.change_state(now, population, session, |keeper| keeper.fill_near(now, session, node, is_behind));
    }
}
