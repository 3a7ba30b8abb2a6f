//! The questions that a review asks about where state lives, each against its closed form: the shipped scenarios, and
//! reads at replicas.

use crate::lab::{causes, cells_at, figure, run, simulate, whole};
use std::path::Path;
use stickysim::base::cause::{Cause, Harm};
use stickysim::observe::recorder::{Recording, Scope};
use stickysim::observe::window::Window;
use stickysim::scenario::Cell;

fn shipped(name: &str) -> Vec<Cell> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    cells_at(&path, &std::fs::read_to_string(&path).unwrap(), &[])
}

/// The window of all populations after the incident of this name.
fn after<'r>(cell: &Cell, recording: &'r Recording, name: &str) -> &'r Window {
    let is_it = |window: &Window| window.shock.is_some_and(|shock| cell.plan.incident(shock.index).0 == name);
    let found = recording.incidents.iter().find(|(scope, window)| *scope == Scope::All && is_it(window));
    &found.unwrap_or_else(|| panic!("there is no incident {name}")).1
}

#[track_caller]
fn near(found: f64, exact: f64, tolerance: f64) {
    assert!((found - exact).abs() <= tolerance * exact.abs(), "{found}, not {exact}");
}

#[test]
fn an_outage_of_the_store_fails_its_share_of_everybodys_time() {
    let window = 1_200.0;
    // Sentinel: 30 s, half a second until the next ping on average, and 1.19 s to promote a replica.
    let failover = 30.0 + 0.5 + 1.19;
    for cell in shipped("session-store-failover.toml") {
        let recording = run(&cell.plan, 1);
        let (node, store) = (after(&cell, &recording, "node"), after(&cell, &recording, "store"));
        let stall = match cell.variant.as_str() {
            "store, fail-closed" => 0.0,
            "store, clients stall 60 s" => 60.0,
            "store, clients stall 12 min" => 720.0,
            // Sticky: a tenth of the users lose their state when their node dies, and nobody else loses anything.
            "sticky, in memory" => {
                assert_eq!(causes(&node.totals, Harm::Lost), [(Cause::Crash, 200)], "a tenth of 2,000");
                assert_eq!(figure(node, "sessions_lost_ratio"), 0.1);
                assert_eq!(causes(&store.totals, Harm::Lost), []);
                assert_eq!(figure(store, "requests_failed_ratio"), 0.0);
                continue;
            }
            "store, fail-open" => {
                assert_eq!(figure(store, "requests_failed_ratio"), 0.0);
                // Each request of the outage does without its state; what was under way then fails, too.
                let asked = 2_000.0 * failover / 21.0;
                near(figure(store, "stale_reads_total"), asked, 0.05);
                continue;
            }
            other => panic!("what is to be expected of {other}?"),
        };
        assert_eq!(causes(&node.totals, Harm::Lost), [], "{}", cell.variant);
        // A user whose request waits half a second in vain asks every 20.5 s, and else every 20 s.
        let failed = failover / 20.5 + stall / 20.0;
        let all = failed + (window - failover - stall) / 20.0;
        near(figure(store, "requests_failed_ratio"), failed / all, if stall > 0.0 { 0.02 } else { 0.04 });
        // The same by the clock: the time that users are cut off, over all their time.
        let cut_off = figure(store, "sessions_disconnected_s_total") / (2_000.0 * window);
        near(cut_off, (failover + stall) / window, 0.03);
    }
}

#[test]
fn a_store_and_sticky_sessions_break_even_where_the_closed_form_says() {
    let (users, nodes, seconds) = (1_000.0, 20.0, 600.0);
    let requests = users * seconds / 10.0;
    // Work: each request reads 4 KiB at 25 µs each, and half of them write as much; a lost user logs in at 72 ms.
    let work = nodes * requests * (1.0 + 0.5) * 4.0 * 25e-6 / (users * 72e-3);
    // Money: a primary and a replica for ten minutes, and what they move; a lost session costs 0.001.
    let moved = requests * (1.0 + 0.5) * 4.0 / f64::from(1 << 20);
    let money = nodes * (2.0 * 0.25 * seconds / 3_600.0 + 0.01 * moved) / (users * 0.001);
    near(work, 2.5, 1e-9);
    let mut points: Vec<(f64, [f64; 2])> = Vec::new();
    let figures = |cell: &Cell| {
        let recording = run(&cell.plan, 1);
        ["service_time_s_total", "cost_total"].map(|name| figure(whole(&recording), name))
    };
    let cells = shipped("store-vs-sticky-breakeven.toml");
    for pair in cells.chunks(2) {
        let [sticky, store] = pair else { panic!("two variants at each point") };
        assert!(sticky.variant.starts_with("sticky") && store.point == sticky.point, "{}", sticky.variant);
        let lost: f64 = sticky.point.rsplit('=').next().unwrap().parse().unwrap();
        let (sticky, store) = (figures(sticky), figures(store));
        points.push((lost, [sticky[0] - store[0], sticky[1] - store[1]]));
    }
    for (which, expected) in [work, money].into_iter().enumerate() {
        // Sticky costs less up to the crossing, and more beyond it.
        let crosses = |pair: &[(f64, [f64; 2])]| pair[0].1[which] < 0.0 && pair[1].1[which] >= 0.0;
        let found: Vec<f64> = points
            .windows(2)
            .filter(|pair| crosses(pair))
            .map(|pair| {
                let [(at, before), (_, after)] = pair else { unreachable!("windows of two") };
                at - before[which] / (after[which] - before[which])
            })
            .collect();
        assert_eq!(found.len(), 1, "{points:?}");
        near(found[0], expected, 0.02);
    }
}

#[test]
fn a_node_that_is_out_takes_its_share_of_the_path_that_is_bound_to_it() {
    for cell in shipped("read-write-split.toml") {
        let recording = run(&cell.plan, 1);
        let crash = after(&cell, &recording, "crash");
        // Whoever is refused waits for 5 s on average and so asks as often as the others: a fifth of the requests for
        // half of the window.
        let share = 0.2 * 0.5;
        let [failed, dropped] = ["requests_failed_ratio", "sessions_dropped_ratio"].map(|name| figure(crash, name));
        if cell.variant == "all sticky" {
            near(failed, share, 0.03);
            assert_eq!(dropped, 0.2, "everybody who is bound to it, and nobody else");
        } else {
            let [reads, writes] = ["reads_failed_ratio", "writes_failed_ratio"].map(|name| figure(crash, name));
            near(writes, share, 0.08);
            near(failed, 0.1 * share, 0.08);
            // Until the next check finds out, turns lead to the dead node.
            assert!(reads < 0.001, "{reads}");
        }
        let stale = figure(whole(&recording), "stale_reads_total");
        assert_eq!(stale > 0.0, cell.variant.ends_with("at replicas"), "{}: {stale}", cell.variant);
    }
}

/// Five hundred people who ask twice a second on average, and write at this ratio; replicas lag by that much.
fn behind(write_ratio: f64, lag: &str, store: &str) -> Recording {
    simulate(&format!(
        "duration = \"200s\"\nwarmup = \"20s\"\ncluster.nodes = 20\n\
         [clients.web]\narrivals = {{ initial = 500 }}\nlength = \"forever\"\npace = {{ exponential = {{ mean = \"500ms\" }} }}\n\
         service = \"1ms\"\nwrite_ratio = \"{}%\"\nreads = \"balance\"\n\
         [balancer]\naffinity = \"cookie\"\n[state.store]\nat = \"s\"\n\
         [store.s]\nreplicas = 2\nlag = \"{lag}\"\n{store}\n",
        write_ratio * 100.0
    ))
}

#[test]
fn a_read_is_stale_when_its_session_has_written_within_the_lag() {
    // Requests come by Poisson at 2/s, and so do writes at 2·w: none within the lag L with probability exp(−2wL).
    // The last number is about four standard deviations of so many stale reads, which come in clusters.
    for (write_ratio, lag, seconds, luck) in
        [(0.1, "100ms", 0.1, 0.08), (0.5, "100ms", 0.1, 0.035), (0.1, "2s", 2.0, 0.03), (1.0, "1s", 1.0, 0.01)]
    {
        let recording = behind(write_ratio, lag, "reads_from = \"replicas\"");
        let totals = &whole(&recording).totals;
        let expected = 1.0 - libm::exp(-2.0 * write_ratio * seconds);
        let stale = causes(totals, Harm::StaleRead);
        assert_eq!(stale.len(), 1);
        assert_eq!(stale[0].0, Cause::Lagging);
        near(stale[0].1 as f64 / figure(whole(&recording), "requests_succeeded_total"), expected, luck);
    }
    let none = |lag, store| figure(whole(&behind(0.5, lag, store)), "stale_reads_total");
    assert_eq!(none("1s", ""), 0.0, "the primary knows");
    assert_eq!(none("0s", "reads_from = \"replicas\""), 0.0, "replicas that are not behind know, too");
}

#[test]
fn replicas_take_reads_off_their_primary_and_answer_while_it_is_away() {
    // 1,000 requests a second, 0.5 ms for a read and for each tenth of them a write.
    let busy = |from: &str| {
        let recording = behind(0.1, "0s", &format!("concurrency = 1\nreads_from = \"{from}\""));
        figure(whole(&recording), "store_utilisation_ratio")
    };
    near(busy("primary"), 0.5 + 0.05, 0.02);
    near(busy("replicas"), (0.5 + 0.05) / 3.0, 0.02);
    let outage = |fault: &str| {
        let store = format!(
            "reads_from = \"replicas\"\ndetection = \"10s\"\npromotion = \"0s\"\n[fault.f]\nat = \"60s\"\n{fault} = {{ \
             store = \"s\", lasts = \"10s\" }}\n"
        );
        let recording = behind(0.1, "0s", &store);
        ["reads_failed_ratio", "writes_failed_ratio"].map(|name| figure(whole(&recording), name))
    };
    // Ten of 180 seconds; those who are cut off wait longer than the others before they ask again.
    let [reads, writes] = outage("store_kill");
    assert!(reads == 0.0 && (0.02..0.07).contains(&writes), "{reads} {writes}");
    let [reads, writes] = outage("store_lose");
    assert!(reads > 0.005 && writes > 0.005, "{reads} {writes}");
}
