//! `lose`: the host is gone, by a power cut or a cable. Nothing is reset and nothing is refused: everybody
//! has to find out by waiting (`cluster/silence.rs`). When the host returns it resets old connections,
//! and its process is started.

use super::{Aim, Harm, Params};
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::cluster::Sim;

/// One line for `stickysim list fault`.
pub const MEANING: &str = "hosts are gone without a word: nothing is reset, memory is gone";

/// `lose`.
#[derive(Clone, Debug)]
pub struct Lose(pub Params);

impl Harm for Lose {
    fn name(&self) -> &'static str {
        "lose"
    }
    fn aim(&self) -> Option<&Aim> {
        Some(&self.0.nodes)
    }
    fn lasts(&self) -> Option<Duration> {
        self.0.lasts
    }
    fn begin(&self, sim: &mut Sim, now: Instant, node: NodeId) {
        sim.keep_down(node);
        sim.fall_silent(now, node);
    }
    fn end(&self, sim: &mut Sim, now: Instant, node: NodeId) {
        sim.speak_again(now, node);
    }
}
