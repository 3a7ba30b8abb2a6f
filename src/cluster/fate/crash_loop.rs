//! `crash_loop`: the process dies, is started again as `cluster.node.restart` says, and dies again, until what is
//! wrong is mended: a bad configuration, a poisoned message, a disk that is full.
//!
//! It lies in what the process is started with, so each new process has it. The back-off goes on after the end of
//! the fault: a process that waits for its restart does not hear that it would now live.

use super::{Aim, Harm, Ills};
use crate::base::time::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list fault`.
pub const MEANING: &str = "processes crash again and again, with the back-off of cluster.node.restart in between";

/// Parameters of `crash_loop`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Whom it hits: a number of nodes, names, a share, a zone, or the fullest.
    pub nodes: Aim,
    /// How long it lasts; for good unless given.
    pub lasts: Option<Duration>,
    /// How long a process listens before it dies again; default 1 s. The first dies when the fault begins.
    #[serde(default = "one_second")]
    pub after: Duration,
}

fn one_second() -> Duration {
    Duration::from_secs(1)
}

impl Harm for Params {
    fn name(&self) -> &'static str {
        "crash_loop"
    }
    fn aim(&self) -> Option<&Aim> {
        Some(&self.nodes)
    }
    fn lasts(&self) -> Option<Duration> {
        self.lasts
    }
    fn ail(&self, ills: &mut Ills) {
        // Of several, the quickest death counts.
        ills.dies_after = Some(ills.dies_after.map_or(self.after, |after| after.min(self.after)));
    }
    fn is_of_host(&self) -> bool {
        true
    }
}
