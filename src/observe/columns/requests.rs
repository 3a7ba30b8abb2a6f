//! Columns about requests: what came of them, and how long it took.

use super::*;

pub(super) const ALL: &[Column] = &[
    plain("requests_issued_total", "", EVERYWHERE, "Requests that clients intended.", |w| count(w, Issued)),
    plain("requests_succeeded_total", "", EVERYWHERE, "Requests answered.", |w| count(w, Succeeded)),
    less("requests_failed_total", "", EVERYWHERE, "Requests whose last allowed attempt failed.", |w| {
        harm(w, Harm::Failed)
    }),
    plain("requests_withdrawn_total", "", EVERYWHERE, "Requests whose session ended first.", |w| count(w, Withdrawn)),
    plain("requests_in_flight", "", EVERYWHERE, "Requests under way at the end of the window.", |w| {
        Some(w.in_flight as f64)
    }),
    less("requests_failed_ratio", "", EVERYWHERE, "Failed ÷ (failed + succeeded).", |w| {
        let failed = w.totals.total(Harm::Failed) as f64;
        ratio(failed, failed + w.totals[Succeeded] as f64)
    }),
    more("goodput_rps", "1/s", EVERYWHERE, "Requests answered per second.", |w| {
        Some(w.totals[Succeeded] as f64 / w.length().as_secs_f64())
    }),
    less("response_time_ms_mean", "ms", EVERYWHERE, "Response time from the intended arrival, mean.", |w| {
        ratio(w.totals[ResponseTime] as f64 / 1e6, w.totals[Succeeded] as f64)
    }),
    less("response_time_ms_p50", "ms", EVERYWHERE, "Median response time.", |w| w.response.map(|q| q.p50)),
    less("response_time_ms_p90", "ms", EVERYWHERE, "90th percentile of response time.", |w| w.response.map(|q| q.p90)),
    less("response_time_ms_p99", "ms", EVERYWHERE, "99th percentile of response time.", |w| w.response.map(|q| q.p99)),
    less("response_time_ms_p999", "ms", EVERYWHERE, "99.9th percentile of response time.", |w| {
        w.response.map(|q| q.p999)
    }),
    less("response_time_ms_max", "ms", EVERYWHERE, "The longest response time.", |w| w.response.map(|q| q.max)),
    less("attempts_total", "", EVERYWHERE, "Attempts that left the clients.", |w| count(w, Attempts)),
    less(
        "attempts_raced_total",
        "",
        EVERYWHERE,
        "Attempts refused by a node told to go, through a balancer that had not heard: the deregistration race.",
        |w| count(w, Raced).filter(|_| w.traits.races),
    ),
    plain(
        "connects_total",
        "",
        EVERYWHERE,
        "Tries to get in: attempts of a first request, and all while cut off.",
        |w| count(w, Connects),
    ),
];
