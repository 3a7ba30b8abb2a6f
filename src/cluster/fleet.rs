//! The nodes: who is up, what each is working on, what happens when one dies or falls silent.

use super::fate::Ills;
use super::plan;
use super::request::Stage;
use super::station::Station;
use super::version::BASE;
use super::visiting::Held;
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId, SessionId};
use crate::base::prefetch::prefetch_all;
use crate::base::time::Instant;
use crate::engine::Timer;
use crate::observe::Fact;

/// Where a node's process is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// There is none.
    Down,
    /// It does not listen yet.
    Starting,
    /// It listens.
    Up,
}

/// One node.
#[derive(Debug)]
pub struct Node {
    pub(super) phase: Phase,
    /// It is slow before this.
    pub warm: Instant,
    /// What the faults in force make of it.
    pub ills: Ills,
    // Places in the plan of the faults behind those.
    pub(super) suffers: Vec<u16>,
    /// Its process has been told to stop and takes no new connections.
    pub(super) closes: bool,
    // That came while it stood still.
    pub(super) has_signal: bool,
    /// Faults in force that have taken its host away: nothing is answered, nothing is reset.
    pub hosts_lost: u32,
    // Faults and changes that keep its process from running.
    pub(super) kept_down: u32,
    // Its process has died of itself and waits to be started again; so often in a row.
    pub(super) backs_off: bool,
    pub(super) deaths: u32,
    // When its process was started last, and how often it was.
    pub(super) launched: Instant,
    pub(super) lives: u32,
    // How many there were before it came to the cluster, or came back as a new one, and when it came.
    pub(super) former: u32,
    pub(super) joined: Instant,
    /// How often its process has begun, modulo 256: connections to an earlier life are worthless.
    pub incarnation: u8,
    /// How many connections that others believe to be open are to an earlier life.
    pub stale: u32,
    /// What its process does when it goes on after a freeze.
    pub held: Vec<Held>,
    // Listening, dying of itself, or being started again: whatever its phase waits for.
    pub(super) life: Timer,
    // When its process will crash of itself.
    pub(super) dies_at: Instant,
    /// The version that its process runs, or ran last: its place in the plan.
    pub version: u8,
    /// The version that its next process will run; where nothing has been installed, what the cluster runs by then.
    pub next_version: Option<u8>,
    /// How many requests its process has worked on, where a version leaks.
    pub worked: u64,
    /// What its process takes in memory, where that is modelled (bytes).
    pub memory: u64,
    /// Its request slots and queue.
    pub work: Station,
    /// Its handshakes: one at a time. Apart, since most nodes never look at it.
    pub accept: Box<Station>,
    // When its accept rate has no arrears any more.
    pub(super) paced: Instant,
}

impl Node {
    /// Whether its host is gone without a word.
    #[inline]
    pub fn is_silent(&self) -> bool {
        self.hosts_lost > 0
    }

    /// Whether a connection to it is accepted.
    #[inline]
    pub fn listens(&self) -> bool {
        self.phase == Phase::Up && !(self.ills.refuses | self.closes)
    }

    /// Whether there is a process, listening or not.
    pub fn has_process(&self) -> bool {
        self.phase != Phase::Down
    }

    /// Whether its process has never run, as far as the cluster that it belongs to is concerned.
    pub fn is_new(&self) -> bool {
        self.lives == self.former
    }

    /// Whether its process runs for the first time, and does not listen yet.
    pub fn is_coming(&self) -> bool {
        self.phase == Phase::Starting && self.lives == self.former + 1
    }

    /// Whether it has been taken away, and nothing else is wrong with it.
    pub fn is_to_spare(&self) -> bool {
        self.phase == Phase::Down && self.kept_down == 1 && !self.is_silent() && self.suffers.is_empty()
    }

    /// It has been taken away, and may come back as a new one.
    pub fn renew(&mut self) {
        self.former = self.lives;
        self.kept_down -= 1;
        self.next_version = None;
    }

    /// Whether faults or changes keep its process from running.
    pub fn is_kept_down(&self) -> bool {
        self.kept_down > 0
    }

    /// When it will listen, or at least be started again, if that is known.
    pub fn back_at(&self) -> Option<Instant> {
        (self.phase == Phase::Starting || self.backs_off).then(|| self.life.due())
    }

    /// Whether nobody who is connected to it hears anything, for whatever reason.
    pub fn is_mute(&self) -> bool {
        self.is_silent() || self.ills.is_frozen
    }
}

/// All nodes.
#[derive(Debug)]
pub struct Fleet {
    nodes: Vec<Node>,
}

impl Fleet {
    /// These nodes, none of which has a process.
    pub fn new(planned: &[plan::Node]) -> Fleet {
        let node = |plan::Node { spec, speed, .. }: &plan::Node| {
            let mut node = Node {
                phase: Phase::Down,
                warm: Instant::START,
                ills: Ills::default(),
                suffers: Vec::new(),
                closes: false,
                has_signal: false,
                hosts_lost: 0,
                kept_down: 0,
                backs_off: false,
                deaths: 0,
                launched: Instant::START,
                lives: 0,
                former: 0,
                joined: Instant::START,
                incarnation: 0,
                stale: 0,
                held: Vec::new(),
                life: Timer::new(),
                dies_at: Instant::NEVER,
                version: BASE,
                next_version: None,
                worked: 0,
                memory: 0,
                work: Station::new(spec.concurrency, spec.queue.max, spec.discipline).in_order(spec.queue.order),
                accept: Box::new(Station::new(1, spec.accept.max, Default::default()).in_order(spec.accept.order)),
                paced: Instant::START,
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

    /// How many there are, up or not.
    #[inline]
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// Hints that a node will be needed soon: what every request needs of it.
    #[inline]
    pub fn fetch(&self, node: NodeId) {
        if let Some(node) = self.nodes.get(node.index()) {
            prefetch_all(&node.work);
            prefetch_all(&node.phase);
            prefetch_all(&node.hosts_lost);
        }
    }

    /// Whether its process listens.
    #[inline]
    pub fn is_up(&self, node: NodeId) -> bool {
        self.nodes[node.index()].phase == Phase::Up
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
        self.process_ended(now, node);
        self.reset_probes(now, node);
    }

    /// A node's host is gone: its work and memory too, but nobody hears of it.
    pub(super) fn fall_silent(&mut self, now: Instant, node: NodeId) {
        let served = self.stop(now, node, Cause::HostLoss);
        self.fleet.node(node).hosts_lost += 1;
        if !served {
            // What its last process left on disk is gone all the same.
            return self.lose_memory(now, node, Cause::HostLoss);
        }
        let mut waiting = Vec::new();
        self.at_node.list(node, &mut waiting);
        for id in waiting.into_iter().map(AttemptId) {
            // A service answers a host that is not there; the attempt falls silent then.
            if !self.attempts[id].stage.is_at_service() {
                self.hear_nothing(now, id);
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

    /// A node's host is back, unless another fault has taken it too; its process can be started.
    pub(super) fn speak_again(&mut self, now: Instant, id: NodeId) {
        let node = self.fleet.node(id);
        node.hosts_lost -= 1;
        if !node.is_silent() {
            self.process_ended(now, id);
            self.reset_old_connections(now, id);
        }
        self.release(now, id);
    }

    /// What a crash and a host loss have in common; `false` when the process did not serve.
    fn stop(&mut self, now: Instant, id: NodeId, lost: Cause) -> bool {
        let node = self.fleet.node(id);
        let before = std::mem::replace(&mut node.phase, Phase::Down);
        if before == Phase::Down {
            return false;
        }
        (node.closes, node.has_signal) = (false, false);
        node.life.clear();
        node.work.empty();
        node.accept.empty();
        node.paced = Instant::START;
        node.held.clear();
        self.lose_probes(id);
        self.outlive(id);
        self.recorder.note(now, Fact::NodeDown { node: id });
        self.note_mixture(now);
        self.recorder.note(now, Fact::Busy { node: id, slots: 0 });
        if before == Phase::Up {
            self.lose_memory(now, id, lost);
        }
        self.weigh(now, id);
        before == Phase::Up
    }

    /// An attempt loses its node; it has been taken off the node's books.
    pub(super) fn cut_attempt(&mut self, now: Instant, node: NodeId, id: AttemptId, cause: Cause) {
        self.saw_failure(now, id, cause);
        self.recorder.note(now, Fact::InFlight { node, by: -1 });
        if self.attempts[id].stage.is_at_service() {
            // The service goes on with a visit that nobody waits for; it hands that record back.
            self.give_place_back(id);
            let left = self.leave_to_service(id);
            return if let Some(left) = left {
                self.fail_in_hand(now, left, cause)
            };
        }
        self.attempts[id].stage = Stage::Route;
        self.fail_in_hand(now, id, cause);
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
