//! Do the intervals hold what they promise? A thousand times over, of cases whose answers are known.

use crate::lab::{figure, plan, run, whole};
use rayon::prelude::*;
use stickysim::cluster::plan::Plan;
use stickysim::observe::columns::Better;
use stickysim::observe::totals::Counter::Started;
use stickysim::statistics::shares::wilson;
use stickysim::statistics::{Interval, Verdict, estimate, paired, quantile_interval};

const TIMES: u64 = 1_000;
const SEEDS: u64 = 10;

/// Arrivals at this rate, for a minute: as many as Poisson has it.
fn arrivals(rate: f64) -> Plan {
    plan(&format!(
        "duration = \"1m\"\ncluster.nodes = 1\n[clients.c]\narrivals = {{ initial = 0, open.rate = \"{rate}/s\" }}\n\
         requests = 1\nthink = \"1ms\"\nservice = \"1us\"\n"
    ))
}

/// One request whose work is exponential with a mean of 100 ms: so is its response time.
fn one_request() -> Plan {
    plan(
        "duration = \"1m\"\ncluster.nodes = 1\n[clients.c]\narrivals.initial = 1\nrequests = 1\nthink = \"1ms\"\n\
         service = { exponential = { mean = \"100ms\" } }\n",
    )
}

/// Figures of one repetition after the other, each with so many seeds of its own.
fn repeated(plan: &Plan, seeds: u64, figure: impl Fn(&Plan, u64) -> f64 + Sync) -> Vec<Vec<f64>> {
    let one = |time| (1..=seeds).map(|seed| figure(plan, time * seeds + seed)).collect();
    (0..TIMES).into_par_iter().map(one).collect()
}

fn started(plan: &Plan, seed: u64) -> f64 {
    whole(&run(plan, seed)).totals[Started] as f64
}

/// In which share of the repetitions the interval holds the truth.
fn covered(intervals: impl Iterator<Item = Option<Interval>>, truth: f64) -> f64 {
    let holds = |interval: Option<Interval>| interval.is_some_and(|i| (i.low..=i.high).contains(&truth));
    intervals.filter(|&interval| holds(interval)).count() as f64 / TIMES as f64
}

#[test]
fn the_interval_of_a_mean_holds_it_in_95_of_100() {
    let all = repeated(&arrivals(1.0), SEEDS, started);
    let share = covered(all.iter().map(|values| estimate(values).and_then(|found| found.interval)), 60.0);
    assert!((0.93..=0.97).contains(&share), "{share}");
}

#[test]
fn the_interval_of_a_paired_difference_holds_it_in_95_of_100() {
    let (fewer, more) = (repeated(&arrivals(1.0), SEEDS, started), repeated(&arrivals(1.2), SEEDS, started));
    let some = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
    let found = fewer.iter().zip(&more).map(|(a, b)| paired(&some(a), &some(b), Better::Less));
    let share = covered(found.map(|found| found.and_then(|found| found.difference.interval)), 12.0);
    assert!((0.93..=0.97).contains(&share), "{share}");
}

#[test]
fn the_interval_of_a_share_holds_it_in_93_of_100_at_least() {
    // Nobody comes within a minute in e^(−1.2) of all seeds.
    // Of 25 such seeds Wilson's interval holds it in 95.0 %, by the binomial law; for other numbers it is 93 % to 97 %.
    let all = repeated(&arrivals(0.02), 25, started);
    let none = |values: &Vec<f64>| values.iter().filter(|&&n| n == 0.0).count() as u64;
    let share = covered(all.iter().map(|values| wilson(none(values), 25)), libm::exp(-1.2));
    assert!((0.93..=0.99).contains(&share), "{share}");
}

#[test]
fn the_interval_of_a_median_holds_it_in_95_of_100_at_least() {
    let response = |plan: &Plan, seed| figure(whole(&run(plan, seed)), "response_time_ms_mean");
    let all = repeated(&one_request(), 20, response);
    let of = |values: &Vec<f64>| {
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        quantile_interval(&sorted, 0.5)
    };
    // Discrete: 95.9 % by the binomial law; and a histogram's response times are exact to half a percent.
    let share = covered(all.iter().map(of), 100.0 * libm::log(2.0));
    assert!((0.93..=0.98).contains(&share), "{share}");
}

#[test]
fn a_design_against_itself_is_told_apart_as_often_as_the_level_says() {
    let all = repeated(&arrivals(1.0), 2 * SEEDS, started);
    let some = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
    let rejects = |values: &&Vec<f64>| {
        let (one, other) = values.split_at(SEEDS as usize);
        let found = paired(&some(one), &some(other), Better::Less).expect("all seeds have a value");
        matches!(found.verdict, Some(Verdict::Better | Verdict::Worse))
    };
    let share = all.iter().filter(rejects).count() as f64 / TIMES as f64;
    assert!((0.035..=0.065).contains(&share), "{share}");
    // On the same seeds it is exactly nothing.
    let same = paired(&some(&all[0]), &some(&all[0]), Better::Less).expect("all seeds have a value");
    assert_eq!((same.difference.mean, same.verdict), (0.0, Some(Verdict::Same)));
}

#[test]
fn pairing_narrows_the_interval_at_least_twice_where_the_clients_cause_the_variance() {
    // Two designs that differ in the order of picks only; what differs between seeds is who comes and asks how often.
    let with = |balance: &str| {
        plan(&format!(
            "duration = \"10m\"\n[cluster]\nnodes = 4\nnode.concurrency = 1\n[clients.c]\narrivals = {{ open.rate = \"0.2/s\" }}\n\
             length = {{ exponential = {{ mean = \"2m\" }} }}\nthink = {{ exponential = {{ mean = \"10s\" }} }}\n\
             service = {{ exponential = {{ mean = \"50ms\" }} }}\n[balancer]\nbalance = \"{balance}\"\n"
        ))
    };
    let slow = |plan: &Plan| -> Vec<Option<f64>> {
        let response = |seed| figure(whole(&run(plan, seed)), "response_time_ms_mean");
        (1..=40u64).into_par_iter().map(|seed| Some(response(seed))).collect()
    };
    // Nearly all of it is the work itself, which is the same whoever does it.
    let found = paired(&slow(&with("roundrobin")), &slow(&with("leastconn")), Better::Less).expect("all have a value");
    assert!(found.pairing_gain.is_some_and(|gain| gain >= 2.0), "{:?}", found.pairing_gain);
}
