//! The books of one population, or of all together: running totals and what each kind of window needs.

use super::gauge::Gauge;
use super::histogram::ResponseTimes;
use super::incident::OpenIncident;
use super::recovery::Verdict;
use super::totals::Totals;
use crate::base::cause::Harm;
use crate::base::time::{Duration, Instant};

/// A verdict window closes when it holds so many requests.
const JUDGED_MIN: u64 = 1_000;

/// The books of one population, or of all together.
#[derive(Debug, Default)]
pub struct Books {
    /// What was counted.
    pub totals: Totals,
    /// Live sessions.
    pub live: Gauge,
    /// Sessions cut off.
    pub disconnected: Gauge,
    /// Sessions with too few copies.
    pub thin: Gauge,
    /// Sessions whose last answer came from a version other than the first.
    pub on_new: Gauge,
    /// The totals when the tick began.
    pub at_tick: Totals,
    /// The totals when the warm-up ended.
    pub at_warmup: Totals,
    /// Response times of the tick.
    pub tick_response: ResponseTimes,
    /// Response times since the warm-up.
    pub run_response: ResponseTimes,
    /// The incident under way.
    pub incident: Option<OpenIncident>,
    // Requests of the verdict window that is filling.
    judging_from: Instant,
    judging: ResponseTimes,
    judging_failed: u64,
    /// What recovery is judged by.
    pub verdicts: Vec<Verdict>,
}

impl Books {
    /// Totals with the integrals of the tick under way, of which `left` is to go.
    pub fn totals_at(&self, left: Duration) -> Totals {
        let mut totals = self.totals.clone();
        totals.live_time += self.live.so_far(left);
        totals.disconnected_time += self.disconnected.so_far(left);
        totals.thin_time += self.thin.so_far(left);
        totals.on_new_time += self.on_new.so_far(left);
        totals
    }

    /// Takes in the integrals of the tick that ends, and begins those of the next.
    pub fn turn_gauges(&mut self, length: Duration) {
        self.totals.live_time += self.live.turn(length) as u128;
        self.totals.disconnected_time += self.disconnected.turn(length) as u128;
        self.totals.thin_time += self.thin.turn(length) as u128;
        self.totals.on_new_time += self.on_new.turn(length) as u128;
    }

    /// Moves on to the tick that begins at `now`.
    pub fn turn(&mut self, tick_from: Instant, now: Instant, warmup: Instant) {
        self.judge(now);
        if let Some(incident) = &mut self.incident {
            let mut ours = self.tick_response.clone();
            ours.subtract(&incident.not_ours);
            incident.not_ours.clear();
            incident.response.merge(&ours);
        }
        if tick_from >= warmup {
            self.run_response.merge(&self.tick_response);
        }
        if now == warmup {
            self.at_warmup = self.totals.clone();
        }
        self.tick_response.clear();
        self.at_tick = self.totals.clone();
    }

    /// Closes the verdict window when it holds enough requests.
    fn judge(&mut self, now: Instant) {
        self.judging.merge(&self.tick_response);
        self.judging_failed += self.totals.total(Harm::Failed) - self.at_tick.total(Harm::Failed);
        let judged = self.judging.count() + self.judging_failed;
        if judged < JUDGED_MIN {
            return;
        }
        self.verdicts.push(Verdict {
            from: self.judging_from,
            to: now,
            error_ratio: self.judging_failed as f64 / judged as f64,
            p99_ms: self.judging.quantiles().map(|q| q.p99),
        });
        self.judging.clear();
        self.judging_failed = 0;
        self.judging_from = now;
    }
}
