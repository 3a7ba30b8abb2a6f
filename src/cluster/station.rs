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

mod working;

use crate::base::time::{Duration, Instant};
use crate::engine::{Event, Queue, Timer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use working::{Done, Working};

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

/// Whose turn is next in a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Who came first.
    #[default]
    Fifo,
    /// Who came last: under overload those who came first have often left.
    Lifo,
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
///
/// It begins with a cache line, so that what every job needs of it lies in three.
#[derive(Debug)]
#[repr(align(64))]
pub struct Station {
    slots: u32,
    queue_max: u32,
    discipline: Discipline,
    order: Order,
    // Work done per nanosecond by one slot, 32.32 fixed point.
    speed: u64,
    held: u32,
    waiting: VecDeque<u32>,
    working: Working,
    // Sharing only: service that each job present has attained since the station was last idle
    // [ns, 32 bits behind the point], brought up to `counted`.
    attained: u128,
    counted: Instant,
    // Since when nothing moves.
    frozen_at: Option<Instant>,
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
            order: Order::Fifo,
            speed: ONE,
            held: 0,
            waiting: VecDeque::new(),
            working: Working::default(),
            attained: 0,
            counted: Instant::START,
            frozen_at: None,
            timer: Timer::new(),
        }
    }

    /// The same, whose line is served in this order.
    pub fn in_order(self, order: Order) -> Station {
        Station { order, ..self }
    }

    /// How many jobs are being worked on or hold a slot; at most `slots` under FIFO.
    pub fn held(&self) -> u32 {
        self.held
    }

    /// How many slots are busy with work at this instant.
    pub fn busy(&self) -> u32 {
        (self.working.len() as u32).min(self.slots)
    }

    /// How many jobs are here, in whatever state.
    pub fn present(&self) -> usize {
        self.held as usize + self.waiting.len()
    }

    /// How many jobs wait in line.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Asks for a slot for `job`.
    #[inline(always)]
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

    /// Works at `speed` times the normal pace from now on; what is left of the work under way takes
    /// accordingly longer or shorter, exact to 2⁻³² ns. Call [`Station::rearm`] afterwards.
    pub fn set_speed(&mut self, now: Instant, speed: f64) {
        // The slowest there is: a station that did no work at all would not be slow but stopped.
        let speed = ((speed * ONE as f64 + 0.5) as u64).max(1);
        let now = self.clock(now);
        self.count(now);
        let before = std::mem::replace(&mut self.speed, speed);
        if self.discipline == Discipline::ProcessorSharing || before == speed {
            return;
        }
        let now = fixed(now);
        self.working.change(|done| Done::new(now + over(done.at().saturating_sub(now), before, speed), done.job));
    }

    /// Everything stands still from now on; queues are kept.
    pub fn freeze(&mut self, now: Instant) {
        self.count(self.clock(now));
        self.frozen_at.get_or_insert(now);
    }

    /// Everything goes on where it stood.
    pub fn thaw(&mut self, now: Instant) {
        let Some(since) = self.frozen_at.take() else { return };
        self.counted = now;
        if self.discipline == Discipline::Fifo {
            let late = now.since(since).as_nanos();
            self.working.change(|done| Done { whole: done.whole.saturating_add(late), ..done });
        }
    }

    /// The instant up to which work goes on: it stands still while the station is frozen.
    #[inline(always)]
    fn clock(&self, now: Instant) -> Instant {
        self.frozen_at.unwrap_or(now)
    }

    /// Works on `job`, which holds a slot, until `demand` of service is done.
    #[inline(always)]
    pub fn work(&mut self, now: Instant, job: u32, demand: Duration) {
        let now = self.clock(now);
        let done = match self.discipline {
            Discipline::Fifo if self.speed == ONE => Done { whole: (now + demand).as_nanos(), part: 0, job },
            Discipline::Fifo => Done::new(fixed(now) + over(u128::from(demand.as_nanos()) << 32, ONE, self.speed), job),
            Discipline::ProcessorSharing => {
                self.count(now);
                Done::new(self.attained + (u128::from(demand.as_nanos()) << 32), job)
            }
        };
        self.working.push(done);
    }

    /// Takes a job whose work is done by `now`; it keeps its slot until [`Station::release`].
    #[inline(always)]
    pub fn finish(&mut self, now: Instant) -> Option<u32> {
        let now = self.clock(now);
        self.count(now);
        let first = self.working.first()?;
        let is_done = match self.discipline {
            Discipline::Fifo => (first.whole, first.part) <= (now.as_nanos(), 0),
            Discipline::ProcessorSharing => first.at() <= self.attained,
        };
        is_done.then(|| {
            self.working.pop();
            first.job
        })
    }

    /// Whose work will be done first, as it is now.
    #[inline]
    pub fn soonest(&self) -> Option<u32> {
        self.working.first().map(|first| first.job)
    }

    /// Who will have the next slot, as it is now.
    #[inline]
    pub fn next_in_line(&self) -> Option<u32> {
        match self.order {
            Order::Fifo => self.waiting.front().copied(),
            Order::Lifo => self.waiting.back().copied(),
        }
    }

    /// Gives a slot back; the job named, if any, holds it from now on.
    #[inline(always)]
    pub fn release(&mut self) -> Option<u32> {
        let next = match self.order {
            Order::Fifo => self.waiting.pop_front(),
            Order::Lifo => self.waiting.pop_back(),
        };
        if next.is_some() {
            return next;
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
        self.count(self.clock(now));
        let before = self.working.len();
        self.working.retain(|done| done.job != job);
        self.working.len() < before
    }

    /// Service still to be done for the jobs being worked on, summed [of one slot's time].
    #[cfg(test)]
    fn unfinished(&mut self, now: Instant) -> Duration {
        let now = self.clock(now);
        self.count(now);
        let base = match self.discipline {
            Discipline::Fifo => fixed(now),
            Discipline::ProcessorSharing => self.attained,
        };
        let left: u128 = self.working.iter().map(|done| done.at().saturating_sub(base)).sum();
        let left = match self.discipline {
            Discipline::Fifo => over(left, self.speed, ONE),
            Discipline::ProcessorSharing => left,
        };
        Duration::from_nanos((left >> 32) as u64)
    }

    /// Gives up everything at once, as a crash does, and says what: those that were worked on, then the line.
    pub fn drain(&mut self, jobs: &mut Vec<u32>) {
        let before = jobs.len();
        jobs.extend(self.working.iter().map(|done| done.job));
        jobs[before..].sort_unstable();
        jobs.extend(&self.waiting);
        self.empty();
    }

    /// Loses everything at once, as a crash does.
    pub fn empty(&mut self) {
        self.held = 0;
        self.waiting.clear();
        self.working.clear();
        self.attained = 0;
        self.frozen_at = None;
        self.timer.clear();
    }

    /// Sets the timer to the next completion. To be called after anything that changed the work.
    #[inline(always)]
    pub fn rearm(&mut self, now: Instant, event: Event, queue: &mut Queue) {
        self.count(self.clock(now));
        match self.next_completion(now) {
            Some(due) if due == self.timer.due() => {}
            Some(due) => self.timer.set(due, event, queue),
            None => self.timer.clear(),
        }
    }

    /// Whether the entry that the queue has given out is this station's next completion.
    #[inline]
    pub fn fires(&mut self, now: Instant, event: Event, queue: &mut Queue) -> bool {
        self.timer.fires(now, event, queue)
    }

    #[inline(always)]
    fn next_completion(&self, now: Instant) -> Option<Instant> {
        if self.frozen_at.is_some() {
            return None;
        }
        let first = self.working.first()?;
        match self.discipline {
            // Rounded up: at the instant itself the work must really be done.
            Discipline::Fifo => {
                let due = first.whole.saturating_add(u64::from(first.part > 0));
                Some(Instant::from_nanos(due))
            }
            Discipline::ProcessorSharing => {
                let left = first.at().saturating_sub(self.attained);
                let jobs = self.working.len() as u128;
                let rate = u128::from(self.speed) * jobs.min(u128::from(self.slots));
                let wait = (left * jobs).div_ceil(rate);
                Some(now + Duration::from_nanos(wait as u64))
            }
        }
    }

    /// Brings the attained service up to `now`.
    #[inline(always)]
    fn count(&mut self, now: Instant) {
        if self.discipline == Discipline::ProcessorSharing {
            self.attain(now);
        }
    }

    fn attain(&mut self, now: Instant) {
        let passed = u128::from(now.since(self.counted).as_nanos());
        self.counted = now;
        let jobs = self.working.len() as u128;
        if jobs == 0 {
            self.attained = 0; // Nobody's key refers to it: keep it small.
            return;
        }
        self.attained += passed * u128::from(self.speed) * jobs.min(u128::from(self.slots)) / jobs;
    }
}

/// An instant with 32 bits behind the point.
fn fixed(at: Instant) -> u128 {
    u128::from(at.as_nanos()) << 32
}

/// `span` × `times` ÷ `by`, in 128 bits for spans up to 2⁹⁶ and factors up to 2⁴⁰.
fn over(span: u128, times: u64, by: u64) -> u128 {
    if times == by {
        return span;
    }
    let (times, by) = (u128::from(times), u128::from(by));
    (span / by).saturating_mul(times).saturating_add(span % by * times / by)
}

#[cfg(test)]
mod tests;
