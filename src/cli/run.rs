//! `run`: the main job. Simulates, writes the files, prints the comparison, judges the SLO.

use super::work::{Shop, Words, simulate};
use super::{Amount, End, Input, dry_run, stopped_by_ctrl_c};
use crate::experiment::{Keeps, Shard};
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
        let jobs = self.amount.threads_that_fit(&study.cells, self.words.talk.quiet)?;
        let out = self.amount.out.clone().unwrap_or_else(|| PathBuf::from("results").join(&study.name));
        let stop = stopped_by_ctrl_c();
        let shop = Shop { out: &out, jobs, quiet: self.words.talk.quiet, stop: &stop };
        let (outline, results) = simulate(&study, outline, shop, self.words.baseline.as_deref())?;
        self.words.tell(&outline, &out, &results)
    }
}
