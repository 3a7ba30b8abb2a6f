//! How long does a client wait, and what becomes of its work when it leaves?
//!
//! All clients of a population wait equally long, so those that wait stand in one line, oldest first, which
//! needs one timer however long it is. A client that leaves does not take its work with it, unless the
//! population `cancels`.

use super::client::Population;
use super::request::{Attempt, Kind, Stage};
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NONE, SessionId};
use crate::base::time::{Duration, Instant};
use crate::engine::Timer;

/// How an attempt gets in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// Its client is in already.
    Known,
    /// Its client must be let in, and waits no longer for that than for the reply.
    Stranger,
    /// Its client must be let in, and waits for that by a clock of its own.
    AtTheDoor,
}

/// The clients of one population that wait for a reply, oldest first: in the order of their timeouts.
#[derive(Debug)]
pub struct Line {
    first: u32,
    last: u32,
    timer: Timer,
    // How long each of them waits; for ever if not given, and then nobody stands here.
    patience: Option<Duration>,
}

impl Line {
    /// The two lines of a population: for replies and for connections.
    pub fn pair(people: &Population) -> [Line; 2] {
        [people.request_timeout, people.connect_timeout].map(|patience| Line {
            first: NONE,
            last: NONE,
            timer: Timer::new(),
            patience,
        })
    }
}

impl Sim<'_> {
    /// Client and attempt part: the reply came, or the client does not wait for it any more. Returns the
    /// session that waited.
    #[inline(always)]
    pub(super) fn part(&mut self, id: AttemptId) -> Option<SessionId> {
        let session = self.attempts[id].session.some()?;
        self.attempts[id].session = SessionId::NONE;
        self.leave_line(id);
        let sibling = std::mem::replace(&mut self.attempts[id].sibling, AttemptId::NONE);
        let first = &mut self.sessions[session].attempt;
        if *first == id {
            *first = sibling;
        } else {
            let mut at = *first;
            while self.attempts[at].sibling != id {
                at = self.attempts[at].sibling;
            }
            self.attempts[at].sibling = sibling;
        }
        Some(session)
    }

    /// The client waits no longer for an attempt but has not given up the request: returns a record that
    /// stands for it from now on, at no node, while the work that the attempt left behind goes on without it.
    ///
    /// `None` when the slot that this frees has brought about the end of the session itself.
    pub(super) fn leave_work(&mut self, now: Instant, id: AttemptId) -> Option<AttemptId> {
        if self.is_at_no_node(id) {
            self.leave_balancer(now, id);
            return Some(id);
        }
        // Before the work is given up: whatever follows from that must find the request where it belongs.
        let left = self.succeed(id);
        self.abandon(now, id);
        self.attempts[left].session.some().map(|_| left)
    }

    /// A service keeps the record of a visit whose node is gone; returns the record that stands for the
    /// request from now on, if anybody still waits for it.
    pub(super) fn leave_to_service(&mut self, id: AttemptId) -> Option<AttemptId> {
        self.attempts[id].stage = Stage::Orphaned;
        self.attempts[id].session.some().map(|_| self.succeed(id))
    }

    /// Another record, at no node, stands for the request of this one from now on, also in its client's line.
    fn succeed(&mut self, id: AttemptId) -> AttemptId {
        let copy = self.attempts[id];
        let stands_in_line = copy.before != NONE || self.lines[self.line_of(id)].first == id.0;
        let session = self.part(id);
        let (stage, placed, timer) = (Stage::Route, false, Timer::new());
        let left = self.attempts.add(Attempt { stage, placed, timer, before: NONE, after: NONE, ..copy });
        match self.tried.remove(&id) {
            Some(nodes) => _ = self.tried.insert(left, nodes),
            None => self.forget_tried(left),
        }
        if self.limits_retries {
            self.allowances[copy.population.index()].succeed(id, left);
        }
        if let Some(session) = session {
            self.attempts[left].sibling = self.sessions[session].attempt;
            self.sessions[session].attempt = left;
        }
        if stands_in_line {
            self.stand_between(left, copy.before, copy.after);
        }
        left
    }

    /// The attempt stands in its line between these two neighbours, who stand next to each other.
    fn stand_between(&mut self, id: AttemptId, before: u32, after: u32) {
        let index = self.line_of(id);
        (self.attempts[id].before, self.attempts[id].after) = (before, after);
        match before {
            NONE => self.lines[index].first = id.0,
            before => self.attempts[AttemptId(before)].after = id.0,
        }
        match after {
            NONE => self.lines[index].last = id.0,
            after => self.attempts[AttemptId(after)].before = id.0,
        }
    }

    fn is_at_no_node(&self, id: AttemptId) -> bool {
        use Stage::{BackingOff, Connecting, InLine, Pause, Route};
        matches!(self.attempts[id].stage, Route | BackingOff | InLine | Pause | Connecting)
    }

    /// The client has left for good; what happens to the attempt that it has parted from?
    pub(super) fn abandon(&mut self, now: Instant, id: AttemptId) {
        let Attempt { stage, node, population, .. } = self.attempts[id];
        if self.is_at_no_node(id) {
            self.leave_balancer(now, id);
            return self.attempts.free(id);
        }
        if matches!(stage, Stage::Cut | Stage::Gone) {
            return;
        }
        if stage == Stage::Silent {
            // There is no work to go on with.
            self.leave_node(now, id);
            return self.attempts.free(id);
        }
        if !self.plan.populations[population.index()].cancels {
            return;
        }
        let stations = self.fleet.node(node);
        let gone = match stage {
            Stage::Handshake if stations.accept.stop_work(now, id.0) => {
                self.let_next_in(now, node);
                self.fleet.node(node).accept.rearm(now, event::accept(node), &mut self.queue);
                true
            }
            Stage::Handshake => stations.accept.leave_line(id.0),
            Stage::Wait => stations.work.leave_line(id.0),
            Stage::Work if stations.work.stop_work(now, id.0) => {
                self.release_slot(now, node);
                self.touch(now, node);
                true
            }
            _ => false,
        };
        if gone {
            self.dismiss(now, id);
        }
    }

    /// The attempt's client begins to wait, if it waits with a limit.
    #[inline(always)]
    pub(super) fn stand_in_line(&mut self, now: Instant, id: AttemptId) {
        let index = self.line_of(id);
        let line = &mut self.lines[index];
        let Some(patience) = line.patience else { return };
        let last = std::mem::replace(&mut line.last, id.0);
        self.attempts[id].before = last;
        if last == NONE {
            line.first = id.0;
            line.timer.set(now + patience, event::timeout(index), &mut self.queue);
        } else {
            self.attempts[AttemptId(last)].after = id.0;
        }
    }

    #[inline(always)]
    fn line_of(&self, id: AttemptId) -> usize {
        let Attempt { population, kind, entry, .. } = self.attempts[id];
        population.index() * 2 + usize::from(kind == Kind::Connect || entry == Entry::AtTheDoor)
    }

    /// A client has been let in that waited for it by a clock of its own: from now on it waits for the reply.
    #[inline(never)]
    pub(super) fn come_in(&mut self, now: Instant, id: AttemptId) {
        self.leave_line(id);
        let attempt = &mut self.attempts[id];
        (attempt.entry, attempt.sent) = (Entry::Stranger, now);
        if attempt.session.some().is_some() {
            self.stand_in_line(now, id);
        }
    }

    #[inline(always)]
    pub(super) fn leave_line(&mut self, id: AttemptId) {
        let Attempt { before, after, .. } = self.attempts[id];
        let index = self.line_of(id);
        let line = &mut self.lines[index];
        match before {
            NONE if line.first == id.0 => line.first = after,
            NONE => return, // It does not stand there.
            before => self.attempts[AttemptId(before)].after = after,
        }
        match after {
            NONE => self.lines[index].last = before,
            after => self.attempts[AttemptId(after)].before = before,
        }
        (self.attempts[id].before, self.attempts[id].after) = (NONE, NONE);
    }

    /// The one who has waited longest in a line may have waited long enough.
    pub(super) fn on_timeout(&mut self, now: Instant, index: usize) {
        let event = event::timeout(index);
        if !self.lines[index].timer.fires(now, event, &mut self.queue) {
            return;
        }
        let Some(patience) = self.lines[index].patience else { return };
        loop {
            let first = self.lines[index].first;
            if first == NONE {
                return;
            }
            let due = self.attempts[AttemptId(first)].sent + patience;
            if due > now {
                return self.lines[index].timer.set(due, event, &mut self.queue);
            }
            if self.at_node.node(first).is_some() {
                self.note_served(now, AttemptId(first), true);
            }
            if let Some(left) = self.leave_work(now, AttemptId(first)) {
                self.leave_line(left);
                self.hang_up(now, self.attempts[left].session);
                self.attempt_failed(now, left, Cause::Timeout);
            }
        }
    }
}
