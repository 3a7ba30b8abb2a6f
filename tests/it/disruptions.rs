//! Hosts that are emptied within a disruption budget. Figures are mental arithmetic.

use super::lab::{causes, figure, incident, plan, run, simulate, whole};
use stickysim::base::cause::{Cause, Harm};
use stickysim::observe::recorder::Recording;

/// Forty streams on four nodes; `below` are budget and changes, which begin at 10 s.
fn cluster(budget: &str, below: &str) -> Recording {
    let text = format!(
        "duration = \"5m\"\n[cluster]\nnodes = 4\n{budget}\n[clients.s]\narrivals.initial = 40\nlength = \"forever\"\n\
         protocol = \"stream\"\nreconnect_at_once = true\n[balancer]\nbalance = \"leastconn\"\nhealth.interval = \"1s\"\n\
         {below}\n"
    );
    simulate(&text)
}

fn evacuate(nodes: &str, more: &str) -> String {
    format!(
        "[change.u]\nat = \"10s\"\nevacuate = {{ nodes = {nodes}, start = \"20s\", drain_timeout = \"0s\"{more} }}\n"
    )
}

fn took(recording: &Recording) -> f64 {
    figure(incident(recording), "rollout_time_s")
}

#[test]
fn the_next_eviction_is_allowed_when_the_last_has_been_made_good() {
    // A process is there 20 s after the eviction, and seen before it is asked for the fifth time, after 25 s. All is over
    // when the last has been started.
    for budget in ["unavailable_max = 1", "available_min = 3", "available_min = \"75%\"", "unavailable_max = \"25%\""] {
        let recording = cluster(&format!("disruption_budget = {{ {budget} }}"), &evacuate("4", ", at_once = 4"));
        assert_eq!(took(&recording), 3.0 * 25.0 + 20.0, "{budget}");
        assert_eq!(figure(whole(&recording), "nodes_ready_min"), 3.0, "{budget}");
    }
    let two = cluster("disruption_budget = { unavailable_max = 2 }", &evacuate("4", ", at_once = 4"));
    assert_eq!((took(&two), figure(whole(&two), "nodes_ready_min")), (25.0 + 20.0, 2.0));
    let any = cluster("", &evacuate("3", ", at_once = 3"));
    assert_eq!((took(&any), figure(whole(&any), "nodes_ready_min")), (20.0, 1.0), "without a budget all at once");
}

#[test]
fn a_budget_of_none_is_waited_for_without_end_or_until_somebody_has_enough() {
    let patient = cluster("disruption_budget = { unavailable_max = 0 }", &evacuate("2", ""));
    assert_eq!(figure(incident(&patient), "completed_ratio"), 0.0);
    assert_eq!((figure(whole(&patient), "nodes_ready_min"), whole(&patient).totals.total(Harm::Dropped)), (4.0, 0));
    let forced = cluster("disruption_budget = { unavailable_max = 0 }", &evacuate("2", ", force_after = \"61s\""));
    assert_eq!(took(&forced), 2.0 * 61.0 + 20.0);
    let dropped = whole(&forced).totals.total(Harm::Dropped);
    assert_eq!(causes(&whole(&forced).totals, Harm::Dropped), [(Cause::DrainTimeout, dropped)]);
}

#[test]
fn a_crash_uses_up_the_budget() {
    let crash = "[fault.f]\nat = \"5s\"\nkill = { nodes = [\"n4\"], lasts = \"30s\" }\n";
    let below = evacuate("[\"n1\"]", "") + crash;
    let recording = cluster("disruption_budget = { unavailable_max = 1 }", &below);
    // Back at 35 s and seen within two; asked at 10, 15 … 40 s.
    let (_, last) = recording.incidents.last().expect("the evacuation comes after the crash");
    assert_eq!(figure(last, "rollout_time_s"), 30.0 + 20.0);
}

#[test]
fn a_budget_bounds_neither_a_roll_nor_a_scale_in() {
    let below = "[change.roll]\nat = \"10s\"\nrolling = { unavailable_max = 2, drain_timeout = \"1s\" }\n";
    let recording = cluster("disruption_budget = { available_min = 4 }", below);
    assert_eq!(figure(incident(&recording), "completed_ratio"), 1.0);
    let recording =
        cluster("disruption_budget = { available_min = 4 }", "[change.c]\nat = \"10s\"\nscale_in.nodes = 2\n");
    assert_eq!(figure(incident(&recording), "completed_ratio"), 1.0);
}

#[test]
fn what_is_evicted_starts_anew_elsewhere_at_once() {
    // The old process drains for a minute; the new one does not wait for that.
    let text = "duration = \"2m\"\n[cluster]\nnodes = 2\ndisruption_budget.unavailable_max = 1\n[clients.s]\n\
                arrivals.initial = 20\nlength = \"forever\"\nprotocol = \"stream\"\nreconnect_at_once = true\n\
                [balancer]\nhealth.interval = \"1s\"\n[change.u]\nat = \"10s\"\n\
                evacuate = { nodes = [\"n1\"], start = \"5s\", drain_timeout = \"1m\" }\n";
    let recording = run(&plan(text), 1);
    assert_eq!(took(&recording), 60.0);
    assert_eq!(figure(&recording.ticks[2 * 20 + 1], "nodes_ready_mean"), 2.0);
    assert_eq!(causes(&whole(&recording).totals, Harm::Dropped), [(Cause::DrainTimeout, 10)]);
    // The old one until 70 s, the new one from 15 s on, though it is wanted from 10 s on; the other all the time.
    let hours = figure(whole(&recording), "node_hours_total");
    assert!((hours * 3_600.0 - (120.0 + 70.0 + 110.0)).abs() < 1e-6, "{hours}");
}
