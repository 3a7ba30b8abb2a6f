//! Where does work wait, and when is it done? Slots, a discipline, a bounded queue and one timer.
//!
//! One `Station` serves the request slots of a node, its accept queue, the session store and every
//! other place where work meets capacity. A job *takes a slot* ([`Station::offer`]), may then be *worked
//! on* any number of times ([`Station::work`] … [`Station::finish`]), and gives the slot back
//! ([`Station::release`]): a job may hold a slot while it waits for something else.
//!
//! Disciplines: first in, first out with `slots` servers; or egalitarian processor sharing, where `slots`
//! processors are shared evenly by all jobs and no job gets more than one (Kleinrock, *Queueing Systems*
//! II, §4.4). Demands and clocks are integers, so nothing depends on the order of floating-point sums.

use crate::base::time::{Duration, Instant};
use crate::engine::{Event, Queue, Timer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// How a station divides its slots among jobs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Discipline {
    /// First in, first out: a job holds one slot until it is done; the others wait in line.
    #[default]
    Fifo,
    /// Processor sharing: all jobs progress at once, at the same speed, none faster than one slot's.
    ProcessorSharing,
}

/// What became of a job that asked for a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offer {
    /// It has a slot.
    Started,
    /// It waits in line; a later `release` will name it.
    Queued,
    /// The line is full.
    Full,
}

/// 1.0 as a fixed-point number with 32 bits behind the point.
const ONE: u64 = 1 << 32;

/// A place with capacity.
#[derive(Debug)]
pub struct Station {
    slots: u32,
    queue_max: u32,
    discipline: Discipline,
    // Work done per nanosecond by one slot, 32.32 fixed point.
    speed: u64,
    held: u32,
    waiting: VecDeque<u32>,
    // FIFO: (instant of completion, job). Sharing: (attained service at completion, job).
    working: BinaryHeap<Reverse<(u128, u32)>>,
    // Sharing only: service that each job present has attained since the station was last idle
    // [ns, 32 bits behind the point], brought up to `counted`.
    attained: u128,
    counted: Instant,
    timer: Timer,
}

impl Station {
    /// A station with `slots` servers and room for `queue_max` waiting jobs.
    pub fn new(slots: u32, queue_max: u32, discipline: Discipline) -> Station {
        assert!(slots > 0, "a station without slots serves nobody");
        Station {
            slots,
            queue_max,
            discipline,
            speed: ONE,
            held: 0,
            waiting: VecDeque::new(),
            working: BinaryHeap::new(),
            attained: 0,
            counted: Instant::START,
            timer: Timer::new(),
        }
    }

    /// How many jobs are being worked on or hold a slot; at most `slots` under FIFO.
    pub fn held(&self) -> u32 {
        self.held
    }

    /// How many slots are busy with work at this instant.
    pub fn busy(&self) -> u32 {
        (self.working.len() as u32).min(self.slots)
    }

    /// How many jobs wait in line.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Asks for a slot for `job`.
    pub fn offer(&mut self, job: u32) -> Offer {
        let full = self.held >= self.slots;
        match self.discipline {
            // Sharing has no line: the bound is on how many may be present at once.
            Discipline::ProcessorSharing if self.held - self.held.min(self.slots) < self.queue_max => {}
            Discipline::Fifo if !full => {}
            Discipline::Fifo if self.waiting.len() < self.queue_max as usize => {
                self.waiting.push_back(job);
                return Offer::Queued;
            }
            _ if full => return Offer::Full,
            _ => {}
        }
        self.held += 1;
        Offer::Started
    }

    /// Works on `job`, which holds a slot, until `demand` of service is done.
    pub fn work(&mut self, now: Instant, job: u32, demand: Duration) {
        let key = match self.discipline {
            Discipline::Fifo => u128::from((now + self.at_speed(demand)).as_nanos()),
            Discipline::ProcessorSharing => {
                self.count(now);
                self.attained + (u128::from(demand.as_nanos()) << 32)
            }
        };
        self.working.push(Reverse((key, job)));
    }

    /// Takes a job whose work is done by `now`; it keeps its slot until [`Station::release`].
    pub fn finish(&mut self, now: Instant) -> Option<u32> {
        self.count(now);
        let &Reverse((key, job)) = self.working.peek()?;
        let done = match self.discipline {
            Discipline::Fifo => key <= u128::from(now.as_nanos()),
            Discipline::ProcessorSharing => key <= self.attained,
        };
        done.then(|| {
            self.working.pop();
            job
        })
    }

    /// Gives a slot back; the job named, if any, holds it from now on.
    pub fn release(&mut self) -> Option<u32> {
        if let Some(next) = self.waiting.pop_front() {
            return Some(next);
        }
        self.held -= 1;
        None
    }

    /// Withdraws a job that waits in line; `false` when it is not there.
    pub fn leave_line(&mut self, job: u32) -> bool {
        let place = self.waiting.iter().position(|&j| j == job);
        place.is_some_and(|i| self.waiting.remove(i).is_some())
    }

    /// Stops work on a job that holds a slot; it keeps the slot until [`Station::release`].
    pub fn stop_work(&mut self, now: Instant, job: u32) -> bool {
        self.count(now);
        let before = self.working.len();
        self.working.retain(|&Reverse((_, j))| j != job);
        self.working.len() < before
    }

    /// Service still to be done for the jobs being worked on, summed [of one slot's time].
    pub fn unfinished(&mut self, now: Instant) -> Duration {
        self.count(now);
        let base = match self.discipline {
            Discipline::Fifo => u128::from(now.as_nanos()),
            Discipline::ProcessorSharing => self.attained,
        };
        let left: u128 = self.working.iter().map(|&Reverse((key, _))| key.saturating_sub(base)).sum();
        match self.discipline {
            Discipline::Fifo => Duration::from_nanos(left as u64),
            Discipline::ProcessorSharing => Duration::from_nanos((left >> 32) as u64),
        }
    }

    /// Loses everything at once, as a crash does.
    pub fn empty(&mut self) {
        self.held = 0;
        self.waiting.clear();
        self.working.clear();
        self.attained = 0;
        self.timer.clear();
    }

    /// Sets the timer to the next completion. To be called after anything that changed the work.
    pub fn rearm(&mut self, now: Instant, event: Event, queue: &mut Queue) {
        match self.next_completion(now) {
            Some(due) if due == self.timer.due() => {}
            Some(due) => self.timer.set(due, event, queue),
            None => self.timer.clear(),
        }
    }

    /// Whether the entry that the queue has given out is this station's next completion.
    pub fn fires(&mut self, now: Instant, event: Event, queue: &mut Queue) -> bool {
        self.timer.fires(now, event, queue)
    }

    fn next_completion(&self, now: Instant) -> Option<Instant> {
        let &Reverse((key, _)) = self.working.peek()?;
        match self.discipline {
            Discipline::Fifo => Some(Instant::from_nanos(key as u64)),
            Discipline::ProcessorSharing => {
                let left = key.saturating_sub(self.attained);
                let jobs = self.working.len() as u128;
                let rate = u128::from(self.speed) * jobs.min(u128::from(self.slots));
                // Rounded up: at the instant itself the work must really be done.
                let wait = (left * jobs).div_ceil(rate);
                Some(now + Duration::from_nanos(wait as u64))
            }
        }
    }

    /// Brings the attained service up to `now`.
    fn count(&mut self, now: Instant) {
        if self.discipline == Discipline::Fifo {
            return;
        }
        let passed = u128::from(now.since(self.counted).as_nanos());
        self.counted = now;
        let jobs = self.working.len() as u128;
        if jobs == 0 {
            self.attained = 0; // Nobody's key refers to it: keep it small.
            return;
        }
        self.attained += passed * u128::from(self.speed) * jobs.min(u128::from(self.slots)) / jobs;
    }

    /// How long one slot takes for `demand`.
    fn at_speed(&self, demand: Duration) -> Duration {
        if self.speed == ONE {
            return demand;
        }
        Duration::from_nanos(((u128::from(demand.as_nanos()) << 32) / u128::from(self.speed)) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: Event = Event::new(0, 0);

    /// Offers jobs (arrival, demand) and returns when each is done (ns).
    fn completions(mut station: Station, jobs: &[(u64, u64)]) -> Vec<u64> {
        const ARRIVAL: u8 = 1;
        let mut queue = Queue::new();
        let mut done = vec![0; jobs.len()];
        for (i, &(at, _)) in jobs.iter().enumerate() {
            queue.at(Instant::from_nanos(at), Event::new(ARRIVAL, i as u32));
        }
        while let Some((now, event)) = queue.pop() {
            let demand = |job: u32| Duration::from_nanos(jobs[job as usize].1);
            if event.kind() == ARRIVAL {
                if station.offer(event.index()) == Offer::Started {
                    station.work(now, event.index(), demand(event.index()));
                }
            } else if station.fires(now, event, &mut queue) {
                while let Some(job) = station.finish(now) {
                    done[job as usize] = now.as_nanos();
                    if let Some(next) = station.release() {
                        station.work(now, next, demand(next));
                    }
                }
            }
            station.rearm(now, EVENT, &mut queue);
        }
        done
    }

    #[test]
    fn one_fifo_slot_serves_in_turn() {
        let station = Station::new(1, 9, Discipline::Fifo);
        assert_eq!(completions(station, &[(0, 10), (1, 10), (2, 5)]), [10, 20, 25]);
    }

    #[test]
    fn two_fifo_slots_serve_side_by_side() {
        let station = Station::new(2, 9, Discipline::Fifo);
        assert_eq!(completions(station, &[(0, 10), (1, 10), (2, 5)]), [10, 11, 15]);
    }

    #[test]
    fn sharing_slows_everyone_alike() {
        // Alone until 10 (10 done, 20 left); both share until the second is done at 30; alone again.
        let station = Station::new(1, 9, Discipline::ProcessorSharing);
        assert_eq!(completions(station, &[(0, 30), (10, 10)]), [40, 30]);
    }

    #[test]
    fn sharing_gives_no_job_more_than_one_processor() {
        let station = Station::new(4, 9, Discipline::ProcessorSharing);
        assert_eq!(completions(station, &[(0, 30), (10, 10)]), [30, 20]);
    }

    #[test]
    fn a_full_line_refuses() {
        let mut fifo = Station::new(1, 1, Discipline::Fifo);
        assert_eq!([fifo.offer(1), fifo.offer(2), fifo.offer(3)], [Offer::Started, Offer::Queued, Offer::Full]);
        let mut shared = Station::new(1, 1, Discipline::ProcessorSharing);
        assert_eq!([shared.offer(1), shared.offer(2), shared.offer(3)], [Offer::Started, Offer::Started, Offer::Full]);
    }

    #[test]
    fn a_slot_may_be_held_without_work() {
        let mut station = Station::new(1, 5, Discipline::Fifo);
        station.offer(1);
        station.work(Instant::START, 1, Duration::from_nanos(5));
        station.offer(2);
        assert_eq!(station.finish(Instant::from_nanos(5)), Some(1));
        assert_eq!((station.held(), station.busy()), (1, 0), "done, but not yet released");
        assert_eq!(station.release(), Some(2));
    }
}
