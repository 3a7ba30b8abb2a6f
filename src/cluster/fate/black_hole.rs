//! `black_hole`: the node answers every request with an error at once. Being quick it looks idle, and an
//! algorithm that looks at loads sends it ever more.

use super::{Aim, Harm};
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::cluster::Sim;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list fault`.
pub const MEANING: &str = "every request is answered with an error at once, so that the node looks idle";

/// Parameters of `black_hole`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Whom it hits: a number of nodes, names, a share, a zone, or the fullest.
    pub nodes: Aim,
    /// How long it lasts; for good unless given.
    pub lasts: Option<Duration>,
    /// Whether an `http` health check is answered well all the same; default yes.
    #[serde(default = "yes")]
    pub looks_healthy: bool,
}

fn yes() -> bool {
    true
}

impl Harm for Params {
    fn name(&self) -> &'static str {
        "black_hole"
    }
    fn aim(&self) -> &Aim {
        &self.nodes
    }
    fn lasts(&self) -> Option<Duration> {
        self.lasts
    }
    fn begin(&self, sim: &mut Sim, _: Instant, node: NodeId) {
        let node = sim.fleet.node(node);
        (node.answers_errors, node.hides_errors) = (true, self.looks_healthy);
    }
    fn end(&self, sim: &mut Sim, _: Instant, node: NodeId) {
        sim.fleet.node(node).answers_errors = false;
    }
}
