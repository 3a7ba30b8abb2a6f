//! Predictions that users of such clusters can check on paper, as the shipped scenarios put them.

use super::lab::{cells, figure, incident, plan, run, whole};
use rayon::prelude::*;
use std::path::Path;
use stickysim::base::cause::Harm;
use stickysim::cluster::Sim;
use stickysim::observe::recorder::Recording;
use stickysim::scenario::Cell;

/// The cells of a shipped scenario.
pub fn shipped(name: &str) -> Vec<Cell> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name).with_extension("toml");
    cells(&std::fs::read_to_string(path).unwrap(), &[])
}

pub fn near(what: &str, found: f64, exact: f64, tolerance: f64) {
    assert!((found - exact).abs() <= tolerance, "{what}: {found}, not {exact} ± {tolerance}");
}

/// Streams per node at the end of a second, in fair shares, averaged over the shipped seeds.
fn streams(cell: &Cell, second: usize) -> Vec<f64> {
    let n = cell.plan.nodes.len();
    let recordings: Vec<Recording> = (1..=20)
        .into_par_iter()
        .map(|seed| Sim::new(&cell.plan, seed, true).run(|| false).unwrap().recording)
        .collect();
    let mean = |node: usize| recordings.iter().map(|run| run.nodes[second * n + node].connections).sum::<f64>() / 20.0;
    (0..n).map(|node| mean(node) / 150.0).collect()
}

#[test]
fn the_order_of_restarts_makes_most_of_the_skew() {
    // S1, twelve nodes of 150 streams: (12/11)^12 − (12/11)^j in place, (13/12)^12 − (13/12)^(j−1) with a surge of one.
    let [in_place, least, surge] = <[Cell; 3]>::try_from(shipped("rolling-restart")).unwrap();
    let power = |n: i32, k: i32| libm::pow(f64::from(n + 1) / f64::from(n), f64::from(k));
    let found = streams(&in_place, 479);
    for (found, j) in found.iter().zip(1..) {
        near("in place", *found, power(11, 12) - power(11, j), 0.08);
    }
    near("the last just before its turn", streams(&in_place, 334)[11], power(11, 11), 0.1);
    let found = streams(&surge, 479);
    for (found, j) in found[12..].iter().zip(1..) {
        near("surge", *found, power(12, 12) - power(12, j - 1), 0.08);
    }
    let found = streams(&least, 479);
    assert!(found[..11].iter().all(|share| (share - 12.0 / 11.0).abs() < 0.01) && found[11] == 0.0, "{found:?}");
}

/// Four nodes joined by two `at` a time; `below` are the clients and the balancer. Sessions on an old and on a new node
/// so many minutes after the start, in fair shares.
fn shares(below: &str, at: &str, hours: u32, minutes: &[f64]) -> Vec<(f64, f64)> {
    let text = format!(
        "duration = \"{hours}h\"\ntick = \"10s\"\n[cluster]\nnodes = 4\n[change.grow]\nat = \"{at}\"\n\
         scale_out = {{ nodes = 2 }}\n[balancer.health]\ninterval = \"1s\"\n{below}"
    );
    let recording = Sim::new(&plan(&text), 1, true).run(|| false).expect("nobody stops it").recording;
    let at = |minutes: &f64| {
        let tick = (minutes * 6.0) as usize;
        let sessions: Vec<f64> = recording.nodes[tick * 6..][..6].iter().map(|node| node.sessions).collect();
        let fair = sessions.iter().sum::<f64>() / 6.0;
        (sessions[..4].iter().sum::<f64>() / 4.0 / fair, sessions[4..].iter().sum::<f64>() / 2.0 / fair)
    };
    minutes.iter().map(at).collect()
}

#[test]
fn new_nodes_fill_at_the_pace_at_which_sessions_end() {
    // S2: an old node holds 1 + exp(−t/m)/2 of its share, a new one 1 − exp(−t/m), whatever the load.
    [(20.0, 30.0), (10.0, 30.0), (5.0, 120.0)].into_par_iter().for_each(|(rate, mean)| {
        let below = format!(
            "[balancer]\naffinity = \"cookie\"\nredispatch = true\n[clients.web]\narrivals.open.rate = \"{rate}/s\"\n\
             length = {{ exponential = {{ mean = \"{mean}m\" }} }}\nthink = {{ exponential = {{ mean = \"10m\" }} }}\n\
             service = \"1ms\"\n"
        );
        let (hottest, filled) = (mean * libm::log(5.0), mean * libm::log(10.0));
        let found = shares(&below, "0s", if mean > 60.0 { 5 } else { 2 }, &[hottest, filled]);
        near("an old node after m·ln 5", found[0].0, 1.1, 0.012);
        near("a new node after m·ln 10", found[1].1, 0.9, 0.02);
    });
}

#[test]
fn clients_who_come_back_to_their_node_never_fill_a_new_one() {
    // S2: the memory of where a client belongs outlives its visits.
    let below = "[balancer]\naffinity = { stick_table = { expire = \"100h\" } }\n[clients.web]\n\
                 arrivals.closed = { clients = 2000, gap = \"10m\" }\nlength = { exponential = { mean = \"10m\" } }\n\
                 think = \"1m\"\nservice = \"1ms\"\n";
    // In the first hour everybody has been here.
    let found = shares(below, "1h", 3, &[170.0]);
    assert!(found[0].0 > 1.49 && found[0].1 < 0.01, "{found:?}");
}

fn busy(recording: &Recording, from: usize, to: usize) -> f64 {
    let all = recording.ticks.iter().skip(recording.runs.len() - 1).step_by(recording.runs.len());
    let ticks: Vec<f64> = all.map(|tick| figure(tick, "node_utilisation_ratio_mean")).collect();
    ticks[from..to].iter().sum::<f64>() / (to - from) as f64
}

#[test]
fn one_dead_node_of_six_costs_a_sixth_of_the_sessions_or_none() {
    // S5: 65 % on six nodes are 78 % on five; 5,000 logins of 67 ms are 335 s of work for 4.4 free slots.
    let runs: Vec<Recording> =
        shipped("node-crash-sticky-vs-store").par_iter().map(|cell| run(&cell.plan, 1)).collect();
    let [sticky, store] = [&runs[0], &runs[1]];
    assert_eq!(incident(sticky).totals.total(Harm::Lost), 5_000);
    assert_eq!(incident(store).totals.total(Harm::Lost), 0);
    for run in [sticky, store] {
        near("before", busy(run, 60, 120), 0.65, 0.01);
        near("long after", busy(run, 300, 360), 0.78, 0.015);
        assert!(incident(run).totals.total(Harm::Failed) < 30, "only what was in hand");
        assert_eq!(whole(run).live, 30_000);
    }
    near("the store goes there at once", busy(store, 125, 185), 0.78, 0.015);
    assert!(busy(sticky, 125, 165) > 0.99, "logging in again takes all that is left");
    near("work of logging in", figure(incident(sticky), "rebuild_work_s_total"), 335.0, 1.0);
}

#[test]
fn impatient_people_keep_a_login_service_busy_with_their_own_past() {
    let runs: Vec<Recording> = shipped("login-storm").par_iter().map(|cell| run(&cell.plan, 1)).collect();
    let [patient, impatient, bounded, store] = &runs[..] else { panic!("{} variants", runs.len()) };
    let at = |run: &Recording, second: usize, name: &str| figure(&run.ticks[2 * second + 1], name);
    // 5,000 (1 − exp(−t/30)) have come and 90 t been served: the line is longest after 18.5 s, and gone after 42 s.
    near("the longest line", figure(incident(patient), "rebuild_waiting_max"), 636.0, 80.0);
    assert!(at(patient, 150, "rebuild_waiting_max") > 0.0 && at(patient, 170, "rebuild_waiting_max") == 0.0);
    assert_eq!(incident(impatient).totals.total(Harm::Lost), 5_000);
    near("still out", at(impatient, 599, "sessions_disconnected_mean") / 30_000.0, 0.13, 0.01);
    near("though as many logins were done", at(impatient, 599, "rebuild_visits_total"), 90.0, 30.0);
    assert_eq!(figure(incident(bounded), "rebuild_visits_total"), 5_000.0, "nobody is let in twice");
    assert!(at(bounded, 170, "rebuild_waiting_max") == 0.0 && at(bounded, 170, "sessions_disconnected_mean") < 5.0);
    assert_eq!(incident(store).totals.total(Harm::Lost), 0);
}
