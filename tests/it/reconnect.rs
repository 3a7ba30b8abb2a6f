//! Who knocks, and when? Ten thousand clients are cut off at once, try again at once, and meet nobody for 300 s.
//!
//! With waits of base 1 s and cap 32 s: attempts per client in windows after the cut, and who is back how long after the
//! recovery; full and equal jitter are oracle O11. For decorrelated jitter an independent Monte Carlo simulation of
//! 400,000 clients, errors below 0.2 %.

use super::lab::{incident, plan, run, simulate, whole};
use stickysim::base::cause::Harm;
use stickysim::observe::recorder::Recording;
use stickysim::observe::totals::Counter::{Connects, GaveUp, Reconnected};

const CLIENTS: f64 = 10_000.0;
const SEEDS: u64 = 5;

/// The scene; the cut is at 10 s, the node is back at 310 s, and the balancer never notices.
fn cut_off(reconnect: &str) -> String {
    format!(
        "duration = \"400s\"\ncluster.nodes = 1\n[balancer]\nretries = 0\nhealth.interval = \"1h\"\n\
         [clients.s]\narrivals.initial = 10000\nprotocol = \"stream\"\nlength = \"forever\"\nreconnect_at_once = true\n\
         reconnect = {reconnect}\n[fault.crash]\nat = \"10s\"\nkill = {{ nodes = 1, lasts = \"300s\" }}\n"
    )
}

/// What happened per client in whole seconds from the cut on.
struct Story {
    tries: Vec<f64>,
    back: Vec<f64>,
    /// Mean time between the recovery and a client's return (s).
    mean: f64,
}

impl Story {
    fn of(reconnect: &str) -> Story {
        let plan = plan(&cut_off(reconnect));
        let runs: Vec<Recording> = (1..=SEEDS).map(|seed| run(&plan, seed)).collect();
        let per_client = |counter| -> Vec<f64> {
            let count = |second: usize| -> u64 { runs.iter().map(|run| run.ticks[2 * second].totals[counter]).sum() };
            (10..400).map(|second| count(second) as f64 / CLIENTS / SEEDS as f64).collect()
        };
        let area: f64 = runs.iter().map(|run| incident(run).totals.disconnected_time as f64 / 1e9).sum();
        let mean = area / CLIENTS / SEEDS as f64 - 300.0;
        Story { tries: per_client(Connects), back: per_client(Reconnected), mean }
    }

    fn tries_within(&self, from: usize, to: usize) -> f64 {
        self.tries[from..to].iter().sum()
    }

    #[track_caller]
    fn tried(&self, from: usize, to: usize, expected: f64) {
        let found = self.tries_within(from, to);
        assert!((found / expected - 1.0).abs() < 0.015, "{found} tries in {from}..{to} s, not {expected}");
    }

    #[track_caller]
    fn back_within(&self, seconds: usize, expected: f64) {
        let found: f64 = self.back[300..300 + seconds].iter().sum();
        assert!((found - expected).abs() < 0.01, "{found} back within {seconds} s, not {expected}");
    }

    #[track_caller]
    fn mean_back(&self, expected: f64) {
        assert!((self.mean / expected - 1.0).abs() < 0.015, "{} s on average, not {expected}", self.mean);
    }
}

const RULE: &str = "{ base = \"1s\", cap = \"32s\" }";

#[test]
fn without_jitter_everybody_comes_at_the_same_instants() {
    let story = Story::of(&format!("{{ no_jitter = {RULE} }}"));
    let instants: Vec<usize> = (0..300).filter(|&second| story.tries[second] > 0.0).collect();
    assert_eq!(instants, [0, 1, 3, 7, 15, 31, 63, 95, 127, 159, 191, 223, 255, 287]);
    assert!(instants.iter().all(|&second| story.tries[second] == 1.0), "all of them");
    assert_eq!(story.back[319], 1.0, "19 s after the recovery");
}

#[test]
fn decorrelated_jitter_drifts_towards_the_cap() {
    let story = Story::of(&format!("{{ decorrelated_jitter = {RULE} }}"));
    assert_eq!(story.tries_within(0, 1), 1.0, "no wait is shorter than the base");
    story.tried(4, 8, 1.0034);
    story.tried(16, 32, 1.8123);
    story.tried(0, 60, 8.538);
    story.tried(200, 300, 5.095);
    for (seconds, share) in [(1, 0.0511), (5, 0.2355), (10, 0.4280), (20, 0.7302)] {
        story.back_within(seconds, share);
    }
    story.mean_back(13.384);
}

#[test]
fn a_window_or_a_fixed_wait_does_not_grow() {
    let story = Story::of("{ uniform = { min = \"5s\", max = \"15s\" } }");
    story.tried(0, 5, 1.0);
    story.tried(5, 10, 0.5);
    story.tried(100, 300, 20.0);
    let story = Story::of("{ fixed = { delay = \"7s\" } }");
    assert!((0..300).all(|second| story.tries[second] == f64::from(second % 7 == 0)));
}

#[test]
fn a_client_gives_up_after_so_many_tries() {
    let text = cut_off(&format!("{{ no_jitter = {RULE} }}\ngive_up_after = 5"));
    let run = simulate(&text);
    // Tries at 0, 1, 3, 7 and 15 s.
    assert_eq!(run.ticks[2 * 25].totals[GaveUp], 10_000);
    assert_eq!(whole(&run).totals[Connects], 50_000);
    assert_eq!((whole(&run).totals.total(Harm::Dropped), whole(&run).live), (10_000, 0));
}
