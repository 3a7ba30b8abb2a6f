//! Storms that end and storms that do not: ten thousand clients are cut off at once, and a node lets in 200 a second.

use crate::lab::{cells_at, figure, incident, is_full, run};
use rayon::prelude::*;
use std::fs;
use std::path::Path;
use stickysim::observe::window::Window;

/// The shipped storm with clients who wait like this, as (policy, patch); full jitter with a cap of 30 s is the default.
const POLICIES: [(&str, &str); 6] = [
    ("fixed", "clients.app.reconnect={ fixed = { delay = \"1s\" } }"),
    ("phoenix", "clients.app.preset=\"phoenix\""),
    ("socket.io", "clients.app.preset=\"socket.io\""),
    ("signalr", "clients.app.preset=\"signalr\""),
    ("jitter", "clients.app.reconnect_at_once=false"),
    ("window", "clients.app.reconnect={ uniform = { max = \"60s\" } }"),
];

fn storms(more: &[&str]) -> Vec<(&'static str, Window)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/reconnect-storm-metastable.toml");
    let text = fs::read_to_string(&path).unwrap();
    let storm = |&(policy, patch): &(&'static str, &str)| {
        let minutes = if is_full() { 31 } else { 11 };
        let mut sets = vec![patch.to_owned(), format!("duration={minutes}m")];
        sets.extend(more.iter().map(|&set| set.to_owned()));
        let cells = cells_at(&path, &text, &sets);
        let plain = cells.iter().find(|cell| cell.variant == "full jitter, cap 30 s").expect("the plain variant");
        (policy, incident(&run(&plain.plan, 1)).clone())
    };
    POLICIES.par_iter().map(storm).collect()
}

/// Seconds until 99 % of those who still want to were back; `None` for never.
fn time_back(window: &Window) -> Option<f64> {
    (figure(window, "reconnected_ratio") == 1.0).then(|| figure(window, "reconnect_time_s"))
}

/// Of the ten thousand, those who have stopped trying.
fn stranded(window: &Window) -> f64 {
    figure(window, "sessions_gave_up_total") / 10_000.0
}

#[test]
fn an_endless_line_and_short_patience_stall_every_policy_but_a_wide_window() {
    for (policy, window) in storms(&[]) {
        match policy {
            "window" => assert!(time_back(&window).is_some_and(|s| (50.0..=75.0).contains(&s)), "{policy}"),
            "signalr" => assert!((stranded(&window) - 0.8).abs() < 0.01, "{}", stranded(&window)),
            _ => {
                assert_eq!(time_back(&window), None, "{policy}");
                // μT/N: those who were let in within the first 10 s, and nobody after.
                let connected = figure(&window, "connected_ratio_last");
                assert!((connected - 0.2).abs() < 0.006, "{policy}: {connected}");
                assert!(figure(&window, "wasted_work_ratio") > 0.9, "{policy}");
            }
        }
    }
}

#[test]
fn a_bounded_line_brings_everybody_back_but_those_who_stop_trying() {
    for (policy, window) in storms(&["cluster.node.accept_max=1000"]) {
        if policy == "signalr" {
            assert!((stranded(&window) - 0.66).abs() < 0.03, "{}", stranded(&window));
        } else {
            let back = time_back(&window);
            assert!(back.is_some_and(|s| (49.0..=75.0).contains(&s)), "{policy}: {back:?}");
        }
    }
}

#[test]
fn more_patience_brings_everybody_back_at_the_price_of_wasted_work() {
    for (policy, window) in storms(&["clients.app.connect_timeout=30s"]) {
        let (back, wasted) = (time_back(&window), figure(&window, "wasted_work_ratio"));
        assert!(back.is_some_and(|s| (50.0..=85.0).contains(&s)), "{policy}: {back:?}");
        assert!((0.0..=0.42).contains(&wasted), "{policy}: {wasted}");
    }
}

#[test]
fn a_deadline_a_rate_and_the_last_first_bring_everybody_back_too() {
    for more in ["cluster.node.accept_deadline=5s", "cluster.node.accept_rate=190/s", "cluster.node.accept_order=lifo"]
    {
        for (policy, window) in storms(&[more]).into_iter().filter(|(policy, _)| *policy != "signalr") {
            let back = time_back(&window);
            // Clients without jitter come in step, every 5 s, and a rate lets in no more than its burst each time.
            let is_in_step = policy == "phoenix" && more.contains("rate");
            let span = if is_in_step { 200.0..=260.0 } else { 49.0..=75.0 };
            assert!(back.is_some_and(|s| span.contains(&s)), "{more}, {policy}: {back:?}");
        }
    }
}

#[test]
fn waits_that_just_suffice_bring_everybody_back_late() {
    // 8,000 ÷ (10 s of patience + 30 s of wait in the mean) come in a second, as many as are let in.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/reconnect-storm-metastable.toml");
    let text = fs::read_to_string(&path).unwrap();
    let waits = "clients.app.reconnect={ full_jitter = { base = \"10s\", cap = \"60s\" } }";
    let sets = [waits, "clients.app.reconnect_at_once=false", "duration=31m"].map(str::to_owned);
    let cells = cells_at(&path, &text, &sets);
    let plain = cells.iter().find(|cell| cell.variant == "full jitter, cap 30 s").expect("the plain variant");
    let back = |seed: u64| time_back(incident(&run(&plain.plan, seed))).expect("it suffices");
    let minutes: Vec<f64> = (1..=4).into_par_iter().map(|seed| back(seed) / 60.0).collect();
    let mean = minutes.iter().sum::<f64>() / 4.0;
    assert!((10.0..=16.0).contains(&mean) && minutes.iter().all(|&m| m > 5.0), "{minutes:?}");
}
