//! Which event comes next? A monotone queue of buckets in levels, the next of which is sorted when it is reached.
//!
//! Contract: events leave in order of time; equal times in order of (kind, index), whatever the order in
//! which they were put in. That order is part of every result, and no other queue design can change it
//! (a plain binary heap over the same pairs is the test's reference).
//!
//! Time is read in digits of six bits. An entry lies in the level of the first digit in which it differs from the time
//! that is being worked off, and there in the bucket of that digit; when the lowest bucket is reached, a large one is
//! spread over the level below, and a small one is sorted. So nothing need be known of gaps beforehand: bursts and gaps of
//! very different size (7 ms services beside 30 min lives) find their level, an entry moves a few times at most, and
//! what comes next is known well before it comes, so that its record can be fetched.
//! Denardo, Fox, *Shortest-route methods: reaching, pruning, and buckets*, Oper. Res. 27 (1979), have the levels; Ahuja,
//! Mehlhorn, Orlin, Tarjan, *Faster algorithms for the shortest path problem*, J. ACM 37 (1990), what they cost.

use crate::base::time::Instant;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Bits of an event that hold the index of its record.
const INDEX_BITS: u32 = 28;

/// What is to happen: a kind (0–15) and the index of the record that waits for it (below 2²⁸).
///
/// Four bytes, since the queue's traffic is what a large simulation pays for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Event(u32);

impl Event {
    /// The largest index of a record.
    pub const INDEX_MAX: u32 = (1 << INDEX_BITS) - 1;

    /// An event of `kind` for record `index`.
    #[inline]
    pub const fn new(kind: u8, index: u32) -> Event {
        debug_assert!(kind < 16 && index <= Event::INDEX_MAX);
        Event((kind as u32) << INDEX_BITS | index)
    }

    /// The kind; among equal times, lower kinds come first.
    #[inline]
    pub const fn kind(self) -> u8 {
        (self.0 >> INDEX_BITS) as u8
    }

    /// The index of the record.
    #[inline]
    pub const fn index(self) -> u32 {
        self.0 & Event::INDEX_MAX
    }
}

/// Bits of a digit: a level has a bucket for each of its values.
const DIGIT: u32 = 6;
/// Digits of a time.
const LEVELS: usize = u64::BITS.div_ceil(DIGIT) as usize;
/// A bucket of so many entries or fewer is sorted instead of spread: all of them will come out shortly.
const RUN: usize = 32;
/// A bucket that is spread makes buckets of about so many entries, if it can.
const FILL: usize = 8;
/// More than so many entries that have come too late to be sorted are spread again.
const LATE: usize = 1024;
/// Where more entries than this have been, the memory is given back.
const KEPT: usize = 1024;

/// How long before it leaves something is heard of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ahead {
    /// Ten events or some tens: time enough to fetch what is in no cache.
    Far,
    /// Six events.
    Near,
}

/// Events of [`Ahead::Near`].
const NEAR: usize = 6;

/// Ordered as events leave: by time, then by kind and index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: u64,
    event: Event,
}

impl Entry {
    /// One number to compare, instead of two with a branch between them.
    #[inline]
    fn key(&self) -> u128 {
        u128::from(self.at) << 32 | u128::from(self.event.0)
    }
}

/// The buckets of one digit.
struct Level {
    // A bucket is 2^shift ns wide: that of one value of the digit, or of several where there is little to spread.
    shift: u32,
    // Bit b is set when bucket b has an entry.
    occupied: u64,
    buckets: [Vec<Entry>; 1 << DIGIT],
}

impl Level {
    #[inline]
    fn put(&mut self, entry: Entry) {
        let bucket = (entry.at >> self.shift) as usize % (1 << DIGIT);
        self.occupied |= 1 << bucket;
        self.buckets[bucket].push(entry);
    }
}

/// The pending events of one run.
pub struct Queue {
    now: u64,
    // The time that levels are relative to.
    origin: u64,
    // Times that differ from `origin` in lower bits than this only are in `run` or `late`, and in no bucket.
    near: u32,
    // Bit l is set when level l has an entry.
    busy: u32,
    levels: Box<[Level]>,
    // What was in the bucket that is being worked off; the next one is last.
    run: Vec<Entry>,
    // What has come for that time since. A heap, since an event may cause another at its own time.
    late: BinaryHeap<Reverse<Entry>>,
    len: usize,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue::new()
    }
}

impl Queue {
    /// An empty queue at time zero.
    pub fn new() -> Queue {
        let level =
            |digit: usize| Level { shift: DIGIT * digit as u32, occupied: 0, buckets: [const { Vec::new() }; _] };
        Queue {
            now: 0,
            origin: 0,
            near: 0,
            busy: 0,
            levels: (0..LEVELS).map(level).collect(),
            run: Vec::new(),
            late: BinaryHeap::new(),
            len: 0,
        }
    }

    /// The time of the event that was taken last.
    pub fn now(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    /// How many events are pending.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Lets `event` happen at `at`, which must not lie in the past.
    ///
    /// # Panics
    /// When `at` is before the present: the past cannot be changed, and an event put there is a bug.
    #[inline]
    pub fn at(&mut self, at: Instant, event: Event) {
        let at = at.as_nanos();
        assert!(at >= self.now, "an event in the past");
        self.len += 1;
        self.put(Entry { at, event });
    }

    #[inline]
    fn put(&mut self, entry: Entry) {
        let differs = entry.at ^ self.origin;
        if differs >> self.near == 0 {
            self.late.push(Reverse(entry));
            if self.late.len() > LATE && self.near > 0 {
                self.spread_again();
            }
        } else {
            let level = differs.ilog2() / DIGIT;
            self.busy |= 1 << level;
            self.levels[level as usize].put(entry);
        }
    }

    /// Takes the next event and moves the clock to it.
    #[inline]
    pub fn pop(&mut self) -> Option<(Instant, Event)> {
        self.pop_hinting(|_, _| {})
    }

    /// As [`Queue::pop`]; `hint` hears of events that will come out shortly, so that their records can be fetched ahead:
    /// of most of them, and of those more than once.
    #[inline]
    pub fn pop_hinting(&mut self, mut hint: impl FnMut(Event, Ahead)) -> Option<(Instant, Event)> {
        if self.run.is_empty() && self.late.is_empty() {
            self.refill(&mut hint)?;
        }
        let is_late = match (self.run.last(), self.late.peek()) {
            (Some(next), Some(Reverse(late))) => late.key() < next.key(),
            (next, _) => next.is_none(),
        };
        let entry = if is_late {
            self.late.pop()?.0
        } else {
            let entry = self.run.pop()?;
            if let Some(soon) = self.run.len().checked_sub(NEAR).and_then(|place| self.run.get(place)) {
                hint(soon.event, Ahead::Near);
            }
            entry
        };
        self.len -= 1;
        self.now = entry.at;
        Some((Instant::from_nanos(entry.at), entry.event))
    }

    /// Sorts the lowest bucket, once it is small enough, to be worked off.
    fn refill(&mut self, hint: &mut impl FnMut(Event, Ahead)) -> Option<()> {
        while self.busy > 0 {
            let digit = self.busy.trailing_zeros() as usize;
            let level = &mut self.levels[digit];
            let place = level.occupied.trailing_zeros() as usize;
            level.occupied &= level.occupied - 1;
            if level.occupied == 0 {
                self.busy &= self.busy - 1;
            }
            let bucket = &mut level.buckets[place];
            // A bucket of several values was small when it was laid out; there is no level for what tells them apart.
            if bucket.len() <= RUN || digit == 0 || level.shift > DIGIT * digit as u32 {
                std::mem::swap(&mut self.run, bucket);
                bucket.shrink_to(KEPT);
                self.run.sort_unstable_by_key(|entry| Reverse(entry.key()));
                (self.origin, self.near) = (self.run.last()?.at, level.shift);
                self.tell(hint);
                return Some(());
            }
            let mut entries = std::mem::take(bucket);
            let below = &mut self.levels[digit - 1];
            below.shift = DIGIT * digit as u32 - (entries.len() / FILL).ilog2().min(DIGIT);
            entries.drain(..).for_each(|entry| below.put(entry));
            self.busy |= 1 << (digit - 1);
            entries.shrink_to(KEPT);
            self.levels[digit].buckets[place] = entries;
        }
        None
    }

    /// Tells what a run has just begun with, and what the next one will be.
    fn tell(&self, hint: &mut impl FnMut(Event, Ahead)) {
        self.run.iter().rev().take(NEAR).for_each(|entry| hint(entry.event, Ahead::Near));
        if let Some(level) = self.levels.get(self.busy.trailing_zeros() as usize) {
            let next = &level.buckets[level.occupied.trailing_zeros() as usize];
            next.iter().take(RUN).for_each(|entry| hint(entry.event, Ahead::Far));
        }
    }

    /// Spreads what is left of a run, with those that have come too late for it and whatever has been laid out with it.
    #[cold]
    fn spread_again(&mut self) {
        let digit = (self.near / DIGIT) as usize;
        let mut entries = std::mem::take(&mut self.run);
        entries.extend(self.late.drain().map(|Reverse(entry)| entry));
        if self.near > DIGIT * digit as u32 {
            let level = &mut self.levels[digit];
            level.buckets.iter_mut().for_each(|bucket| entries.append(bucket));
            level.occupied = 0;
            self.busy &= !(1 << digit);
        }
        for (digit, level) in (0..).zip(&mut self.levels[..=digit]) {
            level.shift = DIGIT * digit;
        }
        (self.origin, self.near) = (self.now, 0);
        entries.into_iter().for_each(|entry| self.put(entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::draw::Stream;
    use proptest::prelude::*;
    use rand::RngExt;

    fn event(kind: u8, index: u32) -> Event {
        Event::new(kind, index)
    }

    #[test]
    fn an_event_keeps_its_kind_and_index() {
        let e = event(15, Event::INDEX_MAX);
        assert_eq!((e.kind(), e.index()), (15, Event::INDEX_MAX));
    }

    #[test]
    fn equal_times_are_ordered_by_kind_then_index() {
        let mut queue = Queue::new();
        for e in [event(2, 0), event(1, 9), event(1, 3), event(0, 7)] {
            queue.at(Instant::from_nanos(5), e);
        }
        let order: Vec<Event> = std::iter::from_fn(|| queue.pop()).map(|(_, e)| e).collect();
        assert_eq!(order, [event(0, 7), event(1, 3), event(1, 9), event(2, 0)]);
    }

    #[test]
    fn an_event_may_cause_another_at_its_own_time() {
        let mut queue = Queue::new();
        queue.at(Instant::from_nanos(5), event(1, 1));
        queue.at(Instant::from_nanos(5), event(3, 1));
        queue.pop();
        queue.at(Instant::from_nanos(5), event(2, 1));
        assert_eq!(queue.pop().map(|(_, e)| e), Some(event(2, 1)));
    }

    #[test]
    #[should_panic(expected = "an event in the past")]
    fn the_past_is_closed() {
        let mut queue = Queue::new();
        queue.at(Instant::from_nanos(5), event(0, 0));
        queue.pop();
        queue.at(Instant::from_nanos(4), event(0, 0));
    }

    /// Runs the same random pushes and pops on the queue and on a plain binary heap: in each step up to `most` events are put
    /// in and some are taken, then what is left.
    fn agrees_with_a_binary_heap(
        seed: u64,
        steps: usize,
        most: usize,
        gap: impl Fn(&mut crate::base::draw::Draw) -> u64,
    ) {
        let mut draw = Stream::new(seed, "queue test", "").sequence();
        let mut queue = Queue::new();
        let mut reference = BinaryHeap::new();
        for step in 0..=steps {
            let now = queue.now().as_nanos();
            let (put, take) = (draw.random_range(0..=most), draw.random_range(1..=most));
            for _ in 0..if step < steps { put } else { 0 } {
                let at = now.saturating_add(gap(&mut draw));
                let e = event(draw.random_range(0..4), draw.random_range(0..8));
                queue.at(Instant::from_nanos(at), e);
                reference.push(Reverse((at, e)));
            }
            for _ in 0..if step < steps { take } else { usize::MAX } {
                let expected = reference.pop().map(|Reverse((at, e))| (Instant::from_nanos(at), e));
                assert_eq!(queue.pop(), expected);
                assert_eq!(queue.len(), reference.len());
                if expected.is_none() {
                    break;
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_gaps_leave_in_the_reference_order(seed: u64, bits in 0u32..63) {
            agrees_with_a_binary_heap(seed, 300, 3, |draw| draw.random_range(0..=(1u64 << bits)));
        }

        #[test]
        fn so_do_thousands_that_come_at_once(seed: u64, bits in 0u32..40, most in 1usize..4_000) {
            // Enough to be spread over levels, and too many to be put in late one by one.
            agrees_with_a_binary_heap(seed, 6, most, |draw| {
                let bits = draw.random_range(bits / 2..=bits);
                draw.random_range(0..=(1u64 << bits))
            });
        }

        #[test]
        fn herds_and_mixed_gaps_leave_in_the_reference_order(seed: u64) {
            agrees_with_a_binary_heap(seed, 300, 3, |draw| match draw.random_range(0..4) {
                0 => 0,
                1 => 1_000,
                2 => draw.random_range(0..1_000_000_000),
                _ => u64::MAX,
            });
        }
    }
}
