//! How are response times distributed? A histogram with a bounded relative error.
//!
//! Buckets are 1/128 of a power of two wide (H2 histogram of the `histogram` crate) and a quantile is
//! read at its bucket's middle: at most 0.4 % off. Counts are integers, so adding is exact in any order.

use crate::base::time::Duration;
use histogram::{Bucket, Histogram};

/// Largest relative error of a quantile: half a bucket.
pub const ERROR_RATIO: f64 = 0.5 / 128.0;

const GROUPING_POWER: u8 = 7;
/// 2⁴³ ns are 2.4 hours; longer response times count as that.
const VALUE_POWER: u8 = 43;
const VALUE_MAX: u64 = (1 << VALUE_POWER) - 1;
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// The response times of one window.
#[derive(Clone, Debug)]
pub struct ResponseTimes {
    buckets: Histogram,
    count: u64,
    max: Duration,
}

/// Quantiles of response times (ms).
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Quantiles {
    /// Median (ms).
    pub p50: f64,
    /// 90th percentile (ms).
    pub p90: f64,
    /// 99th percentile (ms).
    pub p99: f64,
    /// 99.9th percentile (ms).
    pub p999: f64,
    /// The largest, exact (ms).
    pub max: f64,
}

impl Default for ResponseTimes {
    fn default() -> ResponseTimes {
        let buckets = Histogram::new(GROUPING_POWER, VALUE_POWER).expect("constant powers are valid");
        ResponseTimes { buckets, count: 0, max: Duration::ZERO }
    }
}

impl ResponseTimes {
    /// Counts one response time.
    #[inline]
    pub fn add(&mut self, time: Duration) {
        // Cannot fail: the value is within the range.
        let _ = self.buckets.increment(time.as_nanos().min(VALUE_MAX));
        self.count += 1;
        self.max = self.max.max(time);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &ResponseTimes) {
        if other.count == 0 {
            return;
        }
        // Cannot fail: the same powers, and counts far below 2⁶⁴.
        let _ = self.buckets.checked_add_assign(&other.buckets);
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// Takes away what an earlier state of the same histogram held. The maximum cannot be taken away.
    pub fn subtract(&mut self, earlier: &ResponseTimes) {
        if let Ok(rest) = self.buckets.checked_sub(&earlier.buckets) {
            self.buckets = rest;
            self.count -= earlier.count;
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        if self.count > 0 {
            self.buckets.reset();
            self.count = 0;
            self.max = Duration::ZERO;
        }
    }

    /// The quantiles, unless nothing was counted.
    pub fn quantiles(&self) -> Option<Quantiles> {
        let found = self.buckets.quantiles(&QUANTILES).ok().flatten()?;
        let mut each = found.entries().values().map(|bucket| self.middle_ms(bucket));
        let (p50, p90, p99, p999) = (each.next()?, each.next()?, each.next()?, each.next()?);
        Some(Quantiles { p50, p90, p99, p999, max: self.max.as_millis_f64() })
    }

    fn middle_ms(&self, bucket: &Bucket) -> f64 {
        // Not beyond the largest: the top bucket's middle may be.
        ((bucket.start() as f64 + bucket.end() as f64) / 2e6).min(self.max.as_millis_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_the_stated_error() {
        let mut times = ResponseTimes::default();
        (1..=100_000).for_each(|us| times.add(Duration::from_nanos(us * 1_000)));
        let q = times.quantiles().unwrap();
        for (found, exact) in [(q.p50, 50.0), (q.p90, 90.0), (q.p99, 99.0), (q.p999, 99.9)] {
            assert!((found / exact - 1.0).abs() <= ERROR_RATIO, "{found} for {exact}");
        }
        assert_eq!(q.max, 100.0);
    }

    #[test]
    fn nothing_has_no_quantiles() {
        assert_eq!(ResponseTimes::default().quantiles(), None);
    }

    #[test]
    fn what_was_there_before_can_be_taken_away() {
        let mut times = ResponseTimes::default();
        times.add(Duration::from_secs(9));
        let before = times.clone();
        times.add(Duration::from_millis(5));
        times.subtract(&before);
        assert_eq!(times.count(), 1);
        assert!((times.quantiles().unwrap().p50 - 5.0).abs() < 0.03);
    }
}
