//! `checklist`: the four operational questions of a review, answered for a scenario by runs that can be repeated.

use super::work::{Shop, simulate};
use super::{Amount, End, Format, Input, Source, Talk, print, say, stopped_by_ctrl_c};
use crate::base::units::Share;
use crate::experiment::identity::sha256;
use crate::experiment::{Keeps, Study};
use crate::observe::slo::Limit;
use crate::output::checklist::{self, Asked, Design, Experiment, Scene};
use crate::output::manifest::{self, Manifest};
use crate::output::sink;
use crate::scenario::compile::SEEDS_MAX;
use crate::scenario::{Problems, Sources, Sweeps, is_written};
use clap::Args;
use std::path::{Path, PathBuf};

/// Answer the four operational questions.
#[derive(Args)]
pub struct Checklist {
    #[command(flatten)]
    source: Source,
    /// Runs for every figure, with the seeds 1 to N.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=i64::from(SEEDS_MAX)))]
    seeds: u32,
    /// Of the bad version that a criterion should see: which share of its requests fails.
    #[arg(long, value_name = "SHARE", default_value = "5%")]
    bad: Share,
    #[command(flatten)]
    amount: Amount,
    #[command(flatten)]
    talk: Talk,
}

impl Checklist {
    /// Runs the verb.
    pub fn run(self) -> Result<(), End> {
        if self.bad.ratio() <= 0.0 {
            say(
                "error: --bad must be above 0%\nhint: write which share of its requests a bad version fails, such as 5%",
            );
            return Err(End::BadInput);
        }
        let plain = self.input(&Experiment::default(), true);
        let study = plain.study(self.talk.quiet, KEEPS, &Sweeps::default())?;
        let (design, name) = (self.design(&study), study.name.clone());
        let out = self.amount.out.clone().unwrap_or_else(|| PathBuf::from("results").join(&name).join("checklist"));
        let limits = self.simulate(&design, &out)?;
        let scenario = self.source.scenario.display().to_string();
        let asked = Asked {
            name: &name,
            text: &study.scenario_text,
            scenario: &scenario,
            variants: &self.source.variants,
            seeds: self.seeds,
            design: &design,
            limits: &limits,
        };
        let made = checklist::make(&asked, &out)?;
        checklist::write(&made, &out)?;
        if self.talk.quiet {
            return Ok(());
        }
        print(match self.talk.format {
            Format::Table => &made.page,
            Format::Csv => &made.csv,
            Format::Json => &made.json,
        })?;
        say(&format!("results are in {}", out.display()));
        Ok(())
    }

    /// What is to be run for this scenario.
    fn design(&self, study: &Study) -> Design {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let layer = sources.read_file(&self.source.scenario, &mut problems);
        let is_written = |key: &str| layer.is_some_and(|layer| is_written(layer, key, &sources));
        // A warm-up that was found is the same in all runs.
        let found = study.overrides.iter().rev().find_map(|option| option.strip_prefix("--set warmup="));
        let found = found.map(|warmup| format!("warmup={warmup}"));
        let sets: Vec<String> = self.source.sets.iter().cloned().chain(found).collect();
        let scene = Scene {
            cells: &study.cells,
            without: &self.source.without,
            sets: &sets,
            is_written: &is_written,
            has_slo: !study.slo.is_empty(),
            bad: self.bad,
        };
        scene.design()
    }

    /// The scenario as an experiment changes it, or as it stands.
    fn input(&self, experiment: &Experiment, is_plain: bool) -> Input {
        let Source { scenario, sets, variants, without } = &self.source;
        let (sets, without) = match is_plain {
            true => (sets.clone(), without.clone()),
            false => (experiment.sets.clone(), experiment.without.clone()),
        };
        let source = Source { scenario: scenario.clone(), sets, variants: variants.clone(), without };
        Input { source, seeds: Some(self.seeds) }
    }

    /// Runs everything; the limits that nodes which leave at once are judged by.
    fn simulate(&self, design: &Design, out: &Path) -> Result<Vec<Limit>, End> {
        let stop = stopped_by_ctrl_c();
        let all: Vec<&Experiment> = [&design.held, &design.death]
            .into_iter()
            .chain(&design.leave)
            .chain(design.deploys.iter().flatten())
            .collect();
        // What is wrong with any of them is told before anything runs.
        let studies = all.iter().map(|experiment| self.study(experiment)).collect::<Result<Vec<_>, End>>()?;
        sink::remove(&out.join(checklist::JSON))?;
        let mut limits = Vec::new();
        for (i, (experiment, study)) in all.iter().zip(&studies).enumerate() {
            let folder = out.join(experiment.folder);
            if experiment.folder == "leave" {
                limits.clone_from(&study.slo);
            }
            if !self.talk.quiet {
                let (runs, of) = (study.unit_count(), all.len());
                say(&format!("{} of {of}, {}: {runs} runs", i + 1, experiment.folder));
            }
            let outline = study.outline();
            if is_finished(&folder, &outline.plan_id) {
                continue;
            }
            let jobs = self.amount.threads_that_fit(&study.cells, self.talk.quiet)?;
            let shop = Shop { out: &folder, jobs, quiet: self.talk.quiet, stop: &stop };
            simulate(study, outline, shop, None)?;
        }
        Ok(limits)
    }

    fn study(&self, experiment: &Experiment) -> Result<Study, End> {
        let sweeps = Sweeps { vary: experiment.vary.clone(), sample: None };
        let keeps = Keeps { ticks: experiment.vary.is_empty(), nodes: experiment.nodes };
        // Warnings are about what the checklist adds, and nobody has written that.
        let read = self.input(experiment, false).read(true, keeps, &sweeps, None);
        let (study, _) = read.inspect_err(|_| {
            let scenario = self.source.scenario.display().to_string();
            let command = experiment.command(&scenario, &self.source.variants, self.seeds, "…");
            say(&format!("that is so with what the checklist runs:\n  {command}"));
        })?;
        Ok(study)
    }
}

const KEEPS: Keeps = Keeps { ticks: true, nodes: false };

/// Whether a folder holds these very results, whole.
fn is_finished(folder: &Path, plan_id: &str) -> bool {
    let is_whole = |entry: &manifest::FileEntry| {
        std::fs::read(folder.join(&entry.file)).is_ok_and(|bytes| sha256(&bytes) == entry.sha256)
    };
    Manifest::read(folder).is_ok_and(|manifest| manifest.plan_id == plan_id && manifest.files.iter().all(is_whole))
}
