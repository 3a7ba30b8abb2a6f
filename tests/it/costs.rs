//! What stores do, and what a run costs: every figure against arithmetic that can be done in the head.

use crate::lab::{figure, plan, run, simulate, whole};
use stickysim::base::cause::{Cause, Harm};
use stickysim::observe::columns;
use stickysim::observe::recorder::Recording;

/// Two hundred people on four nodes ask once a second for 180 s; every request reads and writes 1 KiB.
fn shared(store: &str, more: &str) -> Recording {
    simulate(&format!(
        "duration = \"180s\"\ncluster.nodes = 4\nrecovery_hold = \"1s\"\n\
         [clients.web]\narrivals = {{ initial = 200 }}\nlength = \"forever\"\npace = \"1s\"\nservice = \"1ms\"\n\
         reconnect = {{ fixed = {{ delay = \"1s\" }} }}\n\
         [state]\nstore = {{ at = \"sessions\" }}\n[store.sessions]\n{store}\n{more}\n"
    ))
}

fn of(recording: &Recording, name: &str) -> f64 {
    figure(whole(recording), name)
}

fn is_empty(recording: &Recording, name: &str) -> bool {
    let column = columns::named(name).unwrap_or_else(|| panic!("there is no column {name}"));
    (column.get)(whole(recording)).is_none()
}

#[track_caller]
fn near(found: f64, exact: f64, tolerance: f64) {
    assert!((found - exact).abs() <= tolerance * exact.abs(), "{found}, not {exact}");
}

#[test]
fn a_store_is_as_busy_as_its_operations_take() {
    // 200 a second, of 0.5 ms + 1.5 ms each: 0.4 busy slots.
    let times = "read = \"0.5ms\"\nwrite = \"1.5ms\"\n";
    for slots in [1, 2, 8] {
        let recording = shared(&format!("{times}concurrency = {slots}"), "");
        near(of(&recording, "store_utilisation_ratio"), 0.4 / f64::from(slots), 1e-3);
        assert!(of(&recording, "store_waiting_mean") <= of(&recording, "store_waiting_max"));
    }
    let unlimited = shared(times, "");
    assert!(is_empty(&unlimited, "store_utilisation_ratio") && is_empty(&unlimited, "store_waiting_max"));
    near(of(&unlimited, "store_time_ms_p99"), 1.5, 0.004);
    // Of two stores one is unlimited: the figure is of the other.
    let both = "[store.other]\nread = \"9ms\"\n[clients.too]\narrivals = { initial = 10 }\nlength = \"forever\"\n\
                pace = \"1s\"\nservice = \"1ms\"\nstate = { store = { at = \"other\" } }\n";
    near(of(&shared(&format!("{times}concurrency = 2"), both), "store_utilisation_ratio"), 0.2, 1e-3);
}

#[test]
fn the_99th_percentile_of_store_times_is_that_of_their_law() {
    let law = "{ lognormal = { median = \"0.4ms\", sigma = 0.5 } }";
    let recording = shared(&format!("read = {law}\nwrite = {law}"), "");
    // The standard normal quantile of 0.99 is 2.326.
    near(of(&recording, "store_time_ms_p99"), 0.4 * libm::exp(0.5 * 2.326), 0.03);
}

#[test]
fn waiting_is_part_of_a_store_time() {
    // One slot, constant times: Pollaczek and Khinchine for M/D/1, ρ/(2(1 − ρ)) of a service time in line.
    let text = "duration = \"400s\"\ncluster.nodes = 4\n[clients.web]\n\
                arrivals = { open = { rate = \"500/s\" }, initial = 0 }\nrequests = 1\nthink = \"1s\"\nservice = \"0s\"\n\
                write_ratio = \"0%\"\n[state.store]\nread = \"1ms\"\nconcurrency = 1\n";
    let recording = simulate(text);
    near(of(&recording, "store_utilisation_ratio"), 0.5, 0.02);
    near(of(&recording, "store_time_ms_mean"), 1.5, 0.03);
    // Little's law: those in line are the rate times the wait.
    near(of(&recording, "store_waiting_mean"), 500.0 * 0.5e-3, 0.06);
}

#[test]
fn every_operation_that_a_store_fails_is_an_error_of_its() {
    let outage = "replicas = 1\ndetection = \"5s\"\npromotion = \"1s\"";
    let kill = "[fault.f]\nat = \"60s\"\nstore_kill = { store = \"sessions\" }";
    // Six seconds: fail-closed ends with the read, fail-open fails to write, too.
    let closed = shared(outage, kill);
    assert_eq!(of(&closed, "store_errors_total"), 1_200.0);
    let open = shared(outage, &format!("{kill}\n[clients.web.state.store]\nat = \"sessions\"\non_failure = \"serve\""));
    assert_eq!(of(&open, "store_errors_total"), 2_400.0);
    let full = shared("read = \"20ms\"\nconcurrency = 1\nqueue_max = 0", "");
    let failed = whole(&full).totals.of(Harm::Failed, Cause::StoreFull) as f64;
    assert!(failed > 1_000.0 && of(&full, "store_errors_total") == failed, "{failed}");
    assert_eq!(of(&shared("", ""), "store_errors_total"), 0.0);
    let without = simulate(
        "duration = \"10s\"\ncluster.nodes = 1\n[clients.c]\narrivals.initial = 1\nlength = \"forever\"\n\
         pace = \"1s\"\nservice = \"1ms\"\n",
    );
    assert!(is_empty(&without, "store_errors_total") && is_empty(&without, "store_hours_total"));
}

#[test]
fn a_bill_is_prices_times_what_was_used() {
    let prices = "[store.idle]\nreplicas = 9\n[cost]\nnode_hour = 0.10\nstore_hour = 0.25\ngib_moved = 0.01\n\
                  store_gib_hour = 3\nrebuild_service_hour = 8\n";
    let recording = shared("replicas = 2", prices);
    let hours = 180.0 / 3_600.0;
    assert_eq!(of(&recording, "node_hours_total"), 4.0 * hours);
    // A primary and two replicas; nobody uses the other store.
    near(of(&recording, "store_hours_total"), 3.0 * hours, 1e-12);
    let moved = of(&recording, "store_operations_total") / f64::from(1 << 20);
    let held = 200.0 * 3.0 * hours / f64::from(1 << 20);
    let total = 0.1 * 4.0 * hours + 0.25 * 3.0 * hours + 0.01 * moved + 3.0 * held;
    near(of(&recording, "cost_total"), total, 1e-12);
    let millions = of(&recording, "requests_succeeded_total") / 1e6;
    near(of(&recording, "cost_per_million_requests"), total / millions, 1e-12);
    assert!(millions > 0.0359, "200 people for 180 s");
    let free = shared("replicas = 2", "");
    assert!(is_empty(&free, "cost_total") && is_empty(&free, "cost_per_million_requests"));
    assert_eq!(of(&free, "node_hours_total"), 4.0 * hours);
    assert_eq!(of(&shared("", "[cost]"), "cost_total"), 0.0, "what has no price costs nothing");
}

#[test]
fn a_lost_session_and_a_rebuild_service_have_their_price() {
    let recording = simulate(
        "duration = \"100s\"\nwarmup = \"10s\"\ncluster.nodes = 2\n\
         [clients.web]\narrivals = { initial = 20 }\nlength = \"forever\"\npace = \"10s\"\nservice = \"1ms\"\n\
         [balancer]\naffinity = \"cookie\"\nredispatch = true\n[state.memory]\nrebuild = { at = \"login\" }\n\
         [rebuild.login]\nconcurrency = 1\nservice = \"1ms\"\n[rebuild.idle]\nconcurrency = 1\nservice = \"1ms\"\n\
         [fault.f]\nat = \"30s\"\nkill = { nodes = 1, lasts = \"20s\" }\n\
         [cost]\nsession_lost = 0.5\nrebuild_service_hour = 40\n",
    );
    near(of(&recording, "cost_total"), 10.0 * 0.5 + 90.0 / 3_600.0 * 40.0, 1e-12);
    // A node that is down belongs to the cluster, and is paid for.
    near(of(&recording, "node_hours_total"), 2.0 * 90.0 / 3_600.0, 1e-12);
}

/// Seconds of nodes that are paid for in five minutes, beyond those that there are at first.
fn extra(change: &str) -> f64 {
    let recording = run(
        &plan(&format!(
            "duration = \"300s\"\n[cluster]\nnodes = 2\nnode = {{ start = \"10s\" }}\n\
             [clients.web]\narrivals = {{ initial = 20 }}\nlength = \"forever\"\npace = \"1s\"\nservice = \"1ms\"\n\
             [balancer]\naffinity = \"cookie\"\nredispatch = true\n[change.c]\nat = \"60s\"\n{change}\n"
        )),
        1,
    );
    of(&recording, "node_hours_total") * 3_600.0 - 2.0 * 300.0
}

#[test]
fn nodes_are_paid_for_from_their_order_until_they_stop_for_good() {
    near(extra("scale_out = { nodes = 3, start = \"20s\" }"), 3.0 * 240.0, 1e-9);
    // It is drained for 20 s, since nobody leaves of his own accord, and then it is gone.
    near(extra("scale_in = { nodes = [\"n1\"], drain_timeout = \"20s\" }"), -220.0, 1e-9);
    // Both versions stand there while the new one starts (10 s), is seen, and the old one drains (20 s): twice.
    let surge = extra("rolling = { surge_max = 1, drain_timeout = \"20s\" }");
    assert!((60.0..70.0).contains(&surge), "{surge} s");
    near(extra("rolling = { unavailable_max = 1, drain_timeout = \"20s\" }") + 600.0, 600.0, 1e-12);
}
