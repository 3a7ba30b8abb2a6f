//! Making missing state anew: what the node itself has to do for it, and the services that it may have to ask.
//!
//! A user whose session is gone logs in again, a cache is filled from its origin: often that is the work of a
//! service which all nodes share and which was never sized for everybody at once. Keycloak's sizing guide gives
//! 15 logins a second and virtual CPU; a password hash is meant to be slow.

use super::service::{Does, Service};
use crate::base::dist::{Law, Sampler};
use crate::base::time::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// Work that makes missing state anew.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rebuild {
    /// Service demand on the node, on top of the request's own; default none.
    pub service: Law<Duration>,
    /// The rebuild service that is visited first: a name out of `[rebuild]`. None unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

impl Default for Rebuild {
    fn default() -> Rebuild {
        Rebuild { service: Law::constant(Duration::ZERO), at: None }
    }
}

/// A service that makes missing state anew, as written in `[rebuild.<name>]`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rebuilder {
    /// Rebuilds that it works on at once; ≥ 1.
    pub concurrency: NonZeroU32,
    /// How long it works on one. So `concurrency` ÷ its mean can be done in a time.
    pub service: Law<Duration>,
    /// Rebuilds that may wait, first in, first out; one more fails at once. Unlimited unless given.
    pub queue_max: Option<u32>,
    /// Whether a request keeps its slot on the node meanwhile (blocking I/O); default no.
    #[serde(default)]
    pub holds_slot: bool,
}

impl Rebuilder {
    /// The service that takes so long, ready to run.
    pub fn service(&self, time: Sampler) -> Service {
        Service {
            does: Does::Rebuild { time },
            concurrency: self.concurrency.get(),
            queue_max: self.queue_max.unwrap_or(u32::MAX),
            holds_slot: self.holds_slot,
            rules: None,
            reads_at: None,
            behind: None,
        }
    }
}
