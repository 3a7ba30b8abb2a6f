//! The path of a request: one attempt walks from station to station until it is answered or cut.
//!
//! Route → (line) → (pause) → handshake → slot → store read → rebuild → work → store write → reply. With blocking I/O
//! the slot is taken before the read and kept until the write is done; otherwise only the work holds it.
//! A client that leaves does not take its work with it: the attempt goes on without a session.

use super::balancer::instances::ProcessId;
use super::balancer::view::passive::Seen;
use super::client::happens;
use super::patience::Entry;
use super::probing::is_probe;
use super::state::Visit;
use super::station::Offer;
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NONE, NodeId, PopulationId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::engine::Timer;
use crate::observe::Fact;
use crate::observe::trace::Happening;

/// What an attempt is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// To get a request answered.
    Request,
    /// To open a stream.
    Connect,
    /// Nobody's: the state of a stream is made, and written to its store.
    Aside,
}

/// Where an attempt is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// On its way to a node.
    Route,
    /// The client waits before it tries again.
    BackingOff,
    /// In line at the balancer for a place at its node, or at any.
    InLine,
    /// The balancer waits before it tries the node again, or another.
    Pause,
    /// The balancer waits for a silent host to accept the connection.
    Connecting,
    /// The node lets the client in.
    Handshake,
    /// In line for a slot of the node.
    Wait,
    /// The store reads the session's state.
    StoreRead,
    /// A rebuild service makes the session's state anew.
    Rebuild,
    /// The node works.
    Work,
    /// The store writes the session's state.
    StoreWrite,
    /// It has come to a frozen process that would ask the store.
    Entering,
    /// The store has written, and a frozen process has the reply.
    Written,
    /// The store has failed it, and a frozen process has yet to see that.
    Forsaken,
    /// Its host fell silent: no answer will come.
    Silent,
    /// Nowhere: its record has been given back.
    Gone,
    /// Its node has just died; whoever cuts it gives its record back.
    Cut,
    /// Its node died while a service was busy with it: the service hands it back to nobody.
    Orphaned,
}

impl Stage {
    /// Whether a service beside the nodes has it in hand.
    pub fn is_at_service(self) -> bool {
        matches!(self, Stage::StoreRead | Stage::Rebuild | Stage::StoreWrite)
    }
}

/// One try of a request, or to connect: two cache lines, and not parts of three.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Attempt {
    /// The session's name within its population: keys its draws, also when the client has left.
    pub who: u64,
    /// When the request was intended.
    pub intended: Instant,
    /// When this attempt left the client.
    pub sent: Instant,
    /// When the service that it visits, or visited last, was asked, or when it came to the line that it waits in.
    pub(super) asked: Instant,
    pub(super) demand: Duration,
    /// Ends a pause, a wait of the client, or a wait for a silent host.
    pub timer: Timer,
    /// The session that waits for the reply; none when its client has left.
    pub session: SessionId,
    /// The next of the session's attempts.
    pub sibling: AttemptId,
    /// The node that it is at, or tries.
    pub node: NodeId,
    /// The balancer process that it goes through.
    pub via: ProcessId,
    // Neighbours in the line of those that wait for a reply, oldest first.
    pub(super) before: u32,
    pub(super) after: u32,
    /// Ordinal of the request.
    pub request: u32,
    /// Its population.
    pub population: PopulationId,
    /// What it is for.
    pub kind: Kind,
    /// Where it is.
    pub stage: Stage,
    /// Tries so far, this one included.
    pub tries: u8,
    /// Connections refused in this try.
    pub refusals: u8,
    /// Why it is not where its session was bound, should that turn out to be so.
    pub moved_by: Cause,
    /// Whether the client has to get in with it first.
    pub entry: Entry,
    /// Whether it goes to the new version's side of a canary release.
    pub is_canary: bool,
    /// Whether it has a place at its node, in the balancer's books.
    pub placed: bool,
    /// Whether something binds its session to the node that it was sent to.
    pub is_bound: bool,
    pub(super) writes: bool,
    pub(super) missed: bool,
    // Its node must ask another for the state.
    pub(super) fetches: bool,
    // Missed, and answered with an error.
    pub(super) refused: bool,
    // Missed, and back from the rebuild service.
    pub(super) remade: bool,
    // Found in the node's near cache.
    pub(super) is_near: bool,
}

/// Attempts by slot; slots are used again.
#[derive(Debug, Default)]
pub struct Attempts {
    slots: Vec<Attempt>,
    free: Vec<AttemptId>,
}

impl Attempt {
    /// Whether its client waits for what a balancer process does.
    pub fn is_through(&self, process: ProcessId) -> bool {
        let is_under_way =
            !matches!(self.stage, Stage::Route | Stage::BackingOff | Stage::Gone | Stage::Cut | Stage::Orphaned);
        self.via == process && is_under_way && self.session.some().is_some()
    }
}

impl Attempts {
    /// All records, also those that are free.
    pub fn iter(&self) -> impl Iterator<Item = (AttemptId, &Attempt)> {
        (0..).map(AttemptId).zip(&self.slots)
    }

    /// Those whose clients wait for what a balancer process does.
    pub fn through(&self, process: ProcessId) -> Vec<AttemptId> {
        let found = (0..).zip(&self.slots).filter(|(_, attempt)| attempt.is_through(process));
        found.map(|(id, _)| AttemptId(id)).collect()
    }

    /// Whether there is any such.
    pub fn any_through(&self, process: ProcessId) -> bool {
        self.slots.iter().any(|attempt| attempt.is_through(process))
    }

    /// Takes a slot.
    #[inline]
    pub fn add(&mut self, attempt: Attempt) -> AttemptId {
        if let Some(id) = self.free.pop() {
            self.slots[id.index()] = attempt;
            return id;
        }
        let id = AttemptId(self.slots.len() as u32);
        self.slots.push(attempt);
        id
    }

    /// Gives the slot back. An entry that is still in the queue must not wake an attempt that is no more.
    pub fn free(&mut self, id: AttemptId) {
        self.slots[id.index()].timer.clear();
        self.slots[id.index()].stage = Stage::Gone;
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
    /// The record of an attempt that has not begun.
    #[inline(always)]
    pub(super) fn new_attempt(&mut self, now: Instant, id: SessionId, kind: Kind) -> AttemptId {
        let session = &self.sessions[id];
        let (who, population, sibling) = (session.who, session.population, session.attempt);
        let request = session.requests.saturating_sub(1);
        let people = &self.plan.populations[population.index()];
        let write_draw = &mut self.streams[population.index()].write.at(who, u64::from(request));
        let attempt = self.attempts.add(Attempt {
            who,
            intended: now,
            sent: now,
            asked: now,
            demand: Duration::ZERO,
            timer: Timer::new(),
            session: id,
            sibling,
            node: NodeId::NONE,
            via: ProcessId::NONE,
            before: NONE,
            after: NONE,
            request,
            population,
            kind,
            stage: Stage::Route,
            tries: 0,
            refusals: 0,
            // On a connection that is open nothing is routed.
            moved_by: Cause::Recalled,
            entry: Entry::Known,
            is_canary: false,
            placed: false,
            is_bound: false,
            writes: people.heeds_writes() && happens(people.write_ratio, write_draw),
            missed: false,
            fetches: false,
            refused: false,
            remade: false,
            is_near: false,
        });
        self.forget_tried(attempt);
        self.sessions[id].attempt = attempt;
        attempt
    }

    /// Every node may be tried from now on.
    #[inline]
    pub(super) fn forget_tried(&mut self, id: AttemptId) {
        if !self.tried.is_empty() {
            self.tried.remove(&id);
        }
    }

    /// Whether its client has left, and the node heeds that.
    pub(super) fn is_cancelled(&self, id: AttemptId) -> bool {
        let Attempt { session, population, .. } = self.attempts[id];
        session.some().is_none() && self.plan.populations[population.index()].cancels
    }

    /// An attempt that nobody waits for, and that holds nothing any more, is given up.
    pub(super) fn dismiss(&mut self, now: Instant, id: AttemptId) {
        self.leave_node(now, id);
        self.attempts.free(id);
    }

    /// The request reaches the application.
    #[inline]
    pub(super) fn enter(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        if self.attempts[id].entry == Entry::AtTheDoor {
            self.come_in(now, id);
        }
        if self.attempts[id].placed {
            self.saw(now, self.attempts[id].via, node, Seen::Connected);
        }
        if self.fleet.node(node).ills.answers_errors {
            return self.fail_at_node(now, id, Cause::BadAnswer);
        }
        match self.store_of(id) {
            Some(store) if !self.plan.services[store].holds_slot => {
                if self.fleet.get(node).ills.is_frozen {
                    return self.hold(id, node, Stage::Entering);
                }
                if self.finds_near(now, id) {
                    return self.take_slot(now, id, node);
                }
                self.visit(now, id, self.reads_at(store), Stage::StoreRead);
            }
            _ => self.take_slot(now, id, node),
        }
    }

    /// Where what is in a store is read: there, or at its replicas.
    pub(super) fn reads_at(&self, store: usize) -> usize {
        self.plan.services[store].reads_at.unwrap_or(store)
    }

    #[inline]
    pub(super) fn store_of(&self, id: AttemptId) -> Option<usize> {
        self.plan.populations[self.attempts[id].population.index()].state.store
    }

    #[inline]
    pub(super) fn take_slot(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        (self.attempts[id].stage, self.attempts[id].asked) = (Stage::Wait, now);
        match self.fleet.node(node).work.offer(id.0) {
            Offer::Started if self.slot_taken(now, id, node) => {}
            Offer::Started => self.release_slot(now, node),
            Offer::Queued => {}
            Offer::Full => self.fail_at_node(now, id, Cause::QueueFull),
        }
        self.touch(now, node);
    }

    /// An attempt has a slot; `false` when it does not need it: it has failed at once or waits elsewhere.
    #[inline]
    fn slot_taken(&mut self, now: Instant, id: AttemptId, node: NodeId) -> bool {
        if is_probe(id) {
            self.work_on_probe(now, id.0, node);
            return true;
        }
        if self.attempts[id].kind == Kind::Aside {
            return self.rebuild_taken(now, id, node);
        }
        match self.store_of(id) {
            Some(store) if self.plan.services[store].holds_slot && !self.finds_near(now, id) => {
                self.visit(now, id, self.reads_at(store), Stage::StoreRead)
            }
            _ => self.begin_work(now, id, node),
        }
    }

    /// A rebuild that no request waits for has a slot.
    #[inline(never)]
    fn rebuild_taken(&mut self, now: Instant, id: AttemptId, node: NodeId) -> bool {
        let demand = self.attempts[id].demand;
        self.work_on(now, id, node, demand);
        true
    }

    /// A slot is free for the next in line that can use it.
    #[inline]
    pub(super) fn release_slot(&mut self, now: Instant, node: NodeId) {
        while let Some(next) = self.fleet.node(node).work.release() {
            if !self.is_overdue(now, next, node, |spec| spec.queue.deadline)
                && self.slot_taken(now, AttemptId(next), node)
            {
                return;
            }
        }
    }

    /// The node begins to work on an attempt that has a slot.
    #[inline]
    pub(super) fn work(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        let Attempt { who, request, population, missed, refused, .. } = self.attempts[id];
        let service = self.streams[population.index()].service;
        let people = &self.plan.populations[population.index()];
        let mut demand = people.service.duration(&mut service.at(who, u64::from(request)));
        if missed && !refused {
            demand += self.rebuild_demand(now, id);
        }
        if people.state.care.is_some() {
            demand += self.care(id);
        }
        if people.state.size > 0 {
            self.carry(now, id);
        }
        self.work_on(now, id, node, demand);
    }

    /// The node works on an attempt for so long, or longer while it warms up.
    #[inline(always)]
    fn work_on(&mut self, now: Instant, id: AttemptId, node: NodeId, demand: Duration) {
        let demand = self.warmed(now, node, demand);
        (self.attempts[id].stage, self.attempts[id].demand) = (Stage::Work, demand);
        self.fleet.node(node).work.work(now, id.0, demand);
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

    #[inline]
    fn worked(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        if is_probe(id) {
            return self.probe_worked(now, id.0, node);
        }
        let Attempt { who, population, session, demand: spent, writes, missed, refused, .. } = self.attempts[id];
        if self.attempts[id].kind == Kind::Aside {
            self.recorder.note(now, Fact::Worked { population, spent, wasted: false });
            self.release_slot(now, node);
            return self.write_aside(now, id);
        }
        let wasted = session.some().is_none();
        self.recorder.note(now, Fact::Worked { population, spent, wasted });
        self.note_worked(now, node);
        let errs = !refused && self.errs(id, node);
        let writes = writes && !errs;
        if let Some(session) = session.some() {
            match refused {
                true => self.keepers[population.index()].tell(session),
                false => self.keep_state(population, &Visit { now, session, who, node, writes, made: missed }),
            }
        }
        let store = self.store_of(id).filter(|_| writes && !refused);
        let keeps_slot = store.is_some_and(|store| self.plan.services[store].holds_slot);
        if !keeps_slot {
            self.release_slot(now, node);
        }
        match store {
            Some(store) if self.visit(now, id, store, Stage::StoreWrite) => {}
            Some(_) if keeps_slot => self.release_slot(now, node),
            Some(_) => {}
            None if refused => self.fail_at_node(now, id, Cause::SessionUnknown),
            None if errs => self.fail_at_node(now, id, Cause::BadVersion),
            None => self.reply(now, id),
        }
    }

    /// The reply leaves the node; the client, if it is still there, has it.
    #[inline]
    pub(super) fn reply(&mut self, now: Instant, id: AttemptId) {
        let attempt = self.attempts[id];
        if attempt.placed {
            self.saw(now, attempt.via, attempt.node, Seen::Answered);
        }
        self.note_served(now, id, false);
        self.leave_node(now, id);
        let session = self.part(id);
        self.attempts.free(id);
        if let Some(session) = session {
            let (who, after) = (self.sessions[session].name(), now.since(attempt.intended));
            self.recorder.trace.note(now, Happening::Answered { who, node: attempt.node, after });
            // On a connection that hangs on its node nothing is routed, and nothing is learnt.
            if attempt.placed {
                self.heard_from(now, session, &attempt);
            } else {
                self.bind(now, session, attempt.node, attempt.moved_by);
            }
            self.note_split(now, attempt.population, attempt, false);
            self.close_if_used_up(now, session);
            if self.limits_retries {
                self.refund(session, id);
            }
            self.request_succeeded(now, session, attempt.intended);
            if self.farewells.any_waits() {
                self.leave_if_told(now, session);
            }
        }
    }

    /// The attempt is at a node from now on.
    #[inline(always)]
    pub(super) fn reach(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        self.at_node.bind(id.0, node);
        self.recorder.note(now, Fact::InFlight { node, by: 1 });
        self.weigh(now, node);
    }

    /// The attempt is no longer the node's or the balancer's concern.
    #[inline]
    pub(super) fn leave_node(&mut self, now: Instant, id: AttemptId) {
        self.give_place_back(id);
        self.leave_node_only(now, id);
    }

    /// The attempt is no longer the node's concern.
    #[inline(always)]
    fn leave_node_only(&mut self, now: Instant, id: AttemptId) {
        let node = self.attempts[id].node;
        self.at_node.unbind(id.0);
        self.recorder.note(now, Fact::InFlight { node, by: -1 });
        self.weigh(now, node);
    }

    /// The node answers an attempt with an error, or never.
    pub(super) fn fail_at_node(&mut self, now: Instant, id: AttemptId, cause: Cause) {
        self.saw_failure(now, id, cause);
        self.leave_node_only(now, id);
        self.fail_in_hand(now, id, cause);
    }
}
