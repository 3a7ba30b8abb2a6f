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
