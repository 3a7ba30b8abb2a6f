//! Which node does a session belong to? What it presents, who learns of an answer, when a move is counted.

use super::Sim;
use super::client::Caller;
use super::request::Attempt;
use crate::base::cause::Cause;
use crate::base::id::{NodeId, SessionId};
use crate::base::time::Instant;
use crate::observe::Fact;
use crate::observe::trace::Happening;

impl Sim<'_> {
    /// The node in what the session's client presents: a cookie, if it has one that is still good.
    #[inline]
    pub(super) fn presented(&self, now: Instant, id: SessionId) -> Option<NodeId> {
        let session = &self.sessions[id];
        match self.plan.populations[session.population.index()].affinity.cookie() {
            None => session.bound.some(),
            Some(_) => self.jar.shown(now, id),
        }
    }

    /// The session has had an answer, good or bad, from the node that the balancer had routed the attempt to.
    #[inline]
    pub(super) fn heard_from(&mut self, now: Instant, id: SessionId, attempt: &Attempt) {
        let &Attempt { node, via, sent, moved_by, population, writes, .. } = attempt;
        self.note_version(now, sent, id, node);
        if !writes && self.plan.populations[population.index()].splits() {
            return; // A read binds nobody, wherever it was served.
        }
        if self.balancers[via].learns(population) {
            let caller = Caller::new(&self.plan.populations, &self.streams, &self.sessions[id]);
            self.balancers.served(now, via, population, &caller.ask(), node);
        }
        if let Some(rules) = self.plan.populations[population.index()].affinity.cookie() {
            self.jar.answered(now, id, node, sent, rules);
        }
        self.bind(now, id, node, moved_by);
        if self.farewells.is_used {
            self.farewells.placed(id);
        }
    }

    /// The session is bound to `node` from now on, if anything binds it.
    #[inline]
    pub(super) fn bind(&mut self, now: Instant, id: SessionId, node: NodeId, cause: Cause) {
        let session = &mut self.sessions[id];
        let population = session.population;
        if session.bound == node || !self.binds[population.index()] {
            return;
        }
        let before = std::mem::replace(&mut session.bound, node);
        if let Some(before) = before.some() {
            self.count_bound(now, before, -1);
        }
        // One that was evicted is bound to nobody meanwhile.
        if before.some().or(self.farewells.evicted_from(id)).is_some_and(|before| before != node) {
            self.recorder.note(now, Fact::Moved { population, session: id, cause });
        }
        self.count_bound(now, node, 1);
        self.recorder.trace.note(now, Happening::Bound { who: self.sessions[id].name(), node });
    }

    /// A node has one session more or fewer bound to it.
    #[inline]
    pub(super) fn count_bound(&mut self, now: Instant, node: NodeId, by: i8) {
        let count = &mut self.bound_to[node.index()];
        *count = count.wrapping_add_signed(i32::from(by));
        self.recorder.note(now, Fact::Bound { node, by });
    }
}
