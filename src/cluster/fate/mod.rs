//! What goes wrong, when, and whom does it hit?
//!
//! Fate is drawn from streams keyed by the fault's name, so every variant suffers the same bad luck. To
//! add a fault: write its file here, then its lines below.

mod kill;

use super::Sim;
use crate::base::choice::Alternatives;
use crate::base::draw::Stream;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use rand::Rng;
use schemars::JsonSchema;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What goes wrong, as written in a scenario.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Processes crash.
    Kill(kill::Params),
}

impl Alternatives for Kind {
    const NAMES: &'static [(&'static str, &'static str)] = &[("kill", kill::MEANING)];
}

/// Whom a fault hits.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Aim {
    /// So many nodes, drawn at random from those that are up.
    Count(u32),
    /// These nodes, by name.
    Names(Vec<String>),
}

struct AimVisitor;

impl<'de> Visitor<'de> for AimVisitor {
    type Value = Aim;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of nodes such as 1, or names of nodes such as [\"n1\", \"n3\"]")
    }
    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Aim, E> {
        let count = u32::try_from(count).map_err(|_| E::custom("more nodes than any cluster has"))?;
        Ok(Aim::Count(count))
    }
    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Aim, E> {
        let count = u64::try_from(count).map_err(|_| E::custom(format!("{count} nodes cannot be hit")))?;
        self.visit_u64(count)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Aim, A::Error> {
        let mut aimed_at = Vec::new();
        while let Some(name) = names.next_element()? {
            aimed_at.push(name);
        }
        Ok(Aim::Names(aimed_at))
    }
}

// By hand, since an untagged enum would hide the place and the reason of an error.
impl<'de> Deserialize<'de> for Aim {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Aim, D::Error> {
        from.deserialize_any(AimVisitor)
    }
}

/// A fault as written: when, and exactly one of the kinds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// When it begins, counted from the start of the run.
    pub at: Duration,
    /// Processes crash.
    pub kill: Option<kill::Params>,
}

impl Written {
    /// The kinds that are given: one, in a sound scenario.
    pub fn kinds(&self) -> Vec<Kind> {
        self.kill.clone().map(Kind::Kill).into_iter().collect()
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
    /// How long it lasts; `None` for good.
    pub fn lasts(&self) -> Option<Duration> {
        match self {
            Kind::Kill(params) => params.lasts,
        }
    }

    /// Its aim.
    pub fn aim(&self) -> &Aim {
        match self {
            Kind::Kill(params) => &params.nodes,
        }
    }
}

impl Sim<'_> {
    /// Begins the fault at this place in the plan.
    pub(super) fn begin_fault(&mut self, now: Instant, index: usize) {
        let fault = &self.plan.faults[index];
        let victims = self.victims(fault);
        let end = match &fault.kind {
            Kind::Kill(params) => self.kill(now, &victims, params),
        };
        self.victims_of[index] = victims;
        if let Some(end) = end {
            self.queue.at(end, super::event::fault(index, true));
        }
    }

    /// Ends it again.
    pub(super) fn end_fault(&mut self, now: Instant, index: usize) {
        let victims = std::mem::take(&mut self.victims_of[index]);
        match &self.plan.faults[index].kind {
            Kind::Kill(_) => self.revive(now, &victims),
        }
    }

    /// The nodes a fault hits: the same in every variant that has the same nodes up.
    fn victims(&self, fault: &Fault) -> Vec<NodeId> {
        let up = (0..self.fleet.count() as u32).map(NodeId).filter(|&node| self.fleet.is_up(node));
        match fault.kind.aim() {
            Aim::Names(names) => up.filter(|&node| names.contains(&self.plan.nodes[node.index()])).collect(),
            Aim::Count(count) => {
                let luck = Stream::new(self.seed, "fault victims", &fault.name);
                let mut drawn: Vec<(u64, NodeId)> =
                    up.map(|node| (luck.at(u64::from(node.0), 0).next_u64(), node)).collect();
                drawn.sort_unstable();
                drawn.into_iter().take(*count as usize).map(|(_, node)| node).collect()
            }
        }
    }
}
