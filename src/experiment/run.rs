//! Who works on which unit? Threads take the next unit in plan order, and keep each as it is finished.
//!
//! Nothing here depends on the number of threads but the wall time.

use super::parts::Parts;
use super::unit::{Unit, run_unit};
use super::{Failure, Outline, Study};
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Told how a run gets on, from any thread.
pub trait Progress: Sync {
    /// It begins: so many units, of which some were finished before.
    fn begins(&self, _units: usize, _reused: usize) {}
    /// A unit is finished and kept.
    fn finished(&self, _unit: Unit, _events: u64) {}
}

/// Nobody is told.
impl Progress for () {}

/// How a run went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    /// Units that are wanted.
    pub units: usize,
    /// Units that an earlier run had finished.
    pub reused: usize,
    /// Units that this one finished.
    pub finished: usize,
    /// Events those handled.
    pub events: u64,
}

impl Report {
    /// Whether every unit is finished; otherwise it was stopped, and can be resumed.
    pub fn is_complete(&self) -> bool {
        self.reused + self.finished == self.units
    }
}

/// Runs the units that are `wanted` and not yet in `out`/parts on `jobs` threads, until `stop` is set.
pub fn run(
    study: &Study,
    outline: &Outline,
    wanted: &dyn Fn(Unit) -> bool,
    out: &Path,
    jobs: NonZeroUsize,
    stop: &AtomicBool,
    progress: &dyn Progress,
) -> Result<Report, Failure> {
    let parts = Parts::new(&outline.plan_id, out);
    let (_lock, finished) = parts.open(outline)?;
    let own: Vec<Unit> = study.units().filter(|&unit| wanted(unit)).collect();
    let missing: Vec<Unit> = own.iter().copied().filter(|unit| !finished[unit.number]).collect();
    let (units, reused) = (own.len(), own.len() - missing.len());
    progress.begins(units, reused);
    if missing.is_empty() {
        return Ok(Report { units, reused, finished: 0, events: 0 });
    }
    let shop = Shop {
        study,
        parts: &parts,
        missing: &missing,
        stop,
        progress,
        next: AtomicUsize::new(0),
        failed: AtomicBool::new(false),
        finished: AtomicUsize::new(0),
        events: AtomicU64::new(0),
    };
    let threads = rayon::ThreadPoolBuilder::new().num_threads(jobs.get().min(missing.len())).build();
    let threads = threads.map_err(|error| Failure::to("start threads for", out)(io::Error::other(error)))?;
    let ends = threads.broadcast(|_| shop.work());
    ends.into_iter().collect::<Result<(), Failure>>()?;
    Ok(Report { units, reused, finished: shop.finished.into_inner(), events: shop.events.into_inner() })
}

/// What the threads share.
struct Shop<'a> {
    study: &'a Study,
    parts: &'a Parts,
    missing: &'a [Unit],
    stop: &'a AtomicBool,
    progress: &'a dyn Progress,
    next: AtomicUsize,
    // A thread could not write: the others need not go on.
    failed: AtomicBool,
    finished: AtomicUsize,
    events: AtomicU64,
}

impl Shop<'_> {
    /// One thread's work.
    fn work(&self) -> Result<(), Failure> {
        let stop = || self.stop.load(Relaxed) || self.failed.load(Relaxed);
        while !stop()
            && let Some(&unit) = self.missing.get(self.next.fetch_add(1, Relaxed))
        {
            let Some(rows) = run_unit(self.study, unit, stop) else { break };
            let events = rows.events;
            self.parts.write(unit.number, rows).inspect_err(|_| self.failed.store(true, Relaxed))?;
            self.finished.fetch_add(1, Relaxed);
            self.events.fetch_add(events, Relaxed);
            self.progress.finished(unit, events);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Shard;
    use super::super::testing::{StopAfter, run_all as run, study};
    use super::{run as run_units, *};
    use std::fs;

    const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

    #[test]
    fn what_is_finished_is_not_done_again() {
        let (study, out) = (study(2), tempfile::tempdir().unwrap());
        let stop = StopAfter::new(3);
        let first = run(&study, out.path(), NonZeroUsize::MIN, &stop.stop, &stop).unwrap();
        assert_eq!((first.finished, first.reused, first.is_complete()), (3, 0, false));
        let second = run(&study, out.path(), TWO, &AtomicBool::new(false), &()).unwrap();
        assert_eq!((second.finished, second.reused, second.is_complete()), (5, 3, true));
        let third = run(&study, out.path(), TWO, &AtomicBool::new(false), &()).unwrap();
        assert_eq!((third.finished, third.reused, third.events), (0, 8, 0));
    }

    #[test]
    fn a_shard_does_its_own_part_and_no_more() {
        let (study, out) = (study(2), tempfile::tempdir().unwrap());
        let shard = |text: &str| {
            let (stop, shard) = (AtomicBool::new(false), text.parse::<Shard>().unwrap());
            run_units(&study, &study.outline(), &|unit| shard.takes(unit), out.path(), TWO, &stop, &()).unwrap()
        };
        let first = shard("2/3");
        assert_eq!((first.units, first.finished, first.is_complete()), (3, 3, true));
        assert_eq!((shard("2/3").reused, shard("3/3").finished), (3, 2));
    }

    #[test]
    fn two_runs_do_not_share_a_folder() {
        let (study, out) = (study(1), tempfile::tempdir().unwrap());
        let parts = Parts::new(&study.outline().plan_id, out.path());
        let lock = parts.open(&study.outline()).unwrap();
        let found = run(&study, out.path(), TWO, &AtomicBool::new(false), &()).unwrap_err();
        assert!(found.to_string().contains("another run is at work"), "{found}");
        drop(lock);
        assert!(run(&study, out.path(), TWO, &AtomicBool::new(false), &()).is_ok());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_with_its_path() {
        let out = tempfile::tempdir().unwrap();
        let file = out.path().join("file");
        fs::write(&file, "").unwrap();
        let found = run(&study(1), &file.join("out"), TWO, &AtomicBool::new(false), &()).unwrap_err();
        assert!(found.to_string().contains("file/out/parts: "), "{found}");
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
    }
}
