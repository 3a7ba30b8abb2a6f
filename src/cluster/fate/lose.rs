//! `lose`: the host is gone, by a power cut or a cable. Nothing is reset and nothing is refused: everybody
//! has to find out by waiting (`cluster/silence.rs`). When the host returns it resets old connections.

use crate::base::id::NodeId;
use crate::base::time::Instant;
use crate::cluster::Sim;

/// One line for `stickysim list fault`.
pub const MEANING: &str = "hosts are gone without a word: nothing is reset, memory is gone";

impl Sim<'_> {
    pub(super) fn lose(&mut self, now: Instant, node: NodeId) {
        self.fall_silent(now, node);
    }
}
