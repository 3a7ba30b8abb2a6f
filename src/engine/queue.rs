//! Which event comes next? A monotone radix heap over (time, event).
//!
//! Contract: events leave in order of time; equal times in order of (kind, index), whatever the order in
//! which they were put in. That order is part of every result, and no other queue design can change it
//! (a plain binary heap over the same pairs is the test's reference).
//!
//! Why a radix heap: it has no width to tune, so bursts and gaps of very different size (7 ms services
//! beside 30 min lives) do not hurt it, and its cost is nearly flat from 10³ to 10⁷ pending events. Its last steps, in
//! which a few entries would be moved again and again, are a sort instead.
//! Ahuja, Mehlhorn, Orlin, Tarjan, *Faster algorithms for the shortest path problem*, J. ACM 37 (1990).

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

/// A bucket of so many entries or fewer is sorted instead of spread: all of them will come out shortly.
const RUN: usize = 32;
/// How many events ahead their records are fetched.
const AHEAD: usize = 6;

/// Ordered as events leave: by time, then by kind and index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: u64,
    event: Event,
}

/// The pending events of one run.
///
/// Bucket `b` holds the entries whose time first differs from `origin` in bit `b`; all of them are earlier than any entry
/// of a higher bucket. When what is near is gone, the lowest bucket is emptied, and its minimum becomes the new `origin`. A
/// large one is spread over lower buckets, so that an entry moves at most 64 times and in practice a few. A small one is
/// sorted: it becomes the `run`, and its whole width is near from then on.
pub struct Queue {
    now: u64,
    // The time that buckets are relative to.
    origin: u64,
    // Times that differ from `origin` in lower bits than this are near: they are in `run` or `late`, and in no bucket.
    near: u32,
    // Bit b is set when bucket b has an entry.
    occupied: u64,
    buckets: [Vec<Entry>; 64],
    // What was there when the bucket was sorted; the next one is last.
    run: Vec<Entry>,
    // What has come since. A heap, since a herd may come at once, and an event may cause another at its own time.
    late: BinaryHeap<Reverse<Entry>>,
    scratch: Vec<Entry>,
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
        Queue {
            now: 0,
            origin: 0,
            near: 0,
            occupied: 0,
            buckets: [const { Vec::new() }; 64],
            run: Vec::new(),
            late: BinaryHeap::new(),
            scratch: Vec::new(),
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
        // The place of the highest bit that differs, from 1; 0 for the same time.
        let differs = 64 - (entry.at ^ self.origin).leading_zeros();
        if differs <= self.near {
            self.late.push(Reverse(entry));
        } else {
            let bucket = differs as usize - 1;
            self.occupied |= 1 << bucket;
            self.buckets[bucket].push(entry);
        }
    }

    /// Takes the next event and moves the clock to it.
    #[inline]
    pub fn pop(&mut self) -> Option<(Instant, Event)> {
        self.pop_hinting(|_| {})
    }

    /// As [`Queue::pop`]; `soon` hears of events that will come out shortly, so that their records can be fetched ahead.
    #[inline]
    pub fn pop_hinting(&mut self, mut soon: impl FnMut(Event)) -> Option<(Instant, Event)> {
        if self.run.is_empty() && self.late.is_empty() {
            self.refill(&mut soon)?;
        }
        let is_late = match (self.run.last(), self.late.peek()) {
            (Some(next), Some(Reverse(late))) => late < next,
            (next, _) => next.is_none(),
        };
        let entry = if is_late {
            self.late.pop()?.0
        } else {
            let entry = self.run.pop()?;
            if let Some(ahead) = self.run.len().checked_sub(AHEAD).and_then(|place| self.run.get(place)) {
                soon(ahead.event);
            }
            entry
        };
        self.len -= 1;
        self.now = entry.at;
        Some((Instant::from_nanos(entry.at), entry.event))
    }

    /// Moves `origin` to the earliest entry and empties the lowest bucket.
    fn refill(&mut self, soon: &mut impl FnMut(Event)) -> Option<()> {
        if self.occupied == 0 {
            return None;
        }
        let lowest = self.occupied.trailing_zeros();
        self.occupied &= self.occupied - 1;
        let bucket = &mut self.buckets[lowest as usize];
        if bucket.len() <= RUN {
            // All of them, and whatever else lies in the bucket's width, share the bits from this one on.
            std::mem::swap(&mut self.run, bucket);
            self.run.sort_unstable_by(|a, b| b.cmp(a));
            self.origin = self.run.last()?.at;
            self.near = lowest;
            self.run.iter().rev().take(AHEAD).for_each(|entry| soon(entry.event));
            return Some(());
        }
        let mut entries = std::mem::replace(bucket, std::mem::take(&mut self.scratch));
        self.origin = entries.iter().map(|entry| entry.at).min()?;
        self.near = 0;
        for entry in entries.drain(..) {
            self.put(entry);
        }
        self.scratch = entries;
        Some(())
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

    /// Runs the same random pushes and pops on the queue and on a plain binary heap.
    fn agrees_with_a_binary_heap(seed: u64, steps: usize, gap: impl Fn(&mut crate::base::draw::Draw) -> u64) {
        let mut draw = Stream::new(seed, "queue test", "").sequence();
        let mut queue = Queue::new();
        let mut reference = BinaryHeap::new();
        for _ in 0..steps {
            let now = queue.now().as_nanos();
            for _ in 0..draw.random_range(0..3) {
                let at = now.saturating_add(gap(&mut draw));
                let e = event(draw.random_range(0..4), draw.random_range(0..8));
                queue.at(Instant::from_nanos(at), e);
                reference.push(Reverse((at, e)));
            }
            let expected = reference.pop().map(|Reverse((at, e))| (Instant::from_nanos(at), e));
            assert_eq!(queue.pop(), expected);
            assert_eq!(queue.len(), reference.len());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_gaps_leave_in_the_reference_order(seed: u64, bits in 0u32..63) {
            agrees_with_a_binary_heap(seed, 500, |draw| draw.random_range(0..=(1u64 << bits)));
        }

        #[test]
        fn herds_and_mixed_gaps_leave_in_the_reference_order(seed: u64) {
            agrees_with_a_binary_heap(seed, 500, |draw| match draw.random_range(0..4) {
                0 => 0,
                1 => 1_000,
                2 => draw.random_range(0..1_000_000_000),
                _ => u64::MAX,
            });
        }
    }
}
