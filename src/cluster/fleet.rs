//! The nodes: who is up, what each is working on, what happens when one dies or comes back.

use super::plan::NodeSpec;
use super::request::Stage;
use super::station::Station;
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId, PopulationId, SessionId};
use crate::base::time::Instant;
use crate::observe::Fact;

/// One node's capacity.
#[derive(Debug)]
pub struct Node {
    up: bool,
    /// Its request slots and queue.
    pub work: Station,
    /// Its handshakes: one at a time.
    pub accept: Station,
}

/// All nodes.
#[derive(Debug)]
pub struct Fleet {
    nodes: Vec<Node>,
}

impl Fleet {
    /// `count` nodes, none of them up.
    pub fn new(spec: &NodeSpec, count: usize) -> Fleet {
        let node = || Node {
            up: false,
            work: Station::new(spec.concurrency, spec.queue_max, spec.discipline),
            accept: Station::new(1, spec.accept_max, Default::default()),
        };
        Fleet { nodes: (0..count).map(|_| node()).collect() }
    }

    /// How many nodes there are, up or not.
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// Whether its process listens.
    #[inline]
    pub fn is_up(&self, node: NodeId) -> bool {
        self.nodes[node.index()].up
    }

    /// A node.
    #[inline]
    pub fn node(&mut self, node: NodeId) -> &mut Node {
        &mut self.nodes[node.index()]
    }
}

impl Sim<'_> {
    /// A node begins to serve, empty.
    pub(super) fn come_up(&mut self, now: Instant, node: NodeId) {
        if !std::mem::replace(&mut self.fleet.node(node).up, true) {
            self.recorder.note(now, Fact::NodeReady { node });
        }
    }

    /// A node's process dies: its work, its connections and its memory are gone at once.
    pub(super) fn crash(&mut self, now: Instant, node: NodeId) {
        if !std::mem::replace(&mut self.fleet.node(node).up, false) {
            return;
        }
        self.recorder.note(now, Fact::NodeDown { node });
        self.fleet.node(node).work.empty();
        self.fleet.node(node).accept.empty();
        self.recorder.note(now, Fact::Busy { node, slots: 0 });
        self.lose_memory(now, node);

        let mut cut = std::mem::take(&mut self.scratch);
        self.at_node.take(node, &mut cut);
        for &id in &cut {
            self.cut_attempt(now, node, AttemptId(id));
        }
        cut.clear();
        self.scratch = cut;
    }

    /// Sessions whose only current copy was in `node`'s memory lose their state.
    fn lose_memory(&mut self, now: Instant, node: NodeId) {
        let mut lost = std::mem::take(&mut self.scratch);
        for index in 0..self.keepers.len() {
            let population = PopulationId(index as u16);
            self.keepers[index].forget_node(node, &mut lost);
            for session in lost.drain(..).map(SessionId) {
                self.recorder.note(now, Fact::Lost { population, session, cause: Cause::Crash });
            }
        }
        self.scratch = lost;
    }

    /// An attempt loses its node; it has been taken off the node's books.
    fn cut_attempt(&mut self, now: Instant, node: NodeId, id: AttemptId) {
        self.balancer.done(node);
        self.recorder.note(now, Fact::InFlight { node, by: -1 });
        let session = self.part(now, id);
        match self.attempts[id].stage {
            // The store goes on with an operation that nobody waits for; it hands the attempt back.
            Stage::StoreRead | Stage::StoreWrite => self.attempts[id].stage = Stage::Orphaned,
            _ => self.attempts.free(id),
        }
        if let Some(session) = session {
            self.attempt_failed(now, session, Cause::Reset);
        }
    }

    /// Keeps a node's timer and the books on its busy slots true after a change of its work.
    #[inline]
    pub(super) fn touch(&mut self, now: Instant, node: NodeId) {
        let work = &mut self.fleet.nodes[node.index()].work;
        work.rearm(now, event::work(node), &mut self.queue);
        let slots = work.busy();
        self.recorder.note(now, Fact::Busy { node, slots });
    }
}
