//! The kinds of events, in the order in which they happen at equal times.
//!
//! Measurement first: a tick owns its first instant and not its last, so what happens at its end belongs to
//! the next. Then fate, then work done, then what clients do, then what gives up.

use super::balancer::instances::ProcessId;
use crate::base::id::{AttemptId, NodeId, PopulationId, SessionId};
use crate::engine::Event;

/// A tick ends.
pub const TICK: u8 = 0;
/// A fault begins or ends; then processes are killed for their memory, are started, or listen.
pub const FAULT: u8 = 1;
/// A change begins or goes on; then somebody is evicted, and the controller looks whether anybody should be.
pub const CHANGE: u8 = 12;
/// The view of a balancer changes by itself.
pub const VIEW: u8 = 13;
/// A store gets another primary, or is given up by those who wait for it.
pub const STORE: u8 = 14;
/// Something happens to session state by itself.
pub const KEEP: u8 = 15;
/// A node finishes work.
pub const WORK: u8 = 2;
/// A node has let a client in.
pub const ACCEPT: u8 = 3;
/// A store or a rebuild service answers.
pub const SERVICE: u8 = 4;
/// An attempt's pause is over.
pub const ATTEMPT: u8 = 5;
/// A session asks, comes back or ends.
pub const SESSION: u8 = 6;
/// A balancer checks a node.
pub const PROBE: u8 = 7;
/// A session arrives.
pub const ARRIVAL: u8 = 8;
/// A client has waited long enough.
pub const TIMEOUT: u8 = 9;
/// Somebody notices that a node is silent.
pub const NODE: u8 = 10;
/// A session can no longer be resumed; then a connection has its age, or the time to finish after that is over.
pub const RESUME: u8 = 11;

/// The end of a tick.
pub const fn tick() -> Event {
    Event::new(TICK, 0)
}

/// The beginning or the end of a failure of this target of a fault.
pub const fn fault(target: usize, ends: bool) -> Event {
    Event::new(FAULT, target as u32 * 2 + ends as u32)
}

/// What a node's process waits for, whatever that is.
pub const fn life(node: NodeId) -> Event {
    Event::new(FAULT, node.0 | LIFE)
}

/// Tells the lives of processes from faults.
pub const LIFE: u32 = 1 << 27;

/// The next step of the change at this place in the plan.
pub const fn change(index: usize) -> Event {
    Event::new(CHANGE, index as u32)
}

/// The turn of the next who is asked to leave a node.
pub const fn evict(node: NodeId) -> Event {
    Event::new(CHANGE, node.0 | EVICT)
}

/// Tells evictions from changes.
pub const EVICT: u32 = 1 << 26;

/// The controller looks whether a node has too many connections.
pub const fn rebalance() -> Event {
    Event::new(CHANGE, REBALANCE)
}

/// Tells its looks from changes and evictions.
pub const REBALANCE: u32 = 1 << 27;

/// Work of a node.
pub const fn work(node: NodeId) -> Event {
    Event::new(WORK, node.0)
}

/// Handshakes of a node.
pub const fn accept(node: NodeId) -> Event {
    Event::new(ACCEPT, node.0)
}

/// Visits to a store or a rebuild service.
pub const fn service(index: usize) -> Event {
    Event::new(SERVICE, index as u32)
}

/// An attempt's own timer.
pub const fn attempt(attempt: AttemptId) -> Event {
    Event::new(ATTEMPT, attempt.0)
}

/// A session's own timer, or its end.
pub const fn session(session: SessionId) -> Event {
    Event::new(SESSION, session.0)
}

/// A health check: its place among those of all instances and nodes.
pub const fn probe(check: usize) -> Event {
    Event::new(PROBE, check as u32)
}

/// A balancer process whose view changes by itself.
pub const fn view(process: ProcessId) -> Event {
    Event::new(VIEW, process.0 as u32)
}

/// A failover of a store.
pub const fn store(index: usize) -> Event {
    Event::new(STORE, index as u32)
}

/// Operations that a store leaves unanswered, which their nodes give up.
pub const fn store_timeout(index: usize) -> Event {
    Event::new(STORE, index as u32 | STORE_TIMEOUT)
}

/// Tells them from failovers.
pub const STORE_TIMEOUT: u32 = 1 << 16;

/// What happens to a population's state by itself.
pub const fn keep(population: PopulationId) -> Event {
    Event::new(KEEP, population.0 as u32)
}

/// The next arrival of a population.
pub const fn arrival(population: PopulationId) -> Event {
    Event::new(ARRIVAL, population.0 as u32)
}

/// The next visit of a closed population's client.
pub const fn visit(population: PopulationId) -> Event {
    Event::new(ARRIVAL, population.0 as u32 | VISIT)
}

/// Tells visits from arrivals.
pub const VISIT: u32 = 1 << 16;

/// The longest-waiting client of a line.
pub const fn timeout(line: usize) -> Event {
    Event::new(TIMEOUT, line as u32)
}

/// Something that a node's silence brings about.
pub const fn node(node: NodeId) -> Event {
    Event::new(NODE, node.0)
}

/// The end of the time in which a session may be resumed.
pub const fn resume(session: SessionId) -> Event {
    Event::new(RESUME, session.0)
}

/// A session's connection has its age, or its grace is over.
pub const fn farewell(session: SessionId) -> Event {
    Event::new(RESUME, session.0 | FAREWELL)
}

/// Tells goodbyes from sessions that can no longer be resumed.
pub const FAREWELL: u32 = 1 << 27;
