//! What does a run cost? Prices times what stands there, what moves, and what is lost.
//!
//! Prices have no currency. What has no price costs nothing, so a bill holds what is asked for and no more.

use super::totals::{Counter, Totals};
use crate::base::cause::Harm;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// More is a mistake.
const PRICE_MAX: f64 = 1e9;
const GIB: f64 = 1_073_741_824.0;

/// Prices, as written in `[cost]`: numbers from 0 to 10⁹ in whatever currency.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Cost")]
pub struct Prices {
    /// Of a node for an hour, from when it is ordered until its process is stopped for good; nothing unless given.
    pub node_hour: f64,
    /// Of each instance of a store that is used, its replicas too, for an hour; nothing unless given.
    pub store_hour: f64,
    /// Of a GiB of sessions' state in each instance of a store for an hour; nothing unless given.
    pub store_gib_hour: f64,
    /// Of each rebuild service that is used, for an hour; nothing unless given.
    pub rebuild_service_hour: f64,
    /// Of a GiB of session state that goes over the network; nothing unless given.
    pub gib_moved: f64,
    /// Of a session's state that is lost: what a filled basket is worth, say; nothing unless given.
    pub session_lost: f64,
}

impl Prices {
    /// What is wrong with them: (key, message).
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let Prices { node_hour, store_hour, store_gib_hour, rebuild_service_hour, gib_moved, session_lost } = *self;
        let each = [
            ("node_hour", node_hour),
            ("store_hour", store_hour),
            ("store_gib_hour", store_gib_hour),
            ("rebuild_service_hour", rebuild_service_hour),
            ("gib_moved", gib_moved),
            ("session_lost", session_lost),
        ];
        let is_wrong = |(_, price): &(&str, f64)| !(0.0..=PRICE_MAX).contains(price);
        each.into_iter().filter(is_wrong).map(|(key, price)| (key, format!("{key} is {price}"))).collect()
    }
}

/// What stands beside the nodes and is paid for, and the prices.
#[derive(Clone, Debug, Default)]
pub struct Tariff {
    /// The prices; `None` when nobody asks what a run costs.
    pub prices: Option<Prices>,
    /// Instances of the stores that are used, replicas too.
    pub stores: u32,
    /// Rebuild services that are used.
    pub rebuilders: u32,
    /// By population: what a live session keeps in a store, all copies together (bytes).
    pub held: Vec<u64>,
}

/// What was paid for within a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bill {
    /// Hours of nodes.
    pub node_hours: f64,
    /// Hours of instances of stores.
    pub store_hours: f64,
    /// What it costs; `None` without prices.
    pub total: Option<f64>,
}

impl Tariff {
    /// The bill of a window of so many hours, in which `totals` were counted and `held` bytes kept for an hour.
    pub fn bill(&self, hours: f64, node_hours: f64, totals: &Totals, held: f64) -> Bill {
        let store_hours = f64::from(self.stores) * hours;
        let total = self.prices.map(|prices| {
            prices.node_hour * node_hours
                + prices.store_hour * store_hours
                + prices.store_gib_hour * held / GIB
                + prices.rebuild_service_hour * f64::from(self.rebuilders) * hours
                + prices.gib_moved * totals[Counter::Carried] as f64 / GIB
                + prices.session_lost * totals.total(Harm::Lost) as f64
        });
        Bill { node_hours, store_hours, total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::cause::Cause;

    #[test]
    fn every_price_is_paid_for_its_own_thing() {
        let mut totals = Totals::default();
        totals[Counter::Carried] = 3 << 30;
        (0..7).for_each(|_| totals.suffer(Harm::Lost, Cause::Crash));
        let none = Prices::default();
        for (prices, expected) in [
            (none, 0.0),
            (Prices { node_hour: 0.5, ..none }, 20.0),
            (Prices { store_hour: 0.25, ..none }, 2.0),
            (Prices { store_gib_hour: 2.0, ..none }, 10.0),
            (Prices { rebuild_service_hour: 1.5, ..none }, 12.0),
            (Prices { gib_moved: 0.125, ..none }, 0.375),
            (Prices { session_lost: 0.25, ..none }, 1.75),
        ] {
            let tariff = Tariff { prices: Some(prices), stores: 2, rebuilders: 2, held: Vec::new() };
            let bill = tariff.bill(4.0, 40.0, &totals, 5.0 * GIB);
            assert_eq!(bill, Bill { node_hours: 40.0, store_hours: 8.0, total: Some(expected) }, "{prices:?}");
        }
        assert_eq!(Tariff::default().bill(4.0, 40.0, &totals, 0.0).total, None);
    }

    #[test]
    fn a_price_is_a_number_and_not_below_zero() {
        let wrong = |prices: Prices| prices.faults().into_iter().map(|(key, _)| key).collect::<Vec<_>>();
        let none = Prices::default();
        assert!(wrong(Prices { node_hour: 1e9, ..none }).is_empty());
        assert_eq!(wrong(Prices { node_hour: -0.1, gib_moved: f64::NAN, ..none }), ["node_hour", "gib_moved"]);
        assert_eq!(wrong(Prices { store_hour: f64::INFINITY, ..none }), ["store_hour"]);
    }
}
