//! Connections are cut and processes live on: who is hit, who is not, and what it costs. Constant times, one claim
//! each.

use super::lab::{causes, connections, figure, in_second, incident, plan, simulate, whole};
use std::collections::BTreeSet;
use stickysim::base::cause::{Cause, Harm};
use stickysim::cluster::Sim;
use stickysim::cluster::plan::Plan;
use stickysim::observe::trace::Happening;

/// A hundred streams on each of two nodes that let everybody in at once, cut at 10 s in such a share; who is cut off
/// comes back after 5 s.
fn blip(cut: &str) -> String {
    format!(
        "duration = \"30s\"\nrecovery_hold = \"1s\"\ncluster.nodes = 2\n[balancer]\nbalance = \"roundrobin\"\n\
         [clients.s]\narrivals = {{ initial = 200 }}\nlength = \"forever\"\nprotocol = \"stream\"\n\
         reconnect = {{ fixed = {{ delay = \"5s\" }} }}\n[state.memory]\n[fault.blip]\nat = \"10s\"\ncut = {cut}\n"
    )
}

/// Who is cut off by a blip.
fn cut_off(cut: &str, seed: u64) -> BTreeSet<u64> {
    hit(&plan(&blip(cut)), seed)
}

/// Whose connection is closed at the instant of the blip.
fn hit(plan: &Plan, seed: u64) -> BTreeSet<u64> {
    let trace = Sim::new(plan, seed, false).traced().run(|| false).expect("nobody stops it").recording.trace;
    let closed = trace.iter().filter_map(|(at, happening)| match happening {
        Happening::Closed { who, .. } if at.as_nanos() == 10_000_000_000 => Some(who.ordinal),
        _ => None,
    });
    closed.collect()
}

#[test]
fn a_cut_of_all_drops_everybody_and_loses_nothing() {
    let text = blip("{ share = \"100%\" }");
    let run = simulate(&text);
    assert_eq!(causes(&whole(&run).totals, Harm::Dropped), [(Cause::Reset, 200)]);
    assert_eq!(in_second(&run, 10).total(Harm::Dropped), 200, "at that instant");
    assert_eq!(whole(&run).totals.total(Harm::Lost), 0, "the processes live on");
    assert_eq!(figure(incident(&run), "reconnect_time_s"), 5.0);
    assert_eq!(connections(&text, 9).iter().sum::<f64>(), 200.0);
    assert_eq!(connections(&text, 12), [0.0, 0.0]);
    assert_eq!(connections(&text, 16).iter().sum::<f64>(), 200.0, "all are back");
}

#[test]
fn a_cut_of_none_does_nothing() {
    assert_eq!(causes(&whole(&simulate(&blip("{ share = \"0%\" }"))).totals, Harm::Dropped), []);
}

#[test]
fn a_cut_at_one_node_leaves_the_others_alone() {
    let text = blip("{ share = \"100%\", nodes = [\"n1\"] }");
    assert_eq!(connections(&text, 12), [0.0, 100.0]);
}

#[test]
fn a_larger_share_cuts_whom_a_smaller_one_cuts_and_some_more() {
    for seed in 1..=3 {
        let cuts =
            ["10%", "20%", "50%", "80%", "100%"].map(|share| cut_off(&format!("{{ share = \"{share}\" }}"), seed));
        assert!(cuts.windows(2).all(|pair| pair[0].is_subset(&pair[1]) && pair[0].len() < pair[1].len()), "{cuts:?}");
        // Four standard deviations of a binomial law: 200 sessions, a half of them.
        assert!((cuts[2].len() as f64 - 100.0).abs() < 4.0 * 50f64.sqrt());
        let half = "{ share = \"50%\", nodes = [\"n1\"] }";
        assert!(cut_off(half, seed).is_subset(&cuts[2]), "whom it cuts does not depend on where it is aimed");
    }
}

#[test]
fn every_variant_suffers_the_same_cuts() {
    let who = |balance: &str| {
        let text = blip("{ share = \"30%\" }").replace("\"roundrobin\"", balance);
        hit(&plan(&text), 1)
    };
    let expected = who("\"roundrobin\"");
    assert!(!expected.is_empty());
    for balance in ["\"leastconn\"", "\"ring\"", "{ random = { draws = 1 } }"] {
        assert_eq!(who(balance), expected, "{balance}");
    }
}

#[test]
fn what_was_under_way_on_a_cut_connection_fails_with_it() {
    // Kept connections over a layer-4 balancer; each of ten clients has asked, and waits for 20 s, when it is cut.
    let run = simulate(
        "duration = \"60s\"\nrecovery_hold = \"1s\"\ncluster.nodes = 1\ncluster.node.concurrency = 10\n\
         [balancer]\nlayer = \"l4\"\nretries = 0\n[clients.app]\narrivals = { initial = 10 }\nprotocol = \"keepalive\"\n\
         length = \"forever\"\nthink = \"5s\"\nservice = \"20s\"\nreconnect = { fixed = { delay = \"100s\" } }\n\
         [fault.blip]\nat = \"10s\"\ncut = { share = \"100%\" }\n",
    );
    assert_eq!(causes(&whole(&run).totals, Harm::Failed), [(Cause::Reset, 10)]);
    assert_eq!(causes(&whole(&run).totals, Harm::Dropped), [(Cause::Reset, 10)]);
}

#[test]
fn who_is_idle_on_a_kept_connection_is_not_dropped_with_it() {
    // Half of two hundred wait for an answer when all connections are cut.
    let run = simulate(
        "duration = \"60s\"\nrecovery_hold = \"1s\"\n[cluster]\nnodes = 2\nnode.concurrency = 100\n\
         [balancer]\nlayer = \"l4\"\n\
         [clients.idle]\narrivals = { initial = 100 }\nlength = \"forever\"\nprotocol = \"keepalive\"\nthink = \"20s\"\n\
         service = \"1ms\"\nreconnect = { fixed = { delay = \"1s\" } }\n\
         [clients.busy]\narrivals = { initial = 100 }\nlength = \"forever\"\nprotocol = \"keepalive\"\nthink = \"1ms\"\n\
         service = \"20s\"\nreconnect = { fixed = { delay = \"1s\" } }\n\
         [fault.blip]\nat = \"10s\"\ncut = { share = \"100%\" }\n",
    );
    let dropped = |row: usize| causes(&run.runs[row].1.totals, Harm::Dropped);
    assert_eq!(dropped(1), [], "an idle client opens another connection for its next request");
    assert_eq!(dropped(0), [(Cause::Reset, 100)], "named in the order of the alphabet");
}

#[test]
fn who_comes_back_to_another_node_unbound_has_moved_for_that() {
    let moved = |lines: &str| {
        let run = simulate(&blip("{ share = \"100%\" }").replace("balance = \"roundrobin\"", lines));
        causes(&whole(&run).totals, Harm::Moved).into_iter().map(|(cause, _)| cause).collect::<Vec<_>>()
    };
    assert_eq!(moved("balance = \"random\""), [Cause::Unbound]);
    assert_eq!(moved("balance = \"random\"\naffinity = \"cookie\""), []);
}
