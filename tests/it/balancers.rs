//! Several balancers side by side, and balancers that begin anew: what each of them knows of the others. What was
//! measured of HAProxy (E9, E9b, E10) is held against in `reality.rs`.

use crate::lab::{causes, figure, plan, simulate, whole};
use stickysim::base::cause::{Cause, Harm};
use stickysim::cluster::Sim;
use stickysim::observe::recorder::Recording;
use stickysim::observe::totals::Counter::{Reconnected, Started, Succeeded};

fn run_with_nodes(plan: &stickysim::cluster::plan::Plan, seed: u64) -> Recording {
    Sim::new(plan, seed, true).run(|| false).expect("nobody stops it").recording
}

/// Eight nodes and four hundred clients who ask every ten seconds; n3 is down from 30 s to 60 s, and the balancer is
/// restarted at 90 s.
fn e10(balancer: &str) -> String {
    format!(
        "duration = '130s'\ncluster.nodes = 8\n[clients.c]\narrivals = {{ initial = 400 }}\nlength = 'forever'\n\
         think = '10s'\nservice = '0s'\n[fault.crash]\nat = '30s'\nkill = {{ nodes = ['n3'], lasts = '30s' }}\n\
         [change.restart]\nat = '90s'\nreload = {{ hard_stop_after = '0s' }}\n\
         [balancer]\nredispatch = true\nhealth = {{ interval = '1ms', fall = 2, rise = 2 }}\n{balancer}\n"
    )
}

/// Share of the clients who moved within these seconds.
fn moved(recording: &Recording, from: usize, to: usize) -> f64 {
    let all = recording.ticks.iter().filter(|tick| tick.cluster.is_some());
    all.skip(from).take(to - from).map(|tick| tick.totals.total(Harm::Moved)).sum::<u64>() as f64 / 400.0
}

#[test]
fn e10_hashes_do_not_care_which_process_computes_them() {
    for balance in ["'ring'", "'source'", "{ hash = { key = 'header' } }"] {
        let recording = simulate(&e10(&format!("balance = {balance}")));
        assert!(moved(&recording, 30, 60) > 0.1, "{balance}");
        assert_eq!(moved(&recording, 30, 60), moved(&recording, 60, 90), "{balance}: there and back");
        assert_eq!(moved(&recording, 90, 130), 0.0, "{balance}");
    }
}

/// A hundred clients of four nodes who ask every second, and something that happens to their balancers.
fn hundred(protocol: &str, balancer: &str, below: &str) -> String {
    format!(
        "duration = '60s'\ncluster.nodes = 4\n[clients.c]\narrivals = {{ initial = 100 }}\nlength = 'forever'\n\
         protocol = '{protocol}'\nthink = '1s'\nservice = '100ms'\nreconnect = {{ fixed = {{ delay = '1s' }} }}\n\
         [cluster.node]\nconcurrency = 100\n[balancer]\nretries = 0\n{balancer}\n{below}\n"
    )
}

fn reload(at: u32, params: &str) -> String {
    format!("[change.reload]\nat = '{at}s'\nreload = {{ {params} }}\n")
}

/// What was dropped, and what failed.
fn harm(recording: &Recording) -> [Vec<(Cause, u64)>; 2] {
    [Harm::Dropped, Harm::Failed].map(|harm| causes(&whole(recording).totals, harm))
}

#[test]
fn a_reload_cuts_nobody() {
    for protocol in ["request", "keepalive", "stream"] {
        let recording = simulate(&hundred(protocol, "instances = 2\naffinity = 'cookie'", &reload(30, "")));
        assert_eq!(harm(&recording), [vec![], vec![]], "{protocol}");
        assert_eq!(figure(whole(&recording), "sessions_moved_total"), 0.0, "{protocol}");
    }
}

#[test]
fn a_hard_stop_cuts_what_is_left_and_says_so() {
    let stop = |protocol, after| simulate(&hundred(protocol, "", &reload(30, &format!("hard_stop_after = '{after}'"))));
    let streams = stop("stream", "10s");
    assert_eq!(causes(&whole(&streams).totals, Harm::Dropped), [(Cause::BalancerStopped, 100)]);
    assert_eq!(whole(&streams).totals[Reconnected], 100);
    let tick = streams.ticks.iter().filter(|tick| tick.cluster.is_some());
    let dropped: Vec<u64> = tick.map(|tick| tick.totals.total(Harm::Dropped)).collect();
    assert_eq!(dropped.iter().position(|&dropped| dropped > 0), Some(40), "not before the time is over");
    // Short requests are over by then; those in hand at a restart are not.
    assert_eq!(harm(&stop("request", "10s")), [vec![], vec![]]);
    let [dropped, failed] = harm(&stop("request", "0s"));
    assert!((2..30).contains(&failed[0].1), "about one in eleven: {failed:?}");
    assert_eq!((failed[0].0, failed.len()), (Cause::BalancerStopped, 1));
    assert_eq!(dropped, failed);
}

#[test]
fn a_request_that_a_hard_stop_cuts_is_tried_again_through_the_new_process() {
    let retry = "[clients.c.retry]\nattempts = 1\nbackoff = { fixed = { delay = '100ms' } }\n";
    let recording = simulate(&hundred("request", "", &(reload(30, "hard_stop_after = '0s'") + retry)));
    assert_eq!(harm(&recording), [vec![], vec![]]);
    assert!(figure(whole(&recording), "attempts_total") > figure(whole(&recording), "requests_issued_total"));
}

#[test]
fn work_that_a_hard_stop_orphans_goes_on() {
    // Every request takes 20 s; those in hand at 30 s are worked off for nobody.
    let long = hundred("request", "", &reload(30, "hard_stop_after = '0s'")).replace("100ms", "20s");
    let recording = simulate(&long);
    assert!(figure(whole(&recording), "wasted_work_ratio") > 0.3);
    assert!(whole(&recording).totals[Succeeded] > 100);
}

#[test]
fn a_new_process_has_not_heard_what_the_operator_said() {
    let text = |state_file| {
        let drain = "[change.drain]\nat = '10s'\ndrain = { nodes = ['n1'] }\n";
        let later = "[clients.later]\narrivals = { open = { rate = '10/s' }, initial = 0 }\nlength = 'forever'\n\
                     think = '1s'\nservice = '1ms'\n";
        let below = format!("{drain}{later}{}", reload(20, &format!("state_file = {state_file}")));
        hundred("request", "affinity = 'cookie'", &below)
    };
    let on_n1 = |state_file, tick| crate::lab::node_sessions(&text(state_file), "n1", tick);
    assert_eq!(on_n1(true, 59), on_n1(true, 15), "the state file keeps the drain");
    assert_eq!(on_n1(false, 15), on_n1(false, 19));
    assert!(on_n1(false, 59) > on_n1(false, 19) + 50.0, "a quarter of some four hundred");
}

#[test]
fn a_new_process_takes_a_dead_node_to_be_up_until_its_checks_fail() {
    let text = |state_file| {
        let kill = "[fault.crash]\nat = '10s'\nkill = { nodes = ['n1'] }\n";
        let below = format!("{kill}{}", reload(30, &format!("state_file = {state_file}")));
        hundred("request", "", &below)
    };
    let failed_after = |state_file| {
        let recording = simulate(&text(state_file));
        let all = recording.ticks.iter().filter(|tick| tick.cluster.is_some());
        all.skip(30).map(|tick| tick.totals.total(Harm::Failed)).sum::<u64>()
    };
    assert!(failed_after(false) > 50, "a quarter of some ninety requests a second, for seconds");
    assert_eq!(failed_after(true), 0);
}

#[test]
fn a_new_process_is_not_told_of_nodes_that_have_left() {
    let below = format!("[change.fewer]\nat = '10s'\nscale_in = {{ nodes = ['n1'] }}\n{}", reload(50, ""));
    let recording = simulate(&hundred("request", "redispatch = true", &below));
    assert_eq!(harm(&recording), [vec![], vec![]]);
}

#[test]
fn an_old_process_checks_no_more() {
    // n1 stands still from 40 s on; who finds out cuts its streams.
    let below = |reload: &str| format!("[fault.stuck]\nat = '40s'\nfreeze = {{ nodes = ['n1'] }}\n{reload}");
    let balancer = "on_marked_down = 'shutdown_sessions'\nhealth = { check = 'http', interval = '1s' }";
    let cut = |reload: &str| {
        let recording = simulate(&hundred("stream", balancer, &below(reload)));
        whole(&recording).totals.of(Harm::Dropped, Cause::MarkedDown)
    };
    assert_eq!(cut(""), 25);
    assert_eq!(cut(&reload(30, "")), 0);
}

#[test]
fn a_reload_is_over_when_the_last_old_connection_is() {
    // A minute of streams of ten seconds each.
    let text = format!(
        "duration = '60s'\ncluster.nodes = 4\n[clients.c]\narrivals = {{ open = {{ rate = '10/s' }} }}\nlength = '10s'\n\
         protocol = 'stream'\n[balancer]\ninstances = 2\n{}",
        reload(20, "pause = '5s'")
    );
    let recording = simulate(&text);
    let took = figure(crate::lab::incident(&recording), "rollout_time_s");
    assert!((14.5..=15.2).contains(&took), "the second begins 5 s later and drains for 10 s: {took}");
}

#[test]
fn balancers_that_are_reloaded_all_the_time_send_everybody_to_the_first_node() {
    // haproxy/haproxy#1282: endpoints change all the time, and every reload begins the rotation anew.
    let on_n1 = |times: &str| {
        let text = format!(
            "duration = '100s'\ncluster.nodes = 4\n[clients.c]\narrivals = {{ open = {{ rate = '1/s' }}, initial = 0 }}\n\
             length = 'forever'\nprotocol = 'stream'\n{}",
            reload(1, times)
        );
        let plan = plan(&text);
        let recording = run_with_nodes(&plan, 1);
        let last = &recording.nodes[recording.nodes.len() - 4..];
        last[0].connections / last.iter().map(|node| node.connections).sum::<f64>()
    };
    assert!(on_n1("times = 900, every = '100ms'") > 0.8);
    assert!((on_n1("") - 0.25).abs() < 0.02);
}

#[test]
fn a_session_meets_one_balancer_a_request_any_and_a_turn_the_next() {
    // A table that its neighbours do not know: who meets another balancer is another's.
    let moved = |spread: &str, peers: bool| {
        let table = format!("affinity = {{ stick_table = {{ peers = {peers} }} }}");
        let text = hundred("request", &format!("instances = 3\nspread = '{spread}'\n{table}"), "");
        causes(&whole(&simulate(&text)).totals, Harm::Moved)
    };
    assert_eq!(moved("session", false), []);
    assert_eq!(moved("turn", false), []);
    let wandering = moved("request", false);
    assert_eq!(wandering.iter().map(|&(cause, _)| cause).collect::<Vec<_>>(), [Cause::Forgotten, Cause::Recalled]);
    assert!(wandering[1].1 > 1_000, "again and again: {wandering:?}");
    assert_eq!(moved("request", true), [], "peers know what the others learn");
}

#[test]
fn sessions_in_turn_are_even_over_balancers_and_at_random_they_are_not() {
    // Three round robins begin at the same node: with 300 sessions in turn each deals out a hundred.
    let peak = |spread: &str| {
        let text = format!(
            "duration = '10s'\ncluster.nodes = 3\n[clients.c]\narrivals = {{ open = {{ rate = '100/s' }}, initial = 0 }}\n\
             length = 'forever'\nprotocol = 'stream'\n[balancer]\ninstances = 3\nspread = '{spread}'\n"
        );
        let recording = simulate(&text);
        assert!(whole(&recording).totals[Started] > 900);
        let last = recording.ticks.last().unwrap();
        figure(last, "connections_peak_to_mean")
    };
    assert!(peak("turn") < 1.005, "{}", peak("turn"));
}
