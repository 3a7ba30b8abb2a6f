//! `refuse`: the process no longer listens, but serves what it has. New connections are refused, and a
//! health check that connects fails.

use crate::base::id::NodeId;
use crate::cluster::Sim;

/// One line for `stickysim list fault`.
pub const MEANING: &str = "no new connections are taken; those that live go on";

impl Sim<'_> {
    pub(super) fn refuse(&mut self, node: NodeId) {
        self.fleet.node(node).refuses = true;
    }
}
