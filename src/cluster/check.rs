//! The balancer's health checks: begun at regular times, answered at once or not before their timeout.

use super::balancer::OnMarkedDown;
use super::balancer::view::{Change, Check};
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::draw::Stream;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use rand::RngExt;

/// A node's check under way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Checker {
    began: Instant,
    awaits: bool,
}

/// What a check meets.
enum Answer {
    Good,
    Bad,
    /// Nothing, until the check gives up.
    Nothing,
}

impl Sim<'_> {
    /// Health checks of a node begin at a random point of the interval, as products spread them.
    pub(super) fn begin_checks(&mut self, now: Instant, node: NodeId) {
        let interval = self.plan.balancer.health.interval.as_nanos();
        for instance in 0..self.balancers.count() {
            let luck = Stream::new(self.seed, "check phase", &format!("lb{}", instance + 1));
            let phase = Duration::from_nanos(luck.at(u64::from(node.0), 0).random_range(0..interval));
            self.queue.at(now + phase, event::probe(self.check_of(instance, node)));
        }
    }

    /// The process that waits for the answers to an instance's checks is no longer the one that serves.
    pub(super) fn forget_checks(&mut self, instance: usize) {
        let first = self.check_of(instance, NodeId(0));
        self.checks[first..first + self.plan.nodes.len()].iter_mut().for_each(|check| check.awaits = false);
    }

    fn check_of(&self, instance: usize, node: NodeId) -> usize {
        instance * self.plan.nodes.len() + node.index()
    }

    /// A check is due, or has waited long enough for its answer.
    pub(super) fn on_check(&mut self, now: Instant, index: usize) {
        let (instance, node) = (index / self.plan.nodes.len(), NodeId((index % self.plan.nodes.len()) as u32));
        let health = self.plan.balancer.health;
        if std::mem::replace(&mut self.checks[index].awaits, false) {
            return self.take_check(now, instance, node, false);
        }
        self.checks[index].began = now;
        match self.answer(node, health.check) {
            Answer::Good => self.take_check(now, instance, node, true),
            Answer::Bad => self.take_check(now, instance, node, false),
            Answer::Nothing => {
                self.checks[index].awaits = true;
                self.queue.at(now + health.patience(), event::probe(index));
            }
        }
    }

    fn answer(&self, node: NodeId, check: Check) -> Answer {
        let node = self.fleet.get(node);
        if node.is_silent() {
            return Answer::Nothing;
        }
        if !node.listens() {
            return Answer::Bad;
        }
        match check {
            Check::Http if node.ills.is_frozen => Answer::Nothing,
            Check::Http if node.ills.answers_errors && !node.ills.hides_errors => Answer::Bad,
            _ => Answer::Good,
        }
    }

    /// The result of a check changes the view of one instance, and the view may cut sessions.
    fn take_check(&mut self, now: Instant, instance: usize, node: NodeId, good: bool) {
        let (serving, index) = (self.balancers.serving(instance), self.check_of(instance, node));
        let change = self.balancers[serving].checked(node, good);
        // Checks begin at regular times; one that took longer makes the next wait for its turn.
        let gap = self.balancers[serving].next_check(node);
        let mut next = self.checks[index].began + gap;
        while next < now {
            next += gap;
        }
        // A check that has just given up at its successor's time still lets it begin now.
        self.queue.at(next, event::probe(index));
        if change == Change::Down && self.plan.balancer.on_marked_down == OnMarkedDown::ShutdownSessions {
            self.shut_down_sessions(now, node, Some(serving), Cause::MarkedDown);
        }
    }
}
