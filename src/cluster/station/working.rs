//! Work under way at a station, by when it is done.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Work under way, by when it is done. Whole numbers before and behind the point side by side: a comparison
/// costs as much as one of 64 bits, and the record has 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Done {
    /// FIFO: an instant (ns). Sharing: attained service (ns).
    pub whole: u64,
    /// The same, in 2⁻³² ns.
    pub part: u32,
    /// Whose work it is.
    pub job: u32,
}

impl Done {
    /// Done at a fixed-point number with 32 bits behind the point.
    pub fn new(at: u128, job: u32) -> Done {
        Done { whole: u64::try_from(at >> 32).unwrap_or(u64::MAX), part: at as u32, job }
    }

    /// As a fixed-point number with 32 bits behind the point.
    pub fn at(&self) -> u128 {
        u128::from(self.whole) << 32 | u128::from(self.part)
    }
}

/// All work under way. What is done first stands apart: a station with one slot has no other, and most looks are for it.
#[derive(Debug, Default)]
pub struct Working {
    first: Option<Done>,
    rest: BinaryHeap<Reverse<Done>>,
}

impl Working {
    /// How many jobs are worked on.
    pub fn len(&self) -> usize {
        self.rest.len() + usize::from(self.first.is_some())
    }

    /// What is done first.
    #[inline]
    pub fn first(&self) -> Option<Done> {
        self.first
    }

    /// One more.
    #[inline]
    pub fn push(&mut self, done: Done) {
        match self.first {
            None => self.first = Some(done),
            Some(first) => {
                self.first = Some(first.min(done));
                self.rest.push(Reverse(first.max(done)));
            }
        }
    }

    /// Takes away what is done first.
    #[inline]
    pub fn pop(&mut self) {
        self.first = self.rest.pop().map(|Reverse(done)| done);
    }

    /// All of it, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Done> {
        self.first.iter().chain(self.rest.iter().map(|Reverse(done)| done))
    }

    /// Keeps some of it.
    pub fn retain(&mut self, keep: impl Fn(&Done) -> bool) {
        self.rest.retain(|Reverse(done)| keep(done));
        if !self.first.as_ref().is_some_and(keep) {
            self.pop();
        }
    }

    /// Everything is done at another time.
    pub fn change(&mut self, change: impl Fn(Done) -> Done) {
        let before = std::mem::take(self);
        before.iter().for_each(|&done| self.push(change(done)));
    }

    /// Nothing any more.
    pub fn clear(&mut self) {
        self.first = None;
        self.rest.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_done_first_comes_first_whatever_is_taken_away(jobs in prop::collection::vec(0u64..9, 0..30), gone in 0u32..30) {
            let mut working = Working::default();
            let all = || (0..).zip(&jobs).map(|(job, &whole)| Done { whole, part: 0, job });
            all().for_each(|done| working.push(done));
            working.retain(|done| done.job != gone);
            working.change(|done| Done { whole: 9 - done.whole, ..done });
            let mut expected: Vec<Done> = all().filter(|done| done.job != gone).map(|done| Done { whole: 9 - done.whole, ..done }).collect();
            expected.sort();
            prop_assert_eq!(working.len(), expected.len());
            for done in expected {
                prop_assert_eq!(working.first(), Some(done));
                working.pop();
            }
            prop_assert_eq!(working.first(), None);
        }
    }
}
