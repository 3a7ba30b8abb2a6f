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

use crate::answer::plan::Interrupted;
use crate::base::time::Duration;
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
    pub choices: [Option<usize>; 2],
    /// A quarter less and a quarter more, as written.
    pub values: [String; 2],
    /// Where the choice changes, as far as bisected: the last value with the same choice and the first with another.
    pub flips: Option<(String, String)>,
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
    pub second: Option<(Option<usize>, Vec<Doubt>)>,
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
    /// Whether the prices are.
    pub prices_are_assumed: bool,
    /// Whether another number of nodes can be tried.
    pub nodes_are_alike: bool,
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

/// The scene's text with as many nodes as the ground has, or with these, and then without the store's outage.
fn scene_text(ground: &Ground, name: &str, times: &Times, all: &[Candidate], nodes: Option<i64>) -> String {
    let patches = all.iter().map(|candidate| (candidate.design, candidate.patch.clone()));
    let mut scene = scene::scene(ground, name, times, nodes.is_none(), patches);
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

/// How long the deploy's window must be: a quarter longer than the slowest design takes under the first seed, and a gap.
fn tail(bench: &Bench<'_>, ground: &Ground, name: &str, times: &Times, all: &[Candidate]) -> Result<Duration, Trouble> {
    let nodes = ground.nodes.max(1) as u64;
    let long = Times { tail: times.whole(times.gap + Duration::from_secs(120 * nodes)), ..*times };
    let text = scene_text(ground, name, &long, all, None);
    let loaded: Vec<Cell> = all
        .iter()
        .filter_map(|candidate| Some(bench.load(&text, candidate.design.name).ok()?.cells.remove(0)))
        .collect();
    let runs = bench.run(&loaded.iter().collect::<Vec<_>>(), &[], 1)?;
    let times_taken: Option<Vec<f64>> = runs.iter().flatten().map(|(run, _)| run.deploy_s).collect();
    let Some(longest) = times_taken.and_then(|times| times.into_iter().max_by(f64::total_cmp)) else {
        return Ok(long.tail);
    };
    Ok(times.whole(times.gap + Duration::from_nanos_f64(longest * 1.25e9)))
}

/// Answers the question.
pub fn answer(question: &Question, bench: &Bench<'_>, watch: &dyn Watch) -> Result<Answer, Trouble> {
    let ground = Ground::new(&question.scenario, &question.budget);
    let (all, mut refused) = candidates(&ground);
    let name = format!("{}-designs", question.name);
    watch.stage("how long does a deploy take?");
    let times = Times { tail: tail(bench, &ground, &name, &question.times, &all)?, ..question.times };
    let scene = scene_text(&ground, &name, &times, &all, None);
    let (all, loaded) = cells(bench, &scene, all, &mut refused);
    let Some(first) = loaded.first() else {
        let reasons: Vec<String> = refused.iter().map(|(name, reason)| format!("{name}: {reason}")).collect();
        return Err(Trouble::Bad(reasons.join("\n  ")));
    };
    watch.stage(&format!("{} designs under {} seeds", all.len(), question.seeds));
    let runs = bench.run(&loaded.iter().collect::<Vec<_>>(), &[], question.seeds)?;
    let runs: Vec<Vec<Run>> = runs.into_iter().map(|runs| runs.into_iter().map(|(run, _)| run).collect()).collect();
    let live = figures::over(&runs[0], |run| Some(run.live)).map_or(0.0, |live| live.mean);
    let prices = first.plan.prices.unwrap_or_default();
    let terms = Terms::new(&question.budget, live, question.failed_max(), prices);
    let limits = question.limits_on_nodes();
    let mut measured = Vec::new();
    for (candidate, runs) in all.iter().zip(runs) {
        let nodes = match limits.is_empty() || !ground.nodes_are_alike {
            true => Nodes::Given(ground.nodes),
            false => {
                watch.stage(&format!("how many nodes does \"{}\" need?", candidate.design.name));
                nodes::needed(question, &limits, bench, &ground, &times, candidate)?
            }
        };
        measured.push(Measured { design: candidate.design, runs, nodes });
    }
    let standings: Vec<Standing> = measured.iter().map(|one| one.standing(&terms, ground.nodes)).collect();
    let choice = verdict::choose(&measured, &standings);
    let second = match question.doubtful.is_empty() {
        true => None,
        false => Some(second_look(question, bench, &times, &terms, &measured, watch)?),
    };
    let is_assumed = |term: &Term| match term {
        Term::Node | Term::Store => !ground.has_prices,
        Term::Session => false,
        _ => term.of_budget(&question.budget).is_none(),
    };
    Ok(Answer {
        flips: verdict::flips(&measured, &terms, ground.nodes),
        assumed: Term::ALL.into_iter().filter(is_assumed).collect(),
        deploys_end: measured.iter().all(|one| one.runs.iter().all(|run| run.deploy_s.is_some())),
        ground: facts(&ground),
        measured,
        refused,
        terms,
        standings,
        choice,
        second,
        times,
        scene,
    })
}

fn facts(ground: &Ground) -> Facts {
    Facts {
        moves: ground.moves,
        rebuilds: ground.rebuilds,
        long_lived: ground.long_lived.clone(),
        nodes: ground.nodes,
        store_is_assumed: ground.store_is_assumed,
        prices_are_assumed: !ground.has_prices,
        nodes_are_alike: ground.nodes_are_alike,
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
) -> Result<(Option<usize>, Vec<Doubt>), Trouble> {
    // What is far beyond the budget is not brought within it by a quarter.
    let near = |one: &&Measured| {
        let lost = one.standing(terms, 1).lost;
        lost <= 2.0 * terms.lost_max
    };
    let again: Vec<&Measured> = measured.iter().filter(near).collect();
    let look = |scenario: &Table| {
        let chosen = nodes::second(question, bench, times, terms, &again, scenario, SECOND_SEEDS)?;
        // The place among all of them.
        Ok::<_, Trouble>(chosen.and_then(|name| measured.iter().position(|one| one.name() == name)))
    };
    watch.stage(&format!("once more under {SECOND_SEEDS} seeds, to compare with"));
    let plain = look(&question.scenario)?;
    let mut doubts = Vec::new();
    for input in &question.doubtful {
        watch.stage(&format!("{} a quarter less, a quarter more", input.key()));
        let mut choices = [None; 2];
        let mut flips = None;
        for (place, factor) in [1.0 - QUARTER, 1.0 + QUARTER].into_iter().enumerate() {
            choices[place] = look(&input.scale(&question.scenario, factor))?;
            if choices[place] == plain || flips.is_some() {
                continue;
            }
            let (mut same, mut other) = (1.0, factor);
            for _ in 0..3 {
                let middle = f64::midpoint(same, other);
                if look(&input.scale(&question.scenario, middle))? == plain { same = middle } else { other = middle }
            }
            flips = Some((input.text(same), input.text(other)));
        }
        let values = [input.text(1.0 - QUARTER), input.text(1.0 + QUARTER)];
        doubts.push(Doubt { key: input.key(), now: input.text(1.0), choices, values, flips });
    }
    Ok((plain, doubts))
}
