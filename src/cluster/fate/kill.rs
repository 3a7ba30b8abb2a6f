//! `kill`: the process dies, its host lives. Connections are reset at once, new ones are refused, and what
//! was in its memory is gone. It may come back after a while, empty.

use super::Aim;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::cluster::Sim;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list fault`.
pub const MEANING: &str = "processes crash: connections are reset, memory is gone, the host answers";

/// Parameters of `kill`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Whom it hits: a number of nodes, or names such as `["n1", "n3"]`.
    pub nodes: Aim,
    /// How long they stay away; for good unless given.
    pub lasts: Option<Duration>,
}

impl Sim<'_> {
    pub(super) fn kill(&mut self, now: Instant, victims: &[NodeId], params: &Params) -> Option<Instant> {
        victims.iter().for_each(|&node| self.crash(now, node));
        params.lasts.map(|lasts| now + lasts)
    }

    pub(super) fn revive(&mut self, now: Instant, victims: &[NodeId]) {
        victims.iter().for_each(|&node| self.come_up(now, node));
    }
}
