//! A number that changes, and its time integral: one multiply-add per change.

use crate::base::time::Duration;

/// A number that changes, and its time integral within the current tick.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauge {
    /// What it is now.
    pub value: i64,
    area: i64,
}

impl Gauge {
    /// Changes by `by`, with `left` of the tick to go.
    #[inline]
    pub fn change(&mut self, by: i64, left: Duration) {
        self.value += by;
        self.area += by * left.as_nanos() as i64;
    }

    /// Starts a tick of this length; returns the integral of the one before.
    pub fn turn(&mut self, length: Duration) -> i64 {
        std::mem::replace(&mut self.area, self.value * length.as_nanos() as i64)
    }

    /// The integral up to `now`, with `left` of the tick to go.
    pub fn so_far(&self, left: Duration) -> u128 {
        (self.area - self.value * left.as_nanos() as i64) as u128
    }
}
