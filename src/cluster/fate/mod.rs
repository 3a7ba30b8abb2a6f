//! What goes wrong, when, and whom does it hit?
//!
//! Fate is drawn from streams keyed by the fault's name, so every variant suffers the same bad luck. To
//! add a fault: write its file here, then its lines below.

pub mod aim;
mod black_hole;
mod freeze;
mod kill;
mod lose;
mod refuse;
mod slow;

use super::{Sim, event};
use crate::base::choice::Alternatives;
use crate::base::draw::Stream;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use aim::{Aim, Part};
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    /// Processes crash.
    Kill(Params),
    /// Hosts are gone without a word.
    Lose(Params),
    /// Processes stand still.
    Freeze(Params),
    /// No new connections are taken.
    Refuse(Params),
    /// Errors at once.
    BlackHole(black_hole::Params),
    /// Work takes longer.
    Slow(slow::Params),
}

impl Alternatives for Kind {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("kill", kill::MEANING),
        ("lose", lose::MEANING),
        ("freeze", freeze::MEANING),
        ("refuse", refuse::MEANING),
        ("black_hole", black_hole::MEANING),
        ("slow", slow::MEANING),
    ];
}

/// Whom, and for how long.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Whom it hits: a number of nodes, names, a share, a zone, or the fullest.
    pub nodes: Aim,
    /// How long it lasts; for good unless given.
    pub lasts: Option<Duration>,
}

/// A fault as written: when, and exactly one of the kinds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// When it begins, counted from the start of the run.
    pub at: Duration,
    /// Processes crash: connections are reset, memory is gone, the host answers.
    pub kill: Option<Params>,
    /// Hosts are gone without a word: nothing is reset, nothing is answered.
    pub lose: Option<Params>,
    /// Processes stand still: the kernel accepts, nothing is answered, queues are kept.
    pub freeze: Option<Params>,
    /// No new connections are taken; those that live go on.
    pub refuse: Option<Params>,
    /// Every request is answered with an error at once.
    pub black_hole: Option<black_hole::Params>,
    /// Work takes longer.
    pub slow: Option<slow::Params>,
}

impl Written {
    /// The kinds that are given: one, in a sound scenario.
    pub fn kinds(&self) -> Vec<Kind> {
        let kinds = [
            self.kill.clone().map(Kind::Kill),
            self.lose.clone().map(Kind::Lose),
            self.freeze.clone().map(Kind::Freeze),
            self.refuse.clone().map(Kind::Refuse),
            self.black_hole.clone().map(Kind::BlackHole),
            self.slow.clone().map(Kind::Slow),
        ];
        kinds.into_iter().flatten().collect()
    }
}

/// A fault, ready to run.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Its name in the scenario: the key of its draws.
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
            Kind::Kill(_) => "kill",
            Kind::Lose(_) => "lose",
            Kind::Freeze(_) => "freeze",
            Kind::Refuse(_) => "refuse",
            Kind::BlackHole(_) => "black_hole",
            Kind::Slow(_) => "slow",
        }
    }

    /// How long it lasts; `None` for good.
    pub fn lasts(&self) -> Option<Duration> {
        match self {
            Kind::Kill(params) | Kind::Lose(params) | Kind::Freeze(params) | Kind::Refuse(params) => params.lasts,
            Kind::BlackHole(params) => params.lasts,
            Kind::Slow(params) => params.lasts,
        }
    }

    /// Its aim.
    pub fn aim(&self) -> &Aim {
        match self {
            Kind::Kill(params) | Kind::Lose(params) | Kind::Freeze(params) | Kind::Refuse(params) => &params.nodes,
            Kind::BlackHole(params) => &params.nodes,
            Kind::Slow(params) => &params.nodes,
        }
    }
}

impl Sim<'_> {
    /// Begins the fault at this place in the plan.
    pub(super) fn begin_fault(&mut self, now: Instant, index: usize) {
        let fault = &self.plan.faults[index];
        let victims = self.aimed(&fault.name, fault.kind.aim(), |sim, node| sim.fleet.is_up(node));
        self.victims_of[index] = victims.clone();
        for node in victims {
            match &fault.kind {
                Kind::Kill(_) => self.kill(now, node),
                Kind::Lose(_) => self.lose(now, node),
                Kind::Freeze(_) => self.freeze(now, node),
                Kind::Refuse(_) => self.refuse(node),
                Kind::BlackHole(params) => self.answer_errors(node, params),
                Kind::Slow(_) => self.set_speed(now, node),
            }
        }
        if let Some(lasts) = fault.kind.lasts() {
            self.queue.at(now + lasts, event::fault(index, true));
        }
    }

    /// Ends it again.
    pub(super) fn end_fault(&mut self, now: Instant, index: usize) {
        for node in std::mem::take(&mut self.victims_of[index]) {
            match &self.plan.faults[index].kind {
                Kind::Slow(_) => self.set_speed(now, node),
                kind if self.suffers(node, kind) => {}
                Kind::Kill(_) | Kind::Lose(_) => {
                    // What was taken away meanwhile stays away.
                    if self.is_wanted(node) {
                        self.come_up(now, node);
                    }
                }
                Kind::Freeze(_) => self.thaw(now, node),
                Kind::Refuse(_) => self.fleet.node(node).refuses = false,
                Kind::BlackHole(_) => self.fleet.node(node).answers_errors = false,
            }
        }
    }

    /// Whether a fault of this kind holds a node.
    fn suffers(&self, node: NodeId, kind: &Kind) -> bool {
        let same = |fault: &Fault| std::mem::discriminant(&fault.kind) == std::mem::discriminant(kind);
        let mut holding = self.plan.faults.iter().zip(&self.victims_of);
        holding.any(|(fault, victims)| same(fault) && victims.contains(&node))
    }

    /// The nodes that the fault or change called `name` is aimed at, out of those that `may` be hit: the same in
    /// every variant that has the same of those.
    pub(super) fn aimed(&self, name: &str, aim: &Aim, may: fn(&Self, NodeId) -> bool) -> Vec<NodeId> {
        let nodes = self.fleet.ids().filter(|&node| may(self, node));
        match aim {
            Aim::Names(names) => nodes.filter(|&node| names.contains(&self.plan.nodes[node.index()].name)).collect(),
            Aim::Count(count) => self.drawn(name, *count as usize, nodes),
            Aim::Part(Part::Share(share)) => {
                let all = self.wanted.iter().filter(|&&wanted| wanted).count();
                self.drawn(name, (share.ratio() * all as f64 + 0.5).max(1.0) as usize, nodes)
            }
            Aim::Part(Part::Zone(zone)) => nodes.filter(|&node| self.plan.zone_of(node) == *zone).collect(),
            Aim::Fullest(_) => {
                let fullest = nodes.max_by_key(|&node| (self.bound_to[node.index()], std::cmp::Reverse(node)));
                fullest.into_iter().collect()
            }
        }
    }

    /// So many of these nodes, by a luck of their own.
    fn drawn(&self, name: &str, count: usize, nodes: impl Iterator<Item = NodeId>) -> Vec<NodeId> {
        let luck = Stream::new(self.seed, "fault victims", name);
        let mut drawn: Vec<(u64, NodeId)> =
            nodes.map(|node| (luck.at(u64::from(node.0), 0).next_u64(), node)).collect();
        drawn.sort_unstable();
        drawn.into_iter().take(count).map(|(_, node)| node).collect()
    }
}
