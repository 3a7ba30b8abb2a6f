//! Session state in several nodes' memory: what it costs, when it is lost, and how much of it.

use crate::lab::{causes, figure, plan, run, whole};
use rand::RngExt;
use std::collections::BTreeSet;
use stickysim::base::cause::{Cause, Harm};
use stickysim::base::draw::Stream;
use stickysim::observe::recorder::Recording;
use stickysim::observe::totals::Counter::{Fetches, Hits, Misses, Rebuilds};

/// Six thousand people on so many nodes ask once a minute, wherever the balancer sends them.
fn cluster(nodes: u32, state: &str, below: &str, seed: u64) -> Recording {
    run(
        &plan(&format!(
            "duration = \"300s\"\ncluster = {{ nodes = {nodes}, node = {{ concurrency = 100 }} }}\n\
             [clients.web]\narrivals = {{ initial = 6000 }}\nlength = \"forever\"\npace = \"1m\"\nservice = \"1ms\"\n\
             reconnect = {{ fixed = {{ delay = \"1s\" }} }}\n[balancer]\nredispatch = true\nhealth = {{ interval = \"1ms\" }}\n\
             [state.replicated]\n{state}\n{below}\n"
        )),
        seed,
    )
}

fn lost(recording: &Recording) -> Vec<(Cause, u64)> {
    causes(&whole(recording).totals, Harm::Lost)
}

/// Kills that follow one another every `gap` seconds, each for a second.
fn kills(nodes: &[u32], gap: u64) -> String {
    let kill = |(n, node): (u64, &u32)| {
        format!("[fault.k{n}]\nat = \"{}s\"\nkill = {{ nodes = [\"n{node}\"], lasts = \"1s\" }}\n", 60 + n * gap)
    };
    (0..).zip(nodes).map(kill).collect()
}

/// A share of 6,000 sessions, each of which falls to it or not.
#[track_caller]
fn assert_share(counted: u64, share: f64) {
    let (mean, deviation) = (6_000.0 * share, (6_000.0 * share * (1.0 - share)).sqrt());
    assert!((counted as f64 - mean).abs() < 4.0 * deviation, "{counted}, not {mean} ± {deviation}");
}

#[test]
fn a_node_that_does_not_own_a_session_asks_one_that_does() {
    for (copies, nodes) in [(1, 4), (2, 4), (3, 5), (2, 2), (3, 2)] {
        let recording = cluster(nodes, &format!("copies = {copies}\nwrite = \"0s\"\nfetch = \"2ms\""), "", 1);
        let totals = &whole(&recording).totals;
        let elsewhere = 1.0 - (f64::from(copies) / f64::from(nodes)).min(1.0);
        let asked = totals[Fetches] as f64 / (totals[Hits] + totals[Misses]) as f64;
        assert!((asked - elsewhere).abs() < 0.02, "{copies} copies on {nodes} nodes: {asked}, not {elsewhere}");
        assert_eq!(totals[Fetches], totals[Misses]);
        // A millisecond for the request, two for asking.
        let work = figure(whole(&recording), "service_time_s_total") * 1e3 / (totals[Hits] + totals[Misses]) as f64;
        assert!((work - 1.0 - 2.0 * asked).abs() < 1e-2, "{work} ms");
        // Every request writes: to all owners but the node itself. And what was asked for came over the network too.
        let holders = f64::from(copies.min(nodes));
        let moved = figure_or_zero(&recording, "state_moved_mib_total") * 1_024.0;
        let sent = (totals[Hits] as f64) * (holders - 1.0) + totals[Misses] as f64 * (holders + 1.0);
        assert!((moved - sent).abs() < 0.01 * sent + 20.0, "{moved} KiB, not {sent}");
    }
}

fn figure_or_zero(recording: &Recording, name: &str) -> f64 {
    let column = stickysim::observe::columns::named(name).expect("a column");
    (column.get)(whole(recording)).unwrap_or(0.0)
}

#[test]
fn nodes_that_die_one_after_another_lose_nothing_when_each_rebalance_is_over_before() {
    let roll = kills(&[1, 2, 3, 4, 5, 6], 31);
    assert_eq!(lost(&cluster(6, "rebalance = \"30s\"", &roll, 1)), []);
    let fast = kills(&[1, 2, 3, 4, 5, 6], 30);
    assert_ne!(
        lost(&cluster(6, "rebalance = \"30s\"", &fast, 1)),
        [],
        "at the same instant, the rebalance is too late"
    );
}

#[test]
fn two_deaths_within_a_rebalance_lose_the_sessions_of_that_pair() {
    for nodes in [3_u32, 6] {
        let recording = cluster(nodes, "rebalance = \"30s\"", &kills(&[1, 2], 10), 1);
        let all = lost(&recording);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].0, Cause::Crash);
        // One pair of n (n − 1) ÷ 2.
        assert_share(all[0].1, 2.0 / f64::from(nodes * (nodes - 1)));
        assert_eq!(whole(&recording).totals[Rebuilds], all[0].1, "each is made anew once");
        // Three copies outlive two deaths.
        assert_eq!(lost(&cluster(nodes, "copies = 3\nrebalance = \"30s\"", &kills(&[1, 2], 10), 1)), []);
    }
}

#[test]
fn a_batch_that_leaves_together_takes_the_sessions_whose_owners_are_all_in_it() {
    let choose = |n: f64, k: i32| (0..k).fold(1.0, |product, i| product * (n - f64::from(i)) / f64::from(i + 1));
    for (nodes, batch, copies) in [(6_u32, 2, 2), (6, 3, 2), (6, 3, 3), (8, 4, 2), (5, 2, 1)] {
        let fault = format!("[fault.f]\nat = \"60s\"\nkill = {{ nodes = {batch}, lasts = \"5s\" }}\n");
        let total: u64 = lost(&cluster(nodes, &format!("copies = {copies}"), &fault, 1)).iter().map(|(_, n)| n).sum();
        assert_share(total, choose(f64::from(batch), copies) / choose(f64::from(nodes), copies));
    }
}

#[test]
fn a_rolling_restart_keeps_everything_if_it_is_slower_than_the_rebalance() {
    let roll = |batch: u32, pause: u64| {
        let roll = format!(
            "[change.roll]\nat = \"30s\"\nrolling = {{ batch = {batch}, how = \"kill\", restart = \"1s\", pause = \"{pause}s\" }}\n"
        );
        lost(&cluster(6, "rebalance = \"20s\"", &roll, 1))
    };
    assert_eq!(roll(1, 25), []);
    // Whoever lost his state twice counts twice: more than all pairs that follow one another.
    let fast = roll(1, 10);
    assert_eq!((fast.len(), fast[0].0), (1, Cause::Restart));
    assert!(fast[0].1 > 6_000 / 15, "{fast:?}");
    // Three pairs of fifteen, and what the rebalance brings together meanwhile is not in pairs.
    let pairs = roll(2, 25);
    assert!(pairs[0].1 > 6_000 / 5 - 4 * 31, "{pairs:?}");
}

#[test]
fn a_death_loses_the_writes_of_the_lag_of_the_sessions_that_it_owned_first() {
    let kill = "[fault.f]\nat = \"60s\"\nkill = { nodes = [\"n1\"], lasts = \"5s\" }\n";
    let writes = |lag: &str, seed: u64| {
        let recording = cluster(4, &format!("lag = \"{lag}\""), kill, seed);
        assert_eq!(lost(&recording), [], "{lag}");
        let all = causes(&whole(&recording).totals, Harm::WriteLost);
        assert!(all.iter().all(|&(cause, _)| cause == Cause::Lagging));
        all.iter().map(|(_, n)| n).sum::<u64>()
    };
    assert_eq!(writes("0s", 1), 0);
    // A hundred writes a second, of which a quarter go to n1 first: within six seconds, one of ten people writes.
    let lost = writes("6s", 1);
    assert_share(lost, 0.1 / 4.0);
    assert_share(writes("24s", 1), 0.4 / 4.0);
}

#[test]
fn reads_at_other_owners_within_the_lag_are_stale() {
    let stale = |lag: &str, copies: u32| {
        let recording = cluster(4, &format!("copies = {copies}\nlag = \"{lag}\""), "", 1);
        let all = causes(&whole(&recording).totals, Harm::StaleRead);
        assert!(all.iter().all(|&(cause, _)| cause == Cause::Lagging));
        let requests = figure(whole(&recording), "requests_succeeded_total");
        all.iter().map(|(_, n)| *n as f64).sum::<f64>() / requests
    };
    assert_eq!((stale("0s", 2), stale("59s", 2)), (0.0, 0.0), "the next request comes after a minute");
    // Now always behind, but for the first request of each: at one of two owners on four nodes, or two of three.
    for copies in [2, 3] {
        let share = stale("61s", copies);
        let expected = f64::from(copies - 1) / 4.0 * 0.8;
        assert!((share - expected).abs() < 0.02, "{copies}: {share}, not {expected}");
    }
}

#[test]
fn until_the_rebalance_is_over_sessions_are_thin_and_then_their_copies_have_moved() {
    let kill = "[fault.f]\nat = \"60s\"\nkill = { nodes = [\"n1\"] }\n";
    let quiet = "write = \"0s\"\nsize = \"0B\"\nrebalance = \"30s\"";
    let thin = figure(whole(&cluster(4, quiet, kill, 1)), "sessions_thin_mean") * 300.0 / 30.0;
    assert_share(thin.round() as u64, 0.5);
    // Nobody asks in this run: only the rebalance moves anything.
    let idle = run(
        &plan(&format!(
            "duration = \"300s\"\ncluster.nodes = 4\n[clients.web]\narrivals = {{ initial = 6000 }}\nlength = \"forever\"\n\
             pace = \"1h\"\nservice = \"1ms\"\nwrite_ratio = \"0%\"\n[state.replicated]\nrebalance = \"30s\"\nsize = \"1MiB\"\n{kill}"
        )),
        1,
    );
    let totals = &whole(&idle).totals;
    let moved = figure(whole(&idle), "state_moved_mib_total") as u64 - totals[Fetches];
    assert_share(moved, 0.5);
}

#[test]
fn each_owner_has_the_copy_in_its_memory() {
    let text = "duration = \"60s\"\n[cluster]\nnodes = 5\nnode.memory = { per_session = \"1MiB\", limit = \"10GiB\" }\n\
        [clients.web]\narrivals = { initial = 6000 }\nlength = \"forever\"\npace = \"1m\"\nservice = \"1ms\"\n\
        [state.replicated]\ncopies = 3\n";
    let plan = plan(text);
    let recording = stickysim::cluster::Sim::new(&plan, 1, true).run(|| false).expect("nobody stops it").recording;
    let taken: f64 = recording.nodes[..5].iter().filter_map(|node| node.memory).sum();
    assert_eq!(taken, 3.0 * 6_000.0 * f64::from(1 << 20));
}

/// What happens to a node of a roll.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Dies,
    Replaced,
    Shares,
    Listens,
}

/// The share of sessions that a roll loses, counted session by session: each node is away for `away` seconds, so many at
/// a time, the next ones follow after `pause`, and a rebalance takes 45 s. Whoever has lost a session asks again within
/// the minute, and has it made anew.
fn counted_share(copies: usize, batch: usize, away: u64, pause: u64) -> f64 {
    const NODES: usize = 6;
    let mut timeline: Vec<(u64, Step, usize)> = Vec::new();
    for node in 0..NODES {
        let at = (node / batch) as u64 * (away + pause);
        let steps =
            [(at, Step::Dies), (at + 45, Step::Replaced), (at + away, Step::Listens), (at + away + 45, Step::Shares)];
        timeline.extend(steps.map(|(at, step)| (at, step, node)));
    }
    timeline.sort();
    let luck = Stream::new(1, "independent count", "");
    let is_lost = |session: u64| {
        let mut draw = luck.at(session, 0);
        let ranks: [u64; NODES] = std::array::from_fn(|_| draw.random());
        let highest = |among: &BTreeSet<usize>| {
            let mut nodes: Vec<usize> = among.iter().copied().collect();
            nodes.sort_by_key(|&node| std::cmp::Reverse(ranks[node]));
            nodes.truncate(copies);
            BTreeSet::from_iter(nodes)
        };
        let mut up = BTreeSet::from_iter(0..NODES);
        let (mut owners, mut thinned_by, mut comes_back, mut lost) = (highest(&up), BTreeSet::new(), u64::MAX, false);
        for &(at, step, node) in &timeline {
            if comes_back <= at {
                (owners, comes_back) = (highest(&up), u64::MAX);
            }
            match step {
                Step::Dies => {
                    up.remove(&node);
                    if owners.remove(&node) {
                        thinned_by.insert(node);
                        if owners.is_empty() {
                            (lost, comes_back) = (true, at + draw.random_range(0..60));
                            thinned_by.clear();
                        }
                    }
                }
                Step::Listens => _ = up.insert(node),
                Step::Replaced if thinned_by.remove(&node) && owners.len() < copies => {
                    let free = up.difference(&owners).copied().max_by_key(|&node| ranks[node]);
                    owners.extend(free);
                }
                Step::Shares if !owners.is_empty() && up.contains(&node) && highest(&up).contains(&node) => {
                    owners.insert(node);
                    if owners.len() > copies {
                        let least = owners.iter().copied().min_by_key(|&node| ranks[node]).expect("there are some");
                        owners.remove(&least);
                    }
                }
                Step::Replaced | Step::Shares => {}
            }
        }
        lost
    };
    (0..40_000).filter(|&session| is_lost(session)).count() as f64 / 40_000.0
}

#[test]
fn a_roll_that_is_faster_than_the_rebalance_loses_what_an_independent_count_says() {
    for (copies, batch, pause, known) in [(2, 1, 0, 0.551), (3, 1, 0, 0.150), (2, 2, 40, 3.0 / 15.0), (2, 1, 26, 0.0)] {
        let share = counted_share(copies, batch, 20, pause);
        assert!((share - known).abs() < 0.01, "{share}, not {known}");
        let roll = format!(
            "[change.roll]\nat = \"60s\"\n\
             rolling = {{ batch = {batch}, how = \"maint\", restart = \"20s\", pause = \"{pause}s\" }}\n"
        );
        let mut ratio = 0.0;
        for seed in 1..=4 {
            let recording = cluster(6, &format!("copies = {copies}\nrebalance = \"45s\""), &roll, seed);
            ratio += figure(whole(&recording), "sessions_lost_ratio") / 4.0;
        }
        let error = (share * (1.0 - share)).sqrt() * (1.0 / 24_000.0_f64 + 1.0 / 40_000.0).sqrt();
        assert!((ratio - share).abs() <= 4.0 * error, "{copies} copies, {batch} at a time: {ratio}, not {share}");
    }
}
