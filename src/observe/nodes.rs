//! The books of the nodes: what each carries, and how evenly.

use super::gauge::Gauge;
use super::imbalance::{gini, imbalance};
use super::means::Means;
use super::rebuilders::RebuilderBooks;
use super::window::{ClusterFigures, Spread};
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};

/// What one node did within one tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeTick {
    /// Beginning of the tick.
    pub from: Instant,
    /// The node's index.
    pub node: u32,
    /// Whether it was ready at the end.
    pub ready: bool,
    /// Sessions bound to it, time average.
    pub sessions: f64,
    /// Connections that hang on it, time average.
    pub connections: f64,
    /// Attempts at it, time average.
    pub in_flight: f64,
    /// Share of its slots that were busy.
    pub utilisation: f64,
}

/// What a node carries, in the order of the arrays below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Load {
    /// Sessions bound to it.
    Sessions,
    /// Connections that hang on it.
    Connections,
    /// Attempts at it.
    InFlight,
    /// Slots that are busy.
    Busy,
}

const LOADS: usize = 4;

#[derive(Debug)]
struct NodeGauges {
    slots: u32,
    // Weight × speed: what a fair load is proportional to.
    share: f64,
    ready: bool,
    loads: [Gauge; LOADS],
    // Integrals since the warm-up while ready, per unit of share, and for how long (ns).
    since_warmup: [f64; LOADS],
    ready_time: f64,
}

/// The books of all nodes.
#[derive(Debug)]
pub struct NodeBooks {
    nodes: Vec<NodeGauges>,
    /// Nodes that belong to the cluster.
    pub desired: usize,
    // Whether sessions are bound to nodes at all.
    binds: bool,
    ready: Gauge,
    ready_min: i64,
    /// What stands beside the nodes and makes their sessions' state anew.
    pub rebuilders: RebuilderBooks,
    /// Means since the warm-up.
    pub run: Means,
    /// Means since the incident under way began.
    pub incident: Means,
    /// Peak-to-mean per tick of what is even when all is well: bound sessions, or busy time where nothing
    /// binds.
    pub peak_to_mean: Vec<(Instant, Instant, f64)>,
    /// A row per tick and node, when kept.
    pub kept: Option<Vec<NodeTick>>,
}

impl NodeBooks {
    /// Books for nodes with these slots and shares, and for rebuild services with these slots.
    pub fn new(nodes: &[(u32, f64)], rebuilders: &[u32], binds: bool, keep: bool) -> NodeBooks {
        let gauges = |&(slots, share): &(u32, f64)| NodeGauges {
            slots,
            share,
            ready: false,
            loads: [Gauge::default(); LOADS],
            since_warmup: [0.0; LOADS],
            ready_time: 0.0,
        };
        NodeBooks {
            nodes: nodes.iter().map(gauges).collect(),
            desired: nodes.len(),
            binds,
            ready: Gauge::default(),
            ready_min: i64::MAX,
            rebuilders: RebuilderBooks::new(rebuilders),
            run: Means::default(),
            incident: Means::default(),
            peak_to_mean: Vec::new(),
            kept: keep.then(Vec::new),
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
        gauge.change(value - gauge.value, left);
    }

    /// A node begins or stops serving.
    pub fn set_ready(&mut self, node: NodeId, ready: bool, left: Duration) {
        self.nodes[node.index()].ready = ready;
        self.ready.change(if ready { 1 } else { -1 }, left);
        if !ready {
            self.ready_min = self.ready_min.min(self.ready.value);
        }
    }

    /// Closes the tick that began at `from` for every node, and measures how even the load was.
    pub fn turn(&mut self, from: Instant, now: Instant, warmup: Instant) -> ClusterFigures {
        let length = now.since(from);
        let span = length.as_nanos() as f64;
        let mut loads: [Vec<f64>; LOADS] = Default::default();
        let mut utilisations = Vec::new();
        for (index, node) in self.nodes.iter_mut().enumerate() {
            let averages = node.loads.each_mut().map(|load| load.turn(length) as f64 / span);
            let utilisation = averages[Load::Busy as usize] / f64::from(node.slots);
            if let Some(kept) = &mut self.kept {
                let [sessions, connections, in_flight, _] = averages;
                let (node, ready) = (index as u32, node.ready);
                kept.push(NodeTick { from, node, ready, sessions, connections, in_flight, utilisation });
            }
            if !node.ready {
                continue;
            }
            utilisations.push(utilisation);
            loads.iter_mut().zip(averages).for_each(|(load, average)| load.push(average / node.share));
            if from >= warmup {
                node.ready_time += span;
                for (sum, average) in node.since_warmup.iter_mut().zip(averages) {
                    *sum += average / node.share * span;
                }
            }
        }
        let figures = self.figures(span, length, &loads, &utilisations);
        self.ready_min = self.ready.value;
        if from >= warmup {
            self.run.add(&figures);
        }
        self.incident.add(&figures);
        let even = if self.binds { figures.sessions } else { figures.busy };
        self.peak_to_mean.extend(even.mean.map(|measured| (from, now, measured.peak_to_mean)));
        figures
    }

    fn figures(
        &mut self,
        span: f64,
        length: Duration,
        loads: &[Vec<f64>; LOADS],
        utilisations: &[f64],
    ) -> ClusterFigures {
        let desired = self.desired;
        let spread = |load: Load| {
            let mean = imbalance(&loads[load as usize], desired);
            Spread { mean, peak_to_fair_max: mean.map(|m| m.peak_to_fair), gini: None }
        };
        ClusterFigures {
            ready_mean: self.ready.turn(length) as f64 / span,
            ready_min: self.ready_min.min(self.ready.value) as f64,
            utilisation_mean: mean(utilisations),
            utilisation_max: utilisations.iter().copied().reduce(f64::max),
            sessions: if self.binds { spread(Load::Sessions) } else { Spread::default() },
            connections: spread(Load::Connections),
            in_flight: spread(Load::InFlight),
            busy: spread(Load::Busy),
            rebuilders: self.rebuilders.turn(length),
        }
    }

    /// Gini coefficients of the nodes' averages since the warm-up.
    pub fn ginis(&self) -> [Option<f64>; LOADS] {
        std::array::from_fn(|load| {
            let ready = self.nodes.iter().filter(|node| node.ready_time > 0.0);
            gini(ready.map(|node| node.since_warmup[load] / node.ready_time).collect())
        })
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
