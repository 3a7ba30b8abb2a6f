//! Which balancer? Several instances side by side, each with its own counters, tables and view.
//!
//! An instance is a place that clients are sent to; a process is one life of it. A reload begins a new process:
//! the old one keeps what it has until that ends, and neither counts what the other sends (HAProxy, NGINX and
//! Envoy all hand listening sockets over and let the old process drain).

use super::{Balancer, Spec};
use crate::base::draw::Stream;
use crate::base::id::{NodeId, PopulationId};
use crate::base::time::Instant;
use crate::cluster::balancer::affinity::Affinity;
use crate::cluster::balancer::balance::{Ask, Member};
use crate::cluster::client::person::turn;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::{Index, IndexMut};

/// A balancer process. Numbers are used again when a process has ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ProcessId(pub u16);

impl ProcessId {
    /// Marks "not routed yet" in a packed record.
    pub const NONE: ProcessId = ProcessId(u16::MAX);
}

/// How clients are spread over instances.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// A session keeps the instance that its name was resolved to, at random.
    #[default]
    Session,
    /// The same, but sessions are dealt out in turn (round-robin DNS).
    Turn,
    /// Every request, and every stream that is opened, may meet another one.
    Request,
}

/// What a process is started with.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// How balancers behave.
    pub spec: &'a Spec,
    /// The nodes.
    pub members: &'a [Member],
    /// By population: its affinity, and whether it is its own.
    pub affinities: &'a [(&'a Affinity, bool)],
    /// The seed of the run.
    pub seed: u64,
}

/// All balancer processes.
pub struct Instances {
    processes: Vec<Balancer>,
    // By instance: the process that serves, and how many there were before.
    current: Vec<(ProcessId, u32)>,
    // Numbers of old processes that nobody watches any more.
    let_go: Vec<ProcessId>,
    spread: Spread,
    // Of their members: an instance has its own draw for each session, or for each request of it.
    luck: Stream,
}

impl Instances {
    /// As many as the setting says, each in front of all of its nodes.
    pub fn new(setting: Setting) -> Instances {
        let instances = setting.spec.instances;
        Instances {
            processes: (0..instances).map(|i| start(setting, usize::from(i), 0)).collect(),
            current: (0..instances).map(|i| (ProcessId(i), 0)).collect(),
            let_go: Vec::new(),
            spread: setting.spec.spread,
            luck: Stream::new(setting.seed, "balancer instance", ""),
        }
    }

    /// How many instances there are.
    pub fn count(&self) -> usize {
        self.current.len()
    }

    /// The process that serves at an instance.
    pub fn serving(&self, instance: usize) -> ProcessId {
        self.current[instance].0
    }

    /// The instance that a process serves at, if it still serves.
    pub fn instance_of(&self, process: ProcessId) -> Option<usize> {
        self.current.iter().position(|&(current, _)| current == process)
    }

    /// The process that a session meets with its `nth` request; `own` is the instance of its population, if it has
    /// only one.
    #[inline]
    pub fn met_by(&self, who: u64, nth: u32, own: Option<u16>) -> ProcessId {
        let count = self.current.len();
        if count == 1 {
            return self.current[0].0;
        }
        if let Some(own) = own {
            return self.current[usize::from(own)].0;
        }
        let instance = match self.spread {
            Spread::Session => self.luck.at(who, 0).random_range(0..count),
            Spread::Turn => (turn(who) % count as u64) as usize,
            Spread::Request => self.luck.at(who, u64::from(nth)).random_range(0..count),
        };
        self.current[instance].0
    }

    /// Hints that somebody will be sent to `node` soon, where only one process can do that.
    #[inline]
    pub fn fetch(&self, node: NodeId) {
        if let [only] = &self.processes[..] {
            only.fetch(node);
        }
    }

    /// Tells the serving process of every instance something.
    pub fn each(&mut self, mut tell: impl FnMut(&mut Balancer)) {
        for (process, _) in &self.current {
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

    /// Whether any of them keeps newcomers away from `node` because an operator said so.
    pub fn any_keeps_away(&self, node: NodeId) -> bool {
        self.current.iter().any(|&(process, _)| self[process].keeps_away(node))
    }

    /// Whether all of them believe that `node` is alive.
    pub fn all_believe_up(&self, node: NodeId) -> bool {
        self.current.iter().all(|&(process, _)| self[process].believes_up(node))
    }

    /// `node` has served a request of `population` that came through `via`: told to `via`, and to its peers if
    /// it has any.
    pub fn served(&mut self, now: Instant, via: ProcessId, population: PopulationId, ask: &Ask, node: NodeId) {
        self[via].served(now, population, ask, node);
        if self[via].has_peers(population) {
            for instance in 0..self.count() {
                let peer = self.serving(instance);
                if peer != via {
                    self[peer].served(now, population, ask, node);
                }
            }
        }
    }

    /// Nobody watches an old process any more: when it has ended, its number is free.
    pub fn let_go(&mut self, process: ProcessId) {
        self.let_go.push(process);
    }

    /// Begins a new process at an instance; returns the one that it replaces, which keeps what it has.
    ///
    /// `has_ended` tells whether an old process has nothing left to do.
    pub fn reload(
        &mut self,
        instance: usize,
        setting: Setting,
        state_file: bool,
        has_ended: impl Fn(&Balancer, ProcessId) -> bool,
    ) -> ProcessId {
        let (old, before) = self.current[instance];
        let mut fresh = start(setting, instance, before + 1);
        fresh.inherit(&mut self[old], state_file);
        let ended = self.let_go.iter().position(|&process| has_ended(&self[process], process));
        let id = match ended {
            Some(place) => {
                let id = self.let_go.remove(place);
                self[id] = fresh;
                id
            }
            None => {
                self.processes.push(fresh);
                ProcessId(self.processes.len() as u16 - 1)
            }
        };
        assert_ne!(id, ProcessId::NONE, "the scenario has more processes than numbers");
        self.current[instance] = (id, before + 1);
        old
    }
}

/// A process begins, with draws of its own.
fn start(setting: Setting, instance: usize, before: u32) -> Balancer {
    let mut name = format!("lb{}", instance + 1);
    if before > 0 {
        name += &format!(", life {}", before + 1);
    }
    let Setting { spec, members, affinities, seed } = setting;
    Balancer::new(spec, members.to_vec(), affinities, seed, &name)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::balancer::balance::tests::member;
    use crate::cluster::client::person::visit;

    fn setting(spec: &Spec) -> Setting<'_> {
        Setting { spec, members: &[], affinities: &[], seed: 1 }
    }

    fn spec(instances: u16, spread: Spread) -> Spec {
        Spec { instances, spread, ..Spec::default() }
    }

    #[test]
    fn a_session_keeps_its_instance_unless_every_request_is_sent_anew() {
        let met = |spread, who, nth| Instances::new(setting(&spec(3, spread))).met_by(who, nth, None).0;
        let by_request = |spread| (0..100).map(|nth| met(spread, 7, nth)).collect::<Vec<_>>();
        for spread in [Spread::Session, Spread::Turn] {
            assert!(by_request(spread).iter().all(|&process| process == met(spread, 7, 0)), "{spread:?}");
        }
        let counts = [0, 1, 2].map(|id| by_request(Spread::Request).iter().filter(|&&process| process == id).count());
        assert!(counts.iter().all(|&count| count > 20), "{counts:?}");
        let counts = [0, 1, 2].map(|id| (0..300).filter(|&who| met(Spread::Session, who, 0) == id).count());
        assert!(counts.iter().all(|&count| (70..130).contains(&count)), "{counts:?}");
    }

    #[test]
    fn those_who_have_an_instance_of_their_own_meet_no_other() {
        for spread in [Spread::Session, Spread::Turn, Spread::Request] {
            let balancers = Instances::new(setting(&spec(3, spread)));
            assert!((0..20).all(|who| balancers.met_by(who, 1, Some(2)) == ProcessId(2)), "{spread:?}");
        }
    }

    #[test]
    fn turns_go_by_the_order_of_coming_and_a_client_that_comes_again_takes_the_next() {
        let balancers = Instances::new(Setting { seed: 3, ..setting(&spec(3, Spread::Turn)) });
        let met = |who| balancers.met_by(who, 0, None).0;
        assert_eq!([0, 1, 2, 3].map(met), [0, 1, 2, 0]);
        assert_eq!([(4, 0), (4, 1), (5, 0), (5, 1)].map(|(client, number)| met(visit(client, number))), [1, 2, 2, 0]);
    }

    #[test]
    fn the_number_of_a_process_is_used_again_when_it_has_ended_and_nobody_watches_it() {
        let (spec, members) = (spec(1, Spread::Session), [member(0)]);
        let setting = Setting { members: &members, ..setting(&spec) };
        let mut balancers = Instances::new(setting);
        let idle = |balancer: &Balancer, _| balancer.is_idle();
        let first = balancers.reload(0, setting, false, idle);
        let second = balancers.reload(0, setting, false, idle);
        assert_eq!([first, second, balancers.serving(0)], [0, 1, 2].map(ProcessId), "somebody watches them");
        balancers[first].sent(NodeId(0));
        balancers.let_go(first);
        balancers.let_go(second);
        balancers.reload(0, setting, false, idle);
        assert_eq!(balancers.serving(0), second, "the first has not ended");
        balancers[first].done(NodeId(0));
        balancers.reload(0, setting, false, idle);
        assert_eq!(balancers.serving(0), first);
    }
}
