//! The page, section by section.

use super::super::sensitivity::Influence;
use super::super::table::{self, Block, Judged};
use super::super::warnings::WarningRow;
use super::curves::Data;
use super::{Told, escaped};
use crate::observe::columns::named;
use crate::observe::slo::Kept;
use std::fmt::Write;

/// Points of a sweep whose tables are shown.
const POINTS_MAX: usize = 8;

/// Rows of signals that are seen at once.
const SIGHT_MAX: usize = 40;

/// Rows of signals that are shown.
const ROWS_MAX: usize = 400;

/// The body of the page.
pub(super) fn all(told: &Told, data: &Data) -> String {
    let judged = table::judge(&told.outline, &told.results);
    let parts = [
        head(told, &judged),
        comparison(told, &judged),
        curves(told, data),
        nodes(data, told.outline.points().first().copied().unwrap_or("")),
        incidents(told),
        sensitivity(told),
        assumptions(told),
        manifest(told),
    ];
    parts.concat()
}

fn head(told: &Told, judged: &[Judged]) -> String {
    let Told { manifest, outline, results } = told;
    let mut text = format!("<h1>{}</h1>\n", escaped(&manifest.name));
    let (variants, points) = (outline.variants().len(), outline.points().len());
    let of_points = if points > 1 { format!(" at {points} points of a sweep") } else { String::new() };
    let _ = writeln!(
        text,
        "<p class=\"quiet\">{variants} variant{}{of_points}, {} seeds. All have faced the same people and the same bad luck. \
         Intervals are 95\u{a0}%; they cover luck, not wrong inputs.</p>",
        if variants == 1 { "" } else { "s" },
        manifest.seeds,
    );
    for point in outline.points().iter().take(POINTS_MAX) {
        if let Some(verdict) = table::verdict(outline, results, judged, point) {
            let at = if point.is_empty() { String::new() } else { format!("<b>{}</b><br>", escaped(point)) };
            let _ = writeln!(text, "<p class=\"verdict\">{at}{}</p>", escaped(&verdict));
        }
    }
    text
}

/// The limits first, then the figures that matter.
fn comparison(told: &Told, judged: &[Judged]) -> String {
    let Told { outline, results, .. } = told;
    let mut text = String::from("<h2>Comparison</h2>\n");
    let variants = outline.variants();
    for point in outline.points().iter().take(POINTS_MAX) {
        let block = Block { study: outline, results, judged, point, variants: &variants };
        if !point.is_empty() {
            let _ = writeln!(text, "<h3>{}</h3>", escaped(point));
        }
        text += "<div class=\"scroll\"><table>\n<thead><tr><th></th>";
        variants.iter().for_each(|name| text += &format!("<th>{}</th>", escaped(name)));
        text += "</tr></thead>\n<tbody>\n";
        limits(&mut text, &block);
        group(&mut text, "whole run after warm-up", variants.len());
        table::OF_RUN.iter().for_each(|name| figure(&mut text, &block, "", name));
        for incident in block.incidents() {
            group(&mut text, &format!("after {incident}"), variants.len());
            block.shown_of(&incident).into_iter().for_each(|name| figure(&mut text, &block, &incident, name));
            for (label, cells) in block.signal_rows(&incident) {
                row(&mut text, label.trim(), cells.iter().map(|cell| (cell.clone(), "")));
            }
        }
        text += "</tbody></table></div>\n";
    }
    let hidden = outline.points().len().saturating_sub(POINTS_MAX);
    if hidden > 0 {
        let _ = writeln!(text, "<p>{hidden} more points stand in summary.csv.</p>");
    }
    text + "<p class=\"quiet\">Mean ± half the 95 % interval over seeds. ✓: the best, its interval apart from all others. \
            Shares after an incident are of the sessions live just before it.</p>\n"
}

fn group(text: &mut String, title: &str, variants: usize) {
    let _ = writeln!(text, "<tr class=\"group\"><td colspan=\"{}\">{}</td></tr>", variants + 1, escaped(title));
}

fn row(text: &mut String, label: &str, cells: impl Iterator<Item = (String, &'static str)>) {
    let _ = write!(text, "<tr><td>{}</td>", escaped(label));
    for (cell, class) in cells {
        let _ = write!(text, "<td class=\"{class}\">{}</td>", escaped(&cell));
    }
    *text += "</tr>\n";
}

fn figure(text: &mut String, block: &Block, incident: &str, name: &str) {
    let (Some(column), Some(cells)) = (named(name), block.cells(incident, name)) else { return };
    let cells = cells.into_iter().map(|(cell, is_best)| {
        let class = if is_best { "good" } else { "" };
        (if is_best { cell + " ✓" } else { cell }, class)
    });
    row(text, &column.label(), cells);
}

fn limits(text: &mut String, block: &Block) {
    let limits = block.limit_rows();
    if limits.is_empty() {
        return;
    }
    group(text, "limits", block.variants.len());
    for (title, kept) in limits {
        let cells = kept.into_iter().map(|kept| {
            let class = match kept {
                Some(Kept::Kept) => "good",
                Some(Kept::Violated) => "bad",
                _ => "",
            };
            (kept.map_or("–", Kept::word).to_owned(), class)
        });
        row(text, &title, cells);
    }
}

fn curves(told: &Told, data: &Data) -> String {
    let title = "<h2>What happened, over time</h2>\n";
    if !data.has_curves {
        return format!(
            "{title}<p>There are no rows per tick: run with <code>sweep --ticks</code> to see curves.</p>\n"
        );
    }
    let thinned = match data.thinned {
        1 => String::new(),
        by => format!(" Each step is the worst of {by} ticks."),
    };
    let beyond = |drawn: usize, all: usize, what: &str| {
        if drawn < all {
            format!(" The first {drawn} of {all} {what} are drawn; all are in bands.csv.")
        } else {
            String::new()
        }
    };
    let variants = beyond(data.variants, told.outline.variants().len(), "variants");
    let points = beyond(data.points, told.outline.points().len(), "points");
    format!(
        "{title}<p class=\"quiet noprint\">Drag over a stretch to zoom in, double-click to see all.{thinned}{variants}{points}</p>\n\
         <div id=\"curve-controls\" class=\"controls\"></div>\n<div id=\"curves\"></div>\n"
    )
}

fn nodes(data: &Data, point: &str) -> String {
    let at = if point.is_empty() { String::new() } else { format!(" At {}.", escaped(point)) };
    let title = "<h2>Node by node</h2>\n";
    if !data.has_nodes {
        return format!("{title}<p>There are no rows per node: run with <code>--nodes</code> to see them.</p>\n");
    }
    format!(
        "{title}<p class=\"quiet\">Sessions bound to each node, mean over seeds; its state is that of seed 1.{at}</p>\n<div id=\"nodes\"></div>\n"
    )
}

fn incidents(told: &Told) -> String {
    let results = &told.results;
    let mut rows: Vec<&WarningRow> = results.warnings.iter().collect();
    let points = told.outline.points();
    let place = |row: &WarningRow| points.iter().position(|point| *point == row.point);
    let began = |row: &WarningRow| results.began(&row.point, &row.incident);
    rows.sort_by(|a, b| place(a).cmp(&place(b)).then(began(a).total_cmp(&began(b))));
    let mut text = String::from("<h2>Incidents and their signals</h2>\n");
    if rows.is_empty() {
        return text
            + "<p>No fault or change was planned, or too little healthy time came before it to learn what is healthy.</p>\n";
    }
    text += "<p>A signal alarms at the end of the first tick in which it is beyond its healthy band, learnt before the incident. \
             The lead is the time from its alarm until users noticed: until error ratio or p99 were beyond their limit.</p>\n";
    // What is longer than a screen is opened by whoever wants it.
    text += if rows.len() > SIGHT_MAX { "<details>" } else { "<details open>" };
    text += "<summary>What each signal did</summary><div class=\"scroll\"><table>\n<thead><tr><th>variant</th>\
             <th class=\"text\">incident</th><th class=\"text\">signal</th><th>alarmed</th><th>first</th><th>after [s]</th><th>lead [s]</th>\
             <th>false alarms [1/h]</th></tr></thead><tbody>\n";
    for row in rows.iter().take(ROWS_MAX) {
        let share = |hits: u64| if row.n == 0 { "–".into() } else { format!("{hits} of {}", row.n) };
        let time = |time: Option<f64>| time.map_or_else(|| "–".into(), |time| format!("{time:.1}"));
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td class=\"text\">{}</td><td class=\"text\" title=\"{}\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&[row.variant.as_str(), &row.point].join(" ")),
            escaped(&row.incident),
            escaped(row.signal.meaning),
            row.signal.name,
            share(row.alarmed),
            share(row.first),
            time(row.alarm_s),
            time(row.lead_s),
            row.false_alarms(),
        );
    }
    text += "</tbody></table></div></details>\n";
    if rows.len() > ROWS_MAX {
        let _ = writeln!(text, "<p>{} more rows stand in warnings.csv.</p>", rows.len() - ROWS_MAX);
    }
    text
}

fn sensitivity(told: &Told) -> String {
    let all = &told.results.influences;
    if all.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "<h2>What moves what</h2>\n<p>Rank correlation of each key of the sweep with each figure over the points, −1 to 1, mean ± half \
         the 95 % interval over seeds.</p>\n<div class=\"scroll\"><table>\n<thead><tr><th>variant</th><th class=\"text\">figure</th>\
         <th class=\"text\">keys, the strongest first</th></tr></thead><tbody>\n",
    );
    let same = |a: &Influence, b: &Influence| {
        a.variant == b.variant && a.incident == b.incident && a.metric.name == b.metric.name
    };
    for figure in all.chunk_by(same) {
        let first = &figure[0];
        let after = if first.incident.is_empty() { String::new() } else { format!(" after {}", first.incident) };
        let keys: Vec<String> = figure.iter().map(super::super::sensitivity::shown).collect();
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td class=\"text\">{}</td><td class=\"text\">{}</td></tr>",
            escaped(&first.variant),
            escaped(&(first.metric.label() + &after)),
            escaped(&keys.join(", ")),
        );
    }
    text + "</tbody></table></div>\n"
}

/// What was assumed: the scenario as it was written, what was set over it, and what was left to its default.
fn assumptions(told: &Told) -> String {
    let manifest = &told.manifest;
    let mut text = String::from("<h2>Assumptions</h2>\n");
    if !manifest.overrides.is_empty() {
        let options: Vec<String> =
            manifest.overrides.iter().map(|option| format!("<code>{}</code>", escaped(option))).collect();
        let _ = writeln!(text, "<p>Set over the file: {}</p>", options.join(" "));
    }
    let _ = writeln!(
        text,
        "<details open><summary>The scenario, with its sources</summary><pre>{}</pre></details>",
        escaped(manifest.scenario.text.trim_end()),
    );
    let left = crate::scenario::defaults::left(&manifest.scenario.text, &manifest.overrides);
    if !left.is_empty() {
        text += "<details><summary>What it leaves to defaults</summary><div class=\"scroll\"><table>\n<thead><tr><th>key</th>\
                 <th class=\"text\">default</th><th class=\"text\">meaning and source</th></tr></thead><tbody>\n";
        for default in left {
            let _ = writeln!(
                text,
                "<tr><td>{}</td><td class=\"text\">{}</td><td class=\"wrap\">{}</td></tr>",
                escaped(&default.key),
                escaped(&default.value),
                escaped(&default.meaning),
            );
        }
        text += "</tbody></table></div></details>\n";
    }
    text
}

fn manifest(told: &Told) -> String {
    let manifest = &told.manifest;
    let mut text = String::from("<h2>Manifest</h2>\n<div class=\"scroll\"><table><tbody>\n");
    let facts = [
        ("version of stickysim", manifest.version.clone()),
        ("plan id", manifest.plan_id.clone()),
        ("scenario file", manifest.scenario.file.clone()),
        ("SHA-256 of it", manifest.scenario.sha256.clone()),
        ("seeds", format!("1 to {}", manifest.seeds)),
        ("runs", manifest.runs.len().to_string()),
        ("baseline", manifest.baseline.clone()),
    ];
    for (name, value) in facts {
        let _ = writeln!(text, "<tr><td>{name}</td><td class=\"text\">{}</td></tr>", escaped(&value));
    }
    for file in &manifest.files {
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td class=\"text\">{} bytes, SHA-256 {}</td></tr>",
            escaped(&file.file),
            file.bytes,
            &file.sha256,
        );
    }
    text + "</tbody></table></div>\n"
}
