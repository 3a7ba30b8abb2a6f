//! The command line: one file per verb, and what they share.
//!
//! stdout is data, stderr is talk. Exit codes: 0 done; 1 could not run; 2 bad input; 3 shards are missing; 99 an SLO is violated;
//! 130 interrupted (the finished part is kept).

mod check;
mod checklist;
mod compare;
mod completions;
mod decide;
mod dry_run;
mod explain;
mod list;
mod merge;
mod new;
mod plan;
mod progress;
mod report;
mod run;
mod schema;
mod sweep;
mod work;

use crate::base::time::{Duration, Instant};
use crate::experiment::{Cell, Keeps, Study, pilot};
use crate::scenario::compile::SEEDS_MAX;
use crate::scenario::{Overrides, Problems, Sources, Sweeps, load};
use anstream::{AutoStream, ColorChoice};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Simulate sticky and stateless clusters, and compare what they lose when something breaks.
#[derive(Parser)]
#[command(version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done, 1 could not run, 2 bad input, 3 shards are missing, \
    99 a limit of [slo] is violated, 130 interrupted.\n\nBegin with:  stickysim new --out my.toml, then stickysim run my.toml")]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Simulate every variant, sweep point and seed; print a comparison and write the result files.
    Run(run::Run),
    /// The same over a grid or a sample of values, whole or in shards.
    Sweep(sweep::Sweep),
    /// Join the shards of a sweep: the bytes are those of the sweep on one machine.
    Merge(merge::Merge),
    /// Tell which differences hold between variants, before and after, or beside a real incident.
    Compare(compare::Compare),
    /// Find the smallest (or largest) value of a key that keeps every limit of [slo], with the evidence.
    Plan(plan::Plan),
    /// Weigh sticky and stateless designs of this workload against each other: matrix, verdict, and what would change it.
    Decide(decide::Decide),
    /// Tell the story of one run: what happened, to which session, on which node, and why.
    Explain(explain::Explain),
    /// Make one self-contained HTML page of finished results, for a review.
    Report(report::Report),
    /// Answer the four operational questions of a review for a scenario, on one page: dead node, signals, deploy, rollback.
    Checklist(checklist::Checklist),
    /// Write a commented scenario from a few flags or questions.
    New(new::New),
    /// Validate a scenario: every unknown key and contradiction at once. Runs nothing.
    Check(check::Check),
    /// Show what can be written in a scenario: algorithms, affinities, places for state, faults, figures …
    List(list::List),
    /// Print the JSON schema of scenario files.
    Schema,
    /// Print a completion script for a shell.
    Completions(completions::Completions),
}

/// A scenario and what the command line changes in it.
#[derive(Args)]
struct Input {
    #[command(flatten)]
    source: Source,
    /// Replications per variant, with the seeds 1 to N; overrides `seeds` in the file.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(SEEDS_MAX)))]
    seeds: Option<u32>,
}

/// A scenario, without how often it is run.
#[derive(Args)]
struct Source {
    /// The scenario file (TOML or JSON).
    scenario: PathBuf,
    /// Patch any key, such as `cluster.nodes=4`; may be repeated, later ones win.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Run only this variant; may be repeated.
    #[arg(long = "variant", value_name = "NAME")]
    variants: Vec<String>,
    /// Leave out what the file says of this key, such as `fault.crash`, also in variants and [sweep]; may be repeated.
    #[arg(long, value_name = "KEY")]
    without: Vec<String>,
}

/// How much to work, and where.
#[derive(Args)]
struct Amount {
    /// Worker threads; changes wall time only, never results. Default: one per core.
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Folder for the result files. Default: results/<scenario>, and in it plan/ for a plan, checklist/ for a checklist.
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What to say.
#[derive(Args)]
struct Talk {
    /// What to print on stdout.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Print nothing but errors.
    #[arg(short, long)]
    quiet: bool,
}

/// What to print on stdout.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A comparison for people; of a checklist the page, in Markdown.
    Table,
    /// The text of summary.csv, plan.csv or checklist.csv.
    Csv,
    /// The same for programs.
    Json,
}

/// Why a command ends otherwise than well.
enum End {
    /// Done, but a limit of the SLO is violated.
    Violated,
    /// Something could not be done.
    Failed(String),
    /// The input is bad; the problems are printed already.
    BadInput,
    /// Shards are missing; they have been named already.
    Incomplete,
    /// Stopped by the user.
    Interrupted,
    /// Nobody reads our output any more, which is no error.
    Closed,
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> End {
        match error.kind() {
            io::ErrorKind::BrokenPipe => End::Closed,
            _ => End::Failed(format!("cannot write to stdout: {error}")),
        }
    }
}

impl From<crate::experiment::Failure> for End {
    fn from(failure: crate::experiment::Failure) -> End {
        End::Failed(failure.to_string())
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let end = match Command::parse().verb {
        Verb::Run(run) => run.run(),
        Verb::Sweep(sweep) => sweep.run(),
        Verb::Merge(merge) => merge.run(),
        Verb::Compare(compare) => compare.run(),
        Verb::Plan(plan) => plan.run(),
        Verb::Decide(decide) => decide.run(),
        Verb::Explain(explain) => explain.run(),
        Verb::Report(report) => report.run(),
        Verb::Checklist(checklist) => checklist.run(),
        Verb::New(new) => new.run(),
        Verb::Check(check) => check.run(),
        Verb::List(list) => list.run(),
        Verb::Schema => schema::run(),
        Verb::Completions(completions) => completions.run(),
    };
    match end {
        Ok(()) | Err(End::Closed) => ExitCode::SUCCESS,
        Err(End::Violated) => ExitCode::from(99),
        Err(End::BadInput) => ExitCode::from(2),
        Err(End::Incomplete) => ExitCode::from(3),
        Err(End::Interrupted) => ExitCode::from(130),
        Err(End::Failed(why)) => {
            say(&format!("error: {why}"));
            ExitCode::from(1)
        }
    }
}

/// Prints a line for people; nobody listening is no error.
fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints data in one go.
fn print(text: &str) -> Result<(), End> {
    let mut out = BufWriter::new(io::stdout().lock());
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Whether what goes to stderr may be coloured (terminal, NO_COLOR, CLICOLOR …).
fn stderr_is_coloured() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// Set by Ctrl-C. A second one, or a handler that cannot be set, leaves the system's own behaviour.
fn stopped_by_ctrl_c() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let heard = Arc::clone(&stop);
    let _ = ctrlc::set_handler(move || {
        if heard.swap(true, Relaxed) {
            std::process::exit(130);
        }
    });
    stop
}

impl Source {
    /// What the command line changes, as the loader takes it.
    fn overrides(&self, sweeps: &Sweeps) -> Overrides {
        Overrides {
            sets: self.sets.clone(),
            variants: self.variants.clone(),
            without: self.without.clone(),
            sweeps: sweeps.clone(),
        }
    }

    /// The scenario's file name, without its path.
    fn file_name(&self) -> String {
        self.scenario.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The options that change results, in one spelling.
    fn changes(&self) -> impl Iterator<Item = String> {
        let without = self.without.iter().map(|key| format!("--without {key}"));
        let sets = self.sets.iter().map(|set| format!("--set {set}"));
        without.chain(sets).chain(self.variants.iter().map(|name| format!("--variant {name}")))
    }
}

impl Amount {
    /// How many threads are to work.
    fn threads(&self) -> NonZeroUsize {
        self.jobs.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }
}

/// The warm-up that pilot runs find for these cells; that there is none is told, and ends the command.
fn found_warmup(cells: &[Cell]) -> Result<Duration, End> {
    pilot::warmup(cells).map_err(|unsettled| {
            let pilot::Unsettled { variant, point, until } = unsettled;
            let point = if point.is_empty() { point } else { format!(" at {point}") };
            let until = until.since(Instant::START);
            say(&format!(
                "error: warmup = \"auto\": `{variant}`{point} finds no steady state within {until}, before anything happens\n\
                 hint: let the first fault or change come later, give `initial` sessions, or write the warm-up yourself"
            ));
            End::BadInput
    })
}

impl Input {
    /// Reads the scenario and finds its warm-up if need be; problems are printed, and errors among them end the command.
    fn study(&self, quiet: bool, keeps: Keeps, sweeps: &Sweeps) -> Result<Study, End> {
        let (study, finds_warmup) = self.read(quiet, keeps, sweeps, None)?;
        if !finds_warmup {
            return Ok(study);
        }
        let found = found_warmup(&study.cells)?;
        if !quiet {
            say(&format!(
                "warm-up: {found}, the longest that MSER-5 finds in {} pilot runs of each cell",
                pilot::PILOTS
            ));
        }
        self.read(true, keeps, sweeps, Some(format!("warmup={found}"))).map(|(study, _)| study)
    }

    /// Reads the scenario, with one more `--set`; also whether its warm-up is still to be found.
    fn read(&self, quiet: bool, keeps: Keeps, sweeps: &Sweeps, set: Option<String>) -> Result<(Study, bool), End> {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let mut overrides = self.source.overrides(sweeps);
        overrides.sets.extend(set.clone());
        let loaded = load(&self.source.scenario, &overrides, &mut sources, &mut problems);
        let is_bad = problems.has_errors() || loaded.is_none();
        if is_bad || !quiet && !problems.is_empty() {
            say(problems.render(&sources, stderr_is_coloured()).trim_end());
        }
        let Some(loaded) = loaded.filter(|_| !is_bad) else { return Err(End::BadInput) };
        let seeds = self.seeds.map(|seeds| format!("--seeds {seeds}"));
        let (precision, seeds_max) = loaded.precision;
        let seeds_first = self.seeds.unwrap_or(loaded.seeds);
        let found = set.map(|set| format!("--set {set}"));
        let study = Study {
            name: loaded.name,
            cells: loaded.cells,
            seeds: if precision.is_empty() { seeds_first } else { seeds_first.max(seeds_max) },
            scenario_text: loaded.text,
            scenario_name: self.source.file_name(),
            overrides: self.source.changes().chain(found).chain(seeds).chain(sweeps.changes()).collect(),
            keeps,
            slo: loaded.slo,
            precision,
            seeds_first,
        };
        Ok((study, loaded.finds_warmup))
    }
}
