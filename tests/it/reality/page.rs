//! `docs/fidelity.md`: every measurement beside what the simulator makes of it.
//!
//! The prose is written by hand; what stands between `<!-- name -->` and `<!-- /name -->` is made here.

use super::family::{Cell, Family};
use super::judge::{Comparison, may_miss, mean, scalars};
use std::fmt::Write;

/// The page.
pub const PAGE: &str = "docs/fidelity.md";

/// A cell with its verdicts; none while it waits.
pub struct Judged<'f> {
    /// Its family.
    pub family: &'f Family,
    /// Its place in it.
    pub place: usize,
    /// One per figure that is compared in it.
    pub comparisons: Vec<Comparison>,
}

impl Judged<'_> {
    fn cell(&self) -> &Cell {
        &self.family.cells[self.place]
    }

    /// Its lines of the family's table.
    pub fn rows(&self) -> String {
        let mut rows = String::new();
        let mut setting = describe(&self.cell().settings);
        for comparison in &self.comparisons {
            let (simulated, interval, verdict) = self.simulated(comparison);
            let measured = summary(&comparison.measured);
            let name = &comparison.name;
            _ = writeln!(rows, "| {setting} | {name} | {measured} | {simulated} | {interval} | {verdict} |");
            setting.clear();
        }
        rows
    }

    fn simulated(&self, comparison: &Comparison) -> (String, String, &'static str) {
        if !self.cell().waits.is_empty() {
            return ("–".into(), "–".into(), "not expressed");
        }
        if comparison.measured.is_empty() {
            return (summary(&comparison.simulated), "–".into(), "not measured");
        }
        let interval = comparison.interval.map(|(low, high)| format!("{} … {}", short(low), short(high)));
        let verdict = if comparison.agrees { "agrees" } else { "**differs**" };
        let near = comparison.near.map(|near| format!("within {}", short(near)));
        (summary(&comparison.simulated), interval.or(near).unwrap_or_else(|| "equal".into()), verdict)
    }
}

/// The text between the marks of this name, replaced.
pub fn with_part(page: &str, name: &str, text: &str) -> String {
    let (opening, closing) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let from = page.find(&opening).unwrap_or_else(|| panic!("{PAGE} has no {opening}")) + opening.len();
    let to = page.find(&closing).unwrap_or_else(|| panic!("{PAGE} has no {closing}"));
    format!("{}\n{text}\n{}", &page[..from], &page[to..])
}

/// The tables of all families.
pub fn tables(judged: &[Judged]) -> String {
    let mut text = String::new();
    for (i, cell) in judged.iter().enumerate() {
        if i == 0 || cell.family.name != judged[i - 1].family.name {
            let written = &cell.family.written;
            let gap = if i == 0 { "" } else { "\n" };
            _ = write!(text, "{gap}### {}\n\n{}\n\n", written.title, written.about.trim());
            text += "| setting | figure | measured | simulated | 99 % interval | verdict |\n";
            text += "| --- | --- | --- | --- | --- | --- |\n";
        }
        text += &cell.rows();
    }
    text
}

/// How many agree, and which do not.
pub fn overview(judged: &[Judged]) -> String {
    let ready = || judged.iter().filter(|cell| cell.cell().waits.is_empty());
    let all = || ready().flat_map(|cell| &cell.comparisons).filter(|c| !c.measured.is_empty());
    let (chance, certain): (Vec<&Comparison>, Vec<&Comparison>) = all().partition(|c| c.interval.is_some());
    let differing = |of: &[&Comparison]| of.iter().filter(|c| !c.agrees).count();
    let mut text =
        String::from("| | cells | figures | that differ | chance allows |\n| --- | --- | --- | --- | --- |\n");
    let cells = ready().count();
    let luck = chance.iter().filter(|c| c.has_luck()).count();
    let (n, allowed) = (chance.len(), may_miss(luck));
    _ = writeln!(text, "| left to chance (in the simulator: {luck}) | | {n} | {} | {allowed} |", differing(&chance));
    _ = writeln!(text, "| not left to chance | | {} | {} | 0 |", certain.len(), differing(&certain));
    _ = writeln!(text, "| together | {cells} | {} | {} | |", all().count(), differing(&all().collect::<Vec<_>>()));
    let waiting: Vec<&Judged> = judged.iter().filter(|cell| !cell.cell().waits.is_empty()).collect();
    let figures: usize = waiting.iter().map(|cell| cell.comparisons.len()).sum();
    _ = writeln!(text, "| not expressed yet | {} | {figures} | | |", waiting.len());
    text += "\nThose that differ:\n\n";
    let mut any = false;
    for cell in ready() {
        for c in cell.comparisons.iter().filter(|c| !c.agrees) {
            any = true;
            let (who, of) = (cell.family.name.to_uppercase(), describe(&cell.cell().settings));
            let (measured, (simulated, interval, _)) = (summary(&c.measured), cell.simulated(c));
            _ = writeln!(text, "* {who}, {of}: {} measured {measured}, simulated {simulated} ({interval})", c.name);
        }
    }
    text += if any { "" } else { "* none\n" };
    if !waiting.is_empty() {
        text += "\nThose that no scenario can express yet:\n\n";
    }
    for cell in waiting {
        let (who, of) = (cell.family.name.to_uppercase(), describe(&cell.cell().settings));
        _ = writeln!(text, "* {who}, {of}: {}", cell.cell().waits.join("; "));
    }
    text
}

/// Settings in words: a value that does not speak for itself has its column's name.
fn describe(settings: &[(String, String)]) -> String {
    let speaks = |value: &str| value.parse::<f64>().is_err() && !["yes", "no", "true", "false"].contains(&value);
    let words = settings.iter().filter(|(_, value)| !value.is_empty()).map(|(column, value)| {
        let column = column.replace('_', " ");
        if speaks(value) && value != "none" { value.clone() } else { format!("{column} {value}") }
    });
    words.collect::<Vec<String>>().join(", ")
}

/// Mean (least–most; number of values), or what all of them are.
fn summary(values: &[Option<Vec<f64>>]) -> String {
    let there: Vec<&Vec<f64>> = values.iter().flatten().collect();
    let n = values.len();
    let Some(first) = there.first() else { return if n == 0 { "–".into() } else { format!("never ({n})") } };
    let of = if there.len() < n { format!("{} of {n}", there.len()) } else { n.to_string() };
    if there.iter().all(|value| value == first) {
        let shown = if first.len() > 1 { list(first) } else { short(first[0]) };
        return format!("{shown} ({of})");
    }
    if first.len() > 1 {
        return format!("{}, and others ({of})", list(first));
    }
    let numbers = scalars(values);
    let (least, most) = numbers.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &x| (a.min(x), b.max(x)));
    format!("{} ({}–{}; {of})", short(mean(&numbers)), short(least), short(most))
}

/// Numbers side by side; of more than a dozen, the last ones.
fn list(numbers: &[f64]) -> String {
    let skipped = numbers.len().saturating_sub(12);
    let shown: Vec<String> = numbers[skipped..].iter().map(|&x| short(x)).collect();
    format!("{}{}", if skipped > 0 { "… " } else { "" }, shown.join(" "))
}

/// Four significant digits, but no more than four decimals.
fn short(x: f64) -> String {
    let decimals = 4 - [1.0, 10.0, 100.0, 1000.0].iter().filter(|&&power| x.abs() >= power).count();
    let text = format!("{x:.decimals$}");
    let trimmed = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if trimmed == "-0" { "0".into() } else { trimmed.into() }
}
