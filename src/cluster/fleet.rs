//! The nodes: who is up, what each is working on, what happens when one dies, falls silent or comes back.

use super::plan;
use super::request::{Attempt, Kind, Stage};
use super::station::Station;
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId, PopulationId, SessionId};
use crate::base::time::Instant;
use crate::observe::Fact;

/// One node.
#[derive(Debug)]
pub struct Node {
    up: bool,
    /// Its host is gone without a word: nothing is answered, nothing is reset.
    pub is_silent: bool,
    /// Its process stands still: the kernel accepts, nothing is answered, queues are kept.
    pub is_frozen: bool,
    /// It takes no new connections; those it has live on.
    pub refuses: bool,
    /// It answers every request with an error at once.
    pub answers_errors: bool,
    /// Whether health checks see nothing of that.
    pub hides_errors: bool,
    /// How often its process has begun, modulo 256: connections to an earlier life are worthless.
    pub incarnation: u8,
    /// How many connections that others believe to be open are to an earlier life.
    pub stale: u32,
    /// What its process does when it goes on after a freeze.
    pub held: Vec<AttemptId>,
    /// Its request slots and queue.
    pub work: Station,
    /// Its handshakes: one at a time.
    pub accept: Station,
}

impl Node {
    /// Whether a connection to it is accepted.
    pub fn listens(&self) -> bool {
        self.up && !self.refuses
    }

    /// Whether nobody who is connected to it hears anything, for whatever reason.
    pub fn is_mute(&self) -> bool {
        self.is_silent || self.is_frozen
    }
}

/// All nodes.
#[derive(Debug)]
pub struct Fleet {
    nodes: Vec<Node>,
}

impl Fleet {
    /// These nodes, none of them up.
    pub fn new(planned: &[plan::Node]) -> Fleet {
        let node = |plan::Node { spec, speed, .. }: &plan::Node| {
            let mut node = Node {
                up: false,
                is_silent: false,
                is_frozen: false,
                refuses: false,
                answers_errors: false,
                hides_errors: false,
                incarnation: 0,
                stale: 0,
                held: Vec::new(),
                work: Station::new(spec.concurrency, spec.queue_max, spec.discipline),
                accept: Station::new(1, spec.accept_max, Default::default()),
            };
            node.work.set_speed(Instant::START, *speed);
            node.accept.set_speed(Instant::START, *speed);
            node
        };
        Fleet { nodes: planned.iter().map(node).collect() }
    }

    /// Every node, up or not.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// Whether its process runs on a host that answers.
    #[inline]
    pub fn is_up(&self, node: NodeId) -> bool {
        self.nodes[node.index()].up
    }

    /// A node.
    #[inline]
    pub fn node(&mut self, node: NodeId) -> &mut Node {
        &mut self.nodes[node.index()]
    }

    /// A node, to look at.
    pub fn get(&self, node: NodeId) -> &Node {
        &self.nodes[node.index()]
    }
}

impl Sim<'_> {
    /// A node begins to serve, empty.
    pub(super) fn come_up(&mut self, now: Instant, id: NodeId) {
        let node = self.fleet.node(id);
        if std::mem::replace(&mut node.up, true) {
            return;
        }
        let was_silent = std::mem::replace(&mut node.is_silent, false);
        node.incarnation = node.incarnation.wrapping_add(1);
        node.stale = self.linked.count(id) as u32;
        self.recorder.note(now, Fact::NodeReady { node: id });
        if was_silent {
            self.reset_old_connections(now, id);
        }
    }

    /// A node's process dies: its work, its connections and its memory are gone, and everybody hears it.
    pub(super) fn crash(&mut self, now: Instant, node: NodeId, cause: Cause) {
        let lost = if cause == Cause::Reset { Cause::Crash } else { cause };
        if !self.stop(now, node, lost) {
            return;
        }
        let mut severed = Vec::new();
        self.linked.list(node, &mut severed);
        for &session in &severed {
            self.sever(now, SessionId(session), cause);
        }
        let mut cut = std::mem::take(&mut self.scratch);
        self.at_node.take(node, &mut cut);
        // Cutting one may end its session, and with it others of this list: they must still be there.
        for attempt in cut.iter().map(|&id| AttemptId(id)) {
            if !self.attempts[attempt].stage.is_at_service() {
                self.attempts[attempt].stage = Stage::Cut;
            }
        }
        for &id in &cut {
            self.cut_attempt(now, node, AttemptId(id), cause);
        }
        cut.clear();
        self.scratch = cut;
        for session in severed.into_iter().map(SessionId) {
            self.after_cut(now, session);
        }
    }

    /// A node's host is gone: its work and memory too, but nobody hears of it.
    pub(super) fn fall_silent(&mut self, now: Instant, node: NodeId) {
        if !self.stop(now, node, Cause::HostLoss) {
            return;
        }
        self.fleet.node(node).is_silent = true;
        let mut waiting = Vec::new();
        self.at_node.list(node, &mut waiting);
        for id in waiting.into_iter().map(AttemptId) {
            match self.attempts[id] {
                // A service answers a host that is not there; the attempt falls silent then.
                Attempt { stage, .. } if stage.is_at_service() => {}
                Attempt { kind: Kind::Rebuild, .. } => self.dismiss(now, id),
                _ => self.hear_nothing(now, id),
            }
        }
        self.expect_notices(now, node);
    }

    /// An attempt will get no answer; TCP gives up on it in the end, if the balancer does not. (For one on a
    /// connection that hangs on the node, the connection is what is given up.)
    pub(super) fn hear_nothing(&mut self, now: Instant, id: AttemptId) {
        let gives_up = now + self.plan.balancer.tcp_give_up;
        let attempt = &mut self.attempts[id];
        attempt.stage = Stage::Silent;
        if !attempt.placed && attempt.session.some().is_none() {
            // Neither client nor balancer waits for it any more, and the work is gone with the host.
            return self.dismiss(now, id);
        }
        if attempt.placed && gives_up < attempt.timer.due().min(self.plan.end) {
            attempt.timer.set(gives_up, event::attempt(id), &mut self.queue);
        }
    }

    /// What a crash and a host loss have in common; `false` when the node was down already.
    fn stop(&mut self, now: Instant, id: NodeId, lost: Cause) -> bool {
        let node = self.fleet.node(id);
        let was_up = std::mem::replace(&mut node.up, false);
        // A silent host that is then declared dead is heard of at last.
        if !was_up && !std::mem::replace(&mut node.is_silent, false) {
            return false;
        }
        (node.is_frozen, node.refuses, node.answers_errors) = (false, false, false);
        node.work.empty();
        node.accept.empty();
        node.held.clear();
        if was_up {
            self.recorder.note(now, Fact::NodeDown { node: id });
            self.recorder.note(now, Fact::Busy { node: id, slots: 0 });
            self.lose_memory(now, id, lost);
        }
        true
    }

    /// Sessions whose only current copy was in `node`'s memory lose their state.
    fn lose_memory(&mut self, now: Instant, node: NodeId, cause: Cause) {
        let mut lost = std::mem::take(&mut self.scratch);
        for index in 0..self.keepers.len() {
            let population = PopulationId(index as u16);
            self.keepers[index].forget_node(node, &mut lost);
            for session in lost.drain(..).map(SessionId) {
                self.recorder.note(now, Fact::Lost { population, session, cause });
            }
        }
        self.scratch = lost;
    }

    /// An attempt loses its node; it has been taken off the node's books.
    pub(super) fn cut_attempt(&mut self, now: Instant, node: NodeId, id: AttemptId, cause: Cause) {
        self.give_place_back(id);
        self.recorder.note(now, Fact::InFlight { node, by: -1 });
        if self.attempts[id].stage.is_at_service() {
            // The service goes on with a visit that nobody waits for; it hands that record back.
            let left = self.leave_to_service(id);
            return if let Some(left) = left {
                self.attempt_failed(now, left, cause)
            };
        }
        self.attempts[id].stage = Stage::Route;
        self.fail(now, id, cause);
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
