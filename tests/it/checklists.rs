//! Does a checklist say what its runs say? Figures are taken from the files by other ways than its own, and the commands
//! that it prints are run.

use crate::program::{Desk, Row, SMALL, assert_same, ended, files};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

const SLO: &str = "[slo]\nsessions_lost_ratio = \"< 40%\"\nresponse_time_ms_p99 = \"< 500ms\"\n";

/// A desk with a checklist of the small scenario in `out`.
fn asked(more: &str, arguments: &str) -> (Desk, Value) {
    let desk = Desk::new();
    desk.write("small.toml", &format!("{SMALL}{more}"));
    desk.run(&format!("checklist small.toml --quiet --seeds 3 --out out {arguments}")).with(0);
    let json = serde_json::from_slice(&desk.files("out")["checklist.json"]).unwrap();
    (desk, json)
}

fn number(row: &Row, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column} is `{}`", row[column]))
}

/// The rows of `checklist.csv` with these keys.
fn figures(desk: &Desk, question: &str, variant: &str, setting: &str, metric: &str, statistic: &str) -> Vec<Row> {
    let keys = [("question", question), ("variant", variant), ("setting", setting)];
    let keys = [keys.as_slice(), &[("metric", metric), ("statistic", statistic)]].concat();
    let mut rows = desk.rows("out/checklist.csv");
    rows.retain(|row| keys.iter().all(|(key, value)| row[*key] == *value));
    rows
}

/// The value of the only row with these keys.
#[track_caller]
fn value(desk: &Desk, question: &str, variant: &str, setting: &str, metric: &str, statistic: &str) -> f64 {
    let rows = figures(desk, question, variant, setting, metric, statistic);
    assert_eq!(rows.len(), 1, "{question} {variant} {setting} {metric} {statistic}");
    number(&rows[0], "value")
}

/// The values of a figure by seed.
fn seeds(desk: &Desk, file: &str, variant: &str, point: &str, incident: Option<&str>, column: &str) -> Vec<f64> {
    let mut rows = desk.rows(file);
    rows.retain(|row| row["variant"] == variant && row["population"] == "all" && row["point"].ends_with(point));
    rows.retain(|row| incident.is_none_or(|incident| row["incident"] == incident));
    rows.iter().map(|row| number(row, column)).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn line<'a>(json: &'a Value, question: usize, variant: &str) -> &'a str {
    let verdicts = json["questions"][question - 1]["verdicts"].as_array().unwrap();
    verdicts.iter().find(|verdict| verdict["variant"] == variant).unwrap()["line"].as_str().unwrap()
}

#[test]
fn figures_are_those_of_the_runs() {
    let (desk, json) = asked(SLO, "");
    for variant in ["shared", "sticky"] {
        let lost = seeds(&desk, "out/node-dies/incidents.csv", variant, "", Some("node_dies"), "sessions_lost_ratio");
        assert_eq!(lost.len(), 3);
        assert!((value(&desk, "1", variant, "", "sessions_lost_ratio", "mean") - mean(&lost)).abs() < 1e-12);
        // Drops by cause add up to all drops.
        let dropped =
            seeds(&desk, "out/node-dies/incidents.csv", variant, "", Some("node_dies"), "sessions_dropped_total");
        let rows = desk.rows("out/checklist.csv");
        let by_cause = rows.iter().filter(|row| row["variant"] == variant && row["metric"].starts_with("dropped_by_"));
        let by_cause: f64 = by_cause.map(|row| number(row, "value")).sum();
        assert!((by_cause - mean(&dropped)).abs() < 1e-9, "{variant}: {by_cause}, {dropped:?}");
    }
    // One of three nodes, and what each holds adds up to everything.
    let held = value(&desk, "1", "sticky", "", "sessions_held_ratio", "p50");
    let most = value(&desk, "1", "sticky", "", "sessions_held_ratio", "max");
    assert!((0.25..0.42).contains(&held) && most >= held, "{held}, {most}");
    assert!(figures(&desk, "1", "shared", "", "sessions_held_ratio", "p50").is_empty(), "nothing binds a session");
    assert!(line(&json, 1, "sticky").starts_with("blast_radius=3"), "{}", line(&json, 1, "sticky"));
    assert_eq!(value(&desk, "1", "sticky", "", "further_nodes_down", "share"), 0.0);
}

#[test]
fn how_many_can_leave_is_judged_by_the_limits_of_the_scenario() {
    let (desk, json) = asked(SLO, "");
    for variant in ["shared", "sticky"] {
        let mut clean = 0;
        for out in 1..=2 {
            let of = |column| {
                let point = format!("unavailable_max={out}");
                seeds(&desk, "out/leave/incidents.csv", variant, &point, Some("deploy"), column)
            };
            let [lost, p99] = ["sessions_lost_ratio", "response_time_ms_p99"].map(of);
            let kept = lost.iter().zip(&p99).filter(|(lost, p99)| **lost < 0.4 && **p99 < 500.0).count();
            let told = value(&desk, "3", variant, &out.to_string(), "limits_kept", "share");
            assert!((told * 3.0 - kept as f64).abs() < 1e-9, "{variant}, {out}: {told}, {kept}");
            clean = if kept == 3 && clean + 1 == out { out } else { clean };
        }
        let line = line(&json, 3, variant);
        assert!(line.starts_with(&format!("max_out={clean} (limit: ")), "{line}");
    }
    assert_eq!(json["limits_assumed"], false);
    // With three seeds and no miss, the one-sided bound is 0.05^(1/3) = 36.8 %.
    assert!(line(&json, 3, "shared").contains("3 of 3 seeds keep every limit: at least 36 % of all"), "{json}");
}

#[test]
fn a_criterion_is_the_worst_of_the_healthy_deploys_and_sees_the_bad_ones() {
    let (desk, json) = asked(SLO, "--bad 30%");
    let rows = desk.rows("out/deploy/ticks.csv");
    for variant in ["shared", "sticky"] {
        let drops = seeds(&desk, "out/deploy/incidents.csv", variant, "", Some("deploy"), "disconnects_peak_per_s");
        let most = drops.iter().copied().fold(0.0, f64::max);
        let told: Vec<Row> = figures(&desk, "4", variant, "", "disconnects_peak_per_s", "max");
        assert!(told.iter().any(|row| row["folder"] == "deploy" && number(row, "value") == most));
        assert!(
            line(&json, 4, variant).starts_with(&format!("rollback: more than {most} sessions dropped within 1 s"))
        );
        // Errors of any sixty ticks of a second, from the deploy on, counted anew.
        let mut worst = 0.0_f64;
        for seed in ["1", "2", "3"] {
            let own: Vec<(f64, f64)> = rows
                .iter()
                .filter(|row| row["variant"] == variant && row["seed"] == seed && row["population"] == "all")
                .filter(|row| number(row, "tick_s") >= 121.0)
                .map(|row| (number(row, "requests_failed_total"), number(row, "requests_succeeded_total")))
                .collect();
            for from in 0..own.len() - 59 {
                let sum = |get: fn(&(f64, f64)) -> f64| own[from..from + 60].iter().map(get).sum::<f64>();
                let (failed, done) = (sum(|tick| tick.0), sum(|tick| tick.1));
                worst = worst.max(failed / (failed + done));
            }
        }
        let told = figures(&desk, "4", variant, "", "requests_failed_ratio_peak", "max");
        let told = told.iter().find(|row| row["folder"] == "deploy").unwrap();
        assert!((number(told, "value") - worst).abs() < 1e-12, "{variant}: {told:?}, {worst}");
        assert_eq!(value(&desk, "4", variant, "", "requests_failed_ratio_peak", "seen"), 1.0);
    }
}

/// The commands of all answers.
fn commands(json: &Value) -> Vec<String> {
    let questions = json["questions"].as_array().unwrap().iter();
    let mut all: Vec<String> = questions
        .flat_map(|question| question["commands"].as_array().unwrap())
        .map(|command| command.as_str().unwrap().to_owned())
        .collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn the_commands_that_it_prints_give_the_same_bytes() {
    // A roll of its own, a sweep and names that a shell would take apart.
    let more = "[change.roll]\nat = \"4s\"\nrolling = { unavailable_max = 2, drain_timeout = \"200ms\", restart = \"100ms\" }\n\
                [sweep]\n\"cluster.nodes\" = [4, 5]\n\"fault.crash.kill.nodes\" = [1, 2]\n";
    for (more, arguments, count) in [("", "--set cluster.nodes=4", 5), (more, "--variant shared", 5)] {
        let (desk, json) = asked(more, arguments);
        let all = commands(&json);
        assert_eq!(all.len(), count);
        fs::rename(desk.path("out"), desk.path("first")).unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_stickysim"));
        for line in &all {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("{line} --quiet")]).current_dir(desk.path("."));
            shell.env("PATH", format!("{}:/usr/bin:/bin", program.parent().unwrap().display()));
            let code = ended(&mut shell);
            // 99: the only variant violates a limit.
            assert!(matches!(code.code, Some(0 | 99)), "{line}\n{}", code.stderr);
        }
        for folder in ["held", "node-dies", "leave", "deploy", "bad-deploy"] {
            let folder = |root: &str| files(&desk.path(root).join(folder));
            assert_same(&folder("first"), &folder("out"));
        }
    }
}

#[test]
fn its_own_roll_is_the_deploy_and_only_the_first_point_is_answered() {
    let more = "[change.roll]\nat = \"4s\"\nrolling = { surge_max = 1, drain_timeout = \"200ms\", restart = \"100ms\" }\n\
                [change.later]\nat = \"5s\"\nweight = { nodes = 1, weight = 2 }\n[sweep]\n\"cluster.nodes\" = [4, 5]\n";
    let (desk, json) = asked(more, "");
    assert_eq!(json["point"], "cluster.nodes=4");
    let page = fs::read_to_string(desk.path("out/checklist.md")).unwrap();
    assert!(page.contains("only its first point is answered: cluster.nodes=4"), "{page}");
    assert!(page.contains("leave as `change.roll` has them leave"), "{page}");
    let leave = json["questions"][2]["commands"][0].as_str().unwrap();
    assert!(
        leave.contains("--without change.roll.rolling.surge_max") && leave.contains("--without change.later"),
        "{leave}"
    );
    assert!(leave.contains("--vary change.roll.rolling.unavailable_max=1,2,3 "), "{leave}");
}

#[test]
fn a_limit_that_is_assumed_is_called_so() {
    let (desk, json) = asked("", "");
    let page = fs::read_to_string(desk.path("out/checklist.md")).unwrap();
    assert!(page.contains("The scenario has no [slo]: this limit is assumed"), "{page}");
    assert_eq!(json["limits_assumed"], true);
    assert!(line(&json, 3, "sticky").contains("(limit: requests failed [%] < 1.00)"));
}

#[test]
fn a_single_node_has_no_deploy_to_speak_of() {
    let (desk, json) = asked("", "--set cluster.nodes=1");
    assert_eq!(commands(&json).len(), 2);
    for question in [3, 4] {
        assert!(line(&json, question, "sticky").contains("not applicable"), "{json}");
    }
    let page = fs::read_to_string(desk.path("out/checklist.md")).unwrap();
    assert_eq!(page.matches("Not applicable: there is a single node.").count(), 2, "{page}");
}

#[test]
fn threads_and_interruptions_change_nothing_and_what_was_touched_is_run_again() {
    let (desk, _) = asked(SLO, "--jobs 1");
    let first = desk.files("out");
    let held = desk.files("out/held");
    let edited = String::from_utf8(held["runs.csv"].clone()).unwrap().replace("sticky", "sticki");
    fs::write(desk.path("out/held/runs.csv"), edited).unwrap();
    fs::remove_dir_all(desk.path("out/leave")).unwrap();
    let told = desk.run("checklist small.toml --seeds 3 --out out --jobs 2").with(0);
    assert_same(&first, &desk.files("out"));
    assert_same(&held, &desk.files("out/held"));
    assert!(
        told.stderr.contains("6 of 6 runs") && !told.stderr.contains("node-dies: 6 runs\n1 of 6"),
        "{}",
        told.stderr
    );
    assert_eq!(told.stdout.as_bytes(), first["checklist.md"]);
    for (format, file) in [("csv", "checklist.csv"), ("json", "checklist.json")] {
        let printed = desk.run(&format!("checklist small.toml --seeds 3 --out out --format {format}")).with(0).stdout;
        assert_eq!(printed.as_bytes(), first[file]);
    }
}

#[test]
fn bad_input_is_told_before_anything_runs() {
    let desk = Desk::new();
    assert!(desk.run("checklist small.toml --bad 0%").with(2).stderr.contains("--bad must be above 0%"));
    assert!(desk.run("checklist small.toml --set cluster.nods=3").with(2).stderr.contains("did you mean `nodes`?"));
    let told = desk.run("run small.toml --without fault.crush").with(2).stderr;
    assert!(told.contains("--without fault.crush: the scenario says nothing of it"), "{told}");
    assert!(!desk.path("results").exists());
}
