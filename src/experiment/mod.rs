//! How does a question become rows? Cells × seeds → units → parts.
//!
//! A unit is one run: one cell under one seed. Units are pure, finish in any order on any number of
//! threads, and are kept one by one in `parts/`; whoever reads them does so in plan order, so the number of
//! threads never shows.

pub mod failure;
pub mod identity;
pub mod outline;
pub mod parts;
pub mod pilot;
pub mod rows;
pub mod run;
pub mod shard;
#[cfg(test)]
pub(crate) mod testing;
pub mod unit;

use crate::observe::goal::Goal;
use crate::observe::slo::Limit;
pub use crate::scenario::Cell;
pub use failure::Failure;
pub use outline::{Keeps, Outline, Place};
pub use run::{Progress, Report, run};
pub use shard::Shard;
pub use unit::{Unit, UnitRows};

/// Everything that one command simulates.
#[derive(Clone, Debug)]
pub struct Study {
    /// Its name.
    pub name: String,
    /// What is simulated, in plan order: for each point, each variant.
    pub cells: Vec<Cell>,
    /// Every cell runs under the seeds 1 to this; with goals of precision, at most.
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
    /// Seeds before the first look whether they are.
    pub seeds_first: u32,
}

impl Study {
    /// Its units, in plan order: for each cell, each seed.
    pub fn units(&self) -> impl Iterator<Item = Unit> {
        (0..self.unit_count()).map(|number| Unit::numbered(number, self.seeds))
    }

    /// How many units it has.
    pub fn unit_count(&self) -> usize {
        self.cells.len() * self.seeds as usize
    }

    /// What whoever joins its units must know.
    pub fn outline(&self) -> Outline {
        let place = |cell: &Cell| Place {
            variant: cell.variant.clone(),
            point: cell.point.clone(),
            settings: cell.settings.clone(),
        };
        Outline {
            plan_id: identity::plan_id(self),
            name: self.name.clone(),
            cells: self.cells.iter().map(place).collect(),
            seeds: self.seeds,
            scenario_text: self.scenario_text.clone(),
            scenario_name: self.scenario_name.clone(),
            overrides: self.overrides.clone(),
            keeps: self.keeps,
            slo: self.slo.clone(),
            precision: self.precision.clone(),
        }
    }
}
