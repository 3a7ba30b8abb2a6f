//! What becomes of a request, or of a stream, whose state is not where it is served?
//!
//! The node looks for the state when it begins to work. What is missing is made anew: by a visit to the rebuild
//! service, if there is one, and by the node's own work after it. Requests of one session do not wait for each
//! other: two that miss its state at once both have it made.

use super::Sim;
use super::request::{Attempt, Kind, Stage};
use super::session::Session;
use super::state::{Look, OnMissing, Visit};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId, PopulationId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::observe::Fact;

impl Sim<'_> {
    /// A node turns to an attempt that has a slot: looks for the session's state, has it made anew if it must,
    /// or begins to work. `false` when the slot is not needed: the attempt waits elsewhere or has failed.
    #[inline]
    pub(super) fn begin_work(&mut self, now: Instant, id: AttemptId, node: NodeId) -> bool {
        let Attempt { who, population, session, remade, is_near, writes, .. } = self.attempts[id];
        let state = &self.plan.populations[population.index()].state;
        if !remade
            && !is_near
            && let Some(session) = session.some()
        {
            let visit = Visit { now, session, who, node, writes, made: false };
            let found = self.keepers[population.index()].look(&visit);
            let look = self.made_out(now, population, session, node, found);
            let missed = self.take_in(now, population, session, look);
            self.attempts[id].missed = missed;
            self.attempts[id].fetches = look == Look::Fetch;
            // A session's first request makes its state, whatever it came for.
            self.attempts[id].writes |= state.is_made_by_writing() && (missed || look == Look::New);
            self.attempts[id].refused = missed && look != Look::Told && state.on_missing == OnMissing::Error;
            if missed
                && !self.attempts[id].refused
                && let Some(service) = state.rebuild_at
            {
                return self.visit(now, id, service, Stage::Rebuild) && self.plan.services[service].holds_slot;
            }
        }
        self.work(now, id, node);
        true
    }

    /// What a node found when it looked for a session's state; whether it must be made anew.
    #[inline(always)]
    fn take_in(&mut self, now: Instant, population: PopulationId, session: SessionId, look: Look) -> bool {
        let missed = matches!(look, Look::Missing | Look::Elsewhere | Look::Told);
        let hit = matches!(look, Look::Here | Look::Stale);
        if hit || missed || look == Look::Fetch {
            self.recorder.note(now, Fact::LookedUp { population, hit });
        }
        match look {
            Look::Elsewhere => self.lose_copy(now, population, session),
            Look::Fetch => self.recorder.note(now, Fact::Fetched { population }),
            Look::Stale => self.recorder.note(now, Fact::StaleRead { population, cause: Cause::Lagging }),
            _ => {}
        }
        missed
    }

    /// The copy of a session's state on another node becomes worthless.
    #[inline(never)]
    fn lose_copy(&mut self, now: Instant, population: PopulationId, session: SessionId) {
        self.change_state(now, population, session, |keeper| keeper.give_up(session));
        self.recorder.note(now, Fact::Lost { population, session, cause: Cause::ServedElsewhere });
    }

    /// The node's own part of a rebuild begins: its service demand.
    pub(super) fn rebuild_demand(&mut self, now: Instant, id: AttemptId) -> Duration {
        let Attempt { who, request, population, .. } = self.attempts[id];
        let Some(law) = &self.plan.populations[population.index()].state.rebuild else { return Duration::ZERO };
        let work = law.duration(&mut self.streams[population.index()].rebuild.at(who, u64::from(request)));
        self.recorder.note(now, Fact::Rebuilt { population, work });
        work
    }

    /// A stream looks for its state as soon as it is open; `false` when it is missing and cannot be made anew.
    ///
    /// From then on the state counts as being there, also while it is still being made.
    pub(super) fn find_state(&mut self, now: Instant, session: SessionId, node: NodeId) -> bool {
        let Session { population, who, .. } = self.sessions[session];
        // To open a stream is to say who one is, which whoever holds the state takes note of.
        let mut visit = Visit { now, session, who, node, writes: true, made: false };
        let found = self.keepers[population.index()].look(&visit);
        let look = self.made_out(now, population, session, node, found);
        visit.made = self.take_in(now, population, session, look);
        if visit.made {
            let id = self.set_aside(now, session, node);
            if !self.rebuild_aside(now, id, node) {
                return false;
            }
        } else if look == Look::New && self.plan.populations[population.index()].state.store.is_some() {
            let id = self.set_aside(now, session, node);
            self.write_aside(now, id);
        }
        if look == Look::Fetch {
            let bytes = self.plan.populations[population.index()].state.size;
            self.recorder.note(now, Fact::Carried { population, bytes });
        }
        self.keep_state(population, &visit);
        true
    }

    /// A node has something to do for a stream's state that no request waits for.
    fn set_aside(&mut self, now: Instant, session: SessionId, node: NodeId) -> AttemptId {
        let id = self.new_attempt(now, session, Kind::Aside);
        self.part(id);
        self.asides.insert(id, session);
        let attempt = &mut self.attempts[id];
        (attempt.node, attempt.writes) = (node, false);
        // Keys its draws: so many times has the session waited to come back.
        attempt.request = u32::from(self.sessions[session].counted);
        self.reach(now, id, node);
        id
    }

    /// The session whose state an attempt is about, if it still lives: that which waits, or that of what is done aside.
    pub(super) fn whose(&self, id: AttemptId) -> SessionId {
        let Attempt { kind, session, who, population, .. } = self.attempts[id];
        if kind != Kind::Aside {
            return session;
        }
        let is_it = |&&session: &&SessionId| {
            let record = &self.sessions[session];
            record.is_live() && record.who == who && record.population == population
        };
        self.asides.get(&id).filter(is_it).copied().unwrap_or(SessionId::NONE)
    }

    /// A node makes the state of a stream anew; `false` when the rebuild service has no room.
    ///
    /// No slot is held while the service is busy with it, whatever `holds_slot` says of requests.
    fn rebuild_aside(&mut self, now: Instant, id: AttemptId, node: NodeId) -> bool {
        let population = self.attempts[id].population;
        match self.plan.populations[population.index()].state.rebuild_at {
            Some(service) => self.visit(now, id, service, Stage::Rebuild),
            None => {
                self.work_aside(now, id, node);
                true
            }
        }
    }

    /// What was made aside is written to the store, if there is one; until that has acknowledged it, it is not there.
    pub(super) fn write_aside(&mut self, now: Instant, id: AttemptId) {
        match self.store_of(id) {
            Some(store) => _ = self.visit(now, id, store, Stage::StoreWrite),
            None => self.dismiss(now, id),
        }
    }

    /// The node's own part of a rebuild that no request waits for.
    pub(super) fn work_aside(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        let demand = self.rebuild_demand(now, id);
        if demand.is_zero() {
            return self.write_aside(now, id);
        }
        self.attempts[id].demand = demand;
        self.take_slot(now, id, node);
    }
}
