//! What an observer of a run would have written down: connections, answers and verdicts, by the clock of the
//! measurement, which starts at the fault.

use std::collections::BTreeMap;
use stickysim::base::id::NodeId;
use stickysim::cluster::Sim;
use stickysim::cluster::plan::Plan;
use stickysim::observe::trace::{Happening, Trace, Who};

/// A run and its clock. All times are seconds after `zero`.
pub struct Observed<'p> {
    plan: &'p Plan,
    trace: Trace,
    zero: f64,
    /// Until when the run was watched.
    pub end: f64,
}

/// A request that is over.
#[derive(Clone, Copy)]
pub struct Asked {
    /// When it was intended.
    pub at: f64,
    /// How long it took.
    pub took: f64,
    /// Its session.
    pub who: Who,
    /// The node that its session was bound to.
    pub bound: Option<NodeId>,
    /// The node that answered; none when it failed.
    pub by: Option<NodeId>,
}

/// A connection: since when it hung on which node, until when.
#[derive(Clone, Copy)]
pub struct Connection {
    /// Whose it was.
    pub who: Who,
    /// Where it hung.
    pub node: NodeId,
    /// When it was opened; below zero before the fault.
    pub opened: f64,
    /// When it was closed; infinity when it outlived the run.
    pub closed: f64,
}

impl<'p> Observed<'p> {
    /// Runs a plan whose fault comes `zero` seconds after its start and which is watched until `end`.
    pub fn run(plan: &'p Plan, seed: u64, zero: f64, end: f64) -> Observed<'p> {
        let outcome = Sim::new(plan, seed, false).traced().run(|| false).expect("nobody stops it");
        Observed { plan, trace: outcome.recording.trace, zero, end }
    }

    /// What happened, and when.
    pub fn happenings(&self) -> impl Iterator<Item = (f64, Happening)> {
        self.trace.iter().map(|&(at, happening)| (at.as_secs_f64() - self.zero, happening))
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.plan.nodes.len()
    }

    /// The node with this name.
    #[track_caller]
    pub fn node(&self, name: &str) -> NodeId {
        let place = self.plan.nodes.iter().position(|node| node.name == name);
        NodeId(place.unwrap_or_else(|| panic!("there is no node {name}")) as u32)
    }

    /// Every connection, in the order of their ends.
    pub fn connections(&self) -> Vec<Connection> {
        let (mut open, mut all) = (BTreeMap::new(), Vec::new());
        for (at, happening) in self.happenings() {
            match happening {
                Happening::Opened { who, node } => _ = open.insert(who, (node, at)),
                Happening::Closed { who, node } => {
                    let (_, opened) = open.remove(&who).expect("what is closed was open");
                    all.push(Connection { who, node, opened, closed: at });
                }
                _ => {}
            }
        }
        let outlived = open.into_iter().map(|(who, (node, opened))| (who, node, opened));
        let closed = f64::INFINITY;
        all.extend(outlived.map(|(who, node, opened)| Connection { who, node, opened, closed }));
        all
    }

    /// Connections per node at an instant.
    pub fn connected(&self, at: f64) -> Vec<f64> {
        self.count(self.connections().iter().filter(|c| c.opened <= at && at < c.closed).map(|c| c.node))
    }

    /// So many of each node.
    pub fn count(&self, nodes: impl Iterator<Item = NodeId>) -> Vec<f64> {
        let mut counts = vec![0.0; self.nodes()];
        nodes.for_each(|node| counts[node.index()] += 1.0);
        counts
    }

    /// When a balancer first marked `node` up or down after zero.
    pub fn marked(&self, node: NodeId, wanted: bool) -> Option<f64> {
        let marks = self.happenings().filter(|&(at, happening)| {
            at >= 0.0 && matches!(happening, Happening::Marked { node: n, up } if n == node && up == wanted)
        });
        marks.map(|(at, _)| at).next()
    }

    /// Every request that was answered or failed, in the order of their ends.
    pub fn requests(&self) -> Vec<Asked> {
        let mut bound: BTreeMap<Who, Vec<(f64, NodeId)>> = BTreeMap::new();
        let mut asked = Vec::new();
        for (at, happening) in self.happenings() {
            let (who, by, after) = match happening {
                Happening::Bound { who, node } => {
                    bound.entry(who).or_default().push((at, node));
                    continue;
                }
                Happening::Answered { who, node, after } => (who, Some(node), after),
                Happening::Failed { who, after, .. } => (who, None, after),
                _ => continue,
            };
            let took = after.as_secs_f64();
            let mine = bound.get(&who).into_iter().flatten();
            let bound = mine.take_while(|(since, _)| *since < at - took).last().map(|&(_, node)| node);
            asked.push(Asked { at: at - took, took, who, bound, by });
        }
        asked
    }

    /// When each session began and ended; infinity when it outlived the run.
    pub fn sessions(&self) -> BTreeMap<Who, (f64, f64)> {
        let mut sessions = BTreeMap::new();
        for (at, happening) in self.happenings() {
            match happening {
                Happening::Began { who } => _ = sessions.insert(who, (at, f64::INFINITY)),
                Happening::Ended { who } => sessions.get_mut(&who).expect("what is over had begun").1 = at,
                _ => {}
            }
        }
        sessions
    }

    /// When each session was first bound, and to which node.
    pub fn first_bound(&self) -> BTreeMap<Who, NodeId> {
        let mut first = BTreeMap::new();
        for (_, happening) in self.happenings() {
            if let Happening::Bound { who, node } = happening {
                first.entry(who).or_insert(node);
            }
        }
        first
    }

    /// The node that each session was bound to at an instant.
    pub fn bound(&self, at: f64) -> BTreeMap<Who, NodeId> {
        let mut bound = BTreeMap::new();
        for (_, happening) in self.happenings().take_while(|(when, _)| *when <= at) {
            match happening {
                Happening::Bound { who, node } => _ = bound.insert(who, node),
                Happening::Ended { who } => _ = bound.remove(&who),
                _ => {}
            }
        }
        bound
    }
}
