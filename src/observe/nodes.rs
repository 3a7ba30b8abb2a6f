//! The books of the nodes: what each is and carries, and how evenly.

use super::gauge::Gauge;
use super::histogram::{Quantiles, ResponseTimes};
use super::imbalance::{LOADS, Load, Spread, gini, imbalance};
use super::lines::LineBooks;
use super::means::Means;
use super::recorder::Setup;
use super::services::{ServiceBooks, VisitTimes};
use super::window::ClusterFigures;
use crate::base::id::NodeId;
use crate::base::prefetch::prefetch_all;
use crate::base::time::{Duration, Instant};
use std::ops::AddAssign;

/// What a node is: the truth, not a balancer's view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It has no process.
    Down,
    /// Its process does not listen yet.
    Starting,
    /// It serves, and is slower than it will be.
    Warming,
    /// It serves.
    Ready,
    /// It serves those that it has, and takes nobody new.
    Draining,
}

impl State {
    /// Its name in `nodes.csv`.
    pub const fn name(self) -> &'static str {
        match self {
            State::Down => "down",
            State::Starting => "starting",
            State::Warming => "warming",
            State::Ready => "ready",
            State::Draining => "draining",
        }
    }
}

/// What one node did within one tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeTick {
    /// Beginning of the tick.
    pub from: Instant,
    /// The node's index.
    pub node: u32,
    /// What it was at the end.
    pub state: State,
    /// Sessions bound to it, time average.
    pub sessions: f64,
    /// Connections that hang on it, time average.
    pub connections: f64,
    /// Attempts at it, time average.
    pub in_flight: f64,
    /// Share of its slots that were busy.
    pub utilisation: f64,
    /// Memory of its process, time average; `None` where none is modelled (bytes).
    pub memory: Option<f64>,
}

/// What the books must know of a node.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its slots.
    pub slots: u32,
    /// Weight × speed: what a fair load is proportional to.
    pub share: f64,
    /// Whether its memory is modelled.
    pub weighs: bool,
    /// The memory that it may take (bytes).
    pub memory_max: Option<u64>,
}

/// Where a process is in its life.
#[derive(Clone, Copy, Debug)]
enum Process {
    None,
    Starting,
    // Warm from then on.
    Listening(Instant),
}

#[derive(Debug)]
struct NodeGauges {
    known: Known,
    process: Process,
    drains: bool,
    // Whether it belongs to the cluster.
    wanted: bool,
    loads: [Gauge; LOADS],
    // How long its slots were busy in the ticks that are over, summed (ns).
    busy: u128,
    run: Carried,
    incident: Carried,
}

impl NodeGauges {
    fn is_ready(&self) -> bool {
        matches!(self.process, Process::Listening(_)) && !self.drains
    }

    /// Whether it costs anything: it belongs to the cluster, up or not, or still runs though it does not.
    fn is_paid(&self) -> bool {
        self.wanted || !matches!(self.process, Process::None)
    }

    /// What it was in the tick that ends now.
    fn state(&self, now: Instant) -> State {
        match self.process {
            Process::None => State::Down,
            Process::Starting => State::Starting,
            Process::Listening(_) if self.drains => State::Draining,
            // A tick does not own its last instant.
            Process::Listening(warm) if now <= warm => State::Warming,
            Process::Listening(_) => State::Ready,
        }
    }
}

/// What a node carried in the ticks at whose end it was ready.
#[derive(Clone, Copy, Debug, Default)]
struct Carried {
    // Integrals per unit of share, and over how long (ns).
    loads: [f64; LOADS],
    time: f64,
}

impl Carried {
    fn add(&mut self, averages: &[f64; LOADS], share: f64, span: f64) {
        self.time += span;
        self.loads.iter_mut().zip(averages).for_each(|(sum, average)| *sum += average / share * span);
    }
}

/// How often faults struck.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Failures {
    /// Nodes: one for each that a fault hit.
    pub nodes: u64,
    /// Stores; `None` where none can fail.
    pub stores: Option<u64>,
}

impl Failures {
    /// A fault strikes a store.
    pub fn store(&mut self) {
        self.stores = self.stores.map(|stores| stores + 1);
    }

    /// Those of the tick that ends.
    fn turn(&mut self) -> Failures {
        std::mem::replace(self, Failures { nodes: 0, stores: self.stores.map(|_| 0) })
    }
}

impl AddAssign for Failures {
    fn add_assign(&mut self, other: Failures) {
        self.nodes += other.nodes;
        self.stores = other.stores.map(|stores| self.stores.unwrap_or(0) + stores);
    }
}

/// The books of all nodes.
#[derive(Debug)]
pub struct NodeBooks {
    nodes: Vec<NodeGauges>,
    // Nodes that belong to the cluster, and nodes that are paid for.
    desired: Gauge,
    paid: Gauge,
    // The same while processes of more than one version run, and 0 while not.
    mixed: Gauge,
    is_mixed: bool,
    // Whether sessions are bound to nodes at all, and whether memory is modelled.
    binds: bool,
    weighs: bool,
    // Ready and warming nodes.
    ready: Gauge,
    ready_min: i64,
    /// What waits at the balancers.
    pub lines: LineBooks,
    /// What stands beside the nodes and makes their sessions' state anew.
    pub rebuilders: ServiceBooks,
    /// How long they take; `None` where there are none.
    pub rebuild_times: Option<Box<VisitTimes>>,
    /// What stands beside the nodes and keeps their sessions' state.
    pub stores: ServiceBooks,
    /// How long they take; `None` where there are none.
    pub store_times: Option<Box<VisitTimes>>,
    /// Bytes in the stores whose memory is limited, if there are any.
    pub store_memory: Option<Gauge>,
    // Within the tick.
    restarts: u64,
    oom_kills: u64,
    // Decisions to have more nodes, and fewer.
    scalings: [u64; 2],
    /// What faults have struck.
    pub failures: Failures,
    run: Means,
    incident: Means,
    /// Peak-to-mean per tick of what is even when all is well: bound sessions, or busy time where nothing
    /// binds.
    pub peak_to_mean: Vec<(Instant, Instant, f64)>,
    /// A row per tick and node, when kept.
    pub kept: Option<Vec<NodeTick>>,
}

impl NodeBooks {
    /// Books for nodes, none of which has a process, and for what stands beside them.
    pub fn new(setup: &Setup) -> NodeBooks {
        let gauges = |&known: &Known| NodeGauges {
            known,
            process: Process::None,
            drains: false,
            wanted: true,
            loads: [Gauge::default(); LOADS],
            busy: 0,
            run: Carried::default(),
            incident: Carried::default(),
        };
        let nodes = &setup.nodes;
        let mut paid = Gauge::default();
        paid.change(nodes.len() as i64, setup.tick);
        let times = |services: &[Option<u32>]| (!services.is_empty()).then(Box::default);
        NodeBooks {
            nodes: nodes.iter().map(gauges).collect(),
            desired: paid,
            paid,
            mixed: Gauge::default(),
            is_mixed: false,
            binds: setup.populations.iter().any(|traits| traits.binds),
            weighs: nodes.iter().any(|node| node.weighs),
            ready: Gauge::default(),
            ready_min: i64::MAX,
            lines: LineBooks::new(setup.has_lines),
            rebuilders: ServiceBooks::new(&setup.rebuilders),
            rebuild_times: times(&setup.rebuilders),
            stores: ServiceBooks::new(&setup.stores),
            store_times: times(&setup.stores),
            store_memory: setup.limits_stores.then(Gauge::default),
            restarts: 0,
            oom_kills: 0,
            scalings: [0; 2],
            failures: Failures { nodes: 0, stores: setup.has_stores.then_some(0) },
            run: Means::default(),
            incident: Means::default(),
            peak_to_mean: Vec::new(),
            kept: setup.keep_nodes.then(Vec::new),
        }
    }

    /// Hints that the loads of a node that every request changes will be needed soon.
    #[inline]
    pub fn fetch(&self, node: NodeId) {
        if let Some(node) = self.nodes.get(node.index()) {
            prefetch_all(&node.loads[Load::InFlight as usize]);
            prefetch_all(&node.loads[Load::Busy as usize]);
        }
    }

    /// A node's load changes by `by`.
    #[inline]
    pub fn change(&mut self, node: NodeId, load: Load, by: i64, left: Duration) {
        self.nodes[node.index()].loads[load as usize].change(by, left);
    }

    /// A node's load is `value` from now on.
    #[inline]
    pub fn set(&mut self, node: NodeId, load: Load, value: i64, left: Duration) {
        let gauge = &mut self.nodes[node.index()].loads[load as usize];
        if gauge.value != value {
            gauge.change(value - gauge.value, left);
        }
    }

    /// A node's process is started.
    pub fn start(&mut self, node: NodeId, again: bool, left: Duration) {
        self.restarts += u64::from(again);
        self.alter(node, left, |node| node.process = Process::Starting);
    }

    /// A node's process listens, and is warm at `warm`.
    pub fn listen(&mut self, node: NodeId, warm: Instant, left: Duration) {
        self.alter(node, left, |node| node.process = Process::Listening(warm));
    }

    /// A node's process ends.
    pub fn stop(&mut self, node: NodeId, left: Duration) {
        self.alter(node, left, |node| node.process = Process::None);
    }

    /// A node is told to take nobody new, or no longer.
    pub fn set_drains(&mut self, node: NodeId, drains: bool, left: Duration) {
        self.alter(node, left, |node| node.drains = drains);
    }

    /// A node belongs to the cluster from now on, or no longer.
    pub fn set_wanted(&mut self, node: NodeId, wanted: bool, left: Duration) {
        let was = self.nodes[node.index()].wanted;
        self.desired.change(i64::from(wanted) - i64::from(was), left);
        self.alter(node, left, |node| node.wanted = wanted);
    }

    /// Somebody has decided that there should be more nodes, or fewer.
    pub fn count_scaling(&mut self, out: bool) {
        let [outs, ins] = &mut self.scalings;
        *(if out { outs } else { ins }) += 1;
    }

    /// How long the slots of a node have been busy so far, summed over its slots, with `left` of the tick to go (ns).
    pub fn busy_so_far(&self, node: NodeId, left: Duration) -> u128 {
        let node = &self.nodes[node.index()];
        node.busy + node.loads[Load::Busy as usize].so_far(left)
    }

    /// A process is killed for its memory.
    pub fn count_oom_kill(&mut self) {
        self.oom_kills += 1;
    }

    /// Stores whose memory is limited hold so many bytes from now on.
    pub fn set_store_memory(&mut self, bytes: u64, left: Duration) {
        if let Some(gauge) = &mut self.store_memory {
            gauge.change(i64::try_from(bytes).unwrap_or(i64::MAX) - gauge.value, left);
        }
    }

    fn alter(&mut self, node: NodeId, left: Duration, alter: impl FnOnce(&mut NodeGauges)) {
        let node = &mut self.nodes[node.index()];
        let (was_ready, was_paid) = (node.is_ready(), node.is_paid());
        alter(node);
        let (is_ready, is_paid) = (node.is_ready(), node.is_paid());
        self.paid.change(i64::from(is_paid) - i64::from(was_paid), left);
        self.mixed.change(if self.is_mixed { self.paid.value - self.mixed.value } else { 0 }, left);
        self.ready.change(i64::from(is_ready) - i64::from(was_ready), left);
        if was_ready {
            self.ready_min = self.ready_min.min(self.ready.value);
        }
    }

    /// An incident begins.
    pub fn begin_incident(&mut self) {
        self.incident = Means::default();
        for times in [&mut self.rebuild_times, &mut self.store_times].into_iter().flatten() {
            times.incident.clear();
        }
        self.nodes.iter_mut().for_each(|node| node.incident = Carried::default());
    }

    /// Processes of more than one version run from now on, or no longer.
    pub fn set_mixed(&mut self, is_mixed: bool, left: Duration) {
        self.is_mixed = is_mixed;
        let target = if is_mixed { self.paid.value } else { 0 };
        self.mixed.change(target - self.mixed.value, left);
    }

    /// Closes the tick that began at `from` for every node, and measures how even the load was.
    pub fn turn(&mut self, from: Instant, now: Instant, warmup: Instant) -> ClusterFigures {
        let length = now.since(from);
        let span = length.as_nanos() as f64;
        let mut loads: [Vec<f64>; LOADS] = Default::default();
        let (mut utilisations, mut memory_ratio_max) = (Vec::new(), None);
        for (index, node) in self.nodes.iter_mut().enumerate() {
            let areas = node.loads.each_mut().map(|load| load.turn(length));
            node.busy += areas[Load::Busy as usize] as u128;
            let averages = areas.map(|area| area as f64 / span);
            let Known { slots, share, weighs, memory_max } = node.known;
            let utilisation = averages[Load::Busy as usize] / f64::from(slots);
            let memory = averages[Load::Memory as usize];
            if let Some(kept) = &mut self.kept {
                let [sessions, connections, in_flight, ..] = averages;
                let (node, state, memory) = (index as u32, node.state(now), weighs.then_some(memory));
                kept.push(NodeTick { from, node, state, sessions, connections, in_flight, utilisation, memory });
            }
            if !node.is_ready() {
                continue;
            }
            utilisations.push(utilisation);
            let ratio = memory_max.map(|max| memory / max as f64);
            memory_ratio_max = [memory_ratio_max, ratio].into_iter().flatten().reduce(f64::max);
            loads.iter_mut().zip(averages).for_each(|(load, average)| load.push(average / share));
            node.incident.add(&averages, share, span);
            if from >= warmup {
                node.run.add(&averages, share, span);
            }
        }
        let spreads = self.spreads(&loads);
        let figures = ClusterFigures {
            ready_mean: self.ready.turn(length) as f64 / span,
            ready_min: self.ready_min.min(self.ready.value) as f64,
            utilisation_mean: mean(&utilisations),
            utilisation_max: utilisations.iter().copied().reduce(f64::max),
            memory_ratio_max,
            restarts: std::mem::take(&mut self.restarts),
            oom_kills: self.weighs.then_some(std::mem::take(&mut self.oom_kills)),
            failures: self.failures.turn(),
            wanted_mean: self.desired.turn(length) as f64 / span,
            scalings: std::mem::take(&mut self.scalings),
            spreads,
            lines: self.lines.turn(length),
            rebuilders: self.rebuilders.turn(length),
            rebuild_times: turn_times(&mut self.rebuild_times, from >= warmup),
            stores: self.stores.turn(length),
            store_times: turn_times(&mut self.store_times, from >= warmup),
            node_time: self.paid.turn(length) as u128,
            mixed_time: self.mixed.turn(length) as u128,
            store_memory: self.store_memory.as_mut().map(|gauge| gauge.turn(length) as f64 / span),
        };
        self.ready_min = self.ready.value;
        if from >= warmup {
            self.run.add(&figures);
        }
        self.incident.add(&figures);
        let even = spreads[if self.binds { Load::Sessions } else { Load::Busy } as usize];
        self.peak_to_mean.extend(even.mean.map(|measured| (from, now, measured.peak_to_mean)));
        figures
    }

    fn spreads(&self, loads: &[Vec<f64>; LOADS]) -> [Spread; LOADS] {
        let mut spreads = loads.each_ref().map(|load| {
            let mean = imbalance(load, self.desired.value as usize);
            Spread { mean, peak_to_fair_max: mean.map(|m| m.peak_to_fair), gini: None }
        });
        if !self.binds {
            spreads[Load::Sessions as usize] = Spread::default();
        }
        spreads
    }

    /// What the cluster did since the warm-up; `None` when no tick has ended since.
    pub fn run_figures(&self) -> Option<ClusterFigures> {
        self.run.figures(self.ginis(|node| &node.run), self.times(|times| &times.run))
    }

    /// What the cluster did since the incident under way began.
    pub fn incident_figures(&self) -> Option<ClusterFigures> {
        self.incident.figures(self.ginis(|node| &node.incident), self.times(|times| &times.incident))
    }

    /// Quantiles of a longer window, of rebuild services and of stores.
    fn times(&self, of: fn(&VisitTimes) -> &ResponseTimes) -> [Option<Quantiles>; 2] {
        [&self.rebuild_times, &self.store_times].map(|times| of(times.as_ref()?).quantiles())
    }

    /// Gini coefficients of the averages of the nodes that were ready in some tick.
    fn ginis(&self, carried: fn(&NodeGauges) -> &Carried) -> [Option<f64>; LOADS] {
        std::array::from_fn(|load| {
            let ready = self.nodes.iter().map(carried).filter(|carried| carried.time > 0.0);
            gini(ready.map(|carried| carried.loads[load] / carried.time).collect())
        })
    }
}

fn turn_times(times: &mut Option<Box<VisitTimes>>, is_of_run: bool) -> Option<Quantiles> {
    times.as_mut()?.turn(is_of_run)
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
