//! How much memory does a node's process take, and what if that is too much?
//!
//! A process takes `base`, and something for each copy of session state in its memory or cache, for each connection
//! that hangs on it and for each attempt that it has in hand. One that takes more than `limit` is killed at once,
//! as the Linux kernel does in a memory cgroup (`memory.max`; Kubernetes calls it OOMKilled). The kill is an event
//! of its own at the same instant, so that nobody who has just added something finds the node gone.
//!
//! Where no memory is modelled, none of this costs more than a look at one flag.

use super::{Sim, event};
use crate::base::id::NodeId;
use crate::base::time::Instant;
use crate::base::units::Bytes;
use crate::observe::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a process takes, and how much it may.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Memory {
    /// What it may take before it is killed; above `base`. Measured only unless given.
    pub limit: Option<Bytes>,
    /// What it takes when it has nothing to do; default none.
    pub base: Bytes,
    /// What it takes for each session whose state is in its memory or cache; default none.
    pub per_session: Bytes,
    /// What it takes for each connection that hangs on it; default none.
    pub per_connection: Bytes,
    /// What it takes for each attempt in hand, from its arrival to the reply; default none.
    pub per_request: Bytes,
}

impl Default for Memory {
    fn default() -> Memory {
        let none = Bytes::new(0);
        Memory { limit: None, base: none, per_session: none, per_connection: none, per_request: none }
    }
}

impl Memory {
    /// What a process takes with so much in it (bytes).
    pub fn taken(&self, sessions: u64, connections: u64, requests: u64) -> u64 {
        let parts = [
            (self.per_session, sessions),
            (self.per_connection, connections),
            (self.per_request, requests),
            (self.base, 1),
        ];
        parts.into_iter().fold(0, |sum, (each, count)| each.get().saturating_mul(count).saturating_add(sum))
    }
}

impl Sim<'_> {
    /// Keeps the books on a node's memory true after a change of what is in it.
    #[inline]
    pub(super) fn weigh(&mut self, now: Instant, node: NodeId) {
        if self.weighs {
            self.weigh_now(now, node);
        }
    }

    #[inline(never)]
    fn weigh_now(&mut self, now: Instant, id: NodeId) {
        let bytes = self.taken(id);
        self.fleet.node(id).memory = bytes;
        self.recorder.note(now, Fact::Memory { node: id, bytes });
        if self.is_too_large(id) {
            self.fleet.node(id).life.set(now, event::life(id), &mut self.queue);
        }
    }

    /// The memory that a node's process takes (bytes), counted anew; none without a process.
    pub(super) fn taken(&self, id: NodeId) -> u64 {
        match &self.plan.nodes[id.index()].spec.memory {
            Some(memory) if self.fleet.get(id).has_process() => {
                let sessions = self.keepers.iter().map(|keeper| keeper.copies(id) as u64).sum();
                let taken = memory.taken(sessions, self.hanging(id), self.at_node.count(id) as u64);
                taken.saturating_add(self.leaked(id))
            }
            _ => 0,
        }
    }

    /// Whether a node's process takes more memory than it may.
    pub(super) fn is_too_large(&self, id: NodeId) -> bool {
        let memory = self.plan.nodes[id.index()].spec.memory;
        memory.and_then(|memory| memory.limit).is_some_and(|limit| self.fleet.get(id).memory > limit.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_takes_is_a_sum() {
        let [base, per_session, per_connection, per_request] = [300 << 20, 64 << 10, 20 << 10, 1 << 20].map(Bytes::new);
        let memory = Memory { limit: None, base, per_session, per_connection, per_request };
        assert_eq!(memory.taken(0, 0, 0), 300 << 20);
        assert_eq!(memory.taken(16, 0, 0), 301 << 20);
        assert_eq!(memory.taken(16, 256, 3), 309 << 20);
        assert_eq!(memory.taken(u64::MAX, 1, 1), u64::MAX, "beyond all bounds, and still too much");
    }
}
