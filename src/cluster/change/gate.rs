//! May a roll go on? Only while the cluster is well.

use crate::base::time::Duration;
use crate::base::units::Share;
use crate::cluster::Sim;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What must not be exceeded for the next turn to begin.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Busy share of slots, mean over ready nodes.
    pub utilisation: Option<Share>,
    /// Share of the requests that came to their end and failed.
    pub error_ratio: Option<Share>,
    /// Over this time, in whole ticks, rounded up; above zero, default 30 s.
    #[serde(default = "half_a_minute")]
    pub over: Duration,
}

fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

impl Gate {
    /// What is wrong with it: (message, how to mend it).
    pub fn faults(&self) -> Option<(String, &'static str)> {
        if self.utilisation.is_none() && self.error_ratio.is_none() {
            return Some(("this gate is always open".into(), "add error_ratio = \"1%\" or utilisation = \"80%\""));
        }
        self.over
            .is_zero()
            .then(|| ("over is zero: nothing is measured in no time".into(), "write a time such as \"30s\""))
    }
}

impl Sim<'_> {
    /// Whether what was measured last lets a change go on.
    pub(super) fn passes(&self, gate: &Gate) -> bool {
        let ticks = gate.over.as_nanos().div_ceil(self.plan.tick.as_nanos());
        let seen = self.recorder.lately(ticks as usize);
        let within =
            |bound: Option<Share>, seen: Option<f64>| bound.zip(seen).is_none_or(|(bound, seen)| seen <= bound.ratio());
        within(gate.utilisation, seen.utilisation) && within(gate.error_ratio, seen.error_ratio)
    }
}
