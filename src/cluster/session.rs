//! A session's life: it begins, asks, is cut off, comes back, ends.
//!
//! One timer serves its next deed; the end of a visit that is bounded in time has an entry of its own, put
//! into the queue once, so that no request leaves one behind.

use super::client::{INITIAL_BIT, Length, arrival_gap};
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId, PopulationId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::engine::Timer;
use crate::engine::prefetch::prefetch;
use crate::observe::Fact;
use crate::observe::fact::Ending;
use rand::RngExt;

/// What a session is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The slot is free.
    Gone,
    /// Waiting for the next request to be due.
    Thinking,
    /// An attempt is under way.
    Asking,
    /// Waiting before another attempt of the same request.
    BackingOff,
}

/// The record of a session: one cache line.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    /// Arrival ordinal within its population: names it and keys its draws.
    pub who: u64,
    timer: Timer,
    end: Instant,
    /// When the request under way was intended.
    pub intended: Instant,
    /// The attempt under way.
    pub attempt: AttemptId,
    /// The node it is bound to: what the cookie says, or where the hash led last.
    pub bound: NodeId,
    /// Requests issued so far; the ordinal of the one under way is one less.
    pub requests: u32,
    requests_left: u32,
    /// Failed requests in a row.
    failures: u16,
    /// Its population.
    pub population: PopulationId,
    phase: Phase,
    /// Attempts of the request under way.
    tries: u8,
    /// Whether it is not cut off.
    pub connected: bool,
}

/// Sessions by slot; slots are used again.
#[derive(Debug, Default)]
pub struct Sessions {
    slots: Vec<Session>,
    free: Vec<SessionId>,
}

impl Sessions {
    /// Hints that a session will act soon.
    #[inline]
    pub fn fetch(&self, id: SessionId) {
        prefetch(&self.slots, id.index());
    }

    fn add(&mut self, session: Session) -> SessionId {
        if let Some(id) = self.free.pop() {
            self.slots[id.index()] = session;
            return id;
        }
        let id = SessionId(self.slots.len() as u32);
        self.slots.push(session);
        id
    }
}

impl std::ops::Index<SessionId> for Sessions {
    type Output = Session;
    #[inline]
    fn index(&self, id: SessionId) -> &Session {
        &self.slots[id.index()]
    }
}

impl std::ops::IndexMut<SessionId> for Sessions {
    #[inline]
    fn index_mut(&mut self, id: SessionId) -> &mut Session {
        &mut self.slots[id.index()]
    }
}

impl Sim<'_> {
    /// Sessions that were there before the run began: connected, state in place, in the middle of a pause.
    pub(super) fn install_initial(&mut self, population: PopulationId) {
        let people = &self.plan.populations[population.index()];
        let streams = self.streams[population.index()].clone();
        for ordinal in 0..people.initial {
            let who = ordinal | INITIAL_BIT;
            let mut length = streams.length.at(who, 0);
            let (life, requests) = match &people.length {
                Length::Forever => (Duration::MAX, u32::MAX),
                Length::Time(law) => (Duration::from_nanos_f64(law.sample_residual(&mut length)), u32::MAX),
                Length::Requests(law) => (Duration::MAX, whole(law.sample_residual(&mut length).ceil())),
            };
            let id = self.admit(Instant::START, population, who, life, requests, true);
            self.place(id);
            // The pause under way at a random instant: its rest.
            let rest = people.think.sample_residual(&mut streams.think.at(who, 0));
            self.wait(Instant::START, id, Duration::from_nanos_f64(rest), Phase::Thinking);
        }
    }

    /// Gives an initial session the node that the policy would have given it.
    fn place(&mut self, id: SessionId) {
        let ask = self.ask(id);
        let super::balancer::Route::To(node) = self.balancer.route(&ask, None) else { return };
        // As after one short request: policies that look at loads or at turns see one go by.
        self.balancer.sent(node);
        self.balancer.done(node);
        self.bind(Instant::START, id, node, Cause::Membership);
        let population = self.sessions[id].population;
        self.keepers[population.index()].keep(id, node);
    }

    /// A session arrives and asks at once; the next arrival is put into the queue.
    pub(super) fn arrive(&mut self, now: Instant, population: PopulationId) {
        let people = &self.plan.populations[population.index()];
        let streams = &self.streams[population.index()];
        let who = self.arrived[population.index()];
        self.arrived[population.index()] += 1;
        let gap = arrival_gap(people.rate, streams, who + 1);
        let mut length = streams.length.at(who, 0);
        let (life, requests) = match &people.length {
            Length::Forever => (Duration::MAX, u32::MAX),
            Length::Time(law) => (law.duration(&mut length), u32::MAX),
            Length::Requests(law) => (Duration::MAX, whole(law.sample(&mut length) + 0.5)),
        };
        self.queue.at(now + gap, event::arrival(population));
        let id = self.admit(now, population, who, life, requests, false);
        self.issue(now, id);
    }

    fn admit(
        &mut self,
        now: Instant,
        population: PopulationId,
        who: u64,
        life: Duration,
        requests: u32,
        initial: bool,
    ) -> SessionId {
        let end = now + life;
        let session = self.sessions.add(Session {
            who,
            timer: Timer::new(),
            end,
            intended: now,
            attempt: AttemptId::NONE,
            bound: NodeId::NONE,
            requests: 0,
            requests_left: requests,
            failures: 0,
            population,
            phase: Phase::Thinking,
            tries: 0,
            connected: true,
        });
        if end < self.plan.end {
            self.queue.at(end, event::session(session));
        }
        self.recorder.note(now, Fact::Started { population, session, initial });
        session
    }

    /// The session's timer, or its end, has come.
    pub(super) fn on_session(&mut self, now: Instant, id: SessionId) {
        let session = &mut self.sessions[id];
        if session.phase == Phase::Gone {
            return;
        }
        if session.timer.fires(now, event::session(id), &mut self.queue) {
            match session.phase {
                Phase::Thinking => self.issue(now, id),
                Phase::BackingOff => self.send(now, id),
                Phase::Asking | Phase::Gone => {}
            }
        } else if session.end == now {
            self.end_session(now, id, Ending::Over);
        }
    }

    fn wait(&mut self, now: Instant, id: SessionId, delay: Duration, phase: Phase) {
        let session = &mut self.sessions[id];
        session.phase = phase;
        let due = now + delay;
        // Beyond the end of the run nothing happens: it need not enter the queue.
        if due < self.plan.end {
            session.timer.set(due, event::session(id), &mut self.queue);
        }
    }

    /// A request is due.
    fn issue(&mut self, now: Instant, id: SessionId) {
        let session = &mut self.sessions[id];
        session.requests += 1;
        session.requests_left = session.requests_left.saturating_sub(1);
        session.intended = now;
        session.tries = 0;
        let population = session.population;
        self.recorder.note(now, Fact::Issued { population });
        self.send(now, id);
    }

    /// An attempt of the request under way leaves the client.
    fn send(&mut self, now: Instant, id: SessionId) {
        let session = &mut self.sessions[id];
        session.tries = session.tries.saturating_add(1);
        session.phase = Phase::Asking;
        let connects = !session.connected || session.requests == 1 && session.who & INITIAL_BIT == 0;
        let population = session.population;
        self.recorder.note(now, Fact::Attempted { population, connects });
        self.start_attempt(now, id, connects);
    }

    /// The reply to the request under way has come.
    pub(super) fn request_succeeded(&mut self, now: Instant, id: SessionId) {
        let session = &mut self.sessions[id];
        let population = session.population;
        let response = now.since(session.intended);
        session.failures = 0;
        let was_cut_off = !std::mem::replace(&mut session.connected, true);
        let (who, nth, over) = (session.who, session.requests, session.requests_left == 0);
        self.recorder.note(now, Fact::Succeeded { population, response });
        if was_cut_off {
            self.recorder.note(now, Fact::Reconnected { population, session: id });
        }
        if over {
            return self.end_session(now, id, Ending::Over);
        }
        let mut draw = self.streams[population.index()].think.at(who, u64::from(nth));
        let think = self.plan.populations[population.index()].think.duration(&mut draw);
        self.wait(now, id, think, Phase::Thinking);
    }

    /// An attempt has failed and is off all books: try again, or count the request as failed.
    pub(super) fn attempt_failed(&mut self, now: Instant, id: SessionId, cause: Cause) {
        let session = &self.sessions[id];
        let (who, tries) = (session.who, u32::from(session.tries));
        let nth = u64::from(session.requests) << 8 | u64::from(session.tries);
        let people = &self.plan.populations[session.population.index()];
        let streams = &self.streams[session.population.index()];
        match &people.retry {
            Some(retry) if tries <= retry.attempts => {
                let wait = retry.backoff.wait(tries, &mut streams.retry.at(who, nth));
                self.wait(now, id, wait, Phase::BackingOff);
            }
            _ => self.request_failed(now, id, cause),
        }
    }

    fn request_failed(&mut self, now: Instant, id: SessionId, cause: Cause) {
        let session = &mut self.sessions[id];
        let population = session.population;
        let people = &self.plan.populations[population.index()];
        session.failures = session.failures.saturating_add(1);
        let (who, failures) = (session.who, u32::from(session.failures));
        let was_connected = std::mem::replace(&mut session.connected, false);
        let over = session.requests_left == 0;
        let nth = u64::from(session.requests);
        self.recorder.note(now, Fact::Failed { population, cause });
        if was_connected {
            self.recorder.note(now, Fact::Dropped { population, session: id, cause });
        }
        if over {
            return self.end_session(now, id, Ending::Over);
        }
        if people.give_up_after.is_some_and(|most| failures >= most) {
            return self.end_session(now, id, Ending::GaveUp);
        }
        let mut draw = self.streams[population.index()].reconnect.at(who, nth);
        let wait = people.reconnect.wait(failures, &mut draw);
        self.wait(now, id, wait, Phase::Thinking);
    }

    fn end_session(&mut self, now: Instant, id: SessionId, ending: Ending) {
        let Session { population, phase, connected, bound, attempt, .. } = self.sessions[id];
        if matches!(phase, Phase::Asking | Phase::BackingOff) && self.under_way(id) {
            if let Some(attempt) = attempt.some() {
                self.part(now, attempt);
                self.abandon(now, attempt);
            }
            self.recorder.note(now, Fact::Withdrawn { population });
        }
        if let Some(node) = bound.some() {
            self.recorder.note(now, Fact::Bound { node, by: -1 });
        }
        self.keepers[population.index()].end(id);
        self.recorder.note(now, Fact::Ended { population, session: id, ending, connected });
        self.sessions[id].phase = Phase::Gone;
        self.sessions[id].end = Instant::NEVER;
        self.sessions.free.push(id);
    }

    /// Whether a request of the session is neither answered nor given up.
    fn under_way(&self, id: SessionId) -> bool {
        let session = &self.sessions[id];
        session.attempt.some().is_some() || session.phase == Phase::BackingOff
    }

    /// The session is bound to `node` from now on, if anything binds it.
    pub(super) fn bind(&mut self, now: Instant, id: SessionId, node: NodeId, cause: Cause) {
        let session = &mut self.sessions[id];
        let population = session.population;
        if session.bound == node || !self.binds[population.index()] {
            return;
        }
        let before = std::mem::replace(&mut session.bound, node);
        if let Some(before) = before.some() {
            self.recorder.note(now, Fact::Bound { node: before, by: -1 });
            self.recorder.note(now, Fact::Moved { population, session: id, cause });
        }
        self.recorder.note(now, Fact::Bound { node, by: 1 });
    }

    /// What the balancer is asked for on the session's behalf.
    pub(super) fn ask(&self, id: SessionId) -> super::balancer::balance::Ask {
        let session = &self.sessions[id];
        let key = self.streams[session.population.index()].key.at(session.who, 0).random();
        super::balancer::balance::Ask { key, avoid: None }
    }
}

/// A number of requests from a draw: at least one.
fn whole(number: f64) -> u32 {
    (number as u32).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_fills_one_cache_line() {
        assert_eq!(size_of::<Session>(), 64);
    }
}
