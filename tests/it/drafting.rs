//! Is what `new` writes a sound scenario, whatever is chosen? And what does a person get who types it?

use super::lab::{cells, figure, run};
use crate::program::{Desk, Ended};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use stickysim::scenario::draft::{Draft, QUESTIONS, text};
use stickysim::scenario::presets::{ALL, CLIENTS, Preset, STORES};
use stickysim::scenario::{Overrides, Problems, Sources, load_layer};

/// A draft with these answers.
fn draft(answers: &[(&str, &str)]) -> Draft {
    let mut draft = Draft::default();
    for (flag, answer) in answers {
        let question = QUESTIONS.iter().find(|question| question.flag == *flag).unwrap();
        (question.set)(&mut draft, answer).unwrap();
    }
    draft
}

fn names(presets: &[Preset]) -> Vec<&'static str> {
    presets.iter().map(|preset| preset.name).chain(["none"]).collect()
}

/// Every combination of choices that goes together, with how many of them are not the default.
fn combinations() -> Vec<(Vec<(&'static str, &'static str)>, usize)> {
    let choices: [(&str, Vec<&str>); 5] = [
        ("protocol", vec!["http", "keepalive", "websocket"]),
        ("state", vec!["memory", "disk", "replicated", "cache", "store", "token", "none"]),
        ("client", names(CLIENTS)),
        ("balancer", names(ALL)),
        ("store", names(STORES)),
    ];
    let defaults = ["http", "memory", "none"];
    let mut all: Vec<Vec<(&str, &str)>> = vec![Vec::new()];
    for (flag, values) in &choices {
        let longer = |one: &Vec<(&'static str, &'static str)>, value| [one.clone(), vec![(*flag, value)]].concat();
        all = all.iter().flat_map(|one| values.iter().map(move |value| longer(one, *value))).collect();
    }
    all.retain(|answers| draft(answers).faults().is_empty());
    let differs = |answers: &[(&str, &str)]| {
        // Where there is no state, none is not the default.
        let is_other =
            |(flag, value): &&(&str, &str)| !defaults.contains(value) || (*flag == "state" && *value == "none");
        answers.iter().filter(is_other).count()
    };
    all.into_iter().map(|answers| (answers.clone(), differs(&answers))).collect()
}

#[test]
fn every_combination_of_choices_is_checked_without_a_word() {
    let all = combinations();
    assert!(all.len() > 1_500, "only {} combinations go together", all.len());
    for (answers, _) in all {
        let text = text(&draft(&answers));
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let layer = sources.add("new.toml", text.as_str());
        let loaded = load_layer(layer, Path::new("new.toml"), &Overrides::default(), &mut sources, &mut problems);
        assert!(problems.is_empty(), "{answers:?}:\n{}\n{text}", problems.render(&sources, false));
        let loaded = loaded.unwrap();
        assert_eq!((loaded.cells.len(), loaded.slo.len()), (2, 3), "{answers:?}");
        for cell in &loaded.cells {
            assert_eq!((cell.plan.faults.len(), cell.plan.changes.len()), (1, 1), "{answers:?}");
        }
    }
}

#[test]
fn whatever_two_choices_are_made_it_runs_and_people_are_served() {
    let few: Vec<_> = combinations().into_iter().filter(|(_, differs)| *differs <= 2).collect();
    assert!(few.len() > 60, "{}", few.len());
    for (answers, _) in few {
        let small = Draft { users: 40, ..draft(&answers) };
        for cell in cells(&text(&small), &[]) {
            let recording = run(&cell.plan, 1);
            let (_, whole) = recording.runs.last().unwrap();
            let [answered, failed] =
                ["requests_succeeded_total", "requests_failed_ratio"].map(|name| figure(whole, name));
            assert!(answered > 1_000.0 && failed < 0.5, "{answers:?}, {}: {answered}, {failed}", cell.variant);
            // The deploy is over before the run is.
            let rolled = recording.incidents.iter().filter_map(|(_, window)| window.shock?.rollout);
            assert!(
                rolled.into_iter().all(|end| end != stickysim::observe::recovery::Eventually::Never),
                "{answers:?}"
            );
        }
    }
}

#[test]
fn as_many_are_online_as_were_asked_for() {
    for cell in cells(&text(&draft(&[("users", "500"), ("session", "5m")])), &[]) {
        let recording = run(&cell.plan, 1);
        let live = figure(&recording.runs.last().unwrap().1, "sessions_live_mean");
        assert!((live - 500.0).abs() < 75.0, "{live}");
    }
}

#[test]
fn without_a_flag_a_sound_scenario_comes_out_of_a_pipe() {
    let desk = Desk::new();
    let text = desk.run("new").with(0).stdout;
    desk.write("my.toml", &text);
    let checked = desk.run("check my.toml").with(0);
    assert_eq!(checked.stderr, "");
    assert!(checked.stdout.starts_with("my: ok. 2 variant(s) × 1 point(s) × 20 seed(s)"), "{}", checked.stdout);
    assert_eq!(desk.run("new").with(0).stdout, text, "the same answers give the same bytes");
}

#[test]
fn a_file_that_is_there_is_not_replaced_unless_that_is_said() {
    let desk = Desk::new();
    desk.run("new --users 300 --out my.toml").with(0);
    let first = fs::read_to_string(desk.path("my.toml")).unwrap();
    let refused = desk.run("new --out my.toml").with(2);
    assert!(refused.stderr.contains("my.toml is there already") && refused.stderr.contains("--force"));
    assert_eq!(fs::read_to_string(desk.path("my.toml")).unwrap(), first);
    desk.run("new --out my.toml --force").with(0);
    assert_ne!(fs::read_to_string(desk.path("my.toml")).unwrap(), first);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let desk = Desk::new();
    desk.write("there.toml", "");
    let line =
        "new --users none --session 20 --protocol websockt --balancer haprox --at-once 9 --nodes 4 --out there.toml";
    let told = desk.run(line).with(2).stderr;
    for words in [
        "--users: `none` is not a whole number from 1 to 10000000",
        "--session: a duration needs a unit",
        "--protocol: there is no `websockt`: did you mean `websocket`?",
        "--balancer: there is no `haprox`: did you mean `haproxy`?",
        "--at-once: a deploy that takes 9 of 4 nodes away at once leaves nobody",
        "--out: there.toml is there already",
    ] {
        assert!(told.contains(words), "{words}\n{told}");
    }
    let told = desk.run("new --users 90000 --nodes 2 --client socket.io --state token --store memcached").with(2);
    assert_eq!(told.stderr.matches("error: ").count(), 3, "{}", told.stderr);
    assert_eq!((told.stderr.matches("hint: ").count(), told.stdout.as_str()), (3, ""));
}

/// The program with these answers on stdin.
fn answered(desk: &Desk, arguments: &str, answers: &str) -> Ended {
    let mut command = desk.command(&arguments.split(' ').collect::<Vec<_>>());
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn questions_and_flags_lead_to_the_same_file() {
    let desk = Desk::new();
    // Users, session, think, service, workers, nodes, protocol (wrong, then right), client.
    let asked =
        answered(&desk, "new --ask --state store", "5000\n\n15s\n\n\n8\nwebsock\nwebsocket\nsocket.io\n").with(0);
    let flags = "new --yes --users 5000 --think 15s --nodes 8 --protocol websocket --client socket.io --state store";
    assert_eq!(asked.stdout, desk.run(flags).with(0).stdout);
    assert!(asked.stderr.contains("did you mean `websocket`?"), "{}", asked.stderr);
    assert!(!asked.stderr.contains("Where does session state live"), "what was given is not asked");
    let again = "the same without questions:  stickysim new --yes --state store --users 5000 --think 15s --nodes 8";
    assert!(asked.stderr.contains(again), "{}", asked.stderr);
}

#[test]
fn a_question_that_does_not_matter_is_not_asked() {
    let desk = Desk::new();
    let http = answered(&desk, "new --ask --state token", &"\n".repeat(20)).with(0).stderr;
    assert!(!http.contains("client library") && !http.contains("Which store"), "{http}");
    let streams = answered(&desk, "new --ask --protocol websocket", &"\n".repeat(20)).with(0).stderr;
    assert!(streams.contains("client library") && streams.contains("Which store"), "{streams}");
}
