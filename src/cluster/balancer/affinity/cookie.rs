//! `cookie`: the first reply names the node that served it, and the client shows that name ever after.
//!
//! The client holds the memory, so it survives a reload of the balancer. When a request was served by
//! another node than the cookie says, the reply rewrites the cookie, and the session does not come back
//! when its old node does (HAProxy `cookie … insert`, measured; NGINX `sticky cookie`, Traefik, Envoy and ALB do
//! the same). With `rewrite = false` the cookie stays as it is, as one that the application has set (HAProxy
//! `prefix`, Tomcat's `jvmRoute` without its binder valve): while its node is away the session is balanced anew
//! with every request, and it goes home when the node is back.

use super::Remember;
use crate::base::id::NodeId;
use crate::base::time::Instant;
use crate::cluster::balancer::balance::Ask;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list affinity`.
pub const MEANING: &str =
    "the client shows a cookie that names its node; rewritten, or kept, when another node serves it";

/// Parameters of `cookie`. It lives as long as the session.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Whether it is rewritten when another node has served the session; default yes.
    pub rewrite: bool,
}

impl Default for Params {
    fn default() -> Params {
        Params { rewrite: true }
    }
}

impl Remember for Params {
    /// The node in the cookie.
    fn propose(&mut self, _now: Instant, _ask: &Ask, presented: Option<NodeId>) -> Option<NodeId> {
        presented
    }
}
