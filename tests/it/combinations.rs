//! Changes that meet: a roll, a release or a switch under way while something else adds nodes or takes them away. Whatever
//! happens, each comes to its end, the cluster has as many nodes as it should, and all run the version that was brought.

use super::lab::{figure, simulate, whole};
use stickysim::observe::columns;
use stickysim::observe::recorder::Recording;

/// Requests one by one on six nodes that start within 5 s; `v2` is as good as the first version, `v3` fails half of all.
fn scene(cluster: &str, changes: &str) -> Recording {
    simulate(&format!(
        "duration = \"8m\"\ntick = \"10s\"\nrecovery_hold = \"1s\"\n[cluster]\nnodes = 6\n\
         node = {{ concurrency = 8, start = \"5s\" }}\n{cluster}\n[clients.web]\n\
         arrivals = {{ open.rate = \"20/s\", initial = 0 }}\nrequests = 1\nthink = \"1s\"\nservice = \"20ms\"\n\
         [balancer]\nredispatch = true\nhealth.interval = \"1s\"\n[version.v2]\n[version.v3]\nerror_ratio = \"50%\"\n\
         {changes}"
    ))
}

/// An autoscaler that goes by the clock alone: (seconds, nodes).
fn by_clock(steps: &[(u32, u32)], more: &str) -> String {
    let steps: Vec<String> = steps.iter().map(|(at, nodes)| format!("{{ at = \"{at}s\", nodes = {nodes} }}")).collect();
    format!(
        "autoscaler = {{ nodes_min = 1, nodes_max = 12, sync = \"5s\", schedule = {{ steps = [{}] }}, \
         down = {{ window = \"5s\", period = \"5s\", drain_timeout = \"10s\"{more} }} }}",
        steps.join(", ")
    )
}

/// What a column shows at each tick of all populations.
fn course(recording: &Recording, name: &str) -> Vec<f64> {
    let scopes = recording.runs.len();
    recording.ticks.iter().skip(scopes - 1).step_by(scopes).map(|tick| figure(tick, name)).collect()
}

fn last(recording: &Recording, name: &str) -> f64 {
    *course(recording, name).last().unwrap()
}

/// In the end every change is complete, there are so many nodes, and this share of requests meets another version than
/// the first: every turn has come.
fn ends_with(recording: &Recording, nodes: f64, on_new: f64, what: &str) {
    for (_, window) in &recording.incidents {
        assert_eq!(figure(window, "completed_ratio"), 1.0, "{what}");
    }
    let found = ["nodes_wanted_mean", "nodes_ready_mean", "canary_requests_ratio"].map(|name| last(recording, name));
    assert_eq!(found, [nodes, nodes, on_new], "{what}: {:?}", course(recording, "nodes_wanted_mean"));
}

const SURGE: &str = "[change.a]\nat = \"30s\"\n\
                     rolling = { version = \"v2\", surge_max = 1, unavailable_max = 0, pause = \"3s\" }\n";
const IN_PLACE: &str = "[change.a]\nat = \"30s\"\nrolling = { version = \"v2\", restart = \"8s\" }\n";
const CANARY: &str = "[change.a]\nat = \"30s\"\n\
                      canary = { version = \"v2\", nodes = 2, steps = [\"20%\"], hold = \"60s\", drain_timeout = \"20s\" }\n";

#[test]
fn a_roll_with_surge_ends_though_some_of_its_new_nodes_are_taken_away() {
    for (at, to) in [(45, 5), (55, 5), (65, 5), (65, 3)] {
        let recording = scene(&by_clock(&[(0, 6), (at, to)], ""), SURGE);
        ends_with(&recording, f64::from(to), 1.0, &format!("{to} nodes from {at} s on"));
    }
    for at in [40, 50, 60, 75] {
        let evacuate = format!("[change.b]\nat = \"{at}s\"\nevacuate = {{ nodes = 3, drain_timeout = \"5s\" }}\n");
        ends_with(&scene("", &(SURGE.to_owned() + &evacuate)), 6.0, 1.0, &format!("evacuated at {at} s"));
    }
}

#[test]
fn a_roll_goes_on_when_the_node_whose_turn_it_is_is_taken_away() {
    // From 30 s on n1 is away for 8 s, then starts for 5 s.
    for at in [31, 37, 40, 43] {
        let change = |kind: &str| format!("{IN_PLACE}[change.b]\nat = \"{at}s\"\n{kind} = {{ nodes = [\"n1\"] }}\n");
        ends_with(&scene("", &change("evacuate")), 6.0, 1.0, &format!("evacuated at {at} s"));
        ends_with(&scene("", &change("scale_in")), 5.0, 1.0, &format!("scaled in at {at} s"));
    }
}

#[test]
fn the_autoscaler_leaves_the_nodes_of_a_release_alone() {
    // Two nodes on top of what it wants, from 35 s until the release has everything, some 60 s later.
    for (at, to) in [(60, 6), (60, 5), (60, 11), (93, 8)] {
        let recording = scene(&by_clock(&[(0, 6), (at, to)], ""), CANARY);
        ends_with(&recording, f64::from(to), 1.0, &format!("{to} nodes from {at} s on"));
        let wanted = course(&recording, "nodes_wanted_mean");
        assert_eq!(wanted[4..6], [8.0; 2], "{wanted:?}");
        if at == 60 {
            assert_eq!(wanted[8], f64::from(to + 2), "{wanted:?}");
        }
        let on_new = course(&recording, "canary_requests_ratio");
        assert!(on_new[4..9].iter().all(|ratio| (0.08..0.35).contains(ratio)), "{on_new:?}");
    }
    let scale_in = "[change.b]\nat = \"60s\"\nscale_in = { nodes = 2, victim = \"newest\" }\n";
    ends_with(&scene("", &(CANARY.to_owned() + scale_in)), 4.0, 1.0, "the newest that are no part of the release");
}

#[test]
fn the_autoscaler_does_not_reckon_with_what_a_roll_has_for_a_moment() {
    for surge in [SURGE.to_owned(), SURGE.replace("surge_max = 1", "surge_max = 3")] {
        let [alone, watched] = ["".to_owned(), by_clock(&[(0, 6)], "")].map(|cluster| scene(&cluster, &surge));
        ends_with(&watched, 6.0, 1.0, &surge);
        let most = course(&watched, "nodes_wanted_mean").into_iter().fold(0.0, f64::max);
        assert!(most > 6.0, "{most}: there is more for a moment");
        let scaled = ["scale_outs_total", "scale_ins_total"].map(|name| figure(whole(&watched), name));
        assert_eq!(scaled, [0.0, 0.0], "{surge}");
        assert_eq!(of_each(&watched, "rollout_time_s"), of_each(&alone, "rollout_time_s"));
    }
}

#[test]
fn a_roll_a_switch_and_a_scale_in_leave_the_nodes_of_a_release_alone() {
    // A fifth of all requests, for good; what else begins is about the six old nodes.
    let stays = CANARY.replace("hold = \"60s\"", "hold = \"6m\", then = \"stay\"");
    for (change, nodes, restarts) in [
        ("rolling = { restart = \"1s\" }", 8.0, 6.0),
        ("rolling = { version = \"v1\", surge_max = 2 }", 8.0, 0.0),
        ("blue_green = { scale_down_delay = \"5s\" }", 8.0, 0.0),
        ("scale_in = { nodes = { share = \"67%\" } }", 4.0, 0.0),
    ] {
        let recording = scene("", &format!("{stays}[change.b]\nat = \"90s\"\n{change}\n"));
        assert_eq!(of_each(&recording, "completed_ratio")[1], Some(1.0), "{change}");
        assert_eq!(last(&recording, "nodes_ready_mean"), nodes, "{change}");
        assert_eq!(figure(whole(&recording), "node_restarts_total"), restarts, "{change}");
        let on_new = course(&recording, "canary_requests_ratio");
        assert!(on_new[4..].iter().all(|ratio| (0.08..0.35).contains(ratio)), "{change}: {on_new:?}");
    }
}

#[test]
fn a_promotion_has_the_last_word_on_what_began_before_it() {
    // It comes at 95 s at the earliest; whatever was rolled then fails half of all, and goes.
    let out = "[change.c]\nat = \"5m\"\nscale_out = { nodes = 2 }\n";
    for rolling in
        ["restart = \"1s\"", "restart = \"8s\", pause = \"20s\"", "surge_max = 1", "surge_max = 2, pause = \"9s\""]
    {
        for at in [40, 70, 93] {
            let roll = format!("[change.b]\nat = \"{at}s\"\nrolling = {{ version = \"v3\", {rolling} }}\n");
            let recording = scene("", &format!("{CANARY}{roll}{out}"));
            ends_with(&recording, 8.0, 1.0, &roll);
            assert_eq!(last(&recording, "requests_failed_ratio"), 0.0, "{roll}");
        }
    }
    for at in [40, 70, 93] {
        let back = format!("[change.b]\nat = \"{at}s\"\nblue_green = {{ version = \"v3\" }}\n");
        let recording = scene("", &format!("{CANARY}{back}{out}"));
        ends_with(&recording, 8.0, 1.0, &back);
        assert_eq!(last(&recording, "requests_failed_ratio"), 0.0, "{back}");
    }
    // Taken back after the promotion, it brings nobody back whom the promotion has brought.
    let late = "[change.b]\nat = \"60s\"\nrolling = { version = \"v3\", restart = \"1s\" }\n\
                rollback = { error_ratio = \"10%\", every = \"70s\", window = \"70s\", watch = \"2m\" }\n";
    let recording = scene("", &format!("{CANARY}{late}{out}"));
    ends_with(&recording, 8.0, 1.0, "taken back late");
    assert_eq!(
        (of_each(&recording, "rollback_triggered")[1], last(&recording, "requests_failed_ratio")),
        (Some(1.0), 0.0)
    );
}

#[test]
fn old_nodes_that_go_while_a_release_is_under_way_go_once() {
    let steps = [(0, 8), (60, 5), (180, 12), (240, 4), (300, 12), (360, 4), (420, 12)];
    ends_with(&scene(&by_clock(&steps, ", victim = \"oldest\""), CANARY), 12.0, 1.0, "again and again");
}

#[test]
fn nodes_that_come_while_a_version_is_brought_run_it_in_the_end() {
    for change in [IN_PLACE, SURGE, CANARY] {
        ends_with(&scene(&by_clock(&[(0, 6), (50, 10)], ""), change), 10.0, 1.0, change);
        // Wanted before the change is complete, started after.
        let late = by_clock(&[(0, 6), (65, 8)], "").replace("nodes_min", "start = \"90s\", nodes_min");
        ends_with(&scene(&late, change), 8.0, 1.0, change);
        let out = format!("{change}[change.b]\nat = \"50s\"\nscale_out = {{ nodes = 3 }}\n");
        ends_with(&scene("", &out), 9.0, 1.0, &out);
        let evacuate =
            format!("{change}[change.b]\nat = \"50s\"\nevacuate = {{ nodes = 2, drain_timeout = \"5s\" }}\n");
        ends_with(&scene("", &evacuate), 6.0, 1.0, &evacuate);
    }
}

#[test]
fn a_roll_that_is_taken_back_keeps_the_nodes_that_have_come_meanwhile() {
    for rolling in ["surge_max = 1, unavailable_max = 0", "restart = \"1s\""] {
        let recording = scene(
            "",
            &format!(
                "[change.a]\nat = \"30s\"\nrolling = {{ version = \"v3\", {rolling}, pause = \"5s\" }}\n\
                 rollback = {{ error_ratio = \"10%\", window = \"30s\", every = \"40s\" }}\n\
                 [change.b]\nat = \"45s\"\nscale_out = {{ nodes = 6 }}\n"
            ),
        );
        ends_with(&recording, 12.0, 0.0, rolling);
    }
}

/// By incident of all populations, in the order in which they began: a figure of each.
fn of_each(recording: &Recording, name: &str) -> Vec<Option<f64>> {
    let all = recording.runs.last().unwrap().0;
    let get = columns::named(name).unwrap().get;
    recording.incidents.iter().filter(|(scope, _)| *scope == all).map(|(_, window)| get(window)).collect()
}

#[test]
fn a_change_is_followed_to_its_own_end_whatever_begins_meanwhile() {
    // The nodes weigh what they weighed before, so that only the window of the roll is cut short.
    let nothing = "[change.b]\nat = \"45s\"\nweight = { nodes = 6, weight = 1 }\n";
    for change in [SURGE, IN_PLACE, CANARY] {
        let [alone, cut] = [change.to_owned(), change.to_owned() + nothing].map(|changes| scene("", &changes));
        let took = of_each(&alone, "rollout_time_s")[0];
        assert!(took > Some(30.0), "{took:?}, long after the other began");
        assert_eq!(of_each(&cut, "rollout_time_s")[0], took);
        assert_eq!(of_each(&cut, "completed_ratio"), [Some(1.0); 2]);
    }
    let bad = "[change.a]\nat = \"30s\"\nrolling = { version = \"v3\", restart = \"1s\", pause = \"15s\" }\n\
               rollback = { error_ratio = \"10%\", window = \"20s\", every = \"20s\" }\n";
    let [alone, cut] = [bad.to_owned(), bad.to_owned() + nothing].map(|changes| scene("", &changes));
    for name in ["rollback_triggered", "rollback_detection_s", "completed_ratio", "rollout_time_s"] {
        assert_eq!(of_each(&cut, name)[0], of_each(&alone, name)[0], "{name}");
    }
    assert_eq!(of_each(&cut, "rollback_triggered"), [Some(1.0), None]);
    assert!(of_each(&cut, "rollback_detection_s")[0] > Some(15.0), "after the other began");
}

#[test]
fn what_is_given_up_or_never_ends_is_not_complete_when_something_else_has_begun() {
    let later = "[change.b]\nat = \"3m\"\nscale_out = { nodes = 1 }\n";
    let given_up = "[change.a]\nat = \"30s\"\nrolling = { surge_max = 1, gate.utilisation = \"0%\", \
                    progress_deadline = \"4m\" }\n";
    for (change, stalled) in [(given_up, 1.0), (&given_up.replace(", progress_deadline = \"4m\"", ""), 0.0)] {
        let recording = scene("", &(change.to_owned() + later));
        assert_eq!(of_each(&recording, "completed_ratio"), [Some(0.0), Some(1.0)]);
        assert_eq!(of_each(&recording, "stalled_ratio"), [Some(stalled), Some(0.0)]);
        assert_eq!(of_each(&recording, "rollout_time_s")[0], None);
    }
}

#[test]
fn a_second_deploy_is_held_against_what_the_first_has_brought() {
    // Whether and when the second is taken back; half of all fail with v3.
    let outcome = |first: &str, second: &str, against: &str| {
        let recording = scene(
            "",
            &format!(
                "[change.one]\nat = \"30s\"\nrolling = {{ version = \"{first}\", restart = \"1s\" }}\n\
                 [change.two]\nat = \"3m\"\nrolling = {{ version = \"{second}\", restart = \"1s\", pause = \"20s\" }}\n\
                 rollback = {{ error_ratio = \"25%\", window = \"20s\", every = \"10s\", samples_min = 20, \
                 against = \"{against}\" }}\n"
            ),
        );
        let second = &recording.incidents.last().unwrap().1;
        (figure(second, "rollback_triggered") == 1.0, last(&recording, "requests_failed_ratio") > 0.0)
    };
    for against in ["absolute", "baseline"] {
        for first in ["v1", "v2"] {
            assert_eq!(outcome(first, "v3", against), (true, false), "{first}, {against}");
        }
        for second in ["v1", "v2"] {
            assert_eq!(outcome("v3", second, against), (false, false), "the mend of a bad one: {second}, {against}");
        }
    }
}

#[test]
fn a_switch_to_new_nodes_in_the_middle_of_a_roll_keeps_its_version_or_brings_its_own() {
    for roll in [SURGE, IN_PLACE] {
        for at in [35, 44, 60] {
            let switch = |version: &str| format!("{roll}[change.b]\nat = \"{at}s\"\nblue_green = {{ {version} }}\n");
            ends_with(&scene("", &switch("")), 6.0, 1.0, &switch(""));
            let back = switch("version = \"v1\"") + "[change.c]\nat = \"5m\"\nscale_out = { nodes = 2 }\n";
            ends_with(&scene("", &back), 8.0, 0.0, &back);
        }
    }
    let alone = "[change.a]\nat = \"30s\"\nblue_green = { version = \"v2\", hold = \"20s\" }\n\
                 [change.b]\nat = \"40s\"\nscale_out = { nodes = 3 }\n\
                 [change.c]\nat = \"5m\"\nscale_out = { nodes = 2 }\n";
    ends_with(&scene("", alone), 11.0, 1.0, "nodes that come before the switch have new ones beside them");
}
