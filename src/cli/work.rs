//! What `run`, `sweep` and `merge` have in common: units are run, their results shown, the limits judged.

use super::progress::Display;
use super::{End, Format, Talk, print, say};
use crate::experiment::parts::Parts;
use crate::experiment::{self, Outline, Study, Unit};
use crate::output::Results;
use crate::output::table::{self, Judged};
use crate::output::{files, json, precision};
use anstream::{AutoStream, ColorChoice};
use clap::Args;
use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// What is to be said of the results.
#[derive(Args)]
pub struct Words {
    /// The variant that the others are compared with. Default: the first.
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<String>,
    /// The variant whose violated limits make the exit code 99. Default: the only one.
    #[arg(long, value_name = "NAME")]
    pub gate: Option<String>,
    #[command(flatten)]
    pub talk: Talk,
}

impl Words {
    /// Names on the command line must be variants.
    pub fn check_names(&self, study: &Outline) -> Result<(), End> {
        let variants = study.variants();
        for (flag, name) in [("--baseline", &self.baseline), ("--gate", &self.gate)] {
            if let Some(name) = name.as_deref().filter(|name| !variants.contains(name)) {
                let known: Vec<String> = variants.iter().map(|known| format!("`{known}`")).collect();
                say(&format!(
                    "error: {flag}: there is no variant `{name}`\nhint: the variants are {}",
                    known.join(", ")
                ));
                return Err(End::BadInput);
            }
        }
        Ok(())
    }

    /// Prints what came out, and judges it.
    pub fn tell(&self, study: &Outline, out: &Path, results: &Results) -> Result<(), End> {
        let judged = table::judge(study, results);
        match self.show(study, out, results, &judged) {
            // Nobody reads the table; the limits are judged all the same.
            Ok(()) | Err(End::Closed) => self.judge(study, &judged),
            Err(end) => Err(end),
        }
    }

    fn show(&self, study: &Outline, out: &Path, results: &Results, judged: &[Judged]) -> Result<(), End> {
        if self.talk.quiet {
            return Ok(());
        }
        match self.talk.format {
            Format::Table => {
                print(&painted(table::comparison(study, results, judged, columns().unwrap_or(table::COLUMNS))))?
            }
            Format::Csv => print(&read(&out.join("summary.csv"))?)?,
            Format::Json => print(&json::read(out)?)?,
        }
        say(&format!("results are in {}", out.display()));
        Ok(())
    }

    fn judge(&self, study: &Outline, judged: &[Judged]) -> Result<(), End> {
        let variants = study.variants();
        let only = (variants.len() == 1).then(|| variants[0]);
        let Some(gate) = self.gate.as_deref().or(only) else { return Ok(()) };
        let is_violated = |judged: &&Judged| judged.variant == gate && judged.is_violated();
        if judged.iter().any(|judged| is_violated(&judged)) { Err(End::Violated) } else { Ok(()) }
    }
}

/// Who works, where, and what is said meanwhile.
#[derive(Clone, Copy)]
pub struct Shop<'a> {
    /// Folder of the results.
    pub out: &'a Path,
    /// Threads.
    pub jobs: NonZeroUsize,
    /// Nothing is said but errors.
    pub quiet: bool,
    /// Set when the user wants it to stop.
    pub stop: &'a AtomicBool,
}

/// Runs all units, or as many seeds as the goals of precision take, and writes the results. Returns also what was run.
pub fn simulate(
    study: &Study,
    outline: Outline,
    shop: Shop,
    baseline: Option<&str>,
) -> Result<(Outline, Results), End> {
    if study.precision.is_empty() {
        run_units(study, &outline, &|_| true, shop)?;
        let results = files::write(&outline, shop.out, baseline)?;
        return Ok((outline, results));
    }
    let parts = Parts::new(&outline.plan_id, shop.out);
    let mut seeds = study.seeds_first;
    loop {
        run_units(study, &outline, &|unit| unit.seed <= u64::from(seeds), shop)?;
        let (reached, needed) = precision::look(&outline, &parts, seeds)?;
        let is_over = seeds == study.seeds || reached.iter().all(|goal| goal.is_met);
        if !is_over {
            // What is needed is guessed from few seeds: not too far at once, and not in too small steps.
            seeds = needed.clamp(seeds + seeds.div_ceil(4), seeds.saturating_mul(2)).min(study.seeds);
            continue;
        }
        if !shop.quiet {
            reached.iter().for_each(|goal| say(&goal.words(seeds)));
        }
        let results = files::write_first(&outline, seeds, reached, shop.out, baseline)?;
        return Ok((Outline { seeds, ..outline }, results));
    }
}

/// Runs the units that are wanted and not finished yet.
pub fn run_units(study: &Study, outline: &Outline, wanted: &dyn Fn(Unit) -> bool, shop: Shop) -> Result<(), End> {
    let display = Display::new(shop.quiet);
    let report = experiment::run(study, outline, wanted, shop.out, shop.jobs, shop.stop, &display);
    display.end();
    let report = report?;
    if report.is_complete() {
        return Ok(());
    }
    let kept = report.finished + report.reused;
    say(&format!("interrupted: {kept} of {} runs are kept; the same command goes on from there", report.units));
    Err(End::Interrupted)
}

/// How many columns the terminal has, if there is one.
pub fn columns() -> Option<usize> {
    let size = || console::Term::stdout().size_checked();
    std::io::stdout().is_terminal().then(size).flatten().map(|(_, columns)| usize::from(columns))
}

/// The signs of a table in colour, where stdout takes it; they say the same without.
fn painted(text: String) -> String {
    if AutoStream::choice(&std::io::stdout()) == ColorChoice::Never {
        return text;
    }
    let paint =
        |text: String, sign: &str, colour: &str| text.replace(sign, &format!("\u{1b}[{colour}m{sign}\u{1b}[0m"));
    [("✓", "32"), ("kept  ", "32"), ("VIOLATED", "31"), ("not resolved  ", "33")]
        .into_iter()
        .fold(text, |text, (sign, colour)| paint(text, sign, colour))
}

fn read(path: &Path) -> Result<String, End> {
    std::fs::read_to_string(path).map_err(|error| End::Failed(format!("cannot read {}: {error}", path.display())))
}
