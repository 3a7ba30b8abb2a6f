//! `store_kill`, `store_hang`, `store_cut`, `store_lose`, `store_slow`: what befalls a store, `[store.<name>]`.
//!
//! A killed primary refuses connections, a hung one says nothing, which clients bear for longer and Sentinels notice
//! later (spring-data-redis#1952). One store suffers one of these at a time.

use super::{Aim, Harm};
use crate::base::time::{Duration, Instant};
use crate::base::units::Share;
use crate::cluster::store::Shape;
use crate::cluster::{Sim, event};
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

/// `store_kill`.
#[derive(Clone, Debug)]
pub struct Kill(pub Params);

impl Harm for Kill {
    fn name(&self) -> &'static str {
        "store_kill"
    }
    fn aim(&self) -> Option<&Aim> {
        None
    }
    fn store(&self) -> Option<&str> {
        Some(&self.0.store)
    }
    fn lasts(&self) -> Option<Duration> {
        self.0.lasts
    }
    fn shape(&self) -> Option<Shape> {
        Some(Shape::Killed)
    }
}

/// `store_lose`.
#[derive(Clone, Debug)]
pub struct Lose(pub Params);

impl Harm for Lose {
    fn name(&self) -> &'static str {
        "store_lose"
    }
    fn aim(&self) -> Option<&Aim> {
        None
    }
    fn store(&self) -> Option<&str> {
        Some(&self.0.store)
    }
    fn lasts(&self) -> Option<Duration> {
        self.0.lasts
    }
    fn shape(&self) -> Option<Shape> {
        Some(Shape::Lost)
    }
}

impl Harm for Hang {
    fn name(&self) -> &'static str {
        "store_hang"
    }
    fn aim(&self) -> Option<&Aim> {
        None
    }
    fn store(&self) -> Option<&str> {
        Some(&self.store)
    }
    fn inside(&self) -> Option<&Aim> {
        self.stubborn.as_ref()
    }
    fn lasts(&self) -> Option<Duration> {
        self.lasts
    }
    fn shape(&self) -> Option<Shape> {
        Some(Shape::Hung)
    }
}

impl Harm for Cut {
    fn name(&self) -> &'static str {
        "store_cut"
    }
    fn aim(&self) -> Option<&Aim> {
        None
    }
    fn store(&self) -> Option<&str> {
        Some(&self.store)
    }
    fn inside(&self) -> Option<&Aim> {
        self.inside.as_ref()
    }
    fn lasts(&self) -> Option<Duration> {
        self.lasts
    }
    fn shape(&self) -> Option<Shape> {
        Some(Shape::Cut)
    }
}

impl Harm for Slow {
    fn name(&self) -> &'static str {
        "store_slow"
    }
    fn aim(&self) -> Option<&Aim> {
        None
    }
    fn store(&self) -> Option<&str> {
        Some(&self.store)
    }
    fn lasts(&self) -> Option<Duration> {
        self.lasts
    }
    fn faults(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        if self.speed.ratio() > 0.0 && self.speed.ratio() < 1.0 {
            return Vec::new();
        }
        let message = "what is left of the speed must be above 0% and below 100%";
        vec![("speed", message, "a store that does no work at all is a `store_hang`")]
    }
    fn store_speed(&self) -> f64 {
        self.speed.ratio()
    }
}

impl Sim<'_> {
    fn store_of_fault(&self, index: usize) -> Option<usize> {
        let wanted = self.plan.faults[index].kind.store()?;
        let is_it =
            |service: &crate::cluster::state::Service| service.rules.as_ref().is_some_and(|rules| rules.name == wanted);
        self.plan.services.iter().position(is_it)
    }

    /// Begins a fault that befalls a store.
    pub(super) fn begin_at_store(&mut self, now: Instant, index: usize) {
        let Some(service) = self.store_of_fault(index) else { return };
        let fault = &self.plan.faults[index];
        let inside = fault.kind.inside().map_or_else(Vec::new, |aim| self.aimed(&fault.name, aim, Sim::is_wanted));
        match fault.kind.shape() {
            Some(shape) => self.begin_outage(now, service, shape, inside),
            None => self.set_store_speed(now, service, fault.kind.store_speed()),
        }
        if let Some(lasts) = fault.kind.lasts() {
            self.queue.at(now + lasts, event::fault(index, true));
        }
    }

    /// Ends it again.
    pub(super) fn end_at_store(&mut self, now: Instant, index: usize) {
        let Some(service) = self.store_of_fault(index) else { return };
        match self.plan.faults[index].kind.shape() {
            Some(_) => self.end_outage(now, service),
            None => self.set_store_speed(now, service, 1.0),
        }
    }

    fn set_store_speed(&mut self, now: Instant, service: usize, speed: f64) {
        self.services[service].set_speed(now, speed);
        self.touch_service(now, service);
    }
}
