//! How many nodes does a design need to keep the limits, when everything happens to it?

use super::bench::Bench;
use super::figures::Run;
use super::ground::Ground;
use super::scene::Times;
use super::verdict::{self, Measured, Nodes, Terms};
use super::{Candidate, Question, Trouble, candidates, scene_text};
use crate::answer::plan::{self, Evidence, Seen};
use crate::observe::slo::{Limit, Reading};
use crate::scenario::{Cell, Find, Problems, Sources};
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

fn load(
    question: &Question,
    bench: &Bench<'_>,
    ground: &Ground,
    times: &Times,
    candidate: &Candidate,
    nodes: Option<i64>,
) -> Result<Cell, String> {
    let one = [Candidate { design: candidate.design, patch: candidate.patch.clone() }];
    let text = scene_text(ground, &question.name, times, &one, nodes);
    bench.load(&text, candidate.design.name).map(|mut loaded| loaded.cells.remove(0))
}

/// The smallest number of nodes that keeps every limit, up to twice as many as there are.
pub fn needed(
    question: &Question,
    limits: &[Limit],
    bench: &Bench<'_>,
    ground: &Ground,
    times: &Times,
    candidate: &Candidate,
) -> Result<Nodes, Trouble> {
    // So few nodes that what happens cannot happen to them are no answer, nor those of which the crash leaves none.
    let loads = |nodes: &i64| load(question, bench, ground, times, candidate, Some(*nodes)).is_ok();
    let (least, last) = (ground.struck() + 1, 2 * ground.nodes);
    let Some(first) = (least..=last).find(loads) else { return Ok(Nodes::Given(ground.nodes)) };
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let range = format!("cluster.nodes={first}..{last}");
    let Some(find) = Find::parse(&mut sources, "--find", &range, None, &mut problems) else {
        return Ok(Nodes::Given(ground.nodes));
    };
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
        let cell = load(question, bench, ground, times, candidate, Some(first + value as i64));
        cell.map(|cell| vec![cell]).map_err(Trouble::Bad)
    };
    let answers = plan::answer(&asked, cells, bench.threads, bench.stop, &Silent)?;
    bench.runs.fetch_add(answers.iter().map(|answer| answer.found.runs()).sum(), std::sync::atomic::Ordering::Relaxed);
    let found = &answers[0].found;
    Ok(match found.passes {
        Some(place) => Nodes::Needed(first + place as i64),
        None => {
            let evidence = found.fails.and_then(|place| found.evidence.get(&place));
            let worst = evidence.and_then(|evidence| evidence.worst.as_ref());
            let words = worst.map_or_else(
                || "not proven by so few seeds".to_owned(),
                |worst| {
                    let limit = &limits[worst.limit];
                    let after =
                        if worst.incident.is_empty() { String::new() } else { format!(" after {}", worst.incident) };
                    match worst.reading {
                        Reading::Value(value) => {
                            let (value, bound) = (limit.column.shown(value), limit.column.shown(limit.bound));
                            format!("{} {value}{after}, limit {bound}", limit.column.name)
                        }
                        _ => format!("{} never{after}", limit.column.name),
                    }
                },
            );
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
    measured: &[&Measured],
    scenario: &Table,
    seeds: u32,
) -> Result<Option<&'static str>, Trouble> {
    let ground = Ground::new(scenario, &question.budget);
    let (all, _) = candidates(&ground);
    let limits = question.limits_on_nodes();
    let mut again = Vec::new();
    for one in measured {
        let Some(candidate) = all.iter().find(|candidate| candidate.design.name == one.design.name) else {
            continue;
        };
        let run =
            |cell: &Cell| -> Result<Vec<(Run, Seen)>, Trouble> { Ok(bench.run(&[cell], &limits, seeds)?.remove(0)) };
        let keeps = |nodes: i64| -> Result<bool, Trouble> {
            let Ok(cell) = load(question, bench, &ground, times, candidate, Some(nodes)) else { return Ok(false) };
            Ok(run(&cell)?.iter().all(|(_, seen)| seen.keeps))
        };
        let Ok(cell) = load(question, bench, &ground, times, candidate, None) else { continue };
        let runs: Vec<Run> = run(&cell)?.into_iter().map(|(run, _)| run).collect();
        let nodes = match &one.nodes {
            Nodes::Given(_) => Nodes::Given(ground.nodes),
            Nodes::Needed(near) => step(*near, &keeps)?,
            // What no number of nodes mends is tried once more with the largest.
            Nodes::None(last, why) => match keeps(*last)? {
                true => Nodes::Needed(*last),
                false => Nodes::None(*last, why.clone()),
            },
        };
        again.push(Measured { design: one.design, runs, nodes });
    }
    let chosen = verdict::under(&again, terms, ground.nodes);
    Ok(chosen.map(|place| again[place].name()))
}

/// The smallest number of nodes that keeps the limits, near a number.
fn step(near: i64, keeps: &dyn Fn(i64) -> Result<bool, Trouble>) -> Result<Nodes, Trouble> {
    let mut nodes = near;
    if keeps(nodes)? {
        while nodes > 1 && near - nodes < STEPS_MAX && keeps(nodes - 1)? {
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
