//! The lives of nodes as specification: how a process starts, warms up, fills, is killed and comes back, whatever
//! faults and changes overlap. Times and sizes are constant, so that each expected number is mental arithmetic.

use super::lab::{causes, figure, incident, is_full, plan, simulate, whole};
use std::path::Path;
use stickysim::base::cause::{Cause, Harm};
use stickysim::cluster::Sim;
use stickysim::observe::columns;
use stickysim::observe::recorder::{NodeTick, Recording, State};
use stickysim::observe::totals::Counter::{Attempts, Refused, Succeeded};
use stickysim::scenario::{Overrides, Problems, Sources, load_layer};

/// The ticks of a node; seed 1.
#[track_caller]
fn ticks_of(text: &str, node: &str) -> Vec<NodeTick> {
    let plan = plan(text);
    let index = plan.nodes.iter().position(|planned| planned.name == node).expect("the node exists") as u32;
    let recording = Sim::new(&plan, 1, true).run(|| false).expect("nobody stops it").recording;
    recording.nodes.into_iter().filter(|tick| tick.node == index).collect()
}

/// What a node is, with the second from which it is that.
#[track_caller]
fn states(text: &str, node: &str) -> Vec<(u64, &'static str)> {
    let mut states: Vec<(u64, &str)> = Vec::new();
    for (second, tick) in (0..).zip(ticks_of(text, node)) {
        if states.last().is_none_or(|&(_, before)| before != tick.state.name()) {
            states.push((second, tick.state.name()));
        }
    }
    states
}

/// Two nodes for a minute, with nobody there but one client who never asks.
fn quiet(node: &str, below: &str) -> String {
    format!(
        "duration = \"60s\"\nrecovery_hold = \"1s\"\ncluster.nodes = 2\n[cluster.node]\n{node}\n\
         [clients.web]\narrivals = {{ initial = 1 }}\nlength = \"forever\"\nthink = \"1h\"\nservice = \"1ms\"\n\
         [balancer]\nbalance = \"first\"\nredispatch = true\nhealth = {{ interval = \"100ms\", rise = 1 }}\n{below}"
    )
}

/// What happens, to which node, and its states from these seconds on.
type Life = (&'static str, &'static str, &'static [(u64, &'static str)]);

#[test]
fn a_process_listens_its_start_time_after_whatever_started_it() {
    let table: &[Life] = &[
        (
            "[fault.f]\nat = \"10s\"\nkill = { nodes = [\"n1\"], lasts = \"5s\" }",
            "n1",
            &[(0, "ready"), (10, "down"), (15, "starting"), (18, "ready")],
        ),
        (
            "[fault.f]\nat = \"10s\"\nlose = { nodes = [\"n1\"], lasts = \"5s\" }",
            "n1",
            &[(0, "ready"), (10, "down"), (15, "starting"), (18, "ready")],
        ),
        (
            "[change.c]\nat = \"10s\"\nrolling = { how = \"kill\", restart = \"5s\" }",
            "n1",
            &[(0, "ready"), (10, "down"), (15, "starting"), (18, "ready")],
        ),
        // Where a start takes time, it is all the time that a restart takes.
        (
            "[change.c]\nat = \"10s\"\nrolling = { how = \"kill\" }",
            "n1",
            &[(0, "ready"), (10, "starting"), (13, "ready")],
        ),
        // The second turn begins when the balancer has seen the first node.
        (
            "[change.c]\nat = \"10s\"\nrolling = { how = \"kill\", pause = \"7s\" }",
            "n2",
            &[(0, "ready"), (20, "starting"), (23, "ready")],
        ),
        (
            "[change.c]\nat = \"10s\"\nscale_out = { nodes = 1, start = \"5s\" }",
            "n3",
            &[(0, "down"), (15, "starting"), (18, "ready")],
        ),
        (
            "[change.c]\nat = \"10s\"\nrolling = { surge_max = 1, restart = \"5s\" }",
            "n3",
            &[(0, "down"), (15, "starting"), (18, "ready")],
        ),
    ];
    for (below, node, expected) in table {
        assert_eq!(states(&quiet("start = \"3s\"", below), node), *expected, "{below}");
    }
}

#[test]
fn without_a_start_time_a_restart_takes_five_seconds() {
    let below = "[change.c]\nat = \"10s\"\nrolling = { how = \"kill\" }";
    assert_eq!(states(&quiet("", below), "n1"), [(0, "ready"), (10, "down"), (15, "ready")]);
}

#[test]
fn a_start_time_is_drawn_for_each_start_of_each_node_and_is_the_same_under_every_policy() {
    let start = "start = { uniform = { min = \"1s\", max = \"9s\" } }";
    let kill = |at: u32, node: &str| {
        format!("[fault.f{at}{node}]\nat = \"{at}s\"\nkill = {{ nodes = [\"{node}\"], lasts = \"1s\" }}\n")
    };
    let text = quiet(start, &[kill(10, "n1"), kill(30, "n1"), kill(10, "n2")].concat());
    let took = |node: &str| -> Vec<u64> {
        let states = states(&text, node);
        let starts = states.windows(2).filter(|pair| pair[0].1 == "starting");
        starts.map(|pair| pair[1].0 - pair[0].0).collect()
    };
    assert!(took("n1")[0] != took("n1")[1] && took("n1")[0] != took("n2")[0], "{:?} {:?}", took("n1"), took("n2"));
    assert_eq!(states(&text.replace("\"first\"", "\"random\""), "n1"), states(&text, "n1"));
}

#[test]
fn a_node_that_is_starting_refuses_connections() {
    // One client asks every second and is refused while the process is down, and while it starts.
    let refused = |start: &str| {
        let run = simulate(&format!(
            "duration = \"30s\"\ncluster.nodes = 1\n{start}\n[clients.web]\narrivals = {{ initial = 1 }}\n\
             length = \"forever\"\nthink = \"0s\"\nservice = \"400ms\"\nreconnect = {{ fixed = {{ delay = \"1s\" }} }}\n\
             [fault.f]\nat = \"10s\"\nkill = {{ nodes = 1, lasts = \"5500ms\" }}\n[balancer]\nretries = 0\nhealth.interval = \"1h\""
        ));
        whole(&run).totals.of(Harm::Failed, Cause::Refused)
    };
    // Reset at 10, refused from 11 on.
    assert_eq!(refused(""), 5);
    assert_eq!(refused("cluster.node.start = \"4s\""), 9);
}

#[test]
fn a_fault_is_over_when_its_processes_listen() {
    // Even while one node is away, so what counts is when the other is back: after 5 s and 20 s more.
    let text = "duration = \"2m\"\nrecovery_hold = \"1s\"\n[cluster]\nnodes = 2\nnode.start = \"20s\"\n\
                [clients.s]\narrivals.initial = 40\nlength = \"forever\"\nprotocol = \"stream\"\n\
                [balancer]\nbalance = \"leastconn\"\nredispatch = true\nhealth.interval = \"1s\"\n\
                [fault.f]\nat = \"1m\"\nkill = { nodes = [\"n1\"], lasts = \"5s\" }";
    let window = simulate(text);
    let found = (columns::named("rebalanced_ratio").unwrap().get)(incident(&window));
    // All forty are on n2 for good, and n1 stays empty: never even again.
    assert_eq!(found, Some(0.0));
}

/// One client of one node asks again and again; it is reset at 10 s and comes back after `delay`, the process
/// after a second. Whatever it takes first is 100 ms when warm.
fn cold(delay: &str, node: &str, below: &str) -> Recording {
    simulate(&format!(
        "duration = \"60s\"\ntick = \"10s\"\n[cluster]\nnodes = 1\n[cluster.node]\n{node}\n\
         warm_up = {{ multiplier = 3, lasts = \"10s\" }}\n\
         [clients.web]\narrivals = {{ initial = 1 }}\nlength = \"forever\"\nthink = \"0s\"\nservice = \"100ms\"\n\
         reconnect = {{ fixed = {{ delay = \"{delay}\" }} }}\n[balancer]\nretries = 0\nhealth.interval = \"1h\"\n\
         [fault.f]\nat = \"10s\"\nkill = {{ nodes = 1, lasts = \"1s\" }}\n{below}"
    ))
}

#[test]
fn work_takes_as_much_longer_as_the_process_is_young() {
    for (delay, age, expected) in [
        ("1s", 0, 300.0),
        ("2s", 1, 280.0),
        ("6s", 5, 200.0),
        ("10500ms", 9, 110.0),
        ("11s", 10, 100.0),
        ("30s", 29, 100.0),
    ] {
        let run = cold(delay, "", "");
        assert_eq!(figure(incident(&run), "response_time_ms_max"), expected, "at an age of {age} s");
    }
    let first = &cold("1s", "", "").ticks[0];
    assert_eq!(first.totals[Succeeded], 99, "what was there before the run is warm");
}

#[test]
fn letting_in_and_rebuilding_take_longer_too() {
    // Let in from 11.0 to 11.3; then 100 ms of service and 100 ms of rebuilding begin at an age of 0.3 s.
    let run = cold("1s", "handshake = \"100ms\"", "[state.memory]\nrebuild.service = \"100ms\"");
    assert_eq!(figure(incident(&run), "response_time_ms_max"), 300.0 + 200.0 * 2.94);
    assert_eq!(figure(incident(&run), "rebuild_work_s_total"), 0.1, "what it is when warm");
}

#[test]
fn a_node_is_warming_until_it_is_warm_and_counts_as_ready() {
    let text = quiet(
        "start = \"3s\"\nwarm_up = { multiplier = 2, lasts = \"10s\" }",
        "[fault.f]\nat = \"10s\"\nkill = { nodes = [\"n1\"], lasts = \"5s\" }",
    );
    let expected = [(0, "ready"), (10, "down"), (15, "starting"), (18, "warming"), (28, "ready")];
    assert_eq!(states(&text, "n1"), expected);
    // Two nodes for 60 s, one of them away from 10 to 18.
    assert_eq!(figure(whole(&simulate(&text)), "nodes_ready_mean"), 2.0 - 8.0 / 60.0);
}

#[test]
fn a_node_that_drains_is_shown_apart() {
    let text = quiet("", "[change.c]\nat = \"10s\"\ndrain = { nodes = [\"n1\"], lasts = \"20s\" }");
    assert_eq!(states(&text, "n1"), [(0, "ready"), (10, "draining"), (30, "ready")]);
    assert_eq!(figure(whole(&simulate(&text)), "nodes_ready_min"), 1.0);
}

const MIB: f64 = 1024.0 * 1024.0;

/// One node with room for three of something; so many of it at once, for ten seconds.
fn filled(node: &str, clients: &str, count: u32) -> String {
    format!(
        "duration = \"10s\"\n[cluster]\nnodes = 1\n[cluster.node]\nconcurrency = 9\n\
         memory = {{ limit = \"130MiB\", base = \"100MiB\", {node} = \"10MiB\" }}\n\
         [clients.web]\narrivals.initial = {count}\nlength = \"forever\"\nreconnect.fixed.delay = \"1h\"\n{clients}\n\
         [state.memory]"
    )
}

#[test]
fn the_fourth_is_one_too_many() {
    let table = [
        ("per_session", "think = \"1h\"\nservice = \"1s\""),
        ("per_connection", "protocol = \"stream\""),
        // Twenty seconds of work are in hand from the first instant on.
        ("per_request", "think = \"0s\"\nservice = \"20s\""),
    ];
    for (node, clients) in table {
        let text = filled(node, clients, 3);
        let run = simulate(&text);
        assert_eq!(figure(whole(&run), "node_oom_kills_total"), 0.0, "{node}");
        assert_eq!(figure(whole(&run), "node_memory_ratio_max"), 1.0, "{node}");
        assert!(ticks_of(&text, "n1").iter().all(|tick| tick.memory == Some(130.0 * MIB)), "{node}");

        let text = filled(node, clients, 4);
        let run = simulate(&text);
        assert_eq!(figure(whole(&run), "node_oom_kills_total"), 1.0, "{node}");
        assert_eq!(figure(whole(&run), "node_restarts_total"), 1.0, "{node}");
        assert_eq!(causes(&whole(&run).totals, Harm::Lost), [(Cause::OutOfMemory, 4)], "{node}");
        // They are gone, and the new process has nothing in it.
        assert!(ticks_of(&text, "n1").iter().all(|tick| tick.memory == Some(100.0 * MIB)), "{node}");
    }
}

#[test]
fn a_cluster_that_is_too_small_from_the_start_is_warned_of() {
    let warnings = |count: u32| {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let layer = sources.add("x.toml", filled("per_connection", "protocol = \"stream\"", count));
        let loaded = load_layer(layer, Path::new("x.toml"), &Overrides::default(), &mut sources, &mut problems);
        assert!(loaded.is_some());
        problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(warnings(3), [""; 0]);
    assert_eq!(warnings(4), ["those who are there at the start take 140 MiB of each node, whose limit is 130MiB"]);
}

#[test]
fn whoever_is_there_is_reset_and_told_why() {
    let run = simulate(&filled("per_connection", "protocol = \"stream\"", 4));
    assert_eq!(causes(&whole(&run).totals, Harm::Dropped), [(Cause::OutOfMemory, 4)]);
    let run = simulate(&filled("per_request", "think = \"0s\"\nservice = \"20s\"", 4));
    assert_eq!(causes(&whole(&run).totals, Harm::Failed), [(Cause::OutOfMemory, 4)]);
    assert_eq!(causes(&whole(&run).totals, Harm::Dropped), [(Cause::OutOfMemory, 4)]);
}

#[test]
fn what_a_request_takes_is_given_back_and_what_a_moment_takes_is_no_harm() {
    // Five ask at once; the line holds two, so the fourth and fifth are refused at once.
    let clients = "think = \"1h\"\nservice = \"20s\"";
    let text = filled("per_request", clients, 5).replace("concurrency = 9", "concurrency = 1\nqueue_max = 2");
    let run = simulate(&text.replace("think = \"1h\"", "think = \"0s\""));
    assert_eq!(causes(&whole(&run).totals, Harm::Failed), [(Cause::QueueFull, 2)]);
    assert_eq!(figure(whole(&run), "node_oom_kills_total"), 0.0);
    // One second of work each, one after the other: three in hand, then two, then one, then none.
    let text = text.replace("think = \"1h\"", "think = \"0s\"\nrequests = 1").replace("length = \"forever\"\n", "");
    let taken: Vec<f64> =
        ticks_of(&text.replace("20s", "1s"), "n1").iter().map(|tick| tick.memory.unwrap() / MIB).collect();
    assert_eq!(taken, [130.0, 120.0, 110.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0]);
}

/// Four streams of a node that has memory for three; all come back together.
fn too_many(restart: &str, delay: &str, duration: &str) -> Vec<u64> {
    let run = simulate(&format!(
        "duration = \"{duration}\"\n[cluster]\nnodes = 1\n[cluster.node]\nmemory = {{ limit = \"3MiB\", per_connection = \"1MiB\" }}\n\
         {restart}\n[clients.s]\narrivals.initial = 4\nlength = \"forever\"\nprotocol = \"stream\"\n\
         reconnect.fixed.delay = \"{delay}\"\n[balancer]\nretries = 0\nhealth.interval = \"1d\""
    ));
    let kills = |tick: &stickysim::observe::window::Window| tick.cluster.and_then(|cluster| cluster.oom_kills);
    let all = run.ticks.iter().filter(|tick| tick.cluster.is_some());
    (0..).zip(all).filter(|(_, tick)| kills(tick) == Some(1)).map(|(second, _)| second).collect()
}

#[test]
fn a_process_that_dies_again_and_again_waits_as_kubernetes_lets_it() {
    // The first restart is at once; then the waits are 10, 20, 40, 80, 160, 300, 300, 300 s.
    assert_eq!(too_many("", "1s", "20m"), [0, 1, 11, 31, 71, 151, 311, 611, 911]);
    let fixed = "restart = { first = \"5s\", base = \"5s\", cap = \"5s\" }";
    assert_eq!(too_many(fixed, "1s", "30s"), [0, 5, 10, 15, 20, 25]);
}

#[test]
fn a_process_that_has_run_long_enough_dies_for_the_first_time() {
    assert_eq!(too_many("restart.reset = \"6s\"", "6s", "30s"), [0, 6, 12, 18, 24]);
    assert_eq!(too_many("restart.reset = \"7s\"", "6s", "30s"), [0, 6, 18], "tried in vain at 12, and then in step");
}

#[test]
fn a_crash_loop_goes_on_until_it_is_mended_and_its_last_wait_is_over() {
    // Dies at 10, listens again at once; two seconds later again, back after 10, 20 and 40 s.
    let below = "[fault.bad]\nat = \"10s\"\ncrash_loop = { nodes = [\"n1\"], after = \"2s\", lasts = \"40s\" }";
    let text = quiet("", below).replace("duration = \"60s\"", "duration = \"2m\"");
    let expected =
        [(0, "ready"), (12, "down"), (22, "ready"), (24, "down"), (44, "ready"), (46, "down"), (86, "ready")];
    assert_eq!(states(&text, "n1"), expected);
    assert_eq!(figure(whole(&simulate(&text)), "node_restarts_total"), 4.0);
    // Once in a while is no loop: each death is the first.
    let text = text
        .replace("after = \"2s\"", "after = \"15s\"")
        .replace("[cluster.node]", "[cluster.node]\nrestart.reset = \"12s\"");
    assert_eq!(states(&text, "n1"), [(0, "ready")]);
    assert_eq!(figure(whole(&simulate(&text)), "node_restarts_total"), 3.0);
}

#[test]
fn a_crash_resets_whoever_is_there_each_time() {
    let run = simulate(
        "duration = \"30s\"\n[cluster]\nnodes = 1\n[clients.s]\narrivals.initial = 5\nlength = \"forever\"\n\
         protocol = \"stream\"\nreconnect_at_once = true\nreconnect.fixed.delay = \"1s\"\n[balancer]\nretries = 0\n\
         health.interval = \"1d\"\n[state.memory]\n[fault.bad]\nat = \"10s\"\ncrash_loop = { nodes = 1, after = \"4s\" }",
    );
    // At 10, at 14, and at 28: back at once, then ten seconds later.
    assert_eq!(causes(&whole(&run).totals, Harm::Dropped), [(Cause::Reset, 15)]);
    assert_eq!(causes(&whole(&run).totals, Harm::Lost), [(Cause::Crash, 15)]);
}

#[test]
fn an_operator_ends_the_back_off() {
    let text = "duration = \"60s\"\n[cluster]\nnodes = 1\n[cluster.node]\nmemory = { limit = \"3MiB\", per_connection = \"1MiB\" }\n\
                start = \"2s\"\nrestart.first = \"1h\"\nrestart.base = \"1h\"\nrestart.cap = \"1h\"\n\
                [clients.s]\narrivals.initial = 4\nlength = \"forever\"\nprotocol = \"stream\"\nreconnect.fixed.delay = \"1h\"\n\
                [change.c]\nat = \"10s\"\nrolling = { how = \"kill\" }";
    assert_eq!(states(text, "n1"), [(0, "down"), (10, "starting"), (12, "ready")]);
}

#[test]
fn each_measure_of_uneven_memory() {
    // Three streams on the first node, one on the second.
    let text = "duration = \"10s\"\n[cluster]\nnodes = 2\n[cluster.node]\nconnections_max = 3\nmemory = { per_connection = \"1MiB\" }\n\
                [clients.s]\narrivals.initial = 4\nlength = \"forever\"\nprotocol = \"stream\"\n\
                [balancer]\nbalance = \"first\"\nredispatch = true\n[fault.f]\nat = \"5s\"\nslow = { nodes = [\"n1\"], speed = \"50%\" }";
    let run = simulate(text);
    let table = [
        ("peak_to_mean", 1.5),
        ("peak_to_fair", 1.5),
        ("cv", 0.5),
        ("jain", 0.8),
        ("gini", 0.25),
        ("peak_to_fair_max", 1.5),
    ];
    for (measure, expected) in table {
        for load in ["memory", "connections", "sessions"] {
            for window in [whole(&run), incident(&run)] {
                let found = figure(window, &format!("{load}_{measure}"));
                assert!((found - expected).abs() < 1e-12, "{load}_{measure} is {found}, not {expected}");
            }
        }
    }
    let without = simulate(&text.replace("memory = { per_connection = \"1MiB\" }", ""));
    for column in columns::all().filter(|column| column.name.contains("memory") || column.name.contains("oom")) {
        assert_eq!((column.get)(whole(&without)), None, "{}", column.name);
    }
}

#[test]
fn the_first_fault_to_end_undoes_only_what_it_did() {
    let kill = |name: &str, at: u32, lasts: &str| {
        format!("[fault.{name}]\nat = \"{at}s\"\nkill = {{ nodes = [\"n1\"]{lasts} }}\n")
    };
    let lose = |name: &str, at: u32, lasts: &str| kill(name, at, lasts).replace("kill", "lose");
    let lasts = |seconds: u32| format!(", lasts = \"{seconds}s\"");
    let leave = "[change.c]\nat = \"15s\"\nscale_in = { nodes = [\"n1\"] }\n";
    let roll = "[change.c]\nat = \"15s\"\nrolling = { how = \"kill\", restart = \"20s\" }\n";
    let table: &[(String, &[(u64, &str)])] = &[
        (kill("a", 10, &lasts(20)) + &kill("b", 20, ""), &[(0, "ready"), (10, "down")]),
        (kill("a", 10, "") + &kill("b", 20, &lasts(10)), &[(0, "ready"), (10, "down")]),
        (kill("a", 10, &lasts(20)) + &kill("b", 20, &lasts(20)), &[(0, "ready"), (10, "down"), (40, "ready")]),
        (kill("a", 10, &lasts(30)) + &lose("b", 20, &lasts(10)), &[(0, "ready"), (10, "down"), (40, "ready")]),
        (lose("a", 10, &lasts(20)) + &lose("b", 20, &lasts(20)), &[(0, "ready"), (10, "down"), (40, "ready")]),
        // A node that was taken away does not come back with the end of a fault, and a fault within its turn in a
        // roll does not shorten its restart.
        (kill("a", 10, &lasts(20)) + leave, &[(0, "ready"), (10, "down")]),
        (roll.to_owned() + &kill("a", 20, &lasts(5)), &[(0, "ready"), (15, "down"), (35, "ready")]),
        (roll.to_owned() + &kill("a", 20, &lasts(30)), &[(0, "ready"), (15, "down"), (50, "ready")]),
    ];
    for (below, expected) in table {
        assert_eq!(states(&quiet("", below), "n1"), *expected, "{below}");
    }
}

#[test]
fn a_roll_passes_over_a_node_that_a_fault_keeps_down() {
    let below = "[fault.a]\nat = \"5s\"\nkill = { nodes = [\"n1\"] }\n\
                 [change.roll]\nat = \"10s\"\nrolling = { how = \"kill\", restart = \"5s\" }";
    assert_eq!(states(&quiet("", below), "n1"), [(0, "ready"), (5, "down")]);
    assert_eq!(states(&quiet("", below), "n2"), [(0, "ready"), (10, "down"), (15, "ready")]);
}

/// The longest response within each second; one client asks again and again, at once after a failure.
fn longest(below: &str) -> Vec<f64> {
    let run = simulate(&format!(
        "duration = \"60s\"\ncluster.nodes = 1\n[clients.web]\narrivals = {{ initial = 1 }}\nlength = \"forever\"\n\
         think = \"0s\"\nservice = \"100ms\"\nreconnect = {{ fixed = {{ delay = \"100ms\" }} }}\n\
         [balancer]\nretries = 0\nhealth.interval = \"1h\"\n{below}"
    ));
    let all = run.ticks.iter().filter(|tick| tick.cluster.is_some());
    all.map(|tick| tick.response.map_or(0.0, |response| response.max)).collect()
}

#[test]
fn what_is_wrong_with_a_host_outlives_its_processes_and_what_is_wrong_with_a_process_does_not() {
    const KILL: &str = "[fault.z]\nat = \"20s\"\nkill = { nodes = 1, lasts = \"5s\" }\n";
    let fault = |name: &str, at: u32, kind: &str, lasts: u32| {
        format!(
            "[fault.{name}]\nat = \"{at}s\"\n{kind} = {{ nodes = [\"n1\"], lasts = \"{lasts}s\"{} }}\n",
            match kind {
                "slow" => ", speed = \"50%\"",
                _ => "",
            }
        )
    };
    // (faults, second, longest response that ended within it)
    let slow = fault("a", 10, "slow", 40);
    let slower = slow.clone() + &fault("b", 20, "slow", 10);
    let frozen = fault("a", 10, "freeze", 40);
    let loops = fault("a", 10, "crash_loop", 40).replace("nodes", "after = \"0s\", nodes") + KILL;
    let twice = fault("a", 10, "freeze", 20) + &fault("b", 20, "freeze", 20);
    let table = [
        (slow.clone() + KILL, 15, 200.0),
        (slow.clone() + KILL, 40, 200.0),
        (slow + KILL, 55, 100.0),
        (slower.clone(), 15, 200.0),
        (slower.clone(), 25, 400.0),
        (slower.clone(), 35, 200.0),
        (slower, 55, 100.0),
        (frozen.clone() + KILL, 15, 0.0),
        (frozen + KILL, 30, 100.0),
        // Dead at 10, at 10 again, held from 20 to 25, dead again when it listens.
        (loops, 30, 0.0),
        (twice.clone(), 35, 0.0),
        (twice, 45, 100.0),
    ];
    for (below, second, expected) in table {
        assert_eq!(longest(&below)[second], expected, "in second {second} of\n{below}");
    }
}

#[test]
fn a_full_cluster_has_no_room_for_those_that_are_there_at_first() {
    let text = |give_up: &str| {
        format!(
            "duration = \"10s\"\n[cluster]\nnodes = 2\nnode.connections_max = 5\n[clients.s]\narrivals.initial = 12\n\
             length = \"forever\"\nprotocol = \"stream\"\nreconnect.fixed.delay = \"1h\"\n{give_up}\n\
             [balancer]\nbalance = \"roundrobin\"\nredispatch = true"
        )
    };
    let run = simulate(&text(""));
    assert_eq!(causes(&whole(&run).totals, Harm::Dropped), [(Cause::ConnectionLimit, 2)]);
    assert_eq!((whole(&run).live, whole(&run).disconnected), (12, 2));
    assert!(ticks_of(&text(""), "n1").iter().chain(&ticks_of(&text(""), "n2")).all(|tick| tick.connections == 5.0));
    let run = simulate(&text("give_up_after = 1"));
    assert_eq!((whole(&run).live, whole(&run).totals[Refused]), (10, 2));
}

#[test]
fn whoever_comes_while_a_lost_host_is_starting_is_reset_on_its_old_connection() {
    // A stream with a request every second; its host is away from 10 to 15 and starts until 25.
    let text = "duration = \"60s\"\n[cluster]\nnodes = 1\nnode.start = \"10s\"\n[clients.s]\narrivals.initial = 1\n\
                length = \"forever\"\nprotocol = \"stream\"\npace = \"1s\"\nservice = \"1ms\"\nreconnect.fixed.delay = \"1s\"\n\
                [balancer]\nretries = 0\nhealth.interval = \"1h\"\n[fault.f]\nat = \"10s\"\nlose = { nodes = 1, lasts = \"5s\" }";
    let run = simulate(text);
    assert_eq!(causes(&whole(&run).totals, Harm::Dropped), [(Cause::Reset, 1)]);
    assert_eq!(whole(&run).disconnected, 0);
    // From the reset within the first second after 15 to the first try after 25.
    let away = figure(whole(&run), "sessions_disconnected_s_total");
    assert!((8.0..=11.0).contains(&away), "{away}");
    assert!(whole(&run).totals[Attempts] > 0);
}

/// Scenes without state, in which a process takes nothing but what its connections and attempts take.
fn weighed(n: u64) -> String {
    let (protocol, node) = [
        ("protocol = \"stream\"\npace = \"300ms\"", "queue_max = 3"),
        ("protocol = \"keepalive\"\nthink = \"200ms\"", "handshake = \"20ms\""),
        ("think = \"100ms\"", "concurrency = 2\nstart = \"700ms\""),
    ][n as usize % 3];
    let layer = ["", "layer = \"l4\""][n as usize / 3 % 2];
    format!(
        "duration = \"20s\"\ntick = \"500ms\"\nrecovery_hold = \"1s\"\n[cluster]\nnodes = 3\n[cluster.node]\n{node}\n\
         memory = {{ limit = \"{}KiB\", base = \"100KiB\", per_connection = \"3KiB\", per_request = \"7KiB\" }}\n\
         [clients.web]\narrivals.open.rate = \"15/s\"\nlength.exponential.mean = \"4s\"\n\
         service.exponential.mean = \"60ms\"\nrequest_timeout = \"400ms\"\n{protocol}\n\
         [balancer]\n{layer}\nredispatch = true\nhealth.interval = \"300ms\"\n\
         [fault.f]\nat = \"5s\"\nkill = {{ nodes = 1, lasts = \"2s\" }}\n",
        180 + n % 7 * 20
    )
}

#[test]
fn the_memory_of_a_process_is_the_sum_of_its_parts_and_never_above_its_limit() {
    let (mut compared, mut kills) = (0, 0.0);
    for n in 0..if is_full() { 420 } else { 42 } {
        let (text, kib) = (weighed(n), 1024.0);
        let plan = plan(&text);
        let limit = plan.nodes[0].known().memory_max.unwrap() as f64;
        let recording = Sim::new(&plan, n, true).run(|| false).expect("nobody stops it").recording;
        kills += figure(whole(&recording), "node_oom_kills_total");
        let mut before = [State::Ready; 3];
        for (tick, window) in recording.nodes.chunks(3).zip(recording.ticks.chunks(2)) {
            let is_calm = window[1].cluster.unwrap().restarts == 0;
            for (node, before) in tick.iter().zip(&mut before) {
                let memory = node.memory.expect("memory is modelled");
                assert!(memory <= limit, "{memory} of {limit} in\n{text}");
                let expected = 100.0 * kib + 3.0 * kib * node.connections + 7.0 * kib * node.in_flight;
                if is_calm && node.state == State::Ready && *before == State::Ready {
                    assert!((memory / expected - 1.0).abs() < 1e-9, "{memory}, not {expected} in\n{text}");
                    compared += 1;
                }
                *before = node.state;
            }
        }
    }
    assert!(compared > 1_000 && kills > 10.0, "{compared} ticks and {kills} kills show nothing");
}
