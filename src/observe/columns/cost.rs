//! Columns about what a run costs.

use super::*;

pub(super) const ALL: &[Column] = &[
    less("node_hours_total", "h", RUNS, "Hours of nodes that belong to the cluster or still run.", |w| {
        Some(w.bill?.node_hours)
    }),
    less("store_hours_total", "h", RUNS, "Hours of instances of the stores that are used, replicas too.", |w| {
        Some(w.bill?.store_hours).filter(|_| w.traits.stores)
    }),
    less("cost_total", "", RUNS, "What the run cost at the prices of `[cost]`; empty without them.", |w| w.bill?.total),
    less("cost_per_million_requests", "", RUNS, "The same for a million requests that were answered.", |w| {
        ratio(w.bill?.total? * 1e6, w.totals[Succeeded] as f64)
    }),
];
