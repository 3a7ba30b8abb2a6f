//! `slow`: a gray failure. The node works, at a fraction of its speed, and every check is content.

use super::{Aim, Kind};
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

impl Sim<'_> {
    /// A node works, and lets clients in, at what its faults leave of its own speed.
    pub(super) fn set_speed(&mut self, now: Instant, id: NodeId) {
        let mut speed = self.plan.nodes[id.index()].speed;
        for (fault, victims) in self.plan.faults.iter().zip(&self.victims_of) {
            if let Kind::Slow(params) = &fault.kind
                && victims.contains(&id)
            {
                speed *= params.speed.ratio();
            }
        }
        let node = self.fleet.node(id);
        node.work.set_speed(now, speed);
        node.accept.set_speed(now, speed);
        node.accept.rearm(now, event::accept(id), &mut self.queue);
        self.touch(now, id);
    }
}
