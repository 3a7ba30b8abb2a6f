//! Which is the smallest value of a key that keeps every limit of `[slo]`, or the largest?
//!
//! For every variant (and sweep point) a bisection over the values, each judged by a sequential test over seeds, and
//! probes beyond the answer on both sides. Every value meets the same seeds, so two values differ by the value alone.

mod search;
mod show;
mod trial;

pub use search::{Evidence, Found, Role, Verdict, search};
pub use show::{FIELDS, csv, json, table};
pub use trial::{Seen, Worst, see};

use crate::cluster::Sim;
use crate::experiment::Cell;
use crate::observe::slo::Limit;
use crate::scenario::Find;
use crate::statistics::{Sequential, sequential};
use rayon::ThreadPool;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The study's name.
    pub name: String,
    /// The key and its values.
    pub find: Find,
    /// Whether the largest value is wanted that keeps the limits, not the smallest.
    pub wants_largest: bool,
    /// The limits that must hold.
    pub limits: Vec<Limit>,
    /// The share of seeds in which they must hold; in (0, 1).
    pub share: f64,
    /// The confidence of every claim; in (0, 1).
    pub confidence: f64,
    /// The most runs for one value.
    pub runs_max: u32,
    /// Seeds are counted from this one.
    pub first_seed: u64,
}

impl Question {
    /// The share that can be proven: the one asked for, unless so few runs can never prove that much.
    pub fn claim(&self) -> f64 {
        let clean = sequential::clean_runs(self.share, self.confidence);
        if clean.is_some_and(|runs| runs <= self.runs_max) {
            return self.share;
        }
        // So much is proven by all of them without a miss; a little less, that rounding cannot take the proof away.
        let exact = libm::pow(1.0 - self.confidence, 1.0 / f64::from(self.runs_max));
        exact * (1.0 - 1e-12)
    }

    /// The place among all values, ascending, of a place in the search, which goes from failing to passing.
    pub fn value_at(&self, place: usize) -> usize {
        if self.wants_largest { self.find.count() - 1 - place } else { place }
    }
}

/// The answer for one variant at one sweep point.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The variant.
    pub variant: String,
    /// The sweep point; empty without a sweep.
    pub point: String,
    /// What was found; places go from failing to passing.
    pub found: Found,
}

/// Told how a search gets on.
pub trait Watch {
    /// A value of this variant and point has been judged by so many runs.
    fn judged(&self, variant: &str, point: &str, value: &str, evidence: &Evidence);
}

/// Stopped by the user.
#[derive(Debug)]
pub struct Interrupted;

/// Answers the question for every variant and point. `load` gives the cells under a value, in the same order for
/// every value.
pub fn answer<E: From<Interrupted>>(
    question: &Question,
    mut load: impl FnMut(usize) -> Result<Vec<Cell>, E>,
    threads: &ThreadPool,
    stop: &AtomicBool,
    watch: &dyn Watch,
) -> Result<Vec<Answer>, E> {
    let mut loaded: BTreeMap<usize, Vec<Cell>> = BTreeMap::new();
    // Both ends first: what is wrong with a range is told before anything runs.
    cells(&mut loaded, &mut load, question.find.count() - 1)?;
    let names = |cell: &Cell| (cell.variant.clone(), cell.point.clone());
    let cases: Vec<(String, String)> = cells(&mut loaded, &mut load, 0)?.iter().map(names).collect();
    let test = Sequential::new(question.claim(), question.confidence, question.runs_max);
    let mut answers = Vec::new();
    for (case, (variant, point)) in cases.into_iter().enumerate() {
        let trial = |place: usize, from: u32, to: u32| -> Result<Vec<Seen>, E> {
            let value = question.value_at(place);
            let cell = &cells(&mut loaded, &mut load, value)?[case];
            let seen = run(cell, question, from, to, threads, stop);
            seen.ok_or_else(|| Interrupted.into())
        };
        let told = |place: usize, evidence: &Evidence| {
            watch.judged(&variant, &point, &question.find.value(question.value_at(place)), evidence);
        };
        let found = search(question.find.count(), question.claim(), &test, trial, told)?;
        answers.push(Answer { variant, point, found });
    }
    Ok(answers)
}

/// The cells under a value, loaded when they are first asked for.
fn cells<'a, E>(
    loaded: &'a mut BTreeMap<usize, Vec<Cell>>,
    load: &mut impl FnMut(usize) -> Result<Vec<Cell>, E>,
    value: usize,
) -> Result<&'a [Cell], E> {
    Ok(match loaded.entry(value) {
        Entry::Occupied(there) => there.into_mut(),
        Entry::Vacant(free) => free.insert(load(value)?),
    })
}

/// Runs a cell under some of the seeds; `None` when it was stopped.
fn run(
    cell: &Cell,
    question: &Question,
    from: u32,
    to: u32,
    threads: &ThreadPool,
    stop: &AtomicBool,
) -> Option<Vec<Seen>> {
    let one = |seed: u32| {
        let seed = question.first_seed + u64::from(seed);
        let outcome = Sim::new(&cell.plan, seed, false).run(|| stop.load(Relaxed))?;
        Some(see(&cell.plan, &question.limits, &outcome.recording))
    };
    threads.install(|| (from..to).into_par_iter().map(one).collect())
}
