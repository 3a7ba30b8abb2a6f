//! `freeze`: the process stands still (a stuck garbage collection, a full disk, SIGSTOP). The kernel still
//! accepts connections, nothing is answered, and whatever was queued goes on when the process does.

use super::{Aim, Harm, Ills, Params};
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::cluster::{Sim, event};

/// One line for `stickysim list fault`.
pub const MEANING: &str = "processes stand still: the kernel accepts, nothing is answered, queues are kept";

/// `freeze`.
#[derive(Clone, Debug)]
pub struct Freeze(pub Params);

impl Harm for Freeze {
    fn name(&self) -> &'static str {
        "freeze"
    }
    fn aim(&self) -> Option<&Aim> {
        Some(&self.0.nodes)
    }
    fn lasts(&self) -> Option<Duration> {
        self.0.lasts
    }
    fn ail(&self, ills: &mut Ills) {
        ills.is_frozen = true;
    }
}

impl Sim<'_> {
    pub(super) fn freeze(&mut self, now: Instant, id: NodeId) {
        let node = self.fleet.node(id);
        node.work.freeze(now);
        node.accept.freeze(now);
        self.expect_notices(now, id);
    }

    pub(super) fn thaw(&mut self, now: Instant, id: NodeId) {
        let node = self.fleet.node(id);
        node.work.thaw(now);
        node.accept.thaw(now);
        node.accept.rearm(now, event::accept(id), &mut self.queue);
        self.touch(now, id);
        self.forget_notices(id);
        self.take_up_held(now, id);
        if self.farewells.is_used {
            self.say_overdue(now, id);
            self.handle_signal(now, id);
        }
    }
}
