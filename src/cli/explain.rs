//! `explain`: one run told in words, re-run on the spot: what happened, to whom, and why.

use super::{End, Source, print, say, stderr_is_coloured};
use crate::answer::explain::{self, Tale};
use crate::base::id::{NodeId, PopulationId};
use crate::base::time::{Duration, Instant};
use crate::cluster::Sim;
use crate::cluster::plan::Plan;
use crate::observe::trace::Who;
use crate::output::sink;
use crate::scenario::{Cell, Problems, Sources, Sweeps, load};
use clap::Args;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Tell the story of one run.
#[derive(Args)]
pub struct Explain {
    #[command(flatten)]
    source: Source,
    /// The seed of the run.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Only from here on.
    #[arg(long, value_name = "TIME")]
    from: Option<Duration>,
    /// Only until here.
    #[arg(long, value_name = "TIME")]
    to: Option<Duration>,
    /// One session by population and ordinal, such as `web:17`: where it was, and every move, drop and loss with its cause.
    #[arg(long, value_name = "POPULATION:N", conflicts_with_all = ["node", "at"])]
    session: Option<String>,
    /// One node: its life, and how many sessions it had.
    #[arg(long, value_name = "NAME", conflicts_with = "at")]
    node: Option<String>,
    /// Which session is on which node at this instant, as CSV.
    #[arg(long, value_name = "TIME")]
    at: Option<Duration>,
    /// Also write what happened in that time as JSON Lines.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

impl Explain {
    /// Runs the verb.
    pub fn run(self) -> Result<(), End> {
        let cell = self.cell()?;
        let plan = &cell.plan;
        let from = self.from.map_or(Instant::START, |from| Instant::START + from);
        let to = self.to.map_or(plan.end, |to| Instant::START + to).min(plan.end);
        if let Some(at) = self.at.filter(|&at| Instant::START + at > plan.end) {
            say(&format!("error: --at: {at} is after the end\nhint: the run lasts {}", plan.end.since(Instant::START)));
            return Err(End::BadInput);
        }
        if from >= to {
            say(&format!(
                "error: nothing lies between --from and --to\nhint: the run lasts {}",
                plan.end.since(Instant::START)
            ));
            return Err(End::BadInput);
        }
        self.at_stands_alone()?;
        let (who, node) = (self.who(plan)?, self.node(plan)?);
        let outcome = Sim::new(plan, self.seed, false).traced().run(|| false);
        let recording = outcome.ok_or_else(|| End::Failed("the run was stopped".into()))?.recording;
        let tale = Tale { plan, recording: &recording, from, to };
        let point = if cell.point.is_empty() { String::new() } else { format!(", {}", cell.point) };
        let head = format!("{}{point}, seed {}\n\n", cell.variant, self.seed);
        if let Some(at) = self.at {
            return print(&places(Tale { from: Instant::START, to: Instant::START + at, ..tale }));
        }
        let text = match (who, node) {
            (Some(who), _) => explain::session(tale, who).ok_or_else(|| {
                say(&format!(
                    "error: --session: there was no session {}\nhint: `explain --at {}` lists who was there",
                    tale.called(who),
                    to.since(Instant::START)
                ));
                End::BadInput
            })?,
            (None, Some(node)) => explain::node(tale, node),
            (None, None) => explain::story(tale),
        };
        if let Some(path) = &self.trace {
            write_trace(path, tale)?;
        }
        print(&(head + &text))
    }

    /// An instant has no beginning, no end, and nothing that happens in it.
    fn at_stands_alone(&self) -> Result<(), End> {
        let beside = [("--from", self.from.is_some()), ("--to", self.to.is_some()), ("--trace", self.trace.is_some())];
        let beside: Vec<&str> = beside.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect();
        if self.at.is_none() || beside.is_empty() {
            return Ok(());
        }
        say(&format!(
            "error: --at is an instant, and means nothing with {}\nhint: leave --at out to see what happens in that time",
            beside.join(" and ")
        ));
        Err(End::BadInput)
    }

    /// The first cell that the command line leaves.
    fn cell(&self) -> Result<Cell, End> {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let overrides = self.source.overrides(&Sweeps::default());
        let loaded = load(&self.source.scenario, &overrides, &mut sources, &mut problems);
        if !problems.is_empty() {
            say(problems.render(&sources, stderr_is_coloured()).trim_end());
        }
        let loaded = loaded.filter(|_| !problems.has_errors()).ok_or(End::BadInput)?;
        let others: Vec<&str> = loaded.cells.iter().skip(1).map(|cell| cell.variant.as_str()).collect();
        if self.source.variants.is_empty() && !others.is_empty() {
            say(&format!("note: told of `{}`; --variant tells of another", loaded.cells[0].variant));
        }
        let finds_warmup = loaded.finds_warmup;
        let found = if finds_warmup { Some(super::found_warmup(&loaded.cells)?) } else { None };
        let mut cell = loaded.cells.into_iter().next().ok_or(End::BadInput)?;
        if let Some(found) = found {
            cell.plan.warmup = Instant::START + found;
        }
        Ok(cell)
    }

    fn who(&self, plan: &Plan) -> Result<Option<Who>, End> {
        let Some(text) = &self.session else { return Ok(None) };
        let (population, ordinal) = text.rsplit_once(':').unwrap_or((plan.populations[0].name.as_str(), text));
        let place = plan.populations.iter().position(|known| known.name == population);
        match (place, explain::numbered(ordinal)) {
            (Some(place), Some(ordinal)) => Ok(Some(Who { population: PopulationId(place as u16), ordinal })),
            _ => {
                let known: Vec<&str> = plan.populations.iter().map(|known| known.name.as_str()).collect();
                say(&format!(
                    "error: --session: `{text}` names no session\nhint: write {}:0 …; the populations are {}",
                    known[0],
                    known.join(", ")
                ));
                Err(End::BadInput)
            }
        }
    }

    fn node(&self, plan: &Plan) -> Result<Option<NodeId>, End> {
        let Some(name) = &self.node else { return Ok(None) };
        let place = plan.nodes.iter().position(|known| known.name == *name);
        place.map(|place| Some(NodeId(place as u32))).ok_or_else(|| {
            let known: Vec<&str> = plan.nodes.iter().take(20).map(|known| known.name.as_str()).collect();
            say(&format!("error: --node: there is no node `{name}`\nhint: the nodes are {}", known.join(", ")));
            End::BadInput
        })
    }
}

/// Who is where at the end of the tale.
fn places(tale: Tale) -> String {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut row = |fields: [&str; 4]| csv.write_record(fields).expect("memory takes every row");
    row(["population", "session", "node", "connected"]);
    for (who, place) in explain::whereabouts(tale) {
        let node = place.node().map_or("", |node| tale.plan.nodes[node.index()].name.as_str());
        let population = &tale.plan.populations[who.population.index()].name;
        row([population, &explain::ordinal(who), node, if place.is_cut_off { "false" } else { "true" }]);
    }
    String::from_utf8(csv.into_inner().expect("memory takes every row")).expect("fields are text")
}

fn write_trace(path: &Path, tale: Tale) -> Result<(), End> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| End::Failed(format!("{} names no file", path.display())))?;
    let mut text = String::new();
    for (at, happening) in tale.happenings() {
        let _ = writeln!(text, "{}", explain::json(tale, at, happening));
    }
    sink::stage(folder, &name.to_string_lossy(), &text)?.publish()?;
    say(&format!("the trace is {}", path.display()));
    Ok(())
}
