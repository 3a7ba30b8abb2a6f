//! `run`: the main job. Simulates, writes the files, prints the comparison, judges the SLO.

use super::progress::Display;
use super::{End, Format, Input, Options, dry_run, print, say, stopped_by_ctrl_c};
use crate::experiment::{self, Study};
use crate::output::table::{self, Judged};
use crate::output::{Results, files};
use clap::Args;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// Simulate and compare.
#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    options: Options,
    /// The variant that the others are compared with. Default: the first.
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
    /// The variant whose violated limits make the exit code 99. Default: the only one.
    #[arg(long, value_name = "NAME")]
    gate: Option<String>,
    /// Also keep nodes.csv: a row per tick and node.
    #[arg(long)]
    nodes: bool,
    /// Validate, count the runs and estimate time and memory; write nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Run {
    /// Runs the verb.
    pub fn run(self) -> Result<(), End> {
        let (study, slo) = self.input.study(self.options.quiet, self.nodes)?;
        self.check_names(&study)?;
        let jobs = self.options.threads();
        if self.dry_run {
            return dry_run::run(&study, jobs.get());
        }
        let out = self.options.out.clone().unwrap_or_else(|| PathBuf::from("results").join(&study.name));
        self.simulate(&study, &out, jobs)?;
        let results = files::write(&study, &out, self.baseline.as_deref())?;
        let judged = table::judge(&study, &results, &slo);
        match self.show(&study, &out, &results, &judged) {
            // Nobody reads the table; the limits are judged all the same.
            Ok(()) | Err(End::Closed) => {}
            Err(end) => return Err(end),
        }
        self.gate(&study, &judged)
    }

    fn show(&self, study: &Study, out: &Path, results: &Results, judged: &[Judged]) -> Result<(), End> {
        if self.options.quiet {
            return Ok(());
        }
        match self.options.format {
            Format::Table => print(&table::comparison(study, results, judged))?,
            Format::Csv => print(&read(&out.join("summary.csv"))?)?,
            Format::Json => print(&table::json(results).map_err(|e| End::Failed(e.to_string()))?)?,
        }
        say(&format!("results are in {}", out.display()));
        Ok(())
    }

    /// Names on the command line must be variants.
    fn check_names(&self, study: &Study) -> Result<(), End> {
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

    fn simulate(&self, study: &Study, out: &Path, jobs: NonZeroUsize) -> Result<(), End> {
        let stop = stopped_by_ctrl_c();
        let display = Display::new(self.options.quiet);
        let report = experiment::run(study, out, jobs, &stop, &display);
        display.end();
        let report = report?;
        if report.is_complete() {
            return Ok(());
        }
        say(&format!(
            "interrupted: {} of {} runs are kept; the same command goes on from there",
            report.finished + report.reused,
            report.units
        ));
        Err(End::Interrupted)
    }

    fn gate(&self, study: &Study, judged: &[Judged]) -> Result<(), End> {
        let variants = study.variants();
        let only = (variants.len() == 1).then(|| variants[0]);
        let Some(gate) = self.gate.as_deref().or(only) else { return Ok(()) };
        let is_violated = |judged: &&Judged| judged.variant == gate && judged.is_violated();
        if judged.iter().any(|judged| is_violated(&judged)) { Err(End::Violated) } else { Ok(()) }
    }
}

fn read(path: &Path) -> Result<String, End> {
    std::fs::read_to_string(path).map_err(|error| End::Failed(format!("cannot read {}: {error}", path.display())))
}
