//! Every figure once: its name, unit, meaning, the files it stands in, which way is better, how to get it.
//!
//! Headers, `datapackage.json`, the table in `docs/columns.md`, `[slo]` keys and comparisons all come from
//! [`ALL`]. To add a column, add its line there.

use super::imbalance::{Load, Spread};
use super::recovery::Eventually;
use super::totals::Counter::{self, *};
use super::window::{ClusterFigures, Window};
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
    plain("nodes_ready_mean", "", EVERYWHERE, "Nodes that are ready or warming, time average.", |w| {
        cluster(w, |c| Some(c.ready_mean))
    }),
    more("nodes_ready_min", "", EVERYWHERE, "The fewest such nodes at any instant.", |w| {
        cluster(w, |c| Some(c.ready_min))
    }),
    less("node_restarts_total", "", EVERYWHERE, "Processes that were started again.", |w| {
        cluster(w, |c| Some(c.restarts as f64))
    }),
    less("node_oom_kills_total", "", EVERYWHERE, "Processes that were killed for their memory.", |w| {
        cluster(w, |c| c.oom_kills.map(|kills| kills as f64))
    }),
    less("balancer_queue_mean", "", EVERYWHERE, "Attempts in line at the balancers, time average.", |w| {
        cluster(w, |c| c.lines.map(|lines| lines.mean))
    }),
    less("balancer_queue_max", "", EVERYWHERE, "The most attempts in line at the balancers at any instant.", |w| {
        cluster(w, |c| c.lines.map(|lines| lines.max))
    }),
    plain("node_utilisation_ratio_mean", "", EVERYWHERE, "Busy share of slots, mean over ready nodes.", |w| {
        cluster(w, |c| c.utilisation_mean)
    }),
    less("node_utilisation_ratio_max", "", EVERYWHERE, "Busy share of slots of the busiest node in any tick.", |w| {
        cluster(w, |c| c.utilisation_max)
    }),
    less("node_memory_ratio_max", "", EVERYWHERE, "Memory ÷ limit of the node nearest to it in any tick.", |w| {
        cluster(w, |c| c.memory_ratio_max)
    }),
    less(
        "sessions_peak_to_mean",
        "",
        EVERYWHERE,
        "Bound sessions: fullest ready node ÷ mean.",
        uneven::<SESSIONS, PEAK_TO_MEAN>,
    ),
    less(
        "sessions_peak_to_fair",
        "",
        EVERYWHERE,
        "Bound sessions: fullest node × desired nodes ÷ all.",
        uneven::<SESSIONS, PEAK_TO_FAIR>,
    ),
    less(
        "sessions_peak_to_fair_max",
        "",
        LONG,
        "Bound sessions: the largest of any tick.",
        uneven::<SESSIONS, PEAK_TO_FAIR_MAX>,
    ),
    less("sessions_cv", "", EVERYWHERE, "Bound sessions: coefficient of variation.", uneven::<SESSIONS, CV>),
    more("sessions_jain", "", EVERYWHERE, "Bound sessions: Jain's fairness index.", uneven::<SESSIONS, JAIN>),
    less(
        "sessions_gini",
        "",
        LONG,
        "Bound sessions: Gini coefficient of the nodes' averages.",
        uneven::<SESSIONS, GINI>,
    ),
    less(
        "connections_peak_to_mean",
        "",
        EVERYWHERE,
        "Connections: fullest ready node ÷ mean.",
        uneven::<CONNECTIONS, PEAK_TO_MEAN>,
    ),
    less(
        "connections_peak_to_fair",
        "",
        EVERYWHERE,
        "Connections: fullest node × desired nodes ÷ all.",
        uneven::<CONNECTIONS, PEAK_TO_FAIR>,
    ),
    less(
        "connections_peak_to_fair_max",
        "",
        LONG,
        "Connections: the largest of any tick.",
        uneven::<CONNECTIONS, PEAK_TO_FAIR_MAX>,
    ),
    less("connections_cv", "", EVERYWHERE, "Connections: coefficient of variation.", uneven::<CONNECTIONS, CV>),
    more("connections_jain", "", EVERYWHERE, "Connections: Jain's fairness index.", uneven::<CONNECTIONS, JAIN>),
    less(
        "connections_gini",
        "",
        LONG,
        "Connections: Gini coefficient of the nodes' averages.",
        uneven::<CONNECTIONS, GINI>,
    ),
    less(
        "in_flight_peak_to_mean",
        "",
        EVERYWHERE,
        "Attempts at the nodes: fullest ÷ mean.",
        uneven::<IN_FLIGHT, PEAK_TO_MEAN>,
    ),
    less(
        "in_flight_peak_to_fair",
        "",
        EVERYWHERE,
        "Attempts at the nodes: fullest × desired nodes ÷ all.",
        uneven::<IN_FLIGHT, PEAK_TO_FAIR>,
    ),
    less(
        "in_flight_peak_to_fair_max",
        "",
        LONG,
        "Attempts at the nodes: the largest of any tick.",
        uneven::<IN_FLIGHT, PEAK_TO_FAIR_MAX>,
    ),
    less("in_flight_cv", "", EVERYWHERE, "Attempts at the nodes: coefficient of variation.", uneven::<IN_FLIGHT, CV>),
    more("in_flight_jain", "", EVERYWHERE, "Attempts at the nodes: Jain's fairness index.", uneven::<IN_FLIGHT, JAIN>),
    less(
        "in_flight_gini",
        "",
        LONG,
        "Attempts at the nodes: Gini coefficient of the nodes' averages.",
        uneven::<IN_FLIGHT, GINI>,
    ),
    less("busy_peak_to_mean", "", EVERYWHERE, "Busy time: busiest ready node ÷ mean.", uneven::<BUSY, PEAK_TO_MEAN>),
    less(
        "busy_peak_to_fair",
        "",
        EVERYWHERE,
        "Busy time: busiest node × desired nodes ÷ all.",
        uneven::<BUSY, PEAK_TO_FAIR>,
    ),
    less("busy_peak_to_fair_max", "", LONG, "Busy time: the largest of any tick.", uneven::<BUSY, PEAK_TO_FAIR_MAX>),
    less("busy_cv", "", EVERYWHERE, "Busy time: coefficient of variation.", uneven::<BUSY, CV>),
    more("busy_jain", "", EVERYWHERE, "Busy time: Jain's fairness index.", uneven::<BUSY, JAIN>),
    less("busy_gini", "", LONG, "Busy time: Gini coefficient of the nodes' averages.", uneven::<BUSY, GINI>),
    less("memory_peak_to_mean", "", EVERYWHERE, "Memory: fullest ready node ÷ mean.", uneven::<MEMORY, PEAK_TO_MEAN>),
    less(
        "memory_peak_to_fair",
        "",
        EVERYWHERE,
        "Memory: fullest node × desired nodes ÷ all.",
        uneven::<MEMORY, PEAK_TO_FAIR>,
    ),
    less("memory_peak_to_fair_max", "", LONG, "Memory: the largest of any tick.", uneven::<MEMORY, PEAK_TO_FAIR_MAX>),
    less("memory_cv", "", EVERYWHERE, "Memory: coefficient of variation.", uneven::<MEMORY, CV>),
    more("memory_jain", "", EVERYWHERE, "Memory: Jain's fairness index.", uneven::<MEMORY, JAIN>),
    less("memory_gini", "", LONG, "Memory: Gini coefficient of the nodes' averages.", uneven::<MEMORY, GINI>),
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

// Numbers, so that a line of the table can name a load and a measure of it.
const SESSIONS: usize = Load::Sessions as usize;
const CONNECTIONS: usize = Load::Connections as usize;
const IN_FLIGHT: usize = Load::InFlight as usize;
const BUSY: usize = Load::Busy as usize;
const MEMORY: usize = Load::Memory as usize;
const PEAK_TO_MEAN: usize = 0;
const PEAK_TO_FAIR: usize = 1;
const PEAK_TO_FAIR_MAX: usize = 2;
const CV: usize = 3;
const JAIN: usize = 4;
const GINI: usize = 5;

/// How unevenly the nodes carry a load, by one of the measures.
fn uneven<const LOAD: usize, const MEASURE: usize>(w: &Window) -> Option<f64> {
    let Spread { mean, peak_to_fair_max, gini } = w.cluster.as_ref()?.spreads[LOAD];
    match MEASURE {
        PEAK_TO_MEAN => mean.map(|m| m.peak_to_mean),
        PEAK_TO_FAIR => mean.map(|m| m.peak_to_fair),
        PEAK_TO_FAIR_MAX => peak_to_fair_max,
        CV => mean.map(|m| m.cv),
        JAIN => mean.map(|m| m.jain),
        GINI => gini,
        _ => unreachable!("a measure without a name"),
    }
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
