//! The path of a request: one attempt walks from station to station until it is answered or cut.
//!
//! Route → (pause) → handshake → slot → store read → work → store write → reply. With blocking store I/O
//! the slot is taken before the read and kept until the write is done; otherwise only the work holds it.
//! A client that leaves does not take its work with it: the attempt goes on without a session.

use super::balancer::Route;
use super::client::happens;
use super::state::{Look, OnMissing};
use super::station::Offer;
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NONE, NodeId, PopulationId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::engine::Timer;
use crate::observe::Fact;

/// Where an attempt is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The balancer waits before it tries the node again.
    Pause,
    /// The node lets the client in.
    Handshake,
    /// In line for a slot of the node.
    Wait,
    /// The store reads the session's state.
    StoreRead,
    /// The node works.
    Work,
    /// The store writes the session's state.
    StoreWrite,
    /// Its node died while the store was busy with it: nobody waits for the answer.
    Orphaned,
}

/// One try of a request.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    who: u64,
    pub(super) sent: Instant,
    /// When the store was asked.
    asked: Instant,
    demand: Duration,
    pub(super) timer: Timer,
    /// The session that waits for the reply; none when its client has left.
    pub(super) session: SessionId,
    pub(super) node: NodeId,
    // Neighbours in the line of those that wait for a reply, oldest first.
    pub(super) before: u32,
    pub(super) after: u32,
    request: u32,
    pub(super) population: PopulationId,
    /// Where it is.
    pub stage: Stage,
    refusals: u8,
    /// Why it is not where its session was bound, should that turn out to be so.
    moved_by: Cause,
    writes: bool,
    connects: bool,
    missed: bool,
    // Missed, and answered with an error.
    refused: bool,
}

/// Attempts by slot; slots are used again.
#[derive(Debug, Default)]
pub struct Attempts {
    slots: Vec<Attempt>,
    free: Vec<AttemptId>,
}

impl Attempts {
    fn add(&mut self, attempt: Attempt) -> AttemptId {
        if let Some(id) = self.free.pop() {
            self.slots[id.index()] = attempt;
            return id;
        }
        let id = AttemptId(self.slots.len() as u32);
        self.slots.push(attempt);
        id
    }

    /// Gives the slot back.
    pub fn free(&mut self, id: AttemptId) {
        self.free.push(id);
    }
}

impl std::ops::Index<AttemptId> for Attempts {
    type Output = Attempt;
    #[inline]
    fn index(&self, id: AttemptId) -> &Attempt {
        &self.slots[id.index()]
    }
}

impl std::ops::IndexMut<AttemptId> for Attempts {
    #[inline]
    fn index_mut(&mut self, id: AttemptId) -> &mut Attempt {
        &mut self.slots[id.index()]
    }
}

impl Sim<'_> {
    /// An attempt leaves the client.
    pub(super) fn start_attempt(&mut self, now: Instant, id: SessionId, connects: bool) {
        let session = &self.sessions[id];
        let (who, population, bound) = (session.who, session.population, session.bound);
        let request = session.requests - 1;
        self.keepers[population.index()].fetch(id);
        let people = &self.plan.populations[population.index()];
        let affinity = people.affinity.propose(bound.some());
        let write_draw = &mut self.streams[population.index()].write.at(who, u64::from(request));
        let attempt = self.attempts.add(Attempt {
            who,
            sent: now,
            asked: now,
            demand: Duration::ZERO,
            timer: Timer::new(),
            session: id,
            node: NodeId::NONE,
            before: NONE,
            after: NONE,
            request,
            population,
            stage: Stage::Pause,
            refusals: 0,
            moved_by: if affinity.is_some() { Cause::Unavailable } else { Cause::Membership },
            writes: people.state.store.is_some() && happens(people.write_ratio, write_draw),
            connects,
            missed: false,
            refused: false,
        });
        self.sessions[id].attempt = attempt;
        self.stand_in_line(now, attempt);
        let ask = self.ask(id);
        let route = self.balancer.route(&ask, affinity);
        self.follow(now, attempt, route);
    }

    fn follow(&mut self, now: Instant, id: AttemptId, route: Route) {
        match route {
            Route::To(node) => self.connect(now, id, node),
            Route::Pause(node, pause) => {
                let attempt = &mut self.attempts[id];
                (attempt.stage, attempt.node) = (Stage::Pause, node);
                attempt.timer.set(now + pause, event::attempt(id), &mut self.queue);
            }
            Route::Refuse(cause) => self.fail(now, id, cause),
        }
    }

    /// The balancer opens a connection to `node`.
    fn connect(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        if !self.fleet.is_up(node) {
            return self.on_refused(now, id, node);
        }
        self.attempts[id].node = node;
        self.at_node.bind(id.0, node);
        self.balancer.sent(node);
        self.recorder.note(now, Fact::InFlight { node, by: 1 });
        if self.plan.node.handshake.is_some() && self.attempts[id].connects {
            self.ask_to_enter(now, id, node);
        } else {
            self.enter(now, id, node);
        }
    }

    /// Nothing listened on `node`.
    fn on_refused(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        let attempt = &mut self.attempts[id];
        attempt.refusals = attempt.refusals.saturating_add(1);
        attempt.moved_by = Cause::Refused;
        let (session, refusals) = (attempt.session, u32::from(attempt.refusals));
        let ask = self.ask(session);
        let route = self.balancer.refused(&ask, node, refusals);
        self.follow(now, id, route);
    }

    /// The pause before another try is over.
    pub(super) fn on_attempt(&mut self, now: Instant, id: AttemptId) {
        let attempt = &mut self.attempts[id];
        if attempt.timer.fires(now, event::attempt(id), &mut self.queue) && attempt.stage == Stage::Pause {
            let node = attempt.node;
            self.connect(now, id, node);
        }
    }

    fn ask_to_enter(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        self.attempts[id].stage = Stage::Handshake;
        match self.fleet.node(node).accept.offer(id.0) {
            Offer::Started => self.let_in(now, id, node),
            Offer::Queued => {}
            Offer::Full => self.fail_at_node(now, id, Cause::AcceptFull),
        }
        self.fleet.node(node).accept.rearm(now, event::accept(node), &mut self.queue);
    }

    pub(super) fn let_in(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        let attempt = &self.attempts[id];
        let mut draw = self.streams[attempt.population.index()].handshake.at(attempt.who, u64::from(attempt.request));
        let demand = self.plan.node.handshake.as_ref().map_or(Duration::ZERO, |law| law.duration(&mut draw));
        self.fleet.node(node).accept.work(now, id.0, demand);
    }

    /// A node has let clients in.
    pub(super) fn on_accept(&mut self, now: Instant, node: NodeId) {
        if !self.fleet.node(node).accept.fires(now, event::accept(node), &mut self.queue) {
            return;
        }
        while let Some(job) = self.fleet.node(node).accept.finish(now) {
            if let Some(next) = self.fleet.node(node).accept.release() {
                self.let_in(now, AttemptId(next), node);
            }
            self.admitted(now, AttemptId(job), node);
        }
        self.fleet.node(node).accept.rearm(now, event::accept(node), &mut self.queue);
    }

    fn admitted(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        if self.is_cancelled(id) { self.dismiss(now, id) } else { self.enter(now, id, node) }
    }

    /// Whether its client has left, and the node heeds that.
    fn is_cancelled(&self, id: AttemptId) -> bool {
        let Attempt { session, population, .. } = self.attempts[id];
        session.some().is_none() && self.plan.populations[population.index()].cancels
    }

    /// An attempt that nobody waits for, and that holds nothing any more, is given up.
    pub(super) fn dismiss(&mut self, now: Instant, id: AttemptId) {
        self.leave_node(now, id);
        self.attempts.free(id);
    }

    /// The request reaches the application.
    fn enter(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        match self.store_of(id) {
            Some(store) if !self.plan.stores[store].holds_slot => {
                self.visit_store(now, id, store, Stage::StoreRead);
            }
            _ => self.take_slot(now, id, node),
        }
    }

    fn store_of(&self, id: AttemptId) -> Option<usize> {
        self.plan.populations[self.attempts[id].population.index()].state.store
    }

    fn take_slot(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        self.attempts[id].stage = Stage::Wait;
        match self.fleet.node(node).work.offer(id.0) {
            Offer::Started if self.slot_taken(now, id, node) => {}
            Offer::Started => self.release_slot(now, node),
            Offer::Queued => {}
            Offer::Full => self.fail_at_node(now, id, Cause::QueueFull),
        }
        self.touch(now, node);
    }

    /// An attempt has a slot; `false` when it has failed at once and does not need it.
    fn slot_taken(&mut self, now: Instant, id: AttemptId, node: NodeId) -> bool {
        match self.store_of(id) {
            Some(store) if self.plan.stores[store].holds_slot => self.visit_store(now, id, store, Stage::StoreRead),
            _ => {
                self.work(now, id, node);
                true
            }
        }
    }

    /// Asks the store; `false` when its line was full and the attempt has failed.
    fn visit_store(&mut self, now: Instant, id: AttemptId, store: usize, stage: Stage) -> bool {
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
            Stage::StoreRead if self.is_cancelled(id) => {
                self.give_slot_back(now, id, store);
                self.dismiss(now, id);
            }
            Stage::StoreRead if self.plan.stores[store].holds_slot => {
                self.work(now, id, node);
                self.touch(now, node);
            }
            Stage::StoreRead => self.take_slot(now, id, node),
            Stage::StoreWrite => {
                self.give_slot_back(now, id, store);
                self.reply(now, id);
            }
            _ => self.attempts.free(id),
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

    /// A slot is free for the next in line that can use it.
    pub(super) fn release_slot(&mut self, now: Instant, node: NodeId) {
        while let Some(next) = self.fleet.node(node).work.release() {
            if self.slot_taken(now, AttemptId(next), node) {
                return;
            }
        }
    }

    /// The node begins to work on an attempt that has a slot.
    fn work(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        let Attempt { who, request, population, session, .. } = self.attempts[id];
        let people = &self.plan.populations[population.index()];
        let nth = u64::from(request);
        let streams = &self.streams[population.index()];
        let mut demand = people.service.duration(&mut streams.service.at(who, nth));
        if let Some(session) = session.some() {
            let look = self.keepers[population.index()].look(session, node);
            self.take_in(now, id, session, look);
        }
        let Attempt { missed, refused, .. } = self.attempts[id];
        if missed
            && !refused
            && let Some(law) = &people.state.rebuild
        {
            let rebuild = law.duration(&mut self.streams[population.index()].rebuild.at(who, nth));
            self.recorder.note(now, Fact::Rebuilt { population, work: rebuild });
            demand += rebuild;
        }
        (self.attempts[id].stage, self.attempts[id].demand) = (Stage::Work, demand);
        self.fleet.node(node).work.work(now, id.0, demand);
    }

    /// What the node found when it looked for the session's state.
    fn take_in(&mut self, now: Instant, id: AttemptId, session: SessionId, look: Look) {
        let population = self.attempts[id].population;
        let missed = matches!(look, Look::Missing | Look::Elsewhere | Look::Told);
        let on_missing = self.plan.populations[population.index()].state.on_missing;
        self.attempts[id].missed = missed;
        self.attempts[id].refused = missed && look != Look::Told && on_missing == OnMissing::Error;
        if missed || look == Look::Here {
            self.recorder.note(now, Fact::LookedUp { population, hit: !missed });
        }
        if look == Look::Elsewhere {
            self.keepers[population.index()].give_up(session);
            self.recorder.note(now, Fact::Lost { population, session, cause: Cause::ServedElsewhere });
        }
    }

    /// A node has finished work.
    pub(super) fn on_work(&mut self, now: Instant, node: NodeId) {
        if !self.fleet.node(node).work.fires(now, event::work(node), &mut self.queue) {
            return;
        }
        while let Some(job) = self.fleet.node(node).work.finish(now) {
            self.worked(now, AttemptId(job), node);
        }
        self.touch(now, node);
    }

    fn worked(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        let Attempt { population, session, demand: spent, writes, refused, .. } = self.attempts[id];
        let wasted = session.some().is_none();
        self.recorder.note(now, Fact::Worked { population, spent, wasted });
        if let Some(session) = session.some() {
            let keeper = &mut self.keepers[population.index()];
            if refused { keeper.tell(session) } else { keeper.keep(session, node) }
        }
        let store = self.store_of(id).filter(|_| writes && !refused);
        let keeps_slot = store.is_some_and(|store| self.plan.stores[store].holds_slot);
        if !keeps_slot {
            self.release_slot(now, node);
        }
        match store {
            Some(store) if self.visit_store(now, id, store, Stage::StoreWrite) => {}
            Some(_) if keeps_slot => self.release_slot(now, node),
            Some(_) => {}
            None if refused => self.fail_at_node(now, id, Cause::SessionUnknown),
            None => self.reply(now, id),
        }
    }

    /// The reply leaves the node; the client, if it is still there, has it.
    fn reply(&mut self, now: Instant, id: AttemptId) {
        let Attempt { node, moved_by, .. } = self.attempts[id];
        self.leave_node(now, id);
        let session = self.part(now, id);
        self.attempts.free(id);
        if let Some(session) = session {
            self.bind(now, session, node, moved_by);
            self.request_succeeded(now, session);
        }
    }

    /// The attempt is no longer the node's or the balancer's concern.
    pub(super) fn leave_node(&mut self, now: Instant, id: AttemptId) {
        let node = self.attempts[id].node;
        self.at_node.unbind(id.0);
        self.balancer.done(node);
        self.recorder.note(now, Fact::InFlight { node, by: -1 });
    }

    /// The node answers an attempt with an error.
    fn fail_at_node(&mut self, now: Instant, id: AttemptId, cause: Cause) {
        self.leave_node(now, id);
        self.fail(now, id, cause);
    }

    /// An attempt that is at no node fails.
    fn fail(&mut self, now: Instant, id: AttemptId, cause: Cause) {
        let session = self.part(now, id);
        self.attempts.free(id);
        if let Some(session) = session {
            self.attempt_failed(now, session, cause);
        }
    }
}
