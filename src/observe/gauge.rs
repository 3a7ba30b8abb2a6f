//! A number that changes, and its time integral: one multiply-add per change.

use crate::base::time::Duration;

/// A number that changes, and its time integral within the current tick.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauge {
    /// What it is now.
    pub value: i64,
    // A million sessions over a day are more nanoseconds than 64 bits hold.
    area: i128,
}

impl Gauge {
    /// Changes by `by`, with `left` of the tick to go.
    #[inline]
    pub fn change(&mut self, by: i64, left: Duration) {
        self.value += by;
        self.area += i128::from(by) * i128::from(left.as_nanos());
    }

    /// Starts a tick of this length; returns the integral of the one before.
    pub fn turn(&mut self, length: Duration) -> i128 {
        std::mem::replace(&mut self.area, i128::from(self.value) * i128::from(length.as_nanos()))
    }

    /// The integral up to `now`, with `left` of the tick to go.
    pub fn so_far(&self, left: Duration) -> u128 {
        (self.area - i128::from(self.value) * i128::from(left.as_nanos())) as u128
    }
}
