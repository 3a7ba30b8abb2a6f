//! One run: a cell under a seed, from the plan to its rows. Pure: no file, no clock, no thread.

use super::Study;
use super::rows::{self, Tables};
use crate::cluster::Sim;

/// One run of a study.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unit {
    /// Its place in plan order.
    pub number: usize,
    /// The place of its cell.
    pub cell: usize,
    /// Its seed, from 1.
    pub seed: u64,
}

impl Unit {
    /// The unit with this number, where each cell runs under so many seeds.
    pub fn numbered(number: usize, seeds: u32) -> Unit {
        let seeds = seeds as usize;
        Unit { number, cell: number / seeds, seed: (number % seeds) as u64 + 1 }
    }
}

/// What a unit leaves behind.
#[derive(Clone, PartialEq, Debug)]
pub struct UnitRows {
    /// A hash of what happened.
    pub fingerprint: u64,
    /// Events handled.
    pub events: u64,
    /// Its rows of every table.
    pub tables: Tables,
}

/// Runs a unit; `None` when `stop`, which is asked once a tick, said yes.
pub fn run_unit(study: &Study, unit: Unit, stop: impl Fn() -> bool) -> Option<UnitRows> {
    let cell = &study.cells[unit.cell];
    let outcome = Sim::new(&cell.plan, unit.seed, study.keeps.nodes).run(stop)?;
    let tables = rows::write(cell, unit.seed, &outcome.recording, study.keeps);
    Some(UnitRows { fingerprint: outcome.recording.fingerprint, events: outcome.events, tables })
}

#[cfg(test)]
mod tests {
    use super::super::testing::study;
    use super::*;

    #[test]
    fn units_go_through_the_seeds_of_each_cell_in_turn() {
        let units: Vec<(usize, u64)> = study(2).units().map(|unit| (unit.cell, unit.seed)).collect();
        assert_eq!(units, [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)]);
    }

    #[test]
    fn a_unit_is_a_function_of_its_plan_and_seed() {
        let study = study(2);
        let run = |number| run_unit(&study, Unit::numbered(number, 2), || false).unwrap();
        assert_eq!(run(0), run(0));
        assert_ne!(run(0).fingerprint, run(1).fingerprint);
        assert_eq!(run_unit(&study, Unit::numbered(0, 2), || true), None);
    }
}
