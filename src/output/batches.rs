//! The averages of a single long run, with intervals from its own stretches: read where there is one seed only.

use crate::observe::columns::{self, Column};
use crate::statistics::Interval;
use std::io;

/// An average of one run.
#[derive(Clone, Debug)]
pub struct BatchRow {
    /// The variant.
    pub variant: String,
    /// The sweep point; empty without a sweep.
    pub point: String,
    /// The figure.
    pub metric: &'static Column,
    /// Its mean over the stretches.
    pub mean: f64,
    /// The 95 % interval of that.
    pub interval: Interval,
    /// Of a stretch with the next; `None` where nothing varies.
    pub correlation: Option<f64>,
}

type Row = (String, String, u64, String, u64, f64, Option<f64>, Option<f64>, Option<f64>);

/// The rows of `batches.csv` of one run, without header.
pub fn read(rows: &str) -> io::Result<Vec<BatchRow>> {
    let mut csv = csv::ReaderBuilder::new().has_headers(false).from_reader(rows.as_bytes());
    let mut found = Vec::new();
    for row in csv.deserialize() {
        let (variant, point, _, metric, _, mean, low, high, correlation): Row = row?;
        let unknown = || io::Error::new(io::ErrorKind::InvalidData, format!("there is no figure `{metric}`"));
        let metric = columns::named(&metric).ok_or_else(unknown)?;
        if let (Some(low), Some(high)) = (low, high) {
            found.push(BatchRow { variant, point, metric, mean, interval: Interval { low, high }, correlation });
        }
    }
    Ok(found)
}
