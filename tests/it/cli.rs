//! What a person types and gets: exit codes, streams, files, precedence, interruption.

use crate::program::{Desk, Ended, Row, SMALL, assert_same, ended};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

#[test]
fn what_has_been_done_exits_with_0_and_leaves_sealed_results() {
    let desk = Desk::new();
    let end = desk.run("run small.toml").with(0);
    assert!(end.stdout.contains("requests failed [%]") && end.stdout.contains("after crash"), "{}", end.stdout);
    assert!(end.stderr.contains("6 of 6 runs") && end.stderr.contains("results are in results/small"));
    let files: Vec<String> = desk.files("results/small").into_keys().collect();
    let mut expected =
        ["bands", "batches", "causes", "compare", "incidents", "runs", "signals", "summary", "ticks", "warnings"]
            .map(|name| format!("{name}.csv"))
            .to_vec();
    expected.extend(["datapackage.json".into(), "manifest.json".into()]);
    expected.sort();
    assert_eq!(files, expected);
    assert!(!desk.path("results/small/parts").exists());
    assert!(desk.run("check small.toml").with(0).stdout.contains("2 variant(s) × 1 point(s) × 3 seed(s) = 6 runs"));
}

#[test]
fn bad_input_exits_with_2_and_writes_nothing() {
    let desk = Desk::new();
    desk.write("broken.toml", "duration = ");
    desk.write("unknown.toml", &SMALL.replace("redispatch", "redispach"));
    desk.write("wrong.toml", &SMALL.replace("\"500ms\"", "500"));
    let before = desk.names();
    for (line, word) in [
        ("run absent.toml", "absent.toml"),
        ("run broken.toml", "broken.toml:1"),
        ("run unknown.toml", "redispatch"),
        ("run wrong.toml", "wrong.toml:12"),
        ("check wrong.toml", "wrong.toml:12"),
        ("run small.toml --frobnicate", "--frobnicate"),
        ("run small.toml --seeds 0", "--seeds"),
        ("run small.toml --seeds 4000000000", "--seeds"),
        ("run small.toml --jobs 0", "--jobs"),
        ("run small.toml --format yaml", "--format"),
        ("run small.toml --set duration", "duration"),
        ("run small.toml --set cluster.nodez=4", "nodes"),
        ("run small.toml --variant stiky", "`sticky`"),
        ("run small.toml --baseline stiky", "`sticky`"),
        ("run small.toml --gate stiky", "`sticky`"),
        ("run small.toml --variant shared --gate sticky", "`shared`"),
        ("run small.toml --dry-run --set cluster.nodes=0", "nodes"),
        ("run", "SCENARIO"),
        ("simulate small.toml", "simulate"),
    ] {
        let end = desk.run(line).with(2);
        assert!(end.stderr.contains(word), "{line}: no `{word}` in\n{}", end.stderr);
        assert_eq!(end.stdout, "", "{line}");
        assert_eq!(desk.names(), before, "{line}");
    }
}

#[test]
fn where_nothing_can_be_written_exits_with_1() {
    let desk = Desk::new();
    desk.write("file", "");
    let end = desk.run("run small.toml --seeds 1 --out file/below").with(1);
    assert!(end.stderr.contains("error: cannot") && end.stderr.contains("file/below"), "{}", end.stderr);
    assert_eq!((end.stdout.as_str(), desk.names()), ("", vec!["file".to_owned(), "small.toml".to_owned()]));
    desk.run("run small.toml --seeds 1 --out file").with(1);
}

#[test]
fn a_violated_limit_exits_with_99_where_it_is_asked_for() {
    let desk = Desk::new();
    desk.write("strict.toml", &(SMALL.to_owned() + "[slo]\nresponse_time_ms_p99 = \"< 1us\"\n"));
    let end = desk.run("run strict.toml").with(0);
    assert!(end.stdout.contains("VIOLATED"), "told, but nobody gates:\n{}", end.stdout);
    desk.run("run strict.toml --gate sticky").with(99);
    let end = desk.run("run strict.toml --variant sticky --quiet").with(99);
    assert_eq!((end.stdout, end.stderr), (String::new(), String::new()), "the only variant is the gate");
    desk.run_with(&["run", "strict.toml", "--gate", "sticky", "--set", "slo.response_time_ms_p99=\"< 1h\""]).with(0);
}

#[test]
fn a_limit_inside_the_interval_is_not_resolved_and_no_violation() {
    let desk = Desk::new();
    desk.run("run small.toml --variant sticky --out first --quiet").with(0);
    let own = |row: &&Row| {
        row["metric"] == "response_time_ms_mean" && row["population"] == "all" && row["incident"].is_empty()
    };
    let rows = desk.rows("first/summary.csv");
    let mean: f64 = rows.iter().find(own).unwrap()["mean"].parse().unwrap();
    desk.write("open.toml", &format!("{SMALL}[slo]\nresponse_time_ms_mean = \"< {mean:.3}ms\"\n"));
    let end = desk.run("run open.toml --variant sticky").with(0);
    assert!(end.stdout.contains("not resolved"), "{}", end.stdout);
}

#[test]
fn limits_on_figures_with_like_names_are_told_apart() {
    let desk = Desk::new();
    let limits = "[slo]\nsessions_lost_total = \"< 1000000\"\nsessions_lost_ratio = \"< 0%\"\n";
    desk.write("two.toml", &(SMALL.to_owned() + limits));
    let end = desk.run("run two.toml --variant sticky --seeds 1").with(99);
    let line = |start: &str| end.stdout.lines().find(|line| line.trim_start().starts_with(start)).unwrap().to_owned();
    assert!(line("sessions lost <").ends_with("kept  "), "{}", end.stdout);
    assert!(line("sessions lost [%] <").ends_with("VIOLATED  "), "{}", end.stdout);
}

#[test]
fn stdout_is_data_and_quiet_is_silent() {
    let desk = Desk::new();
    let end = desk.run("run small.toml --format csv").with(0);
    assert_eq!(end.stdout.as_bytes(), desk.files("results/small")["summary.csv"]);
    let rows: Vec<Row> = crate::program::rows(end.stdout.as_bytes());
    assert!(rows.iter().any(|row| row["variant"] == "sticky" && row["metric"] == "sessions_lost_ratio"));

    let end = desk.run("run small.toml --format json --baseline sticky").with(0);
    let json: serde_json::Value = serde_json::from_str(&end.stdout).unwrap();
    assert_eq!(json["baseline"], "sticky");
    assert_eq!(json["summary"].as_array().unwrap().len(), rows.len());
    assert!(json["compare"].as_array().unwrap().iter().any(|row| row["difference_mean"].is_number()));

    for format in ["table", "csv", "json"] {
        let end = desk.run(&format!("run small.toml --quiet --format {format}")).with(0);
        assert_eq!((end.stdout, end.stderr), (String::new(), String::new()));
    }
}

#[test]
fn a_closed_pipe_is_no_error_and_hides_no_violation() {
    let desk = Desk::new();
    desk.write("strict.toml", &(SMALL.to_owned() + "[slo]\nresponse_time_ms_p99 = \"< 1us\"\n"));
    let run = "run small.toml --seeds 1 --format";
    for (line, code) in [
        (format!("{run} table"), 0),
        (format!("{run} csv"), 0),
        (format!("{run} json"), 0),
        ("run strict.toml --seeds 1 --gate sticky".into(), 99),
        ("run small.toml --dry-run".into(), 0),
        ("check small.toml".into(), 0),
        ("list".into(), 0),
        ("schema".into(), 0),
        ("completions bash".into(), 0),
        ("--help".into(), 0),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = desk.command(&line.split_whitespace().collect::<Vec<_>>());
        let end = ended(command.stdout(writer)).with(code);
        assert!(!end.stderr.contains("panicked") && !end.stderr.contains("error"), "{line}: {}", end.stderr);
    }
}

#[test]
fn there_are_no_escape_codes_where_nobody_wants_them() {
    let desk = Desk::new();
    desk.write("unknown.toml", &SMALL.replace("redispatch", "redispach"));
    let coloured = |end: Ended| end.stdout.contains('\x1b') || end.stderr.contains('\x1b');
    for line in ["run unknown.toml", "run small.toml --seeds 1", "run small.toml --frobnicate", "--help", "list"] {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        assert!(!coloured(desk.run(line)), "{line}: neither stream is a terminal");
        let end = ended(desk.command(&arguments).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1"));
        assert!(!coloured(end), "{line}: NO_COLOR");
    }
    assert!(
        coloured(ended(desk.command(&["run", "unknown.toml"]).env("CLICOLOR_FORCE", "1"))),
        "or this test is blind"
    );
}

#[test]
fn a_dry_run_estimates_and_writes_nothing() {
    let desk = Desk::new();
    let end = desk.run("run small.toml --dry-run --jobs 1").with(0);
    assert!(end.stdout.contains("6 runs of 2 variant(s) × 1 point(s) × 3 seed(s)"), "{}", end.stdout);
    assert!(end.stdout.contains("on 1 thread(s)") && end.stdout.contains("MiB"), "{}", end.stdout);
    assert_eq!(desk.names(), ["small.toml"]);
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_goes_on_where_it_stopped() {
    let desk = Desk::new();
    let arguments = ["run", "small.toml", "--set", "duration=8m", "--seeds", "12", "--jobs", "1"];
    let whole: Vec<&str> = arguments.into_iter().chain(["--out", "whole", "--quiet"]).collect();
    let first = ["run", "small.toml", "--seeds", "1", "--out", "again", "--quiet"];
    desk.run_with(&first).with(0);
    let old = desk.files("again");

    let again: Vec<&str> = arguments.into_iter().chain(["--out", "again"]).collect();
    let mut child = desk.command(&again).spawn().unwrap();
    let parts = || {
        let entries = fs::read_dir(desk.path("again/parts")).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().extension().is_some_and(|end| end == "json")).count()
    };
    while parts() == 0 {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before it kept anything");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(130), &b""[..]), "{stderr}");
    assert!(stderr.contains(" of 24 runs are kept; the same command goes on from there"), "{stderr}");
    let kept = parts();
    assert!((1..24).contains(&kept), "{kept} parts");
    assert_same(&desk.files("again"), &old);

    let end = desk.run_with(&again).with(0);
    let lines: Vec<&str> = end.stderr.lines().filter(|line| line.ends_with(" of 24 runs")).collect();
    let done = lines[0].split(' ').next().unwrap().parse::<usize>().unwrap();
    assert!(done > kept, "what was kept is not done again: {lines:?}");
    desk.run_with(&whole).with(0);
    assert_same(&desk.files("again"), &desk.files("whole"));
    assert!(!desk.path("again/parts").exists());
}

#[test]
fn the_number_of_jobs_changes_no_byte() {
    let desk = Desk::new();
    desk.run("run small.toml --nodes --jobs 1 --out one").with(0);
    desk.run("run small.toml --nodes --jobs 2 --out two").with(0);
    let one = desk.files("one");
    assert!(one.contains_key("nodes.csv"));
    assert_same(&one, &desk.files("two"));
}

#[test]
fn an_older_result_is_replaced_as_a_whole_or_kept() {
    let desk = Desk::new();
    desk.run("run small.toml --nodes --seeds 2 --out old").with(0);
    let before = desk.files("old");
    desk.run("run small.toml --set cluster.nodes=0 --out old").with(2);
    desk.run("run small.toml --dry-run --out old").with(0);
    assert_same(&desk.files("old"), &before);
    desk.run("run small.toml --seeds 1 --variant sticky --out old").with(0);
    desk.run("run small.toml --seeds 1 --variant sticky --out fresh").with(0);
    assert_same(&desk.files("old"), &desk.files("fresh"));
}

#[test]
fn flags_choose_what_is_run() {
    let desk = Desk::new();
    desk.run("run small.toml --seeds 2 --variant sticky --set cluster.nodes=5 --nodes --quiet").with(0);
    let runs = desk.rows("results/small/runs.csv");
    let distinct = |rows: &[Row], column: &str| rows.iter().map(|row| row[column].clone()).collect::<BTreeSet<_>>();
    assert_eq!(distinct(&runs, "variant"), BTreeSet::from(["sticky".to_owned()]));
    assert_eq!(distinct(&runs, "seed"), BTreeSet::from(["1".to_owned(), "2".to_owned()]));
    assert_eq!(distinct(&desk.rows("results/small/nodes.csv"), "node").len(), 5);
    let manifest: serde_json::Value = serde_json::from_slice(&desk.files("results/small")["manifest.json"]).unwrap();
    assert_eq!(manifest["overrides"], serde_json::json!(["--set cluster.nodes=5", "--variant sticky", "--seeds 2"]));
}

/// The length of a tick in the results.
fn tick(desk: &Desk, line: &str) -> String {
    desk.run(&format!("{line} --seeds 1 --variant sticky --quiet --out ticks")).with(0);
    let rows = desk.rows("ticks/ticks.csv");
    rows.iter().map(|row| row["tick_s"].clone()).find(|start| start != "0.0").unwrap()
}

#[test]
fn a_flag_beats_the_sweep_beats_the_variant_beats_the_file_beats_the_default() {
    let desk = Desk::new();
    assert_eq!(tick(&desk, "run small.toml"), "1.0");
    let file = format!("tick = \"500ms\"\n{SMALL}");
    desk.write("file.toml", &file);
    assert_eq!(tick(&desk, "run file.toml"), "0.5");
    let variant = file + "tick = \"250ms\"\n";
    desk.write("variant.toml", &variant);
    assert_eq!(tick(&desk, "run variant.toml"), "0.25");
    desk.write("sweep.toml", &(variant + "[sweep]\ntick = [\"200ms\"]\n"));
    assert_eq!(tick(&desk, "run sweep.toml"), "0.2");
    assert_eq!(tick(&desk, "run sweep.toml --set tick=100ms"), "0.1");
    assert_eq!(tick(&desk, "run sweep.toml --set tick=100ms --set tick=50ms"), "0.05", "the later wins");
}

#[test]
fn a_sweep_is_a_grid_over_the_variants() {
    let desk = Desk::new();
    let sweep = "[sweep]\n\"cluster.nodes\" = [2, 3]\n\"clients.web.service.exponential.mean\" = [\"1ms\", \"2ms\"]\n";
    desk.write("grid.toml", &(SMALL.to_owned() + sweep));
    desk.run("run grid.toml --seeds 1 --quiet").with(0);
    let mut points: Vec<String> =
        desk.rows("results/grid/runs.csv").into_iter().map(|row| row["point"].clone()).collect();
    points.dedup();
    let expected = [(2, 1), (2, 2), (3, 1), (3, 2)]
        .map(|(nodes, mean)| format!("cluster.nodes={nodes} clients.web.service.exponential.mean={mean}ms"));
    assert_eq!(points, expected);
    assert_eq!(desk.rows("results/grid/runs.csv").iter().filter(|row| row["population"] == "all").count(), 8);
}

#[test]
fn a_scenario_in_json_is_the_same_scenario() {
    let desk = Desk::new();
    let value: serde_json::Value = toml::from_str(SMALL).unwrap();
    desk.write("small.json", &serde_json::to_string_pretty(&value).unwrap());
    desk.run("run small.toml --out toml").with(0);
    desk.run("run small.json --out json").with(0);
    let [mut toml, mut json] = ["toml", "json"].map(|folder| desk.files(folder));
    let manifests = [&mut toml, &mut json].map(|files| {
        let text = files.remove("manifest.json").unwrap();
        let mut manifest: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&text).unwrap();
        manifest.remove("scenario");
        manifest.remove("plan_id");
        manifest
    });
    assert_same(&toml, &json);
    assert_eq!(manifests[0], manifests[1]);
}

#[test]
fn a_variant_differs_from_itself_in_nothing() {
    let desk = Desk::new();
    let base = SMALL.split("[variant").next().unwrap();
    desk.write("twins.toml", &format!("{base}[variant.a]\n[variant.b]\n"));
    desk.run("run twins.toml --seeds 4 --quiet").with(0);
    let rows = desk.rows("results/twins/compare.csv");
    let measured: Vec<&Row> = rows.iter().filter(|row| row["variant"] == "b" && row["n"] != "0").collect();
    assert!(measured.len() > 20, "{} rows", measured.len());
    for row in measured {
        for column in ["difference_mean", "difference_low", "difference_high"] {
            assert!(["0.0", ""].contains(&row[column].as_str()), "{column} of {row:?}");
        }
        assert!(["0.5", ""].contains(&row["win_probability"].as_str()), "{row:?}");
    }
}

#[test]
fn every_variant_meets_the_same_arrivals() {
    let desk = Desk::new();
    desk.run("run small.toml --quiet").with(0);
    let of = |variant: &str| -> Vec<[String; 4]> {
        let rows = desk.rows("results/small/ticks.csv").into_iter().filter(|row| row["variant"] == variant);
        rows.map(|row| ["seed", "tick_s", "population", "sessions_started_total"].map(|name| row[name].clone()))
            .collect()
    };
    let shared = of("shared");
    assert!(shared.iter().any(|row| row[3] != "0"));
    assert_eq!(shared, of("sticky"));
}

#[test]
fn everything_that_can_be_written_is_listed() {
    let desk = Desk::new();
    let all = desk.run("list").with(0).stdout;
    for (what, word) in [
        ("balance", "leastconn"),
        ("affinity", "cookie"),
        ("queue", "wait"),
        ("state", "memory"),
        ("fault", "kill"),
        ("reconnect", "full_jitter"),
        ("preset", "haproxy"),
        ("law", "lognormal"),
        ("column", "sessions_lost_ratio"),
        ("cause", "  "),
    ] {
        let part = desk.run(&format!("list {what}")).with(0).stdout;
        assert!(part.contains(word) && part.lines().all(|line| line.split_whitespace().count() > 1), "{what}: {part}");
        assert!(all.contains(&part), "{what} is not in the list of everything");
    }
    desk.run("list everything").with(2);
}

#[test]
fn help_and_completions_know_every_verb() {
    let desk = Desk::new();
    let help = desk.run("--help").with(0).stdout;
    let commands = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    let verbs: Vec<&str> = commands.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    let verbs: Vec<&str> = verbs.into_iter().filter(|verb| !verb.is_empty() && *verb != "help").collect();
    for verb in ["run", "plan", "check", "list", "schema", "completions"] {
        assert!(verbs.contains(&verb), "{verb} is not in --help:\n{help}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = desk.run(&format!("completions {shell}")).with(0).stdout;
        for verb in &verbs {
            assert!(script.contains(verb), "{shell} does not complete {verb}");
        }
        assert!(script.contains("dry-run"), "{shell} does not complete flags");
    }
    for verb in verbs {
        let help = desk.run(&format!("{verb} --help")).with(0).stdout;
        assert!(help.contains("Usage: stickysim"), "{verb}: {help}");
    }
    desk.run("completions nushel").with(2);
}

#[test]
fn a_change_that_is_complete_in_no_variant_is_told_never() {
    let desk = Desk::new();
    // Three nodes in turn, each away for 5 s, in the 4 s that are left.
    desk.write(
        "long.toml",
        &SMALL.replace(
            "[fault.crash]\nat   = \"3s\"\nkill = { nodes = 1, lasts = \"1s\" }",
            "[change.roll]\nat = \"2s\"\nrolling = { restart = \"5s\" }",
        ),
    );
    let table = desk.run("run long.toml").with(0).stdout;
    let line = table.lines().find(|line| line.trim_start().starts_with("rollout time")).unwrap_or_default();
    assert_eq!(line.matches("never").count(), 2, "{table}");
}

#[test]
fn a_run_that_does_not_fit_into_memory_is_refused_with_the_figure() {
    let desk = Desk::new();
    let many = "--set clients.web.arrivals.initial=50000000 --memory 1GiB --out nothing";
    let stderr = desk.run(&format!("run small.toml {many}")).with(1).stderr;
    assert!(stderr.contains("needs about 6") && stderr.contains("there are 1024"), "{stderr}");
    assert!(!desk.path("nothing").exists());
    let fewer = desk.run("run small.toml --jobs 8 --memory 8MiB --out few").with(0).stderr;
    assert!(fewer.contains("instead of 8 runs at once"), "{fewer}");
    desk.run("run small.toml --jobs 1 --out one").with(0);
    assert_same(&desk.files("few"), &desk.files("one"));
}
