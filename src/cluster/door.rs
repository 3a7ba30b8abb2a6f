//! The door of a node: who is let in, how fast, in which order, and who is turned away.
//!
//! A client that is let in has cost the node a handshake, one at a time. One that has left in the meantime costs as
//! much, unless its population `cancels`: a kernel does not tell that whoever waits in its accept queue has gone. What
//! a server can do about that is a bounded line, the last first, a deadline for those who wait, and a limit to the
//! rate. Sources: Maurer, *Fail at Scale* (ACM Queue 2015: adaptive LIFO, controlled delay); centrifugo#601 (limit of
//! the connection rate for each node).

use super::plan::NodeSpec;
use super::probing::is_probe;
use super::request::{Attempt, Stage};
use super::station::{Offer, Order};
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId};
use crate::base::time::{Duration, Instant};
use crate::observe::Fact;

/// How jobs wait in a line of a node.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// How many may.
    pub max: u32,
    /// Whose turn is next.
    pub order: Order,
    /// How long one may have waited when its turn comes; `None` for any time.
    pub deadline: Option<Duration>,
}

/// How fast clients are let in at most.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// One in so long a time.
    pub gap: Duration,
    /// So many at once, at least one.
    pub burst: u32,
}

impl Pace {
    /// Whether one more keeps the pace, whose arrears end at `paced`; if so, it counts.
    ///
    /// A bucket of `burst` tokens that is filled at the rate, told by one instant (GCRA: ITU-T I.371).
    fn lets(&self, now: Instant, paced: &mut Instant) -> bool {
        let allowance = Duration::from_nanos(self.gap.as_nanos().saturating_mul(u64::from(self.burst - 1)));
        let fits = *paced <= now + allowance;
        if fits {
            *paced = (*paced).max(now) + self.gap;
        }
        fits
    }
}

impl Sim<'_> {
    /// A client asks to be let in.
    pub(super) fn ask_to_enter(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        (self.attempts[id].stage, self.attempts[id].asked) = (Stage::Handshake, now);
        if let Some(pace) = self.plan.nodes[node.index()].spec.accept_rate
            && !pace.lets(now, &mut self.fleet.node(node).paced)
        {
            return self.fail_at_node(now, id, Cause::RateLimited);
        }
        match self.fleet.node(node).accept.offer(id.0) {
            Offer::Started => self.let_in(now, id, node),
            Offer::Queued => {}
            Offer::Full => self.fail_at_node(now, id, Cause::AcceptFull),
        }
        self.fleet.node(node).accept.rearm(now, event::accept(node), &mut self.queue);
    }

    /// The next in line is let in, if there is anybody: a handshake is over, or was given up.
    pub(super) fn let_next_in(&mut self, now: Instant, node: NodeId) {
        while let Some(next) = self.fleet.node(node).accept.release() {
            if !self.is_overdue(now, next, node, |spec| spec.accept.deadline) {
                return self.let_in(now, AttemptId(next), node);
            }
        }
    }

    /// Whether a job whose turn has come has waited for so long that the node drops it, which happens here.
    #[inline]
    pub(super) fn is_overdue(
        &mut self,
        now: Instant,
        job: u32,
        node: NodeId,
        deadline: impl FnOnce(&NodeSpec) -> Option<Duration>,
    ) -> bool {
        if !self.has_deadlines {
            return false;
        }
        let Some(deadline) = deadline(&self.plan.nodes[node.index()].spec) else { return false };
        let id = AttemptId(job);
        let is_overdue = !is_probe(id) && now.since(self.attempts[id].asked) > deadline;
        if is_overdue {
            self.fail_at_node(now, id, Cause::Overdue);
        }
        is_overdue
    }

    fn let_in(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        if is_probe(id) {
            return self.let_probe_in(now, id.0, node);
        }
        let attempt = &self.attempts[id];
        let mut draw = self.streams[attempt.population.index()].handshake.at(attempt.who, u64::from(attempt.request));
        let law = self.plan.nodes[node.index()].spec.handshake.as_ref();
        let demand = law.map_or(Duration::ZERO, |law| law.duration(&mut draw));
        let demand = self.warmed(now, node, demand);
        self.attempts[id].demand = demand;
        self.fleet.node(node).accept.work(now, id.0, demand);
    }

    /// A node has let clients in.
    pub(super) fn on_accept(&mut self, now: Instant, node: NodeId) {
        if !self.fleet.node(node).accept.fires(now, event::accept(node), &mut self.queue) {
            return;
        }
        while let Some(job) = self.fleet.node(node).accept.finish(now) {
            self.let_next_in(now, node);
            self.admitted(now, AttemptId(job), node);
        }
        self.fleet.node(node).accept.rearm(now, event::accept(node), &mut self.queue);
    }

    fn admitted(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        if is_probe(id) {
            return self.probe_admitted(now, id.0, node);
        }
        let Attempt { population, session, demand: spent, .. } = self.attempts[id];
        if !spent.is_zero() {
            self.recorder.note(now, Fact::Worked { population, spent, wasted: session.some().is_none() });
        }
        if self.is_cancelled(id) {
            self.dismiss(now, id);
        } else if self.links(population) {
            self.established(now, id, node);
        } else {
            self.enter(now, id, node);
        }
    }
}
