//! Rolling restarts: in batches and one by one, in place and with surge, in this order or that.
//!
//! Where everybody who is cut off picks another node at random, the fill of the nodes afterwards has a closed form:
//! batch j of K = n/b leaves and shares its people out among n − b others (in place) or n (surge), so that each of
//! these grows by the factor 1 + b/(n − b) or 1 + b/n at each later turn.

use super::lab::{causes, figure, incident, plan, run, simulate};
use rayon::prelude::*;
use std::collections::BTreeMap;
use stickysim::base::cause::{Cause, Harm};
use stickysim::cluster::Sim;
use stickysim::observe::recorder::Recording;
use stickysim::observe::trace::{Happening, Who};

/// Streams that never end and come back at once; the roll begins at 60 s.
fn roll(nodes: u32, streams: u32, rolling: &str) -> String {
    format!(
        "duration = \"10m\"\nrecovery_hold = \"10s\"\n[cluster]\nnodes = {nodes}\n[clients.s]\n\
         arrivals.initial = {streams}\nlength = \"forever\"\nprotocol = \"stream\"\nreconnect_at_once = true\n\
         [balancer]\nbalance = {{ random = {{ draws = 1 }} }}\nredispatch = true\nhealth.interval = \"200ms\"\n\
         [change.roll]\nat = \"1m\"\nrolling = {rolling}\n"
    )
}

/// Streams per node in the end, relative to an even share of those that were there first, and moves per stream.
fn after(nodes: u32, rolling: &str) -> (Vec<f64>, f64) {
    const SEEDS: u64 = 40;
    let plan = plan(&roll(nodes, 1_000 * nodes, rolling));
    let n = plan.nodes.len();
    let (mut fill, mut moves) = (vec![0.0; n], 0.0);
    let one = |seed: u64| Sim::new(&plan, seed, true).run(|| false).unwrap().recording;
    let recordings: Vec<Recording> = (1..=SEEDS).into_par_iter().map(one).collect();
    for recording in &recordings {
        let last = &recording.nodes[recording.nodes.len() - n..];
        fill.iter_mut().zip(last).for_each(|(sum, node)| *sum += node.connections / 1_000.0 / SEEDS as f64);
        moves += figure(incident(recording), "sessions_moved_total") / f64::from(1_000 * nodes) / SEEDS as f64;
    }
    (fill, moves)
}

#[track_caller]
fn near(found: &[f64], exact: &[f64]) {
    // A node's luck is √1800 of some 1800 streams; forty seeds make that 0.007 of a share.
    let close = found.iter().zip(exact).all(|(found, exact)| (found - exact).abs() < 0.025);
    assert!(close && found.len() == exact.len(), "{found:.4?}, not {exact:.4?}");
}

fn power(base: f64, exponent: u32) -> f64 {
    (0..exponent).map(|_| base).product()
}

#[test]
fn batches_in_place_match_the_closed_form() {
    for (n, b) in [(10, 1), (12, 4), (12, 3), (10, 5)] {
        let rolling = format!("{{ batch = {b}, how = \"maint\", restart = \"5s\", pause = \"2s\" }}");
        let (fill, moves) = after(n, &rolling);
        let grows = 1.0 + f64::from(b) / f64::from(n - b);
        let whole = power(grows, n / b);
        let exact: Vec<f64> = (0..n).map(|i| whole - power(grows, i / b + 1)).collect();
        near(&fill, &exact);
        near(&[moves], &[(whole - 1.0) * f64::from(n - b) / f64::from(n)]);
    }
}

#[test]
fn in_place_half_of_all_move_once_and_some_five_times() {
    // O9: ten nodes one by one. Who is on node i when its turn comes moves, to any of the nine others alike.
    let plan = plan(&roll(10, 10_000, "{ how = \"maint\", restart = \"5s\", pause = \"2s\" }"));
    const SEEDS: u64 = 4;
    let one = |seed: u64| -> BTreeMap<usize, usize> {
        let trace = Sim::new(&plan, seed, false).traced().run(|| false).unwrap().recording.trace;
        let mut opened: BTreeMap<Who, usize> = BTreeMap::new();
        for (_, what) in trace {
            if let Happening::Opened { who, .. } = what {
                *opened.entry(who).or_default() += 1;
            }
        }
        assert_eq!(opened.len(), 10_000);
        let mut by_moves = BTreeMap::new();
        opened.into_values().for_each(|opened| *by_moves.entry(opened - 1).or_default() += 1);
        by_moves
    };
    let counts: Vec<BTreeMap<usize, usize>> = (1..=SEEDS).into_par_iter().map(one).collect();
    let share = |moves: usize| {
        let sum: usize = counts.iter().map(|count| count.get(&moves).copied().unwrap_or(0)).sum();
        sum as f64 / (10_000 * SEEDS) as f64
    };
    assert_eq!(share(0), 0.0, "every node is restarted, so everybody moves");
    // A deviation is 0.0025 at the most.
    let exact = [0.5, 0.3519, 0.1193, 0.0250];
    let found = [1, 2, 3, 4].map(share);
    assert!(found.iter().zip(exact).all(|(found, exact)| (found - exact).abs() < 0.01), "{found:?}");
    let more = 1.0 - found.iter().sum::<f64>();
    assert!((0.0..0.01).contains(&more), "{more}");
}

#[test]
fn surge_matches_the_closed_form_one_by_one_and_in_batches() {
    for (n, b) in [(10, 1), (12, 3)] {
        let batch = if b > 1 { format!("batch = {b}, ") } else { String::new() };
        let (fill, moves) = after(n, &format!("{{ {batch}surge_max = {b}, how = \"maint\", restart = \"5s\" }}"));
        let grows = 1.0 + f64::from(b) / f64::from(n);
        let whole = power(grows, n / b);
        let gone = vec![0.0; n as usize];
        let new = (0..n).map(|i| whole - power(grows, i / b));
        near(&fill, &gone.into_iter().chain(new).collect::<Vec<_>>());
        near(&[moves], &[whole - 1.0]);
    }
}

#[test]
fn a_batch_of_one_is_a_window_of_one() {
    let fingerprint = |how_many: &str| {
        let rolling = format!("{{ {how_many}, how = \"kill\", restart = \"3s\", pause = \"1s\", order = \"random\" }}");
        run(&plan(&roll(5, 200, &rolling)), 1).fingerprint
    };
    assert_eq!(fingerprint("batch = 1"), fingerprint("unavailable_max = 1"));
    assert_ne!(fingerprint("batch = 2"), fingerprint("unavailable_max = 2"));
}

/// How long a roll takes when one stream holds n1 for a minute and the other three nodes are empty.
fn rollout_s(how_many: &str) -> f64 {
    let rolling = format!("{{ {how_many}, drain_timeout = \"60s\", restart = \"5s\" }}");
    let text = roll(4, 1, &rolling).replace("{ random = { draws = 1 } }", "\"first\"");
    figure(incident(&simulate(&text)), "rollout_time_s")
}

#[test]
fn the_next_batch_waits_for_the_slowest_of_the_last() {
    // A restart takes 5 s, and up to a second until it is seen.
    let window = rollout_s("unavailable_max = 2");
    assert!((65.0..66.5).contains(&window), "{window} s: the others are long done when n1 is");
    let batches = rollout_s("batch = 2");
    assert!((70.0..73.0).contains(&batches), "{batches} s: n3 and n4 begin after n1");
}

/// The nodes that are away so many seconds after the roll began.
fn away(recording: &Recording, nodes: usize, second: usize) -> Vec<u32> {
    let rows = &recording.nodes[(60 + second) * nodes..][..nodes];
    rows.iter().filter(|row| ["down", "starting"].contains(&row.state.name())).map(|row| row.node + 1).collect()
}

#[test]
fn turns_come_in_the_order_that_was_asked_for() {
    let turns = |params: &str| -> Vec<Vec<u32>> {
        let rolling = format!("{{ {params}, how = \"kill\", restart = \"5s\", pause = \"4s\" }}");
        let plan = plan(&roll(4, 40, &rolling));
        let recording = Sim::new(&plan, 1, true).run(|| false).unwrap().recording;
        let mut turns: Vec<Vec<u32>> = (0..60).map(|second| away(&recording, 4, second)).collect();
        turns.retain(|away| !away.is_empty());
        turns.dedup();
        turns
    };
    assert_eq!(turns("order = \"forward\""), [[1], [2], [3], [4]]);
    assert_eq!(turns("order = \"reverse\""), [[4], [3], [2], [1]]);
    assert_eq!(turns("order = [\"n3\", \"n1\"]"), [[3], [1], [2], [4]], "the rest follow");
    assert_eq!(turns("order = [\"n4\"], batch = 3"), [vec![1, 2, 4], vec![3]]);
    assert_eq!(turns("batch = 9"), [[1, 2, 3, 4]], "all at once");
}

#[test]
fn a_drain_in_a_roll_cuts_those_who_are_left_when_its_time_is_over() {
    let recording = simulate(&roll(3, 300, "{ drain_timeout = \"10s\", restart = \"5s\" }"));
    let totals = &incident(&recording).totals;
    let dropped = totals.total(Harm::Dropped);
    assert_eq!(causes(totals, Harm::Dropped), [(Cause::DrainTimeout, dropped)]);
    // Moves per stream: ((1 + 1/2)³ − 1) · 2/3.
    assert!((dropped as f64 / 300.0 - 1.583).abs() < 0.15, "{dropped}");
    let rollout = figure(incident(&recording), "rollout_time_s");
    assert!((45.0..48.5).contains(&rollout), "{rollout}");
}
