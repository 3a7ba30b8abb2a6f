//! Health checks that are work, as specification: they wait where requests wait, take what requests take, and are
//! nobody's request.

use super::lab::{causes, figure, plan, run, simulate, whole};
use super::view::{marked_down, marked_down_after};
use stickysim::base::cause::{Cause, Harm};
use stickysim::observe::totals::Counter::{Attempts, Issued, ResponseTime, Spent, Succeeded};

/// One node that nobody uses but its checks.
fn idle(health: &str, node: &str) -> String {
    format!(
        "duration = \"100s\"\n[cluster]\nnodes = 1\nnode = {{ concurrency = 1, {node} }}\n[clients.web]\n\
         arrivals.initial = 1\nlength = \"forever\"\nthink = \"1000h\"\nservice = \"1s\"\n[balancer]\n\
         health = {{ check = \"http\", {health} }}\n"
    )
}

#[test]
fn a_check_is_work_and_nobodys_request() {
    const EVERY: &str = "interval = \"1s\", from = \"begin\"";
    const GIVES_UP: &str = "service = \"400ms\", timeout = \"200ms\"";
    // (checks, node, utilisation): a handshake takes time but no slot; a check that has been given up goes on, or
    // ends with whoever waits for it.
    let table = [
        (format!("{EVERY}, service = \"100ms\""), "", 0.1),
        ("interval = \"900ms\", service = \"100ms\"".to_owned(), "", 0.1),
        ("interval = \"850ms\", service = \"100ms\"".to_owned(), "handshake = \"50ms\"", 0.1),
        (format!("{EVERY}, service = \"0s\""), "", 0.0),
        (EVERY.to_owned(), "", 0.0),
        (format!("{EVERY}, {GIVES_UP}"), "", 0.4),
        (format!("{EVERY}, {GIVES_UP}, cancels = true"), "", 0.2),
    ];
    for (health, node, busy) in table {
        let recording = simulate(&idle(&health, node));
        let found = figure(whole(&recording), "node_utilisation_ratio_mean");
        assert!((found - busy).abs() < 0.006, "{health} on {node}: {found}, not {busy}");
        let totals = &whole(&recording).totals;
        let counted = [Issued, Attempts, Succeeded, ResponseTime, Spent].map(|counter| totals[counter]);
        assert_eq!(counted, [0; 5], "{health}");
    }
}

/// Nodes with one slot each; at 20 s a crowd brings each of them so much work at once. Streams are cut when the
/// balancer marks their node down.
fn crowd(seconds: u32, node: &str, health: &str) -> String {
    format!(
        "duration = \"100s\"\ntick = \"100ms\"\n[cluster]\nnodes = 2\nnode = {{ concurrency = 1, {node} }}\n\
         [clients.s]\narrivals.initial = 4\nlength = \"forever\"\nprotocol = \"stream\"\n[clients.crowd]\n\
         arrivals.open = {{ rate = \"0.0001/s\", flash = {{ at = \"20s\", lasts = \"100ms\", rate = \"{}/s\" }} }}\nrequests = 1\nthink = \"1s\"\n\
         service = \"100ms\"\n[balancer]\non_marked_down = \"shutdown_sessions\"\nfail_open = true\n\
         health = {{ interval = \"1s\", from = \"begin\", check = \"http\", {health} }}\n",
        2 * seconds * 10 * 10
    )
}

#[test]
fn a_check_stands_in_line_with_everybody() {
    // A line of 10 s or of 2 s. A check given up after 1 s fails while the line is longer than that; three in a row
    // take the node out, 3 s to 4 s after the first that was late. One that is answered at once sees no line.
    let table = [
        (10, "service = \"1ms\", timeout = \"1s\"", true),
        (10, "timeout = \"1s\"", false),
        (2, "service = \"1ms\", timeout = \"1s\"", false),
        (10, "service = \"1ms\", timeout = \"12s\"", false),
    ];
    for (seconds, health, is_found_down) in table {
        let text = crowd(seconds, "", health);
        let down = (1..=5).map(|seed| run(&plan(&text), seed));
        let down: Vec<u64> = down.map(|run| whole(&run).totals.of(Harm::Dropped, Cause::MarkedDown)).collect();
        assert!(down.iter().all(|&cut| (cut > 0) == is_found_down), "{seconds} s, {health}: {down:?}");
    }
}

#[test]
fn where_there_is_no_room_for_it_a_check_is_answered_with_an_error() {
    // 40 pieces of work come to a line for 30: for a tenth of a second or so it is full, and then soon shorter.
    let text = |health: &str| crowd(4, "queue_max = 30", &format!("service = \"1ms\", timeout = \"12s\"{health}"));
    let found_down = |text: &str| {
        let cut = |seed| whole(&run(&plan(text), seed)).totals.of(Harm::Dropped, Cause::MarkedDown) > 0;
        (1..=20).filter(|&seed| cut(seed)).count()
    };
    assert_eq!(found_down(&text("")), 0, "one error in a row is not enough");
    assert!((1..15).contains(&found_down(&text(", errors_at_once = true"))), "and here it is, if a check meets it");
}

#[test]
fn what_befalls_a_node_befalls_its_checks() {
    // Three failures in a row, one check a second: a refusal is heard at once, silence after 300 ms.
    const EVERY: &str =
        "interval = \"1s\", from = \"begin\", timeout = \"300ms\", check = \"http\", service = \"10ms\"";
    for (fault, earliest, latest) in [("refuse", 2.0, 3.0), ("freeze", 2.3, 3.3), ("lose", 2.3, 3.3)] {
        for seed in 1..=20 {
            let after = marked_down_after(&marked_down(EVERY, fault, ""), seed);
            let is_due = after.is_some_and(|after| (earliest - 0.06..latest + 0.06).contains(&after));
            assert!(is_due, "{fault}, seed {seed}: {after:?}");
        }
    }
}

#[test]
fn a_crash_resets_the_check_that_its_node_has_in_hand() {
    // Somebody always waits for an answer of n1. When it is killed he knows at once, and nobody is sent there any more;
    // when its host is lost he waits out his nine seconds, and so do those who are sent there.
    let failed = |fault: &str| {
        let text = format!(
            "duration = \"60s\"\n[cluster]\nnodes = 2\n[clients.web]\narrivals.open.rate = \"100/s\"\nrequests = 1\n\
             think = \"1s\"\nservice = \"1ms\"\n[balancer]\nretries = 0\nconnect_timeout = \"500ms\"\n\
             health = {{ interval = \"10ms\", timeout = \"9s\", check = \"http\", service = \"6s\", fall = 1 }}\n\
             [fault.f]\nat = \"20s\"\n{fault} = {{ nodes = [\"n1\"] }}\n"
        );
        let causes = causes(&simulate(&text).runs.last().unwrap().1.totals, Harm::Failed);
        causes.into_iter().filter(|(cause, _)| *cause != Cause::Reset).map(|(_, n)| n).sum::<u64>()
    };
    assert_eq!(failed("kill"), 0);
    // Half of 100/s for what is left of nine seconds, three to nine.
    assert!((100..500).contains(&failed("lose")), "{}", failed("lose"));
}
