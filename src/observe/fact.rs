//! What can happen that anybody might want to count.

use crate::base::cause::Cause;
use crate::base::id::{NodeId, PopulationId, SessionId};
use crate::base::time::{Duration, Instant};

/// How a session came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The visit was over.
    Over,
    /// The client stopped trying to come back.
    GaveUp,
    /// The client stopped trying before it ever got in.
    Refused,
}

/// One thing that happened.
#[expect(missing_docs, reason = "the fields say what they are; the variants say what happened")]
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fact {
    /// A session began, or was there from the start (`initial`).
    Started { population: PopulationId, session: SessionId, initial: bool },
    /// A session is no more.
    Ended { population: PopulationId, session: SessionId, ending: Ending, connected: bool },
    /// A client intended a request.
    Issued { population: PopulationId },
    /// One try of a request left the client; `connects` when the client is trying to get in (again).
    Attempted { population: PopulationId, connects: bool },
    /// A client tries to open a stream.
    Connecting { population: PopulationId },
    /// The reply came, `response` after the request's intended arrival.
    Succeeded { population: PopulationId, response: Duration },
    /// The last allowed attempt failed.
    Failed { population: PopulationId, cause: Cause },
    /// The session ended with the request under way.
    Withdrawn { population: PopulationId },
    /// A session was cut off.
    Dropped { population: PopulationId, session: SessionId, cause: Cause },
    /// A node said goodbye to a connection for its age.
    Aged { population: PopulationId },
    /// A node that had been told to go refused an attempt of a balancer that had not heard of it.
    Raced { population: PopulationId },
    /// A node asked a session to leave.
    Evicted { population: PopulationId },
    /// A session that was cut off is back.
    Reconnected { population: PopulationId, session: SessionId },
    /// A session's binding now names another node.
    Moved { population: PopulationId, session: SessionId, cause: Cause },
    /// A session's state is gone.
    Lost { population: PopulationId, session: SessionId, cause: Cause },
    /// A node found its state or cache entry for the session, or did not.
    LookedUp { population: PopulationId, hit: bool },
    /// A node asked another for a session's state.
    Fetched { population: PopulationId },
    /// So many sessions have fewer copies than they should now, and one at least.
    Thin { population: PopulationId, sessions: u64 },
    /// A node found the session's state in its near cache, or did not.
    LookedNear { population: PopulationId, hit: bool },
    /// The stores whose memory is limited hold so much now.
    StoreMemory { bytes: u64 },
    /// A request was served with state that was not as last written.
    StaleRead { population: PopulationId, cause: Cause },
    /// What a request had written, and was told is kept, is gone.
    WriteLost { population: PopulationId, cause: Cause },
    /// A request that writes came to its end, where reads take another way.
    Wrote { population: PopulationId, failed: bool },
    /// Session state went over the network.
    Carried { population: PopulationId, bytes: u64 },
    /// A node began to rebuild missing state or a cache entry, at this much service demand of its own.
    Rebuilt { population: PopulationId, work: Duration },
    /// A rebuild service answered after this long.
    RebuilderAnswered { population: PopulationId, after: Duration },
    /// So many wait now for a service with a limited number of slots, and so many of those are busy; `service` is its
    /// place in the plan.
    AtService { service: u16, waiting: u32, busy: u32 },
    /// A node spent service time on an attempt; `wasted` when its client had left.
    Worked { population: PopulationId, spent: Duration, wasted: bool },
    /// The store answered a read or a write after this long.
    StoreAnswered { population: PopulationId, after: Duration },
    /// The store did not answer an application: it was full, down or silent.
    StoreFailed { population: PopulationId },
    /// The number of sessions bound to a node changed.
    Bound { node: NodeId, by: i8 },
    /// The number of connections that hang on a node changed.
    Linked { node: NodeId, by: i8 },
    /// The number of attempts in line at the balancers changed.
    Waiting { by: i8 },
    /// The number of attempts at a node changed.
    InFlight { node: NodeId, by: i8 },
    /// So many slots of a node are busy now.
    Busy { node: NodeId, slots: u32 },
    /// A node's process was started; `again` when it was not its first. It does not listen yet.
    NodeStarted { node: NodeId, again: bool },
    /// A node's process listens, and is warm at `warm`.
    NodeListens { node: NodeId, warm: Instant },
    /// A node's process ended.
    NodeDown { node: NodeId },
    /// A node was told to take nobody new, or no longer.
    NodeDrains { node: NodeId, drains: bool },
    /// A node's process takes so much memory now.
    Memory { node: NodeId, bytes: u64 },
    /// A node's process was killed for its memory.
    OutOfMemory { node: NodeId },
    /// A node belongs to the cluster from now on, or no longer; all do at first.
    Wanted { node: NodeId, wanted: bool },
    /// Somebody has decided that the cluster should have more nodes, or fewer.
    Scaled { out: bool },
    /// A change is complete.
    Completed { index: u16 },
    /// A change was given up, since nothing got on.
    GivenUp { index: u16 },
    /// A fault struck so many nodes at once.
    NodesFail { nodes: u32 },
    /// A fault struck a store.
    StoreFails,
    /// A fault that does not come at random, or a change, began; the index is its place in the plan. It is over at `cleared`, or is its own
    /// beginning where it has no end.
    Incident { index: u16, cleared: Instant },
    /// A node answered an attempt of somebody who waited for it, or failed it; the version that it ran is its place in
    /// the plan.
    Served { population: PopulationId, version: u8, failed: bool, response: Duration },
    /// A session had its first answer from a version other than the first.
    Exposed { population: PopulationId },
    /// The number of sessions changed whose last answer came from a version other than the first.
    OnNew { population: PopulationId, by: i8 },
    /// Processes of more than one version run from now on, or no longer.
    Mixed { is_mixed: bool },
    /// A change is rolled back.
    RolledBack { index: u16 },
    /// What that fault did is over only at `at`: the processes that it stopped are still starting.
    Cleared { index: u16, at: Instant },
}
