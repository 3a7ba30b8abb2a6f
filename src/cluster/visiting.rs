//! Services on the path of a request: stores, and those that make missing state anew. What is asked of them, and
//! what follows from their answers.
//!
//! What was asked is asked: a service finishes a visit whether or not anybody still waits for its answer.

use super::request::{Attempt, Kind, Stage};
use super::state::Does;
use super::station::Offer;
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId};
use crate::base::time::Instant;
use crate::observe::Fact;

/// What a frozen process does when it goes on.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    id: AttemptId,
    // What the store was asked that has failed it, which, and why.
    failed: Option<(Stage, usize, Cause)>,
}

impl Sim<'_> {
    /// Asks a service; `false` when nothing came of that and the attempt does not need its slot any more.
    pub(super) fn visit(&mut self, now: Instant, id: AttemptId, service: usize, stage: Stage) -> bool {
        if let Some(trouble) = self.store_fails(now, service, self.attempts[id].node) {
            (self.attempts[id].stage, self.attempts[id].asked) = (stage, now);
            return self.visit_in_vain(now, id, service, trouble);
        }
        let attempt = &mut self.attempts[id];
        let streams = &self.streams[attempt.population.index()];
        let (law, stream) = match &self.plan.services[service].does {
            Does::Store { write, .. } if stage == Stage::StoreWrite => (write, streams.store_write),
            Does::Store { read, .. } => (read, streams.store_read),
            Does::Rebuild { time } => (time, streams.rebuild_visit),
        };
        let demand = law.duration(&mut stream.at(attempt.who, u64::from(attempt.request)));
        (attempt.stage, attempt.asked, attempt.demand) = (stage, now, demand);
        match self.services[service].offer(id.0) {
            Offer::Started => self.service_works(now, id, service),
            Offer::Queued => {}
            Offer::Full => return self.find_full(now, id, service),
        }
        self.touch_service(now, service);
        true
    }

    fn service_works(&mut self, now: Instant, id: AttemptId, service: usize) {
        self.services[service].work(now, id.0, self.attempts[id].demand);
    }

    /// Keeps a service's timer and the books on its line true.
    pub(super) fn touch_service(&mut self, now: Instant, service: usize) {
        let station = &mut self.services[service];
        station.rearm(now, event::service(service), &mut self.queue);
        if self.plan.services[service].is_limited() {
            let (waiting, busy) = (station.waiting() as u32, station.busy());
            self.recorder.note(now, Fact::AtService { service: service as u16, waiting, busy });
        }
    }

    /// A service has no room for an attempt, not even in its line; as [`Sim::visit`].
    #[inline(never)]
    fn find_full(&mut self, now: Instant, id: AttemptId, service: usize) -> bool {
        match self.plan.services[service].does {
            Does::Store { .. } => self.do_without(now, id, service, Cause::StoreFull),
            Does::Rebuild { .. } => {
                self.fail_at_node(now, id, Cause::RebuildFull);
                false
            }
        }
    }

    /// A service has answered.
    pub(super) fn on_service(&mut self, now: Instant, service: usize) {
        if !self.services[service].fires(now, event::service(service), &mut self.queue) {
            return;
        }
        while let Some(job) = self.services[service].finish(now) {
            if let Some(next) = self.services[service].release() {
                self.service_works(now, AttemptId(next), service);
            }
            self.answered(now, AttemptId(job), service);
        }
        self.touch_service(now, service);
    }

    fn answered(&mut self, now: Instant, id: AttemptId, service: usize) {
        let Attempt { stage, node, population, asked, kind, .. } = self.attempts[id];
        let after = now.since(asked);
        self.recorder.note(
            now,
            match self.plan.services[service].does {
                Does::Store { .. } => Fact::StoreAnswered { population, after },
                Does::Rebuild { .. } => Fact::RebuilderAnswered { population, after },
            },
        );
        let bytes = self.plan.populations[population.index()].state.size;
        if bytes > 0 && matches!(self.plan.services[service].does, Does::Store { .. }) {
            self.recorder.note(now, Fact::Carried { population, bytes });
        }
        let is_behind = match (stage, self.attempts[id].session.some()) {
            (Stage::StoreWrite, _) if !self.takes_in(now, id, service) => {
                return self.store_has_failed(now, id, service, Cause::StoreMemory);
            }
            (Stage::StoreWrite, _) => {
                self.acknowledge(now, id, service);
                false
            }
            (Stage::StoreRead, Some(session)) => self.has_read(now, session, service),
            _ => false,
        };
        self.keep_near(now, id, is_behind);
        match stage {
            _ if !stage.is_at_service() => self.attempts.free(id),
            _ if self.fleet.get(node).is_silent() => self.hear_nothing(now, id),
            Stage::StoreWrite if self.fleet.get(node).ills.is_frozen => self.hold(id, node, Stage::Written),
            Stage::StoreWrite => self.written(now, id, service),
            _ if kind == Kind::Aside => self.work_aside(now, id, node),
            _ if kind == Kind::Connect => self.opens(now, id, node),
            _ if self.is_cancelled(id) => {
                self.give_slot_back(now, service, kind, node);
                self.dismiss(now, id);
            }
            _ => self.go_on(now, id, service),
        }
    }

    /// Back from a service that it visited before its work, an attempt goes on at its node.
    fn go_on(&mut self, now: Instant, id: AttemptId, service: usize) {
        let Attempt { stage, node, .. } = self.attempts[id];
        self.attempts[id].remade |= stage == Stage::Rebuild;
        if !self.plan.services[service].holds_slot {
            return self.take_slot(now, id, node);
        }
        if !self.begin_work(now, id, node) {
            self.release_slot(now, node);
        }
        self.touch(now, node);
    }

    /// The store has said who opens a stream, or the application does without.
    pub(super) fn opens(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        if self.fleet.get(node).ills.is_frozen {
            self.hold(id, node, Stage::Entering)
        } else {
            self.established(now, id, node)
        }
    }

    fn written(&mut self, now: Instant, id: AttemptId, store: usize) {
        let Attempt { kind, node, .. } = self.attempts[id];
        self.give_slot_back(now, store, kind, node);
        self.done_writing(now, id);
    }

    /// What follows a write, done or not.
    pub(super) fn done_writing(&mut self, now: Instant, id: AttemptId) {
        match self.attempts[id].kind {
            Kind::Aside => self.dismiss(now, id),
            _ => self.reply(now, id),
        }
    }

    /// A frozen process will see to an attempt when it goes on.
    pub(super) fn hold(&mut self, id: AttemptId, node: NodeId, stage: Stage) {
        self.attempts[id].stage = stage;
        self.fleet.node(node).held.push(Held { id, failed: None });
    }

    /// The same of one that the store has failed.
    pub(super) fn hold_failure(&mut self, id: AttemptId, node: NodeId, service: usize, cause: Cause) {
        let asked = std::mem::replace(&mut self.attempts[id].stage, Stage::Forsaken);
        self.fleet.node(node).held.push(Held { id, failed: Some((asked, service, cause)) });
    }

    /// A process goes on after a freeze, with what has come in meanwhile.
    pub(super) fn take_up_held(&mut self, now: Instant, node: NodeId) {
        for Held { id, failed } in std::mem::take(&mut self.fleet.node(node).held) {
            // One whose client left may be gone, and its record another's.
            let is_there = self.at_node.node(id.0) == Some(node);
            if let Some((asked, service, cause)) = failed {
                if is_there && self.attempts[id].stage == Stage::Forsaken {
                    self.attempts[id].stage = asked;
                    self.store_has_failed(now, id, service, cause);
                }
                continue;
            }
            match (self.attempts[id].stage, self.store_of(id)) {
                (Stage::Written, Some(store)) if is_there => self.written(now, id, store),
                (Stage::Entering, _) if is_there && self.is_cancelled(id) => self.dismiss(now, id),
                (Stage::Entering, _) if is_there && self.attempts[id].kind == Kind::Connect => {
                    self.established(now, id, node);
                }
                (Stage::Entering, _) if is_there => self.enter(now, id, node),
                _ => {}
            }
        }
    }

    /// With blocking I/O, an attempt that leaves a service for good gives its node's slot back.
    pub(super) fn give_slot_back(&mut self, now: Instant, service: usize, kind: Kind, node: NodeId) {
        // To open a stream takes none, nor does what is done for it aside.
        if self.plan.services[service].holds_slot && kind == Kind::Request {
            self.release_slot(now, node);
            self.touch(now, node);
        }
    }
}
