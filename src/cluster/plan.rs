//! What is to be simulated: a scenario with every reference resolved and every law prepared.
//!
//! A plan is immutable and has no seed: all replications of one variant share it.

use super::autoscaler;
use super::balancer;
use super::balancer::affinity::Affinity;
use super::balancer::balance::{Member, WHOLE};
use super::change::{Budget, Change};
use super::client::{Layer, Population, Protocol};
use super::door::{Pace, Waiting};
use super::farewell::age::MaxAge;
use super::farewell::rebalance;
use super::fate::Fault;
use super::footprint::Memory;
use super::life::Restart;
use super::state::{Does, Kind, Service};
use super::station::Discipline;
use super::version::Version;
use super::warm_up::WarmUp;
use crate::base::dist::Sampler;
use crate::base::draw::name_key;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::base::units::Bytes;
use crate::observe::cost::{Prices, Tariff};
use crate::observe::recorder::Known;
use crate::observe::recovery::Limits;
use crate::observe::window::Window;
use std::fmt;
use std::net::SocketAddrV4;
use std::sync::Arc;

/// Everything that one variant at one sweep point is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// End of the run.
    pub end: Instant,
    /// End of the part that whole-run figures leave out.
    pub warmup: Instant,
    /// Length of a tick; divides both.
    pub tick: Duration,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Names of the zones that the nodes are in.
    pub zones: Vec<String>,
    /// Classes of clients, in the order of their names.
    pub populations: Vec<Population>,
    /// The balancer in front.
    pub balancer: balancer::Spec,
    /// What stands beside the nodes: rebuild services in the order of their names, then external stores.
    pub services: Vec<Service>,
    /// How long balancers take to learn of what others know; at once if not given.
    pub propagation: Option<Sampler>,
    /// The work of a health check at its node; it is answered at once if not given.
    pub check_service: Option<Sampler>,
    /// What goes wrong, in the order of their names.
    pub faults: Vec<Fault>,
    /// What we change ourselves, in the order of their names.
    pub changes: Vec<Change>,
    /// Versions that nodes may run: the first, then the others in the order of their names.
    pub versions: Vec<Version>,
    /// The controller that makes the nodes even again, if there is one.
    pub rebalance: Option<rebalance::Params>,
    /// The controller that adds nodes and takes them away, if there is one.
    pub autoscaler: Option<autoscaler::Params>,
    /// How many nodes may be disrupted on purpose at a time, if that is bounded.
    pub disruption_budget: Option<Budget>,
    /// How many of the nodes, the last ones, are not part of the cluster at first.
    pub spares: usize,
    /// What things cost; `None` when nobody asks.
    pub prices: Option<Prices>,
    /// What recovery means; from the SLO.
    pub limits: Limits,
    /// How long it must last.
    pub hold: Duration,
}

/// A node.
#[derive(Clone)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The group it belongs to; `None` when there are no groups.
    pub group: Option<String>,
    /// Its zone: a place in [`Plan::zones`].
    pub zone: u32,
    /// What balancers give it relative to the others; from 1 to 256.
    pub weight: u32,
    /// How fast it works relative to service demands; above 0.
    pub speed: f64,
    /// What it is like.
    pub spec: Arc<NodeSpec>,
    /// Where it listens, if that is given; else [`default_address`].
    pub address: Option<SocketAddrV4>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Node { name, group, zone, weight, speed, spec, address } = self;
        // A plan is known by this text: an address that is not given leaves it as it always was.
        let mut text = f.debug_struct("Node");
        text.field("name", name).field("group", group).field("zone", zone).field("weight", weight);
        text.field("speed", speed).field("spec", spec);
        if let Some(address) = address {
            text.field("address", address);
        }
        text.finish()
    }
}

/// Where the node of this position, counted from 0, listens unless it is told otherwise: 10.0.0.1:8080,
/// 10.0.0.2:8080 …
pub fn default_address(position: u32) -> SocketAddrV4 {
    let ip = u32::from_be_bytes([10, 0, 0, 1]) + position % (1 << 24);
    SocketAddrV4::new(ip.into(), 8_080)
}

impl Node {
    /// What a fair load is proportional to.
    pub fn share(&self) -> f64 {
        f64::from(self.weight) * self.speed
    }

    /// What the recorder must know of it.
    pub fn known(&self) -> Known {
        let NodeSpec { concurrency, memory, .. } = &*self.spec;
        let memory_max = memory.and_then(|memory| memory.limit).map(Bytes::get);
        Known { slots: *concurrency, share: self.share(), weighs: memory.is_some(), memory_max }
    }
}

/// What a node is like.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// Requests worked on at once.
    pub concurrency: u32,
    /// How they share the node.
    pub discipline: Discipline,
    /// How requests wait for it.
    pub queue: Waiting,
    /// How long it tells those to stay away whom it turns away; `None` for not saying.
    pub retry_after: Option<Duration>,
    /// Service demand of letting a client in; `None` for none.
    pub handshake: Option<Sampler>,
    /// How clients wait to be let in.
    pub accept: Waiting,
    /// How many clients a second are let in at most; `None` for any number.
    pub accept_rate: Option<Pace>,
    /// Connections that may hang on it.
    pub connections_max: u32,
    /// The age at which connections that hang on it are ended; `None` for never.
    pub connection_max_age: Option<MaxAge>,
    /// How long a process takes from its start until it listens; `None` for no time.
    pub start: Option<Sampler>,
    /// How much slower it is at first; `None` for not at all.
    pub warm_up: Option<WarmUp>,
    /// What its process takes and may take; `None` where that is not modelled.
    pub memory: Option<Memory>,
    /// When a process that has died of itself is started again.
    pub restart: Restart,
}

impl NodeSpec {
    /// Whether letting a client in takes time, or may be refused.
    pub fn has_door(&self) -> bool {
        self.handshake.is_some() || self.accept_rate.is_some()
    }

    /// Whether it drops those who have waited for long.
    pub fn has_deadline(&self) -> bool {
        self.queue.deadline.is_some() || self.accept.deadline.is_some()
    }

    /// Whether it ever turns anybody away for want of room or time.
    pub fn turns_away(&self) -> bool {
        self.has_deadline() || self.queue.max != u32::MAX || self.accept_rate.is_some()
    }
}

impl Plan {
    /// How many of the services make state anew.
    pub fn rebuilders(&self) -> usize {
        self.services.iter().take_while(|service| matches!(service.does, Does::Rebuild { .. })).count()
    }

    /// What stands beside the nodes and is paid for: what somebody uses.
    pub fn tariff(&self) -> Tariff {
        let used = |of: fn(&Population) -> Option<usize>| {
            let is_used = move |service: &usize| self.populations.iter().any(|people| of(people) == Some(*service));
            (0..self.services.len()).filter(is_used)
        };
        let held = |people: &Population| {
            people.state.store.map_or(0, |store| people.state.size * u64::from(self.services[store].instances()))
        };
        Tariff {
            prices: self.prices,
            stores: used(|people| people.state.store).map(|store| self.services[store].instances()).sum(),
            rebuilders: used(|people| people.state.rebuild_at).count() as u32,
            held: self.populations.iter().map(held).collect(),
        }
    }

    /// Whether any store may hold only so much.
    pub fn limits_stores(&self) -> bool {
        self.services.iter().any(|service| service.rules.as_ref().is_some_and(|rules| rules.memory.is_some()))
    }

    /// How many nodes the cluster has at first.
    pub fn desired(&self) -> usize {
        self.nodes.len() - self.spares
    }

    /// The name of an incident: faults first, then changes.
    pub fn incident(&self, index: u16) -> (&str, Instant) {
        let index = usize::from(index);
        match self.faults.get(index) {
            Some(fault) => (&fault.name, fault.at().expect("what comes at random is no incident")),
            None => {
                let change = &self.changes[index - self.faults.len()];
                (&change.name, change.at)
            }
        }
    }

    /// The changes with a rollback criterion, as incidents.
    pub fn judged(&self) -> Vec<u16> {
        let judged = (self.faults.len()..).zip(&self.changes).filter(|(_, change)| change.rollback.is_some());
        judged.map(|(incident, _)| incident as u16).collect()
    }

    /// The zone that a node stands in.
    pub fn zone_of(&self, node: NodeId) -> &str {
        &self.zones[self.nodes[node.index()].zone as usize]
    }

    /// Memory that a run needs, roughly (bytes): sessions at their mean number, nodes, one row per tick.
    pub fn memory_estimate(&self) -> u64 {
        let sessions: u64 =
            self.populations.iter().map(|people| people.present() * self.session_estimate(people)).sum();
        let rows = self.end.as_nanos() / self.tick.as_nanos() * (self.populations.len() as u64 + 1);
        sessions + rows * size_of::<Window>() as u64 + self.nodes.len() as u64 * 2_500 + (2 << 20)
    }

    /// Memory for one session of a population (bytes): somewhat more than was measured (`tests/it/footprint.rs`).
    fn session_estimate(&self, people: &Population) -> u64 {
        let parts = [
            // Its record, its entry in the queue, what the recorder marks.
            (true, 110),
            // Where its state is.
            (matches!(people.state.kind, Kind::Memory | Kind::Disk), 20),
            (matches!(people.state.kind, Kind::Table | Kind::Cache), 80),
            (people.state.kind == Kind::Replicated, 140),
            // A cookie that ends, a connection, what it was told, what version it has met.
            (people.affinity.cookie().is_some(), 40),
            (self.hangs(people), 30),
            (self.ages(people) || self.evicts() || self.stops(), 60),
            (self.installs(), 40),
        ];
        let each = parts.into_iter().filter(|(applies, _)| *applies).map(|(_, bytes)| bytes).sum::<u64>();
        // Lists that grow as sessions come have up to as much room again; those of a known number do not.
        if people.initial > 0 { each } else { each * 8 / 5 }
    }

    /// The nodes as a balancer knows them.
    pub fn members(&self) -> Vec<Member> {
        let member = |(position, node): (u32, &Node)| Member {
            id: NodeId(position),
            weight: node.weight,
            name: name_key(&node.name),
            address: node.address.unwrap_or_else(|| default_address(position)),
            share: WHOLE,
        };
        (0..).zip(&self.nodes).map(member).collect()
    }

    /// By population: what binds its sessions, and whether that is its own.
    pub fn affinities(&self) -> Vec<(&Affinity, bool)> {
        self.populations.iter().map(|people| (&people.affinity, people.own_affinity)).collect()
    }

    /// Whether a population's connections hang on nodes.
    #[inline]
    pub fn hangs(&self, population: &Population) -> bool {
        match population.protocol {
            Protocol::Stream(_) => true,
            Protocol::Keepalive(_) => self.balancer.layer == Layer::L4,
            Protocol::Request(_) => false,
        }
    }

    /// Whether a population's connections may be ended for their age.
    pub fn ages(&self, population: &Population) -> bool {
        self.hangs(population) && self.nodes.iter().any(|node| node.spec.connection_max_age.is_some())
    }

    /// Whether anybody may be asked to leave a node.
    pub fn evicts(&self) -> bool {
        let scales = self.autoscaler.as_ref().is_some_and(|params| params.down.evict.is_some());
        self.rebalance.is_some() || scales || self.changes.iter().any(|change| change.kind.evicts().is_some())
    }

    /// Whether processes may be told to stop.
    pub fn stops(&self) -> bool {
        self.changes.iter().any(|change| change.kind.stops())
    }

    /// Whether a node may be told to go before balancers hear of it.
    pub fn races(&self) -> bool {
        self.propagation.is_some() && !self.changes.is_empty()
    }

    /// Whether any change installs a version.
    pub fn installs(&self) -> bool {
        self.changes.iter().any(|change| change.version.is_some())
    }

    /// Whether something binds a population's sessions to nodes.
    pub fn binds(&self, population: &Population) -> bool {
        self.hangs(population) || population.affinity.binds() || self.balancer.balance.0.binds()
    }
}
