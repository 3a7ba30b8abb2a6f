//! Does the simulation look like what you have seen? Figures of a real incident beside those of the simulated ones.
//!
//! One incident is one draw: it is asked where it lies among the seeds, not whether it equals their mean.

use super::figures::CellFigures;
use crate::observe::columns::{Column, named};
use crate::statistics::quantile;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

/// A figure as it was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The figure.
    pub metric: &'static Column,
    /// The fault or change that it was seen after; empty for a whole run.
    pub incident: String,
    /// What was seen, in the column's unit.
    pub value: f64,
}

/// A figure as it was seen, beside what the seeds of one variant give.
#[derive(Clone, Debug)]
pub struct Beside {
    /// The variant, and where in a sweep.
    pub of: String,
    /// What was seen.
    pub seen: Seen,
    /// How many seeds have a value.
    pub n: usize,
    /// The least and the most of them.
    pub range: (f64, f64),
    /// Their median.
    pub p50: f64,
    /// Share of the seeds that give less, ties counted half.
    pub below: f64,
}

impl Beside {
    /// Whether it lies within what the seeds give. With n seeds one more draw of the same law falls outside with
    /// probability 2 ÷ (n + 1).
    pub fn is_within(&self) -> bool {
        (self.range.0..=self.range.1).contains(&self.seen.value)
    }
}

/// Reads `metric,value` or `metric,value,incident` with that header; every mistake is told with its line.
pub fn read(path: &Path) -> Result<Vec<Seen>, Vec<String>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| vec![format!("{shown}: {error}")])?;
    let fields = |line: &str| -> Option<csv::StringRecord> {
        let mut csv = csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_reader(line.as_bytes());
        csv.records().next()?.ok()
    };
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let headers = lines.next().and_then(|(_, line)| fields(line)).unwrap_or_default();
    let place = |name: &str| headers.iter().position(|header| header == name);
    let (Some(metric), Some(value)) = (place("metric"), place("value")) else {
        let message = format!("{shown}:1: its header lacks `metric` or `value`\nhint: write metric,value,incident");
        return Err(vec![message]);
    };
    let (mut seen, mut wrong) = (Vec::new(), Vec::new());
    for (line, text) in lines {
        let Some(record) = fields(text) else {
            wrong.push(format!("{shown}:{line}: it is no row of a table"));
            continue;
        };
        let field = |place: usize| record.get(place).unwrap_or_default();
        let number = field(value).parse::<f64>().ok().filter(|value| value.is_finite());
        match (named(field(metric)), number) {
            (None, _) => wrong.push(format!(
                "{shown}:{line}: there is no figure `{}`\nhint: see `stickysim list column`",
                field(metric)
            )),
            (_, None) => wrong.push(format!("{shown}:{line}: `{}` is not a number\nhint: write 12.5", field(value))),
            (Some(metric), Some(value)) => {
                let incident = place("incident").map(field).unwrap_or_default().to_owned();
                seen.push(Seen { metric, incident, value });
            }
        }
    }
    if seen.is_empty() && wrong.is_empty() {
        wrong.push(format!("{shown}: it holds no figure"));
    }
    if wrong.is_empty() { Ok(seen) } else { Err(wrong) }
}

/// What was seen beside each variant's seeds; where a variant lacks a figure there is no line.
pub fn beside(cells: &[CellFigures], seen: &[Seen]) -> Vec<Beside> {
    let mut found = Vec::new();
    for cell in cells {
        for one in seen {
            let scopes = cell.scopes.iter().filter(|scope| scope.population == "all");
            // A figure that only incidents have is meant of the first, unless one is named.
            let fits = |incident: &str| incident == one.incident || one.incident.is_empty();
            let values = scopes.filter(|scope| fits(&scope.incident)).find_map(|scope| {
                let values = scope.figures().find(|(column, _)| column.name == one.metric.name)?.1;
                let mut values: Vec<f64> = values.into_iter().flatten().collect();
                values.sort_by(f64::total_cmp);
                (!values.is_empty()).then_some(values)
            });
            let Some(values) = values else { continue };
            let of =
                if cell.point.is_empty() { cell.variant.clone() } else { format!("{}, {}", cell.variant, cell.point) };
            let less = values.iter().filter(|&&value| value < one.value).count() as f64;
            let ties = values.iter().filter(|&&value| value == one.value).count() as f64;
            found.push(Beside {
                of,
                seen: one.clone(),
                n: values.len(),
                range: (values[0], values[values.len() - 1]),
                p50: quantile(&values, 0.5).unwrap_or(f64::NAN),
                below: (less + ties / 2.0) / values.len() as f64,
            });
        }
    }
    found
}

/// The incidents that were seen and that no simulated run has.
pub fn unknown<'a>(cells: &[CellFigures], seen: &'a [Seen]) -> Vec<&'a str> {
    let has = |name: &str| cells.iter().any(|cell| cell.scopes.iter().any(|scope| scope.incident == name));
    let mut names: Vec<&str> = seen.iter().map(|one| one.incident.as_str()).filter(|name| !has(name)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A table for people.
pub fn table(found: &[Beside]) -> String {
    if found.is_empty() {
        return "there is nothing to compare: the results have none of these figures\n".into();
    }
    let (mut text, mut last) = (String::new(), "");
    for one in found {
        if last != one.of {
            let _ = writeln!(
                text,
                "── {} ──\n{:<34}  {:>10}  {:>10}  {:<22} seeds below",
                one.of, "", "observed", "median", "range over seeds"
            );
            last = &one.of;
        }
        let column = one.seen.metric;
        let scope = if one.seen.incident.is_empty() { String::new() } else { format!(" after {}", one.seen.incident) };
        let range = format!("{} … {}", column.shown(one.range.0), column.shown(one.range.1));
        let verdict = if one.is_within() { "within" } else { "outside" };
        let label = format!("{}{scope}", column.label());
        let (value, p50) = (column.shown(one.seen.value), column.shown(one.p50));
        let _ =
            writeln!(text, "{label:<34}  {value:>10}  {p50:>10}  {range:<22} {:>3.0} %, {verdict}", one.below * 100.0);
    }
    let n = found.iter().map(|one| one.n).min().unwrap_or(0);
    let _ = writeln!(
        text,
        "one incident beside {n} simulated ones: were it one of them, it would lie outside in {:.0} % of cases",
        200.0 / (n as f64 + 1.0)
    );
    text
}

/// The same for programs.
pub fn json(found: &[Beside]) -> Value {
    let one = |one: &Beside| {
        json!({
            "of": one.of, "incident": one.seen.incident, "metric": one.seen.metric.name, "observed": one.seen.value,
            "n": one.n, "low": one.range.0, "high": one.range.1, "p50": one.p50, "below": one.below,
            "within": one.is_within(),
        })
    };
    json!({ "format_version": 1, "observed": found.iter().map(one).collect::<Vec<_>>() })
}
