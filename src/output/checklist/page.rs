//! The page: Markdown for a person, made of the figures in `checklist.csv` and of nothing else.

use super::book::{Book, Figure};
use super::facts::{self, BUSY_MAX};
use super::verdicts::{Verdict, held, held_word, label, limit_text, percent, ranked, three};
use super::{Asked, CSV};
use crate::base::time::Instant;
use crate::observe::columns::named;
use crate::output::warnings::WarningRow;
use std::fmt::Write;

/// The questions.
pub const TITLES: [&str; 4] = [
    "If a node dies, how does the impact on users spread?",
    "Which metrics signal it?",
    "During a deploy, how many nodes can leave at once?",
    "What is the criterion for a rollback?",
];

/// So many causes are named.
const CAUSES_MAX: usize = 3;
/// So many signals.
const SIGNALS_MAX: usize = 5;

/// The whole page.
pub fn page(
    book: &Book,
    asked: &Asked,
    variants: &[&str],
    signals: &[WarningRow],
    verdicts: &[Verdict],
    commands: &[Vec<String>; 4],
) -> String {
    let mut text = format!("# Checklist: {}\n\n", asked.name);
    let (seeds, design) = (asked.seeds, asked.design);
    let _ = writeln!(
        text,
        "Simulated under {seeds} seeds, without the faults of the scenario. `±` is half the width of the 95 % interval of a\n\
         mean over seeds; it covers luck, not wrong inputs. Every figure stands in `{CSV}`, with the folder whose files it\n\
         comes from."
    );
    if !design.point.is_empty() {
        let _ = writeln!(text, "Of the sweep only its first point is answered: {}.", design.point);
    }
    for (i, title) in TITLES.iter().enumerate() {
        let question = i as u8 + 1;
        let _ = writeln!(text, "\n## {question}. {title}\n");
        match question {
            1 => death(&mut text, book, asked, variants),
            2 => warn(&mut text, book, asked, variants, signals),
            3 => leave(&mut text, book, asked, variants),
            _ => rollback(&mut text, book, asked, variants),
        }
        let _ = writeln!(text);
        for verdict in verdicts.iter().filter(|verdict| verdict.question == question) {
            let _ = writeln!(text, "* **{}**: `{}`", verdict.variant, verdict.line);
        }
        let own = &commands[i];
        if !own.is_empty() {
            let _ = writeln!(text, "\nAgain:\n\n```sh\n{}\n```", own.join("\n"));
        }
    }
    text
}

fn table(text: &mut String, heads: &[String], rows: &[Vec<String>]) {
    let mut row = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    };
    row(heads);
    row(&heads.iter().map(|_| "---".to_owned()).collect::<Vec<_>>());
    rows.iter().for_each(|cells| row(cells));
}

fn since_start(at: Instant) -> String {
    at.since(Instant::START).to_string()
}

/// A mean with half the width of its interval, in the unit of its label.
fn mean(figure: Option<&Figure>) -> String {
    let Some(Figure { value: Some(value), low, high, metric, .. }) = figure else { return "–".to_owned() };
    let scale = if metric.contains("_ratio") { 100.0 } else { 1.0 };
    match low.zip(*high) {
        Some((low, high)) => format!("{} ± {}", three(value * scale), three((high - low) / 2.0 * scale)),
        None => three(value * scale),
    }
}

/// A time that may not come.
fn time(book: &Book, variant: &str, time: &str, came: &str) -> String {
    let find = |metric: &str| book.find(1, variant, "", metric, "mean");
    match (find(time), find(came).and_then(|figure| figure.value)) {
        (_, None) => "–".to_owned(),
        (None, Some(_)) => "never".to_owned(),
        (found, Some(1.0)) => mean(found),
        (found, Some(share)) => format!("{} in {}", mean(found), percent(share)),
    }
}

fn death(text: &mut String, book: &Book, asked: &Asked, variants: &[&str]) {
    let design = asked.design;
    let _ = writeln!(
        text,
        "At {} the process of one node, another one with each seed, is killed and stays away. Before that, what each node\n\
         holds is looked at about ten times, in a run in which nothing happens.\n",
        since_start(design.died_at)
    );
    let find = |variant: &str, metric: &str| mean(book.find(1, variant, "", metric, "mean"));
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |label: String, cell: &dyn Fn(&str) -> String| {
        rows.push(std::iter::once(label).chain(variants.iter().map(|variant| cell(variant))).collect());
    };
    row("one node holds: median, p95, most".into(), &|variant| held_cell(book, variant));
    for metric in ["sessions_dropped_ratio", "sessions_lost_ratio", "sessions_moved_ratio"] {
        row(label(metric), &|variant| find(variant, metric));
    }
    row("dropped ÷ held by the dead node".into(), &|variant| find(variant, "dropped_to_held"));
    row("dropped because of".into(), &|variant| causes(book, variant, "dropped"));
    row("lost because of".into(), &|variant| causes(book, variant, "lost"));
    row(label("disconnects_peak_per_s"), &|variant| find(variant, "disconnects_peak_per_s"));
    row(label("requests_failed_ratio"), &|variant| find(variant, "requests_failed_ratio"));
    row(label("response_time_ms_p99"), &|variant| find(variant, "response_time_ms_p99"));
    row(label("reconnect_time_s"), &|variant| time(book, variant, "reconnect_time_s", "reconnected_ratio"));
    row(label("recovery_time_s"), &|variant| time(book, variant, "recovery_time_s", "recovered_ratio"));
    row("busiest node [%], before → after".into(), &|variant| busiest(book, variant));
    row("further nodes down".into(), &|variant| further(book, variant));
    row("mean utilisation [%], now; at most".into(), &|variant| {
        let safe = book.find(1, variant, "", "utilisation_safe_max", "mean").and_then(|figure| figure.value);
        let now = find(variant, "node_utilisation_ratio_mean");
        format!("{now}; {}", safe.map_or("–".to_owned(), |safe| three(safe * 100.0)))
    });
    let heads: Vec<String> =
        std::iter::once("after the death").chain(variants.iter().copied()).map(str::to_owned).collect();
    table(text, &heads, &rows);
    let _ = writeln!(
        text,
        "\nThe last row: at the second figure the busiest of {} nodes would be at {} % when one is gone, if load stays as\n\
         uneven as it is. It is {BUSY_MAX} · (n − 1) ÷ n ÷ skew, where the skew is `busy_peak_to_mean`.",
        design.nodes,
        BUSY_MAX * 100.0
    );
}

fn held_cell(book: &Book, variant: &str) -> String {
    let own =
        |statistic: &str| held(book, variant, statistic).and_then(|figure| figure.value).map_or("–".into(), percent);
    let word = held(book, variant, "p50").map_or("", |figure| held_word(&figure.metric));
    format!("{}, {}, {} {word}", own("p50"), own("p95"), own("max")).trim_end().to_owned()
}

/// The causes of a harm, the most frequent first, each with its share.
fn causes(book: &Book, variant: &str, harm: &str) -> String {
    let begins = format!("{harm}_by_");
    let mut own: Vec<(&str, f64)> = book
        .of(1, variant, "")
        .filter_map(|figure| Some((figure.metric.strip_prefix(&begins)?, figure.value?)))
        .collect();
    let all: f64 = own.iter().map(|(_, count)| count).sum();
    own.sort_by(|a, b| b.1.total_cmp(&a.1));
    let shown = own.iter().take(CAUSES_MAX).map(|(cause, count)| format!("{cause} {}", percent(count / all)));
    let shown = shown.collect::<Vec<_>>().join(", ");
    if shown.is_empty() { "–".to_owned() } else { shown }
}

fn busiest(book: &Book, variant: &str) -> String {
    let of =
        |folder: &str| book.of(1, variant, "").find(|f| f.folder == folder && f.metric == "node_utilisation_ratio_max");
    format!("{} → {}", mean(of("held")), mean(of("node-dies")))
}

fn further(book: &Book, variant: &str) -> String {
    let found = book.find(1, variant, "", "further_nodes_down", "share");
    found.map_or("–".to_owned(), |figure| format!("in {} of {} seeds", hits(figure), figure.n))
}

/// In how many of its values.
fn hits(figure: &Figure) -> u64 {
    (figure.value.unwrap_or(0.0) * figure.n as f64 + 0.5) as u64
}

fn warn(text: &mut String, book: &Book, asked: &Asked, variants: &[&str], signals: &[WarningRow]) {
    if book.0.iter().all(|figure| figure.question != 2) {
        let _ = writeln!(text, "Not applicable: nothing was measured that could warn.");
        return;
    }
    let _ = writeln!(
        text,
        "The same death at {}. A signal alarms at the end of the first tick in which it is beyond what it was while all was\n\
         well; users notice when errors or the p99 are beyond what recovery is judged by. At most {SIGNALS_MAX} signals are\n\
         shown, those that are first most often; all are in `{CSV}`.\n",
        since_start(asked.design.died_at)
    );
    let heads = ["variant", "signal", "alarms", "first", "after [s]", "before users notice [s]", "false alarms [1/h]"];
    let mut rows = Vec::new();
    for variant in variants {
        for first in ranked(book, variant).into_iter().take(SIGNALS_MAX) {
            let find = |statistic: &str| book.find(2, variant, "", &first.metric, statistic);
            let share = |statistic: &str| find(statistic).and_then(|f| f.value).map_or("–".to_owned(), percent);
            let seconds = |statistic: &str| find(statistic).and_then(|f| f.value).map_or("–".to_owned(), three);
            let is_own = |row: &&WarningRow| row.variant == *variant && row.signal.name == first.metric;
            let alarms = signals.iter().find(is_own).map_or("–".to_owned(), WarningRow::false_alarms);
            rows.push(vec![
                (*variant).to_owned(),
                first.metric.clone(),
                share("alarmed"),
                share("first"),
                seconds("alarm_s_p50"),
                seconds("lead_s_p50"),
                alarms,
            ]);
        }
    }
    table(text, &heads.map(str::to_owned), &rows);
}

fn leave(text: &mut String, book: &Book, asked: &Asked, variants: &[&str]) {
    let design = asked.design;
    if design.leave.is_none() {
        let _ = writeln!(text, "Not applicable: there is a single node.");
        return;
    }
    let whose = match design.is_own {
        true => format!("leave as `change.{}` has them leave", design.deploy),
        false => {
            "are drained for at most 30 s, restarted, and come back (the scenario has no rolling change of its own)"
                .into()
        }
    };
    let limits = asked.limits.iter().map(limit_text).collect::<Vec<_>>().join("; ");
    let _ = writeln!(
        text,
        "So many nodes {whose}; the next do not begin. Figures are from then to the end of the run. Limits: {limits}."
    );
    if design.is_assumed {
        let _ = writeln!(text, "The scenario has no [slo]: this limit is assumed. Write the one that was agreed on.");
    }
    let _ = writeln!(text);
    let metrics = [
        "response_time_ms_p99",
        "requests_failed_ratio",
        "node_utilisation_ratio_max",
        "sessions_dropped_ratio",
        "sessions_lost_ratio",
    ];
    let heads = ["variant", "out at once"].map(str::to_owned).into_iter();
    let heads: Vec<String> = heads.chain(metrics.map(label)).chain(["limits kept".to_owned()]).collect();
    let mut rows = Vec::new();
    for variant in variants {
        for out in &design.outs {
            let setting = out.to_string();
            let cells = metrics.map(|metric| mean(book.find(3, variant, &setting, metric, "mean")));
            let kept = book.find(3, variant, &setting, "limits_kept", "share");
            let kept = kept.map_or("–".to_owned(), |figure| format!("{} of {}", hits(figure), figure.n));
            rows.push([(*variant).to_owned(), setting].into_iter().chain(cells).chain([kept]).collect());
        }
    }
    table(text, &heads, &rows);
}

fn rollback(text: &mut String, book: &Book, asked: &Asked, variants: &[&str]) {
    let (design, seeds) = (asked.design, asked.seeds);
    if design.deploys.is_none() {
        let _ = writeln!(text, "Not applicable: there is a single node.");
        return;
    }
    let whose = match design.is_own {
        true => format!("the deploy of the scenario, `change.{}`", design.deploy),
        false => "a plain one: node after node is drained for at most 30 s and restarted".to_owned(),
    };
    let quantile = f64::from(seeds) / (f64::from(seeds) + 1.0);
    let (look, bad) = (three(facts::look_s(design)), percent(design.bad.ratio()));
    let _ = writeln!(
        text,
        "What a healthy deploy looks like at its worst, by {seeds} of them; {whose}. Another healthy deploy is beyond the worst\n\
         of {seeds} with a chance of 1 in {}, so this is its P{} by each figure; `--seeds 99` gives the P99. Then the same\n\
         deploy with a version that fails {bad} of its requests: how often would the criterion see it?\n",
        seeds + 1,
        three(quantile * 100.0)
    );
    let heads = ["variant", "figure", "healthy: median", "healthy: worst", "bad: median", "bad is seen"];
    let mut rows = Vec::new();
    for variant in variants {
        for metric in ["disconnects_peak_per_s", "requests_failed_ratio_peak"] {
            let find = |folder: &str, statistic: &str| {
                book.of(4, variant, "").find(|f| f.folder == folder && f.metric == metric && f.statistic == statistic)
            };
            let shown = |figure: Option<&Figure>| match figure.and_then(|figure| figure.value) {
                Some(value) if metric.contains("_ratio") => percent(value),
                Some(value) => three(value),
                None => "–".to_owned(),
            };
            let seen = find("bad-deploy", "seen").map_or("–".to_owned(), |figure| {
                let ends = figure.low.zip(figure.high);
                let ends =
                    ends.map_or(String::new(), |(low, high)| format!(" ({} to {})", percent(low), percent(high)));
                format!("in {} of {} seeds{ends}", hits(figure), figure.n)
            });
            let name = match named(metric) {
                Some(column) => column.label(),
                None => format!("requests failed within {look} s, most"),
            };
            let [median, worst] = ["p50", "max"].map(|statistic| shown(find("deploy", statistic)));
            rows.push(vec![(*variant).to_owned(), name, median, worst, shown(find("bad-deploy", "p50")), seen]);
        }
    }
    table(text, &heads.map(str::to_owned), &rows);
}
