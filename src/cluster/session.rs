//! A session's life: it begins, asks, is cut off, comes back, ends.
//!
//! One timer serves its next deed; the end of a visit that is bounded in time has an entry of its own, put
//! into the queue once, so that no request leaves one behind.

use super::balancer::Route;
use super::balancer::retry::{Failure, Next};
use super::client::{Caller, INITIAL_BIT, Length, Protocol};
use super::connection::Try;
use super::request::Kind;
use super::state::Visit;
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::huge;
use crate::base::id::{AttemptId, NodeId, PopulationId, SessionId};
use crate::base::prefetch::prefetch;
use crate::base::time::{Duration, Instant};
use crate::engine::Timer;
use crate::observe::Fact;
use crate::observe::fact::Ending;
use crate::observe::trace::{Happening, Who};

/// The record of a session: one cache line, and not parts of two.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Session {
    /// Arrival ordinal within its population: names it and keys its draws.
    pub who: u64,
    /// Its next deed: a request, a try to connect, the end of an idle connection.
    pub timer: Timer,
    end: Instant,
    /// While an idle connection waits to be closed: when the next request is due. While cut off with state that
    /// hangs on the connection: until when it may be resumed.
    pub later: Instant,
    /// The first of its requests and connection attempts under way.
    pub attempt: AttemptId,
    /// The node it is bound to: the one that answered it last. A plain cookie names the same.
    pub bound: NodeId,
    /// Requests issued so far; the ordinal of the latest is one less.
    pub requests: u32,
    /// Requests it may still issue.
    pub requests_left: u32,
    /// Failures in a row.
    pub failures: u16,
    /// Its population.
    pub population: PopulationId,
    /// Of a kept connection, the requests sent on it; of a stream, the waits to come back so far.
    pub counted: u16,
    /// Life of the node that the connection was made to, modulo 256.
    pub incarnation: u8,
    flags: u8,
}

const LIVE: u8 = 1;
const CONNECTED: u8 = 2;
const ADMITTED: u8 = 4;

impl Session {
    /// What it is called.
    pub fn name(&self) -> Who {
        Who { population: self.population, ordinal: self.who }
    }

    /// Whether it is not cut off.
    pub fn is_connected(&self) -> bool {
        self.flags & CONNECTED != 0
    }

    /// Sets whether it is connected; returns what it was.
    pub fn set_connected(&mut self, connected: bool) -> bool {
        let was = self.is_connected();
        self.flags = if connected { self.flags | CONNECTED | ADMITTED } else { self.flags & !CONNECTED };
        was
    }

    /// Whether it has ever been let in.
    pub fn was_admitted(&self) -> bool {
        self.flags & ADMITTED != 0
    }

    /// Whether its slot is in use.
    pub fn is_live(&self) -> bool {
        self.flags & LIVE != 0
    }
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

    /// There will be so many at least.
    pub fn expect(&mut self, sessions: usize) {
        huge::reserve(&mut self.slots, sessions);
    }

    /// All records, also those that are free.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.slots.iter()
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

/// How long a visit lasts, as drawn.
struct Span {
    life: Duration,
    requests: u32,
}

impl Sim<'_> {
    /// Sessions that were there before the run began: connected, state in place, in the middle of a pause.
    pub(super) fn install_initial(&mut self, population: PopulationId) {
        for ordinal in 0..self.plan.populations[population.index()].initial {
            self.install(population, ordinal | INITIAL_BIT);
        }
    }

    /// One of them.
    pub(super) fn install(&mut self, population: PopulationId, who: u64) {
        let people = &self.plan.populations[population.index()];
        let mut length = self.streams[population.index()].length.at(who, 0);
        let span = match &people.length {
            Length::Forever => Span { life: Duration::MAX, requests: u32::MAX },
            Length::Time(law) => {
                let life = Duration::from_nanos_f64(law.sample_residual(&mut length));
                Span { life, requests: u32::MAX }
            }
            Length::Requests(law) => {
                Span { life: Duration::MAX, requests: whole(law.sample_residual(&mut length).ceil()) }
            }
        };
        let id = self.admit(Instant::START, population, who, span, true);
        if !self.place(id) && matches!(people.protocol, Protocol::Stream(_)) {
            // In a cluster that has always been full it would stand outside and try, or in line.
            self.sessions[id].flags &= !ADMITTED;
            if self.has_lines {
                return self.open(Instant::START, id);
            }
            let (begun, cause, told) = (Instant::START, Cause::ConnectionLimit, Duration::ZERO);
            return self.open_failed(Instant::START, id, Try { begun, cause, told });
        }
        // The pause under way at a random instant: its rest.
        if self.sessions[id].is_connected()
            && let Some(rest) = people.rest_of_pause(&self.streams[population.index()], who)
        {
            self.wake(Instant::START, id, rest);
        }
    }

    /// Gives an initial session the node that the policy would have given it, and the connection to it; `false`
    /// when no node has room for the connection.
    fn place(&mut self, id: SessionId) -> bool {
        let session = &self.sessions[id];
        let population = session.population;
        let caller = Caller::new(&self.plan.populations, &self.streams, session);
        let ask = caller.ask();
        let links = self.links(population);
        let via = self.balancers.met_by(session.who, 0, self.plan.populations[population.index()].instance);
        let known = self.balancers[via].propose(Instant::START, population, &ask, None);
        let (mut route, mut refusals, mut failed) = (self.balancers[via].route(&ask, known), 0, Vec::new());
        let node = loop {
            let Route::To(node) = route else { return false };
            if !links || !self.has_no_room(node) {
                break node;
            }
            refusals += 1;
            let (cause, is_bound) = (Cause::ConnectionLimit, known == Some(node));
            let failure = Failure { node, n: refusals, cause, is_bound };
            let Next::Elsewhere(_) = self.balancers[via].next(&failure) else { return false };
            failed.push(node);
            route = self.balancers[via].route_elsewhere(&ask, &failed, cause);
        };
        self.balancers.served(Instant::START, via, population, &ask, node);
        if let Some(rules) = caller.people.affinity.cookie() {
            let ends = caller.cookie_ends(rules);
            self.jar.put(Instant::START, id, node, ends, rules);
        }
        // As after one short request: policies that look at loads or at turns see one go by.
        self.balancers[via].sent(node);
        if links {
            self.link(Instant::START, id, via, node);
        } else {
            self.balancers[via].done(node);
        }
        self.bind(Instant::START, id, node, Cause::Membership);
        self.note_version(Instant::START, Instant::START, id, node);
        let visit =
            Visit { now: Instant::START, session: id, who: self.sessions[id].who, node, writes: false, made: true };
        self.keep_state(population, &visit);
        self.write_at_first(population, id, node);
        true
    }

    /// A session arrives and asks at once; the next arrival is put into the queue.
    pub(super) fn arrive(&mut self, now: Instant, population: PopulationId) {
        let who = self.arrived[population.index()];
        self.arrived[population.index()] += 1;
        self.await_arrival(now, population);
        self.begin_visit(now, population, who);
    }

    /// Puts the population's next arrival into the queue.
    pub(super) fn await_arrival(&mut self, now: Instant, population: PopulationId) {
        let people = &self.plan.populations[population.index()];
        let ordinal = self.arrived[population.index()];
        if let Some(next) = people.arrivals.next(now, &self.streams[population.index()], ordinal) {
            self.queue.at(next, event::arrival(population));
        }
    }

    /// A new session begins, with its first request or by opening its stream.
    pub(super) fn begin_visit(&mut self, now: Instant, population: PopulationId, who: u64) {
        let people = &self.plan.populations[population.index()];
        let mut length = self.streams[population.index()].length.at(who, 0);
        let span = match &people.length {
            Length::Forever => Span { life: Duration::MAX, requests: u32::MAX },
            Length::Time(law) => Span { life: law.duration(&mut length), requests: u32::MAX },
            Length::Requests(law) => Span { life: Duration::MAX, requests: whole(law.sample(&mut length) + 0.5) },
        };
        let is_stream = matches!(people.protocol, Protocol::Stream(_));
        let id = self.admit(now, population, who, span, false);
        if is_stream { self.open(now, id) } else { self.issue(now, id) }
    }

    fn admit(&mut self, now: Instant, population: PopulationId, who: u64, span: Span, initial: bool) -> SessionId {
        let end = now + span.life;
        let session = self.sessions.add(Session {
            who,
            timer: Timer::new(),
            end,
            later: Instant::NEVER,
            attempt: AttemptId::NONE,
            bound: NodeId::NONE,
            requests: 0,
            requests_left: span.requests,
            failures: 0,
            population,
            counted: 0,
            incarnation: 0,
            flags: LIVE | CONNECTED | if initial { ADMITTED } else { 0 },
        });
        if end < self.plan.end {
            self.queue.at(end, event::session(session));
        }
        if self.plan.populations[population.index()].affinity.cookie().is_some() {
            self.jar.empty(session);
        }
        if self.limits_retries
            && let Some(limit) = self.plan.populations[population.index()].retry_limit()
        {
            self.allowances[population.index()].begin(limit, session);
        }
        self.recorder.note(now, Fact::Started { population, session, initial });
        self.recorder.trace.begin(now, session, Who { population, ordinal: who });
        session
    }

    /// The session's timer, or its end, has come.
    #[inline]
    pub(super) fn on_session(&mut self, now: Instant, id: SessionId) {
        let session = &mut self.sessions[id];
        if !session.is_live() {
            return;
        }
        if session.timer.fires(now, event::session(id), &mut self.queue) {
            self.act(now, id);
        } else if session.end == now {
            self.end_session(now, id, Ending::Over);
        }
    }

    /// What its timer stood for is due.
    #[inline]
    fn act(&mut self, now: Instant, id: SessionId) {
        let session = &self.sessions[id];
        let (later, is_connected) = (session.later, session.is_connected());
        let people = &self.plan.populations[session.population.index()];
        match &people.protocol {
            Protocol::Stream(_) if !is_connected => self.open(now, id),
            Protocol::Keepalive(_) if later != Instant::NEVER && later > now => {
                // Idle for too long: the connection is closed, and the request comes later.
                self.sessions[id].later = Instant::NEVER;
                self.unlink(now, id);
                self.wake(now, id, later.since(now));
            }
            _ => self.issue(now, id),
        }
    }

    /// Sets the session's timer.
    #[inline]
    pub(super) fn wake(&mut self, now: Instant, id: SessionId, delay: Duration) {
        let due = now + delay;
        // Beyond the end of the run nothing happens: it need not enter the queue.
        if due < self.plan.end {
            self.sessions[id].timer.set(due, event::session(id), &mut self.queue);
        } else {
            self.sessions[id].timer.clear();
        }
    }

    /// The visit is over, or the client has given up.
    pub(super) fn end_session(&mut self, now: Instant, id: SessionId, ending: Ending) {
        let mut left = Vec::new();
        while let Some(attempt) = self.sessions[id].attempt.some() {
            let (kind, population) = (self.attempts[attempt].kind, self.sessions[id].population);
            self.part(attempt);
            left.push(attempt);
            if kind == Kind::Request {
                self.recorder.note(now, Fact::Withdrawn { population });
            }
        }
        self.unlink(now, id);
        if self.farewells.is_used {
            self.farewells.forget(id);
        }
        let session = &mut self.sessions[id];
        let (population, bound, connected) = (session.population, session.bound, session.is_connected());
        let never_admitted = session.flags & ADMITTED == 0;
        (session.flags, session.end) = (0, Instant::NEVER);
        session.timer.clear();
        if let Some(node) = bound.some() {
            self.count_bound(now, node, -1);
        }
        self.change_state(now, population, id, |keeper| keeper.end(id));
        self.gone_from_store(now, population, id);
        self.forget_version(now, id);
        let ending = if ending == Ending::GaveUp && never_admitted { Ending::Refused } else { ending };
        self.recorder.note(now, Fact::Ended { population, session: id, ending, connected });
        self.recorder.trace.note(now, Happening::Ended { who: self.sessions[id].name() });
        self.sessions.free.push(id);
        self.go_away(now, population, self.sessions[id].who);
        // Last: a slot that this frees may let others fail, and none of them may be this session's any more.
        left.into_iter().for_each(|attempt| self.abandon(now, attempt));
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
        assert_eq!((size_of::<Session>(), align_of::<Session>()), (64, 64));
    }
}
