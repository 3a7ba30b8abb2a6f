//! Does the simulator agree with queueing theory? `oracles.toml` holds the cases: a scenario, what an exact
//! formula says of it, the tolerance, the source. This is their one runner.
//!
//! A short run is judged by its own confidence interval: the mean over seeds must lie within four standard
//! errors of the formula, and these must themselves be small (`short`), or the case would prove nothing.
//! With STICKYSIM_FULL set the runs are long and the stated tolerance counts.

use super::lab::{self, is_full};
use rayon::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use stickysim::base::cause::Harm;
use stickysim::base::draw::name_key;
use stickysim::cluster::plan::Plan;
use stickysim::observe::recorder::Recording;

/// The cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Oracles {
    /// Scenario texts by name.
    scenario: BTreeMap<String, String>,
    oracle: Vec<Oracle>,
}

/// A scenario of which the truth is known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Oracle {
    id: String,
    /// Name of its scenario.
    scenario: String,
    /// What differs from it, as with `--set`.
    #[serde(default)]
    set: Vec<String>,
    /// Length and number of short runs; the scenario's own length when not given.
    duration: Option<String>,
    seeds: u32,
    /// The same with STICKYSIM_FULL.
    duration_full: Option<String>,
    seeds_full: u32,
    /// Where the values come from.
    source: String,
    expect: Vec<Expect>,
}

/// A figure and its true value.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// A column, or `last_failure_s`: when the last request failed, counted from the incident.
    figure: String,
    /// Whether it is read off the window after the incident, not off the whole run.
    #[serde(default)]
    incident: bool,
    /// The true mean over seeds.
    value: f64,
    /// Allowed relative error of the mean, full length.
    tolerance: f64,
    /// Largest relative size of four standard errors, short length.
    short: f64,
    /// Relative error that the figure itself may have (a histogram's, a tick's).
    #[serde(default)]
    resolution: f64,
    /// What the mean must exceed, a neighbouring theory's value.
    exceeds: Option<f64>,
    /// The true standard deviation over seeds, checked within four of its own standard errors.
    sd: Option<f64>,
    /// What the figure of each seed must lie within.
    each: Option<[f64; 2]>,
}

#[test]
fn stateless_routing() {
    agrees_with("O1 ");
}

#[test]
fn the_power_of_two_choices() {
    agrees_with("O2 ");
}

#[test]
fn least_connections() {
    agrees_with("O3 ");
}

#[test]
fn first_come_first_served_and_processor_sharing() {
    agrees_with("O4 ");
}

#[test]
fn a_service_beside_the_nodes() {
    agrees_with("L1 ");
}

#[test]
fn crashes_and_their_detection() {
    agrees_with("O12");
}

#[test]
fn every_oracle_is_checked_by_one_of_the_above() {
    let groups = ["O1 ", "O2 ", "O3 ", "O4 ", "L1 ", "O12"];
    let orphan = read().oracle.into_iter().find(|oracle| !groups.iter().any(|group| oracle.id.starts_with(group)));
    assert!(orphan.is_none(), "{}", orphan.unwrap().id);
}

fn read() -> Oracles {
    toml::from_str(include_str!("oracles.toml")).expect("oracles.toml is well formed")
}

/// Runs the oracles whose id starts so, all their seeds in parallel.
fn agrees_with(group: &str) {
    let mut oracles = read();
    oracles.oracle.retain(|oracle| oracle.id.starts_with(group));
    // One flat list of runs, so that long and short cases share the cores.
    let plans: Vec<Plan> = oracles.oracle.iter().map(|oracle| plan(oracle, &oracles.scenario)).collect();
    let runs: Vec<(usize, u64)> = oracles
        .oracle
        .iter()
        .enumerate()
        .flat_map(|(case, oracle)| (1..=u64::from(oracle.seeds_now())).map(move |n| (case, oracle.seed(n))))
        .collect();
    let figures: Vec<Vec<f64>> =
        runs.par_iter().map(|&(case, seed)| measure(&oracles.oracle[case], &plans[case], seed)).collect();
    let mut wrong = Vec::new();
    for (case, oracle) in oracles.oracle.iter().enumerate() {
        let mine = || runs.iter().zip(&figures).filter(|((owner, _), _)| *owner == case).map(|(_, values)| values);
        for (n, expect) in oracle.expect.iter().enumerate() {
            let values: Vec<f64> = mine().map(|values| values[n]).collect();
            let verdict = expect.judge(&values);
            let (mean, sd) = moments(&values);
            let line = format!("{} {}: mean {mean:.5}, sd {sd:.5}, true {}", oracle.id, expect.figure, expect.value);
            println!("{line}");
            wrong.extend(verdict.iter().map(|what| format!("{line}: {what} ({})", oracle.source)));
        }
    }
    assert!(wrong.is_empty(), "{} oracles disagree:\n{}", wrong.len(), wrong.join("\n"));
}

/// Three pauses of a second on the dead node turn none of its refusals into a success.
#[test]
fn retries_on_the_same_dead_node_delay_failures_and_change_no_count() {
    let oracles = read();
    let failed = |retries: u32| -> Vec<f64> {
        let set = [format!("balancer.retries={retries}")];
        let plan = lab::cells(&oracles.scenario["detection"], &set).remove(0).plan;
        let failed = |seed| lab::figure(lab::whole(&lab::run(&plan, seed)), "requests_failed_total");
        (1..=20).map(failed).collect()
    };
    assert_eq!(failed(0), failed(3));
}

fn plan(oracle: &Oracle, scenarios: &BTreeMap<String, String>) -> Plan {
    let text = scenarios.get(&oracle.scenario).unwrap_or_else(|| panic!("{}: no such scenario", oracle.id));
    let duration = if is_full() { &oracle.duration_full } else { &oracle.duration };
    let length = duration.as_ref().map(|duration| format!("duration={duration}"));
    let sets: Vec<String> = oracle.set.iter().cloned().chain(length).collect();
    lab::cells(text, &sets).remove(0).plan
}

/// What one seed says on each expectation.
fn measure(oracle: &Oracle, plan: &Plan, seed: u64) -> Vec<f64> {
    let recording = lab::run(plan, seed);
    let read = |expect: &Expect| match expect.figure.as_str() {
        "last_failure_s" => last_failure_s(&recording),
        name if expect.incident => lab::figure(lab::incident(&recording), name),
        name => lab::figure(lab::whole(&recording), name),
    };
    oracle.expect.iter().map(read).collect()
}

/// End of the last tick in which a request failed, counted from the incident [s].
fn last_failure_s(recording: &Recording) -> f64 {
    let failing = recording.ticks.iter().rev().find(|tick| tick.totals.total(Harm::Failed) > 0);
    failing.map_or(0.0, |tick| tick.to.since(lab::incident(recording).from).as_secs_f64())
}

impl Oracle {
    /// Seeds of its own, so that bad luck in one case says nothing of the next.
    fn seed(&self, n: u64) -> u64 {
        name_key(&self.id).wrapping_add(n)
    }

    fn seeds_now(&self) -> u32 {
        if is_full() { self.seeds_full } else { self.seeds }
    }
}

impl Expect {
    /// Everything in which `values`, one per seed, contradict the expectation.
    fn judge(&self, values: &[f64]) -> Vec<String> {
        let (mean, sd) = moments(values);
        let n = values.len() as f64;
        let error = (mean - self.value).abs();
        let interval = 4.0 * sd / n.sqrt();
        let mut wrong = Vec::new();
        let mut claim = |holds: bool, what: String| {
            if !holds {
                wrong.push(what);
            }
        };
        if is_full() {
            let allowed = self.tolerance * self.value;
            claim(error <= allowed, format!("off by {error:.5}, allowed are {allowed:.5}"));
        } else {
            let cap = self.short * self.value;
            claim(interval <= cap, format!("4 standard errors are {interval:.5}, more than {cap:.5}: run longer"));
            let allowed = interval + self.resolution * self.value;
            claim(error <= allowed, format!("off by {error:.5}, allowed are {allowed:.5}"));
        }
        if let Some(least) = self.exceeds {
            // A short run may not tell neighbours apart, but it must not deny it.
            let slack = if is_full() { 0.0 } else { interval };
            claim(mean + slack > least, format!("does not exceed {least}"));
        }
        if let Some(truth) = self.sd {
            // Of a normal variable; the counts here are large enough.
            let allowed = 4.0 * truth / (2.0 * (n - 1.0)).sqrt();
            claim((sd - truth).abs() <= allowed, format!("sd {sd:.3}, not {truth} ± {allowed:.3}"));
        }
        if let Some([least, most]) = self.each {
            let outside = values.iter().filter(|&&x| !(least..=most).contains(&x)).count();
            claim(outside == 0, format!("{outside} seeds outside {least}..{most}"));
        }
        wrong
    }
}

/// Mean and standard deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    (mean, (squares / (n - 1.0)).sqrt())
}
