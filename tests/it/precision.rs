//! As many seeds as a figure takes to be known so well: looked at between rounds, told, and the same again.

use crate::program::{Desk, SMALL, assert_same};

fn wanted(goals: &str) -> String {
    SMALL.replace("[cluster]", &format!("{goals}\n[cluster]"))
}

#[test]
fn seeds_are_added_until_the_figure_is_known_or_there_are_enough() {
    let desk = Desk::new();
    desk.write("loose.toml", &wanted("[precision]\ngoodput_rps = \"50%\""));
    desk.write("tight.toml", &wanted("seeds_max = 60\n[precision]\ngoodput_rps = \"5%\""));
    desk.write(
        "never.toml",
        &wanted("seeds_max = 7\n[precision]\ngoodput_rps = \"0.1%\"\nsessions_lost_ratio = \"1%\""),
    );
    let seeds = |name: &str| {
        let manifest: serde_json::Value =
            serde_json::from_slice(&desk.files(&format!("results/{name}"))["manifest.json"]).unwrap();
        (manifest["seeds"].as_u64().unwrap(), manifest["precision"][0]["is_met"].as_bool().unwrap())
    };
    let end = desk.run("run loose.toml").with(0);
    assert!(end.stderr.contains("goodput_rps is known to 50.0 % within 3 seeds"), "{}", end.stderr);
    assert_eq!(seeds("loose"), (3, true), "the first round was enough");
    let end = desk.run("run tight.toml").with(0);
    let (n, is_met) = seeds("tight");
    assert!(end.stdout.contains(&format!("interval over {n} seeds")), "those that were run: {}", end.stdout);
    assert!(is_met && n > 3 && n < 60, "{n}");
    // It is met, and was not met by much fewer seeds.
    for row in desk.rows("results/tight/summary.csv") {
        if row["metric"] == "goodput_rps" && row["population"] == "all" && row["incident"].is_empty() {
            let number = |key: &str| row[key].parse::<f64>().unwrap();
            assert_eq!(number("n") as u64, n);
            assert!((number("mean_high") - number("mean_low")) / 2.0 <= 0.05 * number("mean"), "{row:?}");
        }
    }
    let end = desk.run("run never.toml").with(0);
    assert!(end.stderr.contains("not 0.1 %, within 7 seeds"), "{}", end.stderr);
    assert_eq!(seeds("never"), (7, false));
}

#[test]
fn the_bytes_do_not_depend_on_threads_and_an_end_can_be_run_again() {
    let desk = Desk::new();
    desk.write("p.toml", &wanted("seeds_max = 40\n[precision]\ngoodput_rps = \"6%\""));
    desk.run("run p.toml --jobs 1 --out one").with(0);
    desk.run("run p.toml --jobs 2 --out two").with(0);
    assert_same(&desk.files("one"), &desk.files("two"));
    desk.run("run p.toml --out one").with(0);
    assert_same(&desk.files("one"), &desk.files("two"));
}

#[test]
fn goals_without_sense_are_told() {
    let desk = Desk::new();
    for (goals, word) in [
        ("[precision]\ngoodput = \"5%\"", "goodput_rps"),
        ("[precision]\ngoodput_rps = \"0%\"", "from \"0.1%\""),
        ("seeds_max = 2\n[precision]\ngoodput_rps = \"5%\"", "seeds_max must be from 3"),
    ] {
        desk.write("p.toml", &wanted(goals));
        let end = desk.run("run p.toml").with(2);
        assert!(end.stderr.contains(word), "{goals}: no `{word}` in\n{}", end.stderr);
    }
    desk.write("p.toml", &wanted("[precision]\ngoodput_rps = \"5%\""));
    let end = desk.run("sweep p.toml --shard 1/2 --out s").with(2);
    assert!(end.stderr.contains("--shard: how many seeds"), "{}", end.stderr);
}
