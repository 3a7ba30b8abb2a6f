//! What a balancer does with a request whose node does not take it: retries and their waits, sessions whose node is
//! down or drained, and lines for a place. By mental arithmetic; what was measured is held against in `reality.rs`.

use super::lab::{causes, figure, node_sessions, simulate, whole};
use stickysim::base::cause::{Cause, Harm};
use stickysim::observe::recorder::Recording;
use stickysim::observe::totals::Counter::Succeeded;

/// When a fault or change of these scenes comes [s]; ticks are a tenth of a second.
const AT: usize = 30;

/// A hundred sessions with a cookie on five nodes, twenty each, who ask every second.
fn cookies(seconds: usize, balancer: &str, below: &str) -> String {
    format!(
        "duration = \"{seconds}s\"\ntick = \"100ms\"\ncluster.nodes = 5\n[clients.pinned]\narrivals.initial = 100\n\
         length = \"forever\"\nthink = \"1s\"\nservice = \"1ms\"\nreconnect.fixed.delay = \"1s\"\n\
         [balancer]\nbalance = \"roundrobin\"\naffinity = \"cookie\"\nconnect_timeout = \"2s\"\n{balancer}\n{below}"
    )
}

#[test]
fn elsewhere_a_drained_server_keeps_nobody() {
    // Envoy (measured) and ALB: an endpoint that drains is not honoured any more.
    let change = format!("[change.told]\nat = \"{AT}s\"\ndrain = {{ nodes = [\"n2\"], lasts = \"5s\" }}\n");
    let text = cookies(AT + 10, "persist = []", &change);
    assert_eq!(causes(&whole(&simulate(&text)).totals, Harm::Moved), [(Cause::Unavailable, 20)]);
    assert_eq!(node_sessions(&text, "n2", (AT + 9) * 10), 0.0, "and gets nobody back");
    let strict = simulate(&cookies(AT + 10, "persist = []\nstrict = true", &change));
    assert_eq!(causes(&whole(&strict).totals, Harm::Moved), []);
    assert!(whole(&strict).totals.of(Harm::Failed, Cause::NodeDown) >= 80);
}

/// So many clients of four nodes who ask once, at the start; the nodes named are dead and nobody knows.
fn dead(nodes: &str, balancer: &str) -> Recording {
    simulate(&format!(
        "duration = \"20s\"\ncluster.nodes = 4\n[clients.c]\narrivals.initial = 8\nrequests = 1\nthink = \"0s\"\n\
         service = \"1s\"\n[balancer]\nhealth.interval = \"1h\"\n{balancer}\n[fault.f]\nat = \"0s\"\nkill.nodes = {nodes}\n"
    ))
}

const NGINX: &str = "balance = { roundrobin = { order = \"nginx\" } }\nredispatch = true\nretry_avoid = \"tried\"\n\
                     retries = 100\nretry_pause = \"0s\"\nretry_on = [\"connect\", \"reset\", \"timeout\"]";

#[test]
fn nginx_tries_every_other_server_once_and_at_once() {
    let run = dead("[\"n1\", \"n2\", \"n3\"]", NGINX);
    assert_eq!(causes(&whole(&run).totals, Harm::Failed), []);
    assert_eq!(figure(whole(&run), "response_time_ms_max"), 1_000.0);
    let all = dead("[\"n1\", \"n2\", \"n3\", \"n4\"]", NGINX);
    assert_eq!(causes(&whole(&all).totals, Harm::Failed), [(Cause::Refused, 8)]);
    assert_eq!(all.ticks[1].totals.total(Harm::Failed), 8, "in the first second");
}

#[test]
fn envoy_tries_once_more_after_a_short_wait() {
    let envoy = "redispatch = true\nretries = 1\nretry_backoff = { fixed = { delay = \"25ms\" } }";
    let run = dead("[\"n1\"]", envoy);
    assert_eq!(causes(&whole(&run).totals, Harm::Failed), []);
    assert_eq!(figure(whole(&run), "response_time_ms_max"), 1_025.0);
    let none = dead("[\"n1\"]", "retries = 0");
    assert_eq!(causes(&whole(&none).totals, Harm::Failed), [(Cause::Refused, 2)], "ALB answers 502");
}

/// Eight requests of three seconds on four nodes, two of them in the hand of n1 when it crashes at 1 s.
fn crash_in_hand(writes: &str, balancer: &str) -> Recording {
    simulate(&format!(
        "duration = \"20s\"\ncluster.nodes = 4\n[clients.c]\narrivals.initial = 8\nrequests = 1\nthink = \"0s\"\n\
         service = \"3s\"\n{writes}\n[balancer]\n{balancer}\n[fault.f]\nat = \"1s\"\nkill.nodes = [\"n1\"]\n"
    ))
}

#[test]
fn a_request_in_hand_is_sent_again_only_if_told_and_if_it_writes_nothing() {
    let reads = "write_ratio = \"0%\"";
    let again = crash_in_hand(reads, NGINX);
    assert_eq!(causes(&whole(&again).totals, Harm::Failed), []);
    assert_eq!(figure(whole(&again), "response_time_ms_max"), 4_000.0, "a second, and three once more");
    for (writes, balancer) in [("", NGINX), (reads, "redispatch = true")] {
        let run = crash_in_hand(writes, balancer);
        assert_eq!(causes(&whole(&run).totals, Harm::Failed), [(Cause::Reset, 2)]);
    }
    let regardless = crash_in_hand("", &format!("{NGINX}\nretry_writes = true"));
    assert_eq!(causes(&whole(&regardless).totals, Harm::Failed), []);
}

#[test]
fn a_request_that_is_sent_again_out_of_the_stores_hands_still_times_out() {
    // The store has the two requests of n1 in hand when it crashes; they begin anew, and their clients leave at 5 s.
    let text = "duration = \"20s\"\ncluster.nodes = 4\n[clients.c]\narrivals.initial = 8\nrequests = 1\nthink = \"0s\"\n\
                service = \"1s\"\nwrite_ratio = \"0%\"\nrequest_timeout = \"5s\"\n[state.store]\nread = \"4s\"\n[balancer]\n\
                redispatch = true\nretry_on = [\"reset\"]\n[fault.f]\nat = \"2s\"\nkill.nodes = [\"n1\"]\n";
    assert_eq!(causes(&whole(&simulate(text)).totals, Harm::Failed), [(Cause::Timeout, 2)]);
}

#[test]
fn a_host_that_is_silent_costs_a_connect_timeout_per_try_and_no_pause() {
    let text = |affinity: &str, redispatch: &str| {
        format!(
            "duration = \"60s\"\ncluster.nodes = 2\n[clients.c]\narrivals.initial = 2\nrequests = 1\nthink = \"0s\"\n\
             service = \"1s\"\n[balancer]\naffinity = \"{affinity}\"\nhealth.interval = \"1h\"\n\
             connect_timeout = \"3s\"\nredispatch = {redispatch}\n[fault.f]\nat = \"0s\"\nlose.nodes = [\"n1\"]\n"
        )
    };
    let stays = simulate(&text("cookie", "false"));
    assert_eq!(causes(&whole(&stays).totals, Harm::Failed), [(Cause::ConnectTimeout, 1)]);
    assert_eq!(stays.ticks.iter().position(|tick| tick.totals.total(Harm::Failed) > 0), Some(2 * 12), "4 × 3 s");
    let slowest = |affinity| figure(whole(&simulate(&text(affinity, "\"last\""))), "response_time_ms_max");
    assert_eq!(slowest("cookie"), 10_000.0, "the third failure is that of the last retry but one");
    assert_eq!(slowest("none"), 4_000.0, "where nothing binds, any other will do after the first");
}

/// So many clients who ask once, together, of nodes with plenty of slots.
fn together(clients: u32, nodes: u32, balancer: &str, more: &str) -> Recording {
    simulate(&format!(
        "duration = \"20s\"\n[cluster]\nnodes = {nodes}\nnode.concurrency = 100\n[clients.c]\n\
         arrivals.initial = {clients}\nrequests = 1\nthink = \"0s\"\nservice = \"2s\"\n{more}\n[balancer]\n{balancer}\n"
    ))
}

#[test]
fn those_beyond_the_limit_wait_in_line_and_count_as_in_flight() {
    // Two places, five clients: two are served by 2 s, two by 4 s, one by 6 s.
    let run = together(5, 1, "in_flight_max = 2\nqueue = { wait = { timeout = \"1m\" } }", "");
    assert_eq!(figure(whole(&run), "response_time_ms_mean"), 3_600.0);
    assert_eq!(figure(whole(&run), "response_time_ms_max"), 6_000.0);
    assert_eq!(run.ticks[1].in_flight, 5);
    // Three wait for two seconds, one for two more.
    assert_eq!(figure(whole(&run), "balancer_queue_mean"), 8.0 / 20.0);
    assert_eq!(figure(whole(&run), "balancer_queue_max"), 3.0);
    let no_lines = together(5, 1, "", "");
    let column = stickysim::observe::columns::named("balancer_queue_mean").unwrap();
    assert_eq!((column.get)(whole(&no_lines)), None);
}

#[test]
fn whoever_waits_too_long_fails_by_the_balancers_clock_or_leaves_by_its_own() {
    let run = together(3, 1, "in_flight_max = 1\nqueue = { wait = { timeout = \"3s\" } }", "");
    assert_eq!(causes(&whole(&run).totals, Harm::Failed), [(Cause::QueueTimeout, 1)]);
    // HAProxy: `timeout queue` is `timeout connect` unless given.
    let by_default = together(3, 1, "in_flight_max = 1\nconnect_timeout = \"1s\"", "");
    assert_eq!(causes(&whole(&by_default).totals, Harm::Failed), [(Cause::QueueTimeout, 2)]);
    let own = together(3, 1, "in_flight_max = 1", "request_timeout = \"3s\"");
    assert_eq!(causes(&whole(&own).totals, Harm::Failed), [(Cause::Timeout, 2)]);
    assert_eq!(figure(whole(&own), "service_time_s_total"), 4.0, "the last has left the line, the second the node");
}

#[test]
fn without_a_line_the_rest_fails_at_once() {
    let run = together(5, 2, "in_flight_max = 2\nqueue = \"none\"", "");
    assert_eq!(causes(&whole(&run).totals, Harm::Failed), [(Cause::NoRoom, 1)]);
    assert_eq!(figure(whole(&run), "response_time_ms_max"), 2_000.0);
}

#[test]
fn two_balancers_have_their_places_each() {
    let run = together(40, 1, "in_flight_max = 10\ninstances = 2\nqueue = { wait = { timeout = \"1m\" } }", "");
    assert_eq!(whole(&run).totals[Succeeded], 40);
    assert!((4_000.0..8_000.0).contains(&figure(whole(&run), "response_time_ms_max")), "twenty places, unevenly met");
}

#[test]
fn streams_keep_their_place_until_they_are_cut() {
    // Six streams, two nodes of two places: two wait, until n1 is put into maintenance and loses its own.
    let text = "duration = \"20s\"\ncluster.nodes = 2\n[clients.s]\narrivals.initial = 6\nlength = \"forever\"\n\
                protocol = \"stream\"\nreconnect.fixed.delay = \"1s\"\n[balancer]\nbalance = \"leastconn\"\n\
                in_flight_max = 2\nqueue = { wait = { timeout = \"1m\" } }\n\
                [change.m]\nat = \"5s\"\nmaint = { nodes = [\"n1\"], shutdown_sessions = true, lasts = \"5s\" }\n";
    let run = simulate(text);
    let waiting = |tick: usize| run.ticks[2 * tick + 1].cluster.and_then(|all| all.lines).map(|lines| lines.mean);
    assert_eq!(waiting(2), Some(2.0));
    assert_eq!(waiting(7), Some(4.0), "and those that were cut stand behind them");
    assert_eq!(waiting(12), Some(2.0));
    assert_eq!(figure(whole(&run), "sessions_dropped_total"), 2.0);
}

#[test]
fn a_long_line_behind_a_node_that_dies_is_worked_off_without_a_deep_stack() {
    let run = simulate(
        "duration = \"10s\"\ncluster.nodes = 1\n[clients.c]\narrivals.initial = 100000\nrequests = 1\nthink = \"0s\"\n\
         service = \"1m\"\n[balancer]\nin_flight_max = 1\nretries = 0\nhealth.interval = \"1h\"\n\
         queue = { wait = { timeout = \"1m\" } }\n[fault.f]\nat = \"5s\"\nkill.nodes = 1\n",
    );
    assert_eq!(causes(&whole(&run).totals, Harm::Failed), [(Cause::Refused, 99_999), (Cause::Reset, 1)]);
}

#[test]
fn when_nobody_is_eligible_any_more_the_common_line_fails_and_a_bound_one_waits() {
    let text = |affinity: &str| {
        format!(
            "duration = \"20s\"\ncluster.nodes = 1\n[clients.c]\narrivals.initial = 8\nrequests = 1\nthink = \"0s\"\n\
             service = \"2s\"\n[balancer]\nin_flight_max = 1\naffinity = \"{affinity}\"\n\
             queue = {{ wait = {{ timeout = \"30s\" }} }}\n[change.d]\nat = \"9s\"\ndrain.nodes = 1\n"
        )
    };
    // Eight requests, one after the other; at nine seconds the fifth is being worked on.
    let none = simulate(&text("none"));
    assert_eq!(causes(&whole(&none).totals, Harm::Failed), [(Cause::NoNode, 3)]);
    let bound = simulate(&text("cookie"));
    assert_eq!(causes(&whole(&bound).totals, Harm::Failed), []);
    assert_eq!(whole(&bound).totals[Succeeded], 8);
}

#[test]
fn requests_in_hand_are_cut_with_the_sessions_of_a_node_that_is_marked_down() {
    let text = "duration = \"30s\"\ncluster.nodes = 2\n[clients.c]\narrivals.initial = 8\nrequests = 1\nthink = \"0s\"\n\
                service = \"20s\"\n[balancer]\non_marked_down = \"shutdown_sessions\"\n\
                health = { interval = \"1s\", check = \"http\" }\n[fault.f]\nat = \"2s\"\nfreeze.nodes = [\"n1\"]\n";
    assert_eq!(causes(&whole(&simulate(text)).totals, Harm::Failed), [(Cause::MarkedDown, 4)]);
}
