//! `store`: state lives in an external store. Nodes hold nothing, so no node's death loses anything; every
//! request pays a read before its work and, if it writes, a write after it.

use super::{Keep, Look};
use crate::base::dist::Law;
use crate::base::id::{NodeId, SessionId};
use crate::base::time::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// One line for `stickysim list state`.
pub const MEANING: &str = "in an external store such as Redis; a read and a write per request, nothing on the nodes";

/// Parameters of `store`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Time a read takes once the store works on it, network included; default 0.5 ms.
    pub read: Law<Duration>,
    /// Time a write takes; default 0.5 ms.
    pub write: Law<Duration>,
    /// Operations the store works on at once; unlimited unless given.
    pub concurrency: Option<NonZeroU32>,
    /// Operations that may wait; unlimited unless given.
    pub queue_max: Option<u32>,
    /// Whether a request keeps its slot on the node while it waits for the store (blocking I/O); default no.
    pub holds_slot: bool,
}

impl Default for Params {
    fn default() -> Params {
        let half_a_millisecond = || Law::constant(Duration::from_nanos(500_000));
        let (read, write) = (half_a_millisecond(), half_a_millisecond());
        Params { read, write, concurrency: None, queue_max: None, holds_slot: false }
    }
}

/// State outside the nodes is found by every node.
#[derive(Debug)]
pub struct Outside;

impl Keep for Outside {
    fn look(&mut self, _: SessionId, _: NodeId) -> Look {
        Look::Here
    }
    fn keep(&mut self, _: SessionId, _: NodeId) {}
}
