//! `store_kill`, `store_hang`, `store_cut`, `store_lose`, `store_slow`: what befalls a store, `[store.<name>]`.
//!
//! A killed primary refuses connections, a hung one says nothing, which clients bear for longer and Sentinels notice
//! later (spring-data-redis#1952). One store suffers one of these at a time.

use super::{Aim, Among, Harm};
use crate::base::time::{Duration, Instant};
use crate::base::units::Share;
use crate::cluster::Sim;
use crate::cluster::state::Service;
use crate::cluster::store::Shape;
use crate::observe::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list fault`.
pub const KILL: &str = "a store's primary is gone: connections are refused, what does not persist is lost";
/// One line for `stickysim list fault`.
pub const HANG: &str = "a store's primary stands still: nothing is answered, all is there when it goes on";
/// One line for `stickysim list fault`.
pub const CUT: &str = "a store's primary is cut off from its replicas, and from all nodes but some";
/// One line for `stickysim list fault`.
pub const LOSE: &str = "a store is gone with its replicas and all that is newer than its last backup";
/// One line for `stickysim list fault`.
pub const SLOW: &str = "a store works at a fraction of its speed";

/// Which store, and for how long.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StoreOutage")]
pub struct Params {
    /// Whom it befalls: a name out of `[store]`.
    pub store: String,
    /// How long it lasts; for good unless given. A failover may end the outage before.
    pub lasts: Option<Duration>,
}

/// Parameters of `store_hang`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StoreHang")]
pub struct Hang {
    /// Whom it befalls: a name out of `[store]`.
    pub store: String,
    /// How long it lasts; for good unless given. A failover may end the outage before.
    pub lasts: Option<Duration>,
    /// Nodes that never stop waiting for the old primary (clients without a timeout); none unless given.
    pub stubborn: Option<Aim>,
}

/// Parameters of `store_cut`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StoreCut")]
pub struct Cut {
    /// Whom it befalls: a name out of `[store]`.
    pub store: String,
    /// How long it lasts; for good unless given.
    pub lasts: Option<Duration>,
    /// The nodes on the old primary's side, which go on as if nothing were; none unless given.
    pub inside: Option<Aim>,
}

/// Parameters of `store_slow`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StoreSlow")]
pub struct Slow {
    /// Whom it befalls: a name out of `[store]`.
    pub store: String,
    /// How long it lasts; for good unless given.
    pub lasts: Option<Duration>,
    /// What is left of its speed; above 0%, below 100%.
    pub speed: Share,
}

/// What befalls a store.
#[derive(Clone, Debug)]
pub struct AtStore {
    name: &'static str,
    /// Which one.
    pub store: String,
    lasts: Option<Duration>,
    /// The nodes that go on talking to its old primary: the key that names them, and whom.
    pub inside: Option<(&'static str, Aim)>,
    does: Does,
}

#[derive(Clone, Copy, Debug)]
enum Does {
    Outage(Shape),
    Slow(Share),
}

impl Params {
    fn befalls(self, name: &'static str, shape: Shape) -> AtStore {
        AtStore { name, store: self.store, lasts: self.lasts, inside: None, does: Does::Outage(shape) }
    }

    /// `store_kill`.
    pub fn kill(self) -> AtStore {
        self.befalls("store_kill", Shape::Killed)
    }

    /// `store_lose`.
    pub fn lose(self) -> AtStore {
        self.befalls("store_lose", Shape::Lost)
    }
}

impl Hang {
    /// `store_hang`.
    pub fn hang(self) -> AtStore {
        let inside = self.stubborn.map(|aim| ("stubborn", aim));
        let Hang { store, lasts, .. } = self;
        AtStore { name: "store_hang", store, lasts, inside, does: Does::Outage(Shape::Hung) }
    }
}

impl Cut {
    /// `store_cut`.
    pub fn cut(self) -> AtStore {
        let inside = self.inside.map(|aim| ("inside", aim));
        let Cut { store, lasts, .. } = self;
        AtStore { name: "store_cut", store, lasts, inside, does: Does::Outage(Shape::Cut) }
    }
}

impl Slow {
    /// `store_slow`.
    pub fn slow(self) -> AtStore {
        let Slow { store, lasts, speed } = self;
        AtStore { name: "store_slow", store, lasts, inside: None, does: Does::Slow(speed) }
    }
}

impl AtStore {
    /// Whether two of them cannot be in force at once: both take a store out, or both set its speed.
    pub fn clashes(&self, other: &AtStore) -> bool {
        let same =
            matches!((self.does, other.does), (Does::Outage(_), Does::Outage(_)) | (Does::Slow(_), Does::Slow(_)));
        same && self.store == other.store
    }
}

impl Harm for AtStore {
    fn name(&self) -> &'static str {
        self.name
    }
    fn aim(&self) -> Option<&Aim> {
        None
    }
    fn at_store(&self) -> Option<&AtStore> {
        Some(self)
    }
    fn lasts(&self) -> Option<Duration> {
        self.lasts
    }
    fn faults(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        match self.does {
            Does::Slow(speed) if speed.ratio() <= 0.0 || speed.ratio() >= 1.0 => {
                let message = "what is left of the speed must be above 0% and below 100%";
                vec![("speed", message, "a store that does no work at all is a `store_hang`")]
            }
            _ => Vec::new(),
        }
    }
}

impl Sim<'_> {
    /// What the fault at this place in the plan does to a store, and which service that is.
    fn fault_at_store(&self, index: usize) -> Option<(&AtStore, usize)> {
        let fault = self.plan.faults[index].kind.at_store()?;
        let is_it = |service: &Service| service.rules.as_ref().is_some_and(|rules| rules.name == fault.store);
        Some((fault, self.plan.services.iter().position(is_it)?))
    }

    /// Begins a fault that befalls a store, for the `nth` time.
    pub(super) fn begin_at_store(&mut self, now: Instant, index: usize, nth: u64) {
        let Some((fault, service)) = self.fault_at_store(index) else { return };
        let (does, luck) = (fault.does, (self.plan.faults[index].name.as_str(), nth));
        let aimed = |(_, aim): &(_, Aim)| self.aimed(luck, Among::All, aim, Sim::is_wanted);
        let inside = fault.inside.as_ref().map_or_else(Vec::new, aimed);
        self.recorder.note(now, Fact::StoreFails);
        match does {
            Does::Outage(shape) => self.begin_outage(now, service, shape, inside),
            Does::Slow(speed) => self.set_store_speed(now, service, speed.ratio()),
        }
    }

    /// Ends it again.
    pub(super) fn end_at_store(&mut self, now: Instant, index: usize) {
        let Some((fault, service)) = self.fault_at_store(index) else { return };
        match fault.does {
            Does::Outage(_) => self.end_outage(now, service),
            Does::Slow(_) => self.set_store_speed(now, service, 1.0),
        }
    }

    fn set_store_speed(&mut self, now: Instant, service: usize, speed: f64) {
        self.services[service].set_speed(now, speed);
        self.touch_service(now, service);
    }
}
