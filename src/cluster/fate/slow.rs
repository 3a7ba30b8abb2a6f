//! `slow`: a gray failure. The node works, at a fraction of its speed, and every check is content.
//!
//! It is the host that is slow (a throttled processor, a failing disk, a loud neighbour), so a process that is
//! started again on it is slow too. Several of them multiply.

use super::{Aim, Harm, Ills};
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::base::units::Share;
use crate::cluster::{Sim, event};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list fault`.
pub const MEANING: &str = "nodes work at a fraction of their speed; health checks see nothing";

/// Parameters of `slow`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Whom it hits: a number of nodes, names, a share, a zone, or the fullest.
    pub nodes: Aim,
    /// How long it lasts; for good unless given.
    pub lasts: Option<Duration>,
    /// What is left of the node's speed; above 0%, below 100%.
    pub speed: Share,
}

impl Harm for Params {
    fn name(&self) -> &'static str {
        "slow"
    }
    fn aim(&self) -> Option<&Aim> {
        Some(&self.nodes)
    }
    fn lasts(&self) -> Option<Duration> {
        self.lasts
    }
    fn faults(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        if self.speed.ratio() > 0.0 && self.speed.ratio() < 1.0 {
            return Vec::new();
        }
        let message = "what is left of the speed must be above 0% and below 100%";
        vec![("speed", message, "nodes that do no work at all are a `freeze`")]
    }
    fn ail(&self, ills: &mut Ills) {
        ills.speed *= self.speed.ratio();
    }
    fn is_of_host(&self) -> bool {
        true
    }
}

impl Sim<'_> {
    /// A node works, and lets clients in, at this speed from now on.
    pub(super) fn set_speed(&mut self, now: Instant, id: NodeId, speed: f64) {
        let node = self.fleet.node(id);
        node.work.set_speed(now, speed);
        node.accept.set_speed(now, speed);
        node.accept.rearm(now, event::accept(id), &mut self.queue);
        self.touch(now, id);
    }
}
