//! `kill`: the process dies, its host lives. Connections are reset at once, new ones are refused, and what
//! was in its memory is gone. It may come back after a while, empty.

use crate::base::cause::Cause;
use crate::base::id::NodeId;
use crate::base::time::Instant;
use crate::cluster::Sim;

/// One line for `stickysim list fault`.
pub const MEANING: &str = "processes crash: connections are reset, memory is gone, the host answers";

impl Sim<'_> {
    pub(super) fn kill(&mut self, now: Instant, node: NodeId) {
        self.crash(now, node, Cause::Reset);
    }
}
