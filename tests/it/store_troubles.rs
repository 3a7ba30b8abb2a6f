//! Stores in trouble when something else waits too: a balancer, a frozen process, a stream that has nobody to ask for it.
//! Constant times, one claim each.

use crate::lab::{causes, in_second, plan, run, simulate, whole};
use stickysim::base::cause::{Cause, Harm};
use stickysim::observe::recorder::Recording;
use stickysim::observe::totals::Counter::{Rebuilds, StoreErrors, StoreOps};

fn failed(recording: &Recording, second: usize) -> Vec<(Cause, u64)> {
    causes(in_second(recording, second), Harm::Failed)
}

/// Ten clients who ask once a second, behind a balancer that waits a second for a node; the store hangs from 10 s on, and
/// its users give it up after so long.
fn hung(hang: &str, timeout: &str) -> Recording {
    simulate(&format!(
        "duration = \"60s\"\nrecovery_hold = \"1s\"\ncluster.nodes = 1\n[balancer]\nserver_timeout = \"1s\"\nretries = 0\n\
         [clients.web]\narrivals = {{ initial = 10 }}\nlength = \"forever\"\nthink = \"1s\"\nservice = \"1us\"\n\
         reconnect = {{ fixed = {{ delay = \"1s\" }} }}\n[state.store]\nat = \"s\"\n[store.s]\nread = \"1us\"\nwrite = \"1us\"\ntimeout = \"{timeout}\"\n[fault.f]\nat = \"10s\"\nstore_hang = {{ store = \"s\", lasts = \"40s\"{hang} }}\n"
    ))
}

#[test]
fn a_balancer_does_not_wait_for_a_store_longer_than_it_waits_for_a_node() {
    for hang in ["", ", stubborn = 1"] {
        let run = hung(hang, "5s");
        // Asked at some moment of second 10, given up a second later, and asked again after another.
        for second in [11, 13, 15, 17] {
            assert_eq!(failed(&run, second), [(Cause::NoAnswer, 10)], "{hang:?} second {second}");
        }
        assert_eq!(causes(&whole(&run).totals, Harm::Failed).len(), 1, "{hang:?}: nobody is told what the store did");
    }
}

#[test]
fn a_node_that_gives_up_the_store_first_says_so() {
    let run = hung("", "500ms");
    let all = causes(&whole(&run).totals, Harm::Failed);
    assert_eq!(all.iter().map(|&(cause, _)| cause).collect::<Vec<_>>(), [Cause::StoreTimeout]);
}

#[test]
fn a_frozen_process_does_not_tell_that_the_store_has_failed_it() {
    for holds_slot in [true, false] {
        // In the store since 0 s; frozen from 5 s to 25 s; the store dies at 8 s.
        let run = simulate(&format!(
            "duration = \"60s\"\nrecovery_hold = \"1s\"\ncluster.nodes = 1\ncluster.node.concurrency = 100\n\
             [clients.web]\narrivals = {{ initial = 100 }}\nlength = \"forever\"\nthink = \"1ms\"\nservice = \"1ms\"\n\
             reconnect = {{ fixed = {{ delay = \"100s\" }} }}\n\
             [state.store]\nat = \"s\"\n[store.s]\nread = \"10s\"\nholds_slot = {holds_slot}\npersists = true\n\
             [fault.pause]\nat = \"5s\"\nfreeze = {{ nodes = 1, lasts = \"20s\" }}\n\
             [fault.down]\nat = \"8s\"\nstore_kill = {{ store = \"s\", lasts = \"1s\" }}\n"
        ));
        assert_eq!(causes(&whole(&run).totals, Harm::Failed), [(Cause::StoreDown, 100)], "{holds_slot}");
        assert_eq!((failed(&run, 25), in_second(&run, 25)[StoreErrors]), (vec![(Cause::StoreDown, 100)], 100));
    }
}

/// Ten silent streams with their state in a store that loses all at 10 s; all are cut at 20 s, 30 s and 40 s.
fn silent(service: &str) -> Recording {
    let cuts =
        [20, 30, 40].map(|at| format!("[fault.cut{at}]\nat = \"{at}s\"\ncut = {{ share = \"100%\" }}\n")).concat();
    simulate(&format!(
        "duration = \"60s\"\nrecovery_hold = \"1s\"\ncluster.nodes = 2\n\
         [clients.s]\narrivals = {{ initial = 10 }}\nlength = \"forever\"\nprotocol = \"stream\"\n\
         reconnect = {{ fixed = {{ delay = \"1s\" }} }}\n\
         [state]\nstore = {{ at = \"s\"{service} }}\n[store.s]\nread = \"1ms\"\nwrite = \"1ms\"\n\
         [fault.gone]\nat = \"10s\"\nstore_lose = {{ store = \"s\", lasts = \"1s\" }}\n{cuts}"
    ))
}

#[test]
fn a_stream_whose_state_was_made_anew_has_it_in_the_store() {
    let run = silent(", rebuild = { service = \"5ms\" }");
    assert_eq!(causes(&whole(&run).totals, Harm::Lost), [(Cause::StoreLost, 10)]);
    assert_eq!(whole(&run).totals[Rebuilds], 10, "at the first of three reconnects");
    // Three reads each, and one write.
    assert_eq!(whole(&run).totals[StoreOps], 40);
}

#[test]
fn a_stream_that_is_new_writes_its_state_once() {
    let text = "duration = \"60s\"\ncluster.nodes = 2\n\
                [clients.s]\narrivals = { initial = 0, open = { rate = \"10/s\" } }\nlength = \"20s\"\nprotocol = \"stream\"\n\
                [state]\nstore = { at = \"s\" }\n[store.s]\nread = \"1ms\"\nwrite = \"1ms\"\n\
                [fault.gone]\nat = \"55s\"\nstore_lose = { store = \"s\", lasts = \"1s\" }\n";
    let run = run(&plan(text), 1);
    let totals = &whole(&run).totals;
    let started = totals[stickysim::observe::totals::Counter::Started];
    assert!(started > 500 && totals[StoreOps].abs_diff(2 * started) < 40, "{started}: a read and a write each");
    // Those of the last 20 s.
    assert!((150..=250).contains(&totals.total(Harm::Lost)), "{}", totals.total(Harm::Lost));
}
