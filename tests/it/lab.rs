//! The laboratory that the other modules share: scenario text in, figures out.

use std::path::Path;
use stickysim::base::cause::{Cause, Harm};
use stickysim::cluster::Sim;
use stickysim::cluster::plan::Plan;
use stickysim::observe::columns;
use stickysim::observe::recorder::Recording;
use stickysim::observe::totals::Totals;
use stickysim::observe::window::Window;
use stickysim::scenario::{Cell, Overrides, Problems, Sources, load_layer};

/// Whether the long checks are asked for.
pub fn is_full() -> bool {
    std::env::var_os("STICKYSIM_FULL").is_some()
}

/// The cells of a scenario that must be sound; `sets` are patches as on the command line.
#[track_caller]
pub fn cells(text: &str, sets: &[String]) -> Vec<Cell> {
    cells_at(Path::new("x.toml"), text, sets)
}

/// The same of a scenario that may name files in its folder.
#[track_caller]
pub fn cells_at(path: &Path, text: &str, sets: &[String]) -> Vec<Cell> {
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let overrides = Overrides { sets: sets.to_vec(), ..Overrides::default() };
    let name = path.display().to_string();
    let layer = sources.read_from(&name, text.as_bytes(), &mut problems).expect("text is UTF-8");
    let loaded = load_layer(layer, path, &overrides, &mut sources, &mut problems);
    loaded.unwrap_or_else(|| panic!("in\n{text}\n{}", problems.render(&sources, false))).cells
}

/// The plan of a scenario without variants.
#[track_caller]
pub fn plan(text: &str) -> Plan {
    cells(text, &[]).remove(0).plan
}

/// One run of a plan, to its end.
pub fn run(plan: &Plan, seed: u64) -> Recording {
    Sim::new(plan, seed, false).run(|| false).expect("nobody stops it").recording
}

/// One run of a scenario text, from its warm-up to its end.
#[track_caller]
pub fn simulate(text: &str) -> Recording {
    run(&plan(text), 1)
}

/// Sessions bound to a node, averaged over the tick that begins so many ticks after the start; seed 1.
#[track_caller]
pub fn node_sessions(text: &str, node: &str, tick: usize) -> f64 {
    let plan = plan(text);
    let recording = Sim::new(&plan, 1, true).run(|| false).expect("nobody stops it").recording;
    let index = plan.nodes.iter().position(|planned| planned.name == node).expect("the node exists");
    recording.nodes[tick * plan.nodes.len() + index].sessions
}

/// What all populations did in the second that begins at `second`, where a tick is a second.
pub fn in_second(recording: &Recording, second: usize) -> &Totals {
    let scopes = recording.runs.len();
    &recording.ticks[(second + 1) * scopes - 1].totals
}

/// Connections that hang on each node at the end of the second that begins at `second`.
pub fn connections(text: &str, second: usize) -> Vec<f64> {
    let plan = plan(text);
    let recording = Sim::new(&plan, 1, true).run(|| false).expect("nobody stops it").recording;
    recording.nodes.chunks(plan.nodes.len()).nth(second).expect("a second").iter().map(|n| n.connections).collect()
}

/// The whole-run window of all populations.
pub fn whole(recording: &Recording) -> &Window {
    &recording.runs.last().expect("a run has a window").1
}

/// The window of all populations after the first incident.
pub fn incident(recording: &Recording) -> &Window {
    let all = recording.runs.last().expect("a run has a window").0;
    &recording.incidents.iter().find(|(scope, _)| *scope == all).expect("there was an incident").1
}

/// A figure by the name of its column.
#[track_caller]
pub fn figure(window: &Window, name: &str) -> f64 {
    let column = columns::named(name).unwrap_or_else(|| panic!("there is no column {name}"));
    (column.get)(window).unwrap_or_else(|| panic!("{name} does not apply"))
}

/// What happened to `harm` for which cause, the causes that never came left out.
pub fn causes(totals: &Totals, harm: Harm) -> Vec<(Cause, u64)> {
    Cause::ALL.into_iter().map(|cause| (cause, totals.of(harm, cause))).filter(|&(_, n)| n > 0).collect()
}
