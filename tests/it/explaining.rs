//! `explain`: what it tells of a run is what the tables say of it.

use crate::lab::{self, is_full};
use crate::program::{Desk, rows};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use stickysim::answer::explain::{Tale, befallen};
use stickysim::base::cause::{Cause, Harm};
use stickysim::cluster::Sim;
use stickysim::scenario::{Cell, Overrides, Problems, Sources, load};

fn shipped() -> Vec<Cell> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    paths.sort();
    let first = |path: &std::path::PathBuf| {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let cells = load(path, &Overrides::default(), &mut sources, &mut problems).unwrap().cells;
        if is_full() { cells } else { cells.into_iter().take(1).collect() }
    };
    paths.iter().flat_map(first).collect()
}

/// Adds up what a trace tells, tick by tick, and holds it against the columns of the ticks.
fn disagreement(cell: &Cell) -> Option<String> {
    let plan = &cell.plan;
    let recording = Sim::new(plan, 1, false).traced().run(|| false).expect("nobody stops it").recording;
    let scopes = plan.populations.len() + 1;
    for all in recording.ticks.iter().skip(scopes - 1).step_by(scopes) {
        let tale = Tale { plan, recording: &recording, from: all.from, to: all.to };
        let told: BTreeMap<(usize, usize), u64> =
            befallen(tale).iter().map(|told| ((told.harm as usize, told.cause as usize), told.count)).collect();
        for harm in Harm::ALL {
            for cause in Cause::ALL {
                let counted = all.totals.of(harm, cause);
                let told = told.get(&(harm as usize, cause as usize)).copied().unwrap_or(0);
                if told != counted {
                    let at = all.from.as_secs_f64();
                    return Some(format!(
                        "{}, {at} s, {} {}: {told}, not {counted}",
                        cell.variant,
                        harm.name(),
                        cause.name()
                    ));
                }
            }
        }
    }
    None
}

#[test]
fn what_is_told_adds_up_to_the_columns_of_every_tick() {
    use rayon::prelude::*;
    let wrong: Vec<String> = shipped().par_iter().filter_map(disagreement).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_story_names_the_incident_its_harm_and_who_noticed() {
    let desk = Desk::new();
    let end = desk.run("explain small.toml --variant sticky --seed 2").with(0);
    for words in ["sticky, seed 2", "crash, at 3.000 s", "is down", "what befell", "lost", "crash", "distinct sessions"]
    {
        assert!(end.stdout.contains(words), "no `{words}` in\n{}", end.stdout);
    }
    assert_eq!(end.stdout, desk.run("explain small.toml --variant sticky --seed 2").with(0).stdout);
    // The same counts as in the tables of that run.
    desk.run("run small.toml --variant sticky --seeds 2 --out r").with(0);
    let lost: f64 = desk
        .rows("r/causes.csv")
        .iter()
        .filter(|row| {
            row["seed"] == "2" && row["population"] == "all" && row["harm"] == "lost" && row["cause"] == "crash"
        })
        .map(|row| row["count"].parse::<f64>().unwrap())
        .sum();
    let line = end.stdout.lines().find(|line| line.trim_start().starts_with("lost")).unwrap();
    assert_eq!(line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap(), lost, "{line}");
}

#[test]
fn who_is_where_is_answered_for_any_instant_and_a_session_is_followed() {
    let desk = Desk::new();
    let sticky = "explain small.toml --variant sticky";
    let before = rows(desk.run(&format!("{sticky} --at 3s")).with(0).stdout.as_bytes());
    let plan = lab::cells(crate::program::SMALL, &[]).into_iter().find(|cell| cell.variant == "sticky").unwrap().plan;
    let recording = lab::run(&plan, 1);
    assert_eq!(
        before.len() as u64,
        recording.ticks[2 * 2 + 1].live,
        "the sessions that are live at the end of the third tick"
    );
    let story = desk.run(&format!("{sticky} --from 3s")).with(0).stdout;
    let line = story.lines().find(|line| line.contains(" is down;")).expect("the node that dies is named");
    let name = line.split_whitespace().nth(2).unwrap();
    let dead = before.iter().find(|row| row["node"] == name).expect("somebody was on it");
    let story = desk.run(&format!("{sticky} --session web:{} --from 3s", dead["session"])).with(0).stdout;
    assert!(story.contains("its state is lost: crash"), "{story}");
    let node = desk.run(&format!("{sticky} --node {name}")).with(0).stdout;
    assert!(node.contains("is down") && node.contains("listens"), "{node}");
}

#[test]
fn a_trace_has_a_line_for_everything_in_its_time() {
    let desk = Desk::new();
    desk.run("explain small.toml --variant sticky --from 3s --to 4s --trace t.jsonl").with(0);
    let text = fs::read_to_string(desk.path("t.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| (3.0..4.0).contains(&line["t_s"].as_f64().unwrap())));
    let count = |what: &str| lines.iter().filter(|line| line["what"] == what).count();
    assert_eq!((count("incident"), count("node_down")), (1, 1));
    assert!(count("answered") > 10 && count("lost") > 0);
}

#[test]
fn what_comes_at_random_is_told_strike_by_strike_with_node_and_harm() {
    let desk = Desk::new();
    let written = crate::program::SMALL
        .replace(
            "[fault.crash]\nat   = \"3s\"",
            "[fault.flaky]\nrandom = { up = { exponential = { mean = \"4s\" } }, down = \"700ms\" }",
        )
        .replace("kill = { nodes = 1, lasts = \"1s\" }", "kill = { nodes = { share = \"100%\" } }");
    desk.write("random.toml", &written);
    let sticky = "explain random.toml --variant sticky";
    let story = desk.run(&format!("{sticky} --trace t.jsonl")).with(0).stdout;
    let text = fs::read_to_string(desk.path("t.jsonl")).unwrap();
    let trace: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |what: &'static str| trace.iter().filter(move |line| line["what"] == what);
    let told: Vec<&str> = story.lines().filter(|line| line.contains(" flaky strikes n")).collect();
    assert_eq!(told.len(), of("struck").count(), "{story}");
    // As many as the columns of that run have.
    desk.run("run random.toml --variant sticky --seeds 1 --out r").with(0);
    let ticks = desk.rows("r/ticks.csv");
    let all = ticks.iter().filter(|row| row["population"] == "all");
    let failures: f64 = all.map(|row| row["node_failures_total"].parse::<f64>().unwrap()).sum();
    assert!(failures > 2.0 && told.len() as f64 == failures, "{failures} failures\n{story}");
    for (line, struck) in told.iter().zip(of("struck")) {
        let (node, at) = (&struck["node"], struck["t_s"].as_f64().unwrap());
        assert!(line.contains(&format!("{at:.3} s  flaky strikes {};", node.as_str().unwrap())), "{line}");
        let ends = of("strike_over").filter(|over| over["node"] == *node).map(|over| over["t_s"].as_f64().unwrap());
        let over = ends.filter(|&over| over > at).reduce(f64::min).unwrap_or(f64::INFINITY);
        for harm in ["failed", "dropped", "moved", "lost"] {
            let count = of(harm).filter(|line| (at..over).contains(&line["t_s"].as_f64().unwrap())).count();
            let said = line
                .split(": ")
                .nth(1)
                .unwrap()
                .split(", ")
                .find_map(|part| part.strip_suffix(harm)?.trim().parse().ok());
            assert_eq!(said.unwrap_or(0), count, "{harm}: {line}");
        }
    }
    // What comes later changes nothing of what was told.
    let earlier = desk.run(&format!("{sticky} --to 3s")).with(0).stdout;
    let earlier: Vec<&str> = earlier.lines().filter(|line| line.contains(" flaky strikes n")).collect();
    assert!(!earlier.is_empty() && earlier.len() < told.len() && told.starts_with(&earlier), "{earlier:?}");
    let name = of("struck").next().unwrap()["node"].as_str().unwrap();
    let life = desk.run(&format!("{sticky} --node {name}")).with(0).stdout;
    assert!(life.contains(&format!("flaky strikes {name}")) && life.contains("is over at"), "{life}");
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let desk = Desk::new();
    for (options, words) in [
        ("--session web:999999", "there was no session web:999999"),
        ("--session nobody:1", "the populations are web"),
        ("--node n9", "the nodes are n1, n2, n3"),
        ("--from 5s --to 4s", "the run lasts 6s"),
        ("--at 3s --from 2s --to 4s", "means nothing with --from and --to"),
        ("--at 3s --trace t.jsonl", "leave --at out"),
    ] {
        let end = desk.run(&format!("explain small.toml {options}")).with(2);
        assert!(end.stderr.contains(words), "{options}: {}", end.stderr);
    }
}

#[test]
fn a_page_is_made_of_finished_results_only() {
    let desk = Desk::new();
    desk.run("run small.toml --seeds 2 --nodes --out r").with(0);
    desk.run("report r").with(0);
    let first = fs::read(desk.path("r/report.html")).unwrap();
    desk.run("report r --output again.html").with(0);
    assert!(first == fs::read(desk.path("again.html")).unwrap(), "the same bytes");
    let runs = fs::read_to_string(desk.path("r/runs.csv")).unwrap();
    desk.write("r/runs.csv", &runs.replacen("0.", "9.", 1));
    let changed = desk.run("report r").with(1);
    assert!(changed.stderr.contains("runs.csv: it has been changed"), "{}", changed.stderr);
    desk.run("report nowhere").with(1);
    assert!(!desk.path("nowhere").exists());
}
