//! Running totals of one population; a window's figures are the difference of two snapshots.

use crate::base::cause::{Cause, Harm};
use std::ops::{AddAssign, Index, IndexMut, Sub};

/// What is counted. Times are nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Counter {
    /// Sessions present at the start.
    Initial,
    /// Sessions that arrived.
    Started,
    /// Visits that came to their end.
    Ended,
    /// Sessions whose client stopped trying to come back.
    GaveUp,
    /// Sessions whose client stopped trying before it ever got in.
    Refused,
    /// Requests that clients intended.
    Issued,
    /// Requests answered.
    Succeeded,
    /// Requests whose session ended first.
    Withdrawn,
    /// Tries of requests.
    Attempts,
    /// Tries to get in: the first attempt of a session, and every attempt while cut off.
    Connects,
    /// Sessions that came back after having been cut off.
    Reconnected,
    /// Look-ups of session state or cache entries on a node that found it.
    Hits,
    /// Look-ups that did not.
    Misses,
    /// Times a node asked another for a session's state.
    Fetches,
    /// Look-ups in a near cache that found the state.
    NearHits,
    /// Look-ups in a near cache that did not.
    NearMisses,
    /// Requests that write and were answered, where reads take another way.
    WritesSucceeded,
    /// Requests that write and failed, where reads take another way.
    WritesFailed,
    /// Bytes of session state that went over the network.
    Carried,
    /// Rebuilds of state or cache entries.
    Rebuilds,
    /// Service demand of those rebuilds (ns).
    RebuildTime,
    /// Service time that nodes spent on attempts (ns).
    Spent,
    /// The part of it that was spent on attempts whose client had left (ns).
    Wasted,
    /// Reads and writes that the store answered.
    StoreOps,
    /// How long those took, waiting included (ns).
    StoreTime,
    /// Reads and writes that it failed to answer.
    StoreErrors,
    /// Visits that rebuild services answered.
    RebuildVisits,
    /// How long those took, waiting included (ns).
    RebuildVisitTime,
    /// Response times, summed (ns).
    ResponseTime,
    /// Connections to which a node said goodbye for their age.
    Aged,
    /// Sessions that a node asked to leave.
    Evicted,
    /// Attempts refused since the node had been told to go and the balancer had not heard of it.
    Raced,
    /// Attempts that nodes answered or failed, where versions are installed.
    Served,
    /// Those that met a version other than the first.
    ServedByNew,
    /// Those that failed.
    FailedAtNode,
    /// Those that failed at a version other than the first.
    FailedByNew,
    /// Sessions that had an answer from a version other than the first, for the first time.
    Exposed,
    /// Sessions dropped for the first time in their life.
    DroppedOnce,
    /// Sessions moved for the first time.
    MovedOnce,
    /// Sessions that lost their state for the first time.
    LostOnce,
    // New ones stand above: the last one says how many there are.
}

const COUNTERS: usize = Counter::LostOnce as usize + 1;

/// All counters and causes of one population, and the integrals of its gauges.
#[derive(Clone, PartialEq, Debug)]
pub struct Totals {
    counters: [u64; COUNTERS],
    causes: [[u64; Cause::COUNT]; Harm::ALL.len()],
    /// Time integral of live sessions (ns).
    pub live_time: u128,
    /// Time integral of sessions that are cut off (ns).
    pub disconnected_time: u128,
    /// Time integral of sessions with too few copies (ns).
    pub thin_time: u128,
    /// Time integral of sessions whose last answer came from a version other than the first (ns).
    pub on_new_time: u128,
}

impl Default for Totals {
    fn default() -> Totals {
        Totals {
            counters: [0; COUNTERS],
            causes: [[0; Cause::COUNT]; Harm::ALL.len()],
            live_time: 0,
            disconnected_time: 0,
            thin_time: 0,
            on_new_time: 0,
        }
    }
}

impl Totals {
    /// How often `harm` had `cause`.
    pub fn of(&self, harm: Harm, cause: Cause) -> u64 {
        self.causes[harm as usize][cause as usize]
    }

    /// How often `harm` happened, for whatever cause.
    pub fn total(&self, harm: Harm) -> u64 {
        self.causes[harm as usize].iter().sum()
    }

    /// Counts one `harm`.
    #[inline]
    pub fn suffer(&mut self, harm: Harm, cause: Cause) {
        self.causes[harm as usize][cause as usize] += 1;
    }

    /// Sessions that are live: those that came less those that went.
    pub fn live(&self) -> u64 {
        self[Counter::Initial] + self[Counter::Started] - self.gone()
    }

    /// Sessions that are no more, for whatever reason.
    pub fn gone(&self) -> u64 {
        self[Counter::Ended] + self[Counter::GaveUp] + self[Counter::Refused]
    }

    /// Requests under way, those that back off between two attempts included.
    pub fn in_flight(&self) -> u64 {
        self[Counter::Issued] - self[Counter::Succeeded] - self.total(Harm::Failed) - self[Counter::Withdrawn]
    }
}

impl Index<Counter> for Totals {
    type Output = u64;
    #[inline]
    fn index(&self, counter: Counter) -> &u64 {
        &self.counters[counter as usize]
    }
}

impl IndexMut<Counter> for Totals {
    #[inline]
    fn index_mut(&mut self, counter: Counter) -> &mut u64 {
        &mut self.counters[counter as usize]
    }
}

impl AddAssign<&Totals> for Totals {
    fn add_assign(&mut self, other: &Totals) {
        for (mine, theirs) in self.counters.iter_mut().zip(&other.counters) {
            *mine += theirs;
        }
        for (mine, theirs) in self.causes.iter_mut().flatten().zip(other.causes.iter().flatten()) {
            *mine += theirs;
        }
        self.live_time += other.live_time;
        self.disconnected_time += other.disconnected_time;
        self.thin_time += other.thin_time;
        self.on_new_time += other.on_new_time;
    }
}

impl Sub<&Totals> for &Totals {
    type Output = Totals;
    fn sub(self, earlier: &Totals) -> Totals {
        let mut difference = self.clone();
        for (now, before) in difference.counters.iter_mut().zip(&earlier.counters) {
            *now -= before;
        }
        for (now, before) in difference.causes.iter_mut().flatten().zip(earlier.causes.iter().flatten()) {
            *now -= before;
        }
        difference.live_time -= earlier.live_time;
        difference.disconnected_time -= earlier.disconnected_time;
        difference.thin_time -= earlier.thin_time;
        difference.on_new_time -= earlier.on_new_time;
        difference
    }
}
