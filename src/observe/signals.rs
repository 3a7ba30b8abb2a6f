//! Which metric says first that something is wrong, how long before the users notice, and how often for nothing?
//!
//! A signal's *healthy band* reaches from anything below up to an edge, learnt from the first half of the ticks between the
//! warm-up and the first incident: twice as far above their median as the largest of them. It *alarms* at the end of the
//! first tick beyond that. The second half of those ticks tells how often it alarms while all is well. The users *notice* at
//! the end of the first stretch whose error ratio or p99 is beyond the limits that recovery is judged by.

use super::columns;
use super::recovery::Eventually;
use super::totals::Counter;
use super::window::Window;
use crate::base::cause::{Cause, Harm};
use crate::base::time::{Duration, Instant};

/// A metric that a monitoring system would watch.
#[derive(Debug)]
pub struct Signal {
    /// Its name.
    pub name: &'static str,
    /// One sentence.
    pub meaning: &'static str,
    watches: Watches,
}

type Get = fn(&Window) -> Option<f64>;

/// Where the values of a signal come from.
#[derive(Debug)]
enum Watches {
    /// A column of `ticks.csv`.
    Column(&'static str),
    /// What no column is.
    Other(Get),
}

impl Signal {
    /// Its values, by tick.
    fn series(&self, ticks: &[&Window]) -> Vec<Option<f64>> {
        let get = match self.watches {
            Watches::Column(name) => columns::named(name).expect("signals watch columns that there are").get,
            Watches::Other(get) => get,
        };
        ticks.iter().map(|tick| get(tick)).collect()
    }
}

/// Ticks of one kind, learning or testing, that are needed at least.
const TICKS_MIN: usize = 10;

/// Every signal. To add one, add its line.
pub const ALL: &[Signal] = &[
    Signal { name: "disconnects", meaning: "Sessions dropped.", watches: Watches::Column("sessions_dropped_total") },
    Signal {
        name: "session_errors",
        meaning: "Requests that met no state of their session: answered with an error, or after a rebuild.",
        watches: Watches::Other(|w| {
            let unknown = w.totals.of(Harm::Failed, Cause::SessionUnknown) + w.totals[Counter::Rebuilds];
            w.traits.stateful.then_some(unknown as f64)
        }),
    },
    Signal { name: "uneven_cpu", meaning: "Busy time, peak to fair.", watches: Watches::Column("busy_peak_to_fair") },
    Signal { name: "uneven_memory", meaning: "Memory, peak to fair.", watches: Watches::Column("memory_peak_to_fair") },
    Signal {
        name: "uneven_sessions",
        meaning: "Bound sessions, peak to fair.",
        watches: Watches::Column("sessions_peak_to_fair"),
    },
    Signal {
        name: "cpu",
        meaning: "Busy share of the busiest node's slots.",
        watches: Watches::Column("node_utilisation_ratio_max"),
    },
    Signal {
        name: "memory",
        meaning: "Memory ÷ limit of the node nearest to it.",
        watches: Watches::Column("node_memory_ratio_max"),
    },
    Signal {
        name: "p99",
        meaning: "99th percentile of response time.",
        watches: Watches::Column("response_time_ms_p99"),
    },
    Signal {
        name: "errors",
        meaning: "Failed ÷ finished requests.",
        watches: Watches::Column("requests_failed_ratio"),
    },
    Signal { name: "connects", meaning: "Tries to get in.", watches: Watches::Column("connects_total") },
    Signal {
        name: "queue",
        meaning: "The most attempts in line at the balancers.",
        watches: Watches::Column("balancer_queue_max"),
    },
];

/// What one signal did about one incident.
#[derive(Clone, Copy, Debug)]
pub struct Warning {
    /// Place of the fault or change in the plan.
    pub incident: u16,
    /// The signal.
    pub signal: &'static Signal,
    /// The upper edge of its healthy band.
    pub edge: f64,
    /// What it did.
    pub alarm: Alarm,
    /// From the incident until users noticed; `None` where nobody can tell.
    pub noticed: Option<Eventually>,
    /// Alarms that began while all was well.
    pub false_alarms: u64,
    /// How long all was well, beyond the ticks that the band was learnt from.
    pub healthy: Duration,
}

/// Whether and when a signal alarmed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alarm {
    /// It was beyond its band when the incident began: it cannot tell of it.
    Already,
    /// So long after the incident began.
    After(Duration),
    /// Not before the next incident or the end of the run.
    Never,
}

impl Warning {
    /// By how much the alarm came before the users noticed (s); negative when it came after. `None` unless both came.
    pub fn lead_s(&self) -> Option<f64> {
        match (self.alarm, self.noticed) {
            (Alarm::After(alarm), Some(Eventually::After(noticed))) => {
                Some(noticed.as_secs_f64() - alarm.as_secs_f64())
            }
            _ => None,
        }
    }

    /// When users noticed (s); `None` when they never did, or nobody can tell.
    pub fn noticed_s(&self) -> Option<f64> {
        match self.noticed? {
            Eventually::After(time) => Some(time.as_secs_f64()),
            Eventually::Never => None,
        }
    }
}

/// An incident, as far as signals are concerned.
#[derive(Clone, Copy, Debug)]
pub struct Struck {
    /// Its place in the plan.
    pub index: u16,
    /// When it began.
    pub from: Instant,
    /// When the next one began, or the run ended.
    pub to: Instant,
    /// From its beginning until users noticed; `None` where nobody can tell.
    pub noticed: Option<Eventually>,
}

/// What every signal did about every incident, in this order; nothing where too little healthy time came before the first.
///
/// `ticks` are those of all populations together, in order.
pub fn warnings(ticks: &[&Window], warmup: Instant, incidents: &[Struck]) -> Vec<Warning> {
    let Some(first) = incidents.first() else { return Vec::new() };
    // Ticks are in order and of one length, so places among them are found by halving.
    let healthy = ticks.partition_point(|tick| tick.from < warmup)..ticks.partition_point(|tick| tick.to <= first.from);
    if healthy.len() < 2 * TICKS_MIN {
        return Vec::new();
    }
    let middle = healthy.start + healthy.len() / 2;
    let tested = ticks[middle..healthy.end].iter().fold(Duration::ZERO, |sum, tick| sum + tick.length());
    let learn = |signal: &'static Signal| {
        let series = signal.series(ticks);
        let edge = edge(series[healthy.start..middle].iter().flatten().copied().collect())?;
        let is_out: Vec<bool> = series.into_iter().map(|value| value.is_some_and(|value| value > edge)).collect();
        Some((signal, edge, onsets(&is_out[middle..healthy.end]), is_out))
    };
    let known: Vec<(&Signal, f64, u64, Vec<bool>)> = ALL.iter().filter_map(learn).collect();
    let of_incident = |struck: &Struck| {
        let warn = |(signal, edge, false_alarms, is_out): &(&'static Signal, f64, u64, Vec<bool>)| Warning {
            incident: struck.index,
            signal,
            edge: *edge,
            alarm: alarm(ticks, is_out, struck),
            noticed: struck.noticed,
            false_alarms: *false_alarms,
            healthy: tested,
        };
        known.iter().map(warn).collect::<Vec<_>>()
    };
    // What gave way to another at once has no time of its own.
    incidents.iter().filter(|struck| struck.to > struck.from).flat_map(of_incident).collect()
}

/// The upper edge of the band that these values make; `None` for too few.
fn edge(mut values: Vec<f64>) -> Option<f64> {
    if values.len() < TICKS_MIN {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let (median, max) = (values[values.len() / 2], values[values.len() - 1]);
    Some(median + 2.0 * (max - median))
}

/// How often the signal left its band.
fn onsets(is_out: &[bool]) -> u64 {
    let began = is_out.windows(2).filter(|pair| pair[1] && !pair[0]).count();
    began as u64 + u64::from(is_out.first() == Some(&true))
}

fn alarm(ticks: &[&Window], is_out: &[bool], struck: &Struck) -> Alarm {
    let begins = ticks.partition_point(|tick| tick.to <= struck.from);
    if begins > 0 && is_out[begins - 1] {
        return Alarm::Already;
    }
    let ends = ticks.partition_point(|tick| tick.from < struck.to);
    let first = (begins..ends).find(|&tick| is_out[tick]);
    first.map_or(Alarm::Never, |tick| Alarm::After(ticks[tick].to.since(struck.from)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::totals::Totals;
    use crate::observe::window::Traits;

    fn at(s: u64) -> Instant {
        Instant::START + Duration::from_secs(s)
    }

    /// A tick of a second with so many requests that met no session; the signal looked at is `session_errors`.
    fn tick(s: u64, rebuilds: u64) -> Window {
        let mut totals = Totals::default();
        totals[Counter::Rebuilds] = rebuilds;
        Window {
            from: at(s),
            to: at(s + 1),
            totals,
            live: 0,
            disconnected: 0,
            in_flight: 0,
            on_new: 0,
            response: None,
            traits: Traits { stateful: true, ..Traits::default() },
            cluster: None,
            shock: None,
            bill: None,
            steadiness: None,
        }
    }

    /// What `session_errors` does about an incident after 40 s, given its values by second; users notice after 5 s.
    fn told(values: &[u64]) -> Option<Warning> {
        let ticks: Vec<Window> = values.iter().zip(0..).map(|(&value, s)| tick(s, value)).collect();
        let struck =
            Struck { index: 0, from: at(40), to: at(60), noticed: Some(Eventually::After(Duration::from_secs(5))) };
        let all = warnings(&ticks.iter().collect::<Vec<_>>(), at(0), &[struck]);
        all.into_iter().find(|warning| warning.signal.name == "session_errors")
    }

    /// Twenty seconds of 1 to 3, so that the edge is 2 + 2·(3 − 2) = 4.
    fn learnt() -> Vec<u64> {
        [1, 2, 3].into_iter().cycle().take(20).collect()
    }

    #[test]
    fn the_first_tick_beyond_the_band_alarms_at_its_end() {
        let found = told(&[learnt(), vec![2; 20], vec![4, 4, 5, 9]].concat()).unwrap();
        assert_eq!((found.edge, found.alarm), (4.0, Alarm::After(Duration::from_secs(3))));
        assert_eq!((found.lead_s(), found.false_alarms, found.healthy), (Some(2.0), 0, Duration::from_secs(20)));
    }

    #[test]
    fn a_false_alarm_is_one_however_long_it_lasts() {
        let tested = [vec![2; 3], vec![5; 4], vec![2; 3], vec![5], vec![2; 9]].concat();
        let found = told(&[learnt(), tested, vec![2; 20]].concat()).unwrap();
        assert_eq!((found.false_alarms, found.alarm, found.lead_s()), (2, Alarm::Never, None));
    }

    #[test]
    fn what_was_out_already_tells_nothing() {
        let found = told(&[learnt(), vec![2; 19], vec![7], vec![8; 20]].concat()).unwrap();
        assert_eq!(found.alarm, Alarm::Already);
    }

    #[test]
    fn too_short_a_healthy_time_teaches_nothing() {
        let ticks: Vec<Window> = (0..30).map(|s| tick(s, 1)).collect();
        let struck = Struck { index: 0, from: at(19), to: at(30), noticed: None };
        assert!(warnings(&ticks.iter().collect::<Vec<_>>(), at(0), &[struck]).is_empty());
    }
}
