//! Which balancer? Several instances side by side, each with its own counters, tables and view.
//!
//! An instance is a place that clients are sent to; a process is one life of it. A reload begins a new process:
//! the old one keeps what it has until that ends, and neither counts what the other sends (HAProxy, NGINX and
//! Envoy all hand listening sockets over and let the old process drain).

use super::{Balancer, Spec};
use crate::base::draw::Stream;
use crate::base::id::NodeId;
use crate::cluster::balancer::affinity::Affinity;
use crate::cluster::balancer::balance::Member;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::{Index, IndexMut};

/// A balancer process, by the order of their beginnings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct ProcessId(pub u16);

/// How clients are spread over instances.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// A session keeps the instance that its name was resolved to.
    #[default]
    Session,
    /// Every request, and every stream that is opened, may meet another one.
    Request,
}

/// All balancer processes.
pub struct Instances {
    processes: Vec<Balancer>,
    // By instance.
    current: Vec<ProcessId>,
    spread: Spread,
    // Of their members: an instance has its own draw for each session, or for each request of it.
    luck: Stream,
}

impl Instances {
    /// As many as `spec` says, each in front of all of these nodes.
    pub fn new(spec: &Spec, members: &[Member], affinities: &[(&Affinity, bool)], seed: u64) -> Instances {
        let instance = |i: u16| Balancer::new(spec, members.to_vec(), affinities, seed, &format!("lb{}", i + 1));
        Instances {
            processes: (0..spec.instances).map(instance).collect(),
            current: (0..spec.instances).map(ProcessId).collect(),
            spread: spec.spread,
            luck: Stream::new(seed, "balancer instance", ""),
        }
    }

    /// How many instances there are.
    pub fn count(&self) -> usize {
        self.current.len()
    }

    /// The process that serves at an instance.
    pub fn serving(&self, instance: usize) -> ProcessId {
        self.current[instance]
    }

    /// The instance that a process serves at, if it still serves.
    pub fn instance_of(&self, process: ProcessId) -> Option<usize> {
        self.current.iter().position(|&current| current == process)
    }

    /// The process that a session meets with its `nth` request.
    #[inline]
    pub fn met_by(&self, who: u64, nth: u32) -> ProcessId {
        if self.current.len() == 1 {
            return self.current[0];
        }
        let nth = if self.spread == Spread::Session { 0 } else { u64::from(nth) };
        self.current[self.luck.at(who, nth).random_range(0..self.current.len())]
    }

    /// Tells the serving process of every instance something.
    pub fn each(&mut self, mut tell: impl FnMut(&mut Balancer)) {
        for process in &self.current {
            tell(&mut self.processes[usize::from(process.0)]);
        }
    }

    /// How many attempts and connections all processes together believe to have at `node`.
    pub fn in_flight(&self, node: NodeId) -> u32 {
        self.processes.iter().map(|process| process.in_flight(node)).sum()
    }

    /// How many attempts stand in the lines of all processes.
    pub fn in_line(&self) -> usize {
        self.processes.iter().map(Balancer::in_line).sum()
    }

    /// A process and a node of it on whose account those in line are to be looked at, if there is any.
    pub fn stirred(&mut self) -> Option<(ProcessId, NodeId)> {
        let stirred = |(process, balancer): (u16, &mut Balancer)| Some((ProcessId(process), balancer.stirred()?));
        (0..).zip(&mut self.processes).find_map(stirred)
    }

    /// Whether all of them believe that `node` is alive.
    pub fn all_believe_up(&self, node: NodeId) -> bool {
        self.current.iter().all(|&process| self[process].believes_up(node))
    }
}

impl Index<ProcessId> for Instances {
    type Output = Balancer;
    #[inline]
    fn index(&self, process: ProcessId) -> &Balancer {
        &self.processes[usize::from(process.0)]
    }
}

impl IndexMut<ProcessId> for Instances {
    #[inline]
    fn index_mut(&mut self, process: ProcessId) -> &mut Balancer {
        &mut self.processes[usize::from(process.0)]
    }
}
