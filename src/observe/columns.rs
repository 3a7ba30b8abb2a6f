//! Every figure once: its name, unit, meaning, the files it stands in, which way is better, how to get it.
//!
//! Headers, `datapackage.json`, the table in `docs/columns.md`, `[slo]` keys and comparisons all come from
//! [`all`]. To add a column, add its line to one of the files below.

mod cost;
mod nodes;
mod requests;
mod sessions;
mod state;
mod versions;

use super::imbalance::{Load, Spread};
use super::recovery::Eventually;
use super::totals::Counter::{self, *};
use super::window::{ClusterFigures, Window};
use crate::base::cause::{Cause, Harm};

/// Which way a figure should go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Better {
    /// The less the better.
    Less,
    /// The more the better.
    More,
    /// Neither: it describes.
    Neither,
}

/// The tables that a column may stand in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum File {
    /// One row per tick.
    Ticks,
    /// One row per incident.
    Incidents,
    /// One row per run.
    Runs,
}

/// One figure.
#[derive(Debug)]
pub struct Column {
    /// Its name: subject, unit, statistic.
    pub name: &'static str,
    /// Its unit; empty for counts and ratios.
    pub unit: &'static str,
    /// Where it stands.
    pub files: &'static [File],
    /// Which way is better.
    pub better: Better,
    /// One sentence.
    pub meaning: &'static str,
    /// Reads it off a window; `None` where it does not apply.
    pub get: fn(&Window) -> Option<f64>,
}

impl Column {
    /// What it is called in a table, with its unit.
    pub fn label(&self) -> String {
        let unit = match self.unit {
            "" if self.name.contains("_ratio") => " [%]".to_owned(),
            "" => String::new(),
            unit => format!(" [{unit}]"),
        };
        let short = self.name.trim_end_matches("_total").trim_end_matches("_ratio");
        let short = short.replace("_ms_", "_").trim_end_matches("_per_s").trim_end_matches("_s").replace('_', " ");
        short.replace(" ratio ", " ") + &unit
    }

    /// A value of it under that label, with three digits that matter.
    pub fn shown(&self, value: f64) -> String {
        let value = if self.unit.is_empty() && self.name.contains("_ratio") { value * 100.0 } else { value };
        three(value)
    }
}

/// Three digits that matter.
pub fn three(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        x if x >= 100.0 => format!("{value:.0}"),
        x if x >= 10.0 => format!("{value:.1}"),
        x if x >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

const EVERYWHERE: &[File] = &[File::Ticks, File::Incidents, File::Runs];
const LONG: &[File] = &[File::Incidents, File::Runs];
const INCIDENTS: &[File] = &[File::Incidents];
const RUNS: &[File] = &[File::Runs];

type Get = fn(&Window) -> Option<f64>;

const fn column(
    better: Better,
    name: &'static str,
    unit: &'static str,
    files: &'static [File],
    meaning: &'static str,
    get: Get,
) -> Column {
    Column { name, unit, files, better, meaning, get }
}

const fn less(n: &'static str, u: &'static str, f: &'static [File], m: &'static str, g: Get) -> Column {
    column(Better::Less, n, u, f, m, g)
}

const fn more(n: &'static str, u: &'static str, f: &'static [File], m: &'static str, g: Get) -> Column {
    column(Better::More, n, u, f, m, g)
}

const fn plain(n: &'static str, u: &'static str, f: &'static [File], m: &'static str, g: Get) -> Column {
    column(Better::Neither, n, u, f, m, g)
}

/// Every figure, in the order in which they stand.
pub fn all() -> impl Iterator<Item = &'static Column> {
    [sessions::ALL, requests::ALL, state::ALL, nodes::ALL, versions::ALL, cost::ALL].into_iter().flatten()
}

/// The columns of a file, in order.
pub fn of(file: File) -> impl Iterator<Item = &'static Column> {
    all().filter(move |column| column.files.contains(&file))
}

/// The column with this name.
pub fn named(name: &str) -> Option<&'static Column> {
    all().find(|column| column.name == name)
}

fn nanos(w: &Window) -> f64 {
    w.length().as_nanos() as f64
}

fn count(w: &Window, counter: Counter) -> Option<f64> {
    Some(w.totals[counter] as f64)
}

fn harm(w: &Window, harm: Harm) -> Option<f64> {
    Some(w.totals.total(harm) as f64)
}

/// A ratio with nothing below the line does not apply.
fn ratio(above: f64, below: f64) -> Option<f64> {
    (below > 0.0).then(|| above / below)
}

/// Distinct sessions hit, as a share: of those live before an incident, of all that a run saw.
fn distinct(w: &Window, counter: Counter, of_shock: fn(&super::incident::Shock) -> u64) -> Option<f64> {
    match &w.shock {
        Some(shock) => ratio(of_shock(shock) as f64, shock.live_before as f64),
        None => {
            let left = w.totals.gone();
            // Everybody seen: those still live at the end and those that left.
            ratio(w.totals[counter] as f64, (w.live + left) as f64)
        }
    }
}

fn time(eventually: Option<Eventually>) -> Option<f64> {
    match eventually? {
        Eventually::After(time) => Some(time.as_secs_f64()),
        Eventually::Never => None,
    }
}

fn came(eventually: Option<Eventually>) -> Option<f64> {
    Some(f64::from(u8::from(eventually? != Eventually::Never)))
}

fn cluster(w: &Window, get: fn(&ClusterFigures) -> Option<f64>) -> Option<f64> {
    w.cluster.as_ref().and_then(get)
}

// Numbers, so that a line of the table can name a load and a measure of it.
const SESSIONS: usize = Load::Sessions as usize;
const CONNECTIONS: usize = Load::Connections as usize;
const IN_FLIGHT: usize = Load::InFlight as usize;
const BUSY: usize = Load::Busy as usize;
const MEMORY: usize = Load::Memory as usize;
const PEAK_TO_MEAN: usize = 0;
const PEAK_TO_FAIR: usize = 1;
const PEAK_TO_FAIR_MAX: usize = 2;
const CV: usize = 3;
const JAIN: usize = 4;
const GINI: usize = 5;

/// How unevenly the nodes carry a load, by one of the measures.
fn uneven<const LOAD: usize, const MEASURE: usize>(w: &Window) -> Option<f64> {
    let Spread { mean, peak_to_fair_max, gini } = w.cluster.as_ref()?.spreads[LOAD];
    match MEASURE {
        PEAK_TO_MEAN => mean.map(|m| m.peak_to_mean),
        PEAK_TO_FAIR => mean.map(|m| m.peak_to_fair),
        PEAK_TO_FAIR_MAX => peak_to_fair_max,
        CV => mean.map(|m| m.cv),
        JAIN => mean.map(|m| m.jain),
        GINI => gini,
        _ => unreachable!("a measure without a name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_snake_case_and_explained() {
        for (i, column) in all().enumerate() {
            assert!(all().take(i).all(|other| other.name != column.name), "{} twice", column.name);
            assert!(column.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
            assert!(column.meaning.ends_with('.') && !column.files.is_empty(), "{}", column.name);
        }
    }
}
