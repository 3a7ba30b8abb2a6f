//! Had the run settled before anything happened? The warm-up it would have needed, and whether a trend is left.
//!
//! MSER-5 (White, *An effective truncation heuristic for bias reduction in simulation output*, 1997; with batches of five:
//! White, Cobb and Spratt 2000): of all the ways to leave out the beginning, take the one after which the mean of the rest is
//! known best, that is with the smallest Σ(x − mean)² ÷ n². A choice that leaves out half and more says that the series has
//! not settled.

use super::totals::Counter;
use super::window::Window;
use crate::base::time::{Duration, Instant};

/// Whether a run had settled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steadiness {
    /// The warm-up that MSER-5 finds, the longest of live sessions, utilisation and mean response time; `None` when one of
    /// them has not settled by the middle.
    pub warmup_needed: Option<Duration>,
    /// Live sessions between warm-up and first incident: mean of the second half ÷ mean of the first − 1.
    pub sessions_trend: Option<f64>,
    /// Mean response time: the same.
    pub response_trend: Option<f64>,
}

/// Ticks in a batch.
const BATCH: usize = 5;
/// Fewer batches say nothing.
const BATCHES_MIN: usize = 10;

type Series = fn(&Window) -> Option<f64>;

fn sessions(tick: &Window) -> Option<f64> {
    Some(tick.totals.live_time as f64)
}

fn response(tick: &Window) -> Option<f64> {
    let answered = tick.totals[Counter::Succeeded];
    (answered > 0).then(|| tick.totals[Counter::ResponseTime] as f64 / answered as f64)
}

fn utilisation(tick: &Window) -> Option<f64> {
    tick.cluster.as_ref()?.utilisation_mean
}

/// Looks at the ticks of all populations together, in order, as far as `first`, the first incident or the end of the run;
/// `None` when they are too few.
pub fn look(ticks: &[&Window], warmup: Instant, first: Instant) -> Option<Steadiness> {
    let before: Vec<&Window> = ticks.iter().copied().take_while(|tick| tick.to <= first).collect();
    if before.len() < BATCH * BATCHES_MIN {
        return None;
    }
    let needed = |series: Series| truncation(&batches(&before, series));
    let batch = before[0].length() * BATCH as u64;
    let needed = [sessions, utilisation, response].map(needed);
    // All must have settled; where a series says nothing at all, the others decide.
    let longest = needed.into_iter().flatten().try_fold(0, |longest, left_out| Some(left_out?.max(longest)));
    let after: Vec<&Window> = before.iter().copied().filter(|tick| tick.from >= warmup).collect();
    Some(Steadiness {
        warmup_needed: longest.map(|batches: usize| batch * batches as u64),
        sessions_trend: trend(&after, sessions),
        response_trend: trend(&after, response),
    })
}

/// Means of five ticks each; a batch without any value is left out.
fn batches(ticks: &[&Window], series: Series) -> Vec<f64> {
    ticks.chunks_exact(BATCH).filter_map(|batch| mean(batch, series)).collect()
}

fn mean(ticks: &[&Window], series: Series) -> Option<f64> {
    let (sum, n) = ticks.iter().filter_map(|tick| series(tick)).fold((0.0, 0), |(sum, n), x| (sum + x, n + 1));
    (n > 0).then(|| sum / f64::from(n))
}

fn trend(ticks: &[&Window], series: Series) -> Option<f64> {
    let (first, second) = ticks.split_at(ticks.len() / 2);
    let (first, second) = (mean(first, series)?, mean(second, series)?);
    (first > 0.0).then(|| second / first - 1.0)
}

/// How many batches to leave out: `None` for too few to say, `Some(None)` where half of them do not suffice.
fn truncation(batches: &[f64]) -> Option<Option<usize>> {
    let n = batches.len();
    if n < BATCHES_MIN {
        return None;
    }
    // From the end, so that each candidate takes one step; around the last value, so that nothing cancels.
    let (mut sum, mut squares) = (0.0, 0.0);
    let (mut best, mut least) = (n, f64::INFINITY);
    for (left_out, x) in batches.iter().enumerate().rev() {
        let x = x - batches[n - 1];
        (sum, squares) = (sum + x, squares + x * x);
        let kept = (n - left_out) as f64;
        let statistic = (squares - sum * sum / kept).max(0.0) / (kept * kept);
        // Of equals the one that leaves out least.
        if left_out <= n / 2 && statistic <= least {
            (best, least) = (left_out, statistic);
        }
    }
    Some((best < n / 2).then_some(best))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise that is the same in every run of the test: a multiplicative sequence in 0…1.
    fn noise(i: usize) -> f64 {
        (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17) as f64 / u64::MAX as f64
    }

    #[test]
    fn what_climbs_first_and_then_stays_is_cut_where_it_stays() {
        let series: Vec<f64> = (0..100).map(|i| (i.min(20)) as f64 + noise(i)).collect();
        let cut = truncation(&series).unwrap().unwrap();
        assert!((18..=24).contains(&cut), "{cut}");
    }

    #[test]
    fn what_never_moves_needs_no_warm_up() {
        assert_eq!(truncation(&[7.0; 40]), Some(Some(0)));
    }

    #[test]
    fn what_climbs_to_the_end_has_not_settled() {
        let series: Vec<f64> = (0..100).map(|i| i as f64).collect();
        assert_eq!(truncation(&series), Some(None));
    }

    #[test]
    fn few_batches_say_nothing() {
        assert_eq!(truncation(&[1.0; BATCHES_MIN - 1]), None);
    }
}
