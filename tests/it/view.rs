//! The balancer's view as specification: when does it change, on what evidence, and what do clients notice?

use super::lab::{causes, plan, run, simulate, whole};
use rayon::prelude::*;
use stickysim::base::cause::{Cause, Harm};
use stickysim::cluster::Sim;
use stickysim::observe::recorder::Recording;
use stickysim::observe::totals::Counter::{Issued, Succeeded};

/// Streams of two nodes; n1 is in trouble from 20 s on, and its streams are cut when it is marked down.
pub fn marked_down(health: &str, fault: &str, balancer: &str) -> String {
    format!(
        "duration = \"100s\"\ntick = \"100ms\"\n[cluster]\nnodes = 2\n[clients.s]\narrivals.initial = 4\n\
         length = \"forever\"\nprotocol = \"stream\"\n[balancer]\non_marked_down = \"shutdown_sessions\"\n{balancer}\n\
         health = {{ {health} }}\n[fault.f]\nat = \"20s\"\n{fault} = {{ nodes = [\"n1\"] }}\n"
    )
}

/// How many seconds after the trouble n1 was marked down, if it was.
pub fn marked_down_after(text: &str, seed: u64) -> Option<f64> {
    let recording = run(&plan(text), seed);
    let mut ticks = recording.ticks.iter().filter(|tick| tick.cluster.is_some());
    let cut = ticks.find(|tick| tick.totals.of(Harm::Dropped, Cause::MarkedDown) > 0)?;
    Some((cut.from.as_secs_f64() + cut.to.as_secs_f64()) / 2.0 - 20.0)
}

/// The earliest and the latest of so many seconds, if it happens at all.
type Found = Option<(f64, f64)>;

/// When something happens, over many phases of the checks.
fn earliest_and_latest(after: impl Fn(u64) -> Option<f64> + Send + Sync) -> Found {
    let times: Vec<Option<f64>> = (1..=40).into_par_iter().map(after).collect();
    let times: Vec<f64> = times.into_iter().collect::<Option<_>>()?;
    let least = times.iter().copied().fold(f64::MAX, f64::min);
    Some((least, times.into_iter().fold(0.0, f64::max)))
}

/// Whether the times of forty phases fill a range: they stay in it and come near both its ends.
fn fills(found: (f64, f64), (earliest, latest): (f64, f64)) -> bool {
    let near = 0.15 * (latest - earliest) + 0.05;
    let (first, last) = found;
    (earliest - 0.05..earliest + near).contains(&first) && (latest - near..latest + 0.05).contains(&last)
}

#[test]
fn a_node_is_found_down_when_its_checks_say_so() {
    const ALB: &str = "interval = \"30s\", timeout = \"5s\", rise = 5, fall = 2, from = \"begin\", check = \"http\"";
    const PROBE: &str =
        "by = \"host\", interval = \"10s\", timeout = \"1s\", rise = 1, from = \"begin\", check = \"http\"";
    let probe_dies = format!("{PROBE}, host_grace = \"40s\"");
    // (checks, trouble, earliest, latest): n failed checks after the first come (n − 1) intervals later.
    let table: [(&str, &str, Found); 15] = [
        ("", "refuse", Some((4.0, 6.0))),
        ("interval = \"1s\"", "refuse", Some((2.0, 3.0))),
        ("interval = \"1s\", fall = 1", "refuse", Some((0.0, 1.0))),
        ("interval = \"2s\", fast_interval = \"200ms\"", "refuse", Some((0.4, 2.4))),
        // One that hangs takes its timeout, and the interval counts from its end …
        ("interval = \"1s\", check = \"http\"", "freeze", Some((5.0, 6.0))),
        ("interval = \"1s\", check = \"http\", timeout = \"300ms\"", "freeze", Some((2.9, 3.9))),
        ("interval = \"1s\"", "lose", Some((5.0, 6.0))),
        // … or from its beginning.
        ("interval = \"1s\", check = \"http\", timeout = \"300ms\", from = \"begin\"", "freeze", Some((2.3, 3.3))),
        ("interval = \"1s\", check = \"http\", timeout = \"1500ms\", from = \"begin\"", "freeze", Some((5.5, 6.5))),
        // The kernel of a frozen process accepts connections.
        ("interval = \"1s\"", "freeze", None),
        ("check = \"none\"", "refuse", None),
        ("interval = \"1s\", check = \"http\", errors_at_once = true", "refuse", Some((2.0, 3.0))),
        (ALB, "freeze", Some((35.0, 65.0))),
        (PROBE, "freeze", Some((21.0, 31.0))),
        (&probe_dies, "lose", Some((40.0, 50.0))),
    ];
    for (health, fault, expected) in table {
        let text = marked_down(health, fault, "");
        let found = earliest_and_latest(|seed| marked_down_after(&text, seed));
        let agrees = match (found, expected) {
            (Some(found), Some(expected)) => fills(found, expected),
            (found, expected) => found == expected,
        };
        assert!(agrees, "{fault} with {health}: {found:?}, not {expected:?}");
    }
}

#[test]
fn an_error_is_an_answer_and_may_be_final() {
    let found = |health: &str| {
        let text = marked_down(health, "black_hole", "").replace("[\"n1\"]", "[\"n1\"], looks_healthy = false");
        earliest_and_latest(|seed| marked_down_after(&text, seed)).expect("errors are seen")
    };
    assert!(fills(found("interval = \"1s\", check = \"http\""), (2.0, 3.0)));
    assert!(fills(found("interval = \"1s\", check = \"http\", errors_at_once = true"), (0.0, 1.0)));
}

#[test]
fn spread_makes_intervals_differ_and_keeps_their_mean() {
    let health = "interval = \"1s\", fall = 41, spread = \"50%\"";
    let after = |seed| marked_down_after(&marked_down(health, "refuse", ""), seed).expect("it is found down");
    let times: Vec<f64> = (1..=60).into_par_iter().map(after).collect();
    let mean = times.iter().sum::<f64>() / 60.0;
    let sd = (times.iter().map(|time| (time - mean) * (time - mean)).sum::<f64>() / 59.0).sqrt();
    // Forty intervals of U(0.5, 1.5) s: 40 s with a standard deviation of √(40/12) = 1.83 s.
    assert!((mean - 40.5).abs() < 0.8, "{mean}");
    assert!((sd - 1.83).abs() < 0.6, "{sd}");
}

#[test]
fn what_an_agent_finds_reaches_the_balancers_later() {
    let health = "by = \"host\", interval = \"1s\", from = \"begin\", check = \"http\", timeout = \"500ms\"";
    let found = |balancer: &str| {
        let text = marked_down(health, "freeze", balancer);
        earliest_and_latest(|seed| marked_down_after(&text, seed)).expect("it is found down")
    };
    assert!(fills(found(""), (2.5, 3.5)));
    let (first, last) = found("propagation = \"5s\"");
    assert!(fills((first, last), (7.5, 8.5)), "{first} to {last}");
    let (first, last) = found("propagation = { uniform = { min = \"0s\", max = \"9s\" } }");
    assert!(first >= 2.45 && last <= 12.55 && last - first > 6.0, "{first} to {last}");
    // What balancers find out for themselves reaches them at once.
    let own = marked_down("interval = \"1s\"", "refuse", "propagation = \"5s\"");
    assert!(fills(earliest_and_latest(|seed| marked_down_after(&own, seed)).unwrap(), (2.0, 3.0)));
}

/// One client asks every 20 ms, in turn of two nodes; n1 is down from 60 s to 100 s.
fn asking(balancer: &str) -> String {
    format!(
        "duration = \"210s\"\ntick = \"100ms\"\nrecovery_hold = \"10s\"\n[cluster]\nnodes = 2\n[clients.c]\n\
         arrivals.initial = 1\nlength = \"forever\"\npace = \"20ms\"\nservice = \"1ms\"\n\
         reconnect = {{ fixed = {{ delay = \"20ms\" }} }}\n[fault.f]\nat = \"60s\"\n\
         kill = {{ nodes = [\"n1\"], lasts = \"40s\" }}\n[balancer]\nretries = 0\n{balancer}\n"
    )
}

#[test]
fn a_node_is_found_up_when_its_checks_say_so() {
    // (balancer, earliest, latest): n good checks after the first come (n − 1) intervals later. In the fifth line the
    // node is down one to two seconds after 60 s, and its tenth check after that comes one to two after 100 s.
    let table = [
        ("health = { interval = \"1s\", rise = 1 }", (0.0, 1.0)),
        ("health = { interval = \"1s\" }", (1.0, 2.0)),
        ("health = { interval = \"1s\", rise = 4 }", (3.0, 4.0)),
        ("health = { interval = \"1s\", rise = 4, fast_interval = \"200ms\" }", (0.6, 1.6)),
        ("health = { interval = \"1s\", rise = 3, fast_interval = \"500ms\", down_interval = \"4s\" }", (2.0, 3.0)),
        ("health = { interval = \"20s\", fall = 2, rise = 5, from = \"begin\" }", (80.0, 100.0)),
        ("health = { interval = \"5s\", by = \"host\", rise = 1 }\npropagation = \"2s\"", (2.0, 7.0)),
    ];
    for (balancer, expected) in table {
        let plan = plan(&asking(balancer));
        let after = |seed| {
            let recording = Sim::new(&plan, seed, true).run(|| false).expect("nobody stops it").recording;
            let mut n1 = recording.nodes.iter().step_by(2);
            let served = n1.find(|tick| tick.from.as_secs_f64() >= 100.0 && tick.utilisation > 0.0)?;
            Some(served.from.as_secs_f64() + 0.05 - 100.0)
        };
        let found = earliest_and_latest(after).expect("it comes back");
        assert!(fills(found, expected), "{balancer}: {found:?}, not {expected:?}");
    }
}

/// Refused requests, and those that found nobody to ask.
fn failures(text: &str) -> [u64; 2] {
    let recording = simulate(text);
    let totals = &whole(&recording).totals;
    [Cause::Refused, Cause::NoNode].map(|cause| totals.of(Harm::Failed, cause))
}

#[test]
fn without_checks_every_second_request_fails_for_as_long_as_the_node_is_down() {
    let [refused, nobody] = failures(&asking("health.check = \"none\""));
    // Half of 50/s for 40 s; a client that has failed takes a while longer to ask again.
    assert!((950..=1_010).contains(&refused) && nobody == 0, "{refused}");
}

#[test]
fn behind_max_fails_one_request_per_fail_timeout_pays_for_the_others() {
    let nginx = |max_fails: u32| {
        let rule = format!("{{ nginx = {{ max_fails = {max_fails} }} }}");
        failures(&asking(&format!("health.check = \"none\"\npassive = {rule}")))
    };
    // One after 0 s, 11 s, 22 s and 33 s: the clock of NGINX has whole seconds.
    assert_eq!(nginx(1), [4, 0]);
    // Three at first; every probe after that is one failure more and takes it out again.
    assert_eq!(nginx(3), [6, 0]);
    let [refused, _] = nginx(0);
    assert!(refused > 900, "0 is never");
}

#[test]
fn when_all_are_ejected_there_is_nobody_to_ask() {
    // Both nodes are down for 40 s; each costs one request, and each probe one more.
    let text = asking("health.check = \"none\"\npassive = \"nginx\"").replace("[\"n1\"]", "2");
    let [refused, nobody] = failures(&text);
    assert_eq!(refused, 8);
    assert!(nobody > 1_900, "{nobody} of 50/s for 40 s");
    // A lone node is never ejected.
    let alone = asking("health.check = \"none\"\npassive = \"nginx\"").replace("nodes = 2", "nodes = 1");
    let [refused, nobody] = failures(&alone);
    assert!(refused > 1_900 && nobody == 0, "{refused}, {nobody}");
}

/// Ten nodes, a hundred requests a second; n1 answers errors from 60 s to 100 s, and checks are content.
fn black_hole(passive: &str, balancer: &str) -> Recording {
    simulate(&format!(
        "duration = \"200s\"\nrecovery_hold = \"10s\"\n[cluster]\nnodes = 10\n[clients.c]\n\
         arrivals = {{ open = {{ rate = \"100/s\" }}, initial = 0 }}\nrequests = 1\nthink = \"1s\"\nservice = \"1ms\"\n\
         [fault.f]\nat = \"60s\"\nblack_hole = {{ nodes = [\"n1\"], lasts = \"40s\" }}\n[balancer]\nretries = 0\n\
         {balancer}\npassive = {passive}\n"
    ))
}

fn bad_answers(recording: &Recording) -> u64 {
    whole(recording).totals.of(Harm::Failed, Cause::BadAnswer)
}

#[test]
fn an_outlier_is_ejected_after_its_errors_in_a_row_and_probed_by_returning() {
    // No checks, so the time alone brings it back: 30 s and the rest of a sweep, then once more.
    let outlier = black_hole("\"outlier\"", "health.check = \"none\"");
    assert_eq!(bad_answers(&outlier), 10);
    let never = bad_answers(&black_hole("\"none\"", "health.check = \"none\""));
    assert!((350..=450).contains(&never), "{never}: a tenth of 100/s for 40 s");
    // Checks that see nothing bring it back every time, as Envoy does unless told otherwise.
    let naive = bad_answers(&black_hole("\"outlier\"", "health.interval = \"2s\""));
    assert!((80..=105).contains(&naive), "{naive}: five every two seconds");
    let told = "{ outlier = { check_readmits = false } }";
    assert_eq!(bad_answers(&black_hole(told, "health.interval = \"2s\"")), 10);
}

#[test]
fn observed_errors_mark_a_node_down_and_checks_bring_it_back() {
    let observe = |layer: &str, on_error: &str| {
        let rule = format!("{{ observe = {{ layer = \"{layer}\", error_limit = 4, on_error = \"{on_error}\" }} }}");
        bad_answers(&black_hole(&rule, "health = { interval = \"1s\" }"))
    };
    // Marked down after four errors, and back after two checks a second apart: 1.5 s on average, and 0.4 s of errors.
    let marked = observe("l7", "mark_down");
    assert!((70..=105).contains(&marked), "{marked}");
    assert_eq!(observe("l4", "mark_down"), observe("l7", "fast_interval"), "connections are accepted");
    // Each row of four is one failed check; good checks in between undo it.
    let failed = observe("l7", "fail_check");
    assert!((marked..=450).contains(&failed), "{failed}");
}

#[test]
fn in_panic_requests_go_to_sick_nodes_too_and_a_threshold_of_half_is_strict() {
    // Of four nodes two, then three, refuse; each node gets its turn in panic.
    let share = |down: u32, balancer: &str| {
        let recording = simulate(&format!(
            "duration = \"300s\"\nrecovery_hold = \"10s\"\n[cluster]\nnodes = 4\n[clients.c]\n\
             arrivals = {{ open = {{ rate = \"100/s\" }}, initial = 0 }}\nrequests = 1\nthink = \"1s\"\n\
             service = \"1ms\"\n[fault.f]\nat = \"0s\"\nrefuse = {{ nodes = {down} }}\n[balancer]\nretries = 0\n\
             health = {{ interval = \"100ms\" }}\n{balancer}\n"
        ));
        let totals = &whole(&recording).totals;
        totals.total(Harm::Failed) as f64 / totals[Issued] as f64
    };
    let panic = "panic_threshold = \"50%\"";
    assert!(share(2, panic) < 0.01 && share(3, "") < 0.01);
    assert!((share(3, panic) - 0.75).abs() < 0.01);
    assert!((share(4, "fail_open = true") - 1.0).abs() < 1e-9 && share(3, "fail_open = true") < 0.01);
}

#[test]
fn an_operators_word_stands_whatever_the_alarm() {
    // Both nodes are in maintenance from 70 s to 130 s.
    let nobody = |balancer: &str| {
        let recording = simulate(&format!(
            "duration = \"200s\"\nrecovery_hold = \"10s\"\n[cluster]\nnodes = 2\n[clients.c]\narrivals.initial = 10\n\
             length = \"forever\"\nthink = \"1s\"\nservice = \"1ms\"\n[change.m]\nat = \"70s\"\n\
             maint = {{ nodes = 2, lasts = \"60s\" }}\n[balancer]\nhealth = {{ interval = \"1s\" }}\n{balancer}\n"
        ));
        whole(&recording).totals.of(Harm::Failed, Cause::NoNode)
    };
    assert!(nobody("") > 0);
    assert_eq!(nobody("fail_open = true\npanic_threshold = \"100%\""), nobody(""));
}

#[test]
fn a_rolling_restart_refuses_requests_for_as_long_as_balancers_have_not_heard() {
    // Six nodes are drained one by one and stop as soon as they are empty, which is at once.
    let refused = |propagation: &str| {
        let recording = simulate(&format!(
            "duration = \"200s\"\nrecovery_hold = \"10s\"\n[cluster]\nnodes = 6\n[clients.c]\n\
             arrivals = {{ open = {{ rate = \"600/s\" }}, initial = 0 }}\nrequests = 1\nthink = \"1s\"\n\
             service = \"1ms\"\n[change.roll]\nat = \"60s\"\nrolling = {{ restart = \"5s\", pause = \"10s\" }}\n\
             [balancer]\nretries = 0\ninstances = 2\nhealth = {{ interval = \"1h\" }}\npropagation = \"{propagation}\"\n"
        ));
        whole(&recording).totals.of(Harm::Failed, Cause::DeregistrationRace) as f64
    };
    assert_eq!(refused("0s"), 0.0);
    // A sixth of 600/s for a second, six times.
    assert!((refused("1s") - 600.0).abs() < 40.0, "{}", refused("1s"));
    assert!((refused("3s") - 1_800.0).abs() < 80.0, "{}", refused("3s"));
}

#[test]
fn a_slow_answer_is_given_up_by_the_balancer_and_counts_as_evidence() {
    // Eight slots of a frozen node; replies take 10 ms elsewhere.
    let text = |passive: &str| {
        format!(
            "duration = \"200s\"\nrecovery_hold = \"10s\"\n[cluster]\nnodes = 4\n[clients.c]\n\
             arrivals = {{ open = {{ rate = \"40/s\" }}, initial = 0 }}\nrequests = 1\nthink = \"1s\"\n\
             service = \"10ms\"\n[fault.f]\nat = \"60s\"\nfreeze = {{ nodes = 1, lasts = \"30s\" }}\n[balancer]\n\
             server_timeout = \"2s\"\nhealth.check = \"none\"\npassive = {passive}\n"
        )
    };
    let given_up = |passive: &str| {
        let recording = simulate(&text(passive));
        let totals = &whole(&recording).totals;
        assert_eq!(totals[Issued], totals[Succeeded] + totals.total(Harm::Failed) + whole(&recording).in_flight);
        assert_eq!(causes(totals, Harm::Failed).len(), 1, "nothing else fails");
        totals.of(Harm::Failed, Cause::NoAnswer)
    };
    // A quarter of 40/s in the 28 s of which two more remain: those of the last two seconds are answered in the end.
    let all = given_up("\"none\"");
    assert!((250..=310).contains(&all), "{all}");
    // NGINX: those of the first two seconds, and one probe every 11 s.
    let nginx = given_up("\"nginx\"");
    assert!((12..=32).contains(&nginx), "{nginx}");
}

#[test]
fn a_slow_start_gives_a_returned_node_its_share_of_requests_little_by_little() {
    let share = |shape: &str, seconds: usize| {
        let text = format!(
            "duration = \"260s\"\nrecovery_hold = \"10s\"\n[cluster]\nnodes = 4\n[clients.c]\n\
             arrivals = {{ open = {{ rate = \"2000/s\" }}, initial = 0 }}\nrequests = 1\nthink = \"1s\"\n\
             service = \"1ms\"\n[fault.f]\nat = \"60s\"\nkill = {{ nodes = [\"n1\"], lasts = \"40s\" }}\n[balancer]\n\
             redispatch = true\nbalance = {{ random = {{ draws = 1 }} }}\nhealth = {{ interval = \"10ms\" }}\n\
             slow_start = {{ lasts = \"64s\", shape = {shape} }}\n"
        );
        let plan = plan(&text);
        let recording = Sim::new(&plan, 1, true).run(|| false).expect("nobody stops it").recording;
        let tick = &recording.nodes[(100 + seconds) * 4..(101 + seconds) * 4];
        // Relative to the others, 500 requests each.
        3.0 * tick[0].utilisation / tick[1..].iter().map(|node| node.utilisation).sum::<f64>()
    };
    for (shape, seconds, expected) in [
        ("\"haproxy\"", 10, 3.0 / 16.0),
        ("\"haproxy\"", 33, 9.0 / 16.0),
        ("\"haproxy\"", 70, 1.0),
        ("\"linear\"", 16, 0.25),
        ("\"linear\"", 48, 0.75),
        ("\"envoy\"", 3, 0.1),
        ("\"envoy\"", 32, 0.5),
        ("{ envoy = { aggression = 2.0 } }", 16, 0.5),
        ("\"envoy\"", 70, 1.0),
    ] {
        let found = share(shape, seconds);
        let agrees = (found - expected).abs() < 0.02 + 0.1 * expected;
        assert!(agrees, "{shape} after {seconds} s: {found}, not {expected}");
    }
}

#[test]
fn several_balancers_each_see_for_themselves() {
    // Each of four balancers pays for its own first failure.
    let text = asking("health.check = \"none\"\npassive = \"nginx\"\ninstances = 4\nspread = \"request\"");
    assert_eq!(failures(&text), [16, 0]);
    // And is marked down by each at a time of its own.
    let text = marked_down("interval = \"10s\", fall = 1", "refuse", "instances = 4\nspread = \"request\"")
        .replace("arrivals.initial = 4", "arrivals.initial = 400");
    let recording = run(&plan(&text), 1);
    let ticks = recording.ticks.iter().filter(|tick| tick.cluster.is_some());
    let cuts = ticks.filter(|tick| tick.totals.of(Harm::Dropped, Cause::MarkedDown) > 0).count();
    assert_eq!(cuts, 4);
}
