//! `plan`: the smallest or largest value of a key that keeps every limit of `[slo]`, with the evidence for it and for
//! its neighbour that fails.

use super::{Amount, End, Format, Source, Talk, print, say, stderr_is_coloured, stopped_by_ctrl_c};
use crate::answer::plan::{self, Answer, Evidence, Interrupted, Question, Watch};
use crate::base::units::Share;
use crate::experiment::identity::sha256;
use crate::output::manifest::FORMAT_VERSION;
use crate::output::sink;
use crate::scenario::Sweeps;
use crate::scenario::{Cell, Find, LayerId, Loaded, Problem, Problems, Sources, load_patched, parse_patch};
use crate::statistics::sequential::{self, RUNS_MAX};
use clap::Args;
use serde_json::json;
use std::cell::Cell as Counter;
use std::path::{Path, PathBuf};

const CSV: &str = "plan.csv";
const JSON: &str = "plan.json";

/// Find a value that keeps the limits.
#[derive(Args)]
pub struct Plan {
    #[command(flatten)]
    source: Source,
    /// The key and the range of its values, such as `cluster.nodes=2..64`.
    #[arg(long, value_name = "KEY=FROM..TO")]
    find: String,
    /// From one value to the next, such as `5s`. Default: 1, for whole numbers.
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// A second key and its values, such as `fault.crash.kill.nodes=1..3`, for each of which the best value of the first
    /// is found: a frontier. May be repeated, for all combinations.
    #[arg(long, value_name = "KEY=VALUES")]
    vary: Vec<String>,
    /// Find the smallest value that keeps the limits; the default.
    #[arg(long, conflicts_with = "largest")]
    smallest: bool,
    /// Find the largest value that keeps the limits.
    #[arg(long)]
    largest: bool,
    /// In which share of all seeds every limit must hold; above 0%, below 100%.
    #[arg(long, value_name = "SHARE", default_value = "90%")]
    share: Share,
    /// How sure each claim must be; from 50% to below 100%.
    #[arg(long, value_name = "SHARE", default_value = "95%")]
    confidence: Share,
    /// The most seeds for one value. Default: three times those that prove the share without a miss.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(RUNS_MAX)))]
    seeds_max: Option<u32>,
    /// The first seed; another one repeats the search with other luck.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seeds_from: u32,
    #[command(flatten)]
    amount: Amount,
    #[command(flatten)]
    talk: Talk,
}

impl Plan {
    /// Runs the verb.
    pub fn run(self) -> Result<(), End> {
        let mut reader = Reader::open(&self)?;
        let (question, first) = self.question(&mut reader)?;
        let stop = stopped_by_ctrl_c();
        let jobs = self.amount.threads_that_fit(&first.cells, self.talk.quiet)?;
        let threads = rayon::ThreadPoolBuilder::new().num_threads(jobs.get()).build();
        let threads = threads.map_err(|error| End::Failed(format!("cannot start threads: {error}")))?;
        let watch = Lines { quiet: self.talk.quiet, count: Counter::new(0) };
        let answers = plan::answer(&question, |value| reader.cells(value), &threads, &stop, &watch);
        let answers = answers.inspect_err(|end| {
            if matches!(end, End::Interrupted) {
                say("interrupted: nothing is written");
            }
        })?;
        let default = || PathBuf::from("results").join(&question.name).join("plan");
        let out = self.amount.out.clone().unwrap_or_else(default);
        let csv =
            plan::csv(&question, &answers).map_err(|error| End::Failed(format!("cannot write {CSV}: {error}")))?;
        let json = self.manifest(&question, &answers, &first, &csv)?;
        write(&out, &csv, &json)?;
        if self.talk.quiet {
            return Ok(());
        }
        print(&match self.talk.format {
            Format::Table => plan::table(&question, &answers),
            Format::Csv => csv,
            Format::Json => json,
        })?;
        say(&format!("results are in {}", out.display()));
        Ok(())
    }

    fn sweeps(&self) -> Sweeps {
        Sweeps { vary: self.vary.clone(), sample: None }
    }

    /// What is asked, and the scenario under the first value; whatever is wrong with either is told.
    fn question(&self, reader: &mut Reader) -> Result<(Question, Loaded), End> {
        let (share, confidence) = (self.share.ratio(), self.confidence.ratio());
        if share <= 0.0 || share >= 1.0 {
            return bad("--share must be above 0% and below 100%", "no number of runs proves \"always\": write 95%");
        }
        if !(0.5..1.0).contains(&confidence) {
            return bad("--confidence must be from 50% to below 100%", "95% is usual");
        }
        let enough = self.seeds_max.or_else(|| sequential::enough(share, confidence));
        let Some(runs_max) = enough else {
            return bad(&format!("no {RUNS_MAX} runs prove such a share"), "ask for less, such as --share 99%");
        };
        let last = reader.load(reader.find.count() - 1)?;
        let first = reader.load(0)?;
        if first.slo.is_empty() {
            let hint = "add [slo] to the file, such as response_time_ms_p99 = \"< 250ms\"";
            return bad("there is no limit to keep: the scenario has no [slo]", hint);
        }
        for cell in first.cells.iter().chain(&last.cells) {
            // What comes at random is part of the time that it happens in, and no incident.
            let has_incident = cell.plan.faults.iter().any(|fault| fault.at().is_some());
            let nothing_happens = !has_incident && cell.plan.changes.is_empty();
            if let Some(limit) = first.slo.iter().find(|limit| nothing_happens && !limit.is_of_run()) {
                let message = format!("slo.{} is about incidents, and nothing happens", limit.column.name);
                return bad(&message, "add a [fault.…] or [change.…], or limit a figure of the whole run");
            }
        }
        let question = Question {
            name: first.name.clone(),
            find: reader.find.clone(),
            wants_largest: self.largest,
            limits: first.slo.clone(),
            share,
            confidence,
            runs_max,
            first_seed: u64::from(self.seeds_from),
        };
        Ok((question, first))
    }

    /// The answers with all that led to them, as the text of `plan.json`.
    fn manifest(&self, question: &Question, answers: &[Answer], first: &Loaded, csv: &str) -> Result<String, End> {
        let json = json!({
            "format_version": FORMAT_VERSION,
            "version": env!("CARGO_PKG_VERSION"),
            "name": question.name,
            "scenario": {
                "file": self.source.file_name(), "sha256": sha256(first.text.as_bytes()), "text": first.text,
            },
            "overrides": self.source.changes().chain(self.sweeps().changes()).collect::<Vec<_>>(),
            "files": [{ "file": CSV, "bytes": csv.len(), "sha256": sha256(csv.as_bytes()) }],
            "plan": plan::json(question, answers),
        });
        let text = serde_json::to_string_pretty(&json);
        text.map(|text| text + "\n").map_err(|error| End::Failed(format!("cannot write {JSON}: {error}")))
    }
}

/// Replaces the files of an older plan; the manifest goes first and comes last.
fn write(out: &Path, csv: &str, json: &str) -> Result<(), End> {
    let (csv, json) = (sink::stage(out, CSV, csv)?, sink::stage(out, JSON, json)?);
    sink::remove(&out.join(JSON))?;
    csv.publish()?;
    json.publish()?;
    Ok(())
}

fn bad<T>(message: &str, hint: &str) -> Result<T, End> {
    say(&format!("error: {message}\nhint: {hint}"));
    Err(End::BadInput)
}

impl From<Interrupted> for End {
    fn from(_: Interrupted) -> End {
        End::Interrupted
    }
}

/// The scenario, read once, under one value after the other.
struct Reader<'a> {
    source: &'a Source,
    sweeps: Sweeps,
    sources: Sources,
    layer: LayerId,
    find: Find,
}

impl Reader<'_> {
    fn open(plan: &Plan) -> Result<Reader<'_>, End> {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let layer = sources.read_file(&plan.source.scenario, &mut problems);
        let find = Find::parse(&mut sources, "--find", &plan.find, plan.step.as_deref(), &mut problems);
        match layer.zip(find) {
            Some((layer, find)) => Ok(Reader { source: &plan.source, sweeps: plan.sweeps(), sources, layer, find }),
            None => {
                say(problems.render(&sources, stderr_is_coloured()).trim_end());
                Err(End::BadInput)
            }
        }
    }

    /// The scenario under the value at this place; what is wrong is told, and ends the command.
    fn load(&mut self, value: usize) -> Result<Loaded, End> {
        let mut problems = Problems::new();
        let assignment = self.find.assignment(value);
        let patch = parse_patch(&mut self.sources, "--find", &assignment, &mut problems);
        let (path, overrides) = (&self.source.scenario, self.source.overrides(&self.sweeps));
        let loaded = load_patched(self.layer, path, &overrides, patch, &mut self.sources, &mut problems);
        if loaded.as_ref().is_some_and(|loaded| loaded.finds_warmup) {
            say("error: warmup = \"auto\" is not for `plan`: every value would be judged after another warm-up\n\
                 hint: add --set warmup=… with what `stickysim run` says of this scenario");
            return Err(End::BadInput);
        }
        if !problems.has_errors()
            && let Some(loaded) = loaded
        {
            return Ok(loaded);
        }
        let mut errors = Problems::new();
        let is_error = |problem: &&Problem| problem.severity == crate::scenario::Severity::Error;
        problems.iter().filter(is_error).for_each(|problem| errors.push(problem.clone()));
        say(errors.render(&self.sources, stderr_is_coloured()).trim_end());
        say(&format!("that is so with {assignment}, a value that --find is to try"));
        Err(End::BadInput)
    }

    fn cells(&mut self, value: usize) -> Result<Vec<Cell>, End> {
        self.load(value).map(|loaded| loaded.cells)
    }
}

/// A line for every value that has been judged.
struct Lines {
    quiet: bool,
    count: Counter<u32>,
}

impl Watch for Lines {
    fn judged(&self, variant: &str, point: &str, value: &str, evidence: &Evidence) {
        self.count.set(self.count.get() + 1);
        if !self.quiet {
            let point = if point.is_empty() { String::new() } else { format!(", {point}") };
            let (verdict, runs) = (evidence.verdict.name(), evidence.runs);
            say(&format!("{}. {variant}{point}: {value} {verdict} by {runs} runs", self.count.get()));
        }
    }
}
