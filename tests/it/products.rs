//! What one crash costs under each product's defaults (`scenarios/canary-of-balancers.toml`), on paper.
//!
//! Four nodes, S = 1,200 people with m = 20 min to stay, each asking every z = 10 s, and one newcomer a second. The
//! process of n2 is dead from 180 s to 360 s. All figures below follow from these and from the products' documents.

use super::lab::{causes, cells, figure, incident, run};
use rayon::prelude::*;
use std::path::Path;
use stickysim::base::cause::{Cause, Harm};
use stickysim::cluster::Sim;
use stickysim::observe::recorder::Recording;
use stickysim::scenario::Cell;

const SEEDS: u64 = 12;
const PEOPLE: f64 = 1_200.0;
const STAY: f64 = 1_200.0;
const NODES: f64 = 4.0;
/// From the crash to the return.
const AWAY: f64 = 180.0;

fn variants(sets: &[&str]) -> Vec<Cell> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/canary-of-balancers.toml");
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    cells(&std::fs::read_to_string(path).unwrap(), &sets)
}

fn variant(name: &str, sets: &[&str]) -> Cell {
    let named = variants(sets).into_iter().find(|cell| cell.variant == name);
    named.unwrap_or_else(|| panic!("there is no variant {name}"))
}

fn runs(cell: &Cell) -> Vec<Recording> {
    (1..=SEEDS).into_par_iter().map(|seed| run(&cell.plan, seed)).collect()
}

/// Requests that nobody took, by run.
fn refused(runs: &[Recording]) -> Vec<f64> {
    runs.iter().map(|run| incident(run).totals.of(Harm::Failed, Cause::Refused) as f64).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn lost(runs: &[Recording]) -> f64 {
    mean(&runs.iter().map(|run| figure(incident(run), "sessions_lost_total")).collect::<Vec<f64>>())
}

/// Requests to the dead node in its first `d` seconds. Those who are bound to it ask once in 10 s until their time is
/// over. A newcomer is sent there with 1/4, and asks again, with 1/4 again, after 10 s.
fn sent(d: f64) -> f64 {
    let bound = PEOPLE / NODES / 10.0 * STAY * (1.0 - libm::exp(-d / STAY));
    let newcomers = d / (NODES - 1.0);
    bound + newcomers
}

/// Between `soonest` and `latest` seconds after the crash the balancer knows; every moment is as likely.
fn all_fail_until_it_knows(name: &str, soonest: f64, latest: f64) {
    let found = refused(&runs(&variant(name, &[])));
    // How many are on the node is chance where the choice is: 17 of 300; so is who asks when.
    let slack = |n: f64| 0.2 * n + 4.0 * libm::sqrt(n.max(1.0));
    for n in &found {
        let (least, most) = (sent(soonest), sent(latest));
        assert!((least - slack(least)..=most + slack(most)).contains(n), "{name}: {n}, not {least:.0} to {most:.0}");
    }
    let (found, exact) = (mean(&found), sent((soonest + latest) / 2.0));
    let spread = sent(latest) - sent(soonest);
    let error = 4.0 * spread / libm::sqrt(12.0 * SEEDS as f64) + 0.02 * exact;
    assert!((found - exact).abs() < error, "{name}: {found} on average, not {exact:.0} ± {error:.0}");
}

#[test]
fn haproxy_fails_whom_three_checks_leave_to_a_dead_server() {
    // `inter` 2 s, `fall` 3: (3 − 1) · 2 s to 3 · 2 s. No `option redispatch`: three more tries at the same server.
    all_fail_until_it_knows("haproxy", 4.0, 6.0);
}

#[test]
fn without_checks_envoy_and_traefik_fail_all_who_are_bound_until_the_node_is_back() {
    for name in ["envoy", "traefik"] {
        all_fail_until_it_knows(name, AWAY, AWAY);
        let moved = causes(&incident(&run(&variant(name, &[]).plan, 1)).totals, Harm::Moved);
        assert_eq!(moved, [], "{name}: a cookie that names a live host is never rewritten");
    }
}

#[test]
fn the_load_balancers_of_aws_need_two_checks_thirty_seconds_apart() {
    // A refusal is heard at once: (2 − 1) · 30 s to 2 · 30 s.
    all_fail_until_it_knows("aws-alb", 30.0, 60.0);
    all_fail_until_it_knows("aws-nlb", 30.0, 60.0);
}

#[test]
fn kubernetes_hears_from_its_own_agents_and_retries_do_not_help_whoever_is_bound() {
    // The kubelet looks at its containers once a second; kube-proxy, or a worker's list, is up to a second behind it.
    all_fail_until_it_knows("k8s-service", 0.0, 2.0);
    all_fail_until_it_knows("ingress-nginx", 0.0, 2.0);
    // Without a cookie the next of the three tries goes to another pod.
    let free = refused(&runs(&variant("ingress-nginx", &["balancer.balance=roundrobin"])));
    assert!(mean(&free) < 0.05 * sent(1.0), "{free:?}");
}

#[test]
fn nginx_loses_one_try_per_fail_timeout_and_no_request() {
    let found = refused(&runs(&variant("nginx", &[])));
    assert_eq!(mean(&found), 0.0, "{found:?}");
    // Each try at the dead server is a request that would have failed. Out after one failure (`max_fails` 1) for more than
    // 10 s of a clock of whole seconds (`fail_timeout`): in second 180, then 191, 202 … 356, which is 1 + ⌊179 / 11⌋.
    let tries = runs(&variant("nginx", &["balancer.retries=0", "balancer.affinity=none"]));
    for run in &tries {
        let failed = incident(run).totals.total(Harm::Failed);
        let reset = incident(run).totals.of(Harm::Failed, Cause::Reset);
        // What was in hand when the process died counts as the first.
        assert_eq!(failed - reset.saturating_sub(1), 17, "{:?}", causes(&incident(run).totals, Harm::Failed));
    }
}

#[test]
fn the_process_takes_a_quarter_of_the_sessions_along_and_hashes_lose_more_when_it_returns() {
    let quarter = PEOPLE / NODES;
    // Whether a choice by turn is even, or by chance, or by 160 points a node: so much may be on n2 by luck.
    for (name, exact, luck) in [
        ("haproxy", quarter, 6.0),
        ("nginx", quarter, 6.0),
        ("envoy", quarter, 6.0),
        ("traefik", quarter, 6.0),
        ("aws-alb", quarter, 6.0),
        ("k8s-service", quarter, 20.0),
        // The ring sends the same people back to the node that has forgotten them.
        ("ingress-nginx", 2.0 * quarter, 60.0),
        // Of h mod 4 and h mod 3 one in four agrees: 1/4 die with the process, 2/3 of the others move, and 3/4 of all
        // move back; some have left by then.
        ("aws-nlb", 1.5 * PEOPLE, 60.0),
    ] {
        let found = lost(&runs(&variant(name, &[])));
        assert!((found - exact).abs() < luck, "{name}: {found}, not {exact} ± {luck}");
    }
}

#[test]
fn who_is_on_the_node_that_came_back_depends_on_whether_cookies_were_rewritten() {
    // A node that begins with nobody gets a quarter of the newcomers, one a second, who stay for 20 min on average.
    let filled = |seconds: f64| STAY / NODES * (1.0 - libm::exp(-seconds / STAY));
    let end = 720.0 - 180.0 - AWAY;
    // Where nobody is sent away, those of before the crash are joined by the newcomers of after it.
    let kept = PEOPLE / NODES * libm::exp(-(AWAY + end) / STAY) + filled(end);
    for (name, exact, luck) in [
        ("haproxy", filled(end - 3.0), 12.0),     // two checks 2 s apart
        ("nginx", filled(end - 5.5), 12.0),       // half a `fail_timeout`
        ("aws-alb", filled(end - 135.0), 12.0),   // five checks 30 s apart
        ("k8s-service", filled(end - 6.0), 12.0), // one probe in 10 s, and a second
        ("envoy", kept, 12.0),
        ("traefik", kept, 12.0),
        ("aws-nlb", PEOPLE / NODES, 25.0),
        ("ingress-nginx", PEOPLE / NODES, 40.0),
    ] {
        let cell = variant(name, &[]);
        let nodes = cell.plan.nodes.len();
        let on_n2 = |seed: u64| {
            let recording = Sim::new(&cell.plan, seed, true).run(|| false).expect("nobody stops it").recording;
            recording.nodes[recording.nodes.len() - nodes + 1].sessions
        };
        let found = mean(&(1..=SEEDS).into_par_iter().map(on_n2).collect::<Vec<f64>>());
        assert!((found - exact).abs() < luck, "{name}: {found}, not {exact:.0} ± {luck}");
    }
}
