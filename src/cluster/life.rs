//! When does a node's process run? Who keeps it from running, when it begins again, and when it listens.
//!
//! Whoever ends a process also *keeps it down*: a fault until the fault is over, a change until the node's turn to start
//! has come, a removal for ever. A process that nobody keeps down is started, and it listens `cluster.node.start` later;
//! until then its host refuses connections. So, however faults and changes overlap, the first to end undoes only
//! what it did itself.
//!
//! A process that dies of itself, for its memory or in a crash loop, is started again as Kubernetes does it: at once
//! the first time, then after 10 s, 20 s, 40 s … up to 300 s, and at once again when it has run for ten minutes
//! (Kubernetes documentation, *Pod Lifecycle*: how Pods handle problems with containers).

use super::fleet::Phase;
use super::version::BASE;
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::dist::Sampler;
use crate::base::draw::Stream;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::observe::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a process that has died of itself is started again.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Restart {
    /// After its first death; default at once (Kubernetes).
    pub first: Duration,
    /// After its second, and twice as long after each further one; above zero, default 10 s (Kubernetes).
    pub base: Duration,
    /// At most so long; ≥ base, default 5 min (Kubernetes).
    pub cap: Duration,
    /// A process that has run for so long dies for the first time again; above zero, default 10 min (Kubernetes).
    pub reset: Duration,
}

impl Default for Restart {
    fn default() -> Restart {
        Restart {
            first: Duration::ZERO,
            base: Duration::from_secs(10),
            cap: Duration::from_secs(300),
            reset: Duration::from_secs(600),
        }
    }
}

impl Restart {
    /// The wait after the `k`-th death in a row, counted from 1.
    pub fn wait(&self, k: u32) -> Duration {
        match k.checked_sub(2) {
            None => self.first,
            Some(doublings) => (self.base * (1 << doublings.min(62))).min(self.cap),
        }
    }
}

impl Sim<'_> {
    /// A node that was there before the run began: it listens, and is warm.
    pub(super) fn begin_running(&mut self, id: NodeId) {
        let node = self.fleet.node(id);
        (node.phase, node.lives, node.incarnation) = (Phase::Up, 1, 1);
        node.next_version = Some(BASE);
        self.recorder.note(Instant::START, Fact::NodeListens { node: id, warm: Instant::START });
        self.offer_room(Instant::START, id);
        self.weigh(Instant::START, id);
    }

    /// One more reason why a node's process must not run.
    pub(super) fn keep_down(&mut self, id: NodeId) {
        self.fleet.node(id).kept_down += 1;
    }

    /// One reason less; without any, the process is started.
    pub(super) fn release(&mut self, now: Instant, id: NodeId) {
        self.fleet.node(id).kept_down -= 1;
        self.launch(now, id);
    }

    /// An operator ends a node's process and keeps it down. Whatever it died of before is forgotten.
    pub(super) fn take_down(&mut self, now: Instant, id: NodeId, cause: Cause) {
        self.keep_down(id);
        let node = self.fleet.node(id);
        node.deaths = 0;
        if std::mem::replace(&mut node.backs_off, false) {
            node.life.clear();
        }
        self.crash(now, id, cause);
    }

    /// Starts a node's process, unless it has one or something keeps it down.
    pub(super) fn launch(&mut self, now: Instant, id: NodeId) {
        let node = self.fleet.node(id);
        if node.phase != Phase::Down || node.kept_down > 0 || node.backs_off {
            return;
        }
        let version = node.next_version.unwrap_or_else(|| self.version_of_new());
        let node = self.fleet.node(id);
        let nth = node.lives;
        (node.phase, node.lives, node.launched) = (Phase::Starting, nth + 1, now);
        node.incarnation = node.incarnation.wrapping_add(1);
        node.stale = self.linked.count(id) as u32;
        let again = nth > node.former;
        if !again {
            node.joined = now;
        }
        (node.version, node.next_version, node.worked) = (version, Some(version), 0);
        self.recorder.note(now, Fact::NodeStarted { node: id, again });
        self.note_mixture(now);
        self.weigh(now, id);
        let planned = &self.plan.nodes[id.index()];
        let takes = |law: &Sampler| {
            law.duration(&mut Stream::new(self.seed, "node start", &planned.name).at(u64::from(nth), 0))
        };
        let start = planned.spec.start.as_ref().map_or(Duration::ZERO, takes);
        if start.is_zero() {
            return self.listen(now, id);
        }
        self.fleet.node(id).life.set(now + start, event::life(id), &mut self.queue);
    }

    /// A node's process listens from now on, empty and cold.
    fn listen(&mut self, now: Instant, id: NodeId) {
        let takes = self.plan.nodes[id.index()].spec.warm_up.map_or(Duration::ZERO, |warm_up| warm_up.lasts);
        let warm = now + takes;
        let node = self.fleet.node(id);
        (node.phase, node.warm) = (Phase::Up, warm);
        node.dies_at = Instant::NEVER;
        let of_version = self.plan.versions[usize::from(node.version)].differs.dies_after;
        let dies_after = node.ills.dies_after.into_iter().chain(of_version).min();
        self.recorder.note(now, Fact::NodeListens { node: id, warm });
        self.offer_room(now, id);
        self.announce_listening(now, id);
        if let Some(after) = dies_after {
            self.doom(id, now + after);
        }
    }

    /// A node's process, if it listens, will crash of itself then.
    pub(super) fn doom(&mut self, id: NodeId, dies_at: Instant) {
        let node = self.fleet.node(id);
        if node.phase == Phase::Up {
            node.dies_at = dies_at;
            node.life.set(dies_at, event::life(id), &mut self.queue);
        }
    }

    /// What a node's process waits for has come: it listens, dies of itself, or may be started again.
    pub(super) fn on_life(&mut self, now: Instant, id: NodeId) {
        let is_too_large = self.is_too_large(id);
        let node = self.fleet.node(id);
        if !node.life.fires(now, event::life(id), &mut self.queue) {
            return;
        }
        match node.phase {
            Phase::Starting => self.listen(now, id),
            Phase::Up if is_too_large => {
                self.recorder.note(now, Fact::OutOfMemory { node: id });
                self.die(now, id, Cause::OutOfMemory);
            }
            Phase::Up if node.dies_at <= now => self.die(now, id, Cause::Reset),
            // What a moment took, and gave back at once, was in nobody's way.
            Phase::Up if node.dies_at == Instant::NEVER => {}
            Phase::Up => node.life.set(node.dies_at, event::life(id), &mut self.queue),
            Phase::Down => {
                node.backs_off = false;
                self.launch(now, id);
            }
        }
    }

    /// A node's process dies of itself, and will be started again.
    fn die(&mut self, now: Instant, id: NodeId, cause: Cause) {
        self.crash(now, id, cause);
        let restart = self.plan.nodes[id.index()].spec.restart;
        let node = self.fleet.node(id);
        let was_sound = now.since(node.launched) >= restart.reset;
        node.deaths = if was_sound { 1 } else { node.deaths + 1 };
        node.backs_off = true;
        node.life.set(now + restart.wait(node.deaths), event::life(id), &mut self.queue);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_as_kubernetes_has_them() {
        let waits =
            |restart: Restart| [1, 2, 3, 4, 5, 6, 7, 8, 100].map(|k| restart.wait(k).as_nanos() / 1_000_000_000);
        assert_eq!(waits(Restart::default()), [0, 10, 20, 40, 80, 160, 300, 300, 300]);
        let two = Duration::from_secs(2);
        assert_eq!(waits(Restart { first: two, base: two, cap: two, ..Restart::default() }), [2; 9]);
    }
}
