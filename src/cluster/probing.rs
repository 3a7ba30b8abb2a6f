//! Health checks that are work: each is a job among those of clients, so that a node with a long line fails them.
//!
//! A check with `service` opens a connection (and waits for the handshake, if the node has one), waits for a slot as
//! a request does, and is answered when its work is done. Whoever checks gives it up after its timeout; the job then
//! goes on without anybody, unless it `cancels`. It is nobody's request and stands in no figure but the busy slots.
//!
//! A kubelet's `httpGet` probe, a check of HAProxy with `option httpchk` and one of Envoy are requests like any
//! other to the server that answers them; that overload fails such checks, and that each failure then adds to the
//! load of the others, is told in *Site Reliability Engineering* (Beyer et al., 2016), chapter 22.

use super::balancer::view::active::Outcome;
use super::station::Offer;
use super::{Sim, event};
use crate::base::dist::Sampler;
use crate::base::draw::Stream;
use crate::base::id::{AttemptId, NodeId};
use crate::base::time::{Duration, Instant};

/// Tells probes from attempts where a station has them in hand: no run has so many attempts at once.
const MARK: u32 = 1 << 31;

/// Where in its node a probe is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Handshake,
    Slot,
    /// Nowhere: the record is free.
    Gone,
}

/// A check that a node has in hand.
#[derive(Clone, Copy, Debug)]
struct Probe {
    /// Who waits for it: a place among all checks; none when it has been given up.
    check: Option<usize>,
    node: NodeId,
    place: Place,
    // Keys its draws: whose check it was, and which.
    instance: usize,
    nth: u64,
}

/// Probes by slot; slots are used again.
#[derive(Debug, Default)]
pub struct Probes {
    slots: Vec<Probe>,
    free: Vec<u32>,
}

impl Probes {
    fn add(&mut self, probe: Probe) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = probe;
            return slot | MARK;
        }
        self.slots.push(probe);
        (self.slots.len() as u32 - 1) | MARK
    }

    fn get(&mut self, job: u32) -> &mut Probe {
        &mut self.slots[(job & !MARK) as usize]
    }

    fn free(&mut self, job: u32) {
        self.get(job).place = Place::Gone;
        self.free.push(job & !MARK);
    }

    /// How many a node lets in, and how many have or want one of its slots.
    pub fn at(&self, node: NodeId) -> [usize; 2] {
        let count = |place| self.slots.iter().filter(|probe| probe.node == node && probe.place == place).count();
        [Place::Handshake, Place::Slot].map(count)
    }
}

/// Whether what a station has in hand is a probe and no attempt.
#[inline]
pub fn is_probe(job: AttemptId) -> bool {
    job.0 & MARK != 0
}

impl Sim<'_> {
    /// A check, the `nth` of its kind, reaches its node as a connection like any other.
    pub(super) fn begin_probe(&mut self, now: Instant, check: usize, node: NodeId, nth: u64) {
        let instance = check / self.plan.nodes.len();
        let lets_in = self.plan.nodes[node.index()].spec.handshake.is_some();
        let place = if lets_in { Place::Handshake } else { Place::Slot };
        let job = self.probes.add(Probe { check: Some(check), node, place, instance, nth });
        self.checks[check].probe = Some(job);
        if !lets_in {
            return self.take_slot_for_probe(now, job, node);
        }
        match self.fleet.node(node).accept.offer(job) {
            Offer::Started => self.let_probe_in(now, job, node),
            Offer::Queued => {}
            Offer::Full => self.end_probe(now, job, Outcome::Failed),
        }
        self.fleet.node(node).accept.rearm(now, event::accept(node), &mut self.queue);
    }

    /// A node begins to let a probe in.
    #[inline(never)]
    pub(super) fn let_probe_in(&mut self, now: Instant, job: u32, node: NodeId) {
        let law = self.plan.nodes[node.index()].spec.handshake.as_ref();
        let demand = law.map_or(Duration::ZERO, |law| self.probe_draw("check handshake", job, law));
        let demand = self.warmed(now, node, demand);
        self.fleet.node(node).accept.work(now, job, demand);
    }

    fn probe_draw(&self, purpose: &str, job: u32, law: &Sampler) -> Duration {
        let Probe { instance, node, nth, .. } = self.probes.slots[(job & !MARK) as usize];
        let luck = Stream::new(self.seed, purpose, &format!("lb{}", instance + 1));
        law.duration(&mut luck.at(u64::from(node.0), nth))
    }

    /// A node has let a probe in.
    #[inline(never)]
    pub(super) fn probe_admitted(&mut self, now: Instant, job: u32, node: NodeId) {
        if self.probes.get(job).check.is_none() && self.plan.balancer.health.cancels {
            return self.probes.free(job);
        }
        self.take_slot_for_probe(now, job, node);
    }

    fn take_slot_for_probe(&mut self, now: Instant, job: u32, node: NodeId) {
        self.probes.get(job).place = Place::Slot;
        let station = &mut self.fleet.node(node).work;
        match station.offer(job) {
            Offer::Started => self.work_on_probe(now, job, node),
            Offer::Queued => {}
            // The one who would say so stands still.
            Offer::Full if self.fleet.get(node).ills.is_frozen => self.forget_probe(job),
            Offer::Full => self.end_probe(now, job, Outcome::Error),
        }
        self.touch(now, node);
    }

    /// A probe has a slot.
    #[inline(never)]
    pub(super) fn work_on_probe(&mut self, now: Instant, job: u32, node: NodeId) {
        let law = self.plan.check_service.as_ref();
        let demand = law.map_or(Duration::ZERO, |law| self.probe_draw("check service", job, law));
        let demand = self.warmed(now, node, demand);
        self.fleet.node(node).work.work(now, job, demand);
    }

    /// A node has done the work of a probe, and answers.
    #[inline(never)]
    pub(super) fn probe_worked(&mut self, now: Instant, job: u32, node: NodeId) {
        self.release_slot(now, node);
        self.end_probe(now, job, Outcome::Good);
    }

    /// A probe is over; whoever waits for it hears the outcome.
    fn end_probe(&mut self, now: Instant, job: u32, outcome: Outcome) {
        let check = self.probes.get(job).check;
        self.probes.free(job);
        if let Some(check) = check {
            self.end_check(now, check, outcome);
        }
    }

    /// Nobody waits for the answer of a check any more, wherever its job is.
    pub(super) fn give_up_probe(&mut self, now: Instant, check: usize) {
        let Some(job) = self.checks[check].probe.take() else { return };
        let probe = self.probes.get(job);
        probe.check = None;
        let Probe { node, place, .. } = *probe;
        if self.plan.balancer.health.cancels && self.withdraw_probe(now, job, node, place) {
            self.probes.free(job);
        }
    }

    /// Takes a probe out of its station; `false` when it is not there.
    fn withdraw_probe(&mut self, now: Instant, job: u32, node: NodeId, place: Place) -> bool {
        let stations = self.fleet.node(node);
        match place {
            Place::Handshake if stations.accept.leave_line(job) => true,
            Place::Handshake if stations.accept.stop_work(now, job) => {
                self.let_next_in(now, node);
                self.fleet.node(node).accept.rearm(now, event::accept(node), &mut self.queue);
                true
            }
            Place::Slot if stations.work.leave_line(job) => true,
            Place::Slot if stations.work.stop_work(now, job) => {
                self.release_slot(now, node);
                self.touch(now, node);
                true
            }
            _ => false,
        }
    }

    /// Whoever waits for a probe will wait in vain.
    fn forget_probe(&mut self, job: u32) {
        if let Some(check) = self.probes.get(job).check {
            self.checks[check].probe = None;
        }
        self.probes.free(job);
    }

    /// A node's process has ended: its probes are gone, and nobody has been told yet.
    pub(super) fn lose_probes(&mut self, node: NodeId) {
        for slot in 0..self.probes.slots.len() {
            let probe = self.probes.slots[slot];
            if probe.node == node && probe.place != Place::Gone {
                self.forget_probe(slot as u32 | MARK);
            }
        }
    }

    /// The connections of checks to a process that has crashed are reset.
    pub(super) fn reset_probes(&mut self, now: Instant, node: NodeId) {
        if self.plan.check_service.is_none() {
            return;
        }
        for check in (node.index()..self.checks.len()).step_by(self.plan.nodes.len()) {
            if self.checks[check].awaits {
                self.end_check(now, check, Outcome::Failed);
            }
        }
    }
}
