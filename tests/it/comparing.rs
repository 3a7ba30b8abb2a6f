//! `compare`: which differences hold, between variants, before and after a change, and beside a real incident.

use crate::program::{Desk, Ended};
use serde_json::Value;
use std::fs;
use stickysim::output::manifest::Manifest;
use stickysim::output::{Results, differences, figures, table};

fn parsed(end: Ended) -> Value {
    serde_json::from_str(&end.with(0).stdout).expect("it prints JSON")
}

#[test]
fn variants_are_compared_with_the_baseline_and_the_answers_are_made_stricter_together() {
    let desk = Desk::new();
    desk.run("run small.toml --seeds 20 --out r").with(0);
    let end = desk.run("compare r").with(0);
    for words in ["── sticky against shared ──", "after crash", "p-values after Holm", "gain"] {
        assert!(end.stdout.contains(words), "no `{words}` in\n{}", end.stdout);
    }
    let found = parsed(desk.run("compare r --baseline sticky --format json"));
    assert_eq!(found["baseline"], "sticky");
    let questions = found["questions"].as_array().unwrap();
    let by = |p: &str| -> Vec<f64> { questions.iter().filter_map(|question| question[p].as_f64()).collect() };
    let (plain, adjusted) = (by("p_value"), by("p_adjusted"));
    assert!(plain.len() > 5 && plain.iter().zip(&adjusted).all(|(p, stricter)| stricter >= p));
    let lost = questions.iter().find(|question| question["metric"] == "sessions_lost_ratio").unwrap();
    // Who shares a store loses nothing in a crash: the difference is large and certain.
    assert_eq!(lost["verdict"], "better");
    assert!(lost["p_adjusted"].as_f64().unwrap() < 0.001 && lost["difference_mean"].as_f64().unwrap() < 0.0);
}

#[test]
fn a_narrow_terminal_gets_narrow_tables_that_say_the_same() {
    let desk = Desk::new();
    desk.run("run small.toml --out r").with(0);
    let manifest = Manifest::read(&desk.path("r")).unwrap();
    let cells = figures::read(&desk.path("r"), &manifest).unwrap();
    let results = Results::of(&cells, "shared");
    let metrics: Vec<&str> = table::figures().collect();
    let questions = differences::of_variants(&results.compare, "shared", &metrics);
    let words = |text: &str| text.split_whitespace().map(|word| word.trim_end_matches([',', ';']).to_owned()).collect();
    let wide: Vec<String> = words(&differences::table(&questions, "shared", None));
    for columns in [60, 80, 100] {
        let (outline, found) = (manifest.outline(), differences::table(&questions, "shared", Some(columns)));
        let judged = table::judge(&outline, &results);
        for line in (found.clone() + &table::comparison(&outline, &results, &judged, columns)).lines() {
            assert!(line.chars().count() <= columns, "wider than {columns}: {line}");
        }
        let narrow: Vec<String> = words(&found);
        // That p-values are Holm's stands below both; the head of a column that is not there does not say it again.
        let missing: Vec<&String> = wide.iter().filter(|word| !narrow.contains(word) && *word != "(Holm)").collect();
        assert!(missing.is_empty(), "left out at {columns}: {missing:?}");
    }
}

#[test]
fn a_folder_against_itself_is_the_same_in_every_seed() {
    let desk = Desk::new();
    desk.run("run small.toml --out r").with(0);
    let found = parsed(desk.run("compare r r --format json"));
    let questions = found["questions"].as_array().unwrap();
    assert!(questions.len() > 10);
    for question in questions {
        assert_eq!(
            (&question["verdict"], question["difference_mean"].as_f64()),
            (&"the same in every seed".into(), Some(0.0))
        );
    }
}

#[test]
fn before_and_after_a_change_are_paired_by_seed() {
    let desk = Desk::new();
    desk.run("run small.toml --seeds 10 --out before").with(0);
    desk.run("run small.toml --seeds 10 --set cluster.nodes=6 --out after").with(0);
    let metric = "--metric sessions_lost_ratio --metric requests_failed_ratio";
    let end = desk.run(&format!("compare before after {metric}")).with(0);
    assert!(end.stdout.contains("── sticky against before ──"), "{}", end.stdout);
    let found = parsed(desk.run(&format!("compare before after {metric} --format json")));
    let lost = found["questions"].as_array().unwrap().iter().find(|question| {
        question["of"] == "sticky" && question["metric"] == "sessions_lost_ratio" && question["incident"] == "crash"
    });
    // One of six nodes instead of one of three.
    let lost = lost.unwrap();
    assert!((lost["baseline_mean"].as_f64().unwrap() - 1.0 / 3.0).abs() < 0.08, "{lost}");
    assert!((lost["difference_mean"].as_f64().unwrap() + 1.0 / 6.0).abs() < 0.08, "{lost}");
    assert_eq!(lost["n"], 10);

    desk.run("run small.toml --seeds 10 --variant sticky --out half").with(0);
    let end = desk.run("compare before half").with(0);
    assert!(end.stderr.contains("only one of the folders has shared: not compared"), "{}", end.stderr);
}

#[test]
fn an_incident_that_was_seen_lies_within_the_seeds_or_outside() {
    let desk = Desk::new();
    desk.run("run small.toml --seeds 10 --variant sticky --out r").with(0);
    desk.write(
        "seen.csv",
        "metric,value,incident\nsessions_lost_ratio,0.33,crash\nsessions_lost_ratio, 0.95 ,crash\ngoodput_rps,1,\n",
    );
    let end = desk.run("compare r --observed seen.csv").with(0);
    let lines: Vec<&str> = end.stdout.lines().collect();
    assert!(lines[2].ends_with("within") && lines[3].ends_with("100 %, outside"), "{}", end.stdout);
    assert!(lines[4].ends_with("0 %, outside"), "{}", end.stdout);
    assert!(end.stdout.contains("beside 10 simulated ones") && end.stdout.contains("18 % of cases"), "{}", end.stdout);
    let found = parsed(desk.run("compare r --observed seen.csv --format json"));
    assert_eq!(found["observed"][1]["within"], false);
}

#[test]
fn what_cannot_be_compared_is_told() {
    let desk = Desk::new();
    desk.run("run small.toml --seeds 1 --out r").with(0);
    desk.write("wrong.csv", "metric,value\nsessions_lst,3\n\ngoodput_rps,much\ngoodput_rps,NaN\n");
    desk.write("typo.csv", "metric,value,incident\nsessions_lost_ratio,0.3,crush\n");
    desk.write("headless.csv", "a,b\n1,2\n");
    fs::create_dir(desk.path("empty")).unwrap();
    for (line, code, words) in [
        ("compare r --metric sessions_lst", 2, "no figure `sessions_lst`"),
        ("compare r --baseline stiky", 2, "`sticky`"),
        ("compare r --observed wrong.csv", 2, "wrong.csv:2: there is no figure `sessions_lst`"),
        ("compare r --observed wrong.csv", 2, "wrong.csv:4: `much` is not a number"),
        ("compare r --observed headless.csv", 2, "lacks `metric` or `value`"),
        ("compare r --observed absent.csv", 2, "absent.csv"),
        ("compare r r --baseline sticky", 2, "--baseline means nothing for two folders"),
        ("compare r r --observed wrong.csv", 2, "--observed means nothing for two folders"),
        ("compare r --observed typo.csv", 2, "no run has the incident `crush`"),
        ("compare r --format csv", 2, "compare.csv lies in the folder"),
        ("compare empty", 1, "manifest.json"),
        ("compare", 2, "DIR"),
    ] {
        let end = desk.run(line).with(code);
        assert!(end.stderr.contains(words), "{line}: no `{words}` in\n{}", end.stderr);
        assert_eq!(end.stdout, "", "{line}");
    }
    assert!(desk.run("compare r").with(0).stdout.contains("no detectable difference"), "one seed tells nothing");
}
