//! `docs/oracles.md`: every prediction beside what the simulator makes of it.
//!
//! The prose is written by hand; what stands between `<!-- oracles -->` and `<!-- /oracles -->` is made here.

use super::data::{Expect, Oracle, Topic};
use super::judge::Judgement;
use crate::lab::is_full;
use std::fmt::Write;

/// The page.
pub const PAGE: &str = "docs/oracles.md";

const HEAD: &str = "| case | claim | figure | expected | simulated | 95 % interval | seeds | verdict | source |\n\
                    | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";

/// What a row says whatever has come out: its first four cells.
fn opening(oracle: &Oracle, expect: &Expect, is_first: bool) -> String {
    let claim = if is_first { oracle.claim.as_str() } else { "" };
    format!("| {} | {claim} | {} | {} |", oracle.id, expect.label(), expect.text())
}

/// Its last two: the verdict that the tests demand, and the source.
fn closing(oracle: &Oracle, expect: &Expect, is_first: bool) -> String {
    let source = if is_first { oracle.source.as_str() } else { "" };
    let verdict = match (&expect.known, &oracle.by) {
        (Some(known), _) => format!("differs: {}", known.because),
        (None, Some(test)) => format!("by unit test `{test}`"),
        (None, None) => "agrees".into(),
    };
    format!("| {verdict} | {source} |")
}

fn rows(topic: &Topic) -> impl Iterator<Item = (&Oracle, &Expect, bool)> {
    topic.oracle.iter().flat_map(|oracle| {
        let expects = oracle.expect.iter().enumerate();
        expects.map(move |(nth, expect)| (oracle, expect, nth == 0))
    })
}

/// The tables; `judged` are the outcomes in the order of the rows, none of those that a unit test holds.
pub fn tables(topics: &[Topic], judged: &[Option<Judgement>]) -> String {
    let length = if is_full() { "long" } else { "short" };
    let mut text = format!("{}Made of the {length} forms.\n", overview(topics));
    let mut judged = judged.iter();
    for topic in topics {
        _ = write!(text, "\n### {}\n\n{HEAD}", topic.title);
        for (oracle, expect, is_first) in rows(topic) {
            let outcome = judged.next().expect("one outcome per row");
            let (mean, interval, seeds) = outcome.as_ref().map_or(("–".into(), "–".into(), "–".into()), cells);
            let (opening, mut closing) = (opening(oracle, expect, is_first), closing(oracle, expect, is_first));
            if outcome.as_ref().is_some_and(|outcome| !expect.unexpected(outcome).is_empty()) {
                closing = closing.replacen("| ", "| **not as expected** ", 1);
            }
            _ = writeln!(text, "{opening} {mean} | {interval} | {seeds} {closing}");
        }
    }
    text
}

fn overview(topics: &[Topic]) -> String {
    let all: Vec<(&Oracle, &Expect, bool)> = topics.iter().flat_map(rows).collect();
    let known = all.iter().filter(|(_, expect, _)| expect.known.is_some()).count();
    let by = all.iter().filter(|(oracle, ..)| oracle.by.is_some()).count();
    let agree = all.len() - known - by;
    format!(
        "{} rows: {agree} agree, {known} differ for a reason that is known, {by} are held by unit tests.\n",
        all.len()
    )
}

fn cells(outcome: &Judgement) -> (String, String, String) {
    let interval = outcome.interval.map(|i| format!("{} … {}", short(i.low), short(i.high)));
    (short(outcome.mean), interval.unwrap_or_else(|| "–".into()), outcome.seeds.to_string())
}

/// What of the page is not what the cases are.
pub fn stale(topics: &[Topic], page: &str) -> Vec<String> {
    let (from, to) = (page.find("<!-- oracles -->"), page.find("<!-- /oracles -->"));
    let part = &page[from.expect("the tables have a beginning")..to.expect("and an end")];
    let mut found = part.lines().filter(|line| line.starts_with("| ") && !HEAD.contains(line));
    let mut stale: Vec<String> = Vec::new();
    for (oracle, expect, is_first) in topics.iter().flat_map(rows) {
        let line = found.next().unwrap_or_default();
        let (opening, closing) = (opening(oracle, expect, is_first), closing(oracle, expect, is_first));
        if !(line.starts_with(&opening) && line.ends_with(&closing)) {
            stale.push(format!("{opening} … {closing}\n  but there is\n{line}"));
        }
    }
    stale.extend(found.map(|line| format!("too much: {line}")));
    if !part.contains(&overview(topics)) {
        stale.push("the number of rows by verdict".into());
    }
    stale
}

/// The page with other tables.
pub fn with_tables(page: &str, text: &str) -> String {
    let (opening, closing) = ("<!-- oracles -->\n", "<!-- /oracles -->");
    let from = page.find(opening).expect("the tables have a beginning") + opening.len();
    let to = page.find(closing).expect("and an end");
    format!("{}\n{text}\n{}", &page[..from], &page[to..])
}

impl Expect {
    /// What is expected, in words.
    fn text(&self) -> String {
        let mut parts = Vec::new();
        if let Some(value) = self.value {
            let slack = match (self.within, self.tolerance) {
                (Some(within), _) => short(within),
                (None, tolerance) => format!("{} %", short(100.0 * tolerance.unwrap_or_default())),
            };
            parts.push(if slack == "0" { short(value) } else { format!("{} ± {slack}", short(value)) });
        }
        let ranged = [(self.between, "mean"), (self.each, "each seed"), (self.band, "nine seeds in ten")];
        for (range, who) in ranged {
            let Some([least, most]) = range else { continue };
            parts.push(match (least.is_finite(), most.is_finite()) {
                (true, true) if least == most => format!("{who} {}", short(least)),
                (true, false) => format!("{who} ≥ {}", short(least)),
                (false, true) => format!("{who} ≤ {}", short(most)),
                _ => format!("{who} in {} … {}", short(least), short(most)),
            });
        }
        parts.extend(self.exceeds.map(|least| format!("more than {}", short(least))));
        parts.extend(self.sd.map(|sd| format!("sd {}", short(sd))));
        parts.join("; ")
    }
}

/// Five digits that count, or all of a whole number.
fn short(x: f64) -> String {
    if !x.is_finite() {
        return "never".into();
    }
    let digits = if x == 0.0 { 0 } else { (4 - libm::floor(libm::log10(x.abs())) as i32).clamp(0, 9) as usize };
    let text = format!("{x:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".into() } else { text.to_owned() }
}
