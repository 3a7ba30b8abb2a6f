//! Servers that end connections on purpose: maximum ages, lame ducks, a controller against skew. Figures are mental
//! arithmetic, or those of the closed forms beside them.

use super::lab::{causes, figure, incident, plan, simulate, whole};
use stickysim::base::cause::{Cause, Harm};
use stickysim::cluster::Sim;
use stickysim::observe::recorder::Recording;
use stickysim::observe::totals::Counter::Reconnected;

/// 1,500 streams on three servers, all connected at the start; who is cut off comes back at once and picks at random.
fn aging(minutes: u32, age: &str, below: &str) -> String {
    format!(
        "duration = \"{minutes}m\"\ntick = \"30s\"\n[cluster]\nnodes = 3\nnode.connection_max_age = {{ {age} }}\n\
         [clients.s]\narrivals.initial = 1500\nlength = \"forever\"\nprotocol = \"stream\"\nreconnect_at_once = true\n\
         [balancer]\nbalance = {{ random = {{ draws = 1 }} }}\n{below}"
    )
}

/// Those who came back in each tick.
fn returns(recording: &Recording) -> Vec<u64> {
    let all = recording.runs.len();
    recording.ticks.chunks(all).map(|tick| tick[all - 1].totals[Reconnected]).collect()
}

#[test]
fn an_age_costs_connections_divided_by_it() {
    for (age, per_second) in [("10m", 2.5), ("5m", 5.0)] {
        let recording = simulate(&aging(300, &format!("age = \"{age}\""), ""));
        let totals = &whole(&recording).totals;
        let renewals = figure(whole(&recording), "connections_aged_total");
        assert!((renewals / 18_000.0 / per_second - 1.0).abs() < 0.02, "{age}: {renewals}");
        assert_eq!(causes(totals, Harm::Dropped), [(Cause::MaxAge, renewals as u64)]);
        assert_eq!(totals[Reconnected], renewals as u64);
        let moves = figure(whole(&recording), "sessions_moved_total");
        assert!((moves / renewals - 2.0 / 3.0).abs() < 0.01, "one in three picks the same node again");
    }
}

/// Seconds after a scale-out at 1 s until the new node holds 90 % of its fair share, and its connections at `at`.
fn healing(age: &str, at: usize) -> (usize, f64) {
    let text = aging(20, age, "[change.more]\nat = \"1s\"\nscale_out = { nodes = 1 }\n").replace("30s", "1s");
    let plan = plan(&text);
    let recording = Sim::new(&plan, 1, true).run(|| false).unwrap().recording;
    let fourth: Vec<f64> = recording.nodes.iter().skip(3).step_by(4).map(|node| node.connections).collect();
    (fourth.iter().position(|&held| held >= 0.9 * 375.0).unwrap(), fourth[at])
}

#[test]
fn a_new_node_has_its_share_when_all_connections_have_been_renewed() {
    // Of 1,500 who pick anew a quarter come to it, ± 17.
    let (ten, at_the_end) = healing("age = \"10m\"", 661);
    assert!((600..=660).contains(&ten), "{ten} s");
    assert!((at_the_end - 375.0).abs() < 51.0, "{at_the_end}");
    let (five, _) = healing("age = \"5m\"", 331);
    assert!((five as f64 / ten as f64 - 0.5).abs() < 0.02, "{five} s: half the age heals in half the time");
}

#[test]
fn on_the_clock_all_renew_together_whenever_they_came() {
    let text = "duration = \"31m\"\ntick = \"30s\"\n[cluster]\nnodes = 3\n\
                node.connection_max_age = { age = \"10m\", jitter = \"0%\", on_the_clock = true }\n\
                [clients.s]\narrivals.open.profile = [{ at = \"0s\", rate = \"1/s\" }, { at = \"9m\", rate = \"1/s\" }, \
                { at = \"9m1s\", rate = \"0/s\" }]\narrivals.initial = 0\nlength = \"forever\"\nprotocol = \"stream\"\n\
                reconnect_at_once = true\n";
    let returns = returns(&simulate(text));
    let busy: Vec<usize> = (0..returns.len()).filter(|&tick| returns[tick] > 0).collect();
    assert_eq!(busy, [20, 40, 60]);
    assert!((450..650).contains(&returns[20]) && returns[20] == returns[60], "{returns:?}");
}

#[test]
fn a_cookie_leads_those_who_were_renewed_to_the_same_node() {
    let recording = simulate(&aging(60, "age = \"10m\"", "affinity = \"cookie\"\n"));
    assert_eq!(whole(&recording).totals.total(Harm::Moved), 0);
    assert!(figure(whole(&recording), "connections_aged_total") > 7_000.0);
}

/// One stream whose client asks within a second, each time for so long; the connection has its age at 5 s.
fn busy(service: &str, age: &str) -> String {
    format!(
        "duration = \"20s\"\n[cluster]\nnodes = 1\nnode.connection_max_age = {{ age = \"5s\", jitter = \"0%\"{age} }}\n\
         [clients.s]\narrivals.initial = 1\nlength = \"forever\"\nprotocol = \"stream\"\n\
         think = \"1s\"\nservice = \"{service}\"\nreconnect_at_once = true\n"
    )
}

#[test]
fn what_is_under_way_is_waited_for_until_the_grace_is_over() {
    let patient = simulate(&busy("12s", ""));
    let totals = &whole(&patient).totals;
    assert_eq!(totals.total(Harm::Failed), 0, "the reply comes first");
    assert_eq!(causes(totals, Harm::Dropped), [(Cause::MaxAge, 1)]);
    let strict = simulate(&busy("12s", ", grace = \"2s\""));
    let totals = &whole(&strict).totals;
    let failed = totals.of(Harm::Failed, Cause::MaxAge);
    assert!(failed > 0 && failed == totals.total(Harm::Dropped), "{:?}", causes(totals, Harm::Failed));
}

#[test]
fn a_kept_connection_that_is_idle_closes_unnoticed() {
    let text = "duration = \"60s\"\n[cluster]\nnodes = 2\nnode.connection_max_age = { age = \"5s\" }\n[clients.s]\n\
                arrivals.initial = 20\nlength = \"forever\"\nprotocol = \"keepalive\"\nthink = \"1s\"\n\
                service = \"20ms\"\n[balancer]\nlayer = \"l4\"\n";
    let recording = simulate(text);
    let (window, totals) = (whole(&recording), &whole(&recording).totals);
    assert_eq!((totals.total(Harm::Dropped), totals.total(Harm::Failed)), (0, 0));
    // A connection lives 5 s and is opened again by the next request, half a second later on average.
    let aged = figure(window, "connections_aged_total");
    assert!((190.0..240.0).contains(&aged), "{aged}");
}

#[test]
fn a_process_that_stands_still_says_goodbye_when_it_goes_on() {
    let text = "duration = \"30s\"\n[cluster]\nnodes = 1\nnode.connection_max_age = { age = \"8s\", jitter = \"0%\" }\n\
                [clients.s]\narrivals.initial = 10\nlength = \"forever\"\nprotocol = \"stream\"\n\
                reconnect_at_once = true\n[fault.f]\nat = \"5s\"\nfreeze = { nodes = 1, lasts = \"10s\" }\n";
    let returns = returns(&simulate(text));
    let busy: Vec<usize> = (0..returns.len()).filter(|&second| returns[second] > 0).collect();
    assert_eq!(busy, [15, 23], "not at 8 s");
}

/// Three nodes with a hundred sessions each; `change` begins at 10 s.
fn full(clients: &str, change: &str) -> String {
    format!(
        "duration = \"5m\"\nrecovery_hold = \"10s\"\n[cluster]\nnodes = 3\n[clients.s]\narrivals.initial = 300\n\
         length = \"forever\"\n{clients}\n[balancer]\nredispatch = true\nhealth.interval = \"200ms\"\n{change}"
    )
}

const STREAMS: &str = "protocol = \"stream\"\nreconnect_at_once = true";

#[test]
fn eviction_empties_a_node_in_sessions_divided_by_rate() {
    for change in [
        "drain = { nodes = [\"n1\"], evict = \"20/s\" }",
        "scale_in = { nodes = [\"n1\"], evict = \"20/s\" }",
        "drain = { nodes = [\"n1\"], evict = \"20/s\", timeout = \"1m\" }",
    ] {
        let recording = simulate(&full(STREAMS, &format!("[change.c]\nat = \"10s\"\n{change}\n")));
        let window = incident(&recording);
        assert_eq!(causes(&window.totals, Harm::Dropped), [(Cause::Evicted, 100)], "{change}");
        assert_eq!(causes(&window.totals, Harm::Moved), [(Cause::Evicted, 100)], "{change}");
        let took = figure(window, "rollout_time_s");
        assert!((5.0..5.2).contains(&took), "{change}: {took} s for 100 at 20/s");
        assert!((20.0..=21.0).contains(&figure(window, "disconnects_peak_per_s")), "{change}");
    }
}

#[test]
fn a_roll_evicts_and_leaves_nobody_for_the_drain_timeout() {
    let roll = "[change.c]\nat = \"10s\"\nrolling = { evict = \"50/s\", drain_timeout = \"1m\", restart = \"2s\" }\n";
    let recording = simulate(&full(STREAMS, roll));
    let window = incident(&recording);
    let dropped = window.totals.total(Harm::Dropped);
    assert_eq!(causes(&window.totals, Harm::Dropped), [(Cause::Evicted, dropped)]);
    assert_eq!(figure(window, "sessions_evicted_total"), dropped as f64);
    // Each turn: all who are there at 50/s, then 2 s until it is up, and up to half a second until that is seen.
    let took = figure(window, "rollout_time_s") - dropped as f64 / 50.0;
    assert!((6.0..8.5).contains(&took), "{took} s beside the evictions");
    // Those of the first two turns have gone to the nodes that follow: more than everybody once.
    assert!(dropped > 300, "{dropped}");
}

#[test]
fn who_is_bound_by_a_cookie_is_placed_anew_and_nothing_fails() {
    let web = |think: &str| format!("think = \"{think}\"\nservice = \"1ms\"\naffinity = \"cookie\"");
    let drain = "[change.c]\nat = \"10s\"\ndrain = { nodes = [\"n1\"], evict = \"20/s\" }\n";
    let recording = simulate(&full(&web("1s"), drain));
    let totals = &incident(&recording).totals;
    assert_eq!(causes(totals, Harm::Moved), [(Cause::Evicted, 100)]);
    assert_eq!((totals.total(Harm::Failed), totals.total(Harm::Dropped)), (0, 0));
    // Nobody need ask: who was told is not awaited.
    let took = figure(incident(&simulate(&full(&web("1h"), drain))), "rollout_time_s");
    assert!((5.0..5.2).contains(&took), "{took}");
    // Tables and cookies with rules are passed over once, too.
    for affinity in ["\"stick_table\"", "{ cookie = { rewrite = false } }", "\"client_ip\""] {
        let web = web("1s").replace("\"cookie\"", affinity);
        let totals = &incident(&simulate(&full(&web, drain))).totals.clone();
        assert_eq!(totals.of(Harm::Moved, Cause::Evicted), 100, "{affinity}: {:?}", causes(totals, Harm::Moved));
    }
}

/// Connections per node at the end, and the run's figures.
fn rebalanced(text: &str) -> (Vec<f64>, Recording) {
    let plan = plan(text);
    let recording = Sim::new(&plan, 1, true).run(|| false).unwrap().recording;
    let nodes = plan.nodes.len();
    let last = recording.nodes[recording.nodes.len() - nodes..].iter().map(|node| node.connections).collect();
    (last, recording)
}

fn scaled_out(rebalance: &str) -> String {
    format!(
        "duration = \"5m\"\nrecovery_hold = \"10s\"\n[cluster]\nnodes = 2\n{rebalance}\n[clients.s]\n\
         arrivals.initial = 300\nlength = \"forever\"\n{STREAMS}\n[balancer]\nbalance = \"leastconn\"\n\
         [change.more]\nat = \"10s\"\nscale_out = {{ nodes = 2 }}\n"
    )
}

#[test]
fn rebalancing_evicts_the_excess_and_no_more() {
    // 150, 150, 0, 0: the fair share is 75 and 90 may stay, so 60 of each are asked, 20 a second from each node.
    let (last, recording) =
        rebalanced(&scaled_out("rebalance = { every = \"30s\", threshold = 1.2, rate = \"20/s\" }"));
    assert_eq!(last, [90.0, 90.0, 60.0, 60.0]);
    let window = whole(&recording);
    assert_eq!(figure(window, "sessions_evicted_total"), 120.0);
    assert_eq!(causes(&window.totals, Harm::Dropped), [(Cause::Evicted, 120)]);
    let returns = returns(&recording);
    let busy: Vec<(usize, u64)> = returns.iter().copied().enumerate().filter(|&(_, back)| back > 0).collect();
    // The k-th is asked k/20 s after the look at 30 s: the last at 33 s exactly.
    assert_eq!(busy, [(30, 38), (31, 40), (32, 40), (33, 2)]);
    // Without it nobody moves at all, and twice the fair share stays where it is.
    assert_eq!(rebalanced(&scaled_out("")).0, [150.0, 150.0, 0.0, 0.0]);
}

#[test]
fn a_fair_share_goes_by_weight() {
    let text = "duration = \"3m\"\n[cluster]\nrebalance = { every = \"30s\", threshold = 1.0, rate = \"100/s\" }\n\
                [cluster.group.a]\ncount = 1\nweight = 3\n[cluster.group.b]\ncount = 1\n[clients.s]\n\
                arrivals.initial = 200\nlength = \"forever\"\nprotocol = \"stream\"\nreconnect_at_once = true\n\
                [balancer]\nbalance = \"leastconn\"\n";
    let (last, recording) = rebalanced(text);
    assert_eq!(last, [150.0, 50.0]);
    assert_eq!(figure(whole(&recording), "sessions_evicted_total"), 0.0, "it is even by weight");
}

#[test]
fn who_is_told_during_a_request_leaves_after_the_reply() {
    // All ask at once, all the time: nobody is ever idle, and yet nothing fails.
    let clients = "protocol = \"stream\"\nreconnect_at_once = true\nthink = \"10ms\"\nservice = \"500ms\"";
    let drain = "[change.c]\nat = \"10s\"\ndrain = { nodes = [\"n1\"], evict = \"100/s\" }\n";
    let text = full(clients, drain).replace("nodes = 3", "nodes = 3\nnode.concurrency = 1000");
    let totals = &incident(&simulate(&text)).totals.clone();
    assert_eq!(causes(totals, Harm::Dropped), [(Cause::Evicted, 100)]);
    assert_eq!(totals.total(Harm::Failed), 0);
}
