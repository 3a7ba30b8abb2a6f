//! `freeze`: the process stands still (a stuck garbage collection, a full disk, SIGSTOP). The kernel still
//! accepts connections, nothing is answered, and whatever was queued goes on when the process does.

use crate::base::id::NodeId;
use crate::base::time::Instant;
use crate::cluster::{Sim, event};

/// One line for `stickysim list fault`.
pub const MEANING: &str = "processes stand still: the kernel accepts, nothing is answered, queues are kept";

impl Sim<'_> {
    pub(super) fn freeze(&mut self, now: Instant, id: NodeId) {
        let node = self.fleet.node(id);
        node.is_frozen = true;
        node.work.freeze(now);
        node.accept.freeze(now);
        self.expect_notices(now, id);
    }

    pub(super) fn thaw(&mut self, now: Instant, id: NodeId) {
        let node = self.fleet.node(id);
        if !std::mem::replace(&mut node.is_frozen, false) {
            return;
        }
        node.work.thaw(now);
        node.accept.thaw(now);
        node.accept.rearm(now, event::accept(id), &mut self.queue);
        self.touch(now, id);
        self.forget_notices(id);
        self.take_up_held(now, id);
    }
}
