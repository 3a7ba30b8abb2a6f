//! `disk`: the only copy lies on the disk of the host that served the session last.
//!
//! It outlives the process: after a crash and a restart on the same host it is there again. It is lost with the host
//! (`lose`), when a pod is scheduled elsewhere, say, and, as with `memory`, once another node has served the session:
//! the user has logged in again. Reading and writing it may cost work. Source: Tomcat's `PersistentManager`, PHP's
//! session files.

use super::{Care, Ground, Kind, OnMissing, Place, Rebuild};
use crate::base::dist::Law;
use crate::base::time::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list state`.
pub const MEANING: &str = "on the disk of the host that served the session last; outlives its process";

/// Parameters of `disk`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Work that makes missing state anew.
    pub rebuild: Rebuild,
    /// What a node does without the state; default `rebuild`.
    pub on_missing: OnMissing,
    /// Service demand of reading it, on top of each request's own; none unless given.
    pub read: Option<Law<Duration>>,
    /// Service demand of writing it, on top of that of each request that writes; none unless given.
    pub write: Option<Law<Duration>>,
}

impl Params {
    /// The place, ready to run.
    pub fn place(&self, ground: &mut dyn Ground) -> Option<Place> {
        let rebuild = ground.rebuild(&self.rebuild);
        let care = Care::of(ground, &[("read", &self.read), ("write", &self.write)]);
        let ((rebuild, rebuild_at), care) = (rebuild?, care?);
        let (kind, rebuild, on_missing) = (Kind::Disk, Some(rebuild), self.on_missing);
        Some(Place { kind, rebuild, rebuild_at, on_missing, care, ..Place::nothing() })
    }
}
