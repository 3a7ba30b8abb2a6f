//! Predictions that users of such clusters can check on paper, as the shipped scenarios put them.

use super::lab::{cells, figure, incident, is_full, plan, run, whole};
use rayon::prelude::*;
use std::path::Path;
use stickysim::base::cause::Harm;
use stickysim::cluster::Sim;
use stickysim::observe::recorder::Recording;
use stickysim::scenario::Cell;

fn shipped(name: &str) -> Vec<Cell> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name).with_extension("toml");
    cells(&std::fs::read_to_string(path).unwrap(), &[])
}

fn near(what: &str, found: f64, exact: f64, tolerance: f64) {
    assert!((found - exact).abs() <= tolerance, "{what}: {found}, not {exact} ± {tolerance}");
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
    let mut cases = vec![(20.0, 30.0), (10.0, 30.0)];
    cases.extend(is_full().then_some((5.0, 120.0)));
    cases.into_par_iter().for_each(|(rate, mean)| {
        let below = format!(
            "affinity = \"cookie\"\nredispatch = true\n[clients.web]\narrivals.open.rate = \"{rate}/s\"\n\
             length = {{ exponential = {{ mean = \"{mean}m\" }} }}\nthink = {{ exponential = {{ mean = \"10m\" }} }}\n\
             service = \"1ms\"\n"
        )
        .replacen("affinity", "[balancer]\naffinity", 1);
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
