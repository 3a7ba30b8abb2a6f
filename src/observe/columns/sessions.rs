//! Columns about sessions and connections: who is there, who is cut off, who moves, who loses what.

use super::*;

pub(super) const ALL: &[Column] = &[
    plain("sessions_live_mean", "", EVERYWHERE, "Live sessions, time average.", |w| {
        Some(w.totals.live_time as f64 / nanos(w))
    }),
    plain("sessions_started_total", "", EVERYWHERE, "Sessions that arrived.", |w| count(w, Started)),
    plain("sessions_ended_total", "", EVERYWHERE, "Sessions whose visit was over.", |w| count(w, Ended)),
    less("sessions_gave_up_total", "", EVERYWHERE, "Sessions whose client stopped trying to come back.", |w| {
        count(w, GaveUp)
    }),
    less(
        "sessions_refused_total",
        "",
        EVERYWHERE,
        "Sessions whose client stopped trying before it ever got in.",
        |w| count(w, Refused),
    ),
    less("sessions_disconnected_mean", "", EVERYWHERE, "Sessions cut off, time average.", |w| {
        Some(w.totals.disconnected_time as f64 / nanos(w))
    }),
    less("sessions_disconnected_s_total", "s", LONG, "Session-seconds spent cut off: the area of the shock.", |w| {
        Some(w.totals.disconnected_time as f64 / 1e9)
    }),
    more("connected_ratio_last", "", LONG, "Share of the sessions live at its end that were connected then.", |w| {
        ratio((w.live - w.disconnected) as f64, w.live as f64)
    }),
    less("sessions_dropped_total", "", EVERYWHERE, "Times a session was cut off.", |w| harm(w, Harm::Dropped)),
    less("connections_aged_total", "", EVERYWHERE, "Connections that nodes ended for their age.", |w| {
        count(w, Aged).filter(|_| w.traits.ages)
    }),
    less("sessions_evicted_total", "", EVERYWHERE, "Times a node asked a session to leave.", |w| {
        count(w, Evicted).filter(|_| w.traits.evicts)
    }),
    plain("sessions_reconnected_total", "", EVERYWHERE, "Times a session came back.", |w| count(w, Reconnected)),
    less("sessions_moved_total", "", EVERYWHERE, "Times a session's binding changed to another node.", |w| {
        harm(w, Harm::Moved).filter(|_| w.traits.binds)
    }),
    less("sessions_lost_total", "", EVERYWHERE, "Times a session's state was lost.", |w| {
        harm(w, Harm::Lost).filter(|_| w.traits.stateful)
    }),
    less(
        "sessions_dropped_ratio",
        "",
        LONG,
        "Distinct sessions dropped ÷ live before (incident) or seen (run).",
        |w| distinct(w, DroppedOnce, |shock| shock.dropped),
    ),
    less("sessions_moved_ratio", "", LONG, "Distinct sessions moved ÷ live before (incident) or seen (run).", |w| {
        distinct(w, MovedOnce, |shock| shock.moved).filter(|_| w.traits.binds)
    }),
    less("sessions_lost_ratio", "", LONG, "Distinct sessions lost ÷ live before (incident) or seen (run).", |w| {
        distinct(w, LostOnce, |shock| shock.lost).filter(|_| w.traits.stateful)
    }),
    less("session_hops_mean", "", INCIDENTS, "Moves ÷ sessions live before: how often each had to move.", |w| {
        let before = w.shock?.live_before as f64;
        ratio(w.totals.total(Harm::Moved) as f64, before).filter(|_| w.traits.binds)
    }),
    plain("sessions_live_before", "", INCIDENTS, "Sessions live just before the incident.", |w| {
        w.shock.map(|shock| shock.live_before as f64)
    }),
    less("disconnects_peak_per_s", "1/s", INCIDENTS, "Disconnect spike: the most drops in any one second.", |w| {
        w.shock.map(|shock| shock.drops_peak as f64)
    }),
    less("disconnects_peak_ratio", "", INCIDENTS, "Disconnect spike ÷ sessions live before.", |w| {
        w.shock.and_then(|shock| ratio(shock.drops_peak as f64, shock.live_before as f64))
    }),
    less("connects_peak_per_s", "1/s", INCIDENTS, "The most tries to get in within any one second.", |w| {
        w.shock.map(|shock| shock.connects_peak as f64)
    }),
    less("reconnect_time_s", "s", INCIDENTS, "Until 99 % of the dropped who still want to were connected.", |w| {
        time(w.shock?.reconnect)
    }),
    more("reconnected_ratio", "", INCIDENTS, "1 when that time came within the incident, 0 when it never did.", |w| {
        came(w.shock?.reconnect)
    }),
    less("gave_up_ratio", "", INCIDENTS, "Share of the dropped that gave up.", |w| {
        w.shock.and_then(|shock| ratio(shock.gave_up as f64, shock.dropped as f64))
    }),
    less("recovery_time_s", "s", INCIDENTS, "Until error ratio and p99 were back and stayed; 0 = never left.", |w| {
        time(w.shock?.recovery)
    }),
    more("recovered_ratio", "", INCIDENTS, "1 when that time came within the incident, 0 when it never did.", |w| {
        came(w.shock?.recovery)
    }),
    less("rebalance_time_s", "s", INCIDENTS, "Until peak-to-mean was back to max(1.1, its p95 before).", |w| {
        time(w.shock?.rebalance)
    }),
    more("rebalanced_ratio", "", INCIDENTS, "1 when that time came within the incident, 0 when it never did.", |w| {
        came(w.shock?.rebalance)
    }),
    less(
        "rollout_time_s",
        "s",
        INCIDENTS,
        "Until a change was complete, also where that was after the next incident began; empty for a fault.",
        |w| time(w.shock?.rollout),
    ),
    more("completed_ratio", "", INCIDENTS, "1 when that time came within the run, 0 when it never did.", |w| {
        came(w.shock?.rollout)
    }),
    less("stalled_ratio", "", INCIDENTS, "1 when a change was given up since nothing got on, 0 when not.", |w| {
        let shock = w.shock?;
        shock.rollout.map(|_| f64::from(u8::from(shock.is_given_up)))
    }),
    plain(
        "sessions_trend_ratio",
        "",
        RUNS,
        "Live sessions from warm-up to first incident: second half ÷ first half − 1; not 0 where the warm-up is too short.",
        |w| w.steadiness?.sessions_trend,
    ),
    plain("response_time_trend_ratio", "", RUNS, "Mean response time: the same.", |w| w.steadiness?.response_trend),
    plain(
        "warmup_needed_s",
        "s",
        RUNS,
        "Warm-up that MSER-5 finds in sessions, utilisation and response time; empty when too short or not settled.",
        |w| Some(w.steadiness?.warmup_needed?.as_secs_f64()),
    ),
    more("settled_ratio", "", RUNS, "1 when MSER-5 finds a steady state before the first incident, 0 when not.", |w| {
        Some(f64::from(u8::from(w.steadiness?.warmup_needed.is_some())))
    }),
];
