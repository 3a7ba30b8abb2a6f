//! Does the simulator do what the products did? Every measurement of HAProxy and NGINX in `tests/data/reality`
//! is a scenario; each is run and compared, figure by figure, and `docs/fidelity.md` shows the outcome.
//!
//! A cell or two of every family are checked in every test run, all of them with STICKYSIM_FULL set.
//! `scripts/fidelity` rewrites the page.

mod family;
mod judge;
mod observed;
mod page;
mod reading;

use super::lab::{self, is_full};
use family::{Cell, FAMILIES, Family, meets};
use judge::{Comparison, may_miss};
use observed::Observed;
use page::{Judged, PAGE, overview, tables, with_part};
use rayon::prelude::*;
use std::fs;
use std::path::Path;
use stickysim::base::draw::name_key;
use stickysim::cluster::Sim;
use stickysim::cluster::plan::Plan;
use stickysim::observe::trace::Happening;

const MEND: &str = "mend the model, or, if this is as it should be, run scripts/fidelity";

#[test]
fn the_simulator_does_what_the_products_did() {
    let families: Vec<Family> = FAMILIES.iter().map(|name| Family::read(name)).collect();
    let wanted: Vec<(&Family, usize)> = families
        .iter()
        .flat_map(|family| (0..family.cells.len()).map(move |place| (family, place)))
        .filter(|(family, place)| is_full() || family.samples().contains(place))
        .collect();
    let judged: Vec<Judged> = wanted.par_iter().map(|(family, place)| judge(family, *place)).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let old = fs::read_to_string(&path).expect("the page is readable");
    if is_full() {
        let new = with_part(&with_part(&old, "overview", &overview(&judged)), "tables", &tables(&judged));
        if std::env::var_os("STICKYSIM_BLESS").is_some() {
            fs::write(&path, &new).expect("docs are writable");
        } else {
            assert!(new == old, "{PAGE} is not what was measured and simulated\n{MEND}");
        }
    }
    let stale = judged.iter().map(Judged::rows).find(|rows| !is_full() && !old.contains(rows));
    assert!(stale.is_none(), "not in {PAGE}:\n{}{MEND}", stale.unwrap_or_default());
    no_more_differ_than_chance_allows(&judged);
}

/// Figures left to chance may miss their interval once in a hundred times; the others never.
fn no_more_differ_than_chance_allows(judged: &[Judged]) {
    let ready = judged.iter().filter(|cell| cell.family.cells[cell.place].waits.is_empty());
    let all: Vec<&Comparison> = ready.flat_map(|cell| &cell.comparisons).collect();
    let luck = all.iter().filter(|comparison| comparison.has_luck()).count();
    let (missed, wrong): (Vec<&Comparison>, Vec<&Comparison>) =
        all.into_iter().filter(|comparison| !comparison.agrees).partition(|comparison| comparison.interval.is_some());
    let allowed = if is_full() { may_miss(luck) } else { 0 };
    assert!(missed.len() as u64 <= allowed, "{} figures differ, chance allows {allowed} of {luck}", missed.len());
    assert!(wrong.is_empty(), "{} figures that are not left to chance differ", wrong.len());
}

#[test]
fn another_algorithm_than_the_measured_one_is_noticed() {
    let family = Family::read("e4");
    let cell = &family.cells[family.samples()[0]];
    let sets: Vec<String> = cell.sets.iter().map(|set| set.replace("leastconn", "random")).collect();
    assert_ne!(sets, cell.sets, "the sample is of leastconn");
    let other =
        Cell { sets, settings: cell.settings.clone(), waits: Vec::new(), measured: cell.measured.clone(), ..*cell };
    let differing = compare(&family, &other).into_iter().filter(|comparison| !comparison.agrees);
    assert!(differing.map(|comparison| comparison.name).any(|name| name == "steps"));
}

#[test]
fn the_trace_adds_up_to_the_totals() {
    let text = r#"
        duration = "2m"
        [cluster]
        nodes = 3
        [balancer]
        affinity = "cookie"
        redispatch = true
        on_marked_down = "shutdown_sessions"
        health.interval = "1s"
        [clients.web]
        arrivals.open.rate = "5/s"
        length = { exponential = { mean = "20s" } }
        think = "2s"
        service = "10ms"
        [clients.chat]
        arrivals.open.rate = "2/s"
        length = { exponential = { mean = "30s" } }
        protocol = "stream"
        [fault.crash]
        at = "30s"
        kill = { nodes = 1, lasts = "20s" }
        [fault.hole]
        at = "1m10s"
        black_hole = { nodes = 1, lasts = "5s" }
        [fault.shut]
        at = "90s"
        refuse = { nodes = 1, lasts = "20s" }
    "#;
    let recording = Sim::new(&lab::plan(text), 1, false).traced().run(|| false).expect("nobody stops it").recording;
    let counts =
        |of: fn(&Happening) -> bool| recording.trace.iter().filter(|(_, happening)| of(happening)).count() as f64;
    let total = |name: &str| lab::figure(lab::whole(&recording), name);
    assert_eq!(counts(|h| matches!(h, Happening::Answered { .. })), total("requests_succeeded_total"));
    assert_eq!(counts(|h| matches!(h, Happening::Failed { .. })), total("requests_failed_total"));
    assert_eq!(counts(|h| matches!(h, Happening::Ended { .. })), total("sessions_ended_total"));
    let began = counts(|h| matches!(h, Happening::Began { .. }));
    assert!(began > total("sessions_started_total"), "those who were there at the start begin too");
    let (opened, closed) =
        (counts(|h| matches!(h, Happening::Opened { .. })), counts(|h| matches!(h, Happening::Closed { .. })));
    assert!(opened > closed && closed > 200.0, "{opened} opened, {closed} closed");
    let marks: Vec<bool> = recording
        .trace
        .iter()
        .filter_map(|(_, h)| if let Happening::Marked { up, .. } = h { Some(*up) } else { None })
        .collect();
    assert_eq!(marks, [false, true, false, true], "the crash and the shut port are noticed, and that they are over");
    assert!(Sim::new(&lab::plan(text), 1, false).run(|| false).unwrap().recording.trace.is_empty());
}

/// The verdicts on one cell.
fn judge(family: &Family, place: usize) -> Judged<'_> {
    let cell = &family.cells[place];
    let comparisons = compare(family, cell);
    Judged { family, place, comparisons }
}

/// Runs a cell and compares its figures; of one that waits there is only what was measured.
fn compare(family: &Family, cell: &Cell) -> Vec<Comparison> {
    let figures = &family.written.figure;
    let compared = |place: &usize| {
        let only = &figures[*place].only;
        only.is_empty() || only.iter().any(|conditions| meets(&cell.settings, conditions))
    };
    let runs = if cell.waits.is_empty() { simulate(family, cell) } else { Vec::new() };
    let comparison = |place: usize| {
        let figure = &figures[place];
        let exact = figure.exact.iter().any(|conditions| meets(&cell.settings, conditions));
        let simulated = runs.iter().map(|figures| figures[place].clone()).collect();
        Comparison::new(figure, exact, &cell.measured[place], simulated)
    };
    (0..figures.len()).filter(compared).map(comparison).collect()
}

/// By seed: each figure of the cell.
fn simulate(family: &Family, cell: &Cell) -> Vec<Vec<Option<Vec<f64>>>> {
    let written = &family.written;
    // `<n>` is the number of the seed.
    let plan = |n: u64| {
        let sets: Vec<String> = cell.sets.iter().map(|set| set.replace("<n>", &n.to_string())).collect();
        lab::cells_at(&family.path, &family.scenario, &sets).remove(0).plan
    };
    let varies = cell.sets.iter().any(|set| set.contains("<n>"));
    let plans: Vec<Plan> = (1..=if varies { written.seeds } else { 1 }).map(plan).collect();
    // Seeds of its own, so that bad luck in one cell says nothing of the next.
    let first = name_key(&format!("{} {:?}", family.name, cell.settings));
    let measure = |n: u64| {
        let plan = if varies { &plans[n as usize - 1] } else { &plans[0] };
        let run = Observed::run(plan, first.wrapping_add(n), cell.zero, cell.end);
        written.figure.iter().map(|figure| figure.reading.read(&run)).collect()
    };
    (1..=written.seeds).into_par_iter().map(measure).collect()
}
