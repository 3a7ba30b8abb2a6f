//! What must whoever joins the units of a study know of it? Its outline, kept beside them as `parts/plan.json`, so that
//! shards can be joined where nobody has the scenario.

use super::rows::Table;
use super::unit::Unit;
use crate::observe::goal::Goal;
use crate::observe::slo::Limit;
use serde::{Deserialize, Serialize};

/// Where a cell stands in its study.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its variant.
    pub variant: String,
    /// Its sweep point; empty without a sweep.
    pub point: String,
    /// The point's keys and their values.
    pub settings: Vec<(String, String)>,
}

/// Which of the large tables are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keeps {
    /// Rows per tick: `ticks.csv`, `causes.csv` and `bands.csv`.
    pub ticks: bool,
    /// A row per tick and node: `nodes.csv`.
    pub nodes: bool,
}

impl Keeps {
    /// Whether this table is kept.
    pub fn table(self, table: Table) -> bool {
        match table {
            Table::Ticks | Table::Causes => self.ticks,
            Table::Nodes => self.nodes,
            Table::Incidents | Table::Runs | Table::Signals | Table::Batches => true,
        }
    }
}

/// A study without what it simulates.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outline {
    /// The hash of everything that changes its results.
    pub plan_id: String,
    /// Its name.
    pub name: String,
    /// Its cells, in plan order.
    pub cells: Vec<Place>,
    /// Every cell runs under the seeds 1 to this.
    pub seeds: u32,
    /// The scenario as it was written.
    pub scenario_text: String,
    /// The scenario's file name, without its path.
    pub scenario_name: String,
    /// Options that change results, as they were given.
    pub overrides: Vec<String>,
    /// Which of the large tables are kept.
    pub keeps: Keeps,
    /// Limits that must hold.
    pub slo: Vec<Limit>,
    /// How well figures must be known.
    pub precision: Vec<Goal>,
}

impl Outline {
    /// How many units it has.
    pub fn unit_count(&self) -> usize {
        self.cells.len() * self.seeds as usize
    }

    /// The unit with this number.
    pub fn unit(&self, number: usize) -> Unit {
        Unit::numbered(number, self.seeds)
    }

    /// A unit in words: variant, point and seed.
    pub fn called(&self, number: usize) -> String {
        let unit = self.unit(number);
        let Place { variant, point, .. } = &self.cells[unit.cell];
        let point = if point.is_empty() { String::new() } else { format!(", {point}") };
        format!("`{variant}`{point}, seed {}", unit.seed)
    }

    /// The names of its variants, in plan order.
    pub fn variants(&self) -> Vec<&str> {
        distinct(self.cells.iter().map(|cell| cell.variant.as_str()))
    }

    /// The keys that differ between its points.
    pub fn keys(&self) -> Vec<&str> {
        let settings = self.cells.first().map_or(&[][..], |cell| &cell.settings);
        settings.iter().map(|(key, _)| key.as_str()).collect()
    }

    /// Its sweep points, in plan order; one empty name without a sweep.
    pub fn points(&self) -> Vec<&str> {
        distinct(self.cells.iter().map(|cell| cell.point.as_str()))
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let (mut seen, mut kept) = (std::collections::BTreeSet::new(), Vec::new());
    for name in names {
        if seen.insert(name) {
            kept.push(name);
        }
    }
    kept
}
