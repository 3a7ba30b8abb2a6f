//! `run`: the main job. Simulates, writes the files, prints the comparison, judges the SLO.

use super::work::{Words, simulate};
use super::{Amount, End, Input, dry_run};
use crate::experiment::{Keeps, Shard};
use crate::output::files;
use clap::Args;
use std::path::PathBuf;

/// Simulate and compare.
#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    amount: Amount,
    #[command(flatten)]
    words: Words,
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
        let study =
            self.input.study(self.words.talk.quiet, Keeps { ticks: true, nodes: self.nodes }, &Default::default())?;
        let outline = study.outline();
        self.words.check_names(&outline)?;
        let jobs = self.amount.threads();
        if self.dry_run {
            return dry_run::run(&study, &outline, Shard::WHOLE, jobs.get());
        }
        let out = self.amount.out.clone().unwrap_or_else(|| PathBuf::from("results").join(&study.name));
        simulate(&study, &outline, Shard::WHOLE, &out, jobs, self.words.talk.quiet)?;
        let results = files::write(&outline, &out, self.words.baseline.as_deref())?;
        self.words.tell(&outline, &out, &results)
    }
}
