//! `cookie`: the first reply names the node that served it, and the client shows that name ever after.
//!
//! The client holds the memory, so it survives a reload of the balancer, and every instance reads it. When a
//! request was served by another node than the cookie says, the reply rewrites the cookie, and the session does
//! not come back when its old node does (HAProxy `cookie … insert`, measured; NGINX `sticky cookie`, Traefik, Envoy
//! and ALB do the same). With `rewrite = false` the cookie stays as it is, as one that the application has set
//! (HAProxy `prefix`, Tomcat's `jvmRoute` without its binder valve): while its node is away the session is balanced
//! anew with every request, and it goes home when the node is back.
//!
//! A cookie lives as long as the session unless it is told otherwise: `life_max` counts from the reply that set
//! it (HAProxy `maxlife`, Envoy's `ttl`: not refreshed while the node is the same), `idle_max` from the last
//! reply (HAProxy `maxidle`; a day at an AWS ALB). One that is too old is not heeded: the request is routed as
//! if it had none, and its reply sets a new one. A stream shows its cookie when it is opened and at no other time.
//!
//! ```toml
//! balancer.affinity = { cookie = { life_max = "20m" } }
//! ```

use super::Remember;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::cluster::balancer::balance::Ask;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list affinity`.
pub const MEANING: &str =
    "the client shows a cookie that names its node; rewritten, or kept, when another node serves it";

/// Parameters of `cookie`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// How long it is good after the reply that set it (HAProxy `maxlife`, Envoy `ttl`); as long as the session
    /// unless given.
    pub life_max: Option<Duration>,
    /// How long it is good after the last reply (HAProxy `maxidle`, ALB `lb_cookie.duration_seconds`); as long as
    /// the session unless given.
    pub idle_max: Option<Duration>,
    /// Whether a reply from another node than it names rewrites it; default yes.
    pub rewrite: bool,
}

impl Default for Params {
    fn default() -> Params {
        Params { life_max: None, idle_max: None, rewrite: true }
    }
}

impl Params {
    /// What is wrong with the parameters.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        for (key, span) in [("life_max", self.life_max), ("idle_max", self.idle_max)] {
            if span.is_some_and(|span| span.is_zero()) {
                faults.push((key, format!("{key} is zero: the cookie would never be heeded")));
            }
        }
        faults
    }

    /// Whether it always names the node that served the session last, so that nothing else need be known of it.
    pub fn is_plain(&self) -> bool {
        self.rewrite && self.life_max.is_none() && self.idle_max.is_none()
    }

    /// When one that is set now ends, however much it is used.
    pub fn ends(&self, now: Instant) -> Instant {
        self.life_max.map_or(Instant::NEVER, |most| now + most)
    }

    /// When one that is used now ends, if it is not used again.
    pub fn idle_until(&self, now: Instant) -> Instant {
        self.idle_max.map_or(Instant::NEVER, |most| now + most)
    }
}

impl Remember for Params {
    /// The node in the cookie.
    fn propose(&mut self, _now: Instant, _ask: &Ask, presented: Option<NodeId>) -> Option<NodeId> {
        presented
    }
}
