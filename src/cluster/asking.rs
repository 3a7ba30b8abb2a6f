//! A request as its client sees it: issued, tried, answered or failed, and what the client does next.

use super::Sim;
use super::client::{INITIAL_BIT, Protocol};
use super::connection::Try;
use super::patience::Entry;
use super::request::{Attempt, Kind, Stage};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, PopulationId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::observe::Fact;
use crate::observe::fact::Ending;
use crate::observe::trace::Happening;

impl Sim<'_> {
    /// A request is due.
    #[inline(always)]
    pub(super) fn issue(&mut self, now: Instant, id: SessionId) {
        let session = &mut self.sessions[id];
        session.requests += 1;
        session.requests_left = session.requests_left.saturating_sub(1);
        session.later = Instant::NEVER;
        let (population, who, nth) = (session.population, session.who, session.requests);
        let paces = session.requests_left > 0;
        self.recorder.note(now, Fact::Issued { population });
        let people = &self.plan.populations[population.index()];
        if people.pace.is_some()
            && paces
            && let Some(gap) = people.pause(&self.streams[population.index()], who, nth)
        {
            self.wake(now, id, gap);
        }
        let attempt = self.new_attempt(now, id, Kind::Request);
        if self.limits_retries
            && let Some(limit) = people.retry_limit()
        {
            self.allowances[population.index()].asked(now, limit, id, attempt);
        }
        self.send(now, attempt);
    }

    /// An attempt of a request leaves the client.
    #[inline(always)]
    pub(super) fn send(&mut self, now: Instant, id: AttemptId) {
        self.forget_tried(id);
        let attempt = &mut self.attempts[id];
        attempt.tries = attempt.tries.saturating_add(1);
        attempt.sent = now;
        attempt.refusals = 0;
        (attempt.missed, attempt.refused, attempt.remade, attempt.is_near) = (false, false, false, false);
        let session = &self.sessions[attempt.session];
        let connects = !session.is_connected() || session.requests == 1 && session.who & INITIAL_BIT == 0;
        attempt.entry = if connects { Entry::Stranger } else { Entry::Known };
        let (population, session) = (attempt.population, attempt.session);
        self.recorder.note(now, Fact::Attempted { population, connects });
        let link = self.linked.node(session.0);
        if self.plan.populations[population.index()].connect_timeout.is_some() && link.is_none() {
            self.come_to_the_door(id, connects);
        }
        self.stand_in_line(now, id);
        match link {
            Some(node) => self.use_connection(now, id, node),
            None if self.is_stream(population) => self.fail(now, id, Cause::NoConnection),
            None => self.route(now, id),
        }
    }

    /// A request that needs a connection first waits for that by a clock of its own.
    #[inline(never)]
    fn come_to_the_door(&mut self, id: AttemptId, connects: bool) {
        let population = self.attempts[id].population;
        if (connects || self.links(population)) && !self.is_stream(population) {
            self.attempts[id].entry = Entry::AtTheDoor;
        }
    }

    /// Whether a population talks over streams.
    pub(super) fn is_stream(&self, population: crate::base::id::PopulationId) -> bool {
        matches!(self.plan.populations[population.index()].protocol, Protocol::Stream(_))
    }

    /// The reply to a request has come; its record is off all books.
    #[inline]
    pub(super) fn request_succeeded(&mut self, now: Instant, id: SessionId, intended: Instant) {
        let session = &mut self.sessions[id];
        let population = session.population;
        let response = now.since(intended);
        session.failures = 0;
        let was_cut_off = !session.set_connected(true);
        let over = session.requests_left == 0;
        self.recorder.note(now, Fact::Succeeded { population, response });
        if was_cut_off {
            self.recorder.note(now, Fact::Reconnected { population, session: id });
        }
        if over {
            return self.end_when_idle(now, id);
        }
        let people = &self.plan.populations[population.index()];
        if people.pace.is_none() || was_cut_off {
            self.think(now, id);
        }
    }

    /// Sets the timer to the next request, with a pause for an idle connection to close in between.
    #[inline(always)]
    pub(super) fn think(&mut self, now: Instant, id: SessionId) {
        let session = &self.sessions[id];
        let (population, who, nth) = (session.population, session.who, session.requests);
        let people = &self.plan.populations[population.index()];
        let Some(gap) = people.pause(&self.streams[population.index()], who, nth) else { return };
        if let Protocol::Keepalive(keepalive) = &people.protocol
            && let Some(idle) = keepalive.idle.filter(|&idle| idle < gap)
            && self.linked.node(id.0).is_some()
        {
            self.sessions[id].later = now + gap;
            return self.wake(now, id, idle);
        }
        self.wake(now, id, gap);
    }

    /// An attempt that is at no node and at no balancer fails.
    pub(super) fn fail(&mut self, now: Instant, id: AttemptId, cause: Cause) {
        if self.attempts[id].session.some().is_some() {
            self.attempt_failed(now, id, cause);
        } else {
            self.attempts.free(id);
        }
    }

    /// An attempt has failed and is at no node: try again, or count the request as failed.
    pub(super) fn attempt_failed(&mut self, now: Instant, id: AttemptId, cause: Cause) {
        let attempt = self.attempts[id];
        let (population, session, tries) = (attempt.population, attempt.session, u32::from(attempt.tries));
        let told = self.told_to_wait(&attempt, cause);
        if attempt.kind == Kind::Connect {
            self.part(id);
            self.attempts.free(id);
            return self.open_failed(now, session, Try { begun: attempt.sent, cause, told });
        }
        let people = &self.plan.populations[population.index()];
        match &people.retry {
            Some(retry)
                if tries <= retry.attempts && !self.is_stream(population) && self.affords_retry(now, id, cause) =>
            {
                let (who, nth) = (attempt.who, u64::from(attempt.request) << 8 | u64::from(attempt.tries));
                let stream = self.streams[population.index()].retry;
                let wait = retry.backoff.wait(tries, |back| stream.at(who, nth - u64::from(back))).max(told);
                self.leave_line(id);
                self.attempts[id].stage = Stage::BackingOff;
                self.attempts[id].timer.set(now + wait, super::event::attempt(id), &mut self.queue);
            }
            _ => {
                let after = now.since(attempt.intended);
                self.part(id);
                self.attempts.free(id);
                let who = self.sessions[session].name();
                self.recorder.trace.note(now, Happening::Failed { who, cause, after });
                self.note_split(now, population, attempt, true);
                self.request_failed(now, session, cause, told);
                if self.farewells.any_waits() {
                    self.leave_if_told(now, session);
                }
            }
        }
    }

    /// Where reads and writes take different ways, those that write are counted apart.
    #[inline]
    pub(super) fn note_split(&mut self, now: Instant, population: PopulationId, attempt: Attempt, failed: bool) {
        if attempt.writes && self.plan.populations[population.index()].splits() {
            self.recorder.note(now, Fact::Wrote { population, failed });
        }
    }

    /// Whether the client of a failed attempt may try again, for all that its allowance says; if so, it pays.
    fn affords_retry(&mut self, now: Instant, id: AttemptId, cause: Cause) -> bool {
        let Attempt { population, session, .. } = self.attempts[id];
        let people = &self.plan.populations[population.index()];
        let Some(limit) = people.retry_limit().filter(|_| self.limits_retries) else { return true };
        self.allowances[population.index()].allows(now, limit, session, id, cause == Cause::Timeout)
    }

    /// A request that was counted against its client's allowance has been answered.
    #[inline(never)]
    pub(super) fn refund(&mut self, session: SessionId, id: AttemptId) {
        let population = self.sessions[session].population.index();
        if let Some(limit) = self.plan.populations[population].retry_limit() {
            self.allowances[population].answered(limit, session, id);
        }
    }

    /// How long the node that turned an attempt away has told its client to stay away, if it heeds that.
    pub(super) fn told_to_wait(&self, attempt: &Attempt, cause: Cause) -> Duration {
        if !cause.turns_away() || !self.plan.populations[attempt.population.index()].heeds_retry_after {
            return Duration::ZERO;
        }
        let told = attempt.node.some().and_then(|node| self.plan.nodes[node.index()].spec.retry_after);
        told.unwrap_or(Duration::ZERO)
    }

    fn request_failed(&mut self, now: Instant, id: SessionId, cause: Cause, told: Duration) {
        let session = &self.sessions[id];
        let population = session.population;
        self.recorder.note(now, Fact::Failed { population, cause });
        if self.is_stream(population) {
            // The stream itself may well be alive: it is cut, if it is, on its own account.
            return match session.requests_left {
                0 => self.end_when_idle(now, id),
                _ if self.plan.populations[population.index()].pace.is_none() => self.ask_again(now, id),
                _ => {}
            };
        }
        let session = &mut self.sessions[id];
        session.failures = session.failures.saturating_add(1);
        let (who, failures) = (session.who, u32::from(session.failures));
        let nth = u64::from(session.requests);
        let was_connected = session.set_connected(false);
        let over = session.requests_left == 0;
        if was_connected {
            self.recorder.note(now, Fact::Dropped { population, session: id, cause });
        }
        if over {
            return self.end_when_idle(now, id);
        }
        let people = &self.plan.populations[population.index()];
        if people.give_up_after.is_some_and(|most| failures >= most) {
            return self.end_session(now, id, Ending::GaveUp);
        }
        let stream = self.streams[population.index()].reconnect;
        let wait = people.reconnect.wait(failures, |back| stream.at(who, nth.saturating_sub(u64::from(back))));
        self.wake(now, id, wait.max(told));
    }

    /// After a failure on a stream that lives on. Whoever never pauses waits as one who is cut off does: what fails at
    /// once would otherwise be asked again at the same instant, without end.
    fn ask_again(&mut self, now: Instant, id: SessionId) {
        let session = &self.sessions[id];
        let (population, who, nth) = (session.population, session.who, session.requests);
        let (people, streams) = (&self.plan.populations[population.index()], &self.streams[population.index()]);
        if people.pause(streams, who, nth) != Some(Duration::ZERO) {
            return self.think(now, id);
        }
        let wait = people.reconnect.wait(1, |_| streams.reconnect.at(who, u64::from(nth)));
        self.wake(now, id, wait);
    }

    /// Ends a session that has issued its last request, unless another is still under way.
    fn end_when_idle(&mut self, now: Instant, id: SessionId) {
        if self.sessions[id].attempt.some().is_none() {
            self.end_session(now, id, Ending::Over);
        }
    }
}
