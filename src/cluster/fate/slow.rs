//! `slow`: a gray failure. The node works, at a fraction of its speed, and every check is content.

use super::Aim;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::base::units::Share;
use crate::cluster::Sim;
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
    pub(super) fn slow_down(&mut self, now: Instant, id: NodeId, params: &Params) {
        let speed = params.speed.ratio() * self.plan.nodes[id.index()].speed;
        self.fleet.node(id).work.set_speed(now, speed);
        self.touch(now, id);
    }

    pub(super) fn speed_up(&mut self, now: Instant, id: NodeId) {
        self.fleet.node(id).work.set_speed(now, self.plan.nodes[id.index()].speed);
        self.touch(now, id);
    }
}
