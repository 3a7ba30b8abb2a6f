//! When is it over? Recovery and rebalancing times with honest censoring.
//!
//! *Recovered*: error ratio and p99 are back within their limits and stay there for `hold`. The limits are
//! the SLO's, or, without one, the largest values that windows of at least 1,000 requests had between the
//! warm-up and the incident. *Rebalanced*: peak-to-mean is at most max(1.1, its own 95th percentile
//! before the incident), and stays there for `hold` after the fault itself is over: two even nodes out of
//! three are not yet an even cluster. A time that did not come is censored: it is never a number.

use crate::base::time::{Duration, Instant};

/// A time that may not have come within the window.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Eventually {
    /// It came after this long; zero when things were never bad.
    After(Duration),
    /// It had not come, or could not be confirmed, when the window ended.
    Never,
}

/// What must not be exceeded.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Limits {
    /// Largest share of requests that may fail.
    pub error_ratio: Option<f64>,
    /// Largest 99th percentile of response time (ms).
    pub p99_ms: Option<f64>,
}

/// A stretch of time with enough requests to judge it by.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Verdict {
    /// Its beginning.
    pub from: Instant,
    /// Its end.
    pub to: Instant,
    /// Failed ÷ (failed + succeeded).
    pub error_ratio: f64,
    /// 99th percentile of response time; `None` when nothing succeeded (ms).
    pub p99_ms: Option<f64>,
}

impl Verdict {
    fn within(&self, error_ratio: f64, p99_ms: f64) -> bool {
        // A window in which nothing succeeded has no p99, and is not recovered whatever the limit.
        self.error_ratio <= error_ratio && self.p99_ms.is_some_and(|p99| p99 <= p99_ms)
    }
}

/// What error ratio and p99 (ms) must not exceed: the SLO's limits, or the largest values before the incident.
///
/// `None` when there is nothing to compare with: no limit and no window before the incident.
fn bounds(verdicts: &[Verdict], warmup: Instant, incident: Instant, limits: Limits) -> Option<(f64, f64)> {
    let before: Vec<&Verdict> = verdicts.iter().filter(|v| v.from >= warmup && v.to <= incident).collect();
    let largest = |figure: fn(&Verdict) -> f64| before.iter().map(|v| figure(v)).reduce(f64::max);
    let error_ratio = limits.error_ratio.or_else(|| largest(|v| v.error_ratio))?;
    let p99_ms = limits.p99_ms.or_else(|| largest(|v| v.p99_ms.unwrap_or(0.0)))?;
    Some((error_ratio, p99_ms))
}

/// When error ratio and p99 came back within their limits after `incident`.
///
/// `None` when there is nothing to compare with.
pub fn recovery(
    verdicts: &[Verdict],
    warmup: Instant,
    incident: Instant,
    end: Instant,
    limits: Limits,
    hold: Duration,
) -> Option<Eventually> {
    let (error_ratio, p99_ms) = bounds(verdicts, warmup, incident, limits)?;
    let after = verdicts.iter().filter(|v| v.to > incident && v.from < end);
    let judged = after.map(|v| (v.from, v.to, v.within(error_ratio, p99_ms)));
    stays_good(judged, incident, incident, hold)
}

/// How long after `incident` the users noticed: the end of the first stretch beyond the limits, which are learnt, where no SLO
/// gives them, until `first`, the first incident of all.
///
/// `None` where nobody can tell: there is nothing to compare with, nothing was judged, or things were bad already.
pub fn noticed(
    verdicts: &[Verdict],
    warmup: Instant,
    first: Instant,
    incident: Instant,
    end: Instant,
    limits: Limits,
) -> Option<Eventually> {
    let (error_ratio, p99_ms) = bounds(verdicts, warmup, first, limits)?;
    let is_bad = |v: &&Verdict| !v.within(error_ratio, p99_ms);
    let was_bad = verdicts.iter().rev().find(|v| v.to <= incident).is_some_and(|v| is_bad(&v));
    let mut after = verdicts.iter().filter(|v| v.to > incident && v.from < end).peekable();
    after.peek().filter(|_| !was_bad)?;
    let noticed = after.find(is_bad).map(|v| Eventually::After(v.to.since(incident)));
    Some(noticed.unwrap_or(Eventually::Never))
}

/// When a ratio came back to at most `max(1.1, p95 of before)` after `incident`, whose fault was over at
/// `cleared`.
pub fn rebalance(
    ratios: &[(Instant, Instant, f64)],
    warmup: Instant,
    incident: Instant,
    cleared: Instant,
    end: Instant,
    hold: Duration,
) -> Option<Eventually> {
    let mut before: Vec<f64> = ratios.iter().filter(|r| r.0 >= warmup && r.1 <= incident).map(|r| r.2).collect();
    before.sort_by(f64::total_cmp);
    // Nearest rank.
    let p95 = before.get((before.len() * 95).div_ceil(100).saturating_sub(1)).copied()?;
    let limit = p95.max(1.1);
    let after = ratios.iter().filter(|r| r.1 > incident && r.0 < end);
    stays_good(after.map(|&(from, to, x)| (from, to, x <= limit)), incident, cleared, hold)
}

/// The first instant from which everything is good for at least `hold`, and that long past `cleared`; `None`
/// when nothing was judged, so that nobody can know.
fn stays_good(
    judged: impl Iterator<Item = (Instant, Instant, bool)>,
    incident: Instant,
    cleared: Instant,
    hold: Duration,
) -> Option<Eventually> {
    let mut since = Some(incident);
    let mut known = false;
    for (from, to, good) in judged {
        known = true;
        if !good {
            since = None;
            continue;
        }
        let start = *since.get_or_insert(from);
        if to.since(start.max(cleared)) >= hold {
            return Some(Eventually::After(start.since(incident)));
        }
    }
    known.then_some(Eventually::Never)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Instant {
        Instant::START + Duration::from_secs(s)
    }

    /// One verdict a second: its error ratio; p99 is always 10 ms.
    fn verdicts(error_ratios: &[f64]) -> Vec<Verdict> {
        let each = error_ratios.iter().zip(0..);
        each.map(|(&error_ratio, s)| Verdict { from: at(s), to: at(s + 1), error_ratio, p99_ms: Some(10.0) }).collect()
    }

    fn recovers(error_ratios: &[f64], hold_s: u64) -> Option<Eventually> {
        let hold = Duration::from_secs(hold_s);
        let end = at(error_ratios.len() as u64);
        recovery(&verdicts(error_ratios), at(0), at(3), end, Limits::default(), hold)
    }

    #[test]
    fn what_never_left_the_band_recovers_after_zero() {
        assert_eq!(recovers(&[0.1, 0.0, 0.0, 0.1, 0.0, 0.05], 2), Some(Eventually::After(Duration::ZERO)));
    }

    #[test]
    fn users_notice_at_the_end_of_the_first_bad_stretch() {
        let notice = |ratios: &[f64]| noticed(&verdicts(ratios), at(0), at(3), at(3), at(9), Limits::default());
        let after = |s| Some(Eventually::After(Duration::from_secs(s)));
        assert_eq!(notice(&[0.1, 0.0, 0.0, 0.1, 0.2, 0.9]), after(2));
        assert_eq!(notice(&[0.1, 0.0, 0.0, 0.1, 0.0, 0.05]), Some(Eventually::Never));
        assert_eq!(notice(&[0.1, 0.0, 0.0]), None, "nothing was judged");
        // A second incident is held against the time before the first, and tells nothing while that one goes on.
        let second = |ratios: &[f64]| noticed(&verdicts(ratios), at(0), at(2), at(4), at(9), Limits::default());
        assert_eq!(second(&[0.1, 0.0, 0.9, 0.0, 0.2]), after(1));
        assert_eq!(second(&[0.1, 0.0, 0.9, 0.9, 0.9]), None);
    }

    #[test]
    fn a_relapse_within_the_hold_starts_the_clock_again() {
        let found = recovers(&[0.0, 0.0, 0.0, 0.9, 0.0, 0.9, 0.0, 0.0, 0.0], 2);
        assert_eq!(found, Some(Eventually::After(Duration::from_secs(3))));
    }

    #[test]
    fn a_run_that_ends_before_the_hold_is_over_never_recovered() {
        assert_eq!(recovers(&[0.0, 0.0, 0.0, 0.9, 0.0], 2), Some(Eventually::Never));
    }

    #[test]
    fn where_nothing_was_judged_nobody_knows() {
        let before = verdicts(&[0.0, 0.0, 0.0]);
        let found = recovery(&before, at(0), at(3), at(90), Limits::default(), Duration::from_secs(2));
        assert_eq!(found, None);
    }

    #[test]
    fn without_a_past_and_without_a_limit_there_is_no_answer() {
        let verdicts = verdicts(&[0.0, 0.0]);
        assert_eq!(recovery(&verdicts, at(0), at(0), at(2), Limits::default(), Duration::ZERO), None);
    }

    #[test]
    fn a_cluster_is_not_even_again_before_its_node_is_back() {
        // Even while the node is away (seconds 3 to 5), uneven for two seconds after its return, then even.
        let ratios: Vec<_> = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.5, 1.5, 1.0, 1.0, 1.0]
            .iter()
            .zip(0..)
            .map(|(&x, s)| (at(s), at(s + 1), x))
            .collect();
        let hold = Duration::from_secs(2);
        let found = rebalance(&ratios, at(0), at(3), at(6), at(11), hold);
        assert_eq!(found, Some(Eventually::After(Duration::from_secs(5))));
    }

    #[test]
    fn an_slo_replaces_the_band() {
        let limits = Limits { error_ratio: Some(0.95), p99_ms: Some(20.0) };
        let found = recovery(&verdicts(&[0.0, 0.9, 0.9]), at(0), at(1), at(3), limits, Duration::from_secs(1));
        assert_eq!(found, Some(Eventually::After(Duration::ZERO)));
    }
}
