//! What a run of a design shows, and what that makes of a day.

use super::scene::EVENTS;
use crate::cluster::plan::Plan;
use crate::observe::columns;
use crate::observe::recorder::{Recording, Scope};
use crate::observe::window::Window;
use crate::statistics::{Estimate, estimate, quantile};

/// What one stretch of a run cost its users.
#[derive(Clone, Copy, Debug, Default)]
pub struct Harm {
    /// Times a session's state was lost.
    pub lost: f64,
    /// Requests that failed.
    pub failed: f64,
    /// How long it is (h).
    pub hours: f64,
}

/// One run of a design.
#[derive(Clone, Debug)]
pub struct Run {
    /// Hours after the warm-up.
    pub hours: f64,
    /// Harm in all.
    pub all: Harm,
    /// Harm within the quiet time.
    pub quiet: Harm,
    /// Harm by event.
    pub events: [Harm; EVENTS.len()],
    /// Requests that came to an end.
    pub requests: f64,
    /// p99 of the response time, events and all (ms); `None` when nothing was answered.
    pub p99_ms: Option<f64>,
    /// Bound sessions, fullest node ÷ mean; `None` where nothing is bound.
    pub skew: Option<f64>,
    /// Share of the sessions that the crash cut off or cost their state, whichever is more.
    pub blast: f64,
    /// Sessions live on average.
    pub live: f64,
    /// Hours of store instances.
    pub store_hours: f64,
    /// What everything but nodes, instances of stores and lost sessions costs.
    pub other_cost: f64,
    /// How long the deploy took; `None` when it was not over at the end.
    pub deploy_s: Option<f64>,
}

fn figure(window: &Window, name: &str) -> Option<f64> {
    columns::named(name).and_then(|column| (column.get)(window))
}

fn harm(window: &Window) -> Harm {
    let of = |name| figure(window, name).unwrap_or(0.0);
    let hours = window.length().as_secs_f64() / 3_600.0;
    Harm { lost: of("sessions_lost_total"), failed: of("requests_failed_total"), hours }
}

/// Reads a run.
pub fn read(plan: &Plan, recording: &Recording) -> Option<Run> {
    let (_, whole) = recording.runs.iter().find(|(scope, _)| *scope == Scope::All)?;
    let mut events = [Harm::default(); EVENTS.len()];
    let (mut blast, mut deploy_s) = (0.0, None);
    for (scope, window) in &recording.incidents {
        let Some(shock) = window.shock.filter(|_| *scope == Scope::All) else { continue };
        let Some(event) = EVENTS.iter().position(|name| *name == plan.incident(shock.index).0) else { continue };
        events[event] = harm(window);
        match EVENTS[event] {
            "crash" => {
                let share = |name| figure(window, name).unwrap_or(0.0);
                blast = share("sessions_dropped_ratio").max(share("sessions_lost_ratio"));
            }
            "deploy" => deploy_s = figure(window, "rollout_time_s"),
            _ => {}
        }
    }
    let all = harm(whole);
    let sum = |get: fn(&Harm) -> f64| events.iter().map(get).sum::<f64>();
    let prices = plan.prices.unwrap_or_default();
    let store_hours = figure(whole, "store_hours_total").unwrap_or(0.0);
    let paid = figure(whole, "cost_total").unwrap_or(0.0);
    let nodes = figure(whole, "node_hours_total").unwrap_or(0.0);
    let hours = whole.length().as_secs_f64() / 3_600.0;
    let told = prices.node_hour * nodes + prices.store_hour * store_hours + prices.session_lost * all.lost;
    Some(Run {
        hours,
        all,
        quiet: Harm {
            lost: all.lost - sum(|harm| harm.lost),
            failed: all.failed - sum(|harm| harm.failed),
            hours: hours - sum(|harm| harm.hours),
        },
        events,
        requests: figure(whole, "requests_succeeded_total").unwrap_or(0.0) + all.failed,
        p99_ms: figure(whole, "response_time_ms_p99"),
        skew: figure(whole, "sessions_peak_to_mean"),
        blast,
        live: figure(whole, "sessions_live_mean").unwrap_or(0.0),
        store_hours,
        // Rounding may leave a trace below nothing.
        other_cost: (paid - told).max(0.0),
        deploy_s,
    })
}

impl Run {
    /// How much of a harm a day brings, when events come so often a day. What happens in any case is counted once: of an
    /// event only what is more than in as much quiet time.
    pub fn a_day(&self, per_day: &[f64; EVENTS.len()], get: fn(&Harm) -> f64) -> f64 {
        let by_hour = if self.quiet.hours > 0.0 { get(&self.quiet) / self.quiet.hours } else { 0.0 };
        let more = |harm: &Harm| get(harm) - by_hour * harm.hours;
        by_hour * 24.0 + self.events.iter().zip(per_day).map(|(harm, rate)| more(harm) * rate).sum::<f64>()
    }

    /// Share of the requests of such a day that fail; `None` where nobody asks for anything.
    pub fn failed_share(&self, per_day: &[f64; EVENTS.len()]) -> Option<f64> {
        let requests = self.requests / self.hours * 24.0;
        (requests > 0.0).then(|| self.a_day(per_day, |harm| harm.failed) / requests)
    }
}

/// A figure over runs; `None` when it does not apply in one of them.
pub fn over(runs: &[Run], get: impl Fn(&Run) -> Option<f64>) -> Option<Estimate> {
    let values: Option<Vec<f64>> = runs.iter().map(get).collect();
    estimate(&values?)
}

/// The value that so many of a hundred runs stay below.
pub fn p95(runs: &[Run], get: fn(&Run) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(get).collect();
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.95).unwrap_or(0.0)
}
