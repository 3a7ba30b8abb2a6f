//! How long does a client wait, and what becomes of its work when it leaves?
//!
//! All clients of a population wait equally long, so those that wait stand in one line, oldest first, which
//! needs one timer however long it is. A client that leaves does not take its work with it, unless the
//! population `cancels`.

use super::request::{Attempt, Stage};
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NONE, PopulationId, SessionId};
use crate::base::time::Instant;
use crate::engine::Timer;

/// The clients of one population that wait for a reply, oldest first: in the order of their timeouts.
#[derive(Debug)]
pub struct Line {
    first: u32,
    last: u32,
    timer: Timer,
}

impl Default for Line {
    fn default() -> Line {
        Line { first: NONE, last: NONE, timer: Timer::new() }
    }
}

impl Sim<'_> {
    /// Client and attempt part: the reply came, or the client does not wait for it any more. Returns the
    /// session that waited.
    pub(super) fn part(&mut self, _now: Instant, id: AttemptId) -> Option<SessionId> {
        let session = self.attempts[id].session.some()?;
        self.attempts[id].session = SessionId::NONE;
        self.sessions[session].attempt = AttemptId::NONE;
        self.leave_line(id);
        Some(session)
    }

    /// The client has left; what happens to the attempt that it has parted from?
    pub(super) fn abandon(&mut self, now: Instant, id: AttemptId) {
        let Attempt { stage, node, population, .. } = self.attempts[id];
        if stage == Stage::Pause {
            // Its entry is still in the queue, and must not send an attempt that is no more.
            self.attempts[id].timer.clear();
            return self.attempts.free(id);
        }
        if !self.plan.populations[population.index()].cancels {
            return;
        }
        let stations = self.fleet.node(node);
        let gone = match stage {
            Stage::Handshake if stations.accept.stop_work(now, id.0) => {
                if let Some(next) = stations.accept.release() {
                    self.let_in(now, AttemptId(next), node);
                }
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

    /// The attempt's client begins to wait.
    pub(super) fn stand_in_line(&mut self, now: Instant, id: AttemptId) {
        let population = self.attempts[id].population;
        let Some(timeout) = self.plan.populations[population.index()].request_timeout else { return };
        let line = &mut self.lines[population.index()];
        let last = std::mem::replace(&mut line.last, id.0);
        self.attempts[id].before = last;
        if last == NONE {
            line.first = id.0;
            line.timer.set(now + timeout, event::timeout(population), &mut self.queue);
        } else {
            self.attempts[AttemptId(last)].after = id.0;
        }
    }

    fn leave_line(&mut self, id: AttemptId) {
        let Attempt { before, after, population, .. } = self.attempts[id];
        let line = &mut self.lines[population.index()];
        match before {
            NONE if line.first == id.0 => line.first = after,
            NONE => return, // Nobody of this population waits with a limit.
            before => self.attempts[AttemptId(before)].after = after,
        }
        match after {
            NONE => self.lines[population.index()].last = before,
            after => self.attempts[AttemptId(after)].before = before,
        }
        (self.attempts[id].before, self.attempts[id].after) = (NONE, NONE);
    }

    /// The longest-waiting client of a population may have waited long enough.
    pub(super) fn on_timeout(&mut self, now: Instant, population: PopulationId) {
        let event = event::timeout(population);
        if !self.lines[population.index()].timer.fires(now, event, &mut self.queue) {
            return;
        }
        let Some(timeout) = self.plan.populations[population.index()].request_timeout else { return };
        loop {
            let first = self.lines[population.index()].first;
            if first == NONE {
                return;
            }
            let due = self.attempts[AttemptId(first)].sent + timeout;
            if due > now {
                return self.lines[population.index()].timer.set(due, event, &mut self.queue);
            }
            let session = self.part(now, AttemptId(first));
            self.abandon(now, AttemptId(first));
            if let Some(session) = session {
                self.attempt_failed(now, session, Cause::Timeout);
            }
        }
    }
}
