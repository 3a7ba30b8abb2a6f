//! Health checks: begun at regular times, answered at once, when the node gets to it (`probing`), or not before their
//! timeout.
//!
//! Every balancer checks every node for itself, or an agent on the node's host does so for all balancers, which
//! then hear of what it found. An agent is lost with its host; somebody else notices that, after `host_grace`.

use super::balancer::OnMarkedDown;
use super::balancer::instances::ProcessId;
use super::balancer::view::active::{By, Check, From, Outcome, Start, Verdict};
use super::balancer::view::{Change, Word};
use super::plan::Plan;
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::draw::Stream;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::engine::Timer;
use crate::observe::trace::Happening;
use rand::RngExt;

/// A node's check under way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Checker {
    began: Instant,
    pub(super) awaits: bool,
    /// The job at the node that will answer, if that costs work.
    pub(super) probe: Option<u32>,
    // How many there have been.
    count: u64,
    timer: Timer,
    // Since when the agent that should check has been silent, if it is.
    silent: Option<Instant>,
}

/// What a check meets.
enum Answer {
    Good,
    Bad,
    Error,
    /// Nothing, until the check gives up.
    Nothing,
    /// Whatever comes of it: the answer is work.
    Later,
}

/// The instance that makes a check, counted from 0, and the node that it looks at, of so many.
#[inline]
pub(super) fn checked(index: usize, nodes: usize) -> (usize, NodeId) {
    (index / nodes, NodeId((index % nodes) as u32))
}

impl Sim<'_> {
    /// What agents on hosts find out, by node; nothing when balancers check for themselves.
    pub(super) fn agents(plan: &Plan) -> Vec<Verdict> {
        let health = &plan.balancer.health;
        let count = if health.by == By::Host { plan.nodes.len() } else { 0 };
        let start = |node| if node < plan.desired() { Start::FullyUp } else { health.begun() };
        (0..count).map(|node| Verdict::new(health, start(node))).collect()
    }

    /// Health checks of a node begin at a random point of the interval, as products spread them.
    pub(super) fn begin_checks(&mut self, now: Instant, node: NodeId) {
        let health = &self.plan.balancer.health;
        if health.check == Check::None {
            return;
        }
        let interval = health.interval.as_nanos();
        let checkers = if health.by == By::Host { 1 } else { self.balancers.count() };
        for instance in 0..checkers {
            let luck = Stream::new(self.seed, "check phase", &format!("lb{}", instance + 1));
            let phase = Duration::from_nanos(luck.at(u64::from(node.0), 0).random_range(0..interval));
            self.check_at(now + phase, self.check_of(instance, node));
        }
    }

    /// The process that waits for the answers to an instance's checks is no longer the one that serves.
    pub(super) fn forget_checks(&mut self, now: Instant, instance: usize) {
        if self.plan.balancer.health.by == By::Host {
            return; // Agents go on whatever becomes of the balancers.
        }
        let first = self.check_of(instance, NodeId(0));
        for index in first..first + self.plan.nodes.len() {
            self.checks[index].awaits = false;
            self.give_up_probe(now, index);
        }
    }

    fn check_of(&self, instance: usize, node: NodeId) -> usize {
        instance * self.plan.nodes.len() + node.index()
    }

    fn check_at(&mut self, due: Instant, index: usize) {
        self.checks[index].timer.set(due, event::probe(index), &mut self.queue);
    }

    /// A check is due, or has waited long enough for its answer.
    pub(super) fn on_check(&mut self, now: Instant, index: usize) {
        if !self.checks[index].timer.fires(now, event::probe(index), &mut self.queue) {
            return;
        }
        let (instance, node) = checked(index, self.plan.nodes.len());
        let health = &self.plan.balancer.health;
        let has_waited = std::mem::replace(&mut self.checks[index].awaits, false);
        if health.by == By::Host && self.fleet.get(node).is_silent() {
            return self.miss_agent(now, node);
        }
        if has_waited {
            self.give_up_probe(now, index);
            return self.take_check(now, instance, node, Outcome::Failed);
        }
        self.checks[index].silent = None;
        self.checks[index].began = now;
        self.checks[index].count += 1;
        match self.answer(node, health.check) {
            Answer::Good => self.take_check(now, instance, node, Outcome::Good),
            Answer::Bad => self.take_check(now, instance, node, Outcome::Failed),
            Answer::Error => self.take_check(now, instance, node, Outcome::Error),
            Answer::Nothing => self.await_answer(now, index),
            Answer::Later => {
                self.await_answer(now, index);
                self.begin_probe(now, index, node, self.checks[index].count);
            }
        }
    }

    fn await_answer(&mut self, now: Instant, index: usize) {
        self.checks[index].awaits = true;
        self.check_at(now + self.plan.balancer.health.patience(), index);
    }

    /// A check has been answered.
    pub(super) fn end_check(&mut self, now: Instant, index: usize, outcome: Outcome) {
        let checker = &mut self.checks[index];
        (checker.awaits, checker.probe) = (false, None);
        let (instance, node) = checked(index, self.plan.nodes.len());
        self.take_check(now, instance, node, outcome);
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
            Check::Http if node.ills.is_frozen && self.plan.check_service.is_none() => Answer::Nothing,
            Check::Http if node.ills.answers_errors && !node.ills.hides_errors => match node.ills.is_frozen {
                true => Answer::Nothing,
                false => Answer::Error,
            },
            Check::Http if self.plan.check_service.is_some() => Answer::Later,
            _ => Answer::Good,
        }
    }

    /// A check changes the view of one instance, or what the agent says to all.
    fn take_check(&mut self, now: Instant, instance: usize, node: NodeId, outcome: Outcome) {
        let health = &self.plan.balancer.health;
        if health.by == By::Host {
            let change = self.agents[node.index()].checked(health, outcome);
            let gap = self.agents[node.index()].interval(health);
            self.check_again(now, instance, node, gap);
            return self.announce(now, node, change);
        }
        let serving = self.balancers.serving(instance);
        let change = self.balancers[serving].checked(now, node, outcome);
        self.note_mark(now, node, change);
        let gap = self.balancers[serving].next_check(node);
        self.check_again(now, instance, node, gap);
        self.await_view(now, serving);
        if change == Change::Down {
            self.marked_down(now, serving, node);
        }
    }

    /// The next check comes `gap` after the beginning or the end of this one, a little sooner or later if so wished.
    fn check_again(&mut self, now: Instant, instance: usize, node: NodeId, gap: Duration) {
        let health = &self.plan.balancer.health;
        let index = self.check_of(instance, node);
        let gap = match health.spread.ratio() {
            0.0 => gap,
            spread => {
                let luck = Stream::new(self.seed, "check spread", &format!("lb{}", instance + 1));
                let mut draw = luck.at(u64::from(node.0), self.checks[index].count);
                let by = draw.random_range(-spread..=spread);
                Duration::from_nanos_f64((gap.as_nanos() as f64 * (1.0 + by)).max(1.0))
            }
        };
        let mut next = if health.from == From::End { now } else { self.checks[index].began } + gap;
        // A check that took longer than the interval makes the next wait for its turn.
        while next < now {
            next += gap;
        }
        self.check_at(next, index);
    }

    /// The next check of a node comes within the fast interval, if there is one.
    pub(super) fn check_soon(&mut self, now: Instant, instance: usize, node: NodeId) {
        let index = self.check_of(instance, node);
        if let Some(fast) = self.plan.balancer.health.fast_interval
            && !self.checks[index].awaits
            && now + fast < self.checks[index].timer.due()
        {
            self.check_at(now + fast, index);
        }
    }

    /// A balancer has marked a node down, which may cut sessions.
    pub(super) fn marked_down(&mut self, now: Instant, via: ProcessId, node: NodeId) {
        if self.plan.balancer.on_marked_down == OnMarkedDown::ShutdownSessions {
            self.shut_down_sessions(now, node, Some(via), Cause::MarkedDown);
        }
    }

    /// The agent on a silent host says nothing; after a while it is taken for dead.
    fn miss_agent(&mut self, now: Instant, node: NodeId) {
        let health = &self.plan.balancer.health;
        let checker = &mut self.checks[node.index()];
        let since = *checker.silent.get_or_insert(now);
        checker.began = now;
        let dead = since + health.host_grace;
        let next = now + health.interval;
        self.check_at(if now < dead { next.min(dead) } else { next }, node.index());
        if now >= dead {
            let change = self.agents[node.index()].set_up(health, false);
            self.announce(now, node, change);
        }
    }

    /// The agent on a host notices that its process has ended.
    pub(super) fn process_ended(&mut self, now: Instant, node: NodeId) {
        if let Some(verdict) = self.agents.get_mut(node.index()) {
            let was_up = verdict.is_up();
            *verdict = Verdict::new(&self.plan.balancer.health, self.plan.balancer.health.begun());
            self.announce(now, node, if was_up { Change::Down } else { Change::None });
        }
    }

    fn note_mark(&mut self, now: Instant, node: NodeId, change: Change) {
        if change != Change::None {
            self.recorder.trace.note(now, Happening::Marked { node, up: change == Change::Up });
        }
    }

    /// What an agent has found is told to all balancers.
    fn announce(&mut self, now: Instant, node: NodeId, change: Change) {
        self.note_mark(now, node, change);
        if change != Change::None {
            self.tell_balancers(now, node, Word::Ready(change == Change::Up));
        }
    }
}
