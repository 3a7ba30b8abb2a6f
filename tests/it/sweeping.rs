//! Sweeps on one machine and on many: the bytes are the same, and what does not belong together is not joined.

use crate::program::{Desk, Row, assert_same};
use std::fs;

/// Two designs × three points × two seeds.
const SWEEP: &str = "sweep small.toml --seeds 2 --vary cluster.nodes=3..5";

/// The folders of so many shards, all of them run.
fn shards(desk: &Desk, of: usize) -> String {
    let folders: Vec<String> = (1..=of).map(|k| format!("s{of}-{k}")).collect();
    for (k, folder) in (1..).zip(&folders) {
        desk.run(&format!("{SWEEP} --shard {k}/{of} --out {folder}")).with(0);
    }
    folders.join(" ")
}

#[test]
fn shards_are_joined_to_the_bytes_of_the_whole() {
    let desk = Desk::new();
    let end = desk.run(&format!("{SWEEP} --out whole --jobs 1")).with(0);
    assert!(end.stderr.contains("12 of 12 runs"), "{}", end.stderr);
    let whole = desk.files("whole");
    assert!(!whole.contains_key("ticks.csv") && whole.contains_key("summary.csv"), "rows of ticks only when asked for");
    for of in [1, 2, 7, 16] {
        let folders = shards(&desk, of);
        let end = desk.run(&format!("merge {folders} --out joined{of}")).with(0);
        assert!(end.stdout.contains("cluster.nodes=5"), "{}", end.stdout);
        assert_same(&desk.files(&format!("joined{of}")), &whole);
    }
    desk.run(&format!("{SWEEP} --ticks --nodes --out all")).with(0);
    let all = desk.files("all");
    assert!(["ticks.csv", "bands.csv", "causes.csv", "nodes.csv"].iter().all(|&file| all.contains_key(file)));
    assert_eq!(all["runs.csv"], whole["runs.csv"]);
}

#[test]
fn a_missing_shard_exits_with_3_and_names_its_runs() {
    let desk = Desk::new();
    let folders = shards(&desk, 3);
    let end = desk.run("merge s3-1 s3-3 absent --out joined").with(3);
    assert!(end.stderr.contains("4 of 12 runs are missing"), "{}", end.stderr);
    assert!(end.stderr.contains("unit 1: `shared`, cluster.nodes=3, seed 2"), "{}", end.stderr);
    assert!(end.stderr.contains("absent holds no shard"), "{}", end.stderr);
    assert!(!desk.path("joined").exists(), "nothing is half written");
    desk.run(&format!("merge {folders} s3-1 --out joined")).with(0);
}

#[test]
fn an_interrupted_shard_goes_on_from_what_it_has() {
    let desk = Desk::new();
    let folders = shards(&desk, 2);
    fs::remove_file(desk.path("s2-1/parts/4.json")).unwrap();
    fs::write(desk.path("s2-1/parts/2.json"), "{\"plan\":").unwrap();
    let end = desk.run(&format!("merge {folders} --out joined")).with(3);
    assert!(end.stderr.contains("unit 2:") && end.stderr.contains("unit 4:"), "{}", end.stderr);
    let end = desk.run(&format!("{SWEEP} --shard 1/2 --out s2-1")).with(0);
    assert!(end.stderr.contains("6 of 6 runs"), "{}", end.stderr);
    desk.run(&format!("merge {folders} --out joined")).with(0);
}

#[test]
fn what_does_not_belong_together_exits_with_1() {
    let desk = Desk::new();
    let folders = shards(&desk, 2);
    desk.run("sweep small.toml --seeds 3 --vary cluster.nodes=3..5 --shard 1/2 --out foreign").with(0);
    let end = desk.run(&format!("merge {folders} foreign --out joined")).with(1);
    assert!(end.stderr.contains("foreign") && end.stderr.contains("another plan"), "{}", end.stderr);

    let end = desk.run(&format!("{SWEEP} --seeds 5 --shard 1/2 --out s2-1").replace("--seeds 2 ", "")).with(1);
    assert!(end.stderr.contains("holds runs of another plan"), "{}", end.stderr);

    let end = desk.run(&format!("merge {folders} --out s2-1")).with(1);
    assert!(end.stderr.contains("one of the shards"), "{}", end.stderr);
    let end = desk.run("merge absent --out joined").with(1);
    assert!(end.stderr.contains("there is no shard in it"), "{}", end.stderr);
    assert!(!desk.path("joined").exists());

    // The same run, told in two ways: as if another build had made it.
    fs::create_dir_all(desk.path("liar/parts")).unwrap();
    fs::copy(desk.path("s2-1/parts/plan.json"), desk.path("liar/parts/plan.json")).unwrap();
    let part = fs::read(desk.path("s2-1/parts/0.json")).unwrap();
    let mut part: serde_json::Value = serde_json::from_slice(&part).unwrap();
    part["events"] = 1.into();
    let check = stickysim::experiment::parts::sealed(serde_json::from_value(part).unwrap());
    fs::write(desk.path("liar/parts/0.json"), serde_json::to_string(&check).unwrap()).unwrap();
    let end = desk.run(&format!("merge {folders} liar --out joined")).with(1);
    assert!(end.stderr.contains("`shared`, cluster.nodes=3, seed 1 differs"), "{}", end.stderr);
}

#[test]
fn a_dry_run_lists_the_units_of_a_shard() {
    let desk = Desk::new();
    let before = desk.names();
    let end = desk.run(&format!("{SWEEP} --shard 2/5 --dry-run --format csv")).with(0);
    let lines: Vec<&str> = end.stdout.lines().collect();
    assert_eq!(lines[..2], ["unit,variant,point,seed", "1,shared,cluster.nodes=3,2"]);
    assert_eq!(lines.len(), 4, "units 1, 6 and 11");
    let end = desk.run(&format!("{SWEEP} --dry-run")).with(0);
    assert!(end.stdout.contains("12 runs of 2 variant(s) × 3 point(s) × 2 seed(s)"), "{}", end.stdout);
    assert_eq!(desk.names(), before);
}

#[test]
fn mistakes_in_a_sweep_exit_with_2_and_write_nothing() {
    let desk = Desk::new();
    let before = desk.names();
    for (options, word) in [
        ("--vary cluster.nodes=5..2", "smaller end first"),
        ("--vary cluster.nodez=3..4", "`nodes`"),
        ("--vary cluster.nodes", "has no `=`"),
        ("--vary cluster.nodes=0,3", "nodes"),
        ("--vary cluster.nodes=3,4 --set cluster.nodes=9", "--set says one value"),
        ("--vary cluster.nodes=3,4 --vary cluster={nodes=5}", "`cluster.nodes` is swept too"),
        ("--vary clients.web.think=1s..5s", "write clients.web.think=1s..5s:5s"),
        ("--shard 3/2", "K/N"),
        ("--sample 9", "nothing to sample"),
        ("--sample 1", "--sample"),
    ] {
        let end = desk.run(&format!("sweep small.toml {options}")).with(2);
        assert!(end.stderr.contains(word), "{options}: no `{word}` in\n{}", end.stderr);
        assert_eq!((end.stdout.as_str(), desk.names()), ("", before.clone()), "{options}");
    }
}

#[test]
fn a_sweep_ranks_its_keys_by_what_they_move() {
    let desk = Desk::new();
    let sweep = "sweep small.toml --seeds 3 --vary cluster.nodes=2..6 --vary balancer.balance=random,roundrobin";
    let end = desk.run(&format!("{sweep} --set fault.crash.kill.lasts=500ms --out out")).with(0);
    assert!(end.stdout.contains("what moves what"), "{}", end.stdout);
    let rows = desk.rows("out/sensitivity.csv");
    let lost = |key: &str| {
        let own = |row: &&Row| {
            row["variant"] == "sticky" && row["metric"] == "sessions_lost_ratio" && row["incident"] == "crash"
        };
        rows.iter().filter(own).find(|row| row["key"] == key).unwrap().clone()
    };
    let (nodes, balance) = (lost("cluster.nodes"), lost("balancer.balance"));
    let number = |row: &Row, name: &str| row[name].parse::<f64>().unwrap();
    // A dead node takes one share in n with it, whatever the order in which nodes were filled.
    assert!(number(&nodes, "strength_high") < -0.5, "{nodes:?}");
    assert_eq!((nodes["rank"].as_str(), nodes["measure"].as_str(), nodes["points"].as_str()), ("1", "spearman", "10"));
    assert_eq!((balance["rank"].as_str(), balance["measure"].as_str(), balance["n"].as_str()), ("2", "ratio", "3"));
    let one = desk.run("sweep small.toml --seeds 2 --vary cluster.nodes=3..4 --out out").with(0);
    assert!(!one.stdout.contains("what moves what"), "{}", one.stdout);
    assert!(!desk.path("out/sensitivity.csv").exists(), "two points rank nothing, and no stale file is left");
}

/// Half an hour without sessions at first, which stay for 30 s: it has filled after a few minutes.
const FILLS: &str = r#"
duration = "32m"
warmup   = "auto"
tick     = "5s"
seeds    = 2
[cluster]
nodes = 3
node  = { concurrency = 4 }
[clients.web]
arrivals = { open = { rate = "4/s" }, initial = 0 }
length   = { exponential = { mean = "30s" } }
think    = { exponential = { mean = "5s" } }
service  = { exponential = { mean = "5ms" } }
[balancer]
balance  = "leastconn"
affinity = "cookie"
[state.memory]
[fault.crash]
at   = "30m"
kill = { nodes = 1 }
[slo]
requests_failed_ratio = "< 1%"
"#;

#[test]
fn a_warm_up_is_found_where_sessions_have_filled_the_cluster() {
    let desk = Desk::new();
    fs::write(desk.path("fills.toml"), FILLS).unwrap();
    let end = desk.run("run fills.toml --out out").with(0);
    let told =
        end.stderr.lines().find(|line| line.starts_with("warm-up: ")).unwrap_or_else(|| panic!("{}", end.stderr));
    let manifest = fs::read_to_string(desk.path("out/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let set = manifest["overrides"][0].as_str().unwrap();
    let found = set.strip_prefix("--set warmup=").unwrap();
    assert!(told.contains(found), "{told}: {set}");
    // 98 % of the sessions are there after 30 s × ln 50, about two minutes.
    let found: stickysim::base::time::Duration = found.parse().unwrap();
    assert!((60.0..=600.0).contains(&found.as_secs_f64()), "{found}");
    assert!(!end.stdout.contains("no steady state"), "{}", end.stdout);

    let short =
        desk.run("run fills.toml --seeds 4 --set warmup=0s --set tick=1s --set duration=4m --set fault.crash.at=3m --out short").with(0);
    assert!(short.stdout.contains("no steady state before the first incident: live sessions rise"), "{}", short.stdout);
    let short = desk.run("run fills.toml --set fault.crash.at=2m --out none").with(2);
    assert!(
        short.stderr.contains("finds no steady state within 2m") && short.stderr.contains("hint"),
        "{}",
        short.stderr
    );
    let plan = desk.run("plan fills.toml --find cluster.nodes=3..4").with(2);
    assert!(plan.stderr.contains("warmup"), "{}", plan.stderr);
}
