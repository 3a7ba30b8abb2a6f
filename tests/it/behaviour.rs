//! The protocol as specification: each test is a small scene with constant times, one act and one claim,
//! and the expected number is mental arithmetic.
//!
//! Clients that are there from the start with think time zero all ask at t = 0. With a think time they ask
//! first after a random part of it; those scenes claim only what does not depend on the phase.

use super::lab::{causes, figure, incident, node_sessions, simulate, whole};
use stickysim::base::cause::{Cause, Harm};
use stickysim::observe::recorder::Recording;
use stickysim::observe::totals::Counter::{Attempts, Ended, GaveUp, Issued, Rebuilds, Started, Succeeded, Withdrawn};

/// `people` clients of one node with one slot, who ask at once.
fn one_slot(people: u32, seconds: u32, clients: &str, below: &str) -> Recording {
    simulate(&format!(
        "duration = \"{seconds}s\"\ncluster.nodes = 1\ncluster.node.concurrency = 1\n{below}\n\
         [clients.web]\narrivals = {{ initial = {people} }}\nthink = \"0s\"\n{clients}\n"
    ))
}

/// Twenty sticky clients of two nodes who ask every ten seconds; n1 is down from 30 s to 60 s, and the
/// balancer hears of it within 3 ms.
fn two_nodes(balancer: &str, below: &str) -> Recording {
    simulate(&two_nodes_text(balancer, below))
}

fn two_nodes_text(balancer: &str, below: &str) -> String {
    format!(
        "duration = \"100s\"\ncluster.nodes = 2\n\
         [clients.web]\narrivals = {{ initial = 20 }}\nlength = \"forever\"\nthink = \"10s\"\nservice = \"1ms\"\n\
         reconnect = {{ fixed = {{ delay = \"1s\" }} }}\n\
         [fault.crash]\nat = \"30s\"\nkill = {{ nodes = [\"n1\"], lasts = \"30s\" }}\n\
         [balancer]\nhealth = {{ interval = \"1ms\", fall = 3, rise = 3 }}\n{balancer}\n{below}"
    )
}

fn near(value: f64, expected: f64) {
    assert!((value - expected).abs() <= 0.01 * expected, "{value} is not {expected}");
}

/// A reply takes a second; the client leaves after half of one and comes back after a whole one.
const IMPATIENT: &str = "length = \"forever\"\nservice = \"1s\"\nrequest_timeout = \"500ms\"\n\
                         reconnect = { fixed = { delay = \"1s\" } }\n";

#[test]
fn abandoned_work_is_still_served() {
    let run = one_slot(1, 99, IMPATIENT, "");
    // Every 1.5 s one second of work.
    near(figure(whole(&run), "node_utilisation_ratio_mean"), 2.0 / 3.0);
    assert_eq!(whole(&run).totals[Succeeded], 0);
    assert_eq!(figure(whole(&run), "wasted_work_ratio"), 1.0);
}

#[test]
fn with_cancels_the_node_stops_when_the_client_leaves() {
    let run = one_slot(1, 99, &format!("{IMPATIENT}cancels = true"), "");
    // Every 1.5 s half a second of work.
    near(figure(whole(&run), "node_utilisation_ratio_mean"), 1.0 / 3.0);
    assert_eq!(figure(whole(&run), "service_time_s_total"), 0.0, "nothing is ever completed");
}

#[test]
fn with_cancels_a_client_that_left_the_line_is_never_served() {
    // The first holds the slot for a second; the other nine leave the line after half of one.
    let clients = "requests = 1\nservice = \"1s\"\nrequest_timeout = \"500ms\"\n";
    let served =
        |cancels: &str| figure(whole(&one_slot(10, 20, &format!("{clients}{cancels}"), "")), "service_time_s_total");
    assert_eq!(served("cancels = true"), 0.0);
    assert_eq!(served(""), 10.0);
}

#[test]
fn a_full_queue_answers_at_once() {
    // Five ask together: one is served, one waits, three are refused.
    let run = one_slot(5, 1, "requests = 1\nservice = \"100ms\"", "cluster.node.queue_max = 1");
    assert_eq!(causes(&whole(&run).totals, Harm::Failed), [(Cause::QueueFull, 3)]);
    assert_eq!(whole(&run).totals[Succeeded], 2);
}

#[test]
fn first_come_first_served_or_all_at_once() {
    let mean = |discipline: &str| {
        let node = format!("cluster.node.discipline = \"{discipline}\"");
        figure(whole(&one_slot(2, 1, "requests = 1\nservice = \"100ms\"", &node)), "response_time_ms_mean")
    };
    assert_eq!(mean("fifo"), 150.0); // 100 ms and 200 ms
    assert_eq!(mean("processor_sharing"), 200.0); // 200 ms both
}

#[test]
fn blocking_store_access_holds_the_slot() {
    let mean = |holds: bool| {
        let store = format!("[state.store]\nread = \"100ms\"\nwrite = \"100ms\"\nholds_slot = {holds}");
        figure(whole(&one_slot(2, 1, "requests = 1\nservice = \"100ms\"", &store)), "response_time_ms_mean")
    };
    assert_eq!(mean(true), 450.0); // 300 ms and 600 ms: one after the other
    assert_eq!(mean(false), 350.0); // 300 ms and 400 ms: only the work is one after the other
}

#[test]
fn a_full_store_fails_the_request_and_frees_the_slot() {
    // The store has no line, and is busy with the first from 0 s to 10 s.
    let store = "cluster.nodes = 2\n[cluster.node]\nconcurrency = 1\n\
                 [state.store]\nread = \"10s\"\nconcurrency = 1\nqueue_max = 0\nholds_slot = true\n\
                 [clients.web]\narrivals = { initial = 6 }\nthink = \"0s\"\nrequests = 1\nservice = \"1ms\"";
    let run = simulate(&format!("duration = \"40s\"\n{store}"));
    assert_eq!(causes(&whole(&run).totals, Harm::Failed), [(Cause::StoreFull, 3)]);
    assert_eq!(whole(&run).totals[Succeeded], 3, "one after the other, on the node of the first");
}

#[test]
fn a_session_that_ends_withdraws_its_request() {
    // What is left of a visit of one second is less than the two seconds of a reply.
    let run = one_slot(3, 10, "length = \"1s\"\nservice = \"2s\"", "");
    let totals = &whole(&run).totals;
    assert_eq!([totals[Withdrawn], totals[Ended], totals[Succeeded], whole(&run).live], [3, 3, 0, 0]);
    assert_eq!(figure(whole(&run), "service_time_s_total"), 6.0, "the work goes on");
}

#[test]
fn a_client_gives_up_after_so_many_failures_in_a_row() {
    let clients = "length = \"forever\"\nservice = \"400ms\"\ngive_up_after = 3\n\
                   reconnect = { fixed = { delay = \"1s\" } }";
    let crash = "[fault.crash]\nat = \"1s\"\nkill = { nodes = 1 }\n[balancer]\nretries = 0\nhealth.interval = \"1h\"";
    let run = one_slot(1, 9, clients, crash);
    // Replies at 0.4 and 0.8; the third request is reset at 1, those at 2 and 3 are refused.
    assert_eq!(causes(&whole(&run).totals, Harm::Failed), [(Cause::Refused, 2), (Cause::Reset, 1)]);
    assert_eq!([whole(&run).totals[GaveUp], whole(&run).live, whole(&run).disconnected], [1, 0, 0]);
    assert_eq!(run.ticks.iter().position(|tick| tick.totals[GaveUp] > 0), Some(3 * 2), "two rows per tick");
}

#[test]
fn retries_belong_to_one_request_that_counts_from_its_intended_arrival() {
    let clients = "length = \"forever\"\nservice = \"400ms\"\n\
                   retry = { attempts = 9, backoff = { fixed = { delay = \"1s\" } } }";
    let crash = "[fault.crash]\nat = \"1s\"\nkill = { nodes = 1, lasts = \"5s\" }\n\
                 [balancer]\nretries = 0\nhealth.interval = \"1h\"";
    let run = one_slot(1, 20, clients, crash);
    let totals = &whole(&run).totals;
    // Intended at 0.8, reset at 1, refused at 2, 3, 4 and 5, served from 6 to 6.4.
    near(figure(whole(&run), "response_time_ms_max"), 5600.0);
    assert_eq!(totals[Attempts] - totals[Issued], 5);
    assert_eq!([totals.total(Harm::Failed), totals.total(Harm::Dropped)], [0, 0]);
}

#[test]
fn letting_a_client_in_costs_its_first_request_only() {
    let text = "duration = \"100000s\"\ntick = \"100s\"\ncluster = { nodes = 1, node.handshake = \"50ms\" }\n\
                [clients.web]\narrivals = { open = { rate = \"0.01/s\" }, initial = 0 }\nrequests = 2\n\
                think = \"1s\"\nservice = \"100ms\"";
    let run = simulate(text);
    near(figure(whole(&run), "response_time_ms_mean"), 125.0); // 150 ms and 100 ms
    assert_eq!(whole(&run).totals[Ended], figure(whole(&run), "connects_total") as u64);
}

const STICKY: &str = "balance = \"roundrobin\"\naffinity = \"cookie\"";

#[test]
fn with_strict_affinity_a_session_waits_for_its_node() {
    let run = two_nodes(&format!("{STICKY}\nstrict = true"), "[state.memory]");
    let totals = &whole(&run).totals;
    assert_eq!(causes(totals, Harm::Dropped), [(Cause::NodeDown, 10)]);
    assert_eq!(causes(totals, Harm::Moved), []);
    assert_eq!(figure(whole(&run), "sessions_reconnected_total"), 10.0);
}

#[test]
fn otherwise_it_moves_at_its_next_request_and_nobody_is_cut_off() {
    for redispatch in ["false", "true", "\"last\""] {
        let run = two_nodes(&format!("{STICKY}\nredispatch = {redispatch}"), "[state.memory]");
        let totals = &whole(&run).totals;
        assert_eq!(causes(totals, Harm::Dropped), []);
        assert_eq!(causes(totals, Harm::Moved), [(Cause::Unavailable, 10)]);
        assert_eq!(totals[Rebuilds], 10);
    }
}

#[test]
fn a_cookie_that_is_kept_brings_the_session_home() {
    // Ten are served elsewhere and come back; they lose their state as n1 crashes, make it anew on n2, and again at home.
    let kept = STICKY.replace("\"cookie\"", "{ cookie = { rewrite = false } }");
    let run = two_nodes(&kept, "[state.memory]");
    assert_eq!(causes(&whole(&run).totals, Harm::Moved), [(Cause::Unavailable, 10), (Cause::Recalled, 10)]);
    assert_eq!(causes(&whole(&run).totals, Harm::Lost), [(Cause::Crash, 10), (Cause::ServedElsewhere, 10)]);
    assert_eq!(node_sessions(&two_nodes_text(&kept, ""), "n1", 99), 10.0);
}

#[test]
fn the_cookie_is_rewritten_so_the_session_does_not_come_back_but_a_hash_does() {
    let moved = |balancer: &str| figure(whole(&two_nodes(balancer, "")), "sessions_moved_total");
    assert_eq!(moved(&format!("{STICKY}\nredispatch = true")), 10.0);
    let hashed = "balance = \"ring\"\nredispatch = true";
    let on_n1 = node_sessions(&two_nodes_text(hashed, ""), "n1", 29);
    assert!(on_n1 > 0.0 && moved(hashed) == 2.0 * on_n1, "there and back");
}

#[test]
fn a_node_that_returns_is_empty_and_gets_new_sessions_only() {
    // Beside the twenty, one more comes every second on average, and stays.
    let later = "[clients.later]\narrivals = { open = { rate = \"1/s\" }, initial = 0 }\nlength = \"forever\"\n\
                 think = \"10s\"\nservice = \"1ms\"";
    let text = two_nodes_text(&format!("{STICKY}\nredispatch = true"), later);
    let run = simulate(&text);
    let all = run.ticks.iter().filter(|tick| tick.cluster.is_some());
    let new: u64 = all.skip(60).map(|tick| tick.totals[Started]).sum();
    assert!(node_sessions(&text, "n1", 60) < 2.0, "empty but for those that came within the second");
    // In turn, so half of them; which node the odd one went to is the rotation's business.
    let on_n1 = node_sessions(&text, "n1", 99);
    assert!((on_n1 - 0.5 * new as f64).abs() <= 1.0, "{on_n1} of {new}");
    let moved = |tick: usize| run.ticks[3 * tick + 2].totals.total(Harm::Moved);
    assert!((60..100).all(|tick| moved(tick) == 0));
}

/// Twenty clients of two nodes with requests of forty seconds in hand when n1 dies at 30 s.
fn caught_in_the_act(state: &str) -> Recording {
    simulate(&format!(
        "duration = \"31s\"\ncluster = {{ nodes = 2, node = {{ concurrency = 20 }} }}\n\
         [clients.web]\narrivals = {{ initial = 20 }}\nlength = \"forever\"\nthink = \"0s\"\nservice = \"40s\"\n\
         reconnect = {{ fixed = {{ delay = \"10s\" }} }}\n\
         [fault.crash]\nat = \"30s\"\nkill = {{ nodes = [\"n1\"] }}\n[balancer]\n{STICKY}\n{state}"
    ))
}

#[test]
fn a_crash_resets_what_is_in_hand_and_loses_exactly_the_memory_of_that_node() {
    let run = caught_in_the_act("[state.memory]");
    let totals = &incident(&run).totals;
    assert_eq!(causes(totals, Harm::Failed), [(Cause::Reset, 10)]);
    assert_eq!(causes(totals, Harm::Dropped), [(Cause::Reset, 10)]);
    assert_eq!(causes(totals, Harm::Lost), [(Cause::Crash, 10)]);
    assert_eq!(incident(&run).in_flight, 10, "the other node works on");
    assert_eq!(figure(incident(&run), "sessions_lost_ratio"), 0.5);
}

#[test]
fn state_in_the_store_survives_the_node() {
    let run = caught_in_the_act("[state.store]");
    assert_eq!(causes(&incident(&run).totals, Harm::Dropped), [(Cause::Reset, 10)]);
    assert_eq!(causes(&incident(&run).totals, Harm::Lost), []);
    let moved = two_nodes(&format!("{STICKY}\nredispatch = true"), "[state.store]");
    assert_eq!(figure(whole(&moved), "state_hit_ratio"), 1.0);
    assert_eq!(figure(whole(&moved), "sessions_moved_total"), 10.0);
}

#[test]
fn a_node_without_the_session_may_answer_with_an_error_once() {
    let run = two_nodes(&format!("{STICKY}\nredispatch = true"), "[state.memory]\non_missing = \"error\"");
    assert_eq!(causes(&whole(&run).totals, Harm::Failed), [(Cause::SessionUnknown, 10)]);
    assert_eq!(causes(&whole(&run).totals, Harm::Lost), [(Cause::Crash, 10)]);
}

#[test]
fn retries_end_even_when_every_node_is_dead_and_the_balancer_does_not_know() {
    let text = "duration = \"10s\"\ncluster.nodes = 2\n\
                [clients.web]\narrivals = { initial = 1 }\nlength = \"forever\"\nthink = \"1s\"\nservice = \"1ms\"\n\
                [fault.crash]\nat = \"5s\"\nkill = { nodes = 2 }\n\
                [balancer]\nredispatch = true\nretries = 100\nhealth.interval = \"1h\"";
    assert!(whole(&simulate(text)).totals.of(Harm::Failed, Cause::Refused) > 0);
}

#[test]
fn a_long_line_of_refusals_by_the_store_is_worked_off_without_a_deep_stack() {
    // One slot waits for the store, the other is held until 5 s; then a hundred thousand fail at one instant.
    let text = "duration = \"10s\"\ncluster = { nodes = 1, node = { concurrency = 2 } }\n\
                [clients.a]\narrivals = { initial = 1 }\nrequests = 1\nthink = \"0s\"\nservice = \"5s\"\n\
                state = \"none\"\n\
                [clients.b]\narrivals = { initial = 100001 }\nrequests = 1\nthink = \"0s\"\nservice = \"1s\"\n\
                [state.store]\nread = \"20s\"\nconcurrency = 1\nqueue_max = 0\nholds_slot = true";
    assert_eq!(whole(&simulate(text)).totals.of(Harm::Failed, Cause::StoreFull), 100_000);
}

#[test]
fn with_cancels_a_client_that_left_while_being_let_in_costs_no_service() {
    let text = "duration = \"10s\"\ncluster = { nodes = 1, node.handshake = \"2s\" }\n\
                [clients.web]\narrivals = { open = { rate = \"1/s\" }, initial = 0 }\nrequests = 1\nthink = \"0s\"\n\
                service = \"1s\"\nrequest_timeout = \"1s\"\ncancels = true";
    assert_eq!(figure(whole(&simulate(text)), "service_time_s_total"), 0.0);
}
