//! A new set of nodes beside the old: when it is switched, who stays behind and who is cut. Figures are mental arithmetic,
//! or those of the closed form beside them.

use super::lab::{causes, figure, incident, plan, run, simulate, whole};
use super::predictions::near;
use rayon::prelude::*;
use stickysim::base::cause::{Cause, Harm};
use stickysim::cluster::Sim;
use stickysim::observe::recorder::State;

/// Streams on three nodes; `change` begins at one minute.
fn streams(length: &str, arrivals: &str, change: &str, minutes: u32) -> String {
    format!(
        "duration = \"{minutes}m\"\n[cluster]\nnodes = 3\nnode.start = \"20s\"\n[clients.s]\narrivals = {{ {arrivals} }}\n\
         length = {length}\nprotocol = \"stream\"\nreconnect_at_once = true\n\
         [balancer]\nbalance = \"leastconn\"\nhealth.interval = \"1s\"\n\
         [change.release]\nat = \"1m\"\nblue_green = {{ {change} }}\n"
    )
}

#[test]
fn whoever_is_still_on_an_old_node_when_its_time_is_over_is_cut() {
    // Exponential lengths with mean m = 4 min know no age: exp(−d/m) of 4,800 are there d after the switch.
    let clients = "open.rate = \"20/s\"";
    let length = "{ exponential = { mean = \"4m\" } }";
    let cases = [(30, 0), (30, 30), (30, 120), (300, 0), (0, 0)];
    cases.into_par_iter().for_each(|(delay, drain)| {
        let change = format!("scale_down_delay = \"{delay}s\", drain_timeout = \"{drain}s\"");
        let text = streams(length, clients, &change, 10);
        let share = libm::exp(-f64::from(delay + drain) / 240.0);
        let mut cut = 0.0;
        for seed in 1..=4 {
            let recording = run(&plan(&text), seed);
            let totals = &whole(&recording).totals;
            let dropped = totals.total(Harm::Dropped);
            assert_eq!(causes(totals, Harm::Dropped), [(Cause::DrainTimeout, dropped)]);
            cut += dropped as f64 / 4.0;
        }
        // A Poisson number of sessions, four times: ± √4800 ÷ 2.
        near(&format!("{delay} s and {drain} s"), cut, 4_800.0 * share, 3.5 * 35.0 * share.sqrt());
    });
}

#[test]
fn all_are_switched_at_one_instant_when_all_new_nodes_have_been_up_for_long_enough() {
    let text = streams("\"forever\"", "initial = 90", "hold = \"30s\", drain_timeout = \"10s\"", 4);
    let plan = plan(&text);
    let recording = Sim::new(&plan, 1, true).run(|| false).unwrap().recording;
    let states = |second: usize| recording.nodes[second * 6..][..6].iter().map(|node| node.state).collect::<Vec<_>>();
    let (old, new) = ([State::Ready; 3], [State::Draining; 3]);
    assert_eq!(states(59)[3..], [State::Down; 3]);
    assert_eq!(states(61), [old, [State::Starting; 3]].concat());
    assert_eq!(states(100), [old, new].concat(), "up, seen, and given nobody");
    // Up at 80 s, seen by 82 s at the latest, switched half a minute later, cut 30 + 10 s after that.
    assert_eq!(states(113), [new, old].concat());
    let holds = |second: usize| recording.nodes[second * 6..][3..6].iter().map(|node| node.connections).sum::<f64>();
    assert_eq!([109, 140].map(holds), [0.0; 2], "streams that do not end stay where they are");
    let rollout = figure(incident(&recording), "rollout_time_s");
    assert!((90.0..92.2).contains(&rollout), "{rollout}");
    assert_eq!(causes(&whole(&recording).totals, Harm::Dropped), [(Cause::DrainTimeout, 90)]);
    assert_eq!(holds(160), 90.0);
    assert_eq!(figure(whole(&recording), "nodes_wanted_mean"), 3.0);
    // Each old node is paid for until it is gone, each new one from its start.
    near("node hours", figure(whole(&recording), "node_hours_total"), 3.0 * (240.0 + rollout) / 3_600.0, 1e-9);
}

#[test]
fn those_bound_by_a_cookie_stay_until_the_old_node_is_gone_or_go_at_once() {
    let moved = |keeps: &str, until: &str| {
        let text = format!(
            "duration = \"{until}\"\n[cluster]\nnodes = 3\n[clients.w]\narrivals.initial = 90\nlength = \"forever\"\n\
             think = \"1s\"\nservice = \"1ms\"\n[balancer]\naffinity = \"cookie\"\nredispatch = true\n\
             health.interval = \"1s\"\n[change.release]\nat = \"10s\"\n\
             blue_green = {{ scale_down_delay = \"60s\", drain_timeout = \"10s\"{keeps} }}\n"
        );
        let recording = simulate(&text);
        assert_eq!(whole(&recording).totals.total(Harm::Failed), 0);
        whole(&recording).totals.total(Harm::Moved)
    };
    assert_eq!(["60s", "100s"].map(|until| moved("", until)), [0, 90]);
    assert_eq!(["20s", "100s"].map(|until| moved(", keeps_bound = false", until)), [90, 90]);
}

#[test]
fn evictions_empty_the_old_nodes_before_their_time_is_over() {
    let text = streams("\"forever\"", "initial = 300", "drain_timeout = \"5m\", evict = \"10/s\"", 6);
    let recording = simulate(&text);
    assert_eq!(causes(&whole(&recording).totals, Harm::Dropped), [(Cause::Evicted, 300)]);
    // Up after 20 s and seen a second or two later, 30 s of delay, a hundred on each node at ten a second.
    let rollout = figure(incident(&recording), "rollout_time_s");
    assert!((60.0..62.3).contains(&rollout), "{rollout}");
}

#[test]
fn a_release_whose_nodes_never_come_says_so_and_hurts_nobody() {
    let text = streams("\"forever\"", "initial = 90", "start = \"1h\"", 5);
    let recording = simulate(&text);
    let window = incident(&recording);
    assert_eq!(figure(window, "completed_ratio"), 0.0);
    assert_eq!((window.totals.total(Harm::Dropped), whole(&recording).live), (0, 90));
}
