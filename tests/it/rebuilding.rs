//! Loss is not the end of it: what is lost must be made anew, and the service that does it has a capacity.
//!
//! Each test is a scene with constant times and one claim; the laws and `oracles.toml` hold the rest.

use super::lab::{causes, figure, incident, simulate, whole};
use stickysim::base::cause::{Cause, Harm};
use stickysim::observe::recorder::Recording;
use stickysim::observe::totals::Counter::*;

/// 1,800 people on two nodes; half of them lose their state at 20.5 s and log in again, ninety a second.
fn half_of_them(clients: &str, login: &str) -> Recording {
    simulate(&format!(
        "duration = \"60s\"\n[cluster]\nnodes = 2\nnode = {{ concurrency = 2000 }}\n{clients}\n\
         [balancer]\nredispatch = true\naffinity = \"cookie\"\n[state.memory]\nrebuild = {{ at = \"login\" }}\n\
         [rebuild.login]\nconcurrency = 9\nservice = \"100ms\"\n{login}\n\
         [fault.crash]\nat = \"20500ms\"\nkill = {{ nodes = [\"n1\"] }}\n"
    ))
}

/// As many streams, which are cut and come back at once; two populations share the service.
const STREAMS: &str = "[clients.a]\narrivals.initial = 900\nprotocol = \"stream\"\nlength = \"forever\"\n\
                       reconnect_at_once = true\n\
                       [clients.b]\narrivals.initial = 900\nprotocol = \"stream\"\nlength = \"forever\"\n\
                       reconnect_at_once = true\n";

/// Everybody always has a request of one second in hand; whoever is reset repeats it at once.
const REQUESTS: &str = "[clients.web]\narrivals.initial = 1800\nlength = \"forever\"\nthink = \"0s\"\n\
                        service = \"1s\"\nreconnect = { fixed = { delay = \"1s\" } }\n\
                        retry = { attempts = 1, backoff = { fixed = { delay = \"0s\" } } }\n";

/// What became of everybody in each second after the crash.
fn per_second(run: &Recording, counter: stickysim::observe::totals::Counter) -> Vec<u64> {
    let all = run.ticks.iter().filter(|tick| tick.cluster.is_some());
    all.skip(20).map(|tick| tick.totals[counter]).collect()
}

#[test]
fn nine_hundred_lost_at_ninety_a_second_are_back_after_ten_seconds() {
    let run = half_of_them(STREAMS, "");
    let window = incident(&run);
    assert_eq!(causes(&window.totals, Harm::Lost), [(Cause::Crash, 900)]);
    assert_eq!(figure(window, "rebuild_visits_total"), 900.0);
    assert_eq!(figure(window, "rebuild_time_ms_max"), 10_000.0);
    assert_eq!(figure(window, "rebuild_time_ms_mean"), 5_050.0);
    assert_eq!(figure(window, "rebuild_waiting_max"), 891.0, "nine are being served");
    // From 20.5 s on, in the ticks from 20 s on.
    assert_eq!(per_second(&run, Rebuilds)[..12], [36, 90, 90, 90, 90, 90, 90, 90, 90, 90, 54, 0]);
    let busy: f64 = run.ticks.iter().filter_map(|tick| tick.cluster?.rebuilders).map(|r| r.utilisation).sum();
    assert!((busy - 10.0).abs() < 1e-9, "ten seconds of work for all slots, not {busy}");
}

#[test]
fn a_request_that_misses_its_state_waits_for_the_service() {
    let run = half_of_them(REQUESTS, "");
    // Intended at 20 s, reset at 20.5 s, logged in after ten seconds at most, then a second of work.
    assert_eq!(figure(incident(&run), "response_time_ms_max"), 11_500.0);
    assert_eq!(figure(incident(&run), "rebuilds_total"), 900.0);
    assert_eq!(causes(&whole(&run).totals, Harm::Failed), []);
}

#[test]
fn people_who_leave_a_long_line_keep_it_long_and_a_bounded_line_lets_them_in() {
    let impatient = format!("{}request_timeout = \"2900ms\"\n", REQUESTS.replace("attempts = 1", "attempts = 2"));
    // The line is served in turn: after two seconds, all who come to the desk have left, and come again.
    let endless = half_of_them(&impatient, "");
    let rebuilt = per_second(&endless, Rebuilds);
    assert!(rebuilt[30..38].iter().all(|&done| done == 90), "{rebuilt:?}");
    let cut_off = endless.ticks.last().unwrap().disconnected;
    assert!(cut_off > 600, "half a minute later {cut_off} are still out");
    // No one waits for more than 169 ÷ 90 seconds, and a second of work is left.
    let bounded = half_of_them(&impatient, "queue_max = 160");
    assert!(whole(&bounded).totals.of(Harm::Failed, Cause::RebuildFull) > 1_000);
    assert_eq!(bounded.ticks.last().unwrap().disconnected, 0);
    assert_eq!(figure(incident(&bounded), "rebuild_visits_total"), 900.0, "each is let in once");
}

/// Two clients of one slot, reset at 1 s with a request in hand and in line; the node is back at 2 s, empty.
fn two_at_one_slot(login: &str) -> Recording {
    simulate(&format!(
        "duration = \"9s\"\n[cluster]\nnodes = 1\nnode.concurrency = 1\n[balancer.health]\ninterval = \"1h\"\n\
         [state.memory]\nrebuild = {{ at = \"login\", service = \"50ms\" }}\n\
         [rebuild.login]\nservice = \"1s\"\n{login}\n\
         [clients.web]\narrivals.initial = 2\nthink = \"0s\"\nlength = \"forever\"\nservice = \"150ms\"\n\
         retry = {{ attempts = 1, backoff = {{ fixed = {{ delay = \"1s\" }} }} }}\n\
         reconnect = {{ fixed = {{ delay = \"30s\" }} }}\n\
         [fault.crash]\nat = \"1s\"\nkill = {{ nodes = 1, lasts = \"1s\" }}\n"
    ))
}

#[test]
fn a_blocking_visit_holds_the_slot_and_the_node_has_its_own_work_after_it() {
    let longest = |login: &str| figure(whole(&two_at_one_slot(login)), "response_time_ms_max");
    // Intended at 750 and 900 ms. Both at the service from 2 s to 3 s, then 50 + 150 ms each on the node.
    assert_eq!(longest("concurrency = 2"), 2_500.0);
    assert_eq!(longest("concurrency = 2\nholds_slot = true"), 3_500.0, "from 3.2 s to 4.2 s for the second");
    // One after the other beside the node, where the second comes at 4 s and waits until 4.1 s for the first.
    assert_eq!(longest("concurrency = 1"), 3_400.0);
}

#[test]
fn a_full_line_fails_a_request_at_once() {
    let run = two_at_one_slot("concurrency = 1\nqueue_max = 0");
    assert_eq!(causes(&whole(&run).totals, Harm::Failed), [(Cause::RebuildFull, 1)]);
    assert_eq!(causes(&whole(&run).totals, Harm::Dropped), [(Cause::RebuildFull, 1)]);
    assert_eq!(whole(&run).totals[Rebuilds], 1);
    assert_eq!(whole(&run).totals[Misses], 2);
}

/// Twenty streams on two nodes; those of n1 come back a second after it died, and every second.
fn ten_streams(login: &str, more: &str) -> Recording {
    simulate(&format!(
        "duration = \"60s\"\ntick = \"500ms\"\ncluster.nodes = 2\n[balancer]\nredispatch = true\n\
         [clients.s]\narrivals.initial = 20\nprotocol = \"stream\"\nlength = \"forever\"\n\
         reconnect = {{ fixed = {{ delay = \"1s\" }} }}\n\
         [state.memory]\nrebuild.at = \"login\"\n[rebuild.login]\nconcurrency = 1\nservice = \"1s\"\n{login}\n\
         [fault.crash]\nat = \"10s\"\nkill = {{ nodes = [\"n1\"] }}\n{more}"
    ))
}

#[test]
fn a_stream_whose_state_cannot_be_made_anew_is_not_open() {
    let run = ten_streams("queue_max = 2", "");
    // Three get in at 11 s, then one every second as the line moves on: the tenth at 18 s.
    assert_eq!(figure(incident(&run), "reconnect_time_s"), 8.0);
    assert_eq!(incident(&run).totals[Rebuilds], 10);
    assert_eq!(incident(&run).totals[Misses], 10 + 7 + 6 + 5 + 4 + 3 + 2 + 1);
    assert_eq!(incident(&run).totals.total(Harm::Lost), 10, "once each");
    let patient = ten_streams("", "");
    assert_eq!(figure(incident(&patient), "reconnect_time_s"), 1.0);
    assert_eq!(figure(incident(&patient), "rebuild_time_ms_max"), 10_000.0);
}

#[test]
fn a_service_finishes_what_it_was_asked_also_for_a_node_that_has_died_since() {
    // At 15.5 s four of the ten are logged in, and n2 dies with the other six in line.
    let run = ten_streams("", "[fault.again]\nat = \"15500ms\"\nkill = { nodes = [\"n2\"], lasts = \"100ms\" }\n");
    let all: Vec<_> = run.ticks.iter().filter(|tick| tick.cluster.is_some()).collect();
    let sum = |counter, from: usize, to: usize| all[from..to].iter().map(|tick| tick.totals[counter]).sum::<u64>();
    // Half-second ticks. They all come back at 16.5 s, to a line that is busy until 21 s.
    assert_eq!([sum(Rebuilds, 0, 31), sum(RebuildVisits, 0, 31)], [4, 4]);
    assert_eq!([sum(Rebuilds, 31, 42), sum(RebuildVisits, 31, 42)], [0, 5], "for nobody");
    assert_eq!([sum(Rebuilds, 42, 120), sum(RebuildVisits, 42, 120)], [20, 21]);
}
