//! Sticky or stateless, for this workload? Every design that it allows, under the same crash, outage of the store,
//! scale-out and deploy; what each loses a day by the failure budget, how many nodes it needs, what it costs.

mod bench;
mod designs;
mod figures;
mod ground;
mod inputs;
mod migrate;
mod nodes;
mod scene;
mod show;
mod verdict;

pub use bench::Bench;
pub use inputs::{Input, inputs};
pub use migrate::{Step, migrate};
pub use scene::{EVENTS, Times};
pub use show::{FLIP_FIELDS, Files, RUN_FIELDS, STEP_FIELDS, TABLE_FIELDS, files, json, table};
pub use verdict::{Flip, Measured, Nodes, Standing, Term, Terms};

use crate::answer::plan::{Interrupted, Seen};
use crate::base::time::Duration;
use crate::cluster::client::Population;
use crate::observe::slo::Limit;
use crate::scenario::{Budget, Cell};
use designs::{ALL, Design};
use figures::Run;
use ground::Ground;
use toml::Table;

/// Seeds of a second look.
const SECOND_SEEDS: u32 = 2;
/// How much smaller and larger an input becomes.
const QUARTER: f64 = 0.25;

/// What is asked.
pub struct Question {
    /// The study's name.
    pub name: String,
    /// The scenario, without variants.
    pub scenario: Table,
    /// Its failure budget.
    pub budget: Budget,
    /// Its limits; empty without an `[slo]`.
    pub limits: Vec<Limit>,
    /// Runs of every design.
    pub seeds: u32,
    /// When things happen; its tail is found.
    pub times: Times,
    /// Inputs that nobody vouches for, which are looked at once more.
    pub doubtful: Vec<Input>,
}

/// The names of all designs.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|design| design.name)
}

/// Limits that are weighed by the day: events come closer together in a run than they do in life.
const BY_THE_DAY: [&str; 3] = ["requests_failed_ratio", "sessions_lost_ratio", "sessions_lost_total"];

impl Question {
    /// Whether a limit on lost sessions is among them, which `[budget]` judges instead.
    pub fn limits_losses(&self) -> bool {
        self.limits.iter().any(|limit| BY_THE_DAY[1..].contains(&limit.column.name))
    }

    /// Those of the limits that more nodes can help to keep, whatever happens.
    fn limits_on_nodes(&self) -> Vec<Limit> {
        self.limits.iter().filter(|limit| !BY_THE_DAY.contains(&limit.column.name)).copied().collect()
    }

    /// The most requests that may fail, as a share.
    fn failed_max(&self) -> Option<f64> {
        let limit = self.limits.iter().find(|limit| limit.column.name == BY_THE_DAY[0] && limit.relation.is_upper());
        limit.map(|limit| limit.bound)
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Trouble {
    /// The user wanted it to stop.
    Interrupted,
    /// No design can be built; why, in words.
    Bad(String),
}

impl From<Interrupted> for Trouble {
    fn from(_: Interrupted) -> Trouble {
        Trouble::Interrupted
    }
}

/// What changing an input by a quarter does.
#[derive(Clone, Debug)]
pub struct Doubt {
    /// Its key.
    pub key: String,
    /// Its value now.
    pub now: String,
    /// The choice with a quarter less, and with a quarter more.
    pub choices: [Option<&'static str>; 2],
    /// A quarter less and a quarter more, as written.
    pub values: [String; 2],
    /// Where the choice changes, as far as bisected: the last value with the same choice, the first with another, and that.
    pub flips: Option<(String, String, Option<&'static str>)>,
}

/// The answer.
pub struct Answer {
    /// The workload.
    pub ground: Facts,
    /// The designs that can be had, with what was measured.
    pub measured: Vec<Measured>,
    /// Those that cannot, and why.
    pub refused: Vec<(&'static str, String)>,
    /// What things weigh.
    pub terms: Terms,
    /// Which of the terms are assumed.
    pub assumed: Vec<Term>,
    /// How each design stands.
    pub standings: Vec<Standing>,
    /// The place of the choice.
    pub choice: Option<usize>,
    /// What would change it.
    pub flips: Vec<Flip>,
    /// The choice by the second look's few seeds, and what every doubtful input does to that.
    pub second: Option<(Option<&'static str>, Vec<Doubt>)>,
    /// When things happened.
    pub times: Times,
    /// The scenario of the runs, as a text.
    pub scene: String,
    /// Whether every deploy was over at the end of its run.
    pub deploys_end: bool,
}

/// What the workload is like: the article's three questions.
pub struct Facts {
    /// Whether state can leave its process, and whether the scenario says so.
    pub moves: (bool, bool),
    /// Whether it can be worked out anew, and whether the scenario says so.
    pub rebuilds: (bool, bool),
    /// Populations with long-lived connections, and others.
    pub long_lived: (Vec<String>, Vec<String>),
    /// Nodes of the scenario.
    pub nodes: i64,
    /// Whether the store is assumed.
    pub store_is_assumed: bool,
    /// Whether the size of a session's state is.
    pub size_is_assumed: bool,
    /// Whether the prices are.
    pub prices_are_assumed: bool,
    /// Whether another number of nodes can be tried.
    pub nodes_are_alike: bool,
    /// Whether arrivals change with time.
    pub is_uneven: bool,
}

/// Told how the work gets on.
pub trait Watch {
    /// A stage begins.
    fn stage(&self, words: &str);
}

/// A design with its patch and the cell that came of it.
pub(super) struct Candidate {
    pub(super) design: &'static Design,
    pub(super) patch: Table,
}

/// The designs that a workload allows, and the others with the reason.
fn candidates(ground: &Ground) -> (Vec<Candidate>, Vec<(&'static str, String)>) {
    let (mut feasible, mut refused) = (Vec::new(), Vec::new());
    for design in ALL {
        match (design.patch)(ground) {
            Ok(patch) => feasible.push(Candidate { design, patch }),
            Err(reason) => refused.push((design.name, reason.to_owned())),
        }
    }
    (feasible, refused)
}

/// The scene's text with as many nodes as the ground has, or with these.
fn scene_text(
    ground: &Ground,
    name: &str,
    times: &Times,
    all: &[Candidate],
    nodes: Option<i64>,
    has_outage: bool,
) -> String {
    let patches = all.iter().map(|candidate| (candidate.design, candidate.patch.clone()));
    let mut scene = scene::scene(ground, name, times, has_outage, patches);
    if let Some(nodes) = nodes
        && let Some(cluster) = scene.get_mut("cluster").and_then(toml::Value::as_table_mut)
    {
        cluster.insert("nodes".into(), toml::Value::Integer(nodes));
    }
    bench::text(&scene)
}

/// Loads every candidate; those that do not load are refused.
fn cells(
    bench: &Bench<'_>,
    text: &str,
    all: Vec<Candidate>,
    refused: &mut Vec<(&'static str, String)>,
) -> (Vec<Candidate>, Vec<Cell>) {
    let (mut sound, mut cells) = (Vec::new(), Vec::new());
    for candidate in all {
        match bench.load(text, candidate.design.name) {
            Ok(mut loaded) => {
                cells.push(loaded.cells.remove(0));
                sound.push(candidate);
            }
            Err(reason) => refused.push((candidate.design.name, reason)),
        }
    }
    (sound, cells)
}

/// How long the deploy's window must be: a quarter longer than the slowest design takes under the first seed, and a gap; as
/// long as it was tried where one was not over then.
fn tail(times: &Times, tried: Duration, pilots: &[Vec<(Run, Seen)>]) -> Duration {
    let taken: Option<Vec<f64>> = pilots.iter().flatten().map(|(run, _)| run.deploy_s).collect();
    match taken.and_then(|taken| taken.into_iter().max_by(f64::total_cmp)) {
        Some(longest) => times.whole(times.gap + Duration::from_nanos_f64(longest * 1.25e9)),
        None => tried,
    }
}

/// Answers the question.
pub fn answer(question: &Question, bench: &Bench<'_>, watch: &dyn Watch) -> Result<Answer, Trouble> {
    let ground = Ground::new(&question.scenario, &question.budget);
    let (all, mut refused) = candidates(&ground);
    let name = format!("{}-designs", question.name);
    watch.stage("how long does a deploy take?");
    let tried = question.times.whole(question.times.gap + Duration::from_secs(120 * ground.nodes.max(1) as u64));
    let long = Times { tail: tried, ..question.times };
    let (all, loaded) = cells(bench, &scene_text(&ground, &name, &long, &all, None, true), all, &mut refused);
    let Some(first) = loaded.first() else {
        let reasons: Vec<String> = refused.iter().map(|(name, reason)| format!("{name}: {reason}")).collect();
        return Err(Trouble::Bad(reasons.join("\n  ")));
    };
    let pilots = bench.run(&loaded.iter().collect::<Vec<_>>(), &[], 1)?;
    let times = Times { tail: tail(&question.times, tried, &pilots), ..question.times };
    let live = pilots[0][0].0.live;
    let prices = first.plan.prices.unwrap_or_default();
    let terms = Terms::new(&question.budget, live, question.failed_max(), prices);
    let mut measured = Vec::new();
    for candidate in &all {
        watch.stage(&format!("\"{}\": how many nodes, and {} runs", candidate.design.name, question.seeds));
        let (nodes, runs) = nodes::measure(question, bench, &ground, &times, &terms, candidate)?;
        measured.push(Measured { design: candidate.design, runs, nodes });
    }
    let standings: Vec<Standing> = measured.iter().map(|one| one.standing(&terms, ground.nodes)).collect();
    let choice = verdict::choose(&measured, &standings);
    let second = match question.doubtful.is_empty() {
        true => None,
        false => Some(second_look(question, bench, &times, &terms, &measured, watch)?),
    };
    let is_assumed = |term: &Term| match term {
        Term::Node | Term::Store | Term::Session => !ground.has_prices,
        _ => term.of_budget(&question.budget).is_none(),
    };
    Ok(Answer {
        flips: verdict::flips(&measured, &terms, ground.nodes),
        assumed: Term::ALL.into_iter().filter(is_assumed).collect(),
        deploys_end: measured.iter().all(|one| one.runs.iter().all(|run| run.deploy_s.is_some())),
        ground: facts(&ground, first),
        scene: scene_text(&ground, &name, &times, &with_nodes(all, &measured), None, true),
        measured,
        refused,
        terms,
        standings,
        choice,
        second,
        times,
    })
}

/// The candidates, each with as many nodes as it was measured with.
fn with_nodes(all: Vec<Candidate>, measured: &[Measured]) -> Vec<Candidate> {
    let one = |(mut candidate, measured): (Candidate, &Measured)| {
        if let Nodes::Needed(nodes) = measured.nodes {
            let cluster = Table::from_iter([("nodes".to_owned(), toml::Value::Integer(nodes))]);
            candidate.patch.insert("cluster".into(), toml::Value::Table(cluster));
        }
        candidate
    };
    all.into_iter().zip(measured).map(one).collect()
}

fn facts(ground: &Ground, cell: &Cell) -> Facts {
    let hangs = |people: &&Population| cell.plan.hangs(people);
    let names = |people: Vec<&Population>| people.into_iter().map(|people| people.name.clone()).collect();
    let (long, short) = cell.plan.populations.iter().partition(hangs);
    Facts {
        moves: ground.moves,
        rebuilds: ground.rebuilds,
        long_lived: (names(long), names(short)),
        nodes: ground.nodes,
        store_is_assumed: ground.store_is_assumed,
        size_is_assumed: ground.size.is_none(),
        prices_are_assumed: !ground.has_prices,
        nodes_are_alike: ground.nodes_are_alike,
        is_uneven: ground.is_uneven,
    }
}

/// Weighs the designs again with every doubtful input a quarter smaller and larger, under a few seeds; the choice under
/// the same few seeds without a change is what these are compared with.
fn second_look(
    question: &Question,
    bench: &Bench<'_>,
    times: &Times,
    terms: &Terms,
    measured: &[Measured],
    watch: &dyn Watch,
) -> Result<(Option<&'static str>, Vec<Doubt>), Trouble> {
    let look = |scenario: &Table| nodes::second(question, bench, times, terms, measured, scenario, SECOND_SEEDS);
    watch.stage(&format!("once more under {SECOND_SEEDS} seeds, to compare with"));
    let plain = look(&question.scenario)?;
    let mut doubts = Vec::new();
    for input in &question.doubtful {
        watch.stage(&format!("{} a quarter less, a quarter more", input.key()));
        let mut choices = [None; 2];
        let mut flips = None;
        for (place, factor) in [1.0 - QUARTER, 1.0 + QUARTER].into_iter().enumerate() {
            let choice = look(&input.scale(&question.scenario, factor))?;
            choices[place] = choice;
            if choice == plain || flips.is_some() {
                continue;
            }
            let (mut same, mut other, mut to) = (1.0, factor, choice);
            for _ in 0..3 {
                let middle = f64::midpoint(same, other);
                let choice = look(&input.scale(&question.scenario, middle))?;
                if choice == plain { same = middle } else { (other, to) = (middle, choice) }
            }
            flips = Some((input.text(same), input.text(other), to));
        }
        let values = [input.text(1.0 - QUARTER), input.text(1.0 + QUARTER)];
        doubts.push(Doubt { key: input.key(), now: input.text(1.0), choices, values, flips });
    }
    Ok((plain, doubts))
}
