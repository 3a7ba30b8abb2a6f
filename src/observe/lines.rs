//! The books of the lines at the balancers: how many wait there for a place at a node.

use super::gauge::Gauge;
use crate::base::time::Duration;

/// What waited in line within a window, at all balancers together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LineFigures {
    /// Attempts in line, time average.
    pub mean: f64,
    /// The most of them at any instant.
    pub max: f64,
}

/// The books of the lines; nothing where there are none.
#[derive(Debug, Default)]
pub struct LineBooks {
    waiting: Option<Gauge>,
    max: i64,
}

impl LineBooks {
    /// Books for lines, if there are any.
    pub fn new(has_lines: bool) -> LineBooks {
        LineBooks { waiting: has_lines.then(Gauge::default), max: 0 }
    }

    /// The number of attempts in line changes by `by`.
    #[inline]
    pub fn change(&mut self, by: i64, left: Duration) {
        if let Some(waiting) = &mut self.waiting {
            waiting.change(by, left);
            self.max = self.max.max(waiting.value);
        }
    }

    /// Closes a tick.
    pub fn turn(&mut self, length: Duration) -> Option<LineFigures> {
        let waiting = self.waiting.as_mut()?;
        let max = std::mem::replace(&mut self.max, waiting.value) as f64;
        Some(LineFigures { mean: waiting.turn(length) as f64 / length.as_nanos() as f64, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_ends_in_the_middle_of_a_tick() {
        let tick = Duration::from_secs(2);
        let mut books = LineBooks::new(true);
        books.change(3, tick);
        books.change(-2, Duration::from_secs(1));
        assert_eq!(books.turn(tick), Some(LineFigures { mean: 2.0, max: 3.0 }));
        assert_eq!(books.turn(tick), Some(LineFigures { mean: 1.0, max: 1.0 }));
        let mut none = LineBooks::new(false);
        none.change(1, tick);
        assert_eq!(none.turn(tick), None);
    }
}
