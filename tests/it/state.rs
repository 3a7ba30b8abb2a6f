//! Where session state lives, and what each place costs and loses.

use crate::lab::{causes, figure, plan, run, simulate, whole};
use stickysim::base::cause::{Cause, Harm};
use stickysim::observe::recorder::Recording;

/// Twenty sessions on two nodes with cookies; they ask every ten seconds. n1 suffers `fault` from 30 s on.
fn sticky(state: &str, fault: &str) -> Recording {
    simulate(&format!(
        "duration = \"100s\"\ncluster.nodes = 2\n\
         [clients.web]\narrivals = {{ initial = 20 }}\nlength = \"forever\"\nthink = \"10s\"\nservice = \"1ms\"\n\
         reconnect = {{ fixed = {{ delay = \"1s\" }} }}\n\
         [balancer]\naffinity = \"cookie\"\nredispatch = true\nhealth = {{ interval = \"1ms\" }}\n\
         [fault.f]\nat = \"30s\"\n{fault}\n[state]\n{state}\n"
    ))
}

fn lost(recording: &Recording) -> Vec<(Cause, u64)> {
    causes(&whole(recording).totals, Harm::Lost)
}

#[test]
fn what_is_on_disk_outlives_the_process_and_not_the_host() {
    // Back after 2 ms, before anybody asks: nobody notices.
    let blink = "kill = { nodes = [\"n1\"], lasts = \"2ms\" }";
    assert_eq!(lost(&sticky("disk = {}", blink)), []);
    assert_eq!(lost(&sticky("memory = {}", blink)), [(Cause::Crash, 10)]);
    // Away for half a minute: everybody has been served elsewhere, where the state is not.
    let long = "kill = { nodes = [\"n1\"], lasts = \"30s\" }";
    assert_eq!(lost(&sticky("disk = {}", long)), [(Cause::ServedElsewhere, 10)]);
    let host = "lose = { nodes = [\"n1\"], lasts = \"30s\" }";
    assert_eq!(lost(&sticky("disk = {}", host)), [(Cause::HostLoss, 10)]);
    assert_eq!(lost(&sticky("client = {}", host)), []);
}

#[test]
fn a_host_that_is_taken_away_takes_its_disk_along() {
    let gone = |state: &str| {
        let text = format!(
            "duration = \"60s\"\ncluster.nodes = 2\n[clients.s]\narrivals = {{ initial = 20 }}\nlength = \"forever\"\n\
             think = \"1s\"\nservice = \"1ms\"\n[balancer]\naffinity = \"cookie\"\n[state]\n{state}\n\
             [change.away]\nat = \"20s\"\nscale_in = {{ nodes = [\"n1\"], drain_timeout = \"5s\" }}\n"
        );
        lost(&simulate(&text)).iter().map(|(_, n)| n).sum::<u64>()
    };
    assert_eq!((gone("disk = {}"), gone("memory = {}"), gone("client = {}")), (10, 10, 0));
}

/// One request a second for a hundred seconds, of a millisecond each, of which a quarter write.
fn alone(state: &str) -> Recording {
    simulate(&format!(
        "duration = \"1000s\"\ncluster.nodes = 1\n\
         [clients.web]\narrivals = {{ initial = 1 }}\nlength = \"forever\"\npace = \"1s\"\nservice = \"1ms\"\n\
         write_ratio = \"25%\"\n[state]\n{state}\n"
    ))
}

#[test]
fn dealing_with_state_costs_work_and_moves_bytes() {
    for (state, every, write, store, bytes) in [
        ("client = { size = \"2KiB\", verify = \"100us\", sign = \"400us\" }", 0.1, 0.4, 0.0, (2_048.0, 2_048.0)),
        ("disk = { read = \"300us\", write = \"5ms\" }", 0.3, 5.0, 0.0, (0.0, 0.0)),
        ("store = { size = \"4KiB\", serialize = \"20us\" }", 0.08, 0.08, 0.5, (4_096.0, 4_096.0)),
        ("store = {}", 0.0, 0.0, 0.5, (1_024.0, 1_024.0)),
    ] {
        let recording = alone(state);
        let window = whole(&recording);
        let requests = figure(window, "requests_succeeded_total");
        let mean = figure(window, "response_time_ms_mean");
        // Every time is constant, so the mean says how many wrote.
        let writes = (mean - 1.0 - every - store) / (write + store).max(1e-9);
        if write + store > 0.0 {
            assert!((0.2..0.3).contains(&writes), "{state}: a share of {writes} wrote");
        }
        let work = figure(window, "service_time_s_total") * 1e3 / requests;
        let expected = 1.0 + every + writes * write;
        assert!((work - expected).abs() < 1e-6, "{state}: {work} ms, not {expected} ms");
        if bytes.0 > 0.0 {
            let moved = figure(window, "state_moved_mib_total") * 1_048_576.0 / requests;
            assert!((moved - bytes.0 - writes * bytes.1).abs() < 1.0, "{state}: {moved} bytes");
        }
    }
}

/// A hundred people with cookies on five nodes, a fifth of their requests write; n1 is out of service from 20 s to 80 s,
/// and whoever is bound to it is not sent elsewhere.
fn split(reads: &str) -> Recording {
    run(
        &plan(&format!(
            "duration = \"100s\"\ncluster.nodes = 5\n\
             [clients.web]\narrivals = {{ initial = 100 }}\nlength = \"forever\"\npace = \"1s\"\nservice = \"1ms\"\n\
             write_ratio = \"20%\"\nreads = \"{reads}\"\nreconnect = {{ fixed = {{ delay = \"1s\" }} }}\n\
             [balancer]\naffinity = \"cookie\"\nstrict = true\nhealth = {{ interval = \"1ms\" }}\n\
             [state]\nstore = {{}}\n[change.out]\nat = \"20s\"\nmaint = {{ nodes = [\"n1\"], lasts = \"60s\" }}\n"
        )),
        1,
    )
}

#[test]
fn with_a_read_write_split_a_node_that_is_out_hurts_its_writers_only() {
    let together = split("affinity");
    let failed = figure(whole(&together), "requests_failed_ratio");
    assert!((failed - 0.2 * 0.6).abs() < 0.02, "a fifth, for three fifths of the time: {failed}");
    let apart = split("balance");
    let [reads, writes] = ["reads_failed_ratio", "writes_failed_ratio"].map(|name| figure(whole(&apart), name));
    assert_eq!(reads, 0.0);
    assert!((writes - 0.2 * 0.6).abs() < 0.03, "{writes}");
    let all = figure(whole(&apart), "requests_failed_ratio");
    assert!((all - 0.2 * 0.2 * 0.6).abs() < 0.01, "{all}");
    assert_eq!(figure(whole(&apart), "sessions_moved_total"), 0.0, "a read binds nobody");
}
