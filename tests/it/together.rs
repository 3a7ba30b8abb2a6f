//! Where parts meet that know nothing of each other: retries and memory kills, rebuild services and passive rules,
//! reloads and what an operator has just said. Figures are mental arithmetic.

use super::lab::{causes, node_sessions, plan, simulate, whole};
use stickysim::base::cause::{Cause, Harm};
use stickysim::cluster::Sim;
use stickysim::observe::recorder::Recording;

fn failed(recording: &Recording) -> Vec<(Cause, u64)> {
    causes(&whole(recording).totals, Harm::Failed)
}

/// What n1 is, with the second from which it is that.
fn states(text: &str) -> Vec<(u64, &'static str)> {
    let plan = plan(text);
    let ticks = Sim::new(&plan, 1, true).run(|| false).expect("nobody stops it").recording.nodes;
    let mut states: Vec<(u64, &str)> = Vec::new();
    for (second, tick) in (0..).zip(ticks.iter().filter(|tick| tick.node == 0)) {
        if states.last().is_none_or(|&(_, before)| before != tick.state.name()) {
            states.push((second, tick.state.name()));
        }
    }
    states
}

#[test]
fn a_process_that_is_killed_for_its_memory_resets_what_it_had_in_hand() {
    // Four requests on two nodes, one of which has memory for one: two are reset, and may be sent to the other node.
    let text = |balancer: &str| {
        format!(
            "duration = '20s'\n[cluster.node]\nmemory = {{ limit = '1GiB', per_request = '10MiB' }}\n\
             [cluster.group.a]\ncount = 1\nmemory.limit = '15MiB'\n[cluster.group.b]\ncount = 1\n\
             [clients.c]\narrivals.initial = 4\nrequests = 1\nthink = '0s'\nservice = '3s'\nwrite_ratio = '0%'\n\
             [balancer]\nredispatch = true\n{balancer}\n"
        )
    };
    assert_eq!(failed(&simulate(&text(""))), [(Cause::OutOfMemory, 2)]);
    assert_eq!(failed(&simulate(&text("retry_on = ['connect', 'reset']"))), []);
}

/// Twenty sessions on two nodes; when n1 dies its ten come to n2, where the rebuild service takes one at a time.
fn crowded(balancer: &str) -> Recording {
    simulate(&format!(
        "duration = '60s'\ncluster.nodes = 2\n[clients.c]\narrivals.initial = 20\nlength = 'forever'\nthink = '1s'\n\
         service = '1ms'\nwrite_ratio = '0%'\n[state.memory]\nrebuild = {{ at = 'login' }}\n\
         [rebuild.login]\nconcurrency = 1\nqueue_max = 0\nservice = '900ms'\n\
         [balancer]\naffinity = 'cookie'\nredispatch = true\nhealth.check = 'none'\n{balancer}\n\
         [fault.f]\nat = '10s'\nkill.nodes = ['n1']\n"
    ))
}

#[test]
fn a_rebuild_service_without_room_is_no_reset_to_those_who_judge_nodes() {
    let run = crowded("passive = 'nginx'");
    assert!(failed(&run).iter().all(|&(cause, _)| cause == Cause::RebuildFull), "n2 stays: {:?}", failed(&run));
}

/// Two nodes and one who never asks.
fn quiet(below: &str) -> String {
    format!(
        "duration = '60s'\ncluster.nodes = 2\n[clients.c]\narrivals.initial = 1\nlength = 'forever'\nthink = '1h'\n\
         service = '1ms'\n{below}"
    )
}

#[test]
fn a_weight_that_a_reload_forgets_is_forgotten_in_the_figures_too() {
    let text = |state_file: bool| {
        quiet(&format!(
            "[change.w]\nat = '10s'\nweight = {{ nodes = ['n1'], weight = 0 }}\n\
             [change.r]\nat = '20s'\nreload = {{ state_file = {state_file} }}\n"
        ))
    };
    assert_eq!(states(&text(false)), [(0, "ready"), (10, "draining"), (20, "ready")]);
    assert_eq!(states(&text(true)), [(0, "ready"), (10, "draining")]);
}

#[test]
fn of_a_drain_and_a_weight_neither_undoes_the_other() {
    let drain = "[change.d]\nat = '10s'\ndrain = { nodes = ['n1'], lasts = '30s' }\n";
    let weight = |weight: u32, at: &str, lasts: &str| {
        quiet(&format!(
            "{drain}[change.w]\nat = '{at}'\nweight = {{ nodes = ['n1'], weight = {weight}, lasts = '{lasts}' }}\n"
        ))
    };
    assert_eq!(states(&weight(5, "20s", "10s")), [(0, "ready"), (10, "draining"), (40, "ready")]);
    assert_eq!(states(&weight(0, "20s", "30s")), [(0, "ready"), (10, "draining"), (50, "ready")]);
}

#[test]
fn what_is_on_its_way_to_a_balancer_reaches_the_process_that_serves_then() {
    // The drain is heard at 15 s, by the process that has begun at 12 s.
    let text = |state_file: bool| {
        format!(
            "duration = '60s'\ncluster.nodes = 4\n[clients.c]\narrivals = {{ open.rate = '10/s', initial = 0 }}\n\
             length = 'forever'\nthink = '1s'\nservice = '1ms'\n[balancer]\naffinity = 'cookie'\npropagation = '5s'\n\
             [change.d]\nat = '10s'\ndrain.nodes = ['n1']\n\
             [change.r]\nat = '12s'\nreload = {{ state_file = {state_file} }}\n"
        )
    };
    for state_file in [true, false] {
        let on_n1 = |tick| node_sessions(&text(state_file), "n1", tick);
        assert!(on_n1(14) > on_n1(11) + 3.0, "not heard yet");
        assert_eq!(on_n1(59), on_n1(16), "state_file = {state_file}");
    }
}

#[test]
fn a_drain_that_has_taken_too_long_ends_requests_too() {
    let text = "duration = '40s'\ncluster.nodes = 4\n[clients.c]\narrivals.initial = 8\nrequests = 1\nthink = '0s'\n\
                service = '20s'\n[change.d]\nat = '5s'\ndrain = { nodes = ['n1'], timeout = '5s' }\n";
    assert_eq!(failed(&simulate(text)), [(Cause::DrainTimeout, 2)]);
}

#[test]
fn a_reload_does_not_disturb_the_agents_on_the_hosts() {
    // A frozen process is found out within 5 s + 3 s, however often balancers are reloaded meanwhile.
    let text = "duration = '60s'\ncluster.nodes = 2\n[clients.c]\narrivals.initial = 10\nlength = 'forever'\n\
                think = '1s'\nservice = '1ms'\nrequest_timeout = '1s'\nreconnect.fixed.delay = '1s'\n[balancer]\n\
                health = { by = 'host', check = 'http', interval = '5s', timeout = '3s', fall = 1, from = 'begin' }\n\
                [fault.f]\nat = '20s'\nfreeze.nodes = ['n1']\n\
                [change.r]\nat = '5s'\nreload = { times = 27, every = '2s' }\n";
    let run = simulate(text);
    let all = run.ticks.iter().filter(|tick| tick.cluster.is_some());
    let late: u64 = all.skip(30).map(|tick| tick.totals.total(Harm::Failed)).sum();
    assert_eq!(late, 0);
}

#[test]
fn a_stream_that_never_pauses_waits_after_an_error() {
    // One node with one slot and no line: of two that never pause, one is turned away at once, again and again.
    let text = |more: &str| {
        format!(
            "duration = '10s'\n[cluster]\nnodes = 1\nnode = {{ concurrency = 1, queue_max = 0 }}\n[clients.c]\n\
             arrivals.initial = 2\nlength = 'forever'\nprotocol = 'stream'\nthink = '0s'\nservice = '10ms'\n\
             reconnect.fixed.delay = '1s'\n{more}"
        )
    };
    assert_eq!(failed(&simulate(&text(""))), [(Cause::QueueFull, 10)]);
    let hole = text("[fault.f]\nat = '5s'\nblack_hole.nodes = ['n1']\n");
    // The one that had the slot is told within its ten milliseconds, and both ask five times.
    assert_eq!(failed(&simulate(&hole)), [(Cause::QueueFull, 5), (Cause::BadAnswer, 10)]);
}
