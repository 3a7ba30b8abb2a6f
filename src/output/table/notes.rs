//! What a reader of the table must be told beside it.

use super::{POINTS_MAX, Results, SummaryRow, figures};
use crate::experiment::Outline;
use crate::statistics::shares::upper_of_none;
use std::fmt::Write;

/// Figures that notes are made from.
pub(super) const READ: &[&str] = &["sessions_trend_ratio", "response_time_trend_ratio"];

/// A trend below this share is of no use to know.
const TREND_MIN: f64 = 0.02;

/// All notes, a line each.
pub(super) fn all(study: &Outline, results: &Results) -> String {
    let mut text = String::new();
    for (metric, subject) in READ.iter().zip(["live sessions", "response time"]) {
        let steepest =
            results.summary.iter().filter(|row| row.metric.name == *metric && is_trend(row)).max_by(|a, b| {
                let size = |row: &SummaryRow| row.estimate.map_or(0.0, |estimate| estimate.mean.abs());
                size(a).total_cmp(&size(b))
            });
        if let Some(row) = steepest {
            let _ = writeln!(text, "{}", words(row, subject));
        }
    }
    text += &within_one_run(results);
    if has_zeros(study, results) {
        let (seeds, high) = (study.seeds, 100.0 * upper_of_none(u64::from(study.seeds)));
        let _ =
            writeln!(text, "0 ± 0: in none of {seeds} seeds; it may still happen in {high:.0} % of such runs (3/n)");
    }
    text
}

/// What a single run knows of its own averages.
fn within_one_run(results: &Results) -> String {
    /// Neighbours that go together more than this make intervals far too narrow.
    const CORRELATION_MAX: f64 = 0.3;
    let mut text = String::new();
    for own in results.batches.chunk_by(|a, b| a.variant == b.variant && a.point == b.point) {
        let point = if own[0].point.is_empty() { String::new() } else { format!(", {}", own[0].point) };
        let _ =
            writeln!(text, "one seed; mean ± 95 % interval over 20 stretches of its run ({}{point}):", own[0].variant);
        for row in own {
            let half = (row.interval.high - row.interval.low) / 2.0;
            let depends = row.correlation.is_some_and(|correlation| correlation > CORRELATION_MAX);
            let doubt = if depends { "  too narrow: the stretches depend on each other" } else { "" };
            let (label, mean, half) = (row.metric.label(), row.metric.shown(row.mean), row.metric.shown(half));
            let _ = writeln!(text, "  {label:32}{:>22}{doubt}", format!("{mean} ± {half}"));
        }
    }
    text
}

/// Whether seeds agree that the figure went on changing.
fn is_trend(row: &SummaryRow) -> bool {
    let Some(estimate) = row.estimate else { return false };
    let is_sure = estimate.interval.is_some_and(|interval| interval.low > 0.0 || interval.high < 0.0);
    is_sure && estimate.mean.abs() > TREND_MIN
}

fn words(row: &SummaryRow, subject: &str) -> String {
    let mean = row.estimate.map_or(0.0, |estimate| estimate.mean);
    let at: Vec<String> =
        [&row.variant, &row.point].into_iter().filter(|s| !s.is_empty()).map(|s| format!("`{s}`")).collect();
    let change = if mean > 0.0 { "rise" } else { "fall" };
    format!(
        "note: no steady state before the first incident: {subject} {change} by {:.1} % from the first half to the\n  \
         second ({}); lengthen `warmup`, unless the load itself is meant to change",
        100.0 * mean.abs(),
        at.join(", "),
    )
}

/// Whether a figure that is shown, and of which less is better, is zero in every one of several seeds.
fn has_zeros(study: &Outline, results: &Results) -> bool {
    use crate::observe::columns::Better;
    let points: Vec<&str> = study.points().into_iter().take(POINTS_MAX).collect();
    results.summary.iter().any(|row| {
        let is_zero = row.estimate.is_some_and(|e| e.n > 1 && e.mean == 0.0 && e.sd == Some(0.0));
        let is_shown = figures().any(|name| name == row.metric.name) && points.contains(&row.point.as_str());
        is_zero && is_shown && row.metric.better == Better::Less
    })
}
