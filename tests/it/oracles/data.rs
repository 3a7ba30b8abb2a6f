//! The cases as they are written down.

use super::figure::Figure;
use super::hashing::Hashing;
use crate::lab::{cells, cells_at, is_full};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use stickysim::base::draw::name_key;
use stickysim::cluster::plan::Plan;
use stickysim::scenario::Cell;

/// The files, in the order of the page.
pub const FILES: [&str; 11] = [
    "queues", "limits", "people", "hashing", "moving", "draining", "storms", "stalls", "failures", "checks", "versions",
];

/// A file of cases of one topic.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Its heading.
    pub title: String,
    /// Scenario texts by name.
    #[serde(default)]
    scenario: BTreeMap<String, String>,
    /// The cases.
    pub oracle: Vec<Oracle>,
}

/// A scenario, or hashes alone, of which the truth is known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oracle {
    /// Which case of the list, and which form of it.
    pub id: String,
    /// What must come out, in one sentence.
    pub claim: String,
    /// Where the values come from.
    pub source: String,
    /// Name of its scenario in this file; or
    scenario: Option<String>,
    /// the stem of a shipped scenario, its variant, and what its point ends in; or
    shipped: Option<String>,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default)]
    point: Option<String>,
    /// a balance algorithm without a simulation around it; or
    pub hashing: Option<Hashing>,
    /// the unit test that holds it, where what it is about is not public.
    pub by: Option<String>,
    /// What differs from the scenario, as with `--set`.
    #[serde(default)]
    set: Vec<String>,
    /// Length and number of runs; the scenario's own length when not given.
    duration: Option<String>,
    #[serde(default)]
    seeds: u32,
    /// The same with STICKYSIM_FULL; as above when not given.
    duration_full: Option<String>,
    seeds_full: Option<u32>,
    /// The figures.
    pub expect: Vec<Expect>,
}

/// A figure and its true value, or what it must lie within.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// How it is read off a run.
    pub figure: Figure,
    /// What it is, for the page; how it is read when not given.
    name: Option<String>,
    /// The true mean over seeds.
    pub value: Option<f64>,
    /// Allowed error of the mean, relative; or
    pub tolerance: Option<f64>,
    /// absolute.
    pub within: Option<f64>,
    /// Largest relative size of four standard errors where runs are short: such runs are judged by these, and the
    /// tolerance counts for long ones. Without it the tolerance counts for both.
    pub short: Option<f64>,
    /// Relative error that the figure itself may have (a histogram's, a tick's).
    #[serde(default)]
    pub resolution: f64,
    /// What the mean must exceed, a neighbouring theory's value.
    pub exceeds: Option<f64>,
    /// The true standard deviation over seeds, checked within four of its own standard errors.
    pub sd: Option<f64>,
    /// What the figure of each seed must lie within.
    pub each: Option<[f64; 2]>,
    /// What the mean must lie within, with its whole 95 % interval.
    pub between: Option<[f64; 2]>,
    /// Between which values nine of ten seeds lie, and one in twenty on either side.
    pub band: Option<[f64; 2]>,
    /// Whether the figure is a square, and the root of its mean is meant.
    #[serde(default)]
    pub root: bool,
    /// What a seed counts for; all alike when not given.
    pub weight: Option<Figure>,
    /// Why it is known not to come out.
    pub known: Option<Known>,
}

/// A prediction that does not hold, and what comes out instead.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The reason.
    pub because: String,
    /// What the mean lies within.
    pub seen: [f64; 2],
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/oracles")
}

/// All topics.
pub fn topics() -> Vec<Topic> {
    let read = |name: &&str| {
        let text =
            fs::read_to_string(folder().join(name).with_extension("toml")).unwrap_or_else(|e| panic!("{name}: {e}"));
        toml::from_str(&text).unwrap_or_else(|e| panic!("{name}.toml: {e}"))
    };
    FILES.iter().map(read).collect()
}

#[test]
fn every_file_of_cases_is_read() {
    let all = fs::read_dir(folder()).expect("the folder is readable").map(|entry| entry.unwrap().path());
    let mut found: Vec<String> = all
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let mut read = FILES.map(str::to_owned).to_vec();
    found.sort();
    read.sort();
    assert_eq!(found, read);
}

impl Topic {
    /// The text of one of its scenarios.
    pub fn text(&self, name: &str) -> &str {
        self.scenario.get(name).unwrap_or_else(|| panic!("there is no scenario {name}"))
    }

    /// What a case simulates; `None` where it needs no simulation.
    pub fn plan(&self, oracle: &Oracle) -> Option<Plan> {
        let duration = if is_full() {
            oracle.duration_full.as_ref().or(oracle.duration.as_ref())
        } else {
            oracle.duration.as_ref()
        };
        let length = duration.map(|duration| format!("duration={duration}"));
        let sets: Vec<String> = oracle.set.iter().cloned().chain(length).collect();
        let cells = match (&oracle.scenario, &oracle.shipped) {
            (Some(name), None) => cells(self.text(name), &sets),
            (None, Some(stem)) => shipped(stem, &sets),
            _ => return None,
        };
        let fits = |cell: &Cell| {
            oracle.variant.as_ref().is_none_or(|variant| cell.variant == *variant)
                && oracle.point.as_ref().is_none_or(|point| cell.point.ends_with(point))
        };
        let found = cells.into_iter().find(fits);
        Some(found.unwrap_or_else(|| panic!("{}: there is no such variant or point", oracle.id)).plan)
    }
}

fn shipped(stem: &str, sets: &[String]) -> Vec<Cell> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(stem).with_extension("toml");
    cells_at(&path, &fs::read_to_string(&path).unwrap_or_else(|e| panic!("{stem}: {e}")), sets)
}

impl Oracle {
    /// Seeds of its own, so that bad luck in one case says nothing of the next.
    pub fn seed(&self, n: u64) -> u64 {
        name_key(&self.id).wrapping_add(n)
    }

    /// How many.
    pub fn seeds_now(&self) -> u32 {
        if is_full() { self.seeds_full.unwrap_or(self.seeds) } else { self.seeds }
    }
}

impl Expect {
    /// What it is.
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.figure.label())
    }
}
