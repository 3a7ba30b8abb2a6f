//! Who is let in when more come than a node can let in: lines that are bounded, turned round or short of patience, and
//! a rate.

use crate::lab::plan;
use std::collections::BTreeSet;
use stickysim::base::cause::Cause;
use stickysim::base::time::{Duration, Instant};
use stickysim::cluster::Sim;
use stickysim::observe::trace::{Happening, Trace};

fn trace(text: &str) -> Trace {
    Sim::new(&plan(text), 1, false).traced().run(|| false).expect("nobody stops it").recording.trace
}

/// A thousand streams of one node, which lets in a hundred a second, lose it at 10 s, and all try again at 30 s: who is let
/// in, and why the others are not, in the 15 s that follow.
fn wave(node: &str, patience: &str) -> (BTreeSet<u64>, Vec<(Cause, usize)>) {
    let trace = trace(&format!(
        "duration = \"45s\"\nrecovery_hold = \"1s\"\ncluster.nodes = 1\n\
         [cluster.node]\nhandshake = \"10ms\"\n{node}\n\
         [clients.web]\narrivals = {{ initial = 1000 }}\nlength = \"forever\"\nprotocol = \"stream\"\n\
         connect_timeout = \"{patience}\"\nreconnect = {{ fixed = {{ delay = \"20s\" }} }}\n\
         [fault.blink]\nat = \"10s\"\nkill = {{ nodes = 1, lasts = \"1s\" }}\n"
    ));
    let (mut inside, mut turned_away) = (BTreeSet::new(), vec![0; Cause::COUNT]);
    for (_, happening) in trace.iter().filter(|(at, _)| *at >= Instant::START + Duration::from_secs(30)) {
        match happening {
            Happening::Opened { who, .. } => _ = inside.insert(who.ordinal),
            Happening::NotOpened { cause, .. } => turned_away[*cause as usize] += 1,
            _ => {}
        }
    }
    let causes = Cause::ALL.into_iter().zip(turned_away).filter(|&(_, n)| n > 0).collect();
    (inside, causes)
}

const ANY: &str = "accept_max = 1000000";

#[test]
fn whoever_leaves_the_line_has_been_let_in_for_nothing() {
    let (inside, away) = wave(ANY, "1s");
    assert_eq!((inside.len(), away), (100, vec![(Cause::Timeout, 900)]));
    let (patient, away) = wave(ANY, "60s");
    assert_eq!((patient.len(), away), (1_000, vec![]));
}

#[test]
fn a_bounded_line_tells_the_others_at_once() {
    let (inside, away) = wave("accept_max = 49", "1s");
    assert_eq!((inside.len(), away), (50, vec![(Cause::AcceptFull, 950)]));
}

#[test]
fn a_deadline_drops_those_whose_turn_comes_too_late_and_costs_nothing() {
    // They begin after 0 ms, 10 ms … 500 ms.
    let (inside, away) = wave(&format!("{ANY}\naccept_deadline = \"500ms\""), "60s");
    assert_eq!((inside.len(), away), (51, vec![(Cause::Overdue, 949)]));
}

#[test]
fn a_line_that_is_turned_round_serves_those_who_came_last() {
    let (first, _) = wave(ANY, "1s");
    let (last, away) = wave(&format!("{ANY}\naccept_order = \"lifo\""), "1s");
    assert_eq!((last.len(), away), (100, vec![(Cause::Timeout, 900)]));
    // Whoever finds the node idle is served at once in either order.
    assert_eq!(first.intersection(&last).count(), 1);
}

#[test]
fn a_rate_lets_in_its_burst_and_then_one_at_a_time() {
    let (inside, away) = wave("accept_rate = \"20/s\"\naccept_burst = 10", "60s");
    assert_eq!((inside.len(), away), (10, vec![(Cause::RateLimited, 990)]));
    let (by_default, _) = wave("accept_rate = \"20/s\"", "60s");
    assert_eq!(by_default.len(), 20, "those of a second");
    // Forty new clients a second, and a node that lets in thirty.
    let steady = trace(
        "duration = \"100s\"\ncluster.nodes = 1\n[cluster.node]\naccept_rate = \"30/s\"\naccept_burst = 1\n\
         [clients.web]\narrivals = { open = { rate = \"40/s\" } }\nlength = \"1h\"\nprotocol = \"stream\"\ngive_up_after = 1\n",
    );
    let opened = steady.iter().filter(|(_, happening)| matches!(happening, Happening::Opened { .. }));
    let times: Vec<Instant> = opened.map(|(at, _)| *at).filter(|at| *at > Instant::START).collect();
    assert!(times.windows(2).all(|two| two[1].since(two[0]) >= Duration::from_nanos(33_333_333)));
    // With room for one, a client that comes sooner than 1/30 s after the last is lost: 1 ÷ (1/30 + 1/40) get in.
    let expected = 100.0 / (1.0 / 30.0 + 1.0 / 40.0);
    assert!((times.len() as f64 - expected).abs() < 80.0, "{} of {expected}", times.len());
}

#[test]
fn requests_that_have_waited_too_long_are_dropped_when_their_turn_comes() {
    let trace = trace(
        "duration = \"30s\"\nrecovery_hold = \"1s\"\ncluster.nodes = 1\n\
         [cluster.node]\nqueue_deadline = \"500ms\"\n\
         [clients.web]\narrivals = { initial = 200 }\nlength = \"forever\"\npace = \"1s\"\nservice = \"1ms\"\n\
         [fault.pause]\nat = \"10s\"\nfreeze = { nodes = 1, lasts = \"2s\" }\n",
    );
    let within = Duration::from_millis(500);
    let (mut answered, mut dropped) = (0, 0);
    for (_, happening) in trace {
        match happening {
            // Eight are worked on at a time, and were when the process stopped.
            Happening::Answered { after, .. } if after > within + Duration::from_millis(60) => answered += 1,
            Happening::Failed { cause, after, .. } => {
                assert!(cause == Cause::Overdue && after > within, "{cause:?} after {after}");
                dropped += 1;
            }
            _ => {}
        }
    }
    assert!(answered <= 8, "{answered} were answered late");
    // Those of one and a half of the two seconds, and everybody asks once a second.
    assert!((270..=320).contains(&dropped), "{dropped}");
}

#[test]
fn a_bucket_may_be_as_large_as_can_be_written() {
    let (inside, away) = wave("accept_rate = \"1/h\"\naccept_burst = 4000000000", "60s");
    assert_eq!((inside.len(), away), (1_000, vec![]));
}

#[test]
fn streams_that_wait_for_their_store_count_for_the_limit_of_connections() {
    let trace = trace(
        "duration = \"60s\"\n[cluster]\nnodes = 1\nnode = { connections_max = 5 }\n\
         [clients.web]\narrivals = { open = { rate = \"20/s\" }, initial = 0 }\nlength = \"1h\"\nprotocol = \"stream\"\n\
         [state.store]\nread = \"3s\"\n",
    );
    let opened = trace.iter().filter(|(_, happening)| matches!(happening, Happening::Opened { .. })).count();
    assert_eq!(opened, 5);
}

#[test]
fn a_stream_whose_state_is_near_opens_without_its_store() {
    let not_opened = |near: &str| {
        let trace = trace(&format!(
            "duration = \"80s\"\nrecovery_hold = \"1s\"\ncluster.nodes = 1\n\
             [clients.web]\narrivals = {{ initial = 100 }}\nlength = \"forever\"\nprotocol = \"stream\"\npace = \"1s\"\n\
             service = \"1ms\"\nreconnect = {{ fixed = {{ delay = \"1s\" }} }}\n\
             [state.store]\nat = \"s\"\n{near}\n[store.s]\n\
             [fault.store]\nat = \"50s\"\nstore_kill = {{ store = \"s\", lasts = \"10s\" }}\n\
             [fault.shock]\nat = \"52s\"\ncut = {{ share = \"100%\" }}\n"
        ));
        trace.iter().filter(|(_, happening)| matches!(happening, Happening::NotOpened { .. })).count()
    };
    assert_eq!(not_opened("near = {}"), 0);
    assert_eq!(not_opened(""), 700, "each tries seven times until the store is back");
}
