//! `replicated`: some nodes, the owners of a session, hold a copy of its state in their memory.
//!
//! Owners are chosen by a hash of the session, whoever serves it, as in Infinispan's distributed cache (Keycloak,
//! WildFly) and Hazelcast's maps. A node that is no owner asks the first owner for the state at every request, and sends
//! what it writes there. A node that dies takes its copies along; `rebalance` later each of its sessions has a copy more
//! on another node, and until then it hangs on those that are left. A node that listens takes over its share as late.
//! Tomcat's `BackupManager` differs: there whoever serves the session holds it, with one backup.

mod books;

use super::{Care, Ground, Kind, OnMissing, Place, Rebuild};
use crate::base::dist::{Law, Sampler};
use crate::base::time::Duration;
use crate::base::units::Bytes;
pub use books::Replicated;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// One line for `stickysim list state`.
pub const MEANING: &str =
    "in the memory of several nodes, its owners; lost when all of them die before a rebalance makes new copies";

/// Parameters of `replicated`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Owners of each session, as far as there are nodes; ≥ 1, default 2 (Infinispan's `owners`; Hazelcast: one backup).
    pub copies: NonZeroU32,
    /// How much later than the first owner the others have a write, which is acknowledged before; default 0 s:
    /// acknowledged when all have it (Infinispan's `SYNC` mode).
    pub lag: Duration,
    /// From the death of a node until its sessions have another copy, or from its first listening until it has its share
    /// of them, its being noticed included; default 1 min (one pod a minute: keycloak#14040).
    pub rebalance: Law<Duration>,
    /// Size of a session's state, which every fetch, every copy of a write and every copy made in a rebalance moves;
    /// default 1 KiB.
    pub size: Bytes,
    /// Service demand of a write, on top of that of each request that writes; default 0.5 ms when others are waited for
    /// (`copies` ≥ 2 and no `lag`), else none.
    pub write: Option<Law<Duration>>,
    /// Service demand of asking an owner, on top of that of each request served by another node; default 0.5 ms.
    pub fetch: Law<Duration>,
    /// Work that makes missing state anew.
    pub rebuild: Rebuild,
    /// What a node does when nobody has the state; default `rebuild`.
    pub on_missing: OnMissing,
}

/// What a round trip to another node takes unless it is given: as to a store.
const ROUND_TRIP: Duration = Duration::from_nanos(500_000);

impl Default for Params {
    fn default() -> Params {
        Params {
            copies: NonZeroU32::MIN.saturating_add(1),
            lag: Duration::ZERO,
            rebalance: Law::constant(Duration::from_secs(60)),
            size: Bytes::new(1 << 10),
            write: None,
            fetch: Law::constant(ROUND_TRIP),
            rebuild: Rebuild::default(),
            on_missing: OnMissing::Rebuild,
        }
    }
}

/// How copies are kept, ready to run.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Owners of each session.
    pub copies: usize,
    /// How much later the others have a write.
    pub lag: Duration,
    /// How long a rebalance takes.
    pub rebalance: Sampler,
}

impl Params {
    /// The place, ready to run.
    pub fn place(&self, ground: &mut dyn Ground) -> Option<Place> {
        let copies = self.copies.get() as usize;
        if copies == 1 && !self.lag.is_zero() {
            ground.wrong(
                &["lag"],
                "lag means nothing: there are no other copies".into(),
                "add copies = 2, or leave it out",
            );
        }
        let rebuild = ground.rebuild(&self.rebuild);
        let waits = copies > 1 && self.lag.is_zero();
        let default_write = || waits.then(|| Law::constant(ROUND_TRIP));
        let write = match self.write.clone().or_else(default_write) {
            Some(law) => ground.law(&law, &["write"]).map(Some),
            None => Some(None),
        };
        let fetch = ground.law(&self.fetch, &["fetch"]);
        let rebalance = ground.law(&self.rebalance, &["rebalance"]);
        let (rebuild, rebuild_at) = rebuild?;
        let care = Care { read: None, write: write?, fetch: Some(fetch?) };
        let rules = Rules { copies, lag: self.lag, rebalance: rebalance? };
        Some(Place {
            kind: Kind::Replicated,
            rebuild: Some(rebuild),
            rebuild_at,
            on_missing: self.on_missing,
            care: Some(Box::new(care)),
            size: self.size.get(),
            replicas: Some(Box::new(rules)),
            ..Place::nothing()
        })
    }
}
