//! How are response times distributed? A histogram with a bounded relative error.
//!
//! Buckets are 1/128 of a power of two wide (H2 histogram of the `histogram` crate) and a quantile is
//! read at its bucket's middle: at most 0.4 % off. Counts are integers, so adding is exact in any order.
//!
//! There are almost 5,000 buckets, and the requests of a tick fill a few hundred of them, side by side. Whatever
//! is done once a tick looks at those between the smallest and the largest only.

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
    // No bucket outside of these is in use; exact unless something was taken away.
    min: Duration,
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
        ResponseTimes { buckets, count: 0, min: Duration::MAX, max: Duration::ZERO }
    }
}

impl ResponseTimes {
    /// Counts one response time.
    #[inline]
    pub fn add(&mut self, time: Duration) {
        // Cannot fail: the value is within the range.
        let _ = self.buckets.increment(time.as_nanos().min(VALUE_MAX));
        self.count += 1;
        self.min = self.min.min(time);
        self.max = self.max.max(time);
    }

    /// The buckets that may be in use.
    fn used(&self) -> std::ops::Range<usize> {
        if self.count == 0 { 0..0 } else { bucket(self.min)..bucket(self.max) + 1 }
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &ResponseTimes) {
        let used = other.used();
        let mine = &mut self.buckets.as_mut_slice()[used.clone()];
        for (mine, theirs) in mine.iter_mut().zip(&other.buckets.as_slice()[used]) {
            *mine += theirs;
        }
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Takes away what an earlier state of the same histogram held. The maximum cannot be taken away.
    pub fn subtract(&mut self, earlier: &ResponseTimes) {
        let used = earlier.used();
        let mine = &mut self.buckets.as_mut_slice()[used.clone()];
        for (mine, theirs) in mine.iter_mut().zip(&earlier.buckets.as_slice()[used]) {
            *mine -= theirs;
        }
        self.count -= earlier.count;
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        let used = self.used();
        self.buckets.as_mut_slice()[used].fill(0);
        (self.count, self.min, self.max) = (0, Duration::MAX, Duration::ZERO);
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

/// The bucket of a response time: exact below 2⁷ ns, then 128 to a power of two.
fn bucket(time: Duration) -> usize {
    let value = time.as_nanos().min(VALUE_MAX);
    let shift = (63 - (value | 1).leading_zeros()).saturating_sub(u32::from(GROUPING_POWER));
    ((u64::from(shift) << GROUPING_POWER) + (value >> shift)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_and_the_largest_bound_what_is_in_use() {
        let powers = (0..64).map(|power| 1u64 << power);
        for nanos in powers.flat_map(|p| [p - 1, p, p + 1, p + p / 3]) {
            let mut times = ResponseTimes::default();
            times.add(Duration::from_nanos(nanos));
            let in_use: Vec<usize> =
                (0..).zip(times.buckets.as_slice()).filter(|(_, n)| **n > 0).map(|(i, _)| i).collect();
            assert_eq!(in_use, times.used().collect::<Vec<_>>(), "{nanos}");
            times.clear();
            assert!(times.buckets.as_slice().iter().all(|n| *n == 0));
        }
    }

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
