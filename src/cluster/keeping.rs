//! What dealing with session state costs, and what becomes of it when nobody asks for it: with a node, with a store, or by
//! itself.

use super::request::Attempt;
use super::state::{Gone, Keep, Toll, Visit};
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId, PopulationId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::observe::Fact;

impl Sim<'_> {
    /// Session state goes over the network with an attempt.
    pub(super) fn carry(&mut self, now: Instant, id: AttemptId) {
        let Attempt { population, writes, fetches, .. } = self.attempts[id];
        let bytes = self.plan.populations[population.index()].state.carried(writes, fetches);
        if bytes > 0 {
            self.recorder.note(now, Fact::Carried { population, bytes });
        }
    }

    /// What dealing with the state of its session costs, beside the request itself.
    #[inline(never)]
    pub(super) fn care(&self, id: AttemptId) -> Duration {
        let Attempt { who, request, population, writes, fetches, is_near, .. } = self.attempts[id];
        let Some(care) = &self.plan.populations[population.index()].state.care else { return Duration::ZERO };
        let streams = &self.streams[population.index()];
        let parts = [
            // What is near is an object already.
            (!is_near, &care.read, streams.state_read),
            (writes, &care.write, streams.state_write),
            (fetches, &care.fetch, streams.fetch),
        ];
        let apply =
            parts.into_iter().filter_map(|(applies, law, stream)| Some((law.as_ref().filter(|_| applies)?, stream)));
        apply.fold(Duration::ZERO, |sum, (law, stream)| sum + law.duration(&mut stream.at(who, u64::from(request))))
    }

    /// A node's process has ended: what it alone had in its memory, or on its host, is lost.
    pub(super) fn lose_memory(&mut self, now: Instant, node: NodeId, cause: Cause) {
        let gone = if cause == Cause::HostLoss { Gone::Host } else { Gone::Process };
        self.each_keeper(now, cause, |keeper, toll| keeper.forget_node(now, node, gone, toll));
    }

    /// A node listens: it may hold state from now on.
    pub(super) fn offer_room(&mut self, now: Instant, node: NodeId) {
        // Nothing is lost by that, so nothing needs a cause.
        self.each_keeper(now, Cause::Crash, |keeper, _| keeper.node_listens(now, node));
    }

    /// A node has been taken away for good.
    pub(super) fn lose_host(&mut self, now: Instant, node: NodeId, cause: Cause) {
        self.each_keeper(now, cause, |keeper, toll| keeper.node_leaves(now, node, toll));
    }

    /// What was to happen to the state of a population by itself is due: copies are made, and nothing is lost by it.
    pub(super) fn on_keep(&mut self, now: Instant, population: PopulationId) {
        let index = population.index();
        if self.keep_timers[index].fires(now, event::keep(population), &mut self.queue) {
            self.change_keeper(now, index, Cause::Crash, |keeper, toll| keeper.pass(now, toll));
        }
    }

    fn each_keeper(&mut self, now: Instant, cause: Cause, mut change: impl FnMut(&mut dyn Keep, &mut Toll)) {
        for index in 0..self.keepers.len() {
            self.change_keeper(now, index, cause, &mut change);
        }
    }

    /// Lets one population's state change, and counts what that costs: losses are put down to `cause`.
    pub(super) fn change_keeper(
        &mut self,
        now: Instant,
        index: usize,
        cause: Cause,
        change: impl FnOnce(&mut dyn Keep, &mut Toll),
    ) {
        let population = PopulationId(index as u16);
        let mut toll = std::mem::take(&mut self.toll);
        change(self.keepers[index].as_mut(), &mut toll);
        for session in toll.lost.drain(..).map(SessionId) {
            self.recorder.note(now, Fact::Lost { population, session, cause });
        }
        for (_, cause) in toll.writes_lost.drain(..) {
            self.recorder.note(now, Fact::WriteLost { population, cause });
        }
        let bytes = std::mem::take(&mut toll.copied) * self.plan.populations[index].state.size;
        if bytes > 0 {
            self.recorder.note(now, Fact::Carried { population, bytes });
        }
        for node in toll.touched.drain(..) {
            self.weigh(now, node);
        }
        self.toll = toll;
        self.note_thin(now, population);
        let due = self.keepers[index].due().max(now);
        if due < self.plan.end {
            self.keep_timers[index].set(due, event::keep(population), &mut self.queue);
        }
    }

    /// The number of sessions with too few copies may have changed.
    fn note_thin(&mut self, now: Instant, population: PopulationId) {
        let index = population.index();
        if self.plan.populations[index].state.replicas.is_some() {
            self.recorder.note(now, Fact::Thin { population, sessions: self.keepers[index].thin() });
        }
    }

    /// A session's state is on a node from now on.
    #[inline(always)]
    pub(super) fn keep_state(&mut self, population: PopulationId, visit: &Visit) {
        self.note_writer(visit.session, visit.node, visit.writes || visit.made);
        if self.tallies {
            return self.keep_state_and_tally(population, visit);
        }
        self.keepers[population.index()].keep(visit);
    }

    #[inline(never)]
    fn keep_state_and_tally(&mut self, population: PopulationId, visit: &Visit) {
        let &Visit { now, session, node, writes, .. } = visit;
        self.change_state(now, population, session, |keeper| keeper.keep(visit));
        let state = &self.plan.populations[population.index()].state;
        if writes && state.replicas.is_some() && state.size > 0 {
            let mut holders = Vec::new();
            self.keepers[population.index()].holders(session, &mut holders);
            let others = holders.iter().filter(|&&holder| holder != node).count() as u64;
            self.recorder.note(now, Fact::Carried { population, bytes: others * state.size });
        }
    }

    /// Changes the books on a session's state, and with them those on copies and on the memory of the nodes that hold it.
    pub(super) fn change_state(
        &mut self,
        now: Instant,
        population: PopulationId,
        session: SessionId,
        change: impl FnOnce(&mut dyn Keep),
    ) {
        let keeper = &mut self.keepers[population.index()];
        if !self.tallies {
            return change(keeper.as_mut());
        }
        let mut holders = Vec::new();
        keeper.holders(session, &mut holders);
        change(keeper.as_mut());
        keeper.holders(session, &mut holders);
        for node in holders {
            self.weigh(now, node);
        }
        self.note_thin(now, population);
    }
}
