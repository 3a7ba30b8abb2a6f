//! `decide`: the sticky-or-stateless matrix for a workload, with a verdict, its margin and what would flip it.

use super::{Amount, End, Format, Source, Talk, print, say, stderr_is_coloured, stopped_by_ctrl_c};
use crate::answer::decide::{self, Answer, Bench, Input, Question, Step, Times, Trouble, Watch};
use crate::base::time::{Duration, Instant};
use crate::experiment::identity::sha256;
use crate::output::manifest::FORMAT_VERSION;
use crate::output::sink;
use crate::scenario::{Problems, Sources, Table, flatten, load_layer, lookup_span_of, plain};
use clap::Args;
use serde_json::json;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const JSON: &str = "decide.json";
/// Seeds unless asked for more: the scenario's, but no more than these.
const SEEDS_DEFAULT: u32 = 10;

/// Decide between sticky and stateless.
#[derive(Args)]
pub struct Decide {
    #[command(flatten)]
    source: Source,
    /// Runs of every design. Default: the scenario's `seeds`, at most 10.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=10_000))]
    seeds: Option<u32>,
    /// Quiet time before the first event, and between events.
    #[arg(long, value_name = "TIME", default_value = "3m")]
    gap: Duration,
    /// Also simulate the way from sticky to the verdict, step by step, population by population.
    #[arg(long)]
    migrate: bool,
    /// Go there instead of to the verdict; a name of the matrix.
    #[arg(long, value_name = "DESIGN", requires = "migrate")]
    to: Option<String>,
    /// Leave out the second look at inputs without a source.
    #[arg(long)]
    brief: bool,
    #[command(flatten)]
    amount: Amount,
    #[command(flatten)]
    talk: Talk,
}

impl Decide {
    /// Runs the verb.
    pub fn run(self) -> Result<(), End> {
        let (question, text, jobs) = self.question()?;
        let stop = stopped_by_ctrl_c();
        let threads = rayon::ThreadPoolBuilder::new().num_threads(jobs.get()).build();
        let threads = threads.map_err(|error| End::Failed(format!("cannot start threads: {error}")))?;
        let path = &self.source.scenario;
        let bench = Bench { path, threads: &threads, stop: &stop, runs: AtomicU64::new(0) };
        let watch = Stages { quiet: self.talk.quiet };
        let answer = decide::answer(&question, &bench, &watch).map_err(ended)?;
        let way = match self.migrate {
            true => Some(self.way(&question, &answer, &bench, &watch)?),
            false => None,
        };
        let files = decide::files(&answer, way.as_ref().and_then(|way| way.as_deref().ok()));
        let files = files.map_err(|error| End::Failed(format!("cannot write the tables: {error}")))?;
        let mut written = vec![
            ("decide.csv", files.decide.clone()),
            ("runs.csv", files.runs),
            ("flips.csv", files.flips),
            ("designs.toml", answer.scene.clone()),
        ];
        written.extend(files.migration.map(|text| ("migration.csv", text)));
        let json = self.manifest(&question, &answer, &bench, &text, &written)?;
        let default = || PathBuf::from("results").join(&question.name).join("decide");
        let out = self.amount.out.clone().unwrap_or_else(default);
        write(&out, &written, &json)?;
        if self.talk.quiet {
            return Ok(());
        }
        print(&match self.talk.format {
            Format::Table => decide::table(&question, &answer, way.as_ref()),
            Format::Csv => files.decide,
            Format::Json => json,
        })?;
        say(&format!("{} runs; results are in {}", bench.runs.load(Relaxed), out.display()));
        Ok(())
    }

    fn way(
        &self,
        question: &Question,
        answer: &Answer,
        bench: &Bench<'_>,
        watch: &dyn Watch,
    ) -> Result<Result<Vec<Step>, String>, End> {
        let chosen = answer.choice.map(|place| answer.measured[place].name().to_owned());
        let Some(target) = self.to.clone().or(chosen) else {
            return Ok(Err("there is no verdict to go to; name a design with --to".into()));
        };
        watch.stage(&format!("the way to \"{target}\""));
        decide::migrate(question, bench, &answer.times, &target).map_err(ended)
    }

    /// What is asked, the scenario's text, and how many threads fit into memory; whatever is wrong with it is told.
    fn question(&self) -> Result<(Question, String, NonZeroUsize), End> {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let told = |problems: &Problems, sources: &Sources| {
            if !problems.is_empty() {
                say(problems.render(sources, stderr_is_coloured()).trim_end());
            }
        };
        if self.gap.is_zero() {
            return bad("--gap 0s leaves no time between events", "write a time such as 3m");
        }
        if let Some(to) = self.to.as_deref().filter(|to| decide::names().all(|name| name != *to)) {
            let names: Vec<&str> = decide::names().collect();
            return bad(&format!("there is no design \"{to}\""), &format!("the designs are: {}", names.join("; ")));
        }
        if self.source.variants.len() > 1 {
            return bad("`decide` makes the variants itself", "name one, whose workload counts");
        }
        let Some(layer) = sources.read_file(&self.source.scenario, &mut problems) else {
            told(&problems, &sources);
            return Err(End::BadInput);
        };
        let overrides = self.source.overrides(&Default::default());
        let table = flatten(layer, &overrides, &mut sources, &mut problems);
        let Some(table) = table.filter(|_| !problems.has_errors()) else {
            told(&problems, &sources);
            return Err(End::BadInput);
        };
        // The scenario itself must be sound before designs are made of it.
        let mut problems = Problems::new();
        let loaded = load_layer(layer, &self.source.scenario, &overrides, &mut sources, &mut problems);
        let Some(loaded) = loaded.filter(|_| !problems.has_errors()) else {
            told(&problems, &sources);
            return Err(End::BadInput);
        };
        if loaded.finds_warmup {
            return bad(
                "warmup = \"auto\" is not for `decide`: every design would have another warm-up",
                "add --set warmup=… with what `stickysim run` says of this scenario",
            );
        }
        let jobs = self.amount.threads_that_fit(&loaded.cells, self.talk.quiet)?;
        let plan = &loaded.cells[0].plan;
        let plain = plain(&table);
        let warmup = plan.warmup.since(Instant::START);
        let times = Times { warmup, tick: plan.tick, gap: self.gap, tail: self.gap };
        let times = Times { gap: times.whole(self.gap), ..times };
        let doubtful = if self.brief { Vec::new() } else { doubtful(&plain, &table, &sources, layer) };
        let question = Question {
            name: loaded.name,
            scenario: plain,
            budget: loaded.budget,
            limits: loaded.slo,
            seeds: self.seeds.unwrap_or(loaded.seeds.clamp(2, SEEDS_DEFAULT)),
            times,
            doubtful,
        };
        Ok((question, loaded.text, jobs))
    }

    /// The answer with all that led to it, as the text of `decide.json`.
    fn manifest(
        &self,
        question: &Question,
        answer: &Answer,
        bench: &Bench<'_>,
        text: &str,
        files: &[(&str, String)],
    ) -> Result<String, End> {
        let file = |(name, text): &(&str, String)| json!({ "file": name, "bytes": text.len(), "sha256": sha256(text.as_bytes()) });
        let json = json!({
            "format_version": FORMAT_VERSION,
            "version": env!("CARGO_PKG_VERSION"),
            "name": question.name,
            "scenario": { "file": self.source.file_name(), "sha256": sha256(text.as_bytes()), "text": text },
            "overrides": self.source.changes().collect::<Vec<_>>(),
            "gap": self.gap.to_string(),
            "files": files.iter().map(file).collect::<Vec<_>>(),
            "decide": decide::json(question, answer, bench.runs.load(Relaxed)),
        });
        let text = serde_json::to_string_pretty(&json);
        text.map(|text| text + "\n").map_err(|error| End::Failed(format!("cannot write {JSON}: {error}")))
    }
}

/// Inputs that nobody vouches for: no comment behind them in the file names a source.
fn doubtful(scenario: &toml::Table, table: &Table, sources: &Sources, file: crate::scenario::LayerId) -> Vec<Input> {
    let has_source = |input: &Input| {
        let place = lookup_span_of(table, &input.path).and_then(|span| sources.locate(span));
        place.is_some_and(|place| {
            let comment = place.text[place.marked.end..].split_once('#');
            place.name == sources.name(file) && comment.is_some_and(|(_, comment)| comment.contains("source:"))
        })
    };
    decide::inputs(scenario).into_iter().filter(|input| !has_source(input)).collect()
}

/// Replaces the files of an older decision; the manifest goes first and comes last.
fn write(out: &Path, files: &[(&str, String)], json: &str) -> Result<(), End> {
    let staged: Result<Vec<_>, _> = files.iter().map(|(name, text)| sink::stage(out, name, text)).collect();
    let (staged, json) = (staged?, sink::stage(out, JSON, json)?);
    sink::remove(&out.join(JSON))?;
    // What an older decision has written beside it is of that one.
    sink::remove(&out.join("migration.csv"))?;
    staged.into_iter().try_for_each(|file| file.publish().map(drop))?;
    json.publish()?;
    Ok(())
}

fn ended(trouble: Trouble) -> End {
    match trouble {
        Trouble::Interrupted => {
            say("interrupted: nothing is written");
            End::Interrupted
        }
        Trouble::Bad(reasons) => {
            say(&format!("error: no design can be built on this scenario\n  {reasons}"));
            End::BadInput
        }
    }
}

fn bad<T>(message: &str, hint: &str) -> Result<T, End> {
    say(&format!("error: {message}\nhint: {hint}"));
    Err(End::BadInput)
}

/// A line for every stage.
struct Stages {
    quiet: bool,
}

impl Watch for Stages {
    fn stage(&self, words: &str) {
        if !self.quiet {
            say(words);
        }
    }
}
