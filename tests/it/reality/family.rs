//! A family of measurements: what was measured, and how each setting is written as a scenario.
//!
//! `tests/data/reality/<family>/` holds `measured.csv`, one line per run of the real product; `scenario.toml`;
//! and `cells.toml`, which says which columns are settings, what each setting changes in the scenario, and how
//! each figure is read off a run. The runs of one setting are a cell.

use super::reading::Reading;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// The families, in the order of the page.
pub const FAMILIES: &[&str] = &["e1", "e2", "e3", "e4", "e5a", "e5b", "e5c", "e5d", "e7", "e9", "e9b", "e10", "e11"];

/// `cells.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// Heading on the page.
    pub title: String,
    /// What was done, and what of it the scenario says otherwise.
    pub about: String,
    /// When the fault comes, counted from the start of the run [s].
    #[serde(default)]
    pub zero: f64,
    /// Until when is watched, counted from the fault [s].
    pub end: f64,
    /// How many seeds each cell runs under.
    pub seeds: u64,
    /// The columns that are settings.
    pub settings: Vec<String>,
    /// The cells that every test run checks.
    pub sample: Vec<BTreeMap<String, String>>,
    /// What settings change.
    #[serde(default)]
    pub rule: Vec<Rule>,
    /// The columns that are figures.
    pub figure: Vec<Figure>,
}

/// What the cells with these settings change in the scenario.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The settings; all must match.
    #[serde(rename = "where")]
    pub of: BTreeMap<String, Values>,
    /// What is laid over the scenario.
    #[serde(default)]
    pub patch: toml::Table,
    /// Why it cannot be said yet; then there is no patch.
    pub waits: Option<String>,
    /// Another time of the fault [s].
    pub zero: Option<f64>,
    /// Another end of the watch [s].
    pub end: Option<f64>,
}

/// Runs in which the number in this column is so large say nothing about the figure.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unless {
    /// The column.
    pub column: String,
    /// The largest number that is allowed.
    pub above: f64,
}

/// One value of a setting, or several.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Values {
    One(String),
    Any(Vec<String>),
}

/// A figure and how it is judged.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// Its column; its unit is the end of its name, or there is none.
    pub name: String,
    /// How it is read.
    pub reading: Reading,
    /// The settings in which the product leaves nothing to chance: every run must give the same.
    #[serde(default)]
    pub exact: Vec<BTreeMap<String, Values>>,
    /// In the other settings, what each number of a list may be off by in the mean.
    pub near: Option<f64>,
    /// Only compared in these settings; in all when empty.
    #[serde(default)]
    pub only: Vec<BTreeMap<String, Values>>,
    /// Runs that say nothing about it.
    pub unless: Option<Unless>,
    /// What a mean may be off by beyond luck: what the measurement itself cannot tell.
    #[serde(default = "rounding")]
    pub floor: f64,
}

/// Measured ratios are written with four decimals.
fn rounding() -> f64 {
    0.0005
}

/// A setting with its runs.
pub struct Cell {
    /// The settings, in the order of their columns.
    pub settings: Vec<(String, String)>,
    /// What is laid over the scenario, as with `--set`.
    pub sets: Vec<String>,
    /// Why it cannot be simulated yet.
    pub waits: Vec<String>,
    /// When the fault comes [s].
    pub zero: f64,
    /// Until when is watched, counted from the fault [s].
    pub end: f64,
    /// By figure: what each run gave; nothing where the cell of the table is empty.
    pub measured: Vec<Vec<Option<Vec<f64>>>>,
}

/// A family, read.
pub struct Family {
    /// Its folder.
    pub name: &'static str,
    /// What it is about.
    pub written: Written,
    /// Where its scenario lies.
    pub path: PathBuf,
    /// The scenario.
    pub scenario: String,
    /// Its cells, in the order of their first runs.
    pub cells: Vec<Cell>,
}

impl Values {
    fn has(&self, value: &str) -> bool {
        match self {
            Values::One(one) => one == value,
            Values::Any(any) => any.iter().any(|one| one == value),
        }
    }
}

/// Whether settings meet all of some conditions.
pub fn meets(settings: &[(String, String)], conditions: &BTreeMap<String, Values>) -> bool {
    conditions.iter().all(|(column, values)| settings.iter().any(|(c, value)| c == column && values.has(value)))
}

impl Family {
    /// Reads the folder of this name.
    pub fn read(name: &'static str) -> Family {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/reality").join(name);
        let text = |file: &str| {
            let path = folder.join(file);
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let written: Written = toml::from_str(&text("cells.toml")).unwrap_or_else(|error| panic!("{name}: {error}"));
        let cells = cells(name, &written, &text("measured.csv"));
        Family { name, written, path: folder.join("scenario.toml"), scenario: text("scenario.toml"), cells }
    }

    /// The places of the cells that every test run checks.
    pub fn samples(&self) -> Vec<usize> {
        let place = |sample: &BTreeMap<String, String>| {
            let is_it = |cell: &Cell| cell.settings.iter().all(|(column, value)| sample.get(column) == Some(value));
            self.cells.iter().position(is_it).unwrap_or_else(|| panic!("{}: no cell is {sample:?}", self.name))
        };
        self.written.sample.iter().map(place).collect()
    }
}

fn cells(name: &str, written: &Written, measured: &str) -> Vec<Cell> {
    let mut csv = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(measured.as_bytes());
    let header = csv.headers().expect("a header").clone();
    let place = |column: &String| {
        header.iter().position(|c| c == column).unwrap_or_else(|| panic!("{name}: there is no column {column}"))
    };
    let (settings, figures): (Vec<usize>, Vec<usize>) =
        (written.settings.iter().map(place).collect(), written.figure.iter().map(|f| place(&f.name)).collect());
    let unless: Vec<Option<(usize, f64)>> =
        written.figure.iter().map(|f| f.unless.as_ref().map(|unless| (place(&unless.column), unless.above))).collect();
    let known = |i: &usize| {
        settings.contains(i) || figures.contains(i) || unless.iter().flatten().any(|(column, _)| column == i)
    };
    let left_out: BTreeSet<usize> = (1..header.len()).filter(|i| !known(i)).collect();
    assert!(left_out.is_empty(), "{name}: columns {left_out:?} are neither settings nor figures");
    let mut cells: Vec<Cell> = Vec::new();
    for record in csv.records().map(|record| record.expect("well-formed")) {
        let key: Vec<(String, String)> = settings.iter().map(|&i| (header[i].into(), record[i].into())).collect();
        let known = cells.iter().position(|cell| cell.settings == key);
        let place = known.unwrap_or_else(|| {
            cells.push(cell(name, written, key));
            cells.len() - 1
        });
        for ((runs, &i), unless) in cells[place].measured.iter_mut().zip(&figures).zip(&unless) {
            let spoilt = unless.is_some_and(|(column, above)| record[column].parse().is_ok_and(|x: f64| x > above));
            runs.extend((!spoilt).then(|| numbers(&record[i])));
        }
    }
    cells
}

/// A cell without runs.
fn cell(name: &str, written: &Written, settings: Vec<(String, String)>) -> Cell {
    for (column, value) in &settings {
        let named = written.rule.iter().any(|rule| rule.of.get(column).is_some_and(|values| values.has(value)));
        assert!(named, "{name}: no rule says what {column} = {value} is");
    }
    let rules = || written.rule.iter().filter(|rule| meets(&settings, &rule.of));
    let mut sets = Vec::new();
    rules().for_each(|rule| flatten("", &rule.patch, &mut sets));
    let waits = rules().filter_map(|rule| rule.waits.clone()).collect();
    let end = rules().filter_map(|rule| rule.end).next_back().unwrap_or(written.end);
    let zero = rules().filter_map(|rule| rule.zero).next_back().unwrap_or(written.zero);
    Cell { sets, waits, zero, end, measured: vec![Vec::new(); written.figure.len()], settings }
}

/// A table as `path=value`.
fn flatten(prefix: &str, table: &toml::Table, sets: &mut Vec<String>) {
    for (key, value) in table {
        match value {
            toml::Value::Table(inner) if !inner.is_empty() => flatten(&format!("{prefix}{key}."), inner, sets),
            value => sets.push(format!("{prefix}{key}={value}")),
        }
    }
}

/// A field of the table: numbers, with bars between groups of them; nothing when it is empty.
fn numbers(field: &str) -> Option<Vec<f64>> {
    let words = field.split([' ', '|']).filter(|word| !word.is_empty());
    let numbers: Vec<f64> = words.map(|word| word.parse().unwrap_or_else(|_| panic!("not a number: {word}"))).collect();
    (!numbers.is_empty()).then_some(numbers)
}
