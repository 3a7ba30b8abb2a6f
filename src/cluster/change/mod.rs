//! What do we change ourselves: restarts, drains, maintenance, more nodes, fewer nodes?
//!
//! A change begins at a given time and goes through its steps until it is complete. To add one: write its
//! file here, then its lines below.

mod admin;
mod roll;
mod scale;

use super::balancer::view::Admin;
use super::fate::aim::Aim;
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::choice::Alternatives;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::observe::Fact;
pub use roll::{How, Order, Rolling, Rule, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is changed.
#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    /// Every node is restarted, some at a time.
    Rolling(roll::Params),
    /// Nodes take nobody new for a while.
    Drain(admin::Drain),
    /// Nodes serve nobody for a while.
    Maint(admin::Maint),
    /// Nodes are added.
    ScaleOut(scale::Out),
    /// Nodes are taken away.
    ScaleIn(scale::In),
}

impl Alternatives for Kind {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("rolling", roll::MEANING),
        ("drain", admin::DRAIN),
        ("maint", admin::MAINT),
        ("scale_out", scale::OUT),
        ("scale_in", scale::IN),
    ];
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
    /// Nodes are added.
    pub scale_out: Option<scale::Out>,
    /// Nodes are taken away for good.
    pub scale_in: Option<scale::In>,
}

impl Written {
    /// The kinds that are given: one, in a sound scenario.
    pub fn kinds(&self) -> Vec<Kind> {
        let kinds = [
            self.rolling.clone().map(Kind::Rolling),
            self.drain.clone().map(Kind::Drain),
            self.maint.clone().map(Kind::Maint),
            self.scale_out.map(Kind::ScaleOut),
            self.scale_in.clone().map(Kind::ScaleIn),
        ];
        kinds.into_iter().flatten().collect()
    }
}

/// A change, ready to run.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its name in the scenario.
    pub name: String,
    /// When it begins.
    pub at: Instant,
    /// What it does.
    pub kind: Kind,
}

impl Kind {
    /// Its key in a scenario.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Rolling(_) => "rolling",
            Kind::Drain(_) => "drain",
            Kind::Maint(_) => "maint",
            Kind::ScaleOut(_) => "scale_out",
            Kind::ScaleIn(_) => "scale_in",
        }
    }

    /// Whom it is aimed at, if it is aimed.
    pub fn aim(&self) -> Option<&Aim> {
        match self {
            Kind::Rolling(_) | Kind::ScaleOut(_) => None,
            Kind::Drain(drain) => Some(&drain.nodes),
            Kind::Maint(maint) => Some(&maint.nodes),
            Kind::ScaleIn(scale) => Some(&scale.nodes),
        }
    }

    /// How many nodes it adds to a cluster of `nodes`, at most.
    pub fn spares(&self, nodes: usize) -> usize {
        match self {
            Kind::Rolling(rolling) if rolling.surge_max > 0 => nodes,
            Kind::ScaleOut(scale) => scale.nodes as usize,
            _ => 0,
        }
    }
}

/// Steps of a change look at the cluster so often while they wait for something.
pub(super) const LOOKS_EVERY: Duration = Duration::from_millis(100);

impl Sim<'_> {
    /// Begins the change at this place in the plan, or goes on with it.
    pub(super) fn on_change(&mut self, now: Instant, index: usize) {
        let plan = self.plan;
        let change = &plan.changes[index];
        if change.at == now && self.rolls[index].is_new() {
            let incident = (plan.faults.len() + index) as u16;
            self.recorder.note(now, Fact::Incident { index: incident, cleared: Instant::NEVER });
        }
        let complete = match &change.kind {
            Kind::Rolling(params) => self.roll(now, index, params),
            Kind::Drain(params) => self.drain(now, index, params),
            Kind::Maint(params) => self.maintain(now, index, params),
            Kind::ScaleOut(params) => self.scale_out(now, index, params),
            Kind::ScaleIn(params) => self.scale_in(now, index, params),
        };
        match complete {
            Some(next) => self.queue.at(next, event::change(index)),
            None => self.recorder.note(now, Fact::Completed { index: (plan.faults.len() + index) as u16 }),
        }
    }
}

impl Sim<'_> {
    /// The nodes that a change is aimed at: any that belong to the cluster, up or not.
    fn aimed_by_change(&self, index: usize, aim: &Aim) -> Vec<NodeId> {
        self.aimed(&self.plan.changes[index].name, aim, Sim::is_wanted)
    }

    /// A node has left for good: its process stops, and the balancer forgets it.
    fn take_away(&mut self, now: Instant, node: NodeId, cause: Cause) {
        self.balancers.each(|balancer| balancer.set_admin(node, Admin::Removed));
        self.crash(now, node, cause);
    }

    /// Whether a node belongs to the cluster, up or not.
    pub(super) fn is_wanted(&self, node: NodeId) -> bool {
        self.wanted[node.index()]
    }

    /// A node belongs to the cluster from now on, or no longer.
    pub(super) fn want(&mut self, now: Instant, node: NodeId, wanted: bool) {
        self.wanted[node.index()] = wanted;
        let nodes = self.wanted.iter().filter(|&&wanted| wanted).count() as u32;
        self.recorder.note(now, Fact::Desired { nodes });
    }
}
