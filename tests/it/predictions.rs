//! Predictions that users of such clusters can check on paper, as the shipped scenarios put them.

use super::lab::{cells, figure, incident, run};
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
