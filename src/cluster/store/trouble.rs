//! What becomes of requests when a store is in trouble, and of what it held.

use super::outage::{Acked, Aftermath, Shape, Trouble};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId, SessionId};
use crate::base::time::Instant;
use crate::cluster::request::{Attempt, Kind, Stage};
use crate::cluster::state::{Keep, OnFailure, Toll};
use crate::cluster::{Sim, event};
use crate::observe::Fact;

impl Sim<'_> {
    /// Whether a store fails an operation of `node`, and how.
    #[inline]
    pub(in crate::cluster) fn store_fails(&self, now: Instant, service: usize, node: NodeId) -> Option<Trouble> {
        self.plan.services[service].rules.as_ref()?;
        self.stores[service].trouble(now, node)
    }

    /// An operation begins that will come to nothing. Whether the attempt goes on to need the slot that it has.
    #[inline(never)]
    pub(in crate::cluster) fn visit_in_vain(
        &mut self,
        now: Instant,
        id: AttemptId,
        service: usize,
        trouble: Trouble,
    ) -> bool {
        match trouble {
            Trouble::Unanswered => {
                self.await_in_vain(now, id, service);
                true
            }
            Trouble::Refused => self.do_without(now, id, service, Cause::StoreDown),
        }
    }

    /// An attempt waits for a store that will not answer.
    fn await_in_vain(&mut self, now: Instant, id: AttemptId, service: usize) {
        let Some(rules) = &self.plan.services[service].rules else { return };
        let store = &mut self.stores[service];
        if store.is_inside(self.attempts[id].node) {
            return store.unanswered.for_ever.push(id);
        }
        let gives_up = now + rules.timeout;
        if store.unanswered.for_a_while.is_empty() {
            store.unanswered.timer.set(gives_up, event::store_timeout(service), &mut self.queue);
        }
        store.unanswered.for_a_while.push_back((gives_up, id));
    }

    /// Those who have waited for a store long enough wait no longer.
    fn on_store_timeout(&mut self, now: Instant, service: usize) {
        let event = event::store_timeout(service);
        if !self.stores[service].unanswered.timer.fires(now, event, &mut self.queue) {
            return;
        }
        // What follows from giving one up may be that others wait anew, behind all who wait already.
        while let Some(&(due, id)) = self.stores[service].unanswered.for_a_while.front() {
            if due > now {
                return self.stores[service].unanswered.timer.set(due, event, &mut self.queue);
            }
            self.stores[service].unanswered.for_a_while.pop_front();
            self.store_has_failed(now, id, service, Cause::StoreTimeout);
        }
    }

    /// An operation that was under way has failed.
    pub(in crate::cluster) fn store_has_failed(&mut self, now: Instant, id: AttemptId, service: usize, cause: Cause) {
        let Attempt { stage, node, kind, .. } = self.attempts[id];
        if !stage.is_at_service() {
            return self.attempts.free(id); // An orphan.
        }
        if self.fleet.get(node).is_silent() {
            return self.hear_nothing(now, id);
        }
        if !self.do_without(now, id, service, cause) {
            self.give_slot_back(now, service, kind, node);
        }
        self.touch(now, node);
    }

    /// The application does without the store, or fails; whether it needs the slot that it has.
    pub(in crate::cluster) fn do_without(&mut self, now: Instant, id: AttemptId, service: usize, cause: Cause) -> bool {
        let Attempt { stage, population, node, kind, .. } = self.attempts[id];
        if self.fleet.get(node).ills.is_frozen {
            self.hold_failure(id, node, service, cause);
            return true;
        }
        self.recorder.note(now, Fact::StoreFailed { population });
        if stage != Stage::StoreWrite && self.is_cancelled(id) {
            self.dismiss(now, id);
            return false;
        }
        if self.plan.populations[population.index()].state.on_failure == OnFailure::Error && kind != Kind::Aside {
            self.fail_at_node(now, id, cause);
            return false;
        }
        if stage == Stage::StoreWrite {
            self.recorder.note(now, Fact::WriteLost { population, cause });
            self.done_writing(now, id);
            return false;
        }
        self.recorder.note(now, Fact::StaleRead { population, cause });
        if kind == Kind::Connect {
            self.opens(now, id, node);
            return false;
        }
        if self.plan.services[service].holds_slot {
            return self.begin_work(now, id, node);
        }
        self.take_slot(now, id, node);
        true
    }

    /// A fault befalls a store.
    pub(in crate::cluster) fn begin_outage(&mut self, now: Instant, service: usize, shape: Shape, inside: Vec<NodeId>) {
        let Some(rules) = &self.plan.services[service].rules else { return };
        // A primary that has not been told yet that it is none is told now.
        self.end_outage(now, service);
        let (promoted_at, lost) = self.stores[service].begin(now, shape, inside, rules, self.seed);
        self.wake_store(promoted_at, service);
        self.suffer_loss(now, service, lost);
        let mut under_way = Vec::new();
        self.services[service].drain(&mut under_way);
        self.touch_service(now, service);
        for id in under_way.into_iter().map(AttemptId) {
            let node = self.attempts[id].node;
            match self.store_fails(now, service, node) {
                Some(Trouble::Refused) => self.store_has_failed(now, id, service, Cause::StoreDown),
                Some(Trouble::Unanswered) => self.await_in_vain(now, id, service),
                None => self.ask_store_again(now, id, service),
            }
        }
        // With everything else the replicas go, which answer reads whatever becomes of their primary.
        if shape == Shape::Lost
            && let Some(replicas) = self.plan.services[service].reads_at
        {
            self.begin_outage(now, replicas, shape, Vec::new());
        }
    }

    /// A fault of a store is over.
    pub(in crate::cluster) fn end_outage(&mut self, now: Instant, service: usize) {
        let Some(rules) = &self.plan.services[service].rules else { return };
        // Nobody takes over any more, not even in the next outage.
        self.stores[service].timer.clear();
        let aftermath = self.stores[service].end(now, rules);
        self.suffer_loss(now, service, aftermath);
        for id in self.stores[service].unanswered.take() {
            self.ask_store_again(now, id, service);
        }
        if let Some(replicas) = self.plan.services[service].reads_at {
            self.end_outage(now, replicas);
        }
    }

    fn suffer_loss(&mut self, now: Instant, service: usize, aftermath: Aftermath) {
        match aftermath {
            Aftermath::Nothing => {}
            Aftermath::Writes(writes) => self.lose_writes(now, &writes, Cause::Partition),
            Aftermath::Everything(kept) => self.revert_store(now, service, kept),
            Aftermath::Returned(told_at) => self.wake_store(told_at, service),
        }
    }

    /// A replica takes over, a primary that hung is told that it is none any more, or somebody has waited long enough.
    pub(in crate::cluster) fn on_store(&mut self, now: Instant, data: u32) {
        let service = (data & !event::STORE_TIMEOUT) as usize;
        if data & event::STORE_TIMEOUT != 0 {
            return self.on_store_timeout(now, service);
        }
        if !self.stores[service].timer.fires(now, event::store(service), &mut self.queue) {
            return;
        }
        let Some(rules) = &self.plan.services[service].rules else { return };
        match self.stores[service].promote(now, rules, self.plan.nodes.len(), self.seed) {
            Some(lost) => self.lose_writes(now, &lost, Cause::Failover),
            None => self.end_outage(now, service),
        }
    }

    fn wake_store(&mut self, at: Instant, service: usize) {
        if at < self.plan.end {
            self.stores[service].timer.set(at, event::store(service), &mut self.queue);
        }
    }

    /// A primary that goes on, or that was left on somebody's side, is asked what it was asked before.
    fn ask_store_again(&mut self, now: Instant, id: AttemptId, service: usize) {
        let Attempt { stage, node, kind, .. } = self.attempts[id];
        if !stage.is_at_service() {
            return self.attempts.free(id);
        }
        let keeps = self.visit(now, id, service, stage);
        if !keeps {
            self.give_slot_back(now, service, kind, node);
        }
        self.touch(now, node);
    }

    /// A write was acknowledged.
    pub(in crate::cluster) fn acknowledge(&mut self, now: Instant, id: AttemptId, service: usize) {
        let Some(rules) = &self.plan.services[service].rules else { return };
        let Attempt { population, who, node, .. } = self.attempts[id];
        let session = self.whose(id);
        let first = session.some().is_some_and(|session| self.keepers[population.index()].written(now, session));
        self.stores[service].acknowledge(Acked { at: now, population, who, session, first }, node, rules);
    }

    /// A read has been answered; whether by replicas that have not had the session's last write yet.
    pub(in crate::cluster) fn has_read(&mut self, now: Instant, session: SessionId, service: usize) -> bool {
        let population = self.sessions[session].population;
        if let Some(store) = self.plan.populations[population.index()].state.store {
            self.used_in_store(session, store);
        }
        let Some(lag) = self.plan.services[service].behind else { return false };
        let written = self.keepers[population.index()].last_written(session);
        let is_behind = written.is_some_and(|at| at + lag > now);
        if is_behind {
            self.recorder.note(now, Fact::StaleRead { population, cause: Cause::Lagging });
        }
        is_behind
    }

    /// Writes that were acknowledged are gone, and with a first one its session's state.
    fn lose_writes(&mut self, now: Instant, writes: &[Acked], cause: Cause) {
        for &Acked { population, who, session, first, .. } in writes {
            self.recorder.note(now, Fact::WriteLost { population, cause });
            let Some(session) = session.some().filter(|_| first) else { continue };
            let record = &self.sessions[session];
            let is_there = record.is_live() && record.who == who && record.population == population;
            if is_there && self.keepers[population.index()].expire(session) {
                self.gone_from_store(now, population, session);
                self.recorder.note(now, Fact::Lost { population, session, cause });
            }
        }
    }

    /// All that a store held is gone, but for what was there at that time.
    fn revert_store(&mut self, now: Instant, service: usize, kept: Option<Instant>) {
        for index in 0..self.keepers.len() {
            if self.plan.populations[index].state.store == Some(service) {
                let mut held = self.stores[service].held.take();
                let revert = |keeper: &mut dyn Keep, toll: &mut Toll| {
                    keeper.revert(kept, toll);
                    for &session in &toll.lost {
                        held.as_mut().map(|held| held.remove(session));
                    }
                };
                self.change_keeper(now, index, Cause::StoreLost, revert);
                self.stores[service].held = held;
            }
        }
        if self.stores[service].held.is_some() {
            self.note_store_memory(now);
        }
    }
}
