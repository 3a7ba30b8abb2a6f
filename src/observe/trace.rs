//! What happened to whom, and when? One line for every session, connection, answer, failure and verdict.
//!
//! Kept only when asked for. Windows say how many and how much; whatever depends on the order in which things
//! befell one session, such as how long it took to come back, is read off here.

use crate::base::cause::Cause;
use crate::base::id::{NodeId, PopulationId};
use crate::base::time::{Duration, Instant};

/// A session by its name, which is never used again within a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Who {
    /// Its population.
    pub population: PopulationId,
    /// Its ordinal within that, as in the keys of its draws.
    pub ordinal: u64,
}

/// Something that happened.
#[expect(missing_docs, reason = "the fields say what they are; the variants say what happened")]
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Happening {
    /// A session began, or was there from the start.
    Began { who: Who },
    /// It is over.
    Ended { who: Who },
    /// A session is bound to a node from now on.
    Bound { who: Who, node: NodeId },
    /// A connection hangs on a node from now on.
    Opened { who: Who, node: NodeId },
    /// It is no more.
    Closed { who: Who, node: NodeId },
    /// A try to open a stream has failed.
    NotOpened { who: Who, cause: Cause },
    /// A node answered a request, `after` it was intended.
    Answered { who: Who, node: NodeId, after: Duration },
    /// A request's last allowed attempt failed, `after` it was intended.
    Failed { who: Who, cause: Cause, after: Duration },
    /// A balancer's health checks have changed its mind about a node.
    Marked { node: NodeId, up: bool },
}

/// Everything that happened, in order.
pub type Trace = Vec<(Instant, Happening)>;

/// Keeps the trace of a run, or does not.
#[derive(Debug, Default)]
pub struct Tracer {
    kept: Option<Trace>,
}

impl Tracer {
    /// Keeps what happens from now on.
    pub fn keep(&mut self) {
        self.kept.get_or_insert_default();
    }

    /// Adds a line, if a trace is kept.
    #[inline]
    pub fn note(&mut self, now: Instant, happening: Happening) {
        if let Some(kept) = &mut self.kept {
            kept.push((now, happening));
        }
    }

    /// What was kept.
    pub fn finish(self) -> Trace {
        self.kept.unwrap_or_default()
    }
}
