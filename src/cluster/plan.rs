//! What is to be simulated: a scenario with every reference resolved and every law prepared.
//!
//! A plan is immutable and has no seed: all replications of one variant share it.

use super::balancer;
use super::client::Population;
use super::fate::Fault;
use super::state::StoreSpec;
use super::station::Discipline;
use crate::base::dist::Sampler;
use crate::base::time::{Duration, Instant};
use crate::observe::recovery::Limits;
use crate::observe::window::Window;

/// Everything that one variant at one sweep point is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// End of the run.
    pub end: Instant,
    /// End of the part that whole-run figures leave out.
    pub warmup: Instant,
    /// Length of a tick; divides both.
    pub tick: Duration,
    /// Names of the nodes.
    pub nodes: Vec<String>,
    /// What each node is like.
    pub node: NodeSpec,
    /// Classes of clients, in the order of their names.
    pub populations: Vec<Population>,
    /// The balancer in front.
    pub balancer: balancer::Spec,
    /// External stores.
    pub stores: Vec<StoreSpec>,
    /// What goes wrong, in the order of their names.
    pub faults: Vec<Fault>,
    /// What recovery means; from the SLO.
    pub limits: Limits,
    /// How long it must last.
    pub hold: Duration,
}

/// What a node is like.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// Requests worked on at once.
    pub concurrency: u32,
    /// How they share the node.
    pub discipline: Discipline,
    /// Requests that may wait.
    pub queue_max: u32,
    /// Service demand of letting a client in; `None` for none.
    pub handshake: Option<Sampler>,
    /// Clients that may wait to be let in.
    pub accept_max: u32,
}

impl Plan {
    /// Memory that a run needs, roughly (bytes): sessions at their mean number, one row per tick.
    pub fn memory_estimate(&self) -> u64 {
        let sessions: u64 = self.populations.iter().map(|people| people.initial).sum();
        let rows = self.end.as_nanos() / self.tick.as_nanos() * (self.populations.len() as u64 + 1);
        // Measured on W4 (benches/): session record, state copy, marks, queue entry, spare room of vectors.
        sessions * 230 + rows * size_of::<Window>() as u64 + self.nodes.len() as u64 * 600 + (2 << 20)
    }

    /// Whether something binds a population's sessions to nodes.
    pub fn binds(&self, population: &Population) -> bool {
        population.affinity.binds() || self.balancer.algorithm.binds()
    }
}
