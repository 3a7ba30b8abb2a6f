//! What `run`, `sweep` and `merge` have in common: units are run, their results shown, the limits judged.

use super::progress::Display;
use super::{End, Format, Talk, print, say, stopped_by_ctrl_c};
use crate::experiment::{self, Outline, Shard, Study};
use crate::output::Results;
use crate::output::table::{self, Judged};
use clap::Args;
use std::num::NonZeroUsize;
use std::path::Path;

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
            Format::Table => print(&table::comparison(study, results, judged))?,
            Format::Csv => print(&read(&out.join("summary.csv"))?)?,
            Format::Json => print(&table::json(results).map_err(|e| End::Failed(e.to_string()))?)?,
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

/// Runs the units of a shard that are not finished yet.
pub fn simulate(
    study: &Study,
    outline: &Outline,
    shard: Shard,
    out: &Path,
    jobs: NonZeroUsize,
    quiet: bool,
) -> Result<(), End> {
    let stop = stopped_by_ctrl_c();
    let display = Display::new(quiet);
    let report = experiment::run(study, outline, shard, out, jobs, &stop, &display);
    display.end();
    let report = report?;
    if report.is_complete() {
        return Ok(());
    }
    let kept = report.finished + report.reused;
    say(&format!("interrupted: {kept} of {} runs are kept; the same command goes on from there", report.units));
    Err(End::Interrupted)
}

fn read(path: &Path) -> Result<String, End> {
    std::fs::read_to_string(path).map_err(|error| End::Failed(format!("cannot read {}: {error}", path.display())))
}
