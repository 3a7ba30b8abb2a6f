//! The comparison that a person reads: variants as columns, the figures that matter as rows.
//!
//! A figure is its mean over seeds with half the width of its 95 % interval; ✓ marks the best variant where
//! its interval is apart from every other. Fits 100 columns, or as many as the terminal has; more variants go into further
//! blocks.

mod block;
mod notes;

use super::results::{Results, SummaryRow};
use super::sensitivity;
use crate::experiment::Outline;
use crate::observe::columns::{Column, named};
use crate::observe::slo::{Kept, Limit, came_beside};
pub(super) use block::Block;
use block::best;
use std::fmt::Write;

const LABEL: usize = 34;
const WIDTH: usize = 22;
const PER_BLOCK: usize = 3;
const POINTS_MAX: usize = 8;
/// A verdict that names more is none to paste.
const NAMES_MAX: usize = 8;

/// The figure that is drawn in a line, and in how many steps.
pub const CURVE: &str = "sessions_disconnected_mean";
/// In so many steps.
pub const CURVE_STEPS: usize = WIDTH - 2;
/// Columns of a terminal that nobody has measured.
pub const COLUMNS: usize = LABEL + PER_BLOCK * WIDTH;

/// Figures of the whole run, for all populations.
pub(super) const OF_RUN: &[&str] = &[
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
pub(super) const OF_INCIDENT: &[&str] = &[
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

/// The whole comparison, for a terminal of so many columns.
pub fn comparison(study: &Outline, results: &Results, judged: &[Judged], columns: usize) -> String {
    let mut text = String::new();
    let per_block = (columns.saturating_sub(LABEL) / WIDTH).clamp(1, PER_BLOCK);
    let points = study.points();
    for point in points.iter().take(POINTS_MAX) {
        if !point.is_empty() {
            let _ = writeln!(text, "── {point} ──");
        }
        for block in study.variants().chunks(per_block) {
            Block { study, results, judged, point, variants: block }.write(&mut text);
        }
        let line = verdict(study, results, judged, point).unwrap_or_default();
        for line in wrap(&line, LABEL + per_block * WIDTH) {
            let _ = writeln!(text, "{line}");
        }
    }
    if points.len() > POINTS_MAX {
        let _ = writeln!(text, "… and {} more points: see summary.csv", points.len() - POINTS_MAX);
    }
    let seeds = study.seeds;
    let mut notes = sensitivity::words(study, &results.influences);
    notes += &format!("mean ± 95 % interval over {seeds} seeds; intervals cover luck, not wrong inputs\n");
    notes += &notes::all(study, results);
    notes.lines().for_each(|note| fill(&mut text, note, columns));
    text
}

/// A line, or several where it does not fit into so many columns: later ones begin two further to the right.
pub fn fill(text: &mut String, line: &str, columns: usize) {
    if line.chars().count() <= columns {
        text.push_str(line);
        text.push('\n');
        return;
    }
    let indent = line.len() - line.trim_start().len();
    for (i, part) in wrap(line, columns.saturating_sub(indent + 2).max(20)).into_iter().enumerate() {
        let _ = writeln!(text, "{:width$}{part}", "", width = if i == 0 { indent } else { indent + 2 });
    }
}

impl Block<'_> {
    fn write(&self, text: &mut String) {
        self.header(text);
        let _ = writeln!(text, "whole run after warm-up");
        OF_RUN.iter().for_each(|name| self.row(text, "", name));
        if let Some(curves) = self.sparklines() {
            line(text, "sessions cut off, over the run", curves.into_iter().map(|curve| curve + "  "));
        }
        for incident in self.incidents() {
            let _ = writeln!(text, "after {incident}");
            self.shown_of(&incident).into_iter().for_each(|name| self.row(text, &incident, name));
            for (label, cells) in self.signal_rows(&incident) {
                line(text, label, cells.into_iter().map(|cell| cell + "  "));
            }
        }
        let limits = self.limit_rows();
        if !limits.is_empty() {
            let _ = writeln!(text, "limits of [slo]");
        }
        for (title, words) in limits {
            let word = |kept: Option<Kept>| kept.map_or("–", Kept::word);
            line(text, &title, words.into_iter().map(|kept| word(kept).to_owned() + "  "));
        }
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

    fn row(&self, text: &mut String, incident: &str, name: &str) {
        let (Some(column), Some(cells)) = (named(name), self.cells(incident, name)) else { return };
        let marked = cells.into_iter().map(|(cell, is_best)| cell + if is_best { " ✓" } else { "  " });
        line(text, &column.label(), marked);
    }
}

/// A row of the table. Padded by hand: the width of a format counts characters, and so do we.
fn line(text: &mut String, label: &str, cells: impl Iterator<Item = String>) {
    let _ = write!(text, "  {label:width$}", width = LABEL - 2);
    // A label that is longer takes what it needs from the first cell.
    let mut room = (LABEL - 2 + WIDTH).saturating_sub(label.chars().count().max(LABEL - 2));
    for cell in cells {
        let _ = write!(text, "{cell:>room$}");
        room = WIDTH;
    }
    text.push('\n');
}

/// One line to paste into a review, about one point; none where there is nothing to compare or to judge.
pub fn verdict(study: &Outline, results: &Results, judged: &[Judged], point: &str) -> Option<String> {
    let variants = study.variants();
    if variants.len() < 2 && judged.is_empty() {
        return None;
    }
    let of = |variant: &str| -> Vec<&Judged> {
        judged.iter().filter(|judged| judged.variant == variant && judged.point == point).collect()
    };
    let breaks = |variant: &str| of(variant).iter().any(|judged| judged.is_violated());
    let keeps =
        |variant: &str| of(variant).iter().all(|judged| judged.kept == Some(Kept::Kept) || judged.kept.is_none());
    let list = |names: Vec<&str>| {
        let quoted: Vec<String> = names.iter().take(NAMES_MAX).map(|name| format!("\"{name}\"")).collect();
        let more = names.len().saturating_sub(NAMES_MAX);
        quoted.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
    };
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
    (!parts.is_empty()).then(|| format!("Verdict on {}: {}.", study.name, parts.join("; ")))
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
