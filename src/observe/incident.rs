//! What did one incident do? Distinct sessions hit, spikes within any second, the way back.
//!
//! An incident lasts from its fault or change to the next one, or to the end of the run. How a change itself went is
//! followed to its own end (`rollout`).

use super::histogram::ResponseTimes;
use super::recovery::Eventually;
use super::totals::Totals;
use crate::base::time::{Duration, Instant};
use std::collections::VecDeque;

/// The figures that only an incident has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shock {
    /// Place of its fault or change in the plan.
    pub index: u16,
    /// Sessions live just before.
    pub live_before: u64,
    /// Distinct sessions dropped.
    pub dropped: u64,
    /// Distinct sessions moved.
    pub moved: u64,
    /// Distinct sessions that lost their state.
    pub lost: u64,
    /// Of the dropped, how many gave up.
    pub gave_up: u64,
    /// The largest number of drops in any one second.
    pub drops_peak: u64,
    /// The largest number of attempts to get in, in any one second.
    pub connects_peak: u64,
    /// Until 99 % of the dropped whose session has not ended were connected; `None` when nobody was dropped.
    pub reconnect: Option<Eventually>,
    /// Until error ratio and p99 were back; `None` without anything to compare with.
    pub recovery: Option<Eventually>,
    /// Until a change was complete; `None` for a fault.
    pub rollout: Option<Eventually>,
    /// Whether a change was given up, since nothing got on.
    pub is_given_up: bool,
    /// Until a change was rolled back; `None` without a criterion for that.
    pub rollback: Option<Eventually>,
    /// Until the load was even again; `None` without anything to compare with.
    pub rebalance: Option<Eventually>,
}

/// The most events within any one second.
#[derive(Debug, Default)]
pub struct Peak {
    recent: VecDeque<(Instant, u64)>,
    within: u64,
    max: u64,
}

impl Peak {
    /// Counts one event.
    pub fn add(&mut self, now: Instant) {
        while let Some(&(at, count)) = self.recent.front() {
            if now.since(at) < Duration::from_secs(1) {
                break;
            }
            self.within -= count;
            self.recent.pop_front();
        }
        match self.recent.back_mut() {
            Some((at, count)) if *at == now => *count += 1,
            _ => self.recent.push_back((now, 1)),
        }
        self.within += 1;
        self.max = self.max.max(self.within);
    }

    /// The most so far.
    pub fn max(&self) -> u64 {
        self.max
    }
}

/// Which incident last hit a session; numbers count from one, zero is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Marks {
    /// Dropped in this incident.
    pub dropped: u16,
    /// Moved in this incident.
    pub moved: u16,
    /// Lost its state in this incident.
    pub lost: u16,
    /// Ever dropped, moved, lost.
    pub ever: [bool; 3],
}

/// An incident under way, for one population or for all.
#[derive(Debug)]
pub struct OpenIncident {
    /// Place of its fault or change in the plan.
    pub index: u16,
    /// When it began.
    pub from: Instant,
    /// When its fault is over; its own beginning where it has no end; never while a change goes on.
    pub cleared: Instant,
    /// Sessions live just before.
    pub live_before: u64,
    /// Totals just before.
    pub before: Totals,
    /// Response times of its ticks so far.
    pub response: ResponseTimes,
    /// What the tick it began in had already counted.
    pub not_ours: ResponseTimes,
    /// Distinct sessions dropped, moved and lost.
    pub distinct: Distinct,
    /// Drops in any second.
    pub drops: Peak,
    /// Attempts to get in, in any second.
    pub connects: Peak,
}

/// Distinct sessions and where the dropped ones are now.
#[derive(Debug, Default)]
pub struct Distinct {
    /// Ever dropped in the incident.
    pub dropped: u64,
    /// Moved.
    pub moved: u64,
    /// Lost.
    pub lost: u64,
    /// Of the dropped: connected at this instant.
    back: u64,
    /// Of the dropped: visit over.
    over: u64,
    /// Of the dropped: gave up.
    pub gave_up: u64,
    reached: Option<Instant>,
}

impl Distinct {
    /// A session is dropped; `first` when it was not before in this incident.
    pub fn drop(&mut self, now: Instant, first: bool) {
        if first {
            self.dropped += 1;
        } else {
            self.back -= 1;
        }
        self.look(now);
    }

    /// A session that had been dropped is connected again.
    pub fn come_back(&mut self, now: Instant) {
        self.back += 1;
        self.look(now);
    }

    /// A session that had been dropped has ended.
    pub fn end(&mut self, now: Instant, gave_up: bool, connected: bool) {
        self.back -= u64::from(connected);
        if gave_up {
            self.gave_up += 1;
        } else {
            self.over += 1;
        }
        self.look(now);
    }

    /// Notes the first instant since which 99 % are back.
    fn look(&mut self, now: Instant) {
        let still_there = self.dropped - self.over;
        if self.back * 100 >= still_there * 99 {
            self.reached.get_or_insert(now);
        } else {
            self.reached = None;
        }
    }

    /// The reconnect time of an incident that began at `from`.
    pub fn reconnect(&self, from: Instant) -> Option<Eventually> {
        let reached = self.reached.map(|at| Eventually::After(at.since(from)));
        (self.dropped > 0).then(|| reached.unwrap_or(Eventually::Never))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::START + Duration::from_millis(ms)
    }

    #[test]
    fn the_peak_is_over_any_second_not_over_calendar_seconds() {
        let mut peak = Peak::default();
        for ms in [900, 950, 1100, 1800, 1901] {
            peak.add(at(ms));
        }
        // 900 … 1800 and 950 … 1901 are both within a second; 900 and 1901 are not.
        assert_eq!(peak.max(), 4);
    }

    #[test]
    fn the_reconnect_time_is_that_of_the_99th_percent() {
        let mut distinct = Distinct::default();
        (0..200).for_each(|_| distinct.drop(at(0), true));
        (1..=198).for_each(|ms| distinct.come_back(at(ms)));
        assert_eq!(distinct.reconnect(at(0)), Some(Eventually::After(Duration::from_millis(198))));
    }

    #[test]
    fn more_than_one_percent_giving_up_is_never() {
        let mut distinct = Distinct::default();
        (0..100).for_each(|_| distinct.drop(at(0), true));
        (0..98).for_each(|_| distinct.come_back(at(1)));
        distinct.end(at(2), true, false);
        distinct.end(at(2), true, false);
        assert_eq!(distinct.reconnect(at(0)), Some(Eventually::Never));
    }

    #[test]
    fn those_whose_visit_is_over_are_not_waited_for() {
        let mut distinct = Distinct::default();
        (0..2).for_each(|_| distinct.drop(at(0), true));
        distinct.come_back(at(1));
        distinct.end(at(5), false, false);
        assert_eq!(distinct.reconnect(at(0)), Some(Eventually::After(Duration::from_millis(5))));
    }

    #[test]
    fn a_second_drop_takes_the_way_back_away() {
        let mut distinct = Distinct::default();
        distinct.drop(at(0), true);
        distinct.come_back(at(1));
        distinct.drop(at(2), false);
        assert_eq!(distinct.reconnect(at(0)), Some(Eventually::Never));
    }
}
