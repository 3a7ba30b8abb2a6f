//! Does the simulator agree with queueing theory, renewal theory, the mathematics of hashing, and with what users can
//! check on paper? The files in `oracles/` hold the cases: a scenario, what must come out of it, the tolerance, the source.
//! This is their one runner; `scripts/oracles` writes `docs/oracles.md`.
//!
//! A tolerance is one of the mean over seeds, whose 95 % interval must be no wider: or the case would prove nothing.
//! Where runs of that precision take minutes there is a short form, which is judged by its own interval: the mean must lie
//! within four standard errors of the truth, and these must themselves be small (`short`). With STICKYSIM_FULL set the
//! runs are long and the stated tolerance counts.

mod data;
mod figure;
mod hashing;
mod judge;
mod page;

use super::lab;
use data::{Oracle, topics};
use figure::Run;
use judge::{Judgement, weighted};
use page::{PAGE, stale, tables, with_tables};
use rayon::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use stickysim::cluster::Sim;
use stickysim::cluster::plan::Plan;

/// A case and what it simulates.
struct Case<'t> {
    oracle: &'t Oracle,
    plan: Option<Plan>,
}

#[test]
fn what_is_known_comes_out_of_the_simulator() {
    let topics = topics();
    let only = std::env::var("STICKYSIM_ORACLES").unwrap_or_default();
    let all = topics.iter().flat_map(|topic| topic.oracle.iter().map(move |oracle| (topic, oracle)));
    let wanted = all.filter(|(_, oracle)| oracle.id.starts_with(&only));
    let cases: Vec<Case> = wanted.map(|(topic, oracle)| Case { oracle, plan: topic.plan(oracle) }).collect();
    let judged = judge(&cases);
    let rows = cases.iter().flat_map(|case| case.oracle.expect.iter().map(move |expect| (case.oracle, expect)));
    let mut wrong = Vec::new();
    for ((oracle, expect), outcome) in rows.zip(&judged) {
        let Some(outcome) = outcome else { continue };
        let [low, high] = outcome.interval.map_or([outcome.mean; 2], |interval| [interval.low, interval.high]);
        let mean = outcome.mean;
        let line =
            format!("{} {}: mean {mean:.5} ({low:.5}..{high:.5}), {:?}", oracle.id, expect.label(), expect.value);
        println!("{line}");
        wrong.extend(expect.unexpected(outcome).iter().map(|what| format!("{line}: {what} ({})", oracle.source)));
    }
    if std::env::var_os("STICKYSIM_BLESS").is_some() && only.is_empty() {
        let old = fs::read_to_string(page()).expect("the page is readable");
        fs::write(page(), with_tables(&old, &tables(&topics, &judged))).expect("docs are writable");
    }
    assert!(wrong.is_empty(), "{} figures disagree:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_page_of_oracles_has_every_row_and_its_verdict() {
    let stale = stale(&topics(), &fs::read_to_string(page()).expect("the page is readable"));
    assert!(stale.is_empty(), "{PAGE} is stale; scripts/oracles makes it anew:\n{}", stale.join("\n"));
}

#[test]
fn every_unit_test_that_holds_a_row_exists() {
    fn holds(folder: &Path, text: &str) -> bool {
        let entries = fs::read_dir(folder).expect("src/ is readable").map(|entry| entry.unwrap().path());
        entries.into_iter().any(|path| {
            path.is_dir() && holds(&path, text)
                || path.extension().is_some_and(|end| end == "rs") && fs::read_to_string(&path).unwrap().contains(text)
        })
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for name in topics().iter().flat_map(|topic| &topic.oracle).filter_map(|oracle| oracle.by.as_ref()) {
        assert!(holds(&src, &format!("#[test]\n    fn {name}()")), "there is no unit test {name}");
    }
}

/// Three pauses of a second on the dead node turn none of its refusals into a success.
#[test]
fn retries_on_the_same_dead_node_delay_failures_and_change_no_count() {
    let topics = topics();
    let topic = topics.iter().find(|topic| topic.oracle.iter().any(|oracle| oracle.id.starts_with("O12(c)"))).unwrap();
    let failed = |retries: u32| -> Vec<f64> {
        let set = [format!("balancer.retries={retries}")];
        let plan = lab::cells(topic.text("detection"), &set).remove(0).plan;
        let failed = |seed| lab::figure(lab::whole(&lab::run(&plan, seed)), "requests_failed_total");
        (1..=20).map(failed).collect()
    };
    assert_eq!(failed(0), failed(3));
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)
}

/// Runs the cases, all their seeds in parallel: the outcome of each expectation; `None` where a unit test holds it.
fn judge(cases: &[Case]) -> Vec<Option<Judgement>> {
    // One flat list of runs, so that long and short cases share the cores.
    let runs: Vec<(usize, u64)> = cases
        .iter()
        .enumerate()
        .flat_map(|(place, case)| (1..=u64::from(case.oracle.seeds_now())).map(move |n| (place, n)))
        .collect();
    let figures: Vec<Vec<[f64; 2]>> = runs.par_iter().map(|&(place, n)| cases[place].measure(n)).collect();
    let of = |place: usize| -> Vec<&Vec<[f64; 2]>> {
        runs.iter().zip(&figures).filter(|((owner, _), _)| *owner == place).map(|(_, values)| values).collect()
    };
    let one = |(place, case): (usize, &Case)| -> Vec<Option<Judgement>> {
        let seeds = of(place);
        let expects = case.oracle.expect.iter().enumerate();
        let judge = |(nth, expect): (usize, &data::Expect)| {
            let [values, weights] = [0, 1].map(|part| seeds.iter().map(|row| row[nth][part]).collect::<Vec<f64>>());
            (!seeds.is_empty()).then(|| expect.judge(&weighted(&values, &weights)))
        };
        expects.map(judge).collect()
    };
    cases.iter().enumerate().flat_map(one).collect()
}

impl Case<'_> {
    /// What one seed says on each expectation, and what it counts for.
    fn measure(&self, n: u64) -> Vec<[f64; 2]> {
        let (oracle, expects) = (self.oracle, self.oracle.expect.iter());
        if let Some(hashing) = &oracle.hashing {
            return expects.map(|expect| [hashing.read(expect.figure.of(), n), 1.0]).collect();
        }
        let plan = self.plan.as_ref().unwrap_or_else(|| panic!("{} has nothing to run", oracle.id));
        let [nodes, trace] = [0, 1].map(|what| expects.clone().any(|expect| expect.figure.needs()[what]));
        let sim = Sim::new(plan, oracle.seed(n), nodes);
        let sim = if trace { sim.traced() } else { sim };
        let run = Run { plan, recording: sim.run(|| false).expect("nobody stops it").recording };
        let weight = |expect: &data::Expect| expect.weight.as_ref().map_or(1.0, |weight| weight.read(&run));
        expects.map(|expect| [expect.figure.read(&run), weight(expect)]).collect()
    }
}
