//! Is every figure known well enough, and if not, how many seeds would do?
//!
//! Looked at between complete rounds of seeds, never within one. The interval after the last look is a little too narrow,
//! since one stops when luck has made it narrow; with ten seeds and more before the first look it still covers some 93 %
//! (Law, *Simulation Modeling and Analysis*, §9.4.1).

use super::figures::CellFigures;
use crate::experiment::parts::Parts;
use crate::experiment::rows::Table;
use crate::experiment::{Failure, Outline};
use crate::observe::goal::Goal;
use crate::statistics::{Estimate, estimate};
use serde::{Deserialize, Serialize};
use std::io;

/// How far a goal was reached.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reached {
    /// The figure.
    pub metric: String,
    /// What was wanted: half the width of the interval ÷ the mean.
    pub wanted: f64,
    /// The largest of all variants, points and incidents; none where it has no meaning, since a mean is zero.
    pub reached: Option<f64>,
    /// Where that was.
    pub at: String,
    /// Whether it is reached everywhere.
    pub is_met: bool,
}

/// What the first `seeds` seeds of every cell say, and how many would reach all goals if means and spreads stayed as they
/// are: at least as many.
pub fn look(outline: &Outline, parts: &Parts, seeds: u32) -> Result<(Vec<Reached>, u32), Failure> {
    let nothing = |goal: &Goal| Reached {
        metric: goal.column.name.into(),
        wanted: goal.share,
        reached: Some(0.0),
        at: String::new(),
        is_met: true,
    };
    let mut reached: Vec<Reached> = outline.precision.iter().map(nothing).collect();
    let mut needed = seeds;
    for (index, place) in outline.cells.iter().enumerate() {
        let mut figures = CellFigures::new(&place.variant, &place.point);
        for seed in 0..seeds as usize {
            let number = index * outline.seeds as usize + seed;
            let part = parts.read(number)?;
            let unread = |reason: io::Error| Failure::to("read", &parts.path(number))(reason);
            for table in [Table::Runs, Table::Incidents] {
                figures.add(table, seed, part.tables.of(table)).map_err(unread)?;
            }
        }
        for (goal, worst) in outline.precision.iter().zip(&mut reached) {
            for scope in figures.scopes.iter().filter(|scope| scope.population == "all") {
                let Some((_, values)) = scope.figures().find(|(column, _)| column.name == goal.column.name) else {
                    continue;
                };
                let values: Vec<f64> = values.into_iter().flatten().collect();
                let Some(found) = estimate(&values) else { continue };
                needed = needed.max(needs(found, goal.share));
                worst.take(found, &[&place.variant, &place.point, &scope.incident]);
            }
        }
    }
    Ok((reached, needed))
}

impl Reached {
    fn take(&mut self, found: Estimate, at: &[&String]) {
        let half = found.interval.map(|interval| (interval.high - interval.low) / 2.0);
        let share = match half {
            Some(0.0) => Some(0.0),
            Some(half) if found.mean != 0.0 => Some(half / found.mean.abs()),
            _ => None,
        };
        self.is_met &= share.is_some_and(|share| share <= self.wanted);
        // Without a meaning is worse than any share.
        let is_worse = self.reached.is_some_and(|worst| share.is_none_or(|share| share > worst));
        if is_worse {
            self.reached = share;
            self.at =
                at.iter().filter(|name| !name.is_empty()).map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        }
    }

    /// One line for people.
    pub fn words(&self, seeds: u32) -> String {
        let Reached { metric, wanted, at, .. } = self;
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        match (self.is_met, self.reached) {
            (true, _) => format!("precision: {metric} is known to {} within {seeds} seeds", percent(*wanted)),
            (false, Some(share)) => {
                let (share, wanted) = (percent(share), percent(*wanted));
                format!("precision: {metric} is known to {share} only, not {wanted}, within {seeds} seeds ({at})")
            }
            (false, None) => {
                format!("precision: {metric} has a mean of zero or one seed only ({at}): no share of it is known")
            }
        }
    }
}

/// How many seeds give an interval of so large a share of the mean.
fn needs(found: Estimate, share: f64) -> u32 {
    const MOST: f64 = 1e9;
    let Some(interval) = found.interval else { return found.n as u32 + 1 };
    let half = (interval.high - interval.low) / 2.0;
    if half <= share * found.mean.abs() {
        return found.n as u32;
    }
    let ratio = half / (share * found.mean.abs());
    (found.n as f64 * ratio * ratio).min(MOST).ceil() as u32
}
