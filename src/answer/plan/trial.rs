//! Does one run keep every limit, and by how much?

use crate::cluster::plan::Plan;
use crate::observe::recorder::{Recording, Scope};
use crate::observe::slo::{Limit, Reading};
use crate::observe::window::Window;

/// What one run says.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Whether every limit holds in every window that it is about.
    pub keeps: bool,
    /// The figure with the least margin; `None` when none applies.
    pub worst: Option<Worst>,
    /// What the run cost by the hour; `None` without prices.
    pub cost_per_hour: Option<f64>,
    /// A hash of what happened.
    pub fingerprint: u64,
}

/// The figure that comes closest to its limit, or is the farthest beyond it.
#[derive(Clone, PartialEq, Debug)]
pub struct Worst {
    /// The limit, by its place.
    pub limit: usize,
    /// The incident; empty for the whole run.
    pub incident: String,
    /// The figure.
    pub reading: Reading,
    /// How far it is on the allowed side, as a share of the bound.
    pub margin: f64,
}

/// Judges a run by the same windows as the tables do: all populations together, each incident or the whole run.
pub fn see(plan: &Plan, limits: &[Limit], recording: &Recording) -> Seen {
    let whole = recording.runs.iter().map(|(scope, window)| (scope, "", window));
    let name = |window: &Window| window.shock.map_or("", |shock| plan.incident(shock.index).0);
    let incidents = recording.incidents.iter().map(|(scope, window)| (scope, name(window), window));
    let windows: Vec<(&str, &Window)> = whole
        .chain(incidents)
        .filter(|(scope, ..)| **scope == Scope::All)
        .map(|(_, incident, window)| (incident, window))
        .collect();
    let bill = recording.runs.iter().find_map(|(_, window)| Some((window.bill?.total?, window.length())));
    let cost_per_hour = bill.map(|(total, length)| total / (length.as_secs_f64() / 3_600.0));
    let mut seen = Seen { keeps: true, worst: None, cost_per_hour, fingerprint: recording.fingerprint };
    for (place, limit) in limits.iter().enumerate() {
        for (incident, window) in windows.iter().filter(|(_, window)| window.shock.is_none() == limit.is_of_run()) {
            let reading = limit.read(window);
            seen.keeps &= limit.holds(reading);
            let Some(margin) = limit.margin(reading) else { continue };
            let worst = Worst { limit: place, incident: (*incident).to_owned(), reading, margin };
            seen.worst = worse(seen.worst.take(), Some(worst));
        }
    }
    seen
}

/// The worse of two; the first of equals.
pub fn worse(a: Option<Worst>, b: Option<Worst>) -> Option<Worst> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.margin < a.margin { b } else { a }),
        (a, b) => a.or(b),
    }
}
