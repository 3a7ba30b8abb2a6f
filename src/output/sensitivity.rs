//! Which input moves which figure? Keys of a sweep, ranked for each figure that a person reads.
//!
//! Under each seed the figure's values at all points are correlated, by rank, with the values of the key; the mean over
//! seeds and its interval are what is told. So the interval says how much of it may be luck; points are what was asked.

use super::figures::CellFigures;
use super::sink::Table;
use crate::base::units::{Bytes, Number, Rate, Share};
use crate::experiment::rows::{ALL, Field, VARIANT};
use crate::experiment::{Failure, Outline};
use crate::observe::columns::{self, Column};
use crate::statistics::strength::{correlation_ratio, spearman};
use crate::statistics::{Estimate, Interval, estimate};
use std::fmt::Write;
use std::io;
use std::path::Path;

/// The file.
pub const FILE: &str = "sensitivity.csv";

/// Points below this say nothing about how a figure moves.
const POINTS_MIN: usize = 3;

/// The fields of `sensitivity.csv`.
pub const FIELDS: &[Field] = &[
    VARIANT,
    Field::text("incident", "Name of the fault or change; empty for the whole run."),
    Field::text("metric", "Name of the figure, of all populations together."),
    Field::integer("rank", "1 for the key that moves the figure most."),
    Field::text("key", "A key of the sweep."),
    Field::integer("points", "Points of the sweep at which the figure has a value in every seed that counts."),
    Field::integer("n", "Seeds that count: those in which the figure varies over the points."),
    Field::text(
        "measure",
        "spearman: rank correlation, with its sign; ratio: correlation ratio of ranks less luck, for words.",
    ),
    Field::number("strength", "", "Mean over seeds, −1 to 1."),
    Field::number("strength_low", "", "Lower end of its 95 % interval (Student, over seeds)."),
    Field::number("strength_high", "", "Upper end of that interval."),
];

/// How strongly a key moves a figure of a variant.
#[derive(Clone, Debug)]
pub struct Influence {
    /// The variant.
    pub variant: String,
    /// The fault or change; empty for the whole run.
    pub incident: String,
    /// The figure.
    pub metric: &'static Column,
    /// 1 for the key that moves it most.
    pub rank: usize,
    /// The key.
    pub key: String,
    /// Points at which the figure has values.
    pub points: usize,
    /// Whether the key's values are numbers.
    pub is_ordered: bool,
    /// −1 to 1, over seeds.
    pub strength: Estimate,
}

/// A figure of a variant: by point, its values by seed.
#[derive(Debug)]
struct Watched {
    variant: String,
    incident: String,
    metric: &'static Column,
    points: Vec<(usize, Vec<Option<f64>>)>,
}

/// The figures of a sweep that are watched, gathered point by point.
#[derive(Debug, Default)]
pub struct Sensitivity {
    // By point: each key's value.
    settings: Vec<Vec<String>>,
    watched: Vec<Watched>,
}

impl Sensitivity {
    /// Takes the figures of the next point that `is_read`.
    pub fn add(&mut self, settings: Vec<String>, cells: &[CellFigures], is_read: impl Fn(&Column) -> bool) {
        let point = self.settings.len();
        self.settings.push(settings);
        for cell in cells {
            for scope in cell.scopes.iter().filter(|scope| scope.population == ALL) {
                for (metric, values) in scope.figures().filter(|(metric, _)| is_read(metric)) {
                    self.watch(&cell.variant, &scope.incident, metric).points.push((point, values));
                }
            }
        }
    }

    fn watch(&mut self, variant: &str, incident: &str, metric: &'static Column) -> &mut Watched {
        let is_it = |watched: &Watched| {
            watched.variant == variant && watched.incident == incident && watched.metric.name == metric.name
        };
        let i = self.watched.iter().position(is_it).unwrap_or(self.watched.len());
        if i == self.watched.len() {
            let (variant, incident) = (variant.into(), incident.into());
            self.watched.push(Watched { variant, incident, metric, points: Vec::new() });
        }
        &mut self.watched[i]
    }

    /// What moves what: for each figure, its keys from the strongest on.
    pub fn influences(&self, study: &Outline) -> Vec<Influence> {
        let axes: Vec<Axis> = study.keys().iter().enumerate().map(|(k, key)| self.axis(k, key)).collect();
        self.watched.iter().flat_map(|watched| watched.influences(&axes)).collect()
    }

    fn axis(&self, key: usize, name: &str) -> Axis {
        let texts: Vec<&str> = self.settings.iter().map(|settings| settings[key].as_str()).collect();
        let numbers: Option<Vec<f64>> = texts.iter().map(|text| amount(text)).collect();
        let mut distinct: Vec<&str> = texts.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let groups = texts.iter().map(|text| distinct.partition_point(|other| other < text)).collect();
        Axis { name: name.into(), numbers, groups }
    }
}

/// A key: what it is at each point.
struct Axis {
    name: String,
    // None when not all are numbers.
    numbers: Option<Vec<f64>>,
    groups: Vec<usize>,
}

impl Axis {
    fn strength(&self, points: &[usize], values: &[f64]) -> Option<f64> {
        match &self.numbers {
            Some(numbers) => spearman(&points.iter().map(|&point| numbers[point]).collect::<Vec<_>>(), values),
            None => correlation_ratio(&points.iter().map(|&point| self.groups[point]).collect::<Vec<_>>(), values),
        }
    }
}

impl Watched {
    fn influences(&self, axes: &[Axis]) -> Vec<Influence> {
        // A seed counts by the points at which it has a value; all seeds have the same points but for censored times.
        let seeds = self.points.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
        let of_seed = |seed: usize| -> (Vec<usize>, Vec<f64>) {
            let own = self.points.iter().filter_map(|(point, values)| Some((*point, (*values.get(seed)?)?)));
            own.unzip()
        };
        let by_seed: Vec<(Vec<usize>, Vec<f64>)> =
            (0..seeds).map(of_seed).filter(|(points, _)| points.len() >= POINTS_MIN).collect();
        let Some(points) = by_seed.iter().map(|(points, _)| points.len()).min() else { return Vec::new() };
        let of_axis = |axis: &Axis| {
            let found: Vec<f64> = by_seed.iter().filter_map(|(points, values)| axis.strength(points, values)).collect();
            Some(Influence {
                variant: self.variant.clone(),
                incident: self.incident.clone(),
                metric: self.metric,
                rank: 0,
                key: axis.name.clone(),
                points,
                is_ordered: axis.numbers.is_some(),
                strength: estimate(&found)?,
            })
        };
        let mut found: Vec<Influence> = axes.iter().filter_map(of_axis).collect();
        found.sort_by(|a, b| b.strength.mean.abs().total_cmp(&a.strength.mean.abs()));
        found.iter_mut().zip(1..).for_each(|(influence, rank)| influence.rank = rank);
        found
    }
}

/// A value with its unit as a number, whatever the unit; those of one key have the same.
fn amount(text: &str) -> Option<f64> {
    use crate::base::time::Duration;
    let number = text.parse::<Number>().ok().map(|number| number.get());
    let share = || text.parse::<Share>().ok().map(|share| share.ratio());
    let duration = || text.parse::<Duration>().ok().map(Duration::as_secs_f64);
    let bytes = || text.parse::<Bytes>().ok().map(|bytes| bytes.get() as f64);
    let rate = || text.parse::<Rate>().ok().map(|rate| rate.per_second());
    number.or_else(share).or_else(duration).or_else(bytes).or_else(rate)
}

/// What stands in the `sensitivity.csv` of a folder of results; nothing where there is none.
pub fn read(out: &Path) -> Result<Vec<Influence>, Failure> {
    let path = out.join(FILE);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let read_all =
        || csv::Reader::from_path(&path)?.deserialize().map(|row| influence(row?)).collect::<io::Result<_>>();
    read_all().map_err(Failure::to("read", &path))
}

type Row = (String, String, String, usize, String, usize, usize, String, f64, Option<f64>, Option<f64>);

fn influence(row: Row) -> io::Result<Influence> {
    let (variant, incident, metric, rank, key, points, n, measure, mean, low, high) = row;
    let unknown = || io::Error::new(io::ErrorKind::InvalidData, format!("there is no figure `{metric}`"));
    let metric = columns::named(&metric).ok_or_else(unknown)?;
    let interval = low.zip(high).map(|(low, high)| Interval { low, high });
    let strength = Estimate { n, mean, sd: None, interval };
    Ok(Influence { variant, incident, metric, rank, key, points, is_ordered: measure == "spearman", strength })
}

/// Writes `sensitivity.csv`.
pub fn write(influences: &[Influence], table: &mut Table) -> Result<(), Failure> {
    for influence in influences {
        let Influence { strength, .. } = influence;
        for key in [influence.variant.as_str(), &influence.incident, influence.metric.name] {
            table.text(key)?;
        }
        table.number(Some(influence.rank as f64))?;
        table.text(&influence.key)?;
        table.number(Some(influence.points as f64))?;
        table.number(Some(strength.n as f64))?;
        table.text(if influence.is_ordered { "spearman" } else { "ratio" })?;
        // A correlation lies within −1 to 1, whatever Student's law says.
        let (low, high) = (strength.interval.map(|i| i.low.max(-1.0)), strength.interval.map(|i| i.high.min(1.0)));
        [Some(strength.mean), low, high].into_iter().try_for_each(|figure| table.number(figure))?;
        table.end()?;
    }
    Ok(())
}

/// What moves each figure most, for people: of sweeps over several keys only, since one key moves everything.
pub fn words(study: &Outline, influences: &[Influence]) -> String {
    let mut text = String::new();
    if study.keys().len() < 2 || influences.is_empty() {
        return text;
    }
    let _ =
        writeln!(text, "what moves what: rank correlation over the points, −1 to 1, mean ± 95 % interval over seeds");
    for variant in study.variants() {
        let _ = writeln!(text, "  {variant}");
        let own: Vec<&Influence> = influences.iter().filter(|influence| influence.variant == variant).collect();
        for figure in own.chunk_by(|a, b| a.incident == b.incident && a.metric.name == b.metric.name) {
            let first = figure[0];
            let after = if first.incident.is_empty() { String::new() } else { format!(" after {}", first.incident) };
            let keys: Vec<String> = figure.iter().take(3).map(|influence| shown(influence)).collect();
            let _ = writeln!(text, "    {}{after}: {}", first.metric.label(), keys.join(", "));
        }
    }
    text
}

/// A key and its strength, for people.
pub fn shown(influence: &Influence) -> String {
    let Estimate { mean, interval, .. } = influence.strength;
    let half = interval.map(|i| format!(" ± {:.2}", (i.high - i.low) / 2.0)).unwrap_or_default();
    let sign = if influence.is_ordered && mean > 0.0 { "+" } else { "" };
    format!("{} {sign}{mean:.2}{half}", influence.key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::rows::Table as Rows;

    /// Nodes and a word at four points; the first figure of the run follows the nodes, upside down, in both seeds.
    fn gathered() -> Sensitivity {
        let mut gathered = Sensitivity::default();
        for (nodes, word) in [("2", "a"), ("4", "b"), ("10", "a"), ("20", "b")] {
            let mut cell = CellFigures::new("v", "");
            for seed in 0..2 {
                let first = 100.0 / nodes.parse::<f64>().unwrap() + f64::from(seed);
                let rest = ",".repeat(Rows::Runs.columns().count() - 1);
                cell.add(Rows::Runs, seed as usize, &format!("v,,1,all,{first}{rest}\n")).unwrap();
            }
            gathered.add(vec![nodes.into(), word.into()], &[cell], |column| column.name == "sessions_live_mean");
        }
        gathered
    }

    #[test]
    fn the_key_that_a_figure_follows_comes_first() {
        let gathered = gathered();
        let axes = [gathered.axis(0, "nodes"), gathered.axis(1, "word")];
        let found: Vec<_> = gathered.watched[0].influences(&axes);
        let told: Vec<_> =
            found.iter().map(|i| (i.rank, i.key.as_str(), i.is_ordered, i.points, i.strength.n)).collect();
        assert_eq!(told, [(1, "nodes", true, 4, 2), (2, "word", false, 4, 2)]);
        assert_eq!(found[0].strength.mean, -1.0, "10 nodes are more than 4, although \"10\" < \"4\"");
    }

    #[test]
    fn values_with_units_are_amounts() {
        for (text, value) in [("2", 2.0), ("15%", 0.15), ("1m30s", 90.0), ("8KiB", 8192.0), ("120/s", 120.0)] {
            assert_eq!(amount(text), Some(value), "{text}");
        }
        assert_eq!(amount("leastconn"), None);
    }
}
