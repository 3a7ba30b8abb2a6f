//! The way out: sessions are moved from the design that binds them to the one that was chosen, a part of a population at
//! a time, and what happens to all designs happens at every step.

use super::bench::{Bench, text};
use super::designs::{ALL, Design};
use super::figures::Run;
use super::ground::Ground;
use super::inputs::divided;
use super::scene::{Times, scene};
use super::{Question, Trouble};
use toml::{Table, Value};

/// Parts of a lone population that are moved; of several, each goes half and then whole.
const ALONE: [u32; 3] = [25, 50, 75];
const BESIDE: [u32; 1] = [50];

/// A step of the way.
pub struct Step {
    /// What has been moved, in words.
    pub name: String,
    /// Runs of it.
    pub runs: Vec<Run>,
}

/// Simulates the way from the simplest design to the `target`, by its place among those measured; why there is none.
pub fn migrate(
    question: &Question,
    bench: &Bench<'_>,
    times: &Times,
    target: &str,
) -> Result<Result<Vec<Step>, String>, Trouble> {
    let ground = Ground::new(&question.scenario, &question.budget);
    let (first, Some(last)) = (&ALL[0], ALL.iter().find(|design| design.name == target)) else {
        return Ok(Err(format!("there is no design \"{target}\"")));
    };
    if first.name == last.name {
        return Ok(Err(format!("\"{target}\" is where it starts: there is no way to go")));
    }
    let (from, to) = match ((first.patch)(&ground), (last.patch)(&ground)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(reason), _) | (_, Err(reason)) => return Ok(Err(reason.into())),
    };
    let balance = |patch: &Table| patch.get("balancer").and_then(|balancer| balancer.get("balance")).cloned();
    if balance(&to) != balance(&from) {
        let reason = "it changes how the balancer balances, which is one thing for all: nothing can be moved by itself";
        return Ok(Err(reason.into()));
    }
    let steps = match steps(&ground, &from, &to) {
        Ok(steps) => steps,
        Err(name) => return Ok(Err(format!("the arrivals of {name} cannot be divided: too few, or from a file"))),
    };
    let mut done = Vec::new();
    for (name, patch) in steps {
        let design = Design { name: "step", ..*first };
        let text = text(&scene(&ground, &question.name, times, true, [(&design, patch)].into_iter()));
        let mut loaded = match bench.load(&text, "step") {
            Ok(loaded) => loaded,
            Err(reason) => return Ok(Err(format!("{name}: {reason}"))),
        };
        let cell = loaded.cells.remove(0);
        let runs = bench.run(&[&cell], &question.limits, question.seeds)?.remove(0);
        done.push(Step { name, runs: runs.into_iter().map(|(run, _)| run).collect() });
    }
    Ok(Ok(done))
}

/// What is moved at each step, as a patch of the workload.
fn steps(ground: &Ground, from: &Table, to: &Table) -> Result<Vec<(String, Table)>, String> {
    let clients = ground.table.get("clients").and_then(Value::as_table).cloned().unwrap_or_default();
    let has_state = |person: &Value| person.get("state").is_none();
    let movable: Vec<(String, Table)> = clients
        .iter()
        .filter(|(_, person)| has_state(person))
        .filter_map(|(name, person)| Some((name.clone(), person.as_table()?.clone())))
        .collect();
    let parts: &[u32] = if movable.len() == 1 { &ALONE } else { &BESIDE };
    let mut steps = vec![("nobody moved".to_owned(), from.clone())];
    let mut moved = Table::new();
    for (name, person) in &movable {
        for &part in parts {
            let share = f64::from(part) / 100.0;
            let mut patch = moved.clone();
            let mut left = Table::new();
            let Some((stays, goes)) = person.get("arrivals").and_then(|arrivals| divided(arrivals, share)) else {
                return Err(name.clone());
            };
            left.insert("arrivals".into(), stays);
            let mut gone = person.clone();
            gone.insert("arrivals".into(), goes);
            turn(&mut gone, name, to);
            patch.insert(name.clone(), Value::Table(left));
            patch.insert(format!("{name}-moved"), Value::Table(gone));
            steps.push((format!("{part} % of {name}"), with(from, patch)));
        }
        let mut whole = Table::new();
        turn(&mut whole, name, to);
        moved.insert(name.clone(), Value::Table(whole));
        steps.push((format!("all of {name}"), with(from, moved.clone())));
    }
    Ok(steps)
}

/// Gives a population the design of its own.
fn turn(person: &mut Table, name: &str, to: &Table) {
    if let Some(affinity) = to.get("balancer").and_then(|balancer| balancer.get("affinity")) {
        person.insert("affinity".into(), affinity.clone());
    }
    if let Some(state) = to.get("state") {
        person.insert("state".into(), state.clone());
    }
    if let Some(reads) = to.get("clients").and_then(|clients| clients.get(name)?.get("reads")) {
        person.insert("reads".into(), reads.clone());
    }
}

fn with(from: &Table, clients: Table) -> Table {
    let mut patch = from.clone();
    patch.insert("clients".into(), Value::Table(clients));
    patch
}
