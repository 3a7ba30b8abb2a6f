//! What happened to whom, and when? One line for every session, connection, answer, failure and verdict.
//!
//! Kept only when asked for. Windows say how many and how much; whatever depends on the order in which things
//! befell one session, such as how long it took to come back, is read off here.

use super::fact::Fact;
use crate::base::cause::{Cause, Harm};
use crate::base::id::{NodeId, PopulationId, SessionId};
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
    /// A session was dropped, moved or lost.
    Harmed { who: Who, harm: Harm, cause: Cause },
    /// A write was lost or a read was stale.
    StateHarmed { population: PopulationId, harm: Harm, cause: Cause },
    /// A session that was cut off is back.
    Back { who: Who },
    /// Something in the life of a node.
    Node { node: NodeId, turn: Turn },
    /// A fault or change of the plan, by its place, begins or goes on.
    Planned { index: u16, stage: Stage },
    /// A fault that comes at random, by its place in the plan, strikes a node, or its store; or is over there.
    Struck { index: u16, node: Option<NodeId>, over: bool },
}

/// A turn in the life of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Its process was started; it does not listen yet.
    Starts,
    /// Its process listens.
    Listens,
    /// Its process ended.
    Down,
    /// It takes nobody new.
    Drains,
    /// It takes sessions again.
    Takes,
    /// Its process was killed for its memory.
    OutOfMemory,
}

/// How far a fault or change is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// It began.
    Begins,
    /// A change is complete.
    Completed,
    /// A change was given up, since nothing got on.
    GivenUp,
    /// A change is rolled back.
    RolledBack,
}

/// Everything that happened, in order.
pub type Trace = Vec<(Instant, Happening)>;

/// Keeps the trace of a run, or does not.
#[derive(Debug, Default)]
pub struct Tracer {
    kept: Option<Trace>,
    // By session id, which is used again when a session is over.
    names: Vec<Option<Who>>,
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

    /// A session began under this id.
    #[inline]
    pub fn begin(&mut self, now: Instant, session: SessionId, who: Who) {
        if let Some(kept) = &mut self.kept {
            kept.push((now, Happening::Began { who }));
            self.names.resize(self.names.len().max(session.index() + 1), None);
            self.names[session.index()] = Some(who);
        }
    }

    /// Adds what a fact says of one session, of a node, or of the plan. Failures are noted where their request is known.
    pub fn hear(&mut self, now: Instant, fact: &Fact) {
        let Some(kept) = &mut self.kept else { return };
        let names = &self.names;
        let harmed = |session: SessionId, harm: Harm, cause: Cause| {
            Some(Happening::Harmed { who: names.get(session.index()).copied().flatten()?, harm, cause })
        };
        let node = |node: NodeId, turn: Turn| Some(Happening::Node { node, turn });
        let planned = |index: u16, stage: Stage| Some(Happening::Planned { index, stage });
        let happening = match *fact {
            Fact::Dropped { session, cause, .. } => harmed(session, Harm::Dropped, cause),
            Fact::Moved { session, cause, .. } => harmed(session, Harm::Moved, cause),
            Fact::Lost { session, cause, .. } => harmed(session, Harm::Lost, cause),
            Fact::Reconnected { session, .. } => {
                names.get(session.index()).copied().flatten().map(|who| Happening::Back { who })
            }
            Fact::StaleRead { population, cause } => {
                Some(Happening::StateHarmed { population, harm: Harm::StaleRead, cause })
            }
            Fact::WriteLost { population, cause } => {
                Some(Happening::StateHarmed { population, harm: Harm::WriteLost, cause })
            }
            Fact::NodeStarted { node: id, .. } => node(id, Turn::Starts),
            Fact::NodeListens { node: id, .. } => node(id, Turn::Listens),
            Fact::NodeDown { node: id } => node(id, Turn::Down),
            Fact::NodeDrains { node: id, drains } => node(id, if drains { Turn::Drains } else { Turn::Takes }),
            Fact::OutOfMemory { node: id } => node(id, Turn::OutOfMemory),
            Fact::Incident { index, .. } => planned(index, Stage::Begins),
            Fact::Completed { index } => planned(index, Stage::Completed),
            Fact::GivenUp { index } => planned(index, Stage::GivenUp),
            Fact::RolledBack { index } => planned(index, Stage::RolledBack),
            _ => None,
        };
        kept.extend(happening.map(|happening| (now, happening)));
    }

    /// What was kept.
    pub fn finish(self) -> Trace {
        self.kept.unwrap_or_default()
    }
}
