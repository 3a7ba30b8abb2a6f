//! New versions: who is on them, how bad ones show, and when they are taken back.
//!
//! The share of sessions on a canary has closed forms. With the share w and a cookie on the canary's side only, it is
//! 1 − (1 − w)^k after k requests. With cookies on both sides only new sessions are drawn: w·Fe(t), where Fe is the
//! distribution of the age of live sessions; when the weight falls back to nothing after t₁, w·(Fe(t) − Fe(t − t₁)).
//! How often a criterion strikes is a matter of binomial tails.

use super::lab::{causes, cells, figure, incident, plan, run, whole};
use rayon::prelude::*;
use stickysim::base::cause::{Cause, Harm};
use stickysim::cluster::plan::Plan;
use stickysim::observe::recorder::Recording;
use stickysim::observe::window::Window;

/// The windows of all populations, tick by tick.
fn ticks(recording: &Recording) -> Vec<&Window> {
    let each = recording.ticks.len() / (recording.ticks.iter().filter(|w| w.cluster.is_some()).count());
    recording.ticks.iter().skip(each - 1).step_by(each).collect()
}

/// A figure of each tick, averaged over so many seeds; 0 where it does not apply.
fn means(plan: &Plan, seeds: u64, name: &str) -> Vec<f64> {
    let column = stickysim::observe::columns::named(name).expect("there is such a column");
    let one = |seed| ticks(&run(plan, seed)).iter().map(|w| (column.get)(w).unwrap_or(0.0)).collect::<Vec<_>>();
    let each: Vec<Vec<f64>> = (1..=seeds).into_par_iter().map(one).collect();
    (0..each[0].len()).map(|tick| each.iter().map(|run| run[tick]).sum::<f64>() / seeds as f64).collect()
}

/// People who ask every 20 s, whoever answers; the release begins at 100 s with one step of 10 %.
fn paced(cookie: &str) -> Plan {
    plan(&format!(
        "duration = \"500s\"\ntick = \"20s\"\n[cluster]\nnodes = 4\nnode.concurrency = 1000\n[clients.web]\n\
         arrivals.initial = 2000\nlength = \"forever\"\npace = \"20s\"\nservice = \"1ms\"\n\
         [balancer]\nhealth.check = \"none\"\n[version.v2]\n[change.new]\nat = \"100s\"\n\
         canary = {{ version = \"v2\", steps = [\"10%\"], hold = \"1h\", cookie = \"{cookie}\" }}\n"
    ))
}

#[test]
fn a_cookie_on_one_side_brings_everybody_there() {
    let share = means(&paced("one_sided"), 4, "canary_sessions_ratio");
    let requests = means(&paced("one_sided"), 4, "canary_requests_ratio");
    let after = |k: u32| 1.0 - (0..k).fold(1.0, |left, _| left * 0.9);
    assert!(share[..5].iter().all(|&share| share == 0.0), "before it begins");
    for k in 0..20_u32 {
        // Within a tick everybody asks once: on average they have asked k and a half times.
        let exact = (after(k) + after(k + 1)) / 2.0;
        let found = share[5 + k as usize];
        // Four runs of 2,000 people: 4 σ are at most 4 · 0.5/√8000 = 0.022.
        assert!((found - exact).abs() < 0.022, "after {k} requests {found:.3}, not {exact:.3}");
        let found = requests[5 + k as usize];
        assert!((found - after(k + 1)).abs() < 0.022, "the {k}-th: {found:.3}, not {:.3}", after(k + 1));
    }
}

#[test]
fn without_a_cookie_every_request_is_drawn_and_with_one_for_the_version_everybody_once() {
    for (cookie, moves_on) in [("none", true), ("version", false)] {
        let plan = paced(cookie);
        let share = means(&plan, 4, "canary_requests_ratio");
        assert!(share[5..].iter().all(|share| (share - 0.1).abs() < 0.014), "{cookie}: {share:.3?}");
        let exposed = figure(incident(&run(&plan, 1)), "sessions_exposed_total") / 2000.0;
        // 20 draws each, or one.
        let exact = if moves_on { 1.0 - (0..20).fold(1.0, |left, _| left * 0.9) } else { 0.1 };
        assert!((exposed - exact).abs() < 4.0 * (exact * (1.0 - exact) / 2000.0_f64).sqrt(), "{cookie}: {exposed:.3}");
    }
}

#[test]
fn with_cookies_on_both_sides_those_who_are_there_stay_where_they_are() {
    let found = means(&paced("two_sided"), 1, "canary_requests_ratio");
    assert!(found.iter().all(|&share| share == 0.0), "nobody is new: {found:?}");
}

/// A steady stream of sessions of this length; new ones are drawn from 2 min on, for `hold`.
fn streaming(length: &str, hold: &str, affinity: &str) -> Plan {
    plan(&format!(
        "duration = \"62m\"\ntick = \"1m\"\n[cluster]\nnodes = 4\nnode.concurrency = 1000\n[clients.web]\n\
         arrivals.open.rate = \"4/s\"\nlength = {length}\nthink = \"10m\"\nservice = \"1ms\"\n\
         [balancer]\nhealth.check = \"none\"\naffinity = \"{affinity}\"\n[version.v2]\n[change.new]\nat = \"2m\"\n\
         canary = {{ version = \"v2\", steps = [\"10%\"], hold = \"{hold}\", cookie = \"two_sided\", then = \"abort\", \
         drain_timeout = \"5h\" }}\n"
    ))
}

#[test]
fn with_cookies_on_both_sides_the_share_of_sessions_is_that_of_the_young() {
    let exponential = |minutes: f64| 1.0 - libm::exp(-minutes / 30.0);
    // Live sessions of a length that is uniform up to 1 h have the age t with density (1 − t/60)/30.
    let uniform = |minutes: f64| minutes / 30.0 - minutes * minutes / 3600.0;
    let cases: [(&str, &dyn Fn(f64) -> f64); 2] = [
        ("{ exponential = { mean = \"30m\" } }", &exponential),
        ("{ uniform = { min = \"0s\", max = \"1h\" } }", &uniform),
    ];
    for (length, young) in cases {
        for (stops, affinity) in [(60.0, "none"), (15.0, "none"), (30.0, "none"), (15.0, "cookie")] {
            let plan = streaming(length, &format!("{stops}m"), affinity);
            let runs: Vec<Recording> = (1..=3).into_par_iter().map(|seed| run(&plan, seed)).collect();
            for minutes in [5.0, 15.0, 30.0, 45.0, 60.0_f64] {
                let exact = 0.1 * (young(minutes) - young((minutes - stops).max(0.0)));
                let at = |recording: &Recording| ticks(recording)[1 + minutes as usize].clone();
                let (new, live) = runs.iter().map(at).fold((0, 0), |(n, l), w| (n + w.on_new, l + w.live));
                let found = new as f64 / live as f64;
                // Three runs of 7,200: 4 σ are 4·√(exact/21600).
                let close = (found - exact).abs() < 4.0 * (exact / 21_600.0).sqrt() + 0.0005;
                assert!(close, "{length}, {affinity}, stopped after {stops}: {found:.4} at {minutes}, not {exact:.4}");
            }
        }
    }
}

#[test]
fn a_node_that_remembers_a_session_is_overruled_by_the_side_that_it_is_drawn_for() {
    let text = "duration = \"10m\"\n[cluster]\nnodes = 4\n[clients.web]\narrivals.initial = 500\nlength = \"forever\"\n\
                pace = \"10s\"\nservice = \"1ms\"\n[balancer]\nhealth.check = \"none\"\naffinity = \"cookie\"\n\
                [version.v2]\n[change.new]\nat = \"1m\"\n\
                canary = { version = \"v2\", steps = [\"50%\"], hold = \"1h\", cookie = \"none\" }\n";
    let recording = run(&plan(text), 1);
    let window = incident(&recording);
    // Who was on the other side before is so with one half, whatever it was before.
    let moved = figure(window, "sessions_moved_total") / figure(window, "requests_succeeded_total");
    assert!((moved - 0.5).abs() < 0.02, "{moved}");
    let causes = causes(&window.totals, Harm::Moved);
    assert_eq!(causes.iter().map(|&(cause, _)| cause).collect::<Vec<_>>(), [Cause::OtherVersion]);
}

/// What a release leaves: nodes, and the share of the new version; and the window that it began.
fn promoted(sets: &[&str]) -> (f64, f64, Window) {
    let text = "duration = \"20m\"\ntick = \"10s\"\n[cluster]\nnodes = 4\n[clients.web]\narrivals.open.rate = \"2/s\"\n\
                length = { exponential = { mean = \"2m\" } }\nthink = \"5s\"\nservice = \"10ms\"\n\
                [state.memory]\nrebuild.service = \"20ms\"\n[balancer]\naffinity = \"cookie\"\n\
                [version.v2]\n[change.new]\nat = \"1m\"\n\
                canary = { version = \"v2\", steps = [\"10%\", \"50%\"], hold = \"2m\", cookie = \"two_sided\" }\n";
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let recording = run(&cells(text, &sets).remove(0).plan, 1);
    let ticks = ticks(&recording);
    let last = ticks.last().unwrap();
    assert_eq!(figure(last, "requests_failed_total"), 0.0);
    (figure(last, "nodes_ready_mean"), figure(last, "canary_requests_ratio"), incident(&recording).clone())
}

#[test]
fn a_release_that_is_promoted_replaces_all_nodes() {
    let (nodes, share, window) = promoted(&[]);
    let took = figure(&window, "rollout_time_s");
    assert_eq!((nodes, share), (4.0, 1.0));
    // The checks find new nodes, twice; two steps; then 30 s for the old ones.
    assert!((270.0..300.0).contains(&took), "{took}");
    let (nodes, share, _) = promoted(&["change.new.canary.nodes = 6"]);
    assert_eq!((nodes, share), (6.0, 1.0), "more were wanted from the beginning");
    let (nodes, share, _) = promoted(&["change.new.canary.then = \"abort\""]);
    assert_eq!((nodes, share), (4.0, 0.0));
    let (nodes, share, _) =
        promoted(&["change.again.at = \"2m\"", "change.again.reload.times = 3", "change.again.reload.every = \"50s\""]);
    assert_eq!((nodes, share), (4.0, 1.0), "balancers that begin anew know the sides");
}

/// A hundred people, each of whom asks ten times a second.
fn busy(version: &str, change: &str) -> Plan {
    plan(&format!(
        "duration = \"5m\"\ntick = \"10s\"\n[cluster]\nnodes = 4\nnode.concurrency = 1000\n[clients.web]\n\
         arrivals.initial = 20\nlength = \"forever\"\npace = \"200ms\"\nservice = \"1ms\"\n\
         reconnect = {{ fixed = {{ delay = \"200ms\" }} }}\n[balancer]\nhealth.interval = \"200ms\"\n\
         redispatch = true\n[version.bad]\n{version}\n[change.new]\nat = \"50s\"\n{change}\n"
    ))
}

#[test]
fn a_roll_installs_a_version_node_by_node_and_its_errors_are_its_own() {
    let plan = busy("error_ratio = \"10%\"", "rolling = { version = \"bad\", restart = \"1s\", pause = \"30s\" }");
    let recording = run(&plan, 1);
    let share: Vec<f64> = ticks(&recording).iter().map(|w| figure(w, "canary_requests_ratio")).collect();
    assert!(share[..5].iter().all(|&share| share == 0.0) && share[20..].iter().all(|&share| share == 1.0));
    assert!(share.windows(2).all(|pair| pair[1] > pair[0] - 0.2) && share.iter().any(|s| (0.4..0.6).contains(s)));
    let window = whole(&recording);
    let (served, failed) = (figure(window, "canary_failed_ratio"), causes(&window.totals, Harm::Failed));
    assert!((served - 0.1).abs() < 0.01, "{served}");
    assert_eq!(failed.iter().map(|&(cause, _)| cause).collect::<Vec<_>>(), [Cause::BadVersion]);
}

#[test]
fn a_slow_version_takes_longer_and_one_that_dies_dies_again_and_again() {
    let roll = "rolling = { version = \"bad\", restart = \"1s\", drain_timeout = \"1s\" }";
    let recording = run(&busy("slowdown = 40.0", roll), 1);
    let last = *ticks(&recording).last().unwrap();
    assert!((figure(last, "response_time_ms_p50") / 40.0 - 1.0).abs() < 0.01);
    let recording = run(&busy("dies_after = \"7s\"", roll), 1);
    assert!(figure(whole(&recording), "node_restarts_total") > 12.0);
}

#[test]
fn a_version_that_leaks_is_killed_when_its_memory_is_full() {
    let plan = plan(
        "duration = \"10m\"\n[cluster]\nnodes = 1\nnode.memory = { base = \"100MiB\", limit = \"200MiB\" }\n\
         [clients.web]\narrivals.initial = 20\nlength = \"forever\"\npace = \"1s\"\nservice = \"1ms\"\n\
         [version.bad]\nleak = \"100KiB\"\n[change.new]\nat = \"1m\"\nrolling = { version = \"bad\" }\n",
    );
    let kills = figure(whole(&run(&plan, 1)), "node_oom_kills_total");
    // 1,024 requests fill it, at 20/s: every 51 s of some 530 s, with pauses of up to 160 s after each death.
    assert!((3.0..=6.0).contains(&kills), "{kills}");
}

#[test]
fn state_in_the_form_of_another_version_is_lost_once_for_each_crossing() {
    let text = "duration = \"10m\"\n[cluster]\nnodes = 4\n[clients.web]\narrivals.initial = 100\nlength = \"forever\"\n\
                pace = \"10s\"\nservice = \"1ms\"\n[state.store]\nread = \"1ms\"\nwrite = \"1ms\"\n\
                [balancer]\nhealth.check = \"none\"\n[version.v2]\nincompatible = true\n[change.new]\nat = \"100s\"\n\
                canary = { version = \"v2\", steps = [\"50%\"], hold = \"1h\" }\n";
    let lost = |text: &str| {
        let recording = run(&plan(text), 1);
        let window = incident(&recording);
        let lost = causes(&window.totals, Harm::Lost);
        (lost, figure(window, "sessions_lost_total") / figure(window, "requests_succeeded_total"))
    };
    let (causes, ratio) = lost(text);
    assert_eq!(causes.iter().map(|&(cause, _)| cause).collect::<Vec<_>>(), [Cause::Incompatible]);
    assert!((ratio - 0.5).abs() < 0.03, "every other request comes to the other side: {ratio}");
    assert_eq!(lost(&text.replace("incompatible = true", "")).0, []);
    let (_, held) = lost(&text.replace("\"1h\" }", "\"1h\", cookie = \"version\" }"));
    assert!((held - 0.5 / 50.0).abs() < 0.004, "half of them cross, once in fifty requests: {held}");
}

/// P(X > most) for X of n with probability p each.
fn tail(n: u32, p: f64, most: u32) -> f64 {
    let mut term = libm::exp(f64::from(n) * libm::log(1.0 - p));
    let mut below = term;
    for k in 0..most {
        term *= f64::from(n - k) / f64::from(k + 1) * p / (1.0 - p);
        below += term;
    }
    1.0 - below
}

/// Everybody is on the new version, whose error ratio this is; every 10 s the 1,000 requests since the last look are
/// looked at. When, if ever, the change was rolled back: looks after the first step, by seed.
fn looks(error_ratio: f64, failures: u32, seeds: u64) -> Vec<Option<f64>> {
    let change = format!(
        "canary = {{ version = \"bad\", steps = [\"100%\"], hold = \"1h\" }}\n\
         rollback = {{ error_ratio = \"1%\", window = \"10s\", every = \"10s\", failures = {failures} }}"
    );
    let plan = busy(&format!("error_ratio = \"{}%\"", error_ratio * 100.0), &change);
    let looks = |seed: u64| {
        let recording = run(&plan, seed);
        let window = incident(&recording);
        let undone = figure(window, "rollback_triggered") == 1.0;
        undone.then(|| figure(window, "rollback_detection_s") / 10.0)
    };
    (1..=seeds).into_par_iter().map(looks).collect()
}

#[test]
fn how_often_and_how_soon_a_criterion_strikes_is_a_matter_of_binomial_tails() {
    const SEEDS: u64 = 80;
    // The first look, before all new nodes are seen, is at some less than 1,000; 25 looks until the end.
    for (ratio, failures) in [(0.005, 1), (0.012, 1), (0.012, 2)] {
        let found = looks(ratio, failures, SEEDS);
        let strikes = tail(1_000, ratio, 10);
        let survives = |looks: i32| {
            let none = libm::pow(1.0 - strikes, f64::from(looks));
            let one = f64::from(looks) * strikes * libm::pow(1.0 - strikes, f64::from(looks - 1));
            if failures == 1 { none } else { none + one }
        };
        for within in [1, 2, 4, 12, 24] {
            let exact = 1.0 - survives(within);
            let n = found.iter().filter(|look| look.is_some_and(|look| look <= f64::from(within) + 0.1)).count();
            let share = n as f64 / SEEDS as f64;
            let sigma = (exact * (1.0 - exact) / SEEDS as f64).sqrt();
            let message = format!("{ratio}, {failures}: {share:.3} within {within} looks, not {exact:.3}");
            assert!((share - exact).abs() < 3.5 * sigma + 0.015, "{message}");
        }
    }
}

#[test]
fn a_roll_that_is_rolled_back_leaves_nobody_on_the_bad_version() {
    for rolling in [
        "restart = \"2s\", pause = \"10s\"",
        "restart = \"2s\", batch = 2, how = \"kill\"",
        "restart = \"2s\", surge_max = 1, drain_timeout = \"5s\", pause = \"10s\"",
        "restart = \"2s\", surge_max = 2, batch = 2, drain_timeout = \"3s\", pause = \"10s\"",
    ] {
        for bad in ["error_ratio = \"20%\"", "dies_after = \"3s\"\nerror_ratio = \"20%\"", "slowdown = 100.0"] {
            let change = format!(
                "rolling = {{ version = \"bad\", {rolling} }}\n\
                 rollback = {{ error_ratio = \"5%\", p99 = \"50ms\", every = \"5s\", window = \"10s\", samples_min = 20, \
                 watch = \"20s\" }}"
            );
            let recording = run(&busy(bad, &change), 1);
            let (window, last) = (incident(&recording), *ticks(&recording).last().unwrap());
            assert_eq!(figure(window, "rollback_triggered"), 1.0, "{rolling}, {bad}");
            assert!(figure(window, "rollback_detection_s") < 60.0, "{rolling}, {bad}");
            assert_eq!(figure(window, "completed_ratio"), 1.0, "{rolling}, {bad}");
            assert_eq!(figure(last, "canary_requests_ratio"), 0.0, "{rolling}, {bad}");
            assert_eq!(figure(last, "canary_sessions_last"), 0.0, "{rolling}, {bad}");
            assert_eq!(figure(last, "nodes_ready_mean"), 4.0, "{rolling}, {bad}");
        }
    }
}

#[test]
fn a_baseline_forgives_what_befalls_both_versions() {
    let triggered = |against: &str| {
        let change = format!(
            "canary = {{ version = \"bad\", steps = [\"50%\"], hold = \"1h\" }}\n\
             rollback = {{ p99 = \"30ms\", every = \"5s\", window = \"10s\", against = \"{against}\" }}\n\
             [fault.slow]\nat = \"2m\"\nslow = {{ nodes = {{ share = \"100%\" }}, speed = \"2%\" }}\n"
        );
        figure(whole(&run(&busy("", &change), 1)), "canary_sessions_last") == 0.0
    };
    assert!(triggered("absolute") && !triggered("baseline"));
}

#[test]
fn a_roll_that_is_complete_is_rolled_back_to_what_ran_before_it() {
    // Four nodes are new within 20 s, too soon to have failed a look; the next comes 40 s after the beginning.
    for rolling in
        ["restart = \"1s\"", "restart = \"1s\", surge_max = 2", "restart = \"1s\", batch = 4, how = \"kill\""]
    {
        let change = format!(
            "rolling = {{ version = \"bad\", drain_timeout = \"1s\", {rolling} }}\n\
             rollback = {{ error_ratio = \"5%\", every = \"40s\", window = \"10s\", watch = \"1m\" }}"
        );
        let recording = run(&busy("error_ratio = \"20%\"", &change), 1);
        let (window, last) = (incident(&recording), *ticks(&recording).last().unwrap());
        let everybody = ticks(&recording).iter().any(|tick| figure(tick, "canary_requests_ratio") == 1.0);
        assert!(everybody, "{rolling}: it was complete");
        assert_eq!(figure(window, "rollback_detection_s"), 40.0, "{rolling}");
        assert_eq!(figure(window, "completed_ratio"), 1.0, "{rolling}");
        assert_eq!(figure(last, "canary_requests_ratio"), 0.0, "{rolling}");
        assert_eq!(figure(last, "requests_failed_total"), 0.0, "{rolling}");
        assert_eq!(figure(last, "nodes_ready_mean"), 4.0, "{rolling}");
    }
}

#[test]
fn nodes_that_are_added_after_a_rollback_run_what_ran_before() {
    let change = "rolling = { version = \"bad\", drain_timeout = \"1s\", restart = \"1s\" }\n\
                  rollback = { error_ratio = \"5%\", every = \"40s\", window = \"10s\", watch = \"1m\" }\n\
                  [change.out]\nat = \"3m\"\nscale_out = { nodes = 4 }";
    let recording = run(&busy("error_ratio = \"20%\"", change), 1);
    let last = *ticks(&recording).last().unwrap();
    assert_eq!((figure(last, "nodes_ready_mean"), figure(last, "canary_requests_ratio")), (8.0, 0.0));
    // Without a criterion they run what the cluster has settled on.
    let settled: String = change.lines().filter(|line| !line.contains("rollback")).collect::<Vec<_>>().join("\n");
    let recording = run(&busy("error_ratio = \"20%\"", &settled), 1);
    let last = *ticks(&recording).last().unwrap();
    assert_eq!((figure(last, "nodes_ready_mean"), figure(last, "canary_requests_ratio")), (8.0, 1.0));
}

#[test]
fn a_gate_that_the_new_version_shuts_does_not_keep_the_old_one_out() {
    let change = "rolling = { version = \"bad\", drain_timeout = \"1s\", restart = \"1s\", ready_min = \"5s\", \
                  gate = { error_ratio = \"1%\", over = \"30s\" } }\n\
                  rollback = { error_ratio = \"5%\", every = \"20s\", window = \"10s\" }";
    let recording = run(&busy("error_ratio = \"40%\"", change), 1);
    let (window, last) = (incident(&recording), *ticks(&recording).last().unwrap());
    assert_eq!(figure(window, "rollback_detection_s"), 20.0);
    assert!(figure(window, "rollout_time_s") < 40.0);
    assert_eq!((figure(window, "completed_ratio"), figure(last, "canary_requests_ratio")), (1.0, 0.0));
}

#[test]
fn a_criterion_can_be_varied_beside_its_change() {
    let text = "duration = \"2m\"\n[cluster]\nnodes = 2\n[clients.web]\narrivals.initial = 10\nlength = \"forever\"\n\
                think = \"1s\"\nservice = \"1ms\"\n[version.v2]\nerror_ratio = \"50%\"\n[change.new]\nat = \"10s\"\n\
                rolling = { version = \"v2\", restart = \"1s\", pause = \"1m\" }\n\
                [sweep]\n\"change.new.rollback.error_ratio\" = [\"10%\", \"90%\"]\n";
    let cells = cells(text, &[]);
    let triggered: Vec<f64> =
        cells.iter().map(|cell| figure(incident(&run(&cell.plan, 1)), "rollback_triggered")).collect();
    assert_eq!(triggered, [1.0, 0.0]);
}

#[test]
fn a_release_whose_nodes_never_come_up_says_so_and_is_taken_back() {
    let outcome = |deadline: &str| {
        let change = format!("canary = {{ version = \"bad\", nodes = 2, steps = [\"10%\"], hold = \"1m\"{deadline} }}");
        let recording = run(&busy("dies_after = \"100ms\"", &change), 1);
        let last = *ticks(&recording).last().unwrap();
        let window = incident(&recording);
        assert_eq!(figure(window, "completed_ratio"), 0.0);
        assert_eq!(figure(window, "sessions_exposed_total"), 0.0);
        assert_eq!(figure(last, "requests_failed_total"), 0.0);
        (figure(window, "stalled_ratio"), figure(last, "node_restarts_total"))
    };
    let (stalled, restarts) = outcome(", progress_deadline = \"40s\"");
    assert_eq!((stalled, restarts), (1.0, 0.0));
    assert_eq!(outcome("").0, 0.0, "it goes on trying");
}

#[test]
fn hours_of_nodes_count_as_mixed_while_two_versions_run() {
    let mixed = |change: &str| figure(incident(&run(&busy("", change), 1)), "node_hours_mixed") * 3600.0;
    // n1 is new at 1 s, n2 at 31 s, n3 at 61 s; n4 stops at 90 s, and all that run are alike. Four nodes all the time.
    let roll = "rolling = { version = \"bad\", how = \"kill\", restart = \"1s\", pause = \"29s\" }";
    let found = mixed(roll);
    assert!((found - 4.0 * 89.0).abs() < 4.0 * 3.0, "{found} s");
    assert_eq!(mixed("rolling = { version = \"bad\", how = \"kill\", batch = 4 }"), 0.0);
    assert_eq!(mixed("rolling = { version = \"v1\", how = \"kill\" }"), 0.0);
    // Five nodes from the order of the new one to its end.
    let canary = "canary = { version = \"bad\", steps = [\"50%\"], hold = \"1m\", then = \"abort\" }";
    let found = mixed(canary);
    assert!((found - 5.0 * 60.0).abs() < 5.0 * 1.5, "{found} s");
}
