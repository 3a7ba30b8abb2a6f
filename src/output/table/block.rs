//! The cells of the comparison, for whoever lays them out: as text or as a page.

use super::{Judged, OF_INCIDENT, Results, STABLE_SHARE, SummaryRow};
use crate::experiment::Outline;
use crate::observe::columns::{Better, Column, named};
use crate::observe::slo::{Kept, Limit, came_beside};
use crate::output::results::Curve;
use crate::output::warnings::WarningRow;
use std::fmt::Write;

/// Some variants at one point.
pub struct Block<'a> {
    /// What they are of.
    pub study: &'a Outline,
    /// What came out.
    pub results: &'a Results,
    /// What is to be thought of it.
    pub judged: &'a [Judged],
    /// The point.
    pub point: &'a str,
    /// The variants, in order.
    pub variants: &'a [&'a str],
}

impl Block<'_> {
    /// The names of the incidents, in the order of their beginnings; of equals, as they stand in the scenario.
    pub fn incidents(&self) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        for row in &self.results.summary {
            if !row.incident.is_empty() && row.point == self.point && !seen.contains(&row.incident) {
                seen.push(row.incident.clone());
            }
        }
        seen.sort_by(|a, b| self.results.began(self.point, a).total_cmp(&self.results.began(self.point, b)));
        seen
    }

    /// The figures that matter after an incident.
    pub fn shown_of(&self, incident: &str) -> Vec<&'static str> {
        let stays_out = self.variants.iter().any(|variant| {
            let came = self.find(variant, incident, "reconnected_ratio").and_then(|row| row.estimate);
            came.is_some_and(|came| came.mean < 1.0)
        });
        OF_INCIDENT.iter().copied().filter(|&name| name != STABLE_SHARE || stays_out).collect()
    }

    fn find(&self, variant: &str, incident: &str, name: &str) -> Option<&SummaryRow> {
        self.results.summary.iter().find(|row| {
            row.variant == variant
                && row.point == self.point
                && row.population == "all"
                && row.incident == incident
                && row.metric.name == name
        })
    }

    /// A figure of each variant, and whether it is the best; none where no variant has it.
    pub fn cells(&self, incident: &str, name: &str) -> Option<Vec<(String, bool)>> {
        let column = named(name)?;
        let rows: Vec<Option<&SummaryRow>> = self.variants.iter().map(|v| self.find(v, incident, name)).collect();
        let came = |variant: &str| {
            let row = came_beside(name).and_then(|ratio| self.find(variant, incident, ratio));
            row.and_then(|row| row.estimate).map(|estimate| estimate.mean)
        };
        // What never came in any variant is what somebody must hear of.
        let says_something = rows.iter().any(Option::is_some) || self.variants.iter().any(|v| came(v) == Some(0.0));
        if !says_something {
            return None;
        }
        let best = best(self.results, self.point, incident, column);
        let cell = |(variant, row): (&&str, Option<&SummaryRow>)| {
            (figure(column, row, came(variant)), best.as_deref() == Some(*variant))
        };
        Some(self.variants.iter().zip(rows).map(cell).collect())
    }

    /// Sessions cut off over the run, a line each on one scale; none where nobody is, or nothing is known per tick.
    pub fn sparklines(&self) -> Option<Vec<String>> {
        const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let of = |variant: &&str| {
            let own = |curve: &&Curve| curve.variant == *variant && curve.point == self.point;
            self.results.curves.iter().find(own).map_or(&[][..], |curve| &curve.steps)
        };
        let curves: Vec<&[f64]> = self.variants.iter().map(of).collect();
        // One scale for all variants of the point, whichever block they stand in.
        let at_point = self.results.curves.iter().filter(|curve| curve.point == self.point);
        let most = at_point.flat_map(|curve| &curve.steps).copied().fold(0.0, f64::max);
        let bar = |value: f64| match value {
            0.0 => BARS[0],
            value => BARS[((value / most * 7.0).ceil() as usize).min(7)],
        };
        let draw = |steps: &[f64]| steps.iter().map(|&value| bar(value)).collect::<String>();
        (most > 0.0).then(|| curves.into_iter().map(draw).collect())
    }

    /// Which signal each variant's operator would have heard first, and what it is worth.
    pub fn signal_rows(&self, incident: &str) -> Vec<(&'static str, Vec<String>)> {
        let firsts: Vec<Option<&WarningRow>> = self.variants.iter().map(|v| self.first_signal(v, incident)).collect();
        if firsts.iter().all(Option::is_none) {
            return Vec::new();
        }
        let row = |cell: fn(&WarningRow) -> String| {
            firsts.iter().map(|first| first.map_or_else(|| "–".into(), cell)).collect::<Vec<String>>()
        };
        let name = row(|row| match row.alarmed {
            0 => "none".into(),
            _ => format!("{} in {:.0} %", row.signal.name, 100.0 * row.first as f64 / row.n as f64),
        });
        let lead = row(|row| match row.lead_s {
            Some(lead) => format!("{lead:.1}"),
            None if row.noticed == Some(0.0) => "not noticed".into(),
            None => "–".into(),
        });
        vec![
            ("first signal", name),
            ("  before users noticed [s]", lead),
            ("  its false alarms [1/h]", row(WarningRow::false_alarms)),
        ]
    }

    /// The signal that was most often the first; of equals the one with the fewest false alarms.
    fn first_signal(&self, variant: &str, incident: &str) -> Option<&WarningRow> {
        let is_own = |row: &&WarningRow| {
            row.variant == variant && row.point == self.point && row.incident == incident && row.n > 0
        };
        let own = self.results.warnings.iter().filter(is_own);
        own.min_by(|a, b| b.first.cmp(&a.first).then(a.false_per_h.total_cmp(&b.false_per_h)))
    }

    /// Each limit, and what each variant makes of it; `None` where the figure does not apply.
    pub fn limit_rows(&self) -> Vec<(String, Vec<Option<Kept>>)> {
        let mut shown: Vec<(&Limit, &str)> = Vec::new();
        for judged in self.judged.iter().filter(|judged| judged.point == self.point) {
            let is_same = |&(limit, incident): &(&Limit, &str)| judged.is_of(limit, incident);
            if !shown.iter().any(is_same) {
                shown.push((&judged.limit, &judged.incident));
            }
        }
        let row = |(limit, incident): (&Limit, &str)| {
            let title =
                format!("{} {} {}", limit.column.label(), limit.relation.sign(), limit.column.shown(limit.bound));
            let of = |variant: &&str| {
                let own = |j: &&Judged| j.variant == *variant && j.point == self.point && j.is_of(limit, incident);
                self.judged.iter().find(own).and_then(|judged| judged.kept)
            };
            (title, self.variants.iter().map(of).collect())
        };
        shown.into_iter().map(row).collect()
    }
}

/// The variant that is best at a figure, if its interval is apart from all others'.
pub(super) fn best(results: &Results, point: &str, incident: &str, column: &Column) -> Option<String> {
    let sign = match column.better {
        Better::Less => 1.0,
        Better::More => -1.0,
        Better::Neither => return None,
    };
    let scope = |row: &&SummaryRow| {
        row.point == point && row.population == "all" && row.incident == incident && row.metric.name == column.name
    };
    let rows: Vec<&SummaryRow> = results.summary.iter().filter(scope).collect();
    let ends = |row: &SummaryRow| {
        let estimate = row.estimate?;
        let interval = estimate.interval?;
        let (a, b) = (interval.low * sign, interval.high * sign);
        Some((a.min(b), a.max(b)))
    };
    let measured: Vec<(&str, (f64, f64))> =
        rows.iter().filter_map(|row| Some((row.variant.as_str(), ends(row)?))).collect();
    // A time that a variant never reaches has no interval: no best among the rest is claimed.
    if measured.len() < 2 || measured.len() < rows.len() {
        return None;
    }
    let apart =
        |&(name, (_, high)): &(&str, (f64, f64))| measured.iter().all(|&(other, (low, _))| other == name || high < low);
    measured.iter().find(|one| apart(one)).map(|&(name, _)| name.to_owned())
}

/// A figure with its interval, or "never", or a dash where it does not apply.
fn figure(column: &Column, row: Option<&SummaryRow>, came: Option<f64>) -> String {
    let Some(estimate) = row.and_then(|row| row.estimate) else {
        return if came == Some(0.0) { "never".to_owned() } else { "–".to_owned() };
    };
    let half = estimate.interval.map(|interval| (interval.high - interval.low) / 2.0);
    let mut cell = match half {
        Some(half) => format!("{} ± {}", column.shown(estimate.mean), column.shown(half)),
        None => column.shown(estimate.mean),
    };
    if let Some(share) = came.filter(|&share| share < 1.0) {
        let _ = write!(cell, " in {:.0} %", share * 100.0);
    }
    cell
}
