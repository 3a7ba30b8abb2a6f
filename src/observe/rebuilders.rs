//! The books of rebuild services: how many wait for them, and how busy they are.

use super::gauge::Gauge;
use crate::base::time::Duration;

/// What the rebuild services did within a window, all of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RebuilderFigures {
    /// Visits in line, time average.
    pub waiting_mean: f64,
    /// The most in line at any instant.
    pub waiting_max: f64,
    /// Busy share of their slots.
    pub utilisation: f64,
    /// The longest visit that was answered (ms), waiting included.
    pub time_max: Option<f64>,
}

/// The books of all rebuild services; empty when there is none.
#[derive(Debug)]
pub struct RebuilderBooks {
    slots: u64,
    // By service: visits in line, and busy slots.
    each: Vec<(u32, u32)>,
    waiting: Gauge,
    busy: Gauge,
    waiting_max: i64,
    time_max: Option<Duration>,
}

impl RebuilderBooks {
    /// Books for services with so many slots.
    pub fn new(slots: &[u32]) -> RebuilderBooks {
        RebuilderBooks {
            slots: slots.iter().map(|&slots| u64::from(slots)).sum(),
            each: vec![(0, 0); slots.len()],
            waiting: Gauge::default(),
            busy: Gauge::default(),
            waiting_max: 0,
            time_max: None,
        }
    }

    /// So many wait for a service now, and so many of its slots are busy.
    pub fn set(&mut self, service: usize, waiting: u32, busy: u32, left: Duration) {
        let before = std::mem::replace(&mut self.each[service], (waiting, busy));
        self.waiting.change(i64::from(waiting) - i64::from(before.0), left);
        self.busy.change(i64::from(busy) - i64::from(before.1), left);
        self.waiting_max = self.waiting_max.max(self.waiting.value);
    }

    /// A visit was answered after this long.
    pub fn answered(&mut self, after: Duration) {
        self.time_max = self.time_max.max(Some(after));
    }

    /// Closes a tick.
    pub fn turn(&mut self, length: Duration) -> Option<RebuilderFigures> {
        if self.each.is_empty() {
            return None;
        }
        let span = length.as_nanos() as f64;
        let figures = RebuilderFigures {
            waiting_mean: self.waiting.turn(length) as f64 / span,
            waiting_max: self.waiting_max as f64,
            utilisation: self.busy.turn(length) as f64 / span / self.slots as f64,
            time_max: self.time_max.take().map(Duration::as_millis_f64),
        };
        self.waiting_max = self.waiting.value;
        Some(figures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_halves_in_the_middle_of_a_tick() {
        let tick = Duration::from_secs(2);
        let mut books = RebuilderBooks::new(&[1, 3]);
        books.set(0, 4, 1, tick);
        books.set(1, 2, 1, tick);
        books.set(0, 1, 1, Duration::from_secs(1));
        books.answered(Duration::from_millis(7));
        let figures = |waiting_mean, waiting_max, time_max| {
            let utilisation = 0.5;
            Some(RebuilderFigures { waiting_mean, waiting_max, utilisation, time_max })
        };
        assert_eq!(books.turn(tick), figures(4.5, 6.0, Some(7.0)));
        assert_eq!(books.turn(tick), figures(3.0, 3.0, None));
        assert_eq!(RebuilderBooks::new(&[]).turn(tick), None);
    }
}
