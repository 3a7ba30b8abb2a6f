//! What came out? Each variant's figures over seeds, and its paired difference from the baseline.
//!
//! A censored time has no value and enters no mean; the `…_ratio` figure beside it says how often it came. A
//! figure that no cell of a point has in a scope is left out.

use super::batches::BatchRow;
use super::figures::{CellFigures, Scope};
use super::sensitivity::Influence;
use super::sink::Table;
use super::warnings::WarningRow;
use crate::experiment::Failure;
use crate::experiment::rows::{ALL, Field, POINT, POPULATION, VARIANT};
use crate::observe::columns::Column;
use crate::statistics::{Estimate, Interval, Paired, estimate, paired, quantile, quantile_interval};
use std::collections::{BTreeMap, BTreeSet};

/// The file of figures over seeds.
pub const SUMMARY_FILE: &str = "summary.csv";
/// The file of paired differences.
pub const COMPARE_FILE: &str = "compare.csv";

const INCIDENT: Field = Field::text("incident", "Name of the fault or change; empty for the whole run.");
const METRIC: Field = Field::text("metric", "Name of the figure: a column of runs.csv or incidents.csv.");

/// The fields of `summary.csv`.
pub const SUMMARY: &[Field] = &[
    VARIANT,
    POINT,
    POPULATION,
    INCIDENT,
    METRIC,
    Field::integer("n", "How many seeds have a value; a time that did not come is none."),
    Field::number("mean", "", "Mean over those seeds, in the metric's unit."),
    Field::number("sd", "", "Sample standard deviation over seeds."),
    Field::number("mean_low", "", "Lower end of the mean's 95 % interval (Student); empty for one seed."),
    Field::number("mean_high", "", "Upper end of that interval."),
    Field::number("p50", "", "Median over seeds."),
    Field::number("p50_low", "", "Lower end of the median's 95 % interval (order statistics); empty below six seeds."),
    Field::number("p50_high", "", "Upper end of that interval."),
];

/// The fields of `compare.csv`.
pub const COMPARE: &[Field] = &[
    VARIANT,
    POINT,
    POPULATION,
    INCIDENT,
    METRIC,
    Field::integer("n", "How many seeds have a value in both the variant and the baseline."),
    Field::number("baseline_mean", "", "Mean of the baseline over those seeds, in the metric's unit."),
    Field::number("difference_mean", "", "Mean of variant − baseline, paired by seed."),
    Field::number("difference_low", "", "Lower end of its 95 % interval (Student); empty for one seed."),
    Field::number("difference_high", "", "Upper end of that interval."),
    Field::number("win_probability", "", "Share of seeds in which the variant is better, ties counted half."),
    Field::number(
        "pairing_gain",
        "",
        "Factor by which the interval is narrower than without pairing; below 1 where common luck drives the two apart.",
    ),
    Field::number("p_value", "", "Two-sided p-value of the paired t test, for this figure alone."),
    Field::integer("n_needed", "Seeds that would resolve a difference of this size; empty when resolved or unknown."),
    Field::text("verdict", "By that interval: better, worse, not resolved, or same (exactly, in every seed)."),
];

/// One figure of one variant, over seeds.
#[derive(Clone, Debug)]
pub struct SummaryRow {
    /// The variant.
    pub variant: String,
    /// The sweep point; empty without a sweep.
    pub point: String,
    /// The population, or `all`.
    pub population: String,
    /// The fault or change; empty for the whole run.
    pub incident: String,
    /// The figure.
    pub metric: &'static Column,
    /// Mean, spread and interval; `None` when no seed has a value.
    pub estimate: Option<Estimate>,
    /// Median over seeds.
    pub p50: Option<f64>,
    /// The interval of that.
    pub p50_interval: Option<Interval>,
}

/// One figure of one variant against the baseline.
#[derive(Clone, Debug)]
pub struct CompareRow {
    /// The variant.
    pub variant: String,
    /// The sweep point; empty without a sweep.
    pub point: String,
    /// The population, or `all`.
    pub population: String,
    /// The fault or change; empty for the whole run.
    pub incident: String,
    /// The figure.
    pub metric: &'static Column,
    /// The paired difference; `None` when no seed has a value in both.
    pub paired: Option<Paired>,
}

/// A shock as a person sees it at a glance.
#[derive(Clone, Debug)]
pub struct Curve {
    /// The variant.
    pub variant: String,
    /// The sweep point; empty without a sweep.
    pub point: String,
    /// From the beginning of the run to its end.
    pub steps: Vec<f64>,
}

/// Everything that tables, limits and verdicts are made from.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// The variant that the others are compared with.
    pub baseline: String,
    /// By point and incident: when it began (s), in the variant and seed in which it was earliest.
    pub began: BTreeMap<(String, String), f64>,
    /// By cell in plan order, scope, then figure.
    pub summary: Vec<SummaryRow>,
    /// In the same order.
    pub compare: Vec<CompareRow>,
    /// By cell in plan order, incident, then signal; none when they were made from finished files.
    pub warnings: Vec<WarningRow>,
    /// By cell, then figure; only where there is one seed.
    pub batches: Vec<BatchRow>,
    /// By cell: sessions cut off from beginning to end, in few steps; only where there are rows per tick.
    pub curves: Vec<Curve>,
    /// By variant, scope and figure, then from the strongest key on; only of a whole sweep.
    pub influences: Vec<Influence>,
}

impl Results {
    /// The results of these cells, of which those of one point stand together. A point without the baseline is compared
    /// with nothing.
    pub fn of(cells: &[CellFigures], baseline: &str) -> Results {
        let mut results = Results { baseline: baseline.into(), ..Results::default() };
        for cells in cells.chunk_by(|a, b| a.point == b.point) {
            let shown = shown(cells);
            let base = cells.iter().find(|other| other.variant == baseline);
            for cell in cells {
                for scope in &cell.scopes {
                    results.add_beginning(cell, scope);
                    let other = base.and_then(|base| base.find(&scope.population, &scope.incident));
                    results.add(cell, scope, base.is_some(), other, &shown);
                }
            }
        }
        results
    }

    /// Takes in what a person reads of the results of further cells: figures of all populations together that `is_read`.
    /// The whole is in the files: of a large sweep it would not fit into memory.
    pub fn absorb(&mut self, more: Results, is_read: impl Fn(&Column) -> bool) {
        let is_read = |population: &str, metric: &Column| population == ALL && is_read(metric);
        self.summary.extend(more.summary.into_iter().filter(|row| is_read(&row.population, row.metric)));
        self.compare.extend(more.compare.into_iter().filter(|row| is_read(&row.population, row.metric)));
        self.warnings.extend(more.warnings);
        self.began.extend(more.began);
    }

    fn add_beginning(&mut self, cell: &CellFigures, scope: &Scope) {
        if !scope.incident.is_empty() {
            let place = (cell.point.clone(), scope.incident.clone());
            let began = self.began.entry(place).or_insert(scope.began_s);
            *began = began.min(scope.began_s);
        }
    }

    /// When an incident began (s), for putting several in order.
    pub fn began(&self, point: &str, incident: &str) -> f64 {
        self.began.get(&(point.to_owned(), incident.to_owned())).copied().unwrap_or(f64::INFINITY)
    }

    fn add(&mut self, cell: &CellFigures, scope: &Scope, compare: bool, other: Option<&Scope>, shown: &Shown) {
        let mut others = other.map(Scope::figures);
        for (metric, values) in scope.figures() {
            let baseline = others.as_mut().and_then(Iterator::next).map_or_else(Vec::new, |(_, values)| values);
            let (population, incident) = (&scope.population, &scope.incident);
            if !shown.contains(&(population, incident, metric.name)) {
                continue;
            }
            let mut present: Vec<f64> = values.iter().flatten().copied().collect();
            let estimate = estimate(&present);
            present.sort_by(f64::total_cmp);
            self.summary.push(SummaryRow {
                variant: cell.variant.clone(),
                point: cell.point.clone(),
                population: population.clone(),
                incident: incident.clone(),
                metric,
                estimate,
                p50: quantile(&present, 0.5),
                p50_interval: quantile_interval(&present, 0.5),
            });
            if compare {
                self.compare.push(CompareRow {
                    variant: cell.variant.clone(),
                    point: cell.point.clone(),
                    population: population.clone(),
                    incident: incident.clone(),
                    metric,
                    paired: paired(&baseline, &values, metric.better),
                });
            }
        }
    }

    /// Writes `summary.csv`.
    pub fn write_summary(&self, table: &mut Table) -> Result<(), Failure> {
        for row in &self.summary {
            for key in [row.variant.as_str(), &row.point, &row.population, &row.incident, row.metric.name] {
                table.text(key)?;
            }
            let interval = row.estimate.and_then(|estimate| estimate.interval);
            let figures = [
                Some(row.estimate.map_or(0.0, |estimate| estimate.n as f64)),
                row.estimate.map(|estimate| estimate.mean),
                row.estimate.and_then(|estimate| estimate.sd),
                interval.map(|interval| interval.low),
                interval.map(|interval| interval.high),
                row.p50,
                row.p50_interval.map(|interval| interval.low),
                row.p50_interval.map(|interval| interval.high),
            ];
            figures.into_iter().try_for_each(|figure| table.number(figure))?;
            table.end()?;
        }
        Ok(())
    }

    /// Writes `compare.csv`: the baseline comes last, since against itself it has no gain, and a reader that guesses types
    /// from the first rows would take that column for text.
    pub fn write_compare(&self, table: &mut Table) -> Result<(), Failure> {
        let (own, others): (Vec<_>, Vec<_>) = self.compare.iter().partition(|row| row.variant == self.baseline);
        for row in others.into_iter().chain(own) {
            for key in [row.variant.as_str(), &row.point, &row.population, &row.incident, row.metric.name] {
                table.text(key)?;
            }
            let interval = row.paired.and_then(|paired| paired.difference.interval);
            let figures = [
                Some(row.paired.map_or(0.0, |paired| paired.difference.n as f64)),
                row.paired.map(|paired| paired.baseline_mean),
                row.paired.map(|paired| paired.difference.mean),
                interval.map(|interval| interval.low),
                interval.map(|interval| interval.high),
                row.paired.and_then(|paired| paired.win_probability),
                row.paired.and_then(|paired| paired.pairing_gain),
                row.paired.and_then(|paired| paired.p_value),
                row.paired.and_then(|paired| paired.n_needed).map(|n| n as f64),
            ];
            figures.into_iter().try_for_each(|figure| table.number(figure))?;
            table.text(row.paired.and_then(|paired| paired.verdict).map_or("", |verdict| verdict.name()))?;
            table.end()?;
        }
        Ok(())
    }
}

/// The figures that some cell has: population, incident, name.
type Shown<'a> = BTreeSet<(&'a str, &'a str, &'static str)>;

fn shown(cells: &[CellFigures]) -> BTreeSet<(&str, &str, &'static str)> {
    let mut shown = BTreeSet::new();
    for scope in cells.iter().flat_map(|cell| &cell.scopes) {
        for (metric, values) in scope.figures() {
            if values.iter().any(Option::is_some) {
                shown.insert((scope.population.as_str(), scope.incident.as_str(), metric.name));
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::rows;
    use crate::statistics::Verdict;

    /// A cell with one incident; its recovery times by seed.
    fn cell(variant: &str, recovery_s: &[Option<f64>]) -> CellFigures {
        let mut cell = CellFigures::new(variant, "");
        for (seed, time) in recovery_s.iter().enumerate() {
            let values = rows::Table::Incidents.columns().map(|column| match (column.name, time) {
                ("recovery_time_s", Some(time)) => time.to_string(),
                ("recovered_ratio", _) => u8::from(time.is_some()).to_string(),
                _ => String::new(),
            });
            let values: Vec<String> = values.collect();
            let row = format!("{variant},,{},all,crash,1,2,{}\n", seed + 1, values.join(","));
            cell.add(rows::Table::Incidents, seed, &row).unwrap();
        }
        cell
    }

    fn results() -> Results {
        let quick = cell("quick", &[Some(1.0), Some(2.0), Some(3.0)]);
        let slow = cell("slow", &[Some(5.0), None, Some(8.0)]);
        Results::of(&[slow, quick], "slow")
    }

    #[test]
    fn a_censored_time_enters_no_mean_and_its_ratio_stands_beside() {
        let results = results();
        let slow: Vec<_> = results.summary.iter().filter(|row| row.variant == "slow").collect();
        let found: Vec<_> = slow.iter().map(|row| (row.metric.name, row.estimate.unwrap().n, row.p50)).collect();
        assert_eq!(found, [("recovery_time_s", 2, Some(6.5)), ("recovered_ratio", 3, Some(1.0))]);
    }

    #[test]
    fn comparisons_pair_the_seeds_that_both_have() {
        let results = results();
        let paired = |variant| {
            let row = results.compare.iter().find(|row| row.variant == variant).unwrap();
            (row.metric.name, row.paired.unwrap())
        };
        let (name, quick) = paired("quick");
        assert_eq!((name, quick.difference.n, quick.difference.mean), ("recovery_time_s", 2, -4.5));
        assert_eq!((quick.baseline_mean, quick.win_probability), (6.5, Some(1.0)));
        let (_, slow) = paired("slow");
        assert_eq!((slow.difference.mean, slow.verdict), (0.0, Some(Verdict::Same)));
    }
}
