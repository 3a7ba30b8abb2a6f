//! Which signal can an operator trust? What each did about an incident, over the seeds of a cell.
//!
//! Only one cell's rows are in memory at a time.

use super::sink::Table;
use crate::experiment::rows::{self, Field, INCIDENT, POINT, SIGNAL, VARIANT};
use crate::experiment::{Failure, Place};
use crate::observe::signals::{self, Signal};
use crate::statistics::shares::{upper_of_none, wilson};
use crate::statistics::{Estimate, Interval, estimate, quantile, quantile_interval};
use std::io;
use std::path::Path;

/// The file.
pub const FILE: &str = "warnings.csv";

/// The fields of `warnings.csv`.
pub const FIELDS: &[Field] = &[
    VARIANT,
    POINT,
    INCIDENT,
    SIGNAL,
    Field::integer("n", "Seeds in which it could tell: it was within its healthy band when the incident began."),
    Field::number("alarmed_ratio", "", "Share of those in which it alarmed."),
    Field::number("alarmed_low", "", "Lower end of that share's 95 % interval (Wilson)."),
    Field::number("alarmed_high", "", "Upper end of that interval."),
    Field::number("first_ratio", "", "Share of those in which no other signal alarmed earlier."),
    Field::number("alarm_s_p50", "s", "From the incident to the alarm, median of the seeds in which it came."),
    Field::number(
        "noticed_ratio",
        "",
        "Share of the seeds that can tell in which users noticed; empty where none can.",
    ),
    Field::number(
        "lead_s_p50",
        "s",
        "Alarm before the users' notice, median of the seeds that have both; negative is after.",
    ),
    Field::number("lead_s_low", "s", "Lower end of its 95 % interval (order statistics); empty below six seeds."),
    Field::number("lead_s_high", "s", "Upper end of that interval."),
    Field::number("healthy_h", "h", "Healthy time that it was tested on, all seeds together."),
    Field::number("false_alarms_per_h", "1/h", "Alarms that began in it."),
    Field::number("false_alarms_per_h_low", "1/h", "Lower end of the rate's 95 % interval (Student, over seeds)."),
    Field::number("false_alarms_per_h_high", "1/h", "Upper end of it; 3 ÷ time where none began."),
];

/// One signal and one incident, over the seeds of a cell.
#[derive(Clone, Debug)]
pub struct WarningRow {
    /// The variant.
    pub variant: String,
    /// The sweep point; empty without a sweep.
    pub point: String,
    /// The fault or change.
    pub incident: String,
    /// The signal.
    pub signal: &'static Signal,
    /// Seeds in which it could tell.
    pub n: u64,
    /// In how many of them it alarmed.
    pub alarmed: u64,
    /// In how many of them nothing alarmed earlier.
    pub first: u64,
    /// From the incident to its alarm, median (s).
    pub alarm_s: Option<f64>,
    /// Share of the seeds that can tell in which users noticed; `None` where none can.
    pub noticed: Option<f64>,
    /// By how much it came before them, median (s).
    pub lead_s: Option<f64>,
    /// The interval of that.
    pub lead_interval: Option<Interval>,
    /// Healthy time that it was tested on (h).
    pub healthy_h: f64,
    /// Alarms in it per hour.
    pub false_per_h: f64,
    /// The interval of that.
    pub false_interval: Option<Interval>,
}

impl WarningRow {
    /// Its false alarms per hour, for people: none is known to be rare only as far as it was looked for.
    pub fn false_alarms(&self) -> String {
        match self.false_interval {
            Some(Interval { high, .. }) if self.false_per_h == 0.0 => format!("0, below {high:.2}"),
            Some(Interval { low, high }) => format!("{:.2} ({low:.2} to {high:.2})", self.false_per_h),
            None => format!("{:.2}", self.false_per_h),
        }
    }
}

/// No study has more seeds.
const SEEDS_MAX: u64 = 1_000_000;

/// What stands in a row of one seed.
#[derive(Clone, Debug)]
struct Told {
    incident: String,
    signal: &'static Signal,
    has_alarmed: Option<bool>,
    alarm_s: Option<f64>,
    has_noticed: Option<bool>,
    lead_s: Option<f64>,
    false_alarms: f64,
    healthy_h: f64,
}

/// The rows of `signals.csv` of one cell, by seed.
#[derive(Clone, Debug, Default)]
pub struct CellWarnings {
    seeds: Vec<Vec<Told>>,
}

/// A row of `signals.csv` from its sixth cell on.
type Cells = (f64, Option<u8>, Option<f64>, Option<u8>, Option<f64>, Option<f64>, f64, f64);
type Row = (String, String, u64, String, String, Cells);

impl CellWarnings {
    /// Takes the rows, without header, of the next seed.
    pub fn add(&mut self, rows: &str) -> io::Result<()> {
        let mut csv = csv::ReaderBuilder::new().has_headers(false).from_reader(rows.as_bytes());
        self.seeds.push(csv.deserialize().map(|row| told(row?)).collect::<io::Result<_>>()?);
        Ok(())
    }

    /// What they amount to: by incident, then signal, in the order in which they stand.
    pub fn rows(&self, cell: &Place) -> Vec<WarningRow> {
        let mut keys: Vec<(&str, &'static Signal)> = Vec::new();
        for told in self.seeds.iter().flatten() {
            if !keys.iter().any(|&(incident, signal)| incident == told.incident && signal.name == told.signal.name) {
                keys.push((&told.incident, told.signal));
            }
        }
        keys.into_iter().map(|(incident, signal)| self.row(cell, incident, signal)).collect()
    }

    fn row(&self, cell: &Place, incident: &str, signal: &'static Signal) -> WarningRow {
        let is_own = |told: &&Told| told.incident == incident && told.signal.name == signal.name;
        let own: Vec<&Told> = self.seeds.iter().filter_map(|seed| seed.iter().find(is_own)).collect();
        let count = |is: &dyn Fn(&&&Told) -> bool| own.iter().filter(is).count() as u64;
        let sorted = |get: fn(&Told) -> Option<f64>| {
            let mut values: Vec<f64> = own.iter().filter_map(|told| get(told)).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let leads = sorted(|told| told.lead_s);
        let rates: Vec<f64> = own.iter().map(|told| told.false_alarms / told.healthy_h).collect();
        let healthy_h = own.iter().map(|told| told.healthy_h).sum();
        let rate = estimate(&rates);
        let judged = count(&|told| told.has_noticed.is_some());
        WarningRow {
            variant: cell.variant.clone(),
            point: cell.point.clone(),
            incident: incident.into(),
            signal,
            n: count(&|told| told.has_alarmed.is_some()),
            alarmed: count(&|told| told.has_alarmed == Some(true)),
            first: self.seeds.iter().filter(|seed| is_first(seed, incident, signal)).count() as u64,
            alarm_s: quantile(&sorted(|told| told.alarm_s), 0.5),
            noticed: (judged > 0).then(|| count(&|told| told.has_noticed == Some(true)) as f64 / judged as f64),
            lead_s: quantile(&leads, 0.5),
            lead_interval: quantile_interval(&leads, 0.5),
            healthy_h,
            false_per_h: rate.map_or(0.0, |rate| rate.mean),
            false_interval: rate.and_then(|rate| rate_interval(rate, healthy_h)),
        }
    }
}

fn told((_, _, _, incident, name, cells): Row) -> io::Result<Told> {
    let (_, alarmed, alarm_s, noticed, _, lead_s, false_alarms, healthy_s) = cells;
    let unknown = || io::Error::new(io::ErrorKind::InvalidData, format!("there is no signal `{name}`"));
    let signal = signals::ALL.iter().find(|signal| signal.name == name).ok_or_else(unknown)?;
    let [has_alarmed, has_noticed] = [alarmed, noticed].map(|ratio| ratio.map(|ratio| ratio == 1));
    let healthy_h = healthy_s / 3600.0;
    Ok(Told { incident, signal, has_alarmed, alarm_s, has_noticed, lead_s, false_alarms, healthy_h })
}

/// What stands in the `signals.csv` of a folder of results, over seeds.
pub fn read(out: &Path) -> Result<Vec<WarningRow>, Failure> {
    let path = out.join(rows::Table::Signals.file());
    read_table(&path).map_err(Failure::to("read", &path))
}

fn read_table(path: &Path) -> io::Result<Vec<WarningRow>> {
    let mut cells: Vec<(Place, CellWarnings)> = Vec::new();
    for row in csv::Reader::from_path(path)?.deserialize() {
        let row: Row = row?;
        let (variant, point, seed) = (row.0.clone(), row.1.clone(), row.2);
        if seed == 0 || seed > SEEDS_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("there is no seed {seed}")));
        }
        // The rows of a cell stand together, and so do those of a seed.
        if cells.last().is_none_or(|(place, _)| place.variant != variant || place.point != point) {
            cells.push((Place { variant, point, settings: Vec::new() }, CellWarnings::default()));
        }
        let (_, cell) = cells.last_mut().expect("one has just been added");
        cell.seeds.resize(cell.seeds.len().max(seed as usize), Vec::new());
        let own = cell.seeds.last_mut().expect("seeds count from 1");
        own.push(told(row)?);
    }
    Ok(cells.iter().flat_map(|(place, cell)| cell.rows(place)).collect())
}

/// Whether the signal alarmed, and none earlier.
fn is_first(seed: &[Told], incident: &str, signal: &Signal) -> bool {
    let of_incident = || seed.iter().filter(|told| told.incident == incident);
    let own = of_incident().find(|told| told.signal.name == signal.name).and_then(|told| told.alarm_s);
    own.is_some_and(|own| of_incident().filter_map(|told| told.alarm_s).all(|other| own <= other))
}

/// The interval of a rate; none in so many hours is not "never": the rule of three.
fn rate_interval(rate: Estimate, hours: f64) -> Option<Interval> {
    if rate.mean == 0.0 {
        return Some(Interval { low: 0.0, high: 3.0 / hours });
    }
    rate.interval.map(|interval| Interval { low: interval.low.max(0.0), high: interval.high })
}

/// Writes rows of `warnings.csv`.
pub fn write(rows: &[WarningRow], table: &mut Table) -> Result<(), Failure> {
    for row in rows {
        for key in [row.variant.as_str(), &row.point, &row.incident, row.signal.name] {
            table.text(key)?;
        }
        let share = |hits: u64| (row.n > 0).then(|| hits as f64 / row.n as f64);
        let alarmed = wilson(row.alarmed, row.n);
        let figures = [
            Some(row.n as f64),
            share(row.alarmed),
            alarmed.map(|interval| interval.low),
            alarmed.map(|interval| if row.alarmed == 0 { upper_of_none(row.n) } else { interval.high }),
            share(row.first),
            row.alarm_s,
            row.noticed,
            row.lead_s,
            row.lead_interval.map(|interval| interval.low),
            row.lead_interval.map(|interval| interval.high),
            Some(row.healthy_h),
            Some(row.false_per_h),
            row.false_interval.map(|interval| interval.low),
            row.false_interval.map(|interval| interval.high),
        ];
        figures.into_iter().try_for_each(|figure| table.number(figure))?;
        table.end()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: fn() -> Place = || Place { variant: "v".into(), point: String::new(), settings: Vec::new() };

    /// Two signals about one crash in one seed: alarm and lead of each (s).
    fn seed(cpu: &str, errors: &str, false_alarms: u64) -> String {
        let row = |signal: &str, rest: &str| format!("v,,1,crash,{signal},1.5,{rest},{false_alarms},1800\n");
        row("cpu", cpu) + &row("errors", errors)
    }

    fn rows(seeds: &[String]) -> Vec<WarningRow> {
        let mut cell = CellWarnings::default();
        seeds.iter().for_each(|seed| cell.add(seed).unwrap());
        cell.rows(&PLACE())
    }

    #[test]
    fn who_is_first_is_counted_where_it_could_tell() {
        let found = rows(&[
            seed("1,2,1,9,7", "1,9,1,9,0", 0),
            seed("1,4,1,8,4", "1,4,1,8,4", 2),
            seed(",,1,8,", "1,4,1,8,4", 0),
            seed("0,,0,,", "0,,0,,", 0),
        ]);
        let told: Vec<_> = found.iter().map(|row| (row.signal.name, row.n, row.alarmed, row.first)).collect();
        assert_eq!(told, [("cpu", 3, 2, 2), ("errors", 4, 3, 2)]);
        assert_eq!((found[0].lead_s, found[0].noticed), (Some(5.5), Some(0.75)));
        // Two alarms in four times half an hour.
        assert_eq!((found[0].healthy_h, found[0].false_per_h), (2.0, 1.0));
    }

    #[test]
    fn no_false_alarm_is_known_to_be_rarer_than_three_in_that_time_only() {
        let found = rows(&[seed("0,,,,", "0,,,,", 0), seed("0,,,,", "0,,,,", 0)]);
        assert_eq!(found[0].noticed, None, "nobody can tell");
        assert_eq!(found[0].false_interval, Some(Interval { low: 0.0, high: 3.0 }));
    }
}
