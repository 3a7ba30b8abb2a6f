//! Nodes at given times: what is known beforehand need not be measured.
//!
//! The nodes of a schedule are a proposal like that of any metric, of which the largest counts, so an autoscaler may add
//! to them (KEDA's cron scaler; the scheduled actions of EC2 Auto Scaling, which set the least number).

use crate::base::time::{Duration, Instant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Nodes at given times.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// How many from when on, in order. Before the first the last of the period before counts, or nothing without
    /// `every`.
    pub steps: Vec<Stage>,
    /// Begins anew after so long, such as a day; the steps lie within that. Never unless given.
    pub every: Option<Duration>,
}

/// So many nodes from then on.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Since the start of the run, or of the period.
    pub at: Duration,
    /// How many nodes at least.
    pub nodes: u32,
}

impl Schedule {
    /// What is wrong: (key, message, how to mend it).
    pub fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut faults = Vec::new();
        if self.steps.is_empty() {
            faults.push(("steps", "this schedule has no steps".into(), "write [{ at = \"8h\", nodes = 10 }, …]"));
        }
        if let Some(two) = self.steps.windows(2).find(|two| two[1].at <= two[0].at) {
            let message = format!("a step at {} does not come after that at {}", two[1].at, two[0].at);
            faults.push(("steps", message, "write the steps in the order of their times, each once"));
        }
        if self.every.is_some_and(Duration::is_zero) {
            faults.push(("every", "every is zero".into(), "write a time such as \"24h\", or leave it out"));
        } else if let Some((every, late)) =
            self.every.and_then(|every| Some((every, self.steps.iter().find(|step| step.at >= every)?)))
        {
            let message = format!("a step at {} never comes: the schedule begins anew after {every}", late.at);
            faults.push(("steps", message, "let it come earlier, or lengthen every"));
        }
        faults
    }

    /// How many nodes it asks for now, if it says anything yet.
    pub fn nodes(&self, now: Instant) -> Option<u32> {
        let since = now.since(Instant::START);
        let phase = match self.every {
            Some(every) => Duration::from_nanos(since.as_nanos() % every.as_nanos()),
            None => since,
        };
        let begun = self.steps.iter().take_while(|step| step.at <= phase).last();
        begun.or_else(|| self.every.and(self.steps.last())).map(|step| step.nodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn schedule(every: Option<Duration>) -> Schedule {
        let steps = [(8, 10), (20, 4)].map(|(at, nodes)| Stage { at: HOUR * at, nodes });
        Schedule { steps: steps.to_vec(), every }
    }

    #[test]
    fn the_night_before_the_first_step_belongs_to_the_evening_before() {
        let hours = [0, 7, 8, 19, 20, 31, 32, 50];
        let nodes = |every| hours.map(|hour| schedule(every).nodes(Instant::START + HOUR * hour));
        assert_eq!(nodes(Some(HOUR * 24)), [4, 4, 10, 10, 4, 4, 10, 4].map(Some));
        let once = [None, None, Some(10), Some(10), Some(4), Some(4), Some(4), Some(4)];
        assert_eq!(nodes(None), once);
    }
}
