//! What do notebooks plot? The ticks of one cell over all seeds, made into bands.
//!
//! Only one cell's ticks are in memory at a time, and only those of the cluster as a whole.

use super::sink::Table;
use crate::experiment::rows::{self, Field, POINT, TICK, VARIANT};
use crate::experiment::{Failure, Place};
use crate::statistics::{band, quantile};
use csv::ByteRecord;
use std::io;

/// The fields of `bands.csv`.
pub const FIELDS: &[Field] = &[
    VARIANT,
    POINT,
    TICK,
    Field::text("metric", "Name of the figure: a column of ticks.csv, of population `all`."),
    Field::integer("n", "How many seeds have a value."),
    Field::number("mean", "", "Mean over those seeds, in the metric's unit."),
    Field::number("p5", "", "5th percentile over seeds, linearly interpolated (type 7)."),
    Field::number("p50", "", "Median over seeds."),
    Field::number("p95", "", "95th percentile over seeds, linearly interpolated (type 7)."),
];

/// The ticks of one cell, one seed after the other.
#[derive(Debug, Default)]
pub struct CellTicks {
    seeds: Vec<Series>,
}

/// One seed: a row per tick, NaN where a figure does not apply.
#[derive(Debug, Default)]
struct Series {
    ticks: Vec<String>,
    values: Vec<f64>,
}

impl CellTicks {
    /// Takes the ticks of the next seed from its rows without header.
    pub fn add(&mut self, rows_of_ticks: &str) -> io::Result<()> {
        let keys = rows::Table::Ticks.keys().len();
        let mut csv = csv::ReaderBuilder::new().has_headers(false).from_reader(rows_of_ticks.as_bytes());
        let (mut record, mut series) = (ByteRecord::new(), Series::default());
        while csv.read_byte_record(&mut record)? {
            if record.get(keys - 1) != Some(rows::ALL.as_bytes()) {
                continue;
            }
            series.ticks.push(text(record.get(keys - 2).unwrap_or_default())?.into());
            for cell in record.iter().skip(keys) {
                series.values.push(value(cell)?.unwrap_or(f64::NAN));
            }
        }
        self.seeds.push(series);
        Ok(())
    }

    /// A figure from beginning to end in so many steps: of each the largest of its ticks' medians over seeds.
    pub fn curve(&self, name: &str, steps: usize) -> Vec<f64> {
        let columns: Vec<&str> = rows::Table::Ticks.columns().map(|column| column.name).collect();
        let Some(c) = columns.iter().position(|column| *column == name) else { return Vec::new() };
        let ticks = self.seeds.first().map_or(0, |series| series.ticks.len());
        let median = |t: usize| {
            let of_seeds = self.seeds.iter().filter_map(|series| series.values.get(t * columns.len() + c));
            let mut values: Vec<f64> = of_seeds.copied().filter(|value| !value.is_nan()).collect();
            values.sort_by(f64::total_cmp);
            quantile(&values, 0.5).unwrap_or(0.0)
        };
        let steps = steps.min(ticks);
        let step = |k: usize| (k * ticks / steps..(k + 1) * ticks / steps).map(median).fold(0.0, f64::max);
        (0..steps).map(step).collect()
    }

    /// Writes the bands of this cell.
    pub fn write(&self, cell: &Place, table: &mut Table) -> Result<(), Failure> {
        let columns: Vec<&str> = rows::Table::Ticks.columns().map(|column| column.name).collect();
        let Some(first) = self.seeds.first() else { return Ok(()) };
        let mut values = Vec::with_capacity(self.seeds.len());
        for (t, tick) in first.ticks.iter().enumerate() {
            for (c, column) in columns.iter().enumerate() {
                values.clear();
                let of_seeds = self.seeds.iter().filter_map(|series| series.values.get(t * columns.len() + c));
                values.extend(of_seeds.filter(|value| !value.is_nan()));
                let Some(band) = band(&mut values) else { continue };
                for text in [cell.variant.as_str(), &cell.point, tick, column] {
                    table.text(text)?;
                }
                for figure in [band.n as f64, band.mean, band.p5, band.p50, band.p95] {
                    table.number(Some(figure))?;
                }
                table.end()?;
            }
        }
        Ok(())
    }
}

/// A cell of a table as text.
pub fn text(cell: &[u8]) -> io::Result<&str> {
    std::str::from_utf8(cell).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// A cell of a table as a number; `None` when it is empty.
pub fn value(cell: &[u8]) -> io::Result<Option<f64>> {
    if cell.is_empty() {
        return Ok(None);
    }
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    text(cell)?.parse().map(Some).map_err(invalid)
}
