//! `kill`: the process dies, its host lives. Connections are reset at once, new ones are refused, and what
//! was in its memory is gone. When the fault is over the process is started again, empty.

use super::{Aim, Harm, Params};
use crate::base::cause::Cause;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::cluster::Sim;

/// One line for `stickysim list fault`.
pub const MEANING: &str = "processes crash: connections are reset, memory is gone, the host answers";

/// `kill`.
#[derive(Clone, Debug)]
pub struct Kill(pub Params);

impl Harm for Kill {
    fn name(&self) -> &'static str {
        "kill"
    }
    fn aim(&self) -> Option<&Aim> {
        Some(&self.0.nodes)
    }
    fn lasts(&self) -> Option<Duration> {
        self.0.lasts
    }
    fn begin(&self, sim: &mut Sim, now: Instant, node: NodeId) {
        sim.keep_down(node);
        sim.crash(now, node, Cause::Reset);
    }
    fn end(&self, sim: &mut Sim, now: Instant, node: NodeId) {
        sim.release(now, node);
    }
}
