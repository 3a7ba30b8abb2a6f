//! How does a question become rows? Cells × seeds → units → parts.
//!
//! A unit is one run: one cell under one seed. Units are pure, finish in any order on any number of
//! threads, and are kept one by one in `parts/`; whoever reads them does so in plan order, so the number of
//! threads never shows.

pub mod failure;
pub mod identity;
pub mod parts;
pub mod rows;
pub mod run;
#[cfg(test)]
pub(crate) mod testing;
pub mod unit;

pub use crate::scenario::Cell;
pub use failure::Failure;
pub use run::{Progress, Report, run};
pub use unit::{Unit, UnitRows};

/// Everything that one command simulates.
#[derive(Clone, Debug)]
pub struct Study {
    /// Its name.
    pub name: String,
    /// What is simulated, in plan order: for each point, each variant.
    pub cells: Vec<Cell>,
    /// Every cell runs under the seeds 1 to this.
    pub seeds: u32,
    /// The scenario as it was written.
    pub scenario_text: String,
    /// The scenario's file name, without its path.
    pub scenario_name: String,
    /// Options that change results, as they were given.
    pub overrides: Vec<String>,
    /// Whether to keep a row per node and tick.
    pub keep_nodes: bool,
}

impl Study {
    /// Its units, in plan order: for each cell, each seed.
    pub fn units(&self) -> impl Iterator<Item = Unit> {
        (0..self.unit_count()).map(|number| self.unit(number))
    }

    /// How many units it has.
    pub fn unit_count(&self) -> usize {
        self.cells.len() * self.seeds as usize
    }

    /// The unit with this number.
    pub fn unit(&self, number: usize) -> Unit {
        let seeds = self.seeds as usize;
        Unit { number, cell: number / seeds, seed: (number % seeds) as u64 + 1 }
    }

    /// The hash of everything that changes its results.
    pub fn plan_id(&self) -> String {
        identity::plan_id(self)
    }

    /// The names of its variants, in plan order.
    pub fn variants(&self) -> Vec<&str> {
        distinct(self.cells.iter().map(|cell| cell.variant.as_str()))
    }

    /// Its sweep points, in plan order; one empty name without a sweep.
    pub fn points(&self) -> Vec<&str> {
        distinct(self.cells.iter().map(|cell| cell.point.as_str()))
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}
