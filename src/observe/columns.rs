//! Every figure once: its name, unit, meaning, the files it stands in, which way is better, how to get it.
//!
//! Headers, `datapackage.json`, the table in `docs/columns.md`, `[slo]` keys and comparisons all come from
//! [`ALL`]. To add a column, add its line there.

use super::recovery::Eventually;
use super::totals::Counter::{self, *};
use super::window::{ClusterFigures, Spread, Window};
use crate::base::cause::Harm;

/// Which way a figure should go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Better {
    /// The less the better.
    Less,
    /// The more the better.
    More,
    /// Neither: it describes.
    Neither,
}

/// The tables that a column may stand in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum File {
    /// One row per tick.
    Ticks,
    /// One row per incident.
    Incidents,
    /// One row per run.
    Runs,
}

/// One figure.
#[derive(Debug)]
pub struct Column {
    /// Its name: subject, unit, statistic.
    pub name: &'static str,
    /// Its unit; empty for counts and ratios.
    pub unit: &'static str,
    /// Where it stands.
    pub files: &'static [File],
    /// Which way is better.
    pub better: Better,
    /// One sentence.
    pub meaning: &'static str,
    /// Reads it off a window; `None` where it does not apply.
    pub get: fn(&Window) -> Option<f64>,
}

const EVERYWHERE: &[File] = &[File::Ticks, File::Incidents, File::Runs];
const LONG: &[File] = &[File::Incidents, File::Runs];
const INCIDENTS: &[File] = &[File::Incidents];

type Get = fn(&Window) -> Option<f64>;

const fn column(
    better: Better,
    name: &'static str,
    unit: &'static str,
    files: &'static [File],
    meaning: &'static str,
    get: Get,
) -> Column {
    Column { name, unit, files, better, meaning, get }
}

const fn less(n: &'static str, u: &'static str, f: &'static [File], m: &'static str, g: Get) -> Column {
    column(Better::Less, n, u, f, m, g)
}

const fn more(n: &'static str, u: &'static str, f: &'static [File], m: &'static str, g: Get) -> Column {
    column(Better::More, n, u, f, m, g)
}

const fn plain(n: &'static str, u: &'static str, f: &'static [File], m: &'static str, g: Get) -> Column {
    column(Better::Neither, n, u, f, m, g)
}

/// Every column, in the order in which they stand.
pub const ALL: &[Column] = &[
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
    less("sessions_dropped_total", "", EVERYWHERE, "Times a session was cut off.", |w| harm(w, Harm::Dropped)),
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
    less("rollout_time_s", "s", INCIDENTS, "Until a change was complete; empty for a fault.", |w| {
        time(w.shock?.rollout)
    }),
    more("completed_ratio", "", INCIDENTS, "1 when that time came within the incident, 0 when it never did.", |w| {
        came(w.shock?.rollout)
    }),
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
    plain(
        "connects_total",
        "",
        EVERYWHERE,
        "Tries to get in: attempts of a first request, and all while cut off.",
        |w| count(w, Connects),
    ),
    more("state_hit_ratio", "", EVERYWHERE, "Look-ups of state or cache that found it ÷ all.", |w| {
        ratio(w.totals[Hits] as f64, (w.totals[Hits] + w.totals[Misses]) as f64)
    }),
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
        cluster(w, |c| c.rebuilders?.time_max)
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
    plain("service_time_s_total", "s", EVERYWHERE, "Service time of work that nodes completed.", |w| {
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
    plain("nodes_ready_mean", "", EVERYWHERE, "Ready nodes, time average.", |w| cluster(w, |c| Some(c.ready_mean))),
    more("nodes_ready_min", "", EVERYWHERE, "The fewest ready nodes at any instant.", |w| {
        cluster(w, |c| Some(c.ready_min))
    }),
    plain("node_utilisation_ratio_mean", "", EVERYWHERE, "Busy share of slots, mean over ready nodes.", |w| {
        cluster(w, |c| c.utilisation_mean)
    }),
    less("node_utilisation_ratio_max", "", EVERYWHERE, "Busy share of slots of the busiest node in any tick.", |w| {
        cluster(w, |c| c.utilisation_max)
    }),
    less("sessions_peak_to_mean", "", EVERYWHERE, "Bound sessions: fullest ready node ÷ mean.", |w| {
        spread(w, |c| c.sessions, |s| s.mean.map(|m| m.peak_to_mean))
    }),
    less("sessions_peak_to_fair", "", EVERYWHERE, "Bound sessions: fullest node × desired nodes ÷ all.", |w| {
        spread(w, |c| c.sessions, |s| s.mean.map(|m| m.peak_to_fair))
    }),
    less("sessions_peak_to_fair_max", "", LONG, "The largest of any tick.", |w| {
        spread(w, |c| c.sessions, |s| s.peak_to_fair_max)
    }),
    less("sessions_cv", "", EVERYWHERE, "Bound sessions: coefficient of variation over ready nodes.", |w| {
        spread(w, |c| c.sessions, |s| s.mean.map(|m| m.cv))
    }),
    more("sessions_jain", "", EVERYWHERE, "Bound sessions: Jain's fairness index.", |w| {
        spread(w, |c| c.sessions, |s| s.mean.map(|m| m.jain))
    }),
    less("sessions_gini", "", &[File::Runs], "Bound sessions: Gini coefficient of the nodes' averages.", |w| {
        spread(w, |c| c.sessions, |s| s.gini)
    }),
    less("connections_peak_to_mean", "", EVERYWHERE, "Connections: fullest ready node ÷ mean.", |w| {
        spread(w, |c| c.connections, |s| s.mean.map(|m| m.peak_to_mean))
    }),
    less("connections_peak_to_fair", "", EVERYWHERE, "Connections: fullest node × desired nodes ÷ all.", |w| {
        spread(w, |c| c.connections, |s| s.mean.map(|m| m.peak_to_fair))
    }),
    less("connections_cv", "", EVERYWHERE, "Connections: coefficient of variation over ready nodes.", |w| {
        spread(w, |c| c.connections, |s| s.mean.map(|m| m.cv))
    }),
    less("in_flight_peak_to_mean", "", EVERYWHERE, "Attempts at the nodes: fullest ÷ mean.", |w| {
        spread(w, |c| c.in_flight, |s| s.mean.map(|m| m.peak_to_mean))
    }),
    less("in_flight_peak_to_fair", "", EVERYWHERE, "Attempts at the nodes: fullest × desired nodes ÷ all.", |w| {
        spread(w, |c| c.in_flight, |s| s.mean.map(|m| m.peak_to_fair))
    }),
    less("in_flight_cv", "", EVERYWHERE, "Attempts at the nodes: coefficient of variation.", |w| {
        spread(w, |c| c.in_flight, |s| s.mean.map(|m| m.cv))
    }),
    more("in_flight_jain", "", EVERYWHERE, "Attempts at the nodes: Jain's fairness index.", |w| {
        spread(w, |c| c.in_flight, |s| s.mean.map(|m| m.jain))
    }),
    less("busy_peak_to_mean", "", EVERYWHERE, "Busy time: busiest ready node ÷ mean.", |w| {
        spread(w, |c| c.busy, |s| s.mean.map(|m| m.peak_to_mean))
    }),
    less("busy_peak_to_fair", "", EVERYWHERE, "Busy time: busiest node × desired nodes ÷ all.", |w| {
        spread(w, |c| c.busy, |s| s.mean.map(|m| m.peak_to_fair))
    }),
    less("busy_peak_to_fair_max", "", LONG, "The largest of any tick.", |w| {
        spread(w, |c| c.busy, |s| s.peak_to_fair_max)
    }),
    less("busy_cv", "", EVERYWHERE, "Busy time: coefficient of variation over ready nodes.", |w| {
        spread(w, |c| c.busy, |s| s.mean.map(|m| m.cv))
    }),
    more("busy_jain", "", EVERYWHERE, "Busy time: Jain's fairness index.", |w| {
        spread(w, |c| c.busy, |s| s.mean.map(|m| m.jain))
    }),
    less("busy_gini", "", &[File::Runs], "Busy time: Gini coefficient of the nodes' averages.", |w| {
        spread(w, |c| c.busy, |s| s.gini)
    }),
];

/// The columns of a file, in order.
pub fn of(file: File) -> impl Iterator<Item = &'static Column> {
    ALL.iter().filter(move |column| column.files.contains(&file))
}

/// The column with this name.
pub fn named(name: &str) -> Option<&'static Column> {
    ALL.iter().find(|column| column.name == name)
}

fn nanos(w: &Window) -> f64 {
    w.length().as_nanos() as f64
}

fn count(w: &Window, counter: Counter) -> Option<f64> {
    Some(w.totals[counter] as f64)
}

fn harm(w: &Window, harm: Harm) -> Option<f64> {
    Some(w.totals.total(harm) as f64)
}

/// A ratio with nothing below the line does not apply.
fn ratio(above: f64, below: f64) -> Option<f64> {
    (below > 0.0).then(|| above / below)
}

/// Distinct sessions hit, as a share: of those live before an incident, of all that a run saw.
fn distinct(w: &Window, counter: Counter, of_shock: fn(&super::incident::Shock) -> u64) -> Option<f64> {
    match &w.shock {
        Some(shock) => ratio(of_shock(shock) as f64, shock.live_before as f64),
        None => {
            let left = w.totals.gone();
            // Everybody seen: those still live at the end and those that left.
            ratio(w.totals[counter] as f64, (w.live + left) as f64)
        }
    }
}

fn time(eventually: Option<Eventually>) -> Option<f64> {
    match eventually? {
        Eventually::After(time) => Some(time.as_secs_f64()),
        Eventually::Never => None,
    }
}

fn came(eventually: Option<Eventually>) -> Option<f64> {
    Some(f64::from(u8::from(eventually? != Eventually::Never)))
}

fn cluster(w: &Window, get: fn(&ClusterFigures) -> Option<f64>) -> Option<f64> {
    w.cluster.as_ref().and_then(get)
}

fn spread(w: &Window, which: fn(&ClusterFigures) -> Spread, get: fn(Spread) -> Option<f64>) -> Option<f64> {
    w.cluster.as_ref().map(which).and_then(get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_snake_case_and_explained() {
        for (i, column) in ALL.iter().enumerate() {
            assert!(ALL[..i].iter().all(|other| other.name != column.name), "{} twice", column.name);
            assert!(column.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
            assert!(column.meaning.ends_with('.') && !column.files.is_empty(), "{}", column.name);
        }
    }
}
