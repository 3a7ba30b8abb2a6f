//! Which metric says first that something is wrong, how long before the users notice, and how often for nothing?
//!
//! A signal's *healthy band* reaches from anything below up to an edge, learnt from the first half of the ticks between the
//! warm-up and the first incident: twice as far above their median as the largest of them. It *alarms* at the end of the
//! first tick beyond that. The second half of those ticks tells how often it alarms while all is well. The users *notice* at
//! the end of the first stretch whose error ratio or p99 is beyond the limits that recovery is judged by.

use super::columns::{self, Column};
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
    get: fn(&Window) -> Option<f64>,
}

/// Ticks of one kind, learning or testing, that are needed at least.
const TICKS_MIN: usize = 10;

/// Every signal. To add one, add its line.
pub const ALL: &[Signal] = &[
    Signal { name: "disconnects", meaning: "Sessions dropped.", get: |w| Some(w.totals.total(Harm::Dropped) as f64) },
    Signal {
        name: "session_errors",
        meaning: "Requests that met no state of their session: answered with an error, or after a rebuild.",
        get: |w| {
            let unknown = w.totals.of(Harm::Failed, Cause::SessionUnknown) + w.totals[Counter::Rebuilds];
            w.traits.stateful.then_some(unknown as f64)
        },
    },
    Signal { name: "uneven_cpu", meaning: "Busy time, peak to fair.", get: |w| read("busy_peak_to_fair", w) },
    Signal { name: "uneven_memory", meaning: "Memory, peak to fair.", get: |w| read("memory_peak_to_fair", w) },
    Signal {
        name: "uneven_sessions",
        meaning: "Bound sessions, peak to fair.",
        get: |w| read("sessions_peak_to_fair", w),
    },
    Signal {
        name: "cpu",
        meaning: "Busy share of the busiest node's slots.",
        get: |w| read("node_utilisation_ratio_max", w),
    },
    Signal {
        name: "memory",
        meaning: "Memory ÷ limit of the node nearest to it.",
        get: |w| read("node_memory_ratio_max", w),
    },
    Signal { name: "p99", meaning: "99th percentile of response time.", get: |w| read("response_time_ms_p99", w) },
    Signal { name: "errors", meaning: "Failed ÷ finished requests.", get: |w| read("requests_failed_ratio", w) },
    Signal { name: "connects", meaning: "Tries to get in.", get: |w| read("connects_total", w) },
    Signal {
        name: "queue",
        meaning: "The most attempts in line at the balancers.",
        get: |w| read("balancer_queue_max", w),
    },
];

fn read(name: &str, window: &Window) -> Option<f64> {
    let column: Option<&Column> = columns::named(name);
    column.and_then(|column| (column.get)(window))
}

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
    let is_healthy = |tick: &&&Window| tick.from >= warmup && tick.to <= first.from;
    let healthy: Vec<&Window> = ticks.iter().filter(is_healthy).copied().collect();
    if healthy.len() < 2 * TICKS_MIN {
        return Vec::new();
    }
    let (learnt, tested) = healthy.split_at(healthy.len() / 2);
    let healthy = tested.iter().fold(Duration::ZERO, |sum, tick| sum + tick.length());
    let known: Vec<(&Signal, f64, u64)> = ALL
        .iter()
        .filter_map(|signal| {
            let edge = edge(learnt.iter().filter_map(|tick| (signal.get)(tick)).collect())?;
            Some((signal, edge, onsets(tested, signal, edge)))
        })
        .collect();
    let of_incident = |struck: &Struck| {
        let struck = *struck;
        let warn = move |&(signal, edge, false_alarms): &(&'static Signal, f64, u64)| Warning {
            incident: struck.index,
            signal,
            edge,
            alarm: alarm(ticks, signal, edge, struck),
            noticed: struck.noticed,
            false_alarms,
            healthy,
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
fn onsets(ticks: &[&Window], signal: &Signal, edge: f64) -> u64 {
    let (mut out, mut onsets) = (false, 0);
    for tick in ticks {
        let is_out = is_out(tick, signal, edge);
        onsets += u64::from(is_out && !out);
        out = is_out;
    }
    onsets
}

fn is_out(tick: &Window, signal: &Signal, edge: f64) -> bool {
    (signal.get)(tick).is_some_and(|value| value > edge)
}

fn alarm(ticks: &[&Window], signal: &Signal, edge: f64, struck: Struck) -> Alarm {
    // Ticks are in order and of one length, so the first that ends after the beginning is found by halving.
    let begins = ticks.partition_point(|tick| tick.to <= struck.from);
    if begins > 0 && is_out(ticks[begins - 1], signal, edge) {
        return Alarm::Already;
    }
    let own = ticks[begins..].iter().take_while(|tick| tick.from < struck.to);
    let first = own.into_iter().find(|tick| is_out(tick, signal, edge));
    first.map_or(Alarm::Never, |tick| Alarm::After(tick.to.since(struck.from)))
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
