//! `store`: state lives in an external store. Nodes hold nothing, so no node's death loses anything; every
//! request pays a read before its work and, if it writes, a write after it.

use super::{Care, Does, Ground, Kind, Place, Service};
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
}

impl Default for Params {
    fn default() -> Params {
        let half_a_millisecond = || Law::constant(Duration::from_nanos(500_000));
        let (read, write) = (half_a_millisecond(), half_a_millisecond());
        Params {
            read,
            write,
            concurrency: None,
            queue_max: None,
            holds_slot: false,
            size: Bytes::new(1 << 10),
            serialize: Duration::ZERO,
        }
    }
}

impl Params {
    /// The place, ready to run.
    pub fn place(&self, ground: &mut dyn Ground) -> Option<Place> {
        let [read, write] = [(&self.read, "read"), (&self.write, "write")].map(|(law, key)| ground.law(law, &[key]));
        let store = ground.store(Service {
            does: Does::Store { read: read?, write: write? },
            concurrency: self.concurrency.map_or(u32::MAX, NonZeroU32::get),
            queue_max: self.queue_max.unwrap_or(u32::MAX),
            holds_slot: self.holds_slot,
        });
        let size = self.size.get();
        let each = Duration::from_nanos_f64(self.serialize.as_nanos() as f64 * size as f64 / 1024.0);
        let cost = Some(Law::constant(each)).filter(|_| !each.is_zero());
        let care = Care::of(ground, &[("serialize", &cost), ("serialize", &cost)])?;
        Some(Place { kind: Kind::Store, store: Some(store), size, care, ..Place::nothing() })
    }
}
