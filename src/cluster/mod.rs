//! The cluster: one struct owns all rooms, and the rooms never call each other.
//!
//! A room returns what happened; a handler of [`Sim`] decides what follows. Every handler reads like the
//! protocol it stands for, and everything that happens leaves through the recorder.

pub mod balancer;
pub mod client;
pub mod event;
pub mod fate;
pub mod fleet;
pub mod patience;
pub mod plan;
pub mod request;
pub mod residents;
pub mod session;
pub mod state;
pub mod station;

use crate::base::draw::Stream;
use crate::base::id::{AttemptId, NodeId, PopulationId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::engine::{Event, Queue};
use crate::observe::recorder::{Recording, Setup};
use crate::observe::{Fact, Recorder};
use balancer::Balancer;
use client::{Streams, arrival_gap};
use fleet::Fleet;
use patience::Line;
use plan::Plan;
use rand::RngExt;
use request::Attempts;
use residents::Residents;
use session::Sessions;
use state::Keep;
use station::{Discipline, Station};

/// One run: a plan under one seed.
pub struct Sim<'p> {
    plan: &'p Plan,
    seed: u64,
    queue: Queue,
    recorder: Recorder,
    sessions: Sessions,
    attempts: Attempts,
    // Which attempts are at which node.
    at_node: Residents,
    fleet: Fleet,
    balancer: Balancer,
    stores: Vec<Station>,
    // By population:
    streams: Vec<Streams>,
    keepers: Vec<Box<dyn Keep>>,
    lines: Vec<Line>,
    arrived: Vec<u64>,
    binds: Vec<bool>,
    // By fault:
    victims_of: Vec<Vec<NodeId>>,
    scratch: Vec<u32>,
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
        let flags = binds.iter().zip(people).map(|(&binds, p)| (binds, p.state.is_stateful()));
        let setup = Setup {
            warmup: plan.warmup,
            end: plan.end,
            tick: plan.tick,
            populations: flags.collect(),
            nodes: plan.nodes.iter().map(|_| (plan.node.concurrency, 1.0)).collect(),
            limits: plan.limits,
            hold: plan.hold,
            keep_nodes,
        };
        let store = |spec: &state::StoreSpec| Station::new(spec.concurrency, spec.queue_max, Discipline::Fifo);
        Sim {
            plan,
            seed,
            queue: Queue::new(),
            recorder: Recorder::new(setup),
            sessions: Sessions::default(),
            attempts: Attempts::default(),
            at_node: Residents::default(),
            fleet: Fleet::new(&plan.node, plan.nodes.len()),
            balancer: Balancer::new(&plan.balancer, &plan.nodes, seed, "lb1"),
            stores: plan.stores.iter().map(store).collect(),
            streams: people.iter().map(|p| Streams::new(seed, &p.name)).collect(),
            keepers: people.iter().map(|p| p.state.keeper()).collect(),
            lines: people.iter().map(|_| Line::default()).collect(),
            arrived: vec![0; people.len()],
            binds,
            victims_of: vec![Vec::new(); plan.faults.len()],
            scratch: Vec::new(),
            events: 0,
        }
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
        Some(Outcome { recording: self.recorder.finish(), events: self.events })
    }

    /// Takes the next event; the records of sessions that are soon to act are fetched ahead.
    #[inline]
    fn next_event(&mut self) -> Option<(Instant, Event)> {
        let sessions = &self.sessions;
        self.queue.pop_hinting(|soon| {
            if soon.kind() == event::SESSION {
                sessions.fetch(SessionId(soon.index()));
            }
        })
    }

    /// The state at time zero.
    fn begin(&mut self) {
        for node in (0..self.plan.nodes.len() as u32).map(NodeId) {
            self.come_up(Instant::START, node);
            self.queue.at(self.first_check(node), event::probe(node));
        }
        for (index, fault) in self.plan.faults.iter().enumerate() {
            self.queue.at(fault.at, event::fault(index, false));
        }
        for (index, people) in self.plan.populations.iter().enumerate() {
            let population = PopulationId(index as u16);
            self.install_initial(population);
            if people.rate > 0.0 {
                let first = Instant::START + arrival_gap(people.rate, &self.streams[index], 0);
                self.queue.at(first, event::arrival(population));
            }
        }
        self.queue.at(Instant::START + self.plan.tick, event::tick());
    }

    /// Health checks of a node begin at a random point of the interval, as products spread them.
    fn first_check(&self, node: NodeId) -> Instant {
        let interval = self.plan.balancer.health.interval.as_nanos();
        let phase = Stream::new(self.seed, "check phase", "lb1").at(u64::from(node.0), 0).random_range(0..interval);
        Instant::START + Duration::from_nanos(phase)
    }

    #[inline]
    fn handle(&mut self, now: Instant, event: Event) {
        let index = event.index();
        match event.kind() {
            event::WORK => self.on_work(now, NodeId(index)),
            event::SESSION => self.on_session(now, SessionId(index)),
            event::STORE => self.on_store(now, index as usize),
            event::ARRIVAL => self.arrive(now, PopulationId(index as u16)),
            event::TIMEOUT => self.on_timeout(now, PopulationId(index as u16)),
            event::ATTEMPT => self.on_attempt(now, AttemptId(index)),
            event::ACCEPT => self.on_accept(now, NodeId(index)),
            event::PROBE => self.on_check(now, NodeId(index)),
            event::FAULT => self.on_fault(now, index as usize),
            kind => unreachable!("an event of kind {kind}"),
        }
    }

    /// The balancer checks a node.
    fn on_check(&mut self, now: Instant, node: NodeId) {
        let good = self.fleet.is_up(node);
        let next = self.balancer.checked(node, good);
        self.queue.at(now + next, event::probe(node));
    }

    fn on_fault(&mut self, now: Instant, index: usize) {
        let (fault, ends) = (index / 2, index % 2 == 1);
        if ends {
            self.end_fault(now, fault);
        } else {
            let cleared = self.plan.faults[fault].kind.lasts().map_or(now, |lasts| now + lasts);
            self.recorder.note(now, Fact::Incident { index: fault as u16, cleared });
            self.begin_fault(now, fault);
        }
    }
}
