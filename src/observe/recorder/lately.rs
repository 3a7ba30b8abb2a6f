//! What was measured last: for whoever acts on it while the run goes on.

use super::{Harm, Recorder};
use crate::observe::totals::Counter;

/// What was measured of the cluster over some ticks; `None` where there was nothing to measure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lately {
    /// Busy share of slots, mean over ready nodes and ticks.
    pub utilisation: Option<f64>,
    /// Failed ÷ (failed + succeeded).
    pub error_ratio: Option<f64>,
}

impl Recorder {
    /// What the last `ticks` ticks that are over have shown, or as many as there were.
    pub fn lately(&self, ticks: usize) -> Lately {
        // The window of all stands last in each tick.
        let last = self.recording.ticks.iter().rev().step_by(self.books.len()).take(ticks);
        let (mut failed, mut succeeded, mut busy, mut measured) = (0, 0, 0.0, 0);
        for tick in last {
            failed += tick.totals.total(Harm::Failed);
            succeeded += tick.totals[Counter::Succeeded];
            if let Some(utilisation) = tick.cluster.as_ref().and_then(|cluster| cluster.utilisation_mean) {
                busy += utilisation;
                measured += 1;
            }
        }
        let finished = failed + succeeded;
        Lately {
            utilisation: (measured > 0).then(|| busy / f64::from(measured)),
            error_ratio: (finished > 0).then(|| failed as f64 / finished as f64),
        }
    }
}
