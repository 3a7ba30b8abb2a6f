//! How many outlive a drain? It is the rest of their lives that counts: of those who are there, with lives of the
//! distribution F and the mean m, ∫ from T on of (1 − F) ÷ m outlive T.

use super::lab::{incident, plan};
use rayon::prelude::*;
use stickysim::base::cause::{Cause, Harm};
use stickysim::cluster::Sim;

/// The share of the streams on a node that are cut when it has been drained for so many minutes.
fn cut(length: &str, per_minute: f64, minutes: f64, seeds: u64) -> f64 {
    let duration = minutes.ceil() + 2.0;
    let plan = plan(&format!(
        "duration = \"{duration}m\"\ntick = \"30s\"\nrecovery_hold = \"1m\"\n[cluster]\nnodes = 2\n[clients.s]\n\
         arrivals.open.rate = \"{per_minute}/m\"\nlength = {length}\nprotocol = \"stream\"\n\
         [balancer]\nbalance = {{ random = {{ draws = 1 }} }}\nredispatch = true\nhealth.check = \"none\"\n\
         [change.leave]\nat = \"1m\"\ndrain = {{ nodes = [\"n1\"], timeout = \"{}s\" }}\n",
        60.0 * minutes
    ));
    let one = |seed: u64| {
        let recording = Sim::new(&plan, seed, true).run(|| false).unwrap().recording;
        // At the end of the tick before: the mean of a tick is that of its middle, and the level does not change.
        let held = recording.nodes[plan.nodes.len()].connections;
        (held, incident(&recording).totals.of(Harm::Dropped, Cause::DrainTimeout) as f64)
    };
    let (held, cut) = (1..=seeds).into_par_iter().map(one).reduce(|| (0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
    cut / held
}

#[test]
fn a_drain_cuts_those_whose_rest_of_life_is_longer() {
    // O10: lognormal, mean 20 min, sigma 1.5. Of new sessions .569, .387, .154 and .069 would live so long.
    for (minutes, exact) in [(5.0, 0.8107), (10.0, 0.6939), (30.0, 0.4536), (60.0, 0.2997)] {
        // Some 50,000 streams: four and a half deviations.
        let found = cut("{ lognormal = { mean = \"20m\", sigma = 1.5 } }", 1_000.0, minutes, 5);
        assert!((found - exact).abs() < 0.01, "{found} outlive {minutes} min, not {exact}");
    }
}

#[test]
fn a_longer_drain_saves_what_the_tail_of_the_length_says() {
    // S4, the node that is drained first: the lognormal with the shorter mean has the longer tail.
    let minutes = [0.5, 5.0, 15.0, 30.0, 60.0, 120.0, 240.0];
    let exponential = minutes.map(|minutes| libm::exp(-minutes / 20.0));
    let fixed = minutes.map(|minutes| (1.0 - minutes / 20.0_f64).max(0.0));
    let laws = [
        ("{ exponential = { mean = \"20m\" } }", 20.0, exponential),
        ("{ lognormal = { median = \"8m\", sigma = 1.2 } }", 16.4, [0.970, 0.746, 0.477, 0.292, 0.146, 0.058, 0.018]),
        ("\"20m\"", 20.0, fixed),
    ];
    for (length, mean, exact) in laws {
        for (minutes, exact) in minutes.into_iter().zip(exact) {
            // Some 12,000 streams of 2,000 a node: four deviations of a half, and fewer of a small share.
            let found = cut(length, 4_000.0 / mean, minutes, 6);
            let tolerance = 0.003 + 4.0 * (exact * (1.0 - exact) / 12_000.0).sqrt();
            assert!((found - exact).abs() < tolerance, "{length}: {found} outlive {minutes} min, not {exact}");
        }
    }
}
