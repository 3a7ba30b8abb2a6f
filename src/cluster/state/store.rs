//! `store`: state lives in an external store. Nodes hold nothing, so no node's death loses anything; every
//! request pays a read before its work and, if it writes, a write after it.

use super::near;
use super::shelves::Limits;
use super::{Care, Does, Ground, Kind, OnFailure, OnMissing, Place, Rebuild, Service};
use crate::base::dist::Law;
use crate::base::time::Duration;
use crate::base::units::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// One line for `stickysim list state`.
pub const MEANING: &str = "in an external store such as Redis; a read and a write per request, nothing on the nodes";

/// Parameters of `store`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// The store, by its name out of `[store]`, which can fail and may be shared; one of its own, which never fails, unless
    /// given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What the application does while the store fails; default `error` (fail-closed).
    pub on_failure: OnFailure,
    /// Work that makes state anew that the store has lost.
    pub rebuild: Rebuild,
    /// What a node does when the store has lost it; default `rebuild`.
    pub on_missing: OnMissing,
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
    /// Size of a session's state, which every read and every write moves; default 1 KiB.
    pub size: Bytes,
    /// Service demand on the node of turning 1 KiB into an object after a read, or back before a write; default none.
    pub serialize: Duration,
    /// What each node keeps of what it has read or written, and serves from; nothing unless given. Needs `at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near: Option<near::Params>,
}

impl Default for Params {
    fn default() -> Params {
        let half_a_millisecond = || Law::constant(Duration::from_nanos(500_000));
        let (read, write) = (half_a_millisecond(), half_a_millisecond());
        Params {
            at: None,
            on_failure: OnFailure::Error,
            rebuild: Rebuild::default(),
            on_missing: OnMissing::Rebuild,
            read,
            write,
            concurrency: None,
            queue_max: None,
            holds_slot: false,
            size: Bytes::new(1 << 10),
            serialize: Duration::ZERO,
            near: None,
        }
    }
}

impl Params {
    /// The place, ready to run.
    pub fn place(&self, ground: &mut dyn Ground) -> Option<Place> {
        if let Some(name) = &self.at {
            return self.place_at(name, ground);
        }
        if self.near.is_some() {
            let mend = "write at = \"sessions\" beside it, and a section [store.sessions]";
            ground.wrong(&["near"], "a near cache stands before a store that has a name".to_owned(), mend);
        }
        let [read, write] = [(&self.read, "read"), (&self.write, "write")].map(|(law, key)| ground.law(law, &[key]));
        let store = ground.store(Service {
            does: Does::Store { read: read?, write: write? },
            concurrency: self.concurrency.map_or(u32::MAX, NonZeroU32::get),
            queue_max: self.queue_max.unwrap_or(u32::MAX),
            holds_slot: self.holds_slot,
            rules: None,
            reads_at: None,
            behind: None,
        });
        let care = self.care(ground)?;
        Some(Place { kind: Kind::Store, store: Some(store), size: self.size.get(), care, ..Place::nothing() })
    }

    /// The same at a store that may fail.
    fn place_at(&self, name: &str, ground: &mut dyn Ground) -> Option<Place> {
        let own = Params::default();
        let said_there = self.read != own.read
            || self.write != own.write
            || self.concurrency.is_some()
            || self.queue_max.is_some()
            || self.holds_slot;
        let store = ground.store_named(name, &["at"]);
        if said_there && store.is_some() {
            let message = format!("what the store `{name}` is like is said in [store.{name}]");
            ground.wrong(&["at"], message, "move read, write, concurrency, queue_max and holds_slot there");
        }
        let limits = self.near.map(|near| Limits::of(ground, &["near"], near.capacity, near.ttl));
        let (rebuild, rebuild_at) = ground.rebuild(&self.rebuild)?;
        let (care, store) = (self.care(ground)?, Some(store?));
        let (on_missing, on_failure) = (self.on_missing, self.on_failure);
        let (kind, rebuild, size) = (Kind::Table, Some(rebuild), self.size.get());
        let limits = match limits {
            Some(limits) => Some(limits?),
            None => None,
        };
        Some(Place { kind, store, rebuild, rebuild_at, on_missing, on_failure, size, care, limits, ..Place::nothing() })
    }

    fn care(&self, ground: &mut dyn Ground) -> Option<Option<Box<Care>>> {
        let each = Duration::from_nanos_f64(self.serialize.as_nanos() as f64 * self.size.get() as f64 / 1024.0);
        let cost = Some(Law::constant(each)).filter(|_| !each.is_zero());
        Care::of(ground, &[("serialize", &cost), ("serialize", &cost)])
    }
}
