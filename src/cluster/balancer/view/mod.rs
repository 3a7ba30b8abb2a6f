//! What does a balancer believe of the nodes, and whom does it therefore send to?
//!
//! Eligibility is this view, never the truth. It is put together from several kinds of evidence, one file each:
//! health checks (`active`), what attempts prove (`passive/`), and what an operator or an agent on the node's host
//! has said (`words`). On top of it come what to do when nobody seems healthy (`panic`) and how
//! much a node gets that has just come back (`slow_start`).
//!
//! After every change the balancer asks [`View::changed`] and tells its algorithm.

pub mod active;
pub mod panic;
pub mod passive;
pub mod slow_start;
mod words;

use super::Spec;
use super::balance::WHOLE;
use crate::base::id::NodeId;
use crate::base::prefetch::prefetch;
use crate::base::time::{Duration, Instant};
use active::{By, Health, Outcome, Start, Verdict};
use panic::{Alarm, Panic};
use passive::{Act, Eject, Seen};
use slow_start::{Ramps, Return};
use std::collections::VecDeque;
pub use words::Word;
use words::Words;

/// What an operator wants of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Admin {
    /// It serves.
    #[default]
    Ready,
    /// It serves those that are bound to it and takes nobody new.
    Drain,
    /// It serves nobody.
    Maint,
    /// It is not part of the cluster any more: whoever remembers it remembers nothing.
    Removed,
}

/// What evidence changed in the verdict of health checks on a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Change {
    /// Nothing.
    #[default]
    None,
    /// The node is up from now on.
    Up,
    /// The node is down from now on.
    Down,
}

#[derive(Clone, Copy, Debug)]
struct Opinion {
    verdict: Verdict,
    admin: Admin,
    // Whether it belongs to the cluster, as far as this balancer knows.
    belongs: bool,
    ejected: bool,
}

impl Opinion {
    fn is_healthy(&self) -> bool {
        self.verdict.is_up() && !self.ejected
    }

    /// Whether it is one of those that the balancer knows.
    fn is_known(&self) -> bool {
        self.belongs && self.admin != Admin::Removed
    }

    fn is_served(&self) -> bool {
        self.belongs && self.admin == Admin::Ready
    }
}

/// One balancer's view of all nodes.
pub struct View {
    health: Health,
    panic: Panic,
    alarm: Alarm,
    opinions: Vec<Opinion>,
    rule: Option<Box<dyn Eject>>,
    ramps: Option<Ramps>,
    words: Words,
    // Nodes that count for the alarm, those of them that are healthy, and those of these at full weight.
    served: u32,
    healthy: u32,
    // What has changed since the balancer asked last.
    changed: VecDeque<NodeId>,
    weakened: Vec<(NodeId, u32)>,
    removed: Vec<NodeId>,
    reweighed: Vec<(NodeId, u32)>,
    // Found down by something else than a check, and not told yet.
    found_down: Vec<NodeId>,
    acts: Vec<Act>,
}

impl View {
    /// Every node belongs to the cluster and is in the state `start`.
    pub fn new(spec: &Spec, nodes: usize, start: Start, seed: u64, instance: &str) -> View {
        let verdict = Verdict::new(&spec.health, start);
        let mut rule = spec.passive.0.start(nodes, seed, instance);
        if let Some(rule) = &mut rule {
            (0..nodes as u32).for_each(|node| rule.counts(NodeId(node), true));
        }
        let mut view = View {
            health: spec.health.clone(),
            panic: Panic::new(spec.panic_threshold, spec.fail_open),
            alarm: Alarm::None,
            opinions: vec![Opinion { verdict, admin: Admin::Ready, belongs: true, ejected: false }; nodes],
            rule,
            ramps: spec.slow_start.as_ref().filter(|rule| !rule.lasts.is_zero()).map(|rule| Ramps::new(rule, nodes)),
            words: Words::default(),
            served: nodes as u32,
            healthy: if verdict.is_up() { nodes as u32 } else { 0 },
            changed: (0..nodes as u32).map(NodeId).collect(),
            weakened: Vec::new(),
            removed: Vec::new(),
            reweighed: Vec::new(),
            found_down: Vec::new(),
            acts: Vec::new(),
        };
        view.alarm = view.panic.alarm(view.healthy, view.served);
        view
    }

    /// Hints that what it believes of `node` will be asked soon.
    #[inline]
    pub fn fetch(&self, node: NodeId) {
        prefetch(&self.opinions, node.index());
    }

    /// Whether `node` may be given anybody new.
    #[inline]
    pub fn takes_new(&self, node: NodeId) -> bool {
        let opinion = &self.opinions[node.index()];
        opinion.is_served() && (opinion.is_healthy() || self.alarm != Alarm::None)
    }

    /// Whether `node` may be given those that are bound to it.
    #[inline]
    pub fn takes_bound(&self, node: NodeId) -> bool {
        let opinion = &self.opinions[node.index()];
        opinion.belongs
            && matches!(opinion.admin, Admin::Ready | Admin::Drain)
            && (opinion.is_healthy() || self.alarm == Alarm::Open && opinion.admin == Admin::Ready)
    }

    /// What an operator wants of `node`, as far as this balancer knows.
    #[inline]
    pub fn admin(&self, node: NodeId) -> Admin {
        self.opinions[node.index()].admin
    }

    /// Whether `node` belongs to the cluster and its checks find it alive.
    pub fn is_up(&self, node: NodeId) -> bool {
        let opinion = &self.opinions[node.index()];
        opinion.belongs && opinion.verdict.is_up()
    }

    /// What part of its weight new requests for `node` go by, in parts of [`WHOLE`]; 0 when it takes nobody new.
    pub fn share(&self, node: NodeId) -> u32 {
        match &self.ramps {
            _ if !self.takes_new(node) => 0,
            Some(ramps) => ramps.share(node),
            None => WHOLE,
        }
    }

    /// A node whose share may have changed since it was given out last.
    pub fn changed(&mut self) -> Option<NodeId> {
        self.changed.pop_front()
    }

    /// A node whose turns weigh less by 1/n of its weight: it, and n.
    pub fn weakened(&mut self) -> Option<(NodeId, u32)> {
        self.weakened.pop()
    }

    /// A node that has been taken away.
    pub fn removed(&mut self) -> Option<NodeId> {
        self.removed.pop()
    }

    /// A node that an operator has given another weight: it, and the weight.
    pub fn reweighed(&mut self) -> Option<(NodeId, u32)> {
        self.reweighed.pop()
    }

    /// `node` does not belong to the cluster yet.
    pub fn hold_back(&mut self, node: NodeId) {
        self.revise(Instant::START, node, |_, opinion| opinion.belongs = false);
    }

    /// Takes over what `old` knew of the nodes from operators and checks; not what attempts had proved.
    pub fn inherit(&mut self, old: &View) {
        for (node, theirs) in (0..).map(NodeId).zip(&old.opinions) {
            let Opinion { verdict, admin, belongs, .. } = *theirs;
            self.revise(Instant::START, node, |_, mine| {
                (mine.verdict, mine.admin, mine.belongs) = (verdict, admin, belongs);
            });
        }
    }

    /// The process that serves from now on hears what an operator has said and this one has not heard yet.
    pub fn pass_on(&mut self, heir: &mut View) {
        heir.words = self.words.pass_on();
    }

    /// Takes in the result of a check.
    pub fn checked(&mut self, now: Instant, node: NodeId, outcome: Outcome) -> Change {
        let change = self.revise(now, node, |health, opinion| opinion.verdict.checked(health, outcome));
        if outcome == Outcome::Good
            && let Some(rule) = &mut self.rule
        {
            rule.passed_check(now, node, self.opinions[node.index()].verdict.is_up(), &mut self.acts);
            self.act(now);
        }
        change
    }

    /// How long until the next check of `node`.
    pub fn next_check(&self, node: NodeId) -> Duration {
        self.opinions[node.index()].verdict.interval(&self.health)
    }

    /// Takes in what was seen of an attempt at `node`; whether its next check should come soon.
    pub fn saw(&mut self, now: Instant, node: NodeId, seen: Seen) -> bool {
        let Some(rule) = &mut self.rule else { return false };
        rule.saw(now, node, seen, &mut self.acts);
        self.act(now)
    }

    /// Does what the passive rule has said; whether a check should come soon.
    fn act(&mut self, now: Instant) -> bool {
        let mut hurry = false;
        let mut acts = std::mem::take(&mut self.acts);
        for act in acts.drain(..) {
            match act {
                Act::Eject(node) => self.revise(now, node, |_, opinion| opinion.ejected = true),
                Act::Readmit(node) => self.revise(now, node, |_, opinion| opinion.ejected = false),
                Act::Weaken(node, parts) => self.weakened.push((node, parts)),
                Act::Strike(node, blow) => {
                    hurry = true;
                    let change = self.revise(now, node, |health, opinion| opinion.verdict.struck(health, blow));
                    if change == Change::Down {
                        self.found_down.push(node);
                    }
                }
                Act::Hurry(_) => hurry = true,
            }
        }
        self.acts = acts;
        hurry
    }

    /// Something is said of `node` that this balancer will hear at `due`, and not before what was said before.
    pub fn say(&mut self, due: Instant, node: NodeId, word: Word) {
        self.words.say(due, node, word);
    }

    /// Takes in what was said of `node`.
    fn hear(&mut self, now: Instant, node: NodeId, word: Word) {
        match word {
            Word::Joined => self.revise(now, node, |health, opinion| {
                opinion.verdict = Verdict::new(health, health.newcomer());
                (opinion.belongs, opinion.ejected) = (true, false);
            }),
            Word::Ready(ready) => {
                let change = self.revise(now, node, |health, opinion| opinion.verdict.set_up(health, ready));
                if change == Change::Down {
                    self.found_down.push(node);
                }
            }
            Word::Weight(weight) => self.reweighed.push((node, weight)),
            Word::Admin(admin) => {
                self.revise(now, node, |health, opinion| {
                    // A server that leaves maintenance is taken to be up until a check fails (HAProxy).
                    if opinion.admin == Admin::Maint && admin != Admin::Maint && health.by == By::Balancer {
                        opinion.verdict = Verdict::new(health, health.released());
                    }
                    opinion.admin = admin;
                });
                if admin == Admin::Removed {
                    self.removed.push(node);
                }
            }
        }
    }

    /// When the view changes by itself, or has something to tell: at once if that time is past.
    pub fn due(&self) -> Instant {
        if !self.found_down.is_empty() {
            return Instant::START;
        }
        let rule = self.rule.as_ref().map_or(Instant::NEVER, |rule| rule.due());
        let ramps = self.ramps.as_ref().map_or(Instant::NEVER, Ramps::due);
        self.words.due().min(rule).min(ramps)
    }

    /// A node that was found down by something else than a check.
    pub fn found_down(&mut self) -> Option<NodeId> {
        self.found_down.pop()
    }

    /// Lets pass what happens by itself until now.
    pub fn pass(&mut self, now: Instant) {
        while let Some((node, word)) = self.words.heard(now) {
            self.hear(now, node, word);
        }
        if let Some(rule) = self.rule.as_mut().filter(|rule| rule.due() <= now) {
            rule.woken(now, &mut self.acts);
            self.act(now);
        }
        while let Some(node) = self.ramps.as_mut().and_then(|ramps| ramps.step(now)) {
            self.changed.push_back(node);
        }
    }

    /// Changes the opinion of one node, and everything that hangs on it.
    fn revise<T>(&mut self, now: Instant, node: NodeId, change: impl FnOnce(&Health, &mut Opinion) -> T) -> T {
        let before = self.opinions[node.index()];
        let result = change(&self.health, &mut self.opinions[node.index()]);
        let after = self.opinions[node.index()];
        self.served = self.served + u32::from(after.is_served()) - u32::from(before.is_served());
        let [was_healthy, is_healthy] = [before, after].map(|opinion| opinion.is_served() && opinion.is_healthy());
        self.healthy = self.healthy + u32::from(is_healthy) - u32::from(was_healthy);
        if let Some(rule) = self.rule.as_mut().filter(|_| before.is_known() != after.is_known()) {
            rule.counts(node, after.is_known());
        }
        self.ramp(now, node, &before, &after);
        self.changed.push_back(node);
        let alarm = self.panic.alarm(self.healthy, self.served);
        if std::mem::replace(&mut self.alarm, alarm) != alarm {
            self.changed = (0..self.opinions.len() as u32).map(NodeId).collect();
        }
        result
    }

    /// Begins or ends a node's slow start.
    fn ramp(&mut self, now: Instant, node: NodeId, before: &Opinion, after: &Opinion) {
        let Some(ramps) = &mut self.ramps else { return };
        let lives = |opinion: &Opinion| {
            opinion.belongs && matches!(opinion.admin, Admin::Ready | Admin::Drain) && opinion.verdict.is_up()
        };
        let [was_there, is_there] = [before, after].map(|opinion| lives(opinion) && !opinion.ejected);
        if was_there && !is_there {
            ramps.end(node);
        } else if !was_there && is_there {
            let why = if lives(before) { Return::Readmitted } else { Return::Up };
            let full = |(other, opinion): (u32, &Opinion)| {
                opinion.is_served()
                    && opinion.is_healthy()
                    && NodeId(other) != node
                    && ramps.share(NodeId(other)) == WHOLE
            };
            let alone = !(0..).zip(&self.opinions).any(full);
            ramps.begin(now, node, why, alone);
        }
    }
}

#[cfg(test)]
mod tests;
