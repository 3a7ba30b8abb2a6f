//! Sweeps on one machine and on many: the bytes are the same, and what does not belong together is not joined.

use crate::program::{Desk, assert_same};
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
