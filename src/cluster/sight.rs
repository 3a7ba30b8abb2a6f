//! What balancers see of attempts, and what they are told of nodes.
//!
//! What somebody else knows (an operator, an agent on a host) reaches each balancer after a time of its own. What
//! becomes of attempts is told only to balancers that judge nodes by it.

use super::balancer::instances::ProcessId;
use super::balancer::view::active::{By, Check};
use super::balancer::view::passive::Seen;
use super::balancer::view::{Admin, Word};
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::draw::Stream;
use crate::base::id::{AttemptId, NodeId};
use crate::base::time::Instant;
use crate::observe::Fact;

/// What has been said of a node.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said {
    // How much, by whomever.
    words: u64,
    /// What an operator wants of it.
    pub(super) admin: Admin,
    /// Whether an operator has given it the weight 0.
    pub(super) is_weightless: bool,
}

impl Sim<'_> {
    /// A balancer saw something of an attempt at a node.
    #[inline]
    pub(super) fn saw(&mut self, now: Instant, via: ProcessId, node: NodeId, seen: Seen) {
        if self.judges {
            self.learn_from(now, via, node, seen);
        }
    }

    fn learn_from(&mut self, now: Instant, via: ProcessId, node: NodeId, seen: Seen) {
        let hurry = self.balancers[via].saw(now, node, seen);
        self.await_view(now, via);
        if hurry && let Some(instance) = self.balancers.instance_of(via) {
            self.check_soon(now, instance, node);
        }
    }

    /// What a balancer sees when an attempt of its fails at a node with `cause`.
    #[inline]
    pub(super) fn saw_failure(&mut self, now: Instant, id: AttemptId, cause: Cause) {
        self.note_served(now, id, true);
        let attempt = &self.attempts[id];
        if !self.judges || !attempt.placed {
            return; // On a connection that hangs on the node a balancer sees nothing.
        }
        let seen = match cause {
            Cause::AcceptFull => Seen::NotConnected,
            Cause::BadAnswer | Cause::BadVersion | Cause::StoreFull | Cause::RebuildFull => Seen::Error,
            Cause::StoreDown | Cause::StoreTimeout | Cause::StoreMemory => Seen::Error,
            Cause::QueueFull => Seen::Overloaded,
            Cause::NoAnswer => Seen::Unanswered,
            Cause::SessionUnknown => Seen::Answered,
            _ => Seen::Reset,
        };
        self.learn_from(now, attempt.via, attempt.node, seen);
    }

    /// A node that was not there before is being started. Where nobody checks, it is added when it listens.
    pub(super) fn introduce(&mut self, now: Instant, node: NodeId) {
        if self.plan.balancer.health.check == Check::None && !self.fleet.is_up(node) {
            self.awaited.push(node);
        } else {
            self.enlist(now, node);
        }
        self.begin_checks(now, node);
    }

    /// Balancers hear that a node belongs to the cluster, though they may have been told before that it does no more.
    fn enlist(&mut self, now: Instant, node: NodeId) {
        self.tell_balancers(now, node, Word::Joined);
        if self.said[node.index()].admin == Admin::Removed {
            self.set_admin(now, node, Admin::Ready);
        }
    }

    /// A node listens.
    pub(super) fn announce_listening(&mut self, now: Instant, node: NodeId) {
        if let Some(place) = self.awaited.iter().position(|&awaited| awaited == node) {
            self.awaited.swap_remove(place);
            self.enlist(now, node);
        }
    }

    /// Every balancer hears something of a node, each after a time of its own.
    pub(super) fn tell_balancers(&mut self, now: Instant, node: NodeId, word: Word) {
        let nth = self.said[node.index()].words;
        self.said[node.index()].words += 1;
        for instance in 0..self.balancers.count() {
            let process = self.balancers.serving(instance);
            let due = self.plan.propagation.as_ref().map_or(now, |law| {
                let luck = Stream::new(self.seed, "propagation", &format!("lb{}", instance + 1));
                now + law.duration(&mut luck.at(u64::from(node.0), nth))
            });
            self.balancers[process].say(due, node, word);
            self.balancers[process].pass(now);
            self.await_view(now, process);
        }
    }

    /// Shows a node that is to get nobody new, for whatever reason, apart from the others.
    pub(super) fn note_drains(&mut self, now: Instant, node: NodeId) {
        let Said { admin, is_weightless, .. } = self.said[node.index()];
        self.recorder.note(now, Fact::NodeDrains { node, drains: admin != Admin::Ready || is_weightless });
    }

    /// No balancer knows any more what an operator wanted of a node.
    pub(super) fn forget_operator(&mut self, now: Instant, node: NodeId) {
        let said = &mut self.said[node.index()];
        (said.admin, said.is_weightless) = (Admin::Ready, false);
        self.note_drains(now, node);
    }

    /// Whether whoever decides on that finds a node ready: its host's agent, or all balancers.
    pub(super) fn is_found_up(&self, node: NodeId) -> bool {
        match self.plan.balancer.health.by {
            By::Host => self.agents[node.index()].is_up(),
            By::Balancer => self.balancers.all_believe_up(node),
        }
    }

    /// Sets the timer to when the view of a balancer changes by itself. What a node's failure has brought about is told
    /// then, too: sessions are not cut in the middle of something else.
    pub(super) fn await_view(&mut self, now: Instant, process: ProcessId) {
        let due = self.balancers[process].due().max(now);
        if due < self.plan.end {
            self.balancers[process].watch.set(due, event::view(process), &mut self.queue);
        }
    }

    /// The view of a balancer changes by itself.
    pub(super) fn on_view(&mut self, now: Instant, process: ProcessId) {
        if !self.balancers[process].watch.fires(now, event::view(process), &mut self.queue) {
            return;
        }
        self.balancers[process].pass(now);
        while let Some(node) = self.balancers[process].found_down() {
            self.marked_down(now, process, node);
        }
        self.await_view(now, process);
    }
}
