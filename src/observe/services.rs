//! The books of services beside the nodes: how many wait for them, how busy they are, how long a visit takes.

use super::gauge::Gauge;
use super::histogram::{Quantiles, ResponseTimes};
use crate::base::time::Duration;

/// How busy services of a kind were within a window, all of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ServiceFigures {
    /// Visits in line, time average.
    pub waiting_mean: f64,
    /// The most in line at any instant.
    pub waiting_max: f64,
    /// Busy share of their slots.
    pub utilisation: f64,
}

/// The books of all services of a kind; nothing where none has a limited number of slots.
#[derive(Debug)]
pub struct ServiceBooks {
    slots: u64,
    // By service: visits in line, and busy slots.
    each: Vec<(u32, u32)>,
    waiting: Gauge,
    busy: Gauge,
    waiting_max: i64,
}

impl ServiceBooks {
    /// Books for services with so many slots; none for one whose slots are unlimited, of which nothing is told.
    pub fn new(slots: &[Option<u32>]) -> ServiceBooks {
        ServiceBooks {
            slots: slots.iter().flatten().map(|&slots| u64::from(slots)).sum(),
            each: vec![(0, 0); slots.len()],
            waiting: Gauge::default(),
            busy: Gauge::default(),
            waiting_max: 0,
        }
    }

    /// So many wait for a service now, and so many of its slots are busy.
    pub fn set(&mut self, service: usize, waiting: u32, busy: u32, left: Duration) {
        let before = std::mem::replace(&mut self.each[service], (waiting, busy));
        self.waiting.change(i64::from(waiting) - i64::from(before.0), left);
        self.busy.change(i64::from(busy) - i64::from(before.1), left);
        self.waiting_max = self.waiting_max.max(self.waiting.value);
    }

    /// Closes a tick.
    pub fn turn(&mut self, length: Duration) -> Option<ServiceFigures> {
        if self.slots == 0 {
            return None;
        }
        let span = length.as_nanos() as f64;
        let figures = ServiceFigures {
            waiting_mean: self.waiting.turn(length) as f64 / span,
            waiting_max: self.waiting_max as f64,
            utilisation: self.busy.turn(length) as f64 / span / self.slots as f64,
        };
        self.waiting_max = self.waiting.value;
        Some(figures)
    }
}

/// How long the visits took that services of a kind answered, waiting included.
#[derive(Debug, Default)]
pub struct VisitTimes {
    tick: ResponseTimes,
    /// Of the ticks since the warm-up.
    pub run: ResponseTimes,
    /// Of the ticks since the incident under way began.
    pub incident: ResponseTimes,
}

impl VisitTimes {
    /// A visit was answered after this long.
    #[inline]
    pub fn add(&mut self, after: Duration) {
        self.tick.add(after);
    }

    /// Closes a tick, which belongs to the run or to its warm-up.
    pub fn turn(&mut self, is_of_run: bool) -> Option<Quantiles> {
        let quantiles = self.tick.quantiles();
        self.incident.merge(&self.tick);
        if is_of_run {
            self.run.merge(&self.tick);
        }
        self.tick.clear();
        quantiles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_halves_in_the_middle_of_a_tick() {
        let tick = Duration::from_secs(2);
        let mut books = ServiceBooks::new(&[Some(1), Some(3)]);
        books.set(0, 4, 1, tick);
        books.set(1, 2, 1, tick);
        books.set(0, 1, 1, Duration::from_secs(1));
        let figures = |waiting_mean, waiting_max| Some(ServiceFigures { waiting_mean, waiting_max, utilisation: 0.5 });
        assert_eq!(books.turn(tick), figures(4.5, 6.0));
        assert_eq!(books.turn(tick), figures(3.0, 3.0));
        assert_eq!(ServiceBooks::new(&[]).turn(tick), None);
    }

    #[test]
    fn what_is_unlimited_is_never_busy() {
        let tick = Duration::from_secs(2);
        assert_eq!(ServiceBooks::new(&[None]).turn(tick), None);
        let mut books = ServiceBooks::new(&[None, Some(4)]);
        books.set(1, 0, 1, tick);
        assert_eq!(books.turn(tick).map(|figures| figures.utilisation), Some(0.25));
    }

    #[test]
    fn a_visit_in_the_warm_up_is_no_part_of_the_run() {
        let mut times = VisitTimes::default();
        times.add(Duration::from_millis(7));
        assert_eq!(times.turn(false).map(|q| q.max), Some(7.0));
        times.add(Duration::from_millis(3));
        assert_eq!(times.turn(true).map(|q| q.max), Some(3.0));
        assert_eq!(times.turn(true), None);
        let longer = [times.run, times.incident].map(|times| times.quantiles().map(|q| q.max));
        assert_eq!(longer, [Some(3.0), Some(7.0)]);
    }
}
