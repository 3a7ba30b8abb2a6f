//! `black_hole`: the node answers every request with an error at once. Being quick it looks idle, and an
//! algorithm that looks at loads sends it ever more.

use super::{Aim, Harm, Ills};
use crate::base::time::Duration;
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
    fn aim(&self) -> Option<&Aim> {
        Some(&self.nodes)
    }
    fn lasts(&self) -> Option<Duration> {
        self.lasts
    }
    fn ail(&self, ills: &mut Ills) {
        // Of several, the one that health checks see counts.
        ills.hides_errors = self.looks_healthy && (ills.hides_errors || !ills.answers_errors);
        ills.answers_errors = true;
    }
}
