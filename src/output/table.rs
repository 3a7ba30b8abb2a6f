//! The comparison that a person reads: variants as columns, the figures that matter as rows.
//!
//! A figure is its mean over seeds with half the width of its 95 % interval; ✓ marks the best variant where
//! its interval is apart from every other. Fits 100 columns; more variants go into further blocks.

mod notes;

use super::results::{Results, SummaryRow};
use super::sensitivity;
use super::warnings::WarningRow;
use crate::experiment::Outline;
use crate::observe::columns::{Better, Column, named};
use crate::observe::slo::{Kept, Limit, came_beside};
use crate::statistics::Interval;
use std::fmt::Write;

const LABEL: usize = 34;
const WIDTH: usize = 22;
const PER_BLOCK: usize = 3;
const POINTS_MAX: usize = 8;

/// Figures of the whole run, for all populations.
const OF_RUN: &[&str] = &[
    "requests_failed_ratio",
    "response_time_ms_p50",
    "response_time_ms_p99",
    "node_utilisation_ratio_max",
    "sessions_peak_to_fair_max",
    "rebuilds_total",
    "cost_total",
    "cost_per_million_requests",
];

/// Figures of each incident.
const OF_INCIDENT: &[&str] = &[
    "rollout_time_s",
    "attempts_raced_total",
    "sessions_dropped_ratio",
    "sessions_moved_ratio",
    "sessions_lost_ratio",
    "disconnects_peak_per_s",
    "sessions_disconnected_s_total",
    "reconnect_time_s",
    STABLE_SHARE,
    "recovery_time_s",
    "rebalance_time_s",
];

/// Shown only where somebody does not come back: the share at which it stays.
const STABLE_SHARE: &str = "connected_ratio_last";

/// Whether any table or judgement of this study is made from the figure.
pub fn reads(study: &Outline, column: &Column) -> bool {
    let is_it = |name: &str| name == column.name || came_beside(name) == Some(column.name);
    figures().any(is_it) || study.slo.iter().any(|limit| is_it(limit.column.name)) || notes::READ.contains(&column.name)
}

/// The figures that matter most, by name.
pub fn figures() -> impl Iterator<Item = &'static str> {
    OF_RUN.iter().chain(OF_INCIDENT).copied()
}

/// A limit of the SLO, judged for one variant at one point.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The variant.
    pub variant: String,
    /// The sweep point.
    pub point: String,
    /// The limit.
    pub limit: Limit,
    /// For a limit on an incident: which one.
    pub incident: String,
    /// Mean of the figure; `None` when it has no value.
    pub mean: Option<f64>,
    /// The judgement; `None` where the figure does not apply.
    pub kept: Option<Kept>,
}

impl Judged {
    /// Whether the limit is surely broken.
    pub fn is_violated(&self) -> bool {
        self.kept == Some(Kept::Violated)
    }

    fn is_of(&self, limit: &Limit, incident: &str) -> bool {
        self.limit.column.name == limit.column.name && self.incident == incident
    }
}

/// Judges every limit for every variant, point and, for a figure that only incidents have, incident.
pub fn judge(study: &Outline, results: &Results) -> Vec<Judged> {
    let mut judged = Vec::new();
    for cell in &study.cells {
        for limit in &study.slo {
            let own = |row: &&SummaryRow| {
                row.variant == cell.variant
                    && row.point == cell.point
                    && row.population == "all"
                    && row.metric.name == limit.column.name
            };
            for row in results.summary.iter().filter(own).filter(|row| row.incident.is_empty() == limit.is_of_run()) {
                judged.push(Judged {
                    variant: cell.variant.clone(),
                    point: cell.point.clone(),
                    limit: *limit,
                    incident: row.incident.clone(),
                    mean: row.estimate.map(|estimate| estimate.mean),
                    kept: kept(results, row, limit),
                });
            }
        }
    }
    judged
}

fn kept(results: &Results, row: &SummaryRow, limit: &Limit) -> Option<Kept> {
    // A time that did not come in every seed is beyond any bound on it.
    if limit.relation.is_upper() && share_that_came(results, row).is_some_and(|share| share < 1.0) {
        return Some(Kept::Violated);
    }
    let estimate = row.estimate?;
    let (low, high) = estimate.interval.map_or((estimate.mean, estimate.mean), |i| (i.low, i.high));
    Some(limit.judge(low, high))
}

/// For a time that may not come: in which share of the seeds it came.
fn share_that_came(results: &Results, row: &SummaryRow) -> Option<f64> {
    let ratio = came_beside(row.metric.name)?;
    let beside = results.summary.iter().find(|other| {
        other.metric.name == ratio && same_scope(other, row) && other.variant == row.variant && other.point == row.point
    })?;
    beside.estimate.map(|estimate| estimate.mean)
}

fn same_scope(a: &SummaryRow, b: &SummaryRow) -> bool {
    a.population == b.population && a.incident == b.incident
}

/// The whole comparison.
pub fn comparison(study: &Outline, results: &Results, judged: &[Judged]) -> String {
    let mut text = String::new();
    let points = study.points();
    for point in points.iter().take(POINTS_MAX) {
        if !point.is_empty() {
            let _ = writeln!(text, "── {point} ──");
        }
        for block in study.variants().chunks(PER_BLOCK) {
            Block { study, results, judged, point, variants: block }.write(&mut text);
        }
        verdict(&mut text, study, results, judged, point);
    }
    if points.len() > POINTS_MAX {
        let _ = writeln!(text, "… and {} more points: see summary.csv", points.len() - POINTS_MAX);
    }
    text += &sensitivity::words(study, &results.influences);
    let _ = writeln!(text, "mean ± 95 % interval over {} seeds; intervals cover luck, not wrong inputs", study.seeds);
    text += &notes::all(study, results);
    text
}

struct Block<'a> {
    study: &'a Outline,
    results: &'a Results,
    judged: &'a [Judged],
    point: &'a str,
    variants: &'a [&'a str],
}

impl Block<'_> {
    fn write(&self, text: &mut String) {
        self.header(text);
        let _ = writeln!(text, "whole run after warm-up");
        OF_RUN.iter().for_each(|name| self.row(text, "", name));
        for incident in self.incidents() {
            let _ = writeln!(text, "after {incident}");
            let stays_out = self.variants.iter().any(|variant| {
                let came = self.find(variant, &incident, "reconnected_ratio").and_then(|row| row.estimate);
                came.is_some_and(|came| came.mean < 1.0)
            });
            let shown = OF_INCIDENT.iter().filter(|&&name| name != STABLE_SHARE || stays_out);
            shown.for_each(|name| self.row(text, &incident, name));
            self.signals(text, &incident);
        }
        self.limits(text);
        text.push('\n');
    }

    fn header(&self, text: &mut String) {
        let wrapped: Vec<Vec<String>> = self.variants.iter().map(|name| wrap(name, WIDTH - 2)).collect();
        let lines = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..lines {
            let title = if line == 0 { self.study.name.as_str() } else { "" };
            let _ = write!(text, "{title:LABEL$}");
            for name in &wrapped {
                let _ = write!(text, "{:>WIDTH$}", name.get(line).map_or("", String::as_str));
            }
            text.push('\n');
        }
    }

    fn incidents(&self) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        for row in &self.results.summary {
            if !row.incident.is_empty() && row.point == self.point && !seen.contains(&row.incident) {
                seen.push(row.incident.clone());
            }
        }
        seen
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

    fn row(&self, text: &mut String, incident: &str, name: &str) {
        let Some(column) = named(name) else { return };
        let rows: Vec<Option<&SummaryRow>> = self.variants.iter().map(|v| self.find(v, incident, name)).collect();
        let came = |variant: &str| {
            let row = came_beside(name).and_then(|ratio| self.find(variant, incident, ratio));
            row.and_then(|row| row.estimate).map(|estimate| estimate.mean)
        };
        // What never came in any variant is what somebody must hear of.
        let says_something = rows.iter().any(Option::is_some) || self.variants.iter().any(|v| came(v) == Some(0.0));
        if !says_something {
            return;
        }
        let best = best(self.results, self.point, incident, column);
        let _ = write!(text, "  {:width$}", column.label(), width = LABEL - 2);
        for (variant, row) in self.variants.iter().zip(rows) {
            let mark = if best.as_deref() == Some(*variant) { " ✓" } else { "  " };
            // Padded by hand: the width of a format counts characters, and so do we.
            let cell = figure(column, row, came(variant)) + mark;
            let _ = write!(text, "{cell:>WIDTH$}");
        }
        text.push('\n');
    }

    /// Which signal each variant's operator would have heard first, and what it is worth.
    fn signals(&self, text: &mut String, incident: &str) {
        let firsts: Vec<Option<&WarningRow>> = self.variants.iter().map(|v| self.first_signal(v, incident)).collect();
        if firsts.iter().all(Option::is_none) {
            return;
        }
        let mut line = |label: &str, cell: fn(&WarningRow) -> String| {
            let _ = write!(text, "  {label:width$}", width = LABEL - 2);
            for first in &firsts {
                let cell = first.map_or_else(|| "–".into(), cell) + "  ";
                let _ = write!(text, "{cell:>WIDTH$}");
            }
            text.push('\n');
        };
        line("first signal", |row| match row.alarmed {
            0 => "none".into(),
            _ => format!("{} in {:.0} %", row.signal.name, 100.0 * row.first as f64 / row.n as f64),
        });
        line("  before users noticed [s]", |row| match row.lead_s {
            Some(lead) => format!("{lead:.1}"),
            None if row.noticed == 0.0 => "not noticed".into(),
            None => "–".into(),
        });
        line("  its false alarms [1/h]", |row| match row.false_interval {
            Some(Interval { high, .. }) if row.false_per_h == 0.0 => format!("0, below {high:.2}"),
            Some(Interval { low, high }) => format!("{:.2} ({low:.2} to {high:.2})", row.false_per_h),
            None => format!("{:.2}", row.false_per_h),
        });
    }

    /// The signal that was most often the first; of equals the one with the fewest false alarms.
    fn first_signal(&self, variant: &str, incident: &str) -> Option<&WarningRow> {
        let is_own = |row: &&WarningRow| {
            row.variant == variant && row.point == self.point && row.incident == incident && row.n > 0
        };
        let own = self.results.warnings.iter().filter(is_own);
        own.min_by(|a, b| b.first.cmp(&a.first).then(a.false_per_h.total_cmp(&b.false_per_h)))
    }

    fn limits(&self, text: &mut String) {
        let mut shown: Vec<(&Limit, &str)> = Vec::new();
        for judged in self.judged.iter().filter(|judged| judged.point == self.point) {
            let is_same = |&(limit, incident): &(&Limit, &str)| judged.is_of(limit, incident);
            if !shown.iter().any(is_same) {
                shown.push((&judged.limit, &judged.incident));
            }
        }
        if !shown.is_empty() {
            let _ = writeln!(text, "limits of [slo]");
        }
        for (limit, incident) in shown {
            let bound = limit.column.shown(limit.bound);
            let title = format!("{} {} {bound}", limit.column.label(), limit.relation.sign());
            let _ = write!(text, "  {:width$}", title, width = LABEL - 2);
            for variant in self.variants {
                let own = |j: &&Judged| j.variant == *variant && j.point == self.point && j.is_of(limit, incident);
                let word = match self.judged.iter().find(own).map(|judged| judged.kept) {
                    Some(Some(Kept::Kept)) => "kept",
                    Some(Some(Kept::Violated)) => "VIOLATED",
                    Some(Some(Kept::NotResolved)) => "not resolved",
                    _ => "–",
                };
                let _ = write!(text, "{:>WIDTH$}", format!("{word}  "));
            }
            text.push('\n');
        }
    }
}

/// The variant that is best at a figure, if its interval is apart from all others'.
fn best(results: &Results, point: &str, incident: &str, column: &Column) -> Option<String> {
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

/// One line to paste into a review.
fn verdict(text: &mut String, study: &Outline, results: &Results, judged: &[Judged], point: &str) {
    let variants = study.variants();
    if variants.len() < 2 && judged.is_empty() {
        return;
    }
    let of = |variant: &str| -> Vec<&Judged> {
        judged.iter().filter(|judged| judged.variant == variant && judged.point == point).collect()
    };
    let breaks = |variant: &str| of(variant).iter().any(|judged| judged.is_violated());
    let keeps =
        |variant: &str| of(variant).iter().all(|judged| judged.kept == Some(Kept::Kept) || judged.kept.is_none());
    let list = |names: Vec<&str>| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let mut parts = Vec::new();
    if !judged.is_empty() {
        let kept: Vec<&str> = variants.iter().copied().filter(|v| keeps(v)).collect();
        let broken: Vec<&str> = variants.iter().copied().filter(|v| breaks(v)).collect();
        let open: Vec<&str> = variants.iter().copied().filter(|v| !keeps(v) && !breaks(v)).collect();
        let sentence = |names: Vec<&str>, what: &str| (!names.is_empty()).then(|| format!("{what}: {}", list(names)));
        parts.extend(sentence(kept, "every limit kept"));
        parts.extend(sentence(broken, "a limit violated"));
        parts.extend(sentence(open, "not resolved (more seeds)"));
    }
    for (name, words) in
        [("sessions_lost_ratio", "fewest sessions lost"), ("requests_failed_ratio", "fewest requests failed")]
    {
        if let Some(best) = named(name).and_then(|column| best(results, point, "", column)) {
            parts.push(format!("{words}: \"{best}\""));
        }
    }
    if !parts.is_empty() {
        let line = format!("Verdict on {}: {}.", study.name, parts.join("; "));
        for line in wrap(&line, LABEL + PER_BLOCK * WIDTH) {
            let _ = writeln!(text, "{line}");
        }
    }
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

/// Splits a name at spaces into lines of at most `width` characters.
fn wrap(name: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in name.split_whitespace() {
        let word: String = word.chars().take(width).collect();
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}
