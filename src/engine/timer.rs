//! What does a record wait for? A timer that may be moved without touching the queue.
//!
//! The queue never cancels. A timer remembers when it is `due` and the earliest entry it has in the
//! queue; putting it off costs nothing, since the early entry, when it comes, looks at `due` again.

use super::queue::{Event, Queue};
use crate::base::time::Instant;

/// One timer, embedded in the record that waits.
#[derive(Clone, Copy, Debug)]
pub struct Timer {
    due: Instant,
    queued: Instant,
}

impl Default for Timer {
    fn default() -> Timer {
        Timer::new()
    }
}

impl Timer {
    /// A timer that waits for nothing.
    pub const fn new() -> Timer {
        Timer { due: Instant::NEVER, queued: Instant::NEVER }
    }

    /// When it will fire; [`Instant::NEVER`] when it waits for nothing.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Lets `event` fire at `due` instead of whenever it was to fire before.
    #[inline]
    pub fn set(&mut self, due: Instant, event: Event, queue: &mut Queue) {
        self.due = due;
        if due < self.queued {
            self.queued = due;
            queue.at(due, event);
        }
    }

    /// Waits for nothing any more.
    pub fn clear(&mut self) {
        self.due = Instant::NEVER;
    }

    /// Whether the entry of `event` that the queue has just given out is the one that is due.
    #[inline]
    pub fn fires(&mut self, now: Instant, event: Event, queue: &mut Queue) -> bool {
        if now != self.queued {
            return false; // An entry that an earlier one overtook.
        }
        self.queued = Instant::NEVER;
        if self.due == now {
            self.due = Instant::NEVER;
            return true;
        }
        if self.due != Instant::NEVER {
            self.queued = self.due;
            queue.at(self.due, event);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EVENT: Event = Event::new(0, 0);

    /// Every instant at which the timer fires until the queue is empty.
    fn fires(timer: &mut Timer, queue: &mut Queue) -> Vec<u64> {
        let mut at = Vec::new();
        while let Some((now, event)) = queue.pop() {
            if timer.fires(now, event, queue) {
                at.push(now.as_nanos());
            }
        }
        at
    }

    #[test]
    fn a_timer_that_is_put_off_fires_once_and_late() {
        let (mut timer, mut queue) = (Timer::new(), Queue::new());
        timer.set(Instant::from_nanos(10), EVENT, &mut queue);
        timer.set(Instant::from_nanos(30), EVENT, &mut queue);
        assert_eq!(queue.len(), 1, "putting off costs no entry");
        assert_eq!(fires(&mut timer, &mut queue), [30]);
    }

    #[test]
    fn a_cleared_timer_does_not_fire() {
        let (mut timer, mut queue) = (Timer::new(), Queue::new());
        timer.set(Instant::from_nanos(10), EVENT, &mut queue);
        timer.clear();
        assert_eq!(fires(&mut timer, &mut queue), [] as [u64; 0]);
    }

    proptest! {
        #[test]
        fn whatever_was_set_before_the_last_setting_counts(times in prop::collection::vec(1u64..50, 1..20)) {
            let (mut timer, mut queue) = (Timer::new(), Queue::new());
            for &t in &times {
                timer.set(Instant::from_nanos(t), EVENT, &mut queue);
            }
            prop_assert_eq!(fires(&mut timer, &mut queue), vec![*times.last().unwrap()]);
        }
    }
}
