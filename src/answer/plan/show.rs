//! The answer as a person, a notebook and a program read it.

use super::{Answer, Evidence, Question, Role, Verdict, Worst};
use crate::experiment::rows::{Field, POINT, Sheet, VARIANT};
use crate::observe::slo::{Limit, Reading};
use crate::statistics::{Interval, clopper_pearson, sequential};
use serde_json::{Value, json};
use std::fmt::Write;

/// The fields of `plan.csv`.
pub const FIELDS: &[Field] = &[
    VARIANT,
    POINT,
    Field::text("value", "The value of the key that is searched."),
    Field::text("role", "What it is: answer, neighbour (that fails), search (on the way), probe (beyond)."),
    Field::integer("runs", "Runs, under the first so many seeds."),
    Field::integer("kept", "Runs that kept every limit."),
    Field::number("share_low", "", "At least this share of all seeds keeps the limits (Clopper–Pearson, one-sided)."),
    Field::number("share_high", "", "At most this share does (the same)."),
    Field::text("verdict", "proven, refuted or undecided; agrees: a probe that looks as expected, no claim."),
    Field::text("metric", "The figure that had the least margin in any of the runs."),
    Field::text("incident", "The fault or change after which; empty for the whole run."),
    Field::number("figure", "", "Its value there, in the metric's unit; empty for a time that never came."),
    Field::number("cost_per_hour", "", "What the runs cost by the hour, mean; empty without `[cost]`."),
    Field::number("margin_ratio", "", "How far inside its limit, as a share of the bound; below zero: beyond it."),
];

impl Question {
    fn bounds(&self, evidence: &Evidence) -> Interval {
        clopper_pearson(evidence.kept, evidence.runs, self.confidence)
    }

    fn text_at(&self, place: usize) -> String {
        self.find.value(self.value_at(place))
    }

    fn range(&self) -> String {
        let step = self.find.step();
        let steps = if step == "1" { String::new() } else { format!(" in steps of {step}") };
        format!("{}..{}{steps}", self.find.value(0), self.find.value(self.find.count() - 1))
    }

    fn superlative(&self) -> &'static str {
        if self.wants_largest { "largest" } else { "smallest" }
    }
}

impl Answer {
    fn name(&self) -> String {
        if self.point.is_empty() { self.variant.clone() } else { format!("{}, {}", self.variant, self.point) }
    }

    /// What it costs by the hour; `None` without prices or an answer.
    fn cost_per_hour(&self) -> Option<f64> {
        self.found.evidence.get(&self.found.passes?)?.cost_per_hour
    }

    fn role(&self, place: usize) -> &'static str {
        match self.found.evidence[&place].role {
            _ if self.found.passes == Some(place) => "answer",
            _ if self.found.fails == Some(place) => "neighbour",
            Role::Search => "search",
            Role::Probe => "probe",
        }
    }
}

/// The answers for a person, at most 100 characters wide.
pub fn table(question: &Question, answers: &[Answer]) -> String {
    let mut text = String::new();
    let (asked, confidence) = (percent(question.share), percent(question.confidence));
    let (key, range, superlative) = (&question.find.key, question.range(), question.superlative());
    let _ = writeln!(text, "{}: the {superlative} {key} in {range} that keeps every limit", question.name);
    let _ = writeln!(text, "in {asked} of all seeds, at {confidence} confidence");
    for limit in &question.limits {
        let bound = limit.column.shown(limit.bound);
        let _ = writeln!(text, "  limit: {} {} {bound}", limit.column.label(), limit.relation.sign());
    }
    for answer in answers {
        let _ = writeln!(text, "\n{}", answer.name());
        rows(&mut text, question, answer);
        conclude(&mut text, question, answer);
    }
    frontier(&mut text, question, answers);
    tax(&mut text, question, answers);
    let runs: u64 = answers.iter().map(|answer| answer.found.runs()).sum();
    let _ = writeln!(text, "\n{runs} runs, every value under the same seeds; claims cover luck, not wrong inputs");
    text
}

/// The evidence, in the order of the values.
fn rows(text: &mut String, question: &Question, answer: &Answer) {
    let places: Vec<usize> = answer.found.evidence.keys().copied().collect();
    let value = |&place: &usize| question.text_at(place);
    let width = places.iter().map(|place| value(place).chars().count()).max().unwrap_or(0).max(5);
    let _ =
        writeln!(text, "  {:>width$}  {:>5}  {:>5}  {:>8}  verdict    least margin", "value", "runs", "kept", "share");
    let mut places = places;
    places.sort_by_key(|&place| question.value_at(place));
    for place in places {
        let evidence = &answer.found.evidence[&place];
        let bounds = question.bounds(evidence);
        let (low, high) = ((bounds.low * 100.0).floor(), (bounds.high * 100.0).ceil());
        let share = match evidence.verdict {
            // With a miss the single look says more than a test of many looks may claim.
            Verdict::Proven => format!("≥ {}", floor_percent(question.claim())),
            Verdict::Refuted => format!("≤ {high} %"),
            Verdict::Undecided | Verdict::Agrees => format!("{low}–{high} %"),
        };
        let worst = evidence.worst.as_ref().map_or("–".to_owned(), |worst| margin(&question.limits, worst));
        let (shown, verdict) = (value(&place), evidence.verdict.name());
        let mark = if answer.found.passes == Some(place) { "←" } else { "" };
        let line = format!(
            "  {shown:>width$}  {:>5}  {:>5}  {share:>8}  {verdict:<9}  {worst} {mark}",
            evidence.runs, evidence.kept
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// The figure with the least margin, in words.
fn margin(limits: &[Limit], worst: &Worst) -> String {
    let column = limits[worst.limit].column;
    let after = if worst.incident.is_empty() { String::new() } else { format!(" after {}", worst.incident) };
    match worst.reading {
        Reading::Value(value) if worst.margin.is_finite() => {
            let margin = (worst.margin * 100.0).clamp(-1e6, 1e6);
            format!("{} {}{after} ({margin:+.0} %)", column.label(), column.shown(value))
        }
        _ => format!("{} never{after}", column.label()),
    }
}

/// The answer, its neighbour, and what is not as it should be.
fn conclude(text: &mut String, question: &Question, answer: &Answer) {
    let found = &answer.found;
    let seen = |place: usize| {
        let evidence = &found.evidence[&place];
        format!("{} of {} seeds keep every limit", evidence.kept, evidence.runs)
    };
    let (key, superlative) = (&question.find.key, question.superlative());
    match found.passes {
        Some(place) => {
            let (value, proof) = (question.text_at(place), floor_percent(question.claim()));
            let _ = writeln!(text, "  answer: {key} = {value}; {}, which proves ≥ {proof}", seen(place));
        }
        None => {
            let _ = writeln!(text, "  answer: none; no {key} in {} is proven to keep every limit", question.range());
        }
    }
    match found.fails {
        Some(place) => {
            let what = match found.evidence[&place].verdict {
                Verdict::Refuted => "refuted",
                _ => "not proven",
            };
            let _ = writeln!(text, "  {} is {what}: {}", question.text_at(place), seen(place));
        }
        None => {
            let _ = writeln!(text, "  it is the {superlative} that was asked for: every value passes");
        }
    }
    if let Some(place) = found.passes.filter(|_| question.claim() < question.share) {
        let evidence = &found.evidence[&place];
        let (proven, asked) = (floor_percent(question.claim()), percent(question.share));
        let enough = sequential::clean_runs(question.share, question.confidence);
        let mend = enough.map_or(String::new(), |runs| format!("; --seeds-max {runs} can"));
        let _ =
            writeln!(text, "  {} of {} clean seeds prove ≥ {proven}, not {asked}{mend}", evidence.kept, evidence.runs);
    }
    for &place in &found.contrary {
        let side = if found.passes.is_some_and(|passes| place > passes) { "beyond the answer" } else { "before it" };
        let _ = writeln!(
            text,
            "  CAUTION: not monotone: {} {side} is {}: {}",
            question.text_at(place),
            found.evidence[&place].verdict.name(),
            seen(place)
        );
    }
}

/// The answers by point: of each point one line, of each variant one column.
fn frontier(text: &mut String, question: &Question, answers: &[Answer]) {
    let mut points: Vec<&str> = answers.iter().map(|answer| answer.point.as_str()).collect();
    points.dedup();
    if points.len() < 2 {
        return;
    }
    let mut variants: Vec<&str> = Vec::new();
    for answer in answers {
        if !variants.contains(&answer.variant.as_str()) {
            variants.push(&answer.variant);
        }
    }
    let _ = writeln!(text, "\nfrontier: the {} {} at each point", question.superlative(), question.find.key);
    let width = points.iter().map(|point| point.chars().count()).max().unwrap_or(0);
    for (place, variant) in variants.iter().enumerate() {
        let _ = writeln!(text, "  {}: {variant}", place + 1);
    }
    let heads: Vec<String> = (1..=variants.len()).map(|place| format!("{place:>10}")).collect();
    let _ = writeln!(text, "  {:<width$}{}", "", heads.concat());
    for point in points {
        let at = answers.iter().filter(|answer| answer.point == point);
        let cells = at.map(|answer| match answer.found.passes {
            Some(place) => format!("{:>10}", question.text_at(place)),
            None => format!("{:>10}", "none"),
        });
        let _ = writeln!(text, "  {point:<width$}{}", cells.collect::<String>());
    }
}

/// What each variant needs beyond the best one of its point.
fn tax(text: &mut String, question: &Question, answers: &[Answer]) {
    let taxes = taxes(question, answers);
    if taxes.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nstickiness tax: {} beyond the variant that is best", question.find.key);
    let width = answers.iter().map(|answer| answer.name().chars().count()).max().unwrap_or(0);
    let (more, sign) = if question.wants_largest { ("less", '−') } else { ("more", '+') };
    for tax in taxes {
        let name = answers[tax.answer].name();
        let words = match tax.extra {
            None => "no value keeps the limits".to_owned(),
            Some((_, 0, _)) => "the best".to_owned(),
            Some((distance, _, None)) => format!("{distance} {more}"),
            Some((distance, _, Some(ratio))) => format!("{distance} {more} ({sign}{:.0} %)", ratio * 100.0),
        };
        let cost = tax.cost.map_or(String::new(), |(own, least)| {
            let over = if own > least { format!(", {:+.0} %", (own / least - 1.0) * 100.0) } else { String::new() };
            format!("; costs {own:.3} an hour{over}")
        });
        let _ = writeln!(text, "  {name:<width$}  {words}{cost}");
    }
}

/// What a variant needs beyond the best.
struct Tax {
    /// The place of its answer.
    answer: usize,
    /// How much, in the key's unit, in steps, and as a share of the best; `None` where no value passes.
    extra: Option<(String, usize, Option<f64>)>,
    /// What it costs by the hour with its answer, and what the cheapest does; `None` without prices or an answer.
    cost: Option<(f64, f64)>,
}

/// Those of every point with more than one variant, of which at least one has an answer.
fn taxes(question: &Question, answers: &[Answer]) -> Vec<Tax> {
    let mut taxes = Vec::new();
    for (place, answer) in answers.iter().enumerate() {
        let beside = answers.iter().filter(|other| other.point == answer.point);
        let best = beside.clone().filter_map(|other| other.found.passes).min();
        let Some(best) = best.filter(|_| beside.clone().count() > 1) else { continue };
        let extra = answer.found.passes.map(|own| {
            let (distance, ratio) = question.find.distance(question.value_at(best), question.value_at(own));
            (distance, own - best, ratio)
        });
        let least = beside.filter_map(Answer::cost_per_hour).min_by(f64::total_cmp);
        taxes.push(Tax { answer: place, extra, cost: answer.cost_per_hour().zip(least) });
    }
    taxes
}

/// The evidence as the text of `plan.csv`.
pub fn csv(question: &Question, answers: &[Answer]) -> csv::Result<String> {
    let mut sheet = Sheet::headed(Vec::new(), FIELDS)?;
    for answer in answers {
        for (&place, evidence) in &answer.found.evidence {
            let bounds = question.bounds(evidence);
            let worst = evidence.worst.as_ref();
            let figure = worst.and_then(|worst| match worst.reading {
                Reading::Value(value) => Some(value),
                _ => None,
            });
            for cell in [&answer.variant, &answer.point, question.text_at(place).as_str(), answer.role(place)] {
                sheet.text(cell)?;
            }
            for cell in [evidence.runs as f64, evidence.kept as f64, rounded(bounds.low), rounded(bounds.high)] {
                sheet.number(Some(cell))?;
            }
            sheet.text(evidence.verdict.name())?;
            sheet.text(worst.map_or("", |worst| question.limits[worst.limit].column.name))?;
            sheet.text(worst.map_or("", |worst| worst.incident.as_str()))?;
            sheet.number(figure)?;
            sheet.number(evidence.cost_per_hour.map(rounded))?;
            sheet.number(worst.map(|worst| worst.margin))?;
            sheet.end()?;
        }
    }
    let bytes = sheet.into_inner()?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The answers for a program.
pub fn json(question: &Question, answers: &[Answer]) -> Value {
    let limit =
        |limit: &Limit| json!({ "metric": limit.column.name, "relation": limit.relation.sign(), "bound": limit.bound });
    let tried = |answer: &Answer, place: usize| {
        let evidence = &answer.found.evidence[&place];
        let bounds = question.bounds(evidence);
        json!({
            "value": question.text_at(place), "role": answer.role(place), "verdict": evidence.verdict.name(),
            "runs": evidence.runs, "kept": evidence.kept,
            "share_low": rounded(bounds.low), "share_high": rounded(bounds.high),
            "fingerprints": evidence.fingerprints.iter().map(|hash| format!("{hash:016x}")).collect::<Vec<_>>(),
        })
    };
    let taxes = taxes(question, answers);
    let one = |(place, answer): (usize, &Answer)| {
        let extra = taxes.iter().find(|tax| tax.answer == place).and_then(|tax| tax.extra.as_ref());
        let text = |place: Option<usize>| place.map(|place| question.text_at(place));
        json!({
            "variant": answer.variant, "point": answer.point,
            "value": text(answer.found.passes), "neighbour": text(answer.found.fails),
            "contrary": answer.found.contrary.iter().map(|&place| question.text_at(place)).collect::<Vec<_>>(),
            "tax": extra.map(|(distance, _, _)| distance), "tax_ratio": extra.and_then(|(_, _, ratio)| *ratio),
            "cost_per_hour": answer.cost_per_hour(),
            "runs": answer.found.runs(),
            "evidence": answer.found.evidence.keys().map(|&place| tried(answer, place)).collect::<Vec<_>>(),
        })
    };
    json!({
        "key": question.find.key,
        "from": question.find.value(0), "to": question.find.value(question.find.count() - 1),
        "step": question.find.step(), "wanted": question.superlative(),
        "limits": question.limits.iter().map(limit).collect::<Vec<_>>(),
        "share_asked": question.share, "share_proven": rounded(question.claim()),
        "confidence": question.confidence, "seeds_from": question.first_seed, "seeds_max": question.runs_max,
        "answers": answers.iter().enumerate().map(one).collect::<Vec<_>>(),
    })
}

/// To nine decimals: what is found by halving an interval is known no better.
fn rounded(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}

fn percent(share: f64) -> String {
    // A share written as 95% is 0.95, and a hundred times that is not quite 95.
    format!("{} %", (share * 1e8).round() / 1e6)
}

/// Rounded down, as a claim must be.
fn floor_percent(share: f64) -> String {
    format!("{} %", (share * 100.0 + 1e-9).floor())
}
