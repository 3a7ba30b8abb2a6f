//! Does a balancer's view change when the real one's did? Slow starts, checks, passive ejection and black holes,
//! against measurements of HAProxy and NGINX in `tests/data/reality`.
//!
//! A cell agrees when the measured mean lies in the simulator's 99% prediction interval for as many repetitions.

use super::lab::{causes, plan, run, whole};
use super::view::{marked_down, marked_down_after};
use rayon::prelude::*;
use std::collections::BTreeMap;
use stickysim::base::cause::{Cause, Harm};
use stickysim::cluster::Sim;
use stickysim::observe::recorder::Recording;
use stickysim::observe::totals::Counter::Issued;
use stickysim::observe::totals::Totals;

/// Rows of a file of measurements, without its comments and its head.
fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().filter(|line| !line.starts_with('#')).skip(1).map(|line| line.split(',').collect())
}

fn number(cell: &str) -> f64 {
    cell.parse().unwrap_or_else(|_| panic!("`{cell}` is no number"))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Half the width of the interval that holds the mean of `repetitions` further runs in 99 of 100 cases.
fn half_width(simulated: &[f64], repetitions: usize) -> f64 {
    let (m, n) = (mean(simulated), simulated.len() as f64);
    let sd = (simulated.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / (n - 1.0)).sqrt();
    // The 0.995 quantile of Student's law with 39 degrees of freedom.
    2.708 * sd * (1.0 / n + 1.0 / repetitions as f64).sqrt()
}

/// How far the measured mean lies from the simulated one, if that is too far.
fn outside(simulated: &[f64], measured: &[f64], floor: f64) -> Option<String> {
    let (s, m) = (mean(simulated), mean(measured));
    let allowed = half_width(simulated, measured.len()).max(floor);
    ((s - m).abs() > allowed).then(|| format!("measured {m:.4}, simulated {s:.4} ± {allowed:.4}"))
}

const SEEDS: u64 = 40;

/// E3: after a minute a tenth server starts, empty. HAProxy had never seen it up; NGINX had been refused by it.
fn returning(algorithm: &str, slow_start: u32, weight: u32) -> String {
    let joins = "[change.join]\nat = \"60s\"\nscale_out.nodes = 1\n[balancer]\nhealth = { interval = \"1s\" }";
    let returns = "[fault.away]\nat = \"0s\"\nkill = { nodes = [\"s-10\"], lasts = \"60s\" }\n[balancer]\n\
                   passive = \"nginx\"\nhealth = { check = \"none\" }";
    let (balance, nodes, how) = match algorithm {
        "ng_rr" => ("{ roundrobin = { order = \"nginx\" } }", 10, returns),
        "ng_lc" => ("\"leastconn\"", 10, returns),
        "roundrobin" => ("\"roundrobin\"", 9, joins),
        _ => ("\"leastconn\"", 9, joins),
    };
    format!(
        "duration = \"190s\"\ntick = \"100ms\"\n[cluster.group.s]\ncount = {nodes}\nweight = {weight}\n[clients.c]\n\
         arrivals.open.rate = \"15/s\"\nlength = {{ exponential = {{ mean = \"30s\" }} }}\nprotocol = \"stream\"\n\
         reconnect_at_once = true\nreconnect = {{ fixed = {{ delay = \"100ms\" }} }}\n{how}\nbalance = {balance}\n\
         redispatch = true\nslow_start.lasts = \"{slow_start}s\"\n"
    )
}

const LOOKS: [usize; 9] = [5, 10, 15, 20, 30, 45, 60, 85, 120];

/// The returned server's share of connections after so many seconds, by seed.
fn shares(text: &str) -> Vec<[f64; 9]> {
    let plan = plan(text);
    let share = |recording: &Recording, seconds: usize| {
        let tick = (60 + seconds) * 10;
        let nodes = &recording.nodes[tick * 10..(tick + 1) * 10];
        nodes[9].connections / nodes.iter().map(|node| node.connections).sum::<f64>()
    };
    (1..=SEEDS)
        .into_par_iter()
        .map(|seed| {
            let recording = Sim::new(&plan, seed, true).run(|| false).expect("nobody stops it").recording;
            LOOKS.map(|seconds| share(&recording, seconds))
        })
        .collect()
}

#[test]
fn an_empty_server_fills_as_it_did_on_haproxy_and_nginx() {
    let mut measured: BTreeMap<(&str, u32, u32), Vec<Vec<f64>>> = BTreeMap::new();
    for row in rows(include_str!("../data/reality/e3_shares.csv")) {
        let cell = (row[0], number(row[1]) as u32, number(row[2]) as u32);
        measured.entry(cell).or_default().push(row[5..].iter().map(|cell| number(cell)).collect());
    }
    assert_eq!(measured.len(), 7);
    let mut wrong = Vec::new();
    for ((algorithm, slow_start, weight), repetitions) in measured {
        let simulated = shares(&returning(algorithm, slow_start, weight));
        for (look, seconds) in LOOKS.into_iter().enumerate() {
            let s: Vec<f64> = simulated.iter().map(|shares| shares[look]).collect();
            let m: Vec<f64> = repetitions.iter().map(|shares| shares[look]).collect();
            let cell = format!("{algorithm}, slow start {slow_start} s, weight {weight}, after {seconds} s: ");
            wrong.extend(outside(&s, &m, 0.0).map(|how| cell + &how));
        }
    }
    // Of 63 cells, two and more lie outside by chance in 13 of 100 cases, three and more in 3.
    assert!(wrong.len() <= 2, "{}", wrong.join("\n"));
}

/// E11: short requests on six servers, one of which is dead or frozen from 10 s on.
fn short_requests(algorithm: &str, fault: &str, checked: bool) -> String {
    let health = if checked { "interval = \"1s\", check = \"http\"" } else { "check = \"none\"" };
    format!(
        "duration = \"30s\"\nwarmup = \"5s\"\nrecovery_hold = \"5s\"\n[cluster]\nnodes = 6\nnode = {{ concurrency = 1000 }}\n[clients.c]\n\
         arrivals = {{ open = {{ rate = \"60/s\" }}, initial = 0 }}\nrequests = 1\nthink = \"1s\"\nservice = \"100ms\"\n[balancer]\n\
         balance = \"{algorithm}\"\nretries = 0\nserver_timeout = \"5s\"\nhealth = {{ {health} }}\n\
         [fault.f]\nat = \"10s\"\n{fault} = {{ nodes = 1 }}\n"
    )
}

#[test]
fn a_dead_or_frozen_server_costs_as_many_requests_as_it_did_on_haproxy() {
    let mut measured: BTreeMap<(&str, &str, bool), Vec<f64>> = BTreeMap::new();
    for row in rows(include_str!("../data/reality/e11_failed.csv")) {
        let share = number(row[5]) / number(row[4]);
        measured.entry((row[0], row[1], row[2] == "yes")).or_default().push(share);
    }
    assert_eq!(measured.len(), 8);
    for ((algorithm, fault, checked), m) in measured {
        let plan = plan(&short_requests(algorithm, fault, checked));
        let failed = |seed| {
            let recording = run(&plan, seed);
            // Requests begun in the 12 s from the fault on; those that hang fail five seconds later.
            let late = if fault == "freeze" { 5 } else { 0 };
            let ticks = |from: usize| recording.ticks.iter().filter(|tick| tick.cluster.is_some()).skip(from).take(12);
            let issued: u64 = ticks(10).map(|tick| tick.totals[Issued]).sum();
            let begun_then = |t: &Totals| t.total(Harm::Failed) - t.of(Harm::Failed, Cause::Reset);
            let failed: u64 = ticks(10 + late).map(|tick| begun_then(&tick.totals)).sum();
            failed as f64 / issued as f64
        };
        let s: Vec<f64> = (1..=SEEDS).into_par_iter().map(failed).collect();
        let wrong = outside(&s, &m, 0.0);
        assert!(wrong.is_none(), "{algorithm}, {fault}, checked: {checked}: {}", wrong.unwrap_or_default());
    }
}

/// E4: eight servers with 480 long connections, killed one after another behind NGINX with `max_fails=1`; the first
/// after nine seconds and so many tenths.
fn killed_in_turn(tenths: usize) -> String {
    format!(
        "duration = \"64s\"\ntick = \"100ms\"\n[cluster]\nnodes = 8\n[clients.s]\narrivals.initial = 480\n\
         length = \"forever\"\nprotocol = \"stream\"\nreconnect_at_once = true\n\
         reconnect = {{ fixed = {{ delay = \"100ms\" }} }}\n[balancer]\nbalance = \"leastconn\"\nredispatch = true\n\
         retries = 8\npassive = \"nginx\"\nhealth = {{ check = \"none\" }}\n[change.roll]\nat = \"9{tenths}00ms\"\n\
         rolling = {{ how = \"kill\", restart = \"4s\", pause = \"1055ms\" }}\n"
    )
}

#[test]
fn nginx_lets_one_connection_through_per_fail_timeout() {
    // Time after the first kill, and connections per server; three repetitions, which differ by one here and there.
    let steps: Vec<(f64, Vec<f64>)> = rows(include_str!("../data/reality/e4_nginx.csv"))
        .map(|row| (number(row[1]), row[2..].iter().map(|cell| number(cell)).collect()))
        .collect();
    assert_eq!(steps.len(), 24);
    for tenths in 0..10 {
        let plan = plan(&killed_in_turn(tenths));
        let recording = Sim::new(&plan, 1, true).run(|| false).expect("nobody stops it").recording;
        for (seconds, measured) in &steps {
            // The last tick before the next server is killed.
            let tick = 90 + tenths + (seconds * 10.0) as usize - 2;
            let nodes = &recording.nodes[tick * 8..(tick + 1) * 8];
            for (node, measured) in nodes.iter().zip(measured) {
                let found = node.connections;
                assert!((found - measured).abs() <= 2.0, "{found}, not {measured}, {seconds} s after 9.{tenths} s");
            }
        }
        // 1,293 and 1,294 disconnects: 480 clients, of whom hardly anybody is left for the last servers.
        let dropped = whole(&recording).totals.total(Harm::Dropped);
        assert!((1_290..=1_302).contains(&dropped), "{dropped} disconnects");
        assert_eq!(causes(&whole(&recording).totals, Harm::Lost), []);
    }
}

/// E2: the instant at which checks every second mark a server down, by the streams that are cut then.
#[test]
fn checks_find_out_when_haproxys_did() {
    let mut measured: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for row in rows(include_str!("../data/reality/e2_marked_down.csv")) {
        measured.entry(row[0]).or_default().push(number(row[1]));
    }
    for (fault, check, simulates) in [("kill", "tcp", "refuse"), ("freeze", "http", "freeze")] {
        let text = marked_down(&format!("interval = \"1s\", check = \"{check}\""), simulates, "");
        let s: Vec<f64> = (1..=SEEDS).map(|seed| marked_down_after(&text, seed).expect("checks find out")).collect();
        let m = &measured[fault];
        // Looked at every tenth of a second: what is seen is 0.05 s later on average.
        let wrong = outside(&s, m, 0.1);
        assert!(wrong.is_none(), "{fault}: {}", wrong.unwrap_or_default());
        let (first, last) = [&s, m].iter().fold((f64::MAX, 0.0f64), |(a, b), times| {
            times.iter().fold((a, b), |(a, b), &time| (a.min(time), b.max(time)))
        });
        assert!(last - first < 1.15, "{fault}: one interval between the first and the last, not {first} to {last}");
    }
}
