//! The store on the path of a request: what is asked of it, and what follows from its answers.

use super::request::{Attempt, Stage};
use super::station::Offer;
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId};
use crate::base::time::Instant;
use crate::observe::Fact;

impl Sim<'_> {
    /// Asks the store; `false` when its line was full and the attempt has failed.
    pub(super) fn visit_store(&mut self, now: Instant, id: AttemptId, store: usize, stage: Stage) -> bool {
        let attempt = &mut self.attempts[id];
        let streams = &self.streams[attempt.population.index()];
        let spec = &self.plan.stores[store];
        let (law, stream) = match stage {
            Stage::StoreWrite => (&spec.write, streams.store_write),
            _ => (&spec.read, streams.store_read),
        };
        let demand = law.duration(&mut stream.at(attempt.who, u64::from(attempt.request)));
        (attempt.stage, attempt.asked, attempt.demand) = (stage, now, demand);
        let offer = self.stores[store].offer(id.0);
        match offer {
            Offer::Started => self.store_works(now, id, store),
            Offer::Queued => {}
            Offer::Full => self.fail_at_node(now, id, Cause::StoreFull),
        }
        self.stores[store].rearm(now, event::store(store), &mut self.queue);
        offer != Offer::Full
    }

    // What was asked is asked: an attempt whose node has died meanwhile does not change it.
    fn store_works(&mut self, now: Instant, id: AttemptId, store: usize) {
        self.stores[store].work(now, id.0, self.attempts[id].demand);
    }

    /// A store has answered.
    pub(super) fn on_store(&mut self, now: Instant, store: usize) {
        if !self.stores[store].fires(now, event::store(store), &mut self.queue) {
            return;
        }
        while let Some(job) = self.stores[store].finish(now) {
            if let Some(next) = self.stores[store].release() {
                self.store_works(now, AttemptId(next), store);
            }
            self.store_answered(now, AttemptId(job), store);
        }
        self.stores[store].rearm(now, event::store(store), &mut self.queue);
    }

    fn store_answered(&mut self, now: Instant, id: AttemptId, store: usize) {
        let Attempt { stage, node, population, asked, .. } = self.attempts[id];
        let after = now.since(asked);
        self.recorder.note(now, Fact::StoreAnswered { population, after });
        match stage {
            Stage::StoreRead | Stage::StoreWrite if self.fleet.get(node).is_silent => self.hear_nothing(now, id),
            Stage::StoreWrite if self.fleet.get(node).is_frozen => self.hold(id, node, Stage::Written),
            Stage::StoreRead if self.is_cancelled(id) => {
                self.give_slot_back(now, id, store);
                self.dismiss(now, id);
            }
            Stage::StoreRead if self.plan.stores[store].holds_slot => {
                self.work(now, id, node);
                self.touch(now, node);
            }
            Stage::StoreRead => self.take_slot(now, id, node),
            Stage::StoreWrite => self.written(now, id, store),
            _ => self.attempts.free(id),
        }
    }

    fn written(&mut self, now: Instant, id: AttemptId, store: usize) {
        self.give_slot_back(now, id, store);
        self.reply(now, id);
    }

    /// A frozen process will see to an attempt when it goes on.
    pub(super) fn hold(&mut self, id: AttemptId, node: NodeId, stage: Stage) {
        self.attempts[id].stage = stage;
        self.fleet.node(node).held.push(id);
    }

    /// A process goes on after a freeze, with what has come in meanwhile.
    pub(super) fn take_up_held(&mut self, now: Instant, node: NodeId) {
        for id in std::mem::take(&mut self.fleet.node(node).held) {
            // One whose client left may be gone, and its record another's.
            let is_there = self.at_node.node(id.0) == Some(node);
            match (self.attempts[id].stage, self.store_of(id)) {
                (Stage::Written, Some(store)) if is_there => self.written(now, id, store),
                (Stage::Entering, _) if is_there && self.is_cancelled(id) => self.dismiss(now, id),
                (Stage::Entering, _) if is_there => self.enter(now, id, node),
                _ => {}
            }
        }
    }

    /// With blocking store I/O, an attempt that leaves the store for good gives its node's slot back.
    fn give_slot_back(&mut self, now: Instant, id: AttemptId, store: usize) {
        if self.plan.stores[store].holds_slot {
            let node = self.attempts[id].node;
            self.release_slot(now, node);
            self.touch(now, node);
        }
    }
}
