//! `cookie`: the first reply names the node that served it, and the client shows that name ever after.
//!
//! The client holds the memory, so it survives a reload of the balancer. When a request was served by
//! another node than the cookie says, the reply rewrites the cookie, and the session does not come back
//! when its old node does (HAProxy `cookie … insert`; measured).

use super::Remember;
use crate::base::id::NodeId;
use crate::base::time::Instant;
use crate::cluster::balancer::balance::Ask;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list affinity`.
pub const MEANING: &str = "the client shows a cookie that names its node; rewritten when another node serves it";

/// `cookie` has no parameters yet: it lives as long as the session.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {}

impl Remember for Params {
    /// The node in the cookie.
    fn propose(&mut self, _now: Instant, _ask: &Ask, presented: Option<NodeId>) -> Option<NodeId> {
        presented
    }
}
