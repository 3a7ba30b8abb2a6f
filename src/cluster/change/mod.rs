//! What do we change ourselves: restarts, drains, maintenance, more nodes, fewer nodes?
//!
//! A change begins at a given time and goes through its steps until it is complete. To add one: write its
//! file here, then its lines below.

mod admin;
mod blue_green;
mod bound;
pub mod canary;
mod evacuate;
mod gate;
mod leave;
mod order;
mod overlap;
mod reload;
mod roll;
pub mod rollback;
mod scale;
mod step;
mod weight;

use super::balancer::view::{Admin, Word};
use super::fate::Among;
use super::fate::aim::Aim;
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::choice::Alternatives;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::base::units::Rate;
use crate::observe::Fact;
pub use bound::Bound;
pub use evacuate::Budget;
pub use order::{Order, Rule};
pub use roll::Rolling;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::sync::Arc;
pub use step::Step;

/// A kind of change: what it does, step by step.
pub trait Steps: Debug + Send + Sync {
    /// Its key in a scenario.
    fn name(&self) -> &'static str;
    /// Whom it is aimed at, if it is aimed.
    fn aim(&self) -> Option<&Aim> {
        None
    }
    /// Whose turn comes first, if it takes turns, and the key that says so.
    fn order(&self) -> Option<(&'static str, &Order)> {
        None
    }
    /// How many nodes it adds to a cluster of `nodes`, at most.
    fn spares(&self, _nodes: usize) -> usize {
        0
    }
    /// How many of them it leaves the cluster larger by.
    fn adds(&self) -> usize {
        0
    }
    /// At which rate it asks those to leave who are on nodes that it drains; they are left alone unless given.
    fn evicts(&self) -> Option<Rate> {
        None
    }
    /// Whether it never ends where the disruption budget lets nobody go.
    fn needs_budget(&self) -> bool {
        false
    }
    /// Whether it tells processes to stop, so that they say goodbye to those who are connected.
    fn stops(&self) -> bool {
        false
    }
    /// The name of the version that it installs, if it installs one.
    fn version(&self) -> Option<&str> {
        None
    }
    /// Whether nodes that something else adds while it goes on run its version.
    fn equips_new(&self) -> bool {
        false
    }
    /// Whether it splits the traffic between two versions.
    fn is_canary(&self) -> bool {
        false
    }
    /// Whether sessions are held to the old version before it begins.
    fn holds_before(&self) -> bool {
        false
    }
    /// How long a session is held to a version; for good unless given.
    fn holds_for(&self) -> Option<Duration> {
        None
    }
    /// What is wrong with the parameters: (key, message, how to mend it).
    fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        Vec::new()
    }
    /// What is wrong with them in front of so many balancer instances.
    fn faults_before(&self, _instances: u16) -> Vec<(&'static str, String, &'static str)> {
        Vec::new()
    }
    /// How many balancer processes it begins, at most.
    fn processes(&self, _instances: u16) -> u64 {
        0
    }
    /// Begins the change at this place in the plan, or goes on with it; when to go on, or `None` when it is complete.
    fn go_on(&self, sim: &mut Sim, now: Instant, index: usize) -> Option<Instant>;
    /// Whether it can be rolled back.
    fn can_roll_back(&self) -> bool {
        false
    }
    /// Turns round: from now on it goes on until nobody runs its version; `false` when it is too late for that.
    fn roll_back(&self, _sim: &mut Sim, _now: Instant, _index: usize) -> bool {
        false
    }
}

/// A change as written: when, and exactly one of the kinds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WrittenChange")]
pub struct Written {
    /// When it begins, counted from the start of the run.
    pub at: Duration,
    /// Every node is restarted, some at a time.
    pub rolling: Option<roll::Params>,
    /// Nodes take nobody new; those bound to them are served on.
    pub drain: Option<admin::Drain>,
    /// Nodes serve nobody.
    pub maint: Option<admin::Maint>,
    /// Nodes get another weight.
    pub weight: Option<weight::Params>,
    /// Nodes are added.
    pub scale_out: Option<scale::Out>,
    /// Nodes are taken away for good.
    pub scale_in: Option<scale::In>,
    /// As many new nodes are started, and everybody new is switched to them.
    pub blue_green: Option<blue_green::Params>,
    /// Hosts are emptied, and what ran there starts anew elsewhere.
    pub evacuate: Option<evacuate::Params>,
    /// Balancers begin anew, knowing nothing; old connections drain through the old processes.
    pub reload: Option<reload::Params>,
    /// New nodes with a new version get a growing share of the traffic.
    pub canary: Option<canary::Params>,
    /// When the change is undone, if it installs a version; never unless given.
    pub rollback: Option<rollback::Criterion>,
}

impl Written {
    /// The kinds that are given: one, in a sound scenario.
    pub fn kinds(self) -> Vec<Arc<dyn Steps>> {
        let kinds = [
            self.rolling.map(steps),
            self.drain.map(steps),
            self.maint.map(steps),
            self.weight.map(steps),
            self.scale_out.map(steps),
            self.scale_in.map(steps),
            self.blue_green.map(steps),
            self.evacuate.map(steps),
            self.reload.map(steps),
            self.canary.map(steps),
        ];
        kinds.into_iter().flatten().collect()
    }
}

/// Of whatever kind: all are alike to the cluster.
fn steps<K: Steps + 'static>(kind: K) -> Arc<dyn Steps> {
    Arc::new(kind)
}

impl Alternatives for Written {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("rolling", roll::MEANING),
        ("drain", admin::DRAIN),
        ("maint", admin::MAINT),
        ("weight", weight::MEANING),
        ("scale_out", scale::OUT),
        ("scale_in", scale::IN),
        ("blue_green", blue_green::MEANING),
        ("evacuate", evacuate::MEANING),
        ("reload", reload::MEANING),
        ("canary", canary::MEANING),
    ];
}

/// A change, ready to run.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its name in the scenario.
    pub name: String,
    /// When it begins.
    pub at: Instant,
    /// What it does.
    pub kind: Arc<dyn Steps>,
    /// The version that it installs: its place in the plan.
    pub version: Option<u8>,
    /// When it is undone.
    pub rollback: Option<rollback::Criterion>,
}

/// What is wrong with a change that is to last no time.
fn no_time(lasts: Option<Duration>) -> Option<(&'static str, String, &'static str)> {
    let mend = "write how long, or leave it out for good";
    lasts.is_some_and(Duration::is_zero).then(|| ("lasts", "it lasts no time at all".to_owned(), mend))
}

/// What is wrong with a rate at which nobody is ever asked to leave.
fn no_rate(evict: Option<Rate>) -> Option<(&'static str, String, &'static str)> {
    let mend = "write a rate such as \"20/s\", or leave it out: then nobody is asked";
    let message = || "evict is zero: nobody would ever be asked to leave".to_owned();
    evict.filter(|rate| rate.per_second() == 0.0).map(|_| ("evict", message(), mend))
}

/// Steps of a change look at the cluster so often while they wait for something.
pub(super) const LOOKS_EVERY: Duration = Duration::from_millis(100);

impl Sim<'_> {
    /// Begins the change at this place in the plan, or goes on with it.
    pub(super) fn on_change(&mut self, now: Instant, index: usize) {
        let plan = self.plan;
        let change = &plan.changes[index];
        if change.at == now && self.rolls[index].is_new() {
            self.begin_trial(index);
            self.recorder.note(now, Fact::Incident { index: self.incident_of(index), cleared: Instant::NEVER });
        }
        let looks = self.judge_change(now, index);
        let is_complete = self.is_complete(index);
        let next = if is_complete { None } else { change.kind.go_on(self, now, index) };
        if next.is_none() && !is_complete && !self.rolls[index].is_given_up {
            self.exposure.trials[index].completed = Some(now);
            self.recorder.note(now, Fact::Completed { index: self.incident_of(index) });
        }
        if let Some(next) = next.into_iter().chain(looks).min() {
            self.queue.at(next, event::change(index));
        }
    }
}

impl Sim<'_> {
    /// The incident that is the change at this place in the plan: faults come first.
    fn incident_of(&self, index: usize) -> u16 {
        (self.plan.faults.len() + index) as u16
    }

    /// The nodes that a change is aimed at: any that belong to the cluster, up or not.
    fn aimed_by_change(&self, index: usize, aim: &Aim) -> Vec<NodeId> {
        self.aimed((&self.plan.changes[index].name, 0), Among::All, aim, Sim::is_wanted)
    }

    /// A node takes nobody new from now on; those who are there are asked to leave, if there is a rate for that.
    pub(super) fn begin_drain(&mut self, now: Instant, node: NodeId, evict: Option<Rate>) {
        self.set_admin(now, node, Admin::Drain);
        if let Some(rate) = evict {
            self.evict_all(now, node, rate);
        }
    }

    /// Whether a drain is over, since nobody is left or its time is up.
    pub(super) fn ends_drain(&mut self, now: Instant, node: NodeId, until: Instant) -> bool {
        let is_over = until <= now || self.is_empty(node);
        if is_over {
            self.stop_evicting(node);
        }
        is_over
    }

    /// A node has left for good: its process stops, and the balancer forgets it.
    pub(super) fn take_away(&mut self, now: Instant, node: NodeId, cause: Cause) {
        self.awaited.retain(|&awaited| awaited != node);
        self.set_admin(now, node, Admin::Removed);
        self.take_down(now, node, cause);
        self.lose_host(now, node, cause);
    }

    /// Whether a node belongs to the cluster, up or not.
    pub(super) fn is_wanted(&self, node: NodeId) -> bool {
        self.wanted[node.index()]
    }

    /// Whether a node is one of those that the cluster should have, and no part of a canary release under way.
    pub(super) fn belongs(&self, node: NodeId) -> bool {
        self.is_wanted(node) && !self.is_beside(node)
    }

    /// The operator tells every balancer what is wanted of a node.
    pub(super) fn set_admin(&mut self, now: Instant, node: NodeId, admin: Admin) {
        self.said[node.index()].admin = admin;
        self.tell_balancers(now, node, Word::Admin(admin));
        self.note_drains(now, node);
    }

    /// Starts a node that was not there before, once; the balancer's checks begin with it.
    pub(super) fn begin_node(&mut self, now: Instant, node: NodeId) {
        if self.fleet.get(node).is_new() {
            self.side_with_all(node);
            self.launch(now, node);
            self.introduce(now, node);
        }
    }

    /// A node belongs to the cluster from now on, or no longer.
    pub(super) fn want(&mut self, now: Instant, node: NodeId, wanted: bool) {
        self.wanted[node.index()] = wanted;
        self.recorder.note(now, Fact::Wanted { node, wanted });
    }
}
