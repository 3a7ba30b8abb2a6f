//! How long a warm-up do all cells need? MSER-5 in pilot runs, each cut off where the first fault or change begins.

use super::Cell;
use crate::base::time::{Duration, Instant};
use crate::cluster::Sim;
use crate::cluster::plan::Plan;
use rayon::prelude::*;

/// Pilot runs of each cell, under the seeds 1 to this; the median of them counts.
pub const PILOTS: u64 = 5;

/// A cell that has no steady state before anything happens to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsettled {
    /// Its variant.
    pub variant: String,
    /// Its sweep point.
    pub point: String,
    /// Where its pilots ended.
    pub until: Instant,
}

/// The longest warm-up that any cell needs, in whole ticks: one for all, so that variants stay comparable.
pub fn warmup(cells: &[Cell]) -> Result<Duration, Unsettled> {
    let needs: Vec<Result<Duration, Unsettled>> = cells.par_iter().map(need).collect();
    needs.into_iter().try_fold(Duration::ZERO, |longest, need| Ok(longest.max(need?)))
}

fn need(cell: &Cell) -> Result<Duration, Unsettled> {
    let plan = quiet_part(&cell.plan);
    let pilot = |seed| {
        let outcome = Sim::new(&plan, seed, false).run(|| false)?;
        outcome.recording.runs.last()?.1.steadiness?.warmup_needed
    };
    let mut found: Vec<Option<Duration>> = (1..=PILOTS).map(pilot).collect();
    // What has not settled needs longer than anything that has.
    found.sort_by_key(|need| (need.is_none(), *need));
    found[found.len() / 2].ok_or_else(|| Unsettled {
        variant: cell.variant.clone(),
        point: cell.point.clone(),
        until: plan.end,
    })
}

/// The plan as far as the tick in which the first fault or change begins.
fn quiet_part(plan: &Plan) -> Plan {
    let faults = plan.faults.iter().filter_map(|fault| fault.at());
    let first = faults.chain(plan.changes.iter().map(|change| change.at)).min().unwrap_or(plan.end);
    let ticks = first.min(plan.end).since(Instant::START).as_nanos() / plan.tick.as_nanos();
    Plan { end: Instant::START + plan.tick * ticks.max(1), warmup: Instant::START, ..plan.clone() }
}

#[cfg(test)]
mod tests {
    use super::super::testing::study;
    use super::*;

    #[test]
    fn a_pilot_ends_where_the_first_fault_begins() {
        let study = study(1);
        let plan = quiet_part(&study.cells[0].plan);
        assert_eq!((plan.end, plan.warmup), (Instant::START + Duration::from_secs(30), Instant::START));
    }

    #[test]
    fn too_short_a_quiet_part_has_no_steady_state() {
        // Thirty ticks are six batches; MSER-5 asks for ten.
        let found = warmup(&study(1).cells).unwrap_err();
        assert_eq!((found.variant.as_str(), found.point.as_str()), ("sticky, in memory", "nodes=2"));
    }
}
