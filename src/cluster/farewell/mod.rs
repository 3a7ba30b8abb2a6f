//! Servers that end connections on purpose: for their age, to empty a node, to make the nodes even.
//!
//! Whatever the reason, it is said in one way. Where nothing is under way the session leaves at once; else it leaves
//! after the last reply, or when the grace is over, and what is under way then fails. A stream that leaves is dropped
//! and comes back as its client does after any drop. A kept connection that is idle just closes: nobody notices.
//!
//! Whoever is *evicted* is also placed anew: what remembers its node is passed over once, since it would send it
//! back. Whoever has only reached the age of its connection is not: a cookie leads it to the same node again.
//!
//! What must be known of a session for that lies in a side table, which stays empty where nobody says goodbye.

pub mod age;
pub mod evict;
pub mod rebalance;

use super::plan::Plan;
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::id::{NodeId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::engine::Timer;
use crate::observe::Fact;
use evict::Pacer;

/// What a session has been told.
#[derive(Clone, Copy, Debug)]
struct Record {
    // When its connection has its age, or its grace is over.
    timer: Timer,
    // That came while the node's process stood still.
    is_overdue: bool,
    // Connections so far whose age was drawn: keys the draw.
    aged: u32,
    // It is to leave after the reply that it waits for.
    told: Option<Cause>,
    // It has left its node for this and has not been placed anew.
    left: Option<Cause>,
    // The node that it was told to leave.
    from: NodeId,
}

const NOTHING: Record =
    Record { timer: Timer::new(), is_overdue: false, aged: 0, told: None, left: None, from: NodeId::NONE };

/// What sessions have been told, and who is being emptied.
#[derive(Debug, Default)]
pub struct Farewells {
    /// Whether anybody may ever say goodbye: what is not used costs no more than this look.
    pub is_used: bool,
    records: Vec<Record>,
    // Sessions that wait for a last reply.
    waiting: u32,
    // By node:
    pacers: Vec<Pacer>,
    // Looks of the controller so far.
    looks: u64,
}

impl Farewells {
    /// Nobody has been told anything.
    pub fn new(plan: &Plan) -> Farewells {
        let is_used =
            plan.evicts() || plan.stops() || plan.nodes.iter().any(|node| node.spec.connection_max_age.is_some());
        let pacers = if is_used { plan.nodes.iter().map(|_| Pacer::default()).collect() } else { Vec::new() };
        Farewells { is_used, pacers, ..Farewells::default() }
    }

    /// Whether anybody waits for a last reply.
    #[inline]
    pub fn any_waits(&self) -> bool {
        self.waiting > 0
    }

    fn record(&mut self, id: SessionId) -> &mut Record {
        if id.index() >= self.records.len() {
            self.records.resize(id.index() + 1, NOTHING);
        }
        &mut self.records[id.index()]
    }

    fn of(&self, id: SessionId) -> Record {
        self.records.get(id.index()).copied().unwrap_or(NOTHING)
    }

    /// Whether a session was told to leave, and waits for a last reply.
    fn is_told(&self, id: SessionId) -> bool {
        self.of(id).told.is_some()
    }

    fn tell(&mut self, id: SessionId, cause: Cause, from: NodeId) {
        self.waiting += 1;
        let record = self.record(id);
        (record.told, record.from) = (Some(cause), from);
    }

    fn untell(&mut self, id: SessionId) {
        if self.record(id).told.take().is_some() {
            self.waiting -= 1;
        }
    }

    /// A session's connection is no more.
    pub fn closed(&mut self, id: SessionId) {
        self.untell(id);
        let record = self.record(id);
        record.timer.clear();
        record.is_overdue = false;
    }

    /// A session is no more: its slot knows nothing of it. An entry in the queue stays the timer's own.
    pub fn forget(&mut self, id: SessionId) {
        self.closed(id);
        let record = self.record(id);
        *record = Record { timer: record.timer, ..NOTHING };
    }

    /// A session has a place again.
    pub fn placed(&mut self, id: SessionId) {
        let record = self.record(id);
        if record.left.take().is_some() {
            record.from = NodeId::NONE;
        }
    }

    /// Why a session has left the node that it had, until it has a place again.
    #[inline]
    pub fn why_left(&self, id: SessionId) -> Option<Cause> {
        if self.is_used { self.of(id).left } else { None }
    }

    /// The node that an evicted session was bound to, until it has a place again.
    #[inline]
    pub fn evicted_from(&self, id: SessionId) -> Option<NodeId> {
        self.why_left(id).filter(|&cause| cause == Cause::Evicted)?;
        self.of(id).from.some()
    }
}

impl Sim<'_> {
    /// A node says goodbye to a session, which leaves now or after the reply that it waits for; when `grace` is over,
    /// without it.
    pub(super) fn say_goodbye(
        &mut self,
        now: Instant,
        id: SessionId,
        node: NodeId,
        cause: Cause,
        grace: Option<Duration>,
    ) {
        let population = self.sessions[id].population;
        match cause {
            Cause::Evicted => self.recorder.note(now, Fact::Evicted { population }),
            Cause::MaxAge => self.recorder.note(now, Fact::Aged { population }),
            _ => {}
        }
        if self.first_request(id).is_none() {
            return self.part_from(now, id, node, cause);
        }
        self.farewells.tell(id, cause, node);
        let timer = &mut self.farewells.record(id).timer;
        match grace.map(|grace| now + grace) {
            Some(due) if due < self.plan.end => timer.set(due, event::farewell(id), &mut self.queue),
            _ => timer.clear(),
        }
    }

    /// A session leaves its node; what is still under way on its connection fails.
    fn part_from(&mut self, now: Instant, id: SessionId, node: NodeId, cause: Cause) {
        self.farewells.untell(id);
        let record = self.farewells.record(id);
        (record.left, record.from) = (Some(cause), NodeId::NONE);
        if cause == Cause::Evicted {
            self.forget_place(now, id);
        }
        let session = &self.sessions[id];
        if self.linked.node(id.0) != Some(node) {
            return;
        }
        if self.is_stream(session.population) || self.first_request(id).is_some() {
            self.cut_connection(now, id, cause);
        } else {
            self.unlink(now, id);
        }
    }

    /// A session is bound to nobody, and has nothing in hand that says otherwise.
    fn forget_place(&mut self, now: Instant, id: SessionId) {
        let session = &mut self.sessions[id];
        let (population, before) = (session.population, std::mem::replace(&mut session.bound, NodeId::NONE));
        if let Some(before) = before.some() {
            self.farewells.record(id).from = before;
            self.count_bound(now, before, -1);
        }
        if self.plan.populations[population.index()].affinity.cookie().is_some() {
            self.jar.empty(id);
        }
    }

    /// A request has come to its end: if its session was told to leave and waits for nothing else, it does.
    #[inline(never)]
    pub(super) fn leave_if_told(&mut self, now: Instant, id: SessionId) {
        let Record { told, from, .. } = self.farewells.of(id);
        let Some(cause) = told.filter(|_| self.first_request(id).is_none()) else { return };
        if self.linked.node(id.0) == Some(from) || self.sessions[id].bound == from {
            return self.part_from(now, id, from, cause);
        }
        // Something else has taken it elsewhere meanwhile.
        self.farewells.untell(id);
    }

    /// Why a session for which nothing was proposed gets another node, if it has left its own for a reason that
    /// explains it: a hash goes by what it has always gone by, and a cookie that is not shown has another.
    #[inline]
    pub(super) fn moved_by_farewell(&self, id: SessionId) -> Option<Cause> {
        let cause = self.farewells.why_left(id)?;
        let remembers = self.plan.populations[self.sessions[id].population.index()].affinity.binds();
        let explains = match cause {
            Cause::Evicted => remembers || !self.plan.balancer.balance.0.binds(),
            _ => !remembers && !self.plan.balancer.balance.0.binds(),
        };
        explains.then_some(cause)
    }
}
