//! `--dry-run`: how many runs, about how long, about how much memory; nothing is written.

use super::{End, print};
use crate::cluster::Sim;
use crate::experiment::{Outline, Shard, Study};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// So long the first run of each variant is tried.
const TRIAL: Duration = Duration::from_millis(300);

/// So many cells are tried at most.
const TRIALS_MAX: usize = 30;

/// Estimates and prints.
pub fn run(study: &Study, outline: &Outline, shard: Shard, jobs: usize) -> Result<(), End> {
    let units = study.units().filter(|&unit| shard.takes(unit)).count();
    // Long sweeps are judged by cells here and there.
    let tried: Vec<f64> = study.cells.iter().step_by(study.cells.len().div_ceil(TRIALS_MAX)).map(seconds_of).collect();
    let seconds = tried.iter().sum::<f64>() / tried.len().max(1) as f64 * units as f64;
    let memory = study.cells.iter().map(|cell| cell.plan.memory_estimate()).max().unwrap_or(0);
    let at_once = jobs.min(units);
    print(&format!(
        "{}: {} runs of {} variant(s) × {} point(s) × {} seed(s)\nabout {} on {jobs} thread(s), {:.0} MiB of memory\n",
        study.name,
        units,
        outline.variants().len(),
        outline.points().len(),
        study.seeds,
        human(seconds / at_once as f64),
        memory as f64 * at_once as f64 / (1 << 20) as f64,
    ))
}

/// Wall time of one run, from a short trial.
#[expect(clippy::disallowed_methods, reason = "an estimate of wall time needs a wall clock; no result depends on it")]
fn seconds_of(cell: &crate::experiment::Cell) -> f64 {
    let began = Instant::now();
    let ticks = Cell::new(0u32);
    let stop = || {
        ticks.set(ticks.get() + 1);
        began.elapsed() > TRIAL
    };
    let finished = Sim::new(&cell.plan, 1, false).run(stop).is_some();
    let passed = began.elapsed().as_secs_f64();
    if finished {
        return passed;
    }
    let all = cell.plan.end.as_secs_f64() / (cell.plan.tick.as_nanos() as f64 / 1e9);
    passed * all / f64::from(ticks.get().max(1))
}

fn human(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.0} h", s / 3_600.0),
    }
}
