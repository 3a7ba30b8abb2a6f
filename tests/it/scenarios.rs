//! The shipped scenarios: each asks a question, runs, and gives the results that are committed.
//!
//! `results/<stem>/` holds the small files of a run with the shipped seeds; its manifest also seals the large
//! ones. By default the first seeds are run again and compared with what the manifest and the tables say of
//! them; `STICKYSIM_FULL=1` runs all of them and compares every byte.

use crate::program::{Files, Row, difference, files, rows};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use stickysim::experiment::identity::sha256;
use stickysim::output::manifest::{FILE, Manifest};
use stickysim::scenario::{Overrides, Problems, Sources, load};

const MEND: &str = "if that is meant, `scripts/golden` rebuilds results/";

/// So many seeds are run again by default.
const SEEDS: u64 = 1;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Name and path of every shipped scenario, sorted.
fn shipped() -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(root().join("scenarios")).unwrap().map(|entry| entry.unwrap().path());
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let tables = entries.filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let mut shipped: Vec<(String, PathBuf)> = tables.map(|path| (stem(&path), path)).collect();
    shipped.sort();
    assert!(!shipped.is_empty());
    shipped
}

/// The comment that a scenario opens with.
fn opening(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix('#'));
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_opens_with_a_question_and_what_to_expect() {
    for (name, path) in shipped() {
        let opening = opening(&fs::read_to_string(path).unwrap());
        let (question, expected) = opening.split_once("Expect").unwrap_or((&opening, ""));
        assert!(question.contains('?'), "{name}: the opening comment asks no question");
        assert!(expected.len() > 20, "{name}: the opening comment does not say what to Expect");
    }
}

#[test]
fn each_compiles_without_a_problem_that_its_comment_does_not_explain() {
    for (name, path) in shipped() {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let loaded = load(&path, &Overrides::default(), &mut sources, &mut problems);
        let opening = opening(&fs::read_to_string(&path).unwrap());
        let is_explained = opening.to_lowercase().contains("warning");
        let text = problems.render(&sources, false);
        assert!(!problems.has_errors() && (problems.is_empty() || is_explained), "{name}:\n{text}");
        let loaded = loaded.unwrap();
        assert_eq!(loaded.name, name, "results/ goes by the name, and by the stem");
    }
}

/// Runs a scenario into a folder of its own; gives its files.
fn run(name: &str, path: &Path, seeds: Option<u64>) -> Files {
    let out = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stickysim"));
    command.arg("run").arg(path).arg("--quiet").arg("--out").arg(out.path());
    if let Some(seeds) = seeds {
        command.args(["--seeds", &seeds.to_string()]);
    }
    let output = command.output().unwrap();
    // 99: a limit is violated, which is a result like any other.
    let is_done = matches!(output.status.code(), Some(0 | 99));
    assert!(is_done, "{name}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    files(out.path())
}

fn is_full() -> bool {
    std::env::var_os("STICKYSIM_FULL").is_some_and(|value| !value.is_empty())
}

#[test]
fn each_runs_and_gives_the_committed_results() {
    for (name, path) in shipped() {
        let golden = root().join("results").join(&name);
        let is_golden = golden.join(FILE).exists();
        if is_full() && is_golden {
            compare_all(&name, &golden, &run(&name, &path, None));
            continue;
        }
        let fresh = run(&name, &path, Some(SEEDS));
        let manifest: Manifest = serde_json::from_slice(&fresh[FILE]).unwrap();
        assert!(manifest.files.iter().all(|entry| entry.bytes > 0), "{name}");
        if is_golden {
            compare_first_seeds(&name, &golden, &fresh, &manifest);
        }
    }
}

/// Every byte of every file, those that are not committed by their hash.
fn compare_all(name: &str, golden: &Path, fresh: &Files) {
    let committed = committed(golden);
    let own: Files = fresh.iter().filter(|(file, _)| committed.contains_key(*file)).map(pair).collect();
    // The tables first: the manifest only repeats that they differ.
    let tables = |files: &Files| files.iter().filter(|(file, _)| *file != FILE).map(pair).collect::<Files>();
    let found = difference(&tables(&committed), &tables(&own));
    assert!(found.is_none(), "results/{name}/{} (committed, then now)\n{MEND}", found.unwrap());
    for entry in &Manifest::read(golden).unwrap().files {
        let bytes = fresh.get(&entry.file).unwrap_or_else(|| panic!("{name} gives no {} any more\n{MEND}", entry.file));
        assert!(sha256(bytes) == entry.sha256, "{name}: {} has another hash than in the manifest\n{MEND}", entry.file);
    }
    let found = difference(&committed, &own);
    assert!(found.is_none(), "results/{name}/{} (committed, then now)\n{MEND}", found.unwrap());
}

fn pair((name, bytes): (&String, &Vec<u8>)) -> (String, Vec<u8>) {
    (name.clone(), bytes.clone())
}

/// The files that are committed; an earlier run may have left others there, which git ignores.
fn committed(golden: &Path) -> Files {
    let mut files = files(golden);
    for ignored in ["ticks.csv", "bands.csv", "causes.csv", "nodes.csv"] {
        files.remove(ignored);
    }
    files
}

/// The fingerprints and rows of the seeds that were run again.
fn compare_first_seeds(name: &str, golden: &Path, fresh: &Files, manifest: &Manifest) {
    let committed = committed(golden);
    let old = Manifest::read(golden).unwrap();
    assert!(old.overrides.is_empty(), "results/{name} is of a run with options\n{MEND}");
    for run in &manifest.runs {
        let same = |other: &&_| key(run) == key(other);
        let fingerprint = old.runs.iter().find(same).map(|other| &other.fingerprint);
        assert!(fingerprint == Some(&run.fingerprint), "{name}: another course of events in {:?}\n{MEND}", key(run));
    }
    for file in ["runs.csv", "incidents.csv"] {
        let own = |row: &Row| row["seed"].parse::<u64>().is_ok_and(|seed| seed <= SEEDS);
        let (before, now) = (rows(&committed[file]).into_iter().filter(own), rows(&fresh[file]));
        let before: Vec<Row> = before.collect();
        assert_eq!(before.len(), now.len(), "results/{name}/{file}: rows of the first {SEEDS} seeds\n{MEND}");
        for (i, (before, now)) in before.iter().zip(&now).enumerate() {
            for (column, value) in now {
                let was = before.get(column).map_or("no column", String::as_str);
                assert!(was == value, "results/{name}/{file}, row {i}: {column} was {was}, is {value}\n{MEND}");
            }
            assert_eq!(before.len(), now.len(), "results/{name}/{file}: a column is gone\n{MEND}");
        }
    }
}

fn key(run: &stickysim::output::manifest::RunEntry) -> (&str, &str, u64) {
    (&run.variant, &run.point, run.seed)
}

/// What lies in results/ is whole, and is of the scenario as it now stands.
#[test]
fn committed_results_are_sealed_and_of_this_scenario() {
    let shipped = shipped();
    for entry in fs::read_dir(root().join("results")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_str().unwrap().to_owned();
        if !entry.join(FILE).exists() {
            continue;
        }
        let (_, path) = shipped.iter().find(|(stem, _)| *stem == name).unwrap_or_else(|| {
            panic!("results/{name} has no scenarios/{name}.toml: remove it, or bring the scenario back");
        });
        let manifest = Manifest::read(&entry).unwrap();
        let text = fs::read_to_string(path).unwrap();
        assert!(manifest.scenario.text == text, "scenarios/{name}.toml has changed since results/{name}\n{MEND}");
        for (file, bytes) in committed(&entry).iter().filter(|(file, _)| *file != FILE) {
            let sealed = manifest.files.iter().find(|entry| entry.file == *file);
            let sealed = sealed.unwrap_or_else(|| panic!("results/{name}/{file} is not in its manifest\n{MEND}"));
            assert!(sha256(bytes) == sealed.sha256, "results/{name}/{file} is not what its manifest seals\n{MEND}");
        }
        let size: usize = committed(&entry).values().map(Vec::len).sum();
        assert!(size <= 1 << 20, "results/{name} has {size} bytes; 1 MiB is allowed");
    }
}
