//! `sweep`: the main job over many values, on one machine or on many.

use super::work::{Shop, Words, run_units, simulate};
use super::{Amount, End, Format, Input, dry_run, print, say, stopped_by_ctrl_c};
use crate::experiment::parts;
use crate::experiment::{Keeps, Outline, Shard};
use crate::scenario::Sweeps;
use clap::Args;
use std::path::PathBuf;

/// Simulate a grid or a sample of values, whole or in shards.
#[derive(Args)]
pub struct Sweep {
    #[command(flatten)]
    input: Input,
    /// A key and the values to try: `cluster.nodes=6..12`, `clients.web.think=1s..5s:1s`, `balancer.balance=random,leastconn`;
    /// may be repeated, for all combinations. Stands in for the same key of [sweep].
    #[arg(long, value_name = "KEY=VALUES")]
    vary: Vec<String>,
    /// Try so many points instead of all combinations: a Latin hypercube, in which each key takes values from all parts
    /// of its range.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    sample: Option<u32>,
    /// Run only the K-th of N shares of the runs, and leave them in parts/ for `merge`.
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    #[command(flatten)]
    amount: Amount,
    #[command(flatten)]
    words: Words,
    /// Also keep a row per tick: ticks.csv, causes.csv and bands.csv.
    #[arg(long)]
    ticks: bool,
    /// Also keep nodes.csv: a row per tick and node.
    #[arg(long)]
    nodes: bool,
    /// Validate, count the runs and estimate time and memory; with --format csv, list them. Write nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Sweep {
    /// Runs the verb.
    pub fn run(self) -> Result<(), End> {
        let sweeps = Sweeps { vary: self.vary.clone(), sample: self.sample };
        let study = self.input.study(self.words.talk.quiet, Keeps { ticks: self.ticks, nodes: self.nodes }, &sweeps)?;
        let outline = study.outline();
        self.words.check_names(&outline)?;
        if self.shard.is_some() && !study.precision.is_empty() {
            say("error: --shard: how many seeds [precision] takes is known only when all have been run\n\
                 hint: leave out [precision] and give --seeds, or run it on one machine");
            return Err(End::BadInput);
        }
        let (jobs, shard) = (self.amount.threads(), self.shard.unwrap_or(Shard::WHOLE));
        if self.dry_run {
            return match self.words.talk.format {
                Format::Csv => print(&listed(&outline, shard)),
                _ => dry_run::run(&study, &outline, shard, jobs.get()),
            };
        }
        let jobs = self.amount.threads_that_fit(&study.cells, self.words.talk.quiet)?;
        let out = self.amount.out.clone().unwrap_or_else(|| PathBuf::from("results").join(&study.name));
        let stop = stopped_by_ctrl_c();
        let shop = Shop { out: &out, jobs, quiet: self.words.talk.quiet, stop: &stop };
        if self.shard.is_some() {
            if let Some(other) = parts::outline(&out)?.filter(|other| other.plan_id != outline.plan_id) {
                let (folder, name) = (out.display(), other.name);
                return Err(End::Failed(format!(
                    "{folder} holds runs of another plan (`{name}`)\nhint: write --out to another folder, or remove it"
                )));
            }
            run_units(&study, &outline, &|unit| shard.takes(unit), shop)?;
            if !self.words.talk.quiet {
                say(&format!("shard {shard} is finished in {}; join all with `stickysim merge`", out.display()));
            }
            return Ok(());
        }
        let (outline, results) = simulate(&study, outline, shop, self.words.baseline.as_deref())?;
        self.words.tell(&outline, &out, &results)
    }
}

/// The units as CSV.
fn listed(outline: &Outline, shard: Shard) -> String {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut row = |fields: [&str; 4]| csv.write_record(fields).expect("memory takes every row");
    row(["unit", "variant", "point", "seed"]);
    for unit in (0..outline.unit_count()).map(|number| outline.unit(number)).filter(|&unit| shard.takes(unit)) {
        let place = &outline.cells[unit.cell];
        row([&unit.number.to_string(), &place.variant, &place.point, &unit.seed.to_string()]);
    }
    let bytes = csv.into_inner().expect("memory takes every row");
    String::from_utf8(bytes).expect("fields are text")
}
