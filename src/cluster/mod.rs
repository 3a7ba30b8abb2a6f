//! The cluster: one struct owns all rooms, and the rooms never call each other.
//!
//! A room returns what happened; a handler of [`Sim`] decides what follows. Every handler reads like the
//! protocol it stands for, and everything that happens leaves through the recorder.

mod ahead;
mod asking;
mod audit;
pub mod autoscaler;
pub mod balancer;
mod binding;
pub mod change;
mod check;
pub mod client;
mod connection;
pub mod door;
pub mod event;
mod exposure;
pub mod farewell;
pub mod fate;
pub mod fleet;
pub mod footprint;
mod keeping;
pub mod life;
mod nearby;
pub mod patience;
pub mod plan;
pub mod probing;
mod rebuilding;
pub mod request;
pub mod residents;
mod routing;
pub mod session;
mod sight;
mod silence;
pub mod state;
pub mod station;
pub mod store;
pub mod version;
mod visiting;
mod waiting;
pub mod warm_up;

use crate::base::id::{AttemptId, NodeId, PopulationId, SessionId};
use crate::base::time::Instant;
use crate::engine::{Event, Queue, Timer};
use crate::observe::recorder::{Recording, Setup};
use crate::observe::window::Traits;
use crate::observe::{Fact, Recorder};
use autoscaler::Autoscaler;
use balancer::instances::{Instances, ProcessId, Setting};
use balancer::view::active::Verdict;
use change::Rolling;
use check::Checker;
use client::Streams;
use client::allowance::Allowance;
use client::closed::Away;
use client::jar::Jar;
use exposure::Exposure;
use farewell::Farewells;
use fleet::Fleet;
use patience::Line;
use plan::Plan;
use probing::Probes;
use request::Attempts;
use residents::Residents;
use session::Sessions;
use sight::Said;
use silence::Notices;
use state::{Keep, Toll};
use station::{Discipline, Station};
use std::collections::{BTreeMap, VecDeque};

/// One run: a plan under one seed.
pub struct Sim<'p> {
    plan: &'p Plan,
    seed: u64,
    queue: Queue,
    recorder: Recorder,
    sessions: Sessions,
    attempts: Attempts,
    // By attempt: the nodes that have failed it, where a retry must know.
    tried: BTreeMap<AttemptId, Vec<NodeId>>,
    // Whose state is dealt with aside; entries outlive their attempts.
    asides: BTreeMap<AttemptId, SessionId>,
    // Whether attempts may have to wait in line at the balancer, and clients to be let in by any node.
    has_lines: bool,
    has_doors: bool,
    // Whether any node drops those who have waited for long.
    has_deadlines: bool,
    // Which attempts are at which node.
    at_node: Residents,
    // Which sessions' connections hang on which node.
    linked: Residents,
    // By session: the balancer process that its connection goes through.
    linked_via: Vec<ProcessId>,
    farewells: Farewells,
    fleet: Fleet,
    balancers: Instances,
    jar: Jar,
    services: Vec<Station>,
    stores: Vec<store::State>,
    // Whether anything but their number limits retries of any population.
    limits_retries: bool,
    // By population:
    allowances: Vec<Allowance>,
    streams: Vec<Streams>,
    keepers: Vec<Box<dyn Keep>>,
    keep_timers: Vec<Timer>,
    lines: Vec<Line>,
    arrived: Vec<u64>,
    away: Vec<Away>,
    binds: Vec<bool>,
    // Whether any node's memory is modelled, and whether any warms up: what is not costs no more than this look.
    weighs: bool,
    // Whether what happens to one session's state changes other books: on memory, or on copies.
    tallies: bool,
    warms: bool,
    // By instance and node:
    checks: Vec<Checker>,
    // Those of them that nodes have in hand.
    probes: Probes,
    // By node, when agents on hosts check:
    agents: Vec<Verdict>,
    // Whether balancers judge nodes by what becomes of attempts.
    judges: bool,
    // By node:
    notices: Vec<Notices>,
    watches: Vec<Timer>,
    bound_to: Vec<u32>,
    wanted: Vec<bool>,
    said: Vec<Said>,
    // Nodes that will be added when they listen.
    awaited: Vec<NodeId>,
    // Nodes that are not part of the cluster yet.
    spares: VecDeque<NodeId>,
    autoscaler: Autoscaler,
    // By change:
    rolls: Vec<Rolling>,
    // Who is on which version.
    exposure: Exposure,
    // What faults befall.
    targets: Vec<fate::Target>,
    scratch: Vec<u32>,
    toll: Toll,
    events: u64,
}

/// What a run leaves behind.
#[derive(Debug)]
pub struct Outcome {
    /// Its figures.
    pub recording: Recording,
    /// Events handled: a measure of its cost.
    pub events: u64,
}

impl<'p> Sim<'p> {
    /// A run of `plan` under `seed`, ready to begin. `keep_nodes`: whether to keep a row per node and tick.
    pub fn new(plan: &'p Plan, seed: u64, keep_nodes: bool) -> Sim<'p> {
        let people = &plan.populations;
        let binds: Vec<bool> = people.iter().map(|p| plan.binds(p)).collect();
        let setup = Sim::setup(plan, &binds, keep_nodes);
        let weighs = plan.nodes.iter().any(|node| node.spec.memory.is_some());
        let service = |spec: &state::Service| Station::new(spec.concurrency, spec.queue_max, Discipline::Fifo);
        let (members, affinities) = (plan.members(), plan.affinities());
        let setting = Setting { spec: &plan.balancer, members: &members, affinities: &affinities, seed };
        Sim {
            plan,
            seed,
            queue: Queue::new(),
            recorder: Recorder::new(setup),
            sessions: Sessions::default(),
            attempts: Attempts::default(),
            tried: BTreeMap::new(),
            asides: BTreeMap::new(),
            has_lines: plan.balancer.in_flight_max.is_some(),
            has_doors: plan.nodes.iter().any(|node| node.spec.has_door()),
            has_deadlines: plan.nodes.iter().any(|node| node.spec.has_deadline()),
            at_node: Residents::default(),
            linked: Residents::default(),
            linked_via: Vec::new(),
            farewells: Farewells::new(plan),
            fleet: Fleet::new(&plan.nodes),
            balancers: Instances::new(setting),
            jar: Jar::default(),
            services: plan.services.iter().map(service).collect(),
            stores: plan.services.iter().map(|service| store::State::new(service.rules.as_deref())).collect(),
            limits_retries: people.iter().any(|p| p.retry_limit().is_some()),
            allowances: people.iter().map(|_| Allowance::default()).collect(),
            streams: people.iter().map(|p| Streams::new(seed, &p.name)).collect(),
            keepers: people.iter().map(|p| p.state.keeper(seed, &p.name)).collect(),
            keep_timers: vec![Timer::new(); people.len()],
            toll: Toll::default(),
            lines: people.iter().flat_map(Line::pair).collect(),
            arrived: vec![0; people.len()],
            away: people.iter().map(|_| Away::default()).collect(),
            binds,
            tallies: weighs || people.iter().any(|p| p.state.replicas.is_some()),
            weighs,
            warms: plan.nodes.iter().any(|node| node.spec.warm_up.is_some())
                || plan.versions.iter().any(|version| version.differs.slowdown != 1.0),
            checks: vec![Checker::default(); plan.nodes.len() * usize::from(plan.balancer.instances)],
            probes: Probes::default(),
            agents: Sim::agents(plan),
            judges: plan.balancer.passive.0.watches(),
            notices: plan.nodes.iter().map(|_| Notices::default()).collect(),
            watches: vec![Timer::new(); plan.nodes.len()],
            bound_to: vec![0; plan.nodes.len()],
            wanted: (0..plan.nodes.len()).map(|i| i < plan.desired()).collect(),
            said: vec![Said::default(); plan.nodes.len()],
            awaited: Vec::new(),
            spares: (plan.desired()..plan.nodes.len()).map(|i| NodeId(i as u32)).collect(),
            autoscaler: Autoscaler::default(),
            rolls: plan.changes.iter().map(|_| Rolling::default()).collect(),
            exposure: Exposure::new(plan),
            targets: fate::targets(plan),
            scratch: Vec::new(),
            events: 0,
        }
    }

    /// What the recorder must know; `binds` says of each population whether anything binds it.
    fn setup(plan: &Plan, binds: &[bool], keep_nodes: bool) -> Setup {
        let people = &plan.populations;
        let traits = |(&binds, p): (&bool, &client::Population)| {
            let visits = p.state.rebuild_at.is_some();
            let (stateful, copies, stores) = (p.state.is_stateful(), p.state.has_copies(), p.state.store.is_some());
            let (replicas, near) = (p.state.replicas.is_some(), p.state.is_near());
            let (ages, evicts) = (plan.ages(p), plan.evicts());
            let (races, installs) = (plan.races(), plan.installs());
            Traits {
                installs,
                binds,
                stateful,
                visits,
                splits: p.splits(),
                copies,
                stores,
                replicas,
                near,
                ages,
                evicts,
                races,
            }
        };
        Setup {
            warmup: plan.warmup,
            end: plan.end,
            tick: plan.tick,
            populations: binds.iter().zip(people).map(traits).collect(),
            nodes: plan.nodes.iter().map(plan::Node::known).collect(),
            rebuilders: plan.services[..plan.rebuilders()].iter().map(state::Service::slots).collect(),
            stores: plan.services[plan.rebuilders()..].iter().map(state::Service::slots).collect(),
            tariff: plan.tariff(),
            has_lines: plan.balancer.in_flight_max.is_some(),
            judged: plan.judged(),
            times_versions: plan.changes.iter().any(|change| change.rollback.as_ref().is_some_and(|c| c.p99.is_some())),
            limits_stores: plan.limits_stores(),
            has_stores: plan.services.iter().any(|service| service.rules.is_some()),
            limits: plan.limits,
            hold: plan.hold,
            keep_nodes,
        }
    }

    /// The same run with a trace of what happened to whom.
    pub fn traced(mut self) -> Sim<'p> {
        self.recorder.trace.keep();
        self
    }

    /// Runs to the end. `stop` is asked once a tick; when it says yes there is no outcome.
    pub fn run(mut self, stop: impl Fn() -> bool) -> Option<Outcome> {
        self.begin();
        while let Some((now, event)) = self.next_event() {
            self.events += 1;
            if event.kind() == event::TICK {
                self.recorder.close_tick(now);
                if now >= self.plan.end {
                    break;
                }
                if stop() {
                    return None;
                }
                self.queue.at(now + self.plan.tick, event::tick());
            } else {
                self.handle(now, event);
            }
        }
        debug_assert_eq!(self.disagreement(), None);
        Some(Outcome { recording: self.recorder.finish(), events: self.events })
    }

    /// The state at time zero.
    fn begin(&mut self) {
        for node in (0..self.plan.desired() as u32).map(NodeId) {
            self.begin_running(node);
            self.begin_checks(Instant::START, node);
        }
        for node in self.spares.iter().copied() {
            self.balancers.each(|balancer| balancer.hold_back(node));
            self.recorder.note(Instant::START, Fact::Wanted { node, wanted: false });
        }
        for instance in 0..self.balancers.count() {
            self.await_view(Instant::START, self.balancers.serving(instance));
        }
        for (index, change) in self.plan.changes.iter().enumerate() {
            self.queue.at(change.at, event::change(index));
        }
        self.await_faults();
        self.begin_rebalancing();
        self.begin_autoscaling();
        let initial = self.plan.populations.iter().map(|people| people.initial).sum::<u64>() as usize;
        self.sessions.expect(initial);
        self.keepers.iter_mut().for_each(|keeper| keeper.expect(initial));
        for population in (0..self.plan.populations.len() as u16).map(PopulationId) {
            self.install_initial(population);
            self.begin_closed(population);
            self.await_arrival(Instant::START, population);
        }
        self.queue.at(Instant::START + self.plan.tick, event::tick());
    }

    #[inline]
    fn handle(&mut self, now: Instant, event: Event) {
        let index = event.index();
        match event.kind() {
            event::WORK => self.on_work(now, NodeId(index)),
            event::SESSION => self.on_session(now, SessionId(index)),
            event::SERVICE => self.on_service(now, index as usize),
            event::ARRIVAL if index & event::VISIT != 0 => self.on_visit(now, PopulationId(index as u16)),
            event::ARRIVAL => self.arrive(now, PopulationId(index as u16)),
            event::TIMEOUT => self.on_timeout(now, index as usize),
            event::NODE => self.on_node(now, NodeId(index)),
            event::RESUME if index & event::FAREWELL != 0 => self.on_farewell(now, SessionId(index & !event::FAREWELL)),
            event::RESUME => self.on_resume(now, SessionId(index)),
            event::ATTEMPT => self.on_attempt(now, AttemptId(index)),
            event::ACCEPT => self.on_accept(now, NodeId(index)),
            event::PROBE => self.on_check(now, index as usize),
            event::FAULT if index & event::LIFE != 0 => self.on_life(now, NodeId(index & !event::LIFE)),
            event::FAULT => self.on_fault(now, index as usize / 2, index % 2 == 1),
            event::VIEW => self.on_view(now, ProcessId(index as u16)),
            event::CHANGE if index == event::AUTOSCALE => self.on_autoscale(now),
            event::CHANGE if index & event::REBALANCE != 0 => self.on_rebalance(now),
            event::CHANGE if index & event::EVICT != 0 => self.on_turn(now, NodeId(index & !event::EVICT)),
            event::CHANGE => self.on_change(now, index as usize),
            event::STORE => self.on_store(now, index),
            event::KEEP => self.on_keep(now, PopulationId(index as u16)),
            kind => unreachable!("an event of kind {kind}"),
        }
        if self.has_lines {
            self.serve_lines(now);
        }
    }
}
