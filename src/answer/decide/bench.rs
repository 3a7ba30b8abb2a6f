//! Runs the scenes: a scenario as a table, loaded design by design, under the same seeds.

use crate::cluster::Sim;
use crate::scenario::{Cell, Loaded, Overrides, Problems, Sources, load_layer};
use rayon::ThreadPool;
use rayon::prelude::*;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use toml::Table;

use super::figures::{Run, read};
use crate::answer::plan::{Interrupted, Seen, see};
use crate::observe::slo::Limit;

/// Where runs are made, and how many were.
pub struct Bench<'a> {
    /// The scenario's path: where relative files are looked for.
    pub path: &'a Path,
    /// Workers.
    pub threads: &'a ThreadPool,
    /// Set when the user wants to stop.
    pub stop: &'a AtomicBool,
    /// Runs so far.
    pub runs: AtomicU64,
}

impl Bench<'_> {
    /// Loads one variant of a scene; what is wrong with it, in words.
    pub fn load(&self, text: &str, variant: &str) -> Result<Loaded, String> {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let layer = sources.add("designs", text);
        let overrides = Overrides { variants: vec![variant.to_owned()], ..Overrides::default() };
        let loaded = load_layer(layer, self.path, &overrides, &mut sources, &mut problems);
        let error = problems.iter().find(|problem| problem.severity == crate::scenario::Severity::Error);
        match (error, loaded) {
            (Some(problem), _) => Err(problem.message.clone()),
            (None, Some(loaded)) => Ok(loaded),
            (None, None) => Err("it holds nothing".into()),
        }
    }

    /// Runs cells under the seeds 1 to `seeds`: by cell, what each run shows and whether it keeps the limits.
    pub fn run(&self, cells: &[&Cell], limits: &[Limit], seeds: u32) -> Result<Vec<Vec<(Run, Seen)>>, Interrupted> {
        let units: Vec<(usize, u64)> =
            (0..cells.len()).flat_map(|cell| (1..=u64::from(seeds)).map(move |seed| (cell, seed))).collect();
        let one = |&(cell, seed): &(usize, u64)| {
            let plan = &cells[cell].plan;
            let outcome = Sim::new(plan, seed, false).run(|| self.stop.load(Relaxed))?;
            self.runs.fetch_add(1, Relaxed);
            Some((read(plan, &outcome.recording)?, see(plan, limits, &outcome.recording)))
        };
        let all: Option<Vec<(Run, Seen)>> = self.threads.install(|| units.par_iter().map(one).collect());
        let all = all.ok_or(Interrupted)?;
        Ok(all.chunks(seeds as usize).map(<[_]>::to_vec).collect())
    }
}

/// A scene as a text.
pub fn text(scene: &Table) -> String {
    toml::to_string(scene).unwrap_or_default()
}
