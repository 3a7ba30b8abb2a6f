//! Columns about session state: where it was found, what was made anew, what stores and nodes had to do for it.

use super::*;

pub(super) const ALL: &[Column] = &[
    more("state_hit_ratio", "", EVERYWHERE, "Look-ups of state or cache that found it ÷ all.", |w| {
        ratio(w.totals[Hits] as f64, (w.totals[Hits] + w.totals[Misses]) as f64)
    }),
    less("state_fetches_total", "", EVERYWHERE, "Times a node asked another for a session's state.", |w| {
        count(w, Fetches).filter(|_| w.traits.replicas)
    }),
    less(
        "sessions_thin_mean",
        "",
        EVERYWHERE,
        "Sessions with fewer copies than they should have, time average.",
        |w| Some(w.totals.thin_time as f64 / nanos(w)).filter(|_| w.traits.replicas),
    ),
    more("near_hit_ratio", "", EVERYWHERE, "Look-ups in near caches that found the state ÷ all.", |w| {
        ratio(w.totals[NearHits] as f64, (w.totals[NearHits] + w.totals[NearMisses]) as f64).filter(|_| w.traits.near)
    }),
    less("state_moved_mib_total", "MiB", EVERYWHERE, "Session state that went over the network.", |w| {
        count(w, Carried).filter(|&bytes| bytes > 0.0).map(|bytes| bytes / 1_048_576.0)
    }),
    less("writes_lost_total", "", EVERYWHERE, "Writes that were acknowledged and are gone.", |w| {
        harm(w, Harm::WriteLost).filter(|_| w.traits.copies)
    }),
    less("stale_reads_total", "", EVERYWHERE, "Requests served with state that was not as last written.", |w| {
        harm(w, Harm::StaleRead).filter(|_| w.traits.copies)
    }),
    less(
        "reads_failed_ratio",
        "",
        EVERYWHERE,
        "Of requests that read, where writes take another way: failed ÷ all.",
        |w| {
            let failed = (w.totals.total(Harm::Failed) - w.totals[WritesFailed]) as f64;
            let answered = (w.totals[Succeeded] - w.totals[WritesSucceeded]) as f64;
            ratio(failed, failed + answered).filter(|_| w.traits.splits)
        },
    ),
    less(
        "writes_failed_ratio",
        "",
        EVERYWHERE,
        "Of requests that write, where reads take another way: failed ÷ all.",
        |w| {
            let [failed, answered] = [WritesFailed, WritesSucceeded].map(|counter| w.totals[counter] as f64);
            ratio(failed, failed + answered).filter(|_| w.traits.splits)
        },
    ),
    less("rebuilds_total", "", EVERYWHERE, "Rebuilds of missing state or cache entries.", |w| {
        count(w, Rebuilds).filter(|_| w.traits.stateful)
    }),
    less("rebuild_work_s_total", "s", EVERYWHERE, "Service demand of those rebuilds on the nodes.", |w| {
        Some(w.totals[RebuildTime] as f64 / 1e9).filter(|_| w.traits.stateful)
    }),
    plain("rebuild_visits_total", "", EVERYWHERE, "Visits that rebuild services answered.", |w| {
        count(w, RebuildVisits).filter(|_| w.traits.visits)
    }),
    less("rebuild_time_ms_mean", "ms", EVERYWHERE, "Time of such a visit, waiting included.", |w| {
        ratio(w.totals[RebuildVisitTime] as f64 / 1e6, w.totals[RebuildVisits] as f64)
    }),
    less("rebuild_time_ms_max", "ms", EVERYWHERE, "The longest such visit.", |w| {
        cluster(w, |c| c.rebuild_times.map(|q| q.max))
    }),
    less("rebuild_waiting_mean", "", EVERYWHERE, "Visits in line at rebuild services, time average.", |w| {
        cluster(w, |c| Some(c.rebuilders?.waiting_mean))
    }),
    less("rebuild_waiting_max", "", EVERYWHERE, "The most visits in line at any instant.", |w| {
        cluster(w, |c| Some(c.rebuilders?.waiting_max))
    }),
    less("rebuild_utilisation_ratio", "", EVERYWHERE, "Busy share of the rebuild services' slots.", |w| {
        cluster(w, |c| Some(c.rebuilders?.utilisation))
    }),
    plain("service_time_s_total", "s", EVERYWHERE, "Service time of work and handshakes that nodes completed.", |w| {
        Some(w.totals[Spent] as f64 / 1e9)
    }),
    less("wasted_work_ratio", "", EVERYWHERE, "Share of it spent on attempts whose client had left.", |w| {
        ratio(w.totals[Wasted] as f64, w.totals[Spent] as f64)
    }),
    plain("store_operations_total", "", EVERYWHERE, "Reads and writes that the store answered.", |w| {
        count(w, StoreOps).filter(|&n| n > 0.0)
    }),
    less("store_time_ms_mean", "ms", EVERYWHERE, "Time of a store operation, waiting included.", |w| {
        ratio(w.totals[StoreTime] as f64 / 1e6, w.totals[StoreOps] as f64)
    }),
    less("store_time_ms_p99", "ms", EVERYWHERE, "99th percentile of that time, over all stores.", |w| {
        cluster(w, |c| c.store_times.map(|q| q.p99))
    }),
    less("store_errors_total", "", EVERYWHERE, "Reads and writes that a store failed: full, down or silent.", |w| {
        count(w, StoreErrors).filter(|_| w.traits.stores)
    }),
    less(
        "store_utilisation_ratio",
        "",
        EVERYWHERE,
        "Busy share of `concurrency`, over all stores that limit it; empty where none does.",
        |w| cluster(w, |c| Some(c.stores?.utilisation)),
    ),
    less("store_waiting_mean", "", EVERYWHERE, "Operations in line at those stores, time average.", |w| {
        cluster(w, |c| Some(c.stores?.waiting_mean))
    }),
    less("store_waiting_max", "", EVERYWHERE, "The most operations in line at any instant.", |w| {
        cluster(w, |c| Some(c.stores?.waiting_max))
    }),
    plain("store_memory_bytes", "B", EVERYWHERE, "State in stores with a `memory_max`, time average.", |w| {
        cluster(w, |c| c.store_memory)
    }),
    less("store_evictions_total", "", EVERYWHERE, "Sessions that such stores threw out for others.", |w| {
        cluster(w, |c| c.store_memory).map(|_| w.totals.of(Harm::Lost, Cause::StoreEvicted) as f64)
    }),
];
