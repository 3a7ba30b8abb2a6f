//! `refuse`: the process no longer listens, but serves what it has. New connections are refused, and a
//! health check that connects fails.

use super::{Aim, Harm, Params};
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::cluster::Sim;

/// One line for `stickysim list fault`.
pub const MEANING: &str = "no new connections are taken; those that live go on";

/// `refuse`.
#[derive(Clone, Debug)]
pub struct Refuse(pub Params);

impl Harm for Refuse {
    fn name(&self) -> &'static str {
        "refuse"
    }
    fn aim(&self) -> &Aim {
        &self.0.nodes
    }
    fn lasts(&self) -> Option<Duration> {
        self.0.lasts
    }
    fn begin(&self, sim: &mut Sim, _: Instant, node: NodeId) {
        sim.fleet.node(node).refuses = true;
    }
    fn end(&self, sim: &mut Sim, _: Instant, node: NodeId) {
        sim.fleet.node(node).refuses = false;
    }
}
