//! Columns about versions: who meets a new one, how it does, whether it is taken back.

use super::*;

pub(super) const ALL: &[Column] = &[
    plain(
        "canary_requests_ratio",
        "",
        EVERYWHERE,
        "Share of the attempts that nodes answered or failed which met a version other than the first.",
        |w| ratio(w.totals[ServedByNew] as f64, w.totals[Served] as f64),
    ),
    less(
        "canary_failed_ratio",
        "",
        EVERYWHERE,
        "Share of the attempts that met a version other than the first which failed there.",
        |w| ratio(w.totals[FailedByNew] as f64, w.totals[ServedByNew] as f64),
    ),
    plain(
        "canary_sessions_ratio",
        "",
        EVERYWHERE,
        "Share of live sessions whose last answer came from a version other than the first, time average.",
        |w| ratio(w.totals.on_new_time as f64, w.totals.live_time as f64).filter(|_| w.traits.installs),
    ),
    plain("canary_sessions_ratio_last", "", LONG, "The same at its end.", |w| {
        ratio(w.on_new as f64, w.live as f64).filter(|_| w.traits.installs)
    }),
    plain(
        "canary_sessions_last",
        "",
        EVERYWHERE,
        "Sessions at its end whose last answer came from a version other than the first.",
        |w| Some(w.on_new as f64).filter(|_| w.traits.installs),
    ),
    plain(
        "sessions_exposed_total",
        "",
        EVERYWHERE,
        "Distinct sessions that had their first answer from a version other than the first.",
        |w| count(w, Exposed).filter(|_| w.traits.installs),
    ),
    less(
        "node_hours_mixed",
        "h",
        LONG,
        "Hours of nodes that belong to the cluster or still run, while processes of more than one version did.",
        |w| w.cluster.map(|c| c.mixed_time as f64 / 3.6e12).filter(|_| w.traits.installs),
    ),
    plain(
        "rollback_triggered",
        "",
        INCIDENTS,
        "1 when the change was rolled back within the run, 0 when it was not; empty without a criterion.",
        |w| came(w.shock?.rollback),
    ),
    less("rollback_detection_s", "s", INCIDENTS, "From the beginning of the change until it was rolled back.", |w| {
        time(w.shock?.rollback)
    }),
];
