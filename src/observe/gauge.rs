//! A number that changes, and its time integral: one multiply-add per change.
//!
//! The integral has 128 bits: a gigabyte for an hour is 2⁷¹ byte-nanoseconds, and a tick may be longer.

use crate::base::time::Duration;

/// A number that changes, and its time integral within the current tick.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauge {
    /// What it is now.
    pub value: i64,
    area: i128,
}

impl Gauge {
    /// Changes by `by`, with `left` of the tick to go.
    #[inline]
    pub fn change(&mut self, by: i64, left: Duration) {
        self.value += by;
        self.area += over(by, left);
    }

    /// Starts a tick of this length; returns the integral of the one before.
    pub fn turn(&mut self, length: Duration) -> i128 {
        std::mem::replace(&mut self.area, over(self.value, length))
    }

    /// The integral up to `now`, with `left` of the tick to go; of a number that is never negative.
    pub fn so_far(&self, left: Duration) -> u128 {
        (self.area - over(self.value, left)) as u128
    }
}

#[inline]
fn over(value: i64, span: Duration) -> i128 {
    i128::from(value) * i128::from(span.as_nanos() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_integral_is_exact_beyond_64_bits() {
        // Ten million sessions for a day, one more for the last hour of it.
        let (day, hour) = (Duration::from_secs(86_400), Duration::from_secs(3_600));
        let mut gauge = Gauge::default();
        gauge.change(10_000_000, day);
        gauge.change(1, hour);
        assert_eq!(gauge.so_far(hour), 10_000_000 * 82_800 * 1_000_000_000);
        assert_eq!(gauge.turn(day), (10_000_000 * 86_400 + 3_600) * 1_000_000_000);
        assert_eq!(gauge.turn(day), 10_000_001 * 86_400 * 1_000_000_000);
    }
}
