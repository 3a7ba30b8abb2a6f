//! Where is a node that a change is about, and when can it go on?

use super::LOOKS_EVERY;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::cluster::Sim;

/// Where a node is in its turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// It is new, and its process is started then.
    Ordered(Instant),
    /// It is new, its process has been started, and does not listen yet.
    Joining,
    /// It is drained until then at most.
    Draining(Instant),
    /// Its process has been told to stop: when it gets its SIGTERM, and when it is killed.
    Hooked(Instant, Instant),
    /// Its process has got its SIGTERM, and is killed then.
    Ending(Instant),
    /// Its process ends at once.
    Cut,
    /// Its process is away until then.
    Away(Instant),
    /// Its process may run again, and does not listen yet.
    Starting,
    /// It is up, and the balancer does not know yet.
    Unseen,
    /// It is eligible, and done if it is still then.
    Settling(Instant),
    /// It is done; its place may be used again then.
    Done(Instant),
}

impl Step {
    /// Whether a node that was here, and is there now, is further than it ever was.
    pub(super) fn gets_on_to(self, now: Step) -> bool {
        let comes_and_goes = |step| matches!(step, Step::Unseen | Step::Settling(_));
        self != now && !(comes_and_goes(self) && comes_and_goes(now))
    }

    /// Whether its node is to be available, and is not yet.
    pub(super) fn is_coming(self) -> bool {
        !matches!(self, Step::Draining(_) | Step::Hooked(..) | Step::Ending(_) | Step::Cut | Step::Done(_))
    }
}

impl Sim<'_> {
    /// When a step can go on: at a known time, or at the next look.
    pub(super) fn look_at(&self, now: Instant, node: NodeId, step: Step) -> Instant {
        let look = now + LOOKS_EVERY;
        match step {
            Step::Away(until) | Step::Done(until) => until.max(now + Duration::from_nanos(1)),
            Step::Ordered(start) => start,
            Step::Joining | Step::Starting => self.fleet.get(node).back_at().unwrap_or(look),
            Step::Hooked(term, _) => term,
            Step::Draining(until) | Step::Ending(until) | Step::Settling(until) => until.min(look),
            Step::Unseen | Step::Cut => look,
        }
    }
}
