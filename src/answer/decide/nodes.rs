//! How many nodes does a design need to keep the limits, when everything happens to it?

use super::bench::Bench;
use super::figures::Run;
use super::ground::Ground;
use super::scene::Times;
use super::verdict::{self, Measured, Nodes, Terms};
use super::{Candidate, Question, Trouble, candidates, scene_text};
use crate::answer::plan::{self, Evidence, Worst};
use crate::observe::slo::{Limit, Reading};
use crate::scenario::{Cell, Find, Problems, Sources};
use std::sync::atomic::Ordering::Relaxed;
use toml::Table;

/// The share of all seeds in which the limits must hold; as far as so few seeds can prove it.
const SHARE: f64 = 0.9;
const CONFIDENCE: f64 = 0.95;
/// How far the second look goes from the first one's answer.
const STEPS_MAX: i64 = 4;

struct Silent;

impl plan::Watch for Silent {
    fn judged(&self, _: &str, _: &str, _: &str, _: &Evidence) {}
}

/// A candidate at work.
struct Trial<'a> {
    question: &'a Question,
    bench: &'a Bench<'a>,
    ground: &'a Ground,
    times: &'a Times,
    candidate: &'a Candidate,
}

impl Trial<'_> {
    /// With as many nodes as there are, or with these; the store's outage is left out to find how many are enough, since
    /// no number of nodes mends that.
    fn load(&self, nodes: Option<i64>, has_outage: bool) -> Result<Cell, String> {
        let one = [Candidate { design: self.candidate.design, patch: self.candidate.patch.clone() }];
        let text = scene_text(self.ground, &self.question.name, self.times, &one, nodes, has_outage);
        self.bench.load(&text, self.candidate.design.name).map(|mut loaded| loaded.cells.remove(0))
    }

    /// What runs show with all that happens.
    fn runs(&self, nodes: Option<i64>, seeds: u32) -> Result<Vec<Run>, Trouble> {
        let cell = self.load(nodes, true).map_err(Trouble::Bad)?;
        Ok(self.bench.run(&[&cell], &[], seeds)?.remove(0).into_iter().map(|(run, _)| run).collect())
    }

    /// The limit that fails with so many nodes, in words; `None` when all are kept under every seed.
    fn fails(&self, limits: &[Limit], nodes: Option<i64>, seeds: u32) -> Result<Option<String>, Trouble> {
        let Ok(cell) = self.load(nodes, false) else { return Ok(Some("so few nodes cannot be".into())) };
        let seen = self.bench.run(&[&cell], limits, seeds)?.remove(0);
        let broken = seen.into_iter().find(|(_, seen)| !seen.keeps);
        Ok(broken.map(|(_, seen)| seen.worst.map_or_else(String::new, |worst| in_words(limits, &worst))))
    }
}

/// A figure beside its limit.
fn in_words(limits: &[Limit], worst: &Worst) -> String {
    let limit = &limits[worst.limit];
    let after = if worst.incident.is_empty() { String::new() } else { format!(" after {}", worst.incident) };
    let label = limit.column.label();
    match worst.reading {
        Reading::Value(value) => {
            let (value, bound) = (limit.column.shown(value), limit.column.shown(limit.bound));
            format!("{label} {value}{after}, limit {bound}")
        }
        _ => format!("{label} never{after}"),
    }
}

/// How many nodes a design takes, and what runs with so many show.
pub fn measure(
    question: &Question,
    bench: &Bench<'_>,
    ground: &Ground,
    times: &Times,
    terms: &Terms,
    candidate: &Candidate,
) -> Result<(Nodes, Vec<Run>), Trouble> {
    let (limits, seeds) = (question.limits_on_nodes(), question.seeds);
    let trial = Trial { question, bench, ground, times, candidate };
    if limits.is_empty() {
        return Ok((Nodes::Given(ground.nodes), trial.runs(None, seeds)?));
    }
    let nodes = match ground.nodes_are_alike {
        true => needed(&trial, &limits)?,
        false => match trial.fails(&limits, None, seeds)? {
            Some(why) => Nodes::Short(ground.nodes, why),
            None => Nodes::Given(ground.nodes),
        },
    };
    let Nodes::Needed(least) = nodes else { return Ok((nodes, trial.runs(None, seeds)?)) };
    // Enough for the limits; a few more where that is not enough to fail no more requests than may fail.
    let mut first = None;
    for count in least..=least + STEPS_MAX {
        let runs = trial.runs(Some(count), seeds)?;
        let shares = runs.iter().filter_map(|run| run.failed_share(&terms.per_day));
        let failed = shares.sum::<f64>() / runs.len().max(1) as f64;
        if terms.failed_max.is_none_or(|most| failed <= most) {
            return Ok((Nodes::Needed(count), runs));
        }
        first.get_or_insert((Nodes::Needed(count), runs));
    }
    first.ok_or_else(|| Trouble::Bad("no number of nodes was tried".into()))
}

/// The smallest number of nodes that keeps every limit, up to twice as many as there are.
fn needed(trial: &Trial<'_>, limits: &[Limit]) -> Result<Nodes, Trouble> {
    let Trial { question, bench, ground, .. } = trial;
    // So few nodes that what happens cannot happen to them are no answer, nor those of which the crash leaves none.
    let loads = |nodes: &i64| trial.load(Some(*nodes), false).is_ok();
    let (least, last) = (ground.struck() + 1, 2 * ground.nodes);
    let given = || {
        trial.fails(limits, None, question.seeds).map(|why| match why {
            Some(why) => Nodes::Short(ground.nodes, why),
            None => Nodes::Given(ground.nodes),
        })
    };
    let Some(first) = (least..=last).find(loads) else { return given() };
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let range = format!("cluster.nodes={first}..{last}");
    let Some(find) = Find::parse(&mut sources, "--find", &range, None, &mut problems) else { return given() };
    let asked = plan::Question {
        name: question.name.clone(),
        find,
        wants_largest: false,
        limits: limits.to_vec(),
        share: SHARE,
        confidence: CONFIDENCE,
        runs_max: question.seeds,
        first_seed: 1,
    };
    let cells = |value: usize| -> Result<Vec<Cell>, Trouble> {
        trial.load(Some(first + value as i64), false).map(|cell| vec![cell]).map_err(Trouble::Bad)
    };
    let answers = plan::answer(&asked, cells, bench.threads, bench.stop, &Silent)?;
    bench.runs.fetch_add(answers.iter().map(|answer| answer.found.runs()).sum(), Relaxed);
    let found = &answers[0].found;
    // A limit that more nodes break is not for a search from below: the first that keeps it, if any was seen, is told.
    let kept = found.contrary.iter().copied().filter(|place| found.passes.is_none_or(|passes| *place < passes)).min();
    Ok(match found.passes.into_iter().chain(kept).min() {
        Some(place) => Nodes::Needed(first + place as i64),
        None => {
            let evidence = found.fails.and_then(|place| found.evidence.get(&place));
            let worst = evidence.and_then(|evidence| evidence.worst.as_ref());
            let words = worst.map_or_else(|| "not proven by so few seeds".to_owned(), |worst| in_words(limits, worst));
            Nodes::None(last, words)
        }
    })
}

/// The choice for a changed scenario by a few seeds: the nodes are looked for near those that were found.
pub fn second(
    question: &Question,
    bench: &Bench<'_>,
    times: &Times,
    terms: &Terms,
    measured: &[Measured],
    scenario: &Table,
    seeds: u32,
) -> Result<Option<&'static str>, Trouble> {
    let ground = Ground::new(scenario, &question.budget);
    let (all, _) = candidates(&ground);
    let limits = question.limits_on_nodes();
    let (mut again, mut terms) = (Vec::new(), *terms);
    for candidate in &all {
        let before = measured.iter().find(|one| one.name() == candidate.design.name);
        // What is far beyond the budget is not brought within it by a quarter.
        if before.is_some_and(|one| one.standing(&terms, ground.nodes).lost > 2.0 * terms.lost_max) {
            continue;
        }
        let trial = Trial { question, bench, ground: &ground, times, candidate };
        if trial.load(None, true).is_err() {
            continue;
        }
        let keeps = |nodes: i64| Ok(trial.fails(&limits, Some(nodes), seeds)?.is_none());
        let nodes = match before.map(|one| &one.nodes) {
            _ if limits.is_empty() => Nodes::Given(ground.nodes),
            Some(Nodes::Needed(near)) => step(*near, ground.struck() + 1, &keeps)?,
            // What no number of nodes mends is tried once more with the largest.
            Some(Nodes::None(last, why)) if !keeps(*last)? => Nodes::None(*last, why.clone()),
            Some(Nodes::None(last, _)) => Nodes::Needed(*last),
            None if ground.nodes_are_alike => step(ground.nodes, ground.struck() + 1, &keeps)?,
            _ => match trial.fails(&limits, None, seeds)? {
                Some(why) => Nodes::Short(ground.nodes, why),
                None => Nodes::Given(ground.nodes),
            },
        };
        let count = if let Nodes::Needed(count) = nodes { Some(count) } else { None };
        again.push(Measured { design: candidate.design, runs: trial.runs(count, seeds)?, nodes });
    }
    if question.budget.sessions_lost.is_none()
        && let Some(run) = again.first().and_then(|one| one.runs.first())
    {
        terms.lost_max = Terms::assumed_lost(run.live);
    }
    Ok(verdict::under(&again, &terms, ground.nodes).map(|place| again[place].name()))
}

/// The smallest number of nodes that keeps the limits, near a number and not below the `least`.
fn step(near: i64, least: i64, keeps: &dyn Fn(i64) -> Result<bool, Trouble>) -> Result<Nodes, Trouble> {
    let mut nodes = near.max(least);
    if keeps(nodes)? {
        while nodes > least && near - nodes < STEPS_MAX && keeps(nodes - 1)? {
            nodes -= 1;
        }
        return Ok(Nodes::Needed(nodes));
    }
    while nodes - near < STEPS_MAX {
        nodes += 1;
        if keeps(nodes)? {
            return Ok(Nodes::Needed(nodes));
        }
    }
    Ok(Nodes::None(nodes, "beyond its limits".into()))
}
