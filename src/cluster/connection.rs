//! A connection that hangs on a node: opened by a stream or a layer-4 balancer, kept, cut.
//!
//! While it lives it takes a place at the balancer. Requests on it are not routed. Whoever cuts it says why,
//! and what was under way on it fails with the same cause.

use super::Sim;
use super::balancer::instances::ProcessId;
use super::balancer::view::passive::Seen;
use super::client::{From, Protocol};
use super::patience::Entry;
use super::request::{Attempt, Kind, Stage};
use super::session::Session;
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId, PopulationId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::observe::Fact;
use crate::observe::fact::Ending;
use crate::observe::trace::Happening;

/// A try to open a stream that has failed.
#[derive(Clone, Copy, Debug)]
pub struct Try {
    /// When it began.
    pub begun: Instant,
    /// Why it failed.
    pub cause: Cause,
    /// How long its client has been told to stay away, if it heeds that.
    pub told: Duration,
}

impl Sim<'_> {
    /// Whether a population's connections hang on nodes.
    pub(super) fn links(&self, population: PopulationId) -> bool {
        self.plan.hangs(&self.plan.populations[population.index()])
    }

    /// A client tries to open its stream.
    pub(super) fn open(&mut self, now: Instant, id: SessionId) {
        let population = self.sessions[id].population;
        let attempt = self.new_attempt(now, id, Kind::Connect);
        self.attempts[attempt].entry = Entry::Stranger;
        self.recorder.note(now, Fact::Connecting { population });
        self.stand_in_line(now, attempt);
        self.route(now, attempt);
    }

    /// A try to open a stream has failed.
    pub(super) fn open_failed(&mut self, now: Instant, id: SessionId, Try { begun, cause, told }: Try) {
        let session = &mut self.sessions[id];
        let population = session.population;
        session.failures = session.failures.saturating_add(1);
        let failures = u32::from(session.failures);
        self.recorder.trace.note(now, Happening::NotOpened { who: session.name(), cause });
        // A client that never got in is cut off from its first failure on.
        if session.set_connected(false) {
            self.recorder.note(now, Fact::Dropped { population, session: id, cause });
        }
        let people = &self.plan.populations[population.index()];
        let is_over = people.give_up_after.is_some_and(|most| failures >= most);
        if is_over || !people.retry_first_open && !self.sessions[id].was_admitted() {
            return self.end_session(now, id, Ending::GaveUp);
        }
        // One that was cut off has waited already, unless it tries at once.
        let has_waited = self.sessions[id].was_admitted() && !people.reconnect_at_once;
        self.wait_to_come_back(now, id, failures + u32::from(has_waited), begun, told);
    }

    /// Sets the timer to the `k`-th wait since the session was cut off; what went before began at `begun`, and whoever
    /// was `told` to stay away comes no sooner than that.
    fn wait_to_come_back(&mut self, now: Instant, id: SessionId, k: u32, begun: Instant, told: Duration) {
        let session = &mut self.sessions[id];
        let (population, who) = (session.population, session.who);
        // Every wait of a session's life has an ordinal of its own.
        session.counted = session.counted.wrapping_add(1);
        let (nth, stream) = (session.counted, self.streams[population.index()].reconnect);
        let people = &self.plan.populations[population.index()];
        let draws = |back: u32| stream.at(who, u64::from(nth.wrapping_sub(back as u16)));
        let wait = people.reconnect.wait(k.max(1), draws);
        let waited = if people.reconnect_from == From::Begin { now.since(begun) } else { Duration::ZERO };
        self.wake(now, id, (wait - waited).max(told));
    }

    /// A node has let a client in whose connection hangs on it.
    pub(super) fn established(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        let Some(session) = self.attempts[id].session.some() else {
            // The client has left meanwhile: the connection closes at once.
            self.leave_node(now, id);
            return self.attempts.free(id);
        };
        let attempt = self.attempts[id];
        if attempt.kind == Kind::Connect && self.fleet.node(node).ills.answers_errors {
            return self.fail_at_node(now, id, Cause::BadAnswer);
        }
        if attempt.kind == Kind::Connect
            && !matches!(attempt.stage, Stage::StoreRead | Stage::Entering)
            && let Some(store) = self.store_of(id)
            && !self.finds_near(now, id)
        {
            // Who it is stands in the store: the stream is open when that has answered.
            self.visit(now, id, self.reads_at(store), Stage::StoreRead);
            return;
        }
        if self.linked.node(session.0).is_some() {
            // Another of its requests was quicker: this one has a connection of its own until its reply.
            return self.enter(now, id, node);
        }
        self.attempts[id].placed = false; // The connection keeps the place.
        self.saw(now, attempt.via, node, Seen::Opened);
        self.link(now, session, attempt.via, node);
        self.heard_from(now, session, &attempt);
        if attempt.kind == Kind::Request {
            return self.enter(now, id, node);
        }
        self.leave_node(now, id);
        self.part(id);
        self.attempts.free(id);
        if !self.find_state(now, session, node) {
            self.unlink(now, session);
            let (cause, told) = (Cause::RebuildFull, self.told_to_wait(&attempt, Cause::RebuildFull));
            return self.open_failed(now, session, Try { begun: attempt.sent, cause, told });
        }
        let record = &mut self.sessions[session];
        let population = record.population;
        record.failures = 0;
        record.later = Instant::NEVER;
        if !record.set_connected(true) {
            self.recorder.note(now, Fact::Reconnected { population, session });
        }
        self.think(now, session);
    }

    /// The connection exists from now on.
    pub(super) fn link(&mut self, now: Instant, id: SessionId, via: ProcessId, node: NodeId) {
        // Of two that were opened at once, by requests that did not wait for each other, the later is kept.
        self.unlink(now, id);
        self.linked.bind(id.0, node);
        if id.index() >= self.linked_via.len() {
            self.linked_via.resize(id.index() + 1, via);
        }
        self.linked_via[id.index()] = via;
        let (is_stream, incarnation) =
            (self.is_stream(self.sessions[id].population), self.fleet.node(node).incarnation);
        let session = &mut self.sessions[id];
        session.incarnation = incarnation;
        if !is_stream {
            session.counted = 0;
        }
        let who = session.name();
        if self.farewells.is_used {
            self.begin_to_age(now, id, node);
        }
        self.recorder.note(now, Fact::Linked { node, by: 1 });
        self.recorder.trace.note(now, Happening::Opened { who, node });
        self.weigh(now, node);
    }

    /// How many connections a node itself knows of: none of those to an earlier life of it.
    pub(super) fn hanging(&self, node: NodeId) -> u64 {
        self.linked.count(node) as u64 - u64::from(self.fleet.get(node).stale)
    }

    /// The connection, if there is one, is no more.
    pub(super) fn unlink(&mut self, now: Instant, id: SessionId) -> Option<NodeId> {
        let node = self.linked.node(id.0)?;
        self.linked.unbind(id.0);
        if self.farewells.is_used {
            self.farewells.closed(id);
        }
        let host = self.fleet.node(node);
        host.stale = host.stale.saturating_sub(u32::from(host.incarnation != self.sessions[id].incarnation));
        let via = self.linked_via[id.index()];
        self.balancers[via].done(node);
        self.saw(now, via, node, Seen::Closed);
        self.recorder.note(now, Fact::Linked { node, by: -1 });
        self.recorder.trace.note(now, Happening::Closed { who: self.sessions[id].name(), node });
        self.weigh(now, node);
        Some(node)
    }

    /// A request goes out on the connection that its session has.
    pub(super) fn use_connection(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        let session = self.attempts[id].session;
        let target = self.fleet.get(node);
        let is_alive = self.fleet.is_up(node) && self.sessions[session].incarnation == target.incarnation;
        if !is_alive && !target.is_silent() {
            // The host was away and has come back: it knows nothing of this connection.
            return self.cut_connection(now, session, Cause::Reset);
        }
        if !self.is_stream(self.sessions[session].population) {
            self.sessions[session].counted = self.sessions[session].counted.saturating_add(1);
            self.await_reply(now, id);
        }
        let attempt = &mut self.attempts[id];
        (attempt.node, attempt.via, attempt.placed) = (node, self.linked_via[session.index()], false);
        self.reach(now, id, node);
        let host = self.fleet.get(node);
        let (is_silent, is_mute) = (host.is_silent(), host.is_mute());
        if is_mute {
            self.expect_notice(now, session, node, true);
            self.watch(node);
        }
        if is_silent {
            return self.hear_nothing(now, id);
        }
        self.enter(now, id, node);
    }

    /// After a reply: a connection that has carried its share of requests is closed.
    pub(super) fn close_if_used_up(&mut self, now: Instant, id: SessionId) {
        let people = &self.plan.populations[self.sessions[id].population.index()];
        if let Protocol::Keepalive(keepalive) = &people.protocol
            && keepalive.requests.is_some_and(|most| u32::from(self.sessions[id].counted) >= most)
        {
            self.unlink(now, id);
        }
    }

    /// After a timeout: a client closes the connection on which it has waited in vain, as HTTP/1.1 must, unless
    /// others of its requests are under way on it (HTTP/2). A stream lives on.
    pub(super) fn hang_up(&mut self, now: Instant, id: SessionId) {
        let Session { population, attempt, .. } = self.sessions[id];
        if !self.is_stream(population) && self.attempts[attempt].sibling.some().is_none() {
            self.unlink(now, id);
        }
    }

    /// Somebody cuts a session's connection. What is under way on it fails; work at a live node goes on.
    pub(super) fn cut_connection(&mut self, now: Instant, id: SessionId, cause: Cause) {
        if !self.sever(now, id, cause) {
            return;
        }
        while let Some(attempt) = self.first_request(id) {
            if let Some(left) = self.leave_work(now, attempt) {
                self.attempt_failed(now, left, cause);
            }
        }
        self.after_cut(now, id);
    }

    /// A session's connection is gone, with everything under way on it still to fail; `false` when it had none.
    pub(super) fn sever(&mut self, now: Instant, id: SessionId, cause: Cause) -> bool {
        if self.unlink(now, id).is_none() {
            return false;
        }
        let population = self.sessions[id].population;
        if !self.is_stream(population) {
            // Whoever has a request under way is cut off if that fails for good; an idle client opens another unawares.
            return true;
        }
        let session = &mut self.sessions[id];
        let was_connected = session.set_connected(false);
        session.failures = 0;
        if was_connected {
            self.recorder.note(now, Fact::Dropped { population, session: id, cause });
        }
        true
    }

    /// What follows a cut once all that was under way has failed: a stream, if it still lives, comes back.
    pub(super) fn after_cut(&mut self, now: Instant, id: SessionId) {
        let population = self.sessions[id].population;
        if !self.sessions[id].is_live() || !self.is_stream(population) {
            return;
        }
        self.hold_state_open(now, id);
        if self.plan.populations[population.index()].reconnect_at_once {
            return self.wake(now, id, Duration::ZERO);
        }
        self.wait_to_come_back(now, id, 1, now, Duration::ZERO);
    }

    /// State that hangs on the connection is kept for a while after it.
    fn hold_state_open(&mut self, now: Instant, id: SessionId) {
        let people = &self.plan.populations[self.sessions[id].population.index()];
        if let Some(window) = people.state.resume {
            let until = now + window;
            self.sessions[id].later = until;
            self.queue.at(until, super::event::resume(id));
        }
    }

    /// The time to resume a session is over: its state goes, unless it is back.
    pub(super) fn on_resume(&mut self, now: Instant, id: SessionId) {
        let session = &mut self.sessions[id];
        if !session.is_live() || session.later != now || session.is_connected() {
            return;
        }
        session.later = Instant::NEVER;
        let population = session.population;
        let mut had = false;
        self.change_state(now, population, id, |keeper| had = keeper.expire(id));
        if had {
            self.recorder.note(now, Fact::Lost { population, session: id, cause: Cause::NotResumed });
        }
    }

    /// A request of the session that waits for an answer, if there is one.
    pub(super) fn first_request(&self, id: SessionId) -> Option<AttemptId> {
        let mut next = self.sessions[id].attempt.some();
        while let Some(attempt) = next {
            if self.attempts[attempt].kind == Kind::Request && self.attempts[attempt].stage != Stage::BackingOff {
                return Some(attempt);
            }
            next = self.attempts[attempt].sibling.some();
        }
        None
    }

    /// The balancer gives up an attempt at a node: its client has an error, and the work goes on for nobody.
    pub(super) fn give_up(&mut self, now: Instant, id: AttemptId, cause: Cause) {
        let Attempt { node, session, placed, .. } = self.attempts[id];
        if !placed && self.linked.node(session.0) == Some(node) {
            return self.cut_connection(now, session, cause);
        }
        self.give_place_back(id);
        if session.some().is_none() && self.attempts[id].stage == Stage::Silent {
            // Nobody waits for it any more, and the work is gone with the host.
            return self.dismiss(now, id);
        }
        if session.some().is_some()
            && let Some(left) = self.leave_work(now, id)
        {
            self.fail_in_hand(now, left, cause);
        }
    }

    /// The balancers, or one process, cut everything that they have open to `node`.
    pub(super) fn shut_down_sessions(&mut self, now: Instant, node: NodeId, by: Option<ProcessId>, cause: Cause) {
        let is_by = |via: ProcessId| by.is_none_or(|process| process == via);
        let (mut linked, mut waiting) = (Vec::new(), Vec::new());
        self.linked.list(node, &mut linked);
        for session in linked.into_iter().map(SessionId) {
            if is_by(self.linked_via[session.index()]) {
                self.cut_connection(now, session, cause);
            }
        }
        self.at_node.list(node, &mut waiting);
        for id in waiting.into_iter().map(AttemptId) {
            // Giving one up may end its session, and with it others of this list.
            let is_there = self.at_node.node(id.0) == Some(node);
            if is_there && self.attempts[id].placed && is_by(self.attempts[id].via) {
                self.give_up(now, id, cause);
            }
        }
    }
}
