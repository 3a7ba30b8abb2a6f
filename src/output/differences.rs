//! Which differences hold, when several figures are asked at once? Of two designs, or of one before and after a change.
//!
//! Pairs are made by seed: both sides have faced the same people and the same bad luck, whatever folder they lie in. The
//! p-values of all questions of one table are made stricter together (Holm); a difference is told as such only if it
//! survives that.

use super::figures::CellFigures;
use super::results::CompareRow;
use super::table::fill;
use crate::observe::columns::{Better, Column};
use crate::statistics::{Paired, holm, paired};
use serde_json::{Value, json};
use std::fmt::Write;

/// Error rate of the table as a whole.
const LEVEL: f64 = 0.05;

/// One question: a figure of one side against the other.
#[derive(Clone, Debug)]
pub struct Question {
    /// Which variant, and where in a sweep.
    pub of: String,
    /// The fault or change; empty for the whole run.
    pub incident: String,
    /// The figure.
    pub metric: &'static Column,
    /// What the seeds say; `None` when no seed has a value on both sides.
    pub paired: Option<Paired>,
    /// Its p-value, made stricter for all the questions beside it.
    pub p_adjusted: Option<f64>,
}

/// What the seeds say of a question, among all the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Says {
    /// It differs, and for the better.
    Better,
    /// It differs, and for the worse.
    Worse,
    /// It differs, and nobody says which is better.
    Differs,
    /// Every seed gives exactly the same.
    Same,
    /// No difference can be told.
    Nothing,
}

impl Question {
    /// The verdict.
    pub fn says(&self) -> Says {
        let Some(paired) = self.paired else { return Says::Nothing };
        let is_same = paired.difference.mean == 0.0 && paired.difference.sd.is_none_or(|sd| sd == 0.0);
        if is_same {
            return Says::Same;
        }
        if self.p_adjusted.is_none_or(|p| p >= LEVEL) {
            return Says::Nothing;
        }
        match (self.metric.better, paired.difference.mean > 0.0) {
            (Better::Neither, _) => Says::Differs,
            (Better::More, true) | (Better::Less, false) => Says::Better,
            _ => Says::Worse,
        }
    }

    fn words(&self) -> String {
        match self.says() {
            Says::Better => "better".into(),
            Says::Worse => "worse".into(),
            Says::Differs => "differs".into(),
            Says::Same => "the same in every seed".into(),
            Says::Nothing => match self.paired.and_then(|paired| paired.n_needed) {
                Some(n) => format!("no detectable difference; {n} seeds might tell"),
                None => "no detectable difference".into(),
            },
        }
    }
}

/// Those of `metrics` that variants have against their baseline, for all populations together.
pub fn of_variants(rows: &[CompareRow], baseline: &str, metrics: &[&str]) -> Vec<Question> {
    let is_asked = |row: &&CompareRow| {
        row.variant != baseline && row.population == "all" && metrics.contains(&row.metric.name) && row.paired.is_some()
    };
    let question = |row: &CompareRow| Question {
        of: named(&row.variant, &row.point),
        incident: row.incident.clone(),
        metric: row.metric,
        paired: row.paired,
        p_adjusted: None,
    };
    adjusted(rows.iter().filter(is_asked).map(question).collect())
}

/// The cells that only one of two folders has: of them nothing is compared.
pub fn unmatched(before: &[CellFigures], after: &[CellFigures]) -> Vec<String> {
    let lacks = |cells: &[CellFigures], cell: &CellFigures| {
        !cells.iter().any(|other| other.variant == cell.variant && other.point == cell.point)
    };
    let gone = before.iter().filter(|cell| lacks(after, cell));
    let new = after.iter().filter(|cell| lacks(before, cell));
    gone.chain(new).map(|cell| named(&cell.variant, &cell.point)).collect()
}

/// Those of `metrics` that two folders have for cells of the same name: after against before.
pub fn of_folders(before: &[CellFigures], after: &[CellFigures], metrics: &[&str]) -> Vec<Question> {
    let mut questions = Vec::new();
    for cell in after {
        let Some(old) = before.iter().find(|old| old.variant == cell.variant && old.point == cell.point) else {
            continue;
        };
        for scope in cell.scopes.iter().filter(|scope| scope.population == "all") {
            let Some(other) = old.find(&scope.population, &scope.incident) else { continue };
            for ((metric, values), (_, base)) in scope.figures().zip(other.figures()) {
                let found = paired(&base, &values, metric.better);
                if found.is_some() && metrics.contains(&metric.name) {
                    let (of, incident) = (named(&cell.variant, &cell.point), scope.incident.clone());
                    questions.push(Question { of, incident, metric, paired: found, p_adjusted: None });
                }
            }
        }
    }
    adjusted(questions)
}

fn named(variant: &str, point: &str) -> String {
    if point.is_empty() { variant.to_owned() } else { format!("{variant}, {point}") }
}

fn adjusted(mut questions: Vec<Question>) -> Vec<Question> {
    // What is the same in every seed is no question of luck.
    let p_of = |question: &Question| {
        let paired = question.paired.filter(|paired| paired.difference.sd.is_some_and(|sd| sd > 0.0))?;
        paired.p_value
    };
    let p_values: Vec<Option<f64>> = questions.iter().map(p_of).collect();
    for (question, p) in questions.iter_mut().zip(holm(&p_values)) {
        question.p_adjusted = p.or_else(|| question.paired.and_then(|paired| paired.p_value));
    }
    questions
}

/// Columns of a name, and of a difference with its interval.
const LABEL: usize = 34;
const DIFFERENCE: usize = 24;
const HEAD: &str = "wins  gain  p (Holm)";

/// A table for people: one block per variant, a line per figure; where the terminal has too few `columns`, several.
pub fn table(questions: &[Question], baseline: &str, columns: Option<usize>) -> String {
    let mut text = String::new();
    let widest = questions.iter().map(|question| question.words().chars().count()).max().unwrap_or(0);
    let is_narrow = columns.is_some_and(|columns| columns < LABEL + 2 + DIFFERENCE + HEAD.len() + 4 + widest);
    let columns = columns.unwrap_or(usize::MAX);
    let mut last = (String::new(), None::<String>);
    for question in questions {
        let Some(paired) = question.paired else { continue };
        if last.0 != question.of {
            fill(&mut text, &format!("── {} against {baseline} ──", question.of), columns);
            last = (question.of.clone(), None);
        }
        if last.1.as_ref() != Some(&question.incident) {
            let scope = match question.incident.as_str() {
                "" => "whole run after warm-up".to_owned(),
                incident => format!("after {incident}"),
            };
            let head = format!("{scope:<LABEL$}  difference ± 95 %");
            let _ = match is_narrow {
                true => writeln!(text, "{head}"),
                false => writeln!(text, "{head:<width$} {HEAD}", width = LABEL + 2 + DIFFERENCE),
            };
            last.1 = Some(question.incident.clone());
        }
        match is_narrow {
            true => lines(&mut text, question, &paired, columns),
            false => text += &(line(question, &paired) + "\n"),
        }
    }
    let n = questions.len();
    if n == 0 {
        return "there is nothing to compare: no figure is on both sides\n".into();
    }
    fill(&mut text, &format!("{n} questions at once: p-values after Holm, told apart below {LEVEL}"), columns);
    fill(&mut text, "gain: by what factor pairing the seeds narrows the interval; below 1 it widens it", columns);
    text
}

/// What a line says, cell by cell: label, difference, wins, gain, p.
fn cells(question: &Question, paired: &Paired) -> [String; 5] {
    let column = question.metric;
    let half = paired.difference.interval.map(|interval| (interval.high - interval.low) / 2.0);
    let difference = match half {
        Some(half) => format!("{} ± {}", signed(column, paired.difference.mean), column.shown(half)),
        None => signed(column, paired.difference.mean),
    };
    let wins = paired.win_probability.map_or("–".into(), |share| format!("{:.0} %", share * 100.0));
    let gain = paired.pairing_gain.map_or("–".into(), |gain| format!("{gain:.1}"));
    let p = question.p_adjusted.map_or("–".into(), |p| if p < 0.0001 { "<0.0001".into() } else { format!("{p:.4}") });
    [format!("  {}", column.label()), difference, wins, gain, p]
}

fn line(question: &Question, paired: &Paired) -> String {
    let [label, difference, wins, gain, p] = cells(question, paired);
    format!("{label:<LABEL$}  {difference:<DIFFERENCE$} {wins:>5} {gain:>5}  {p:<8}  {}", question.words())
        .trim_end()
        .to_owned()
}

/// The same in a narrow terminal: what was found comes first, and how sure that is below it.
fn lines(text: &mut String, question: &Question, paired: &Paired, columns: usize) {
    let [label, difference, wins, gain, p] = cells(question, paired);
    let _ = writeln!(text, "{label:<LABEL$}  {difference}");
    let words = question.words();
    let rest = format!("wins {wins}, gain {gain}, p {p}");
    if 4 + words.chars().count() + 2 + rest.chars().count() <= columns {
        let _ = writeln!(text, "    {words}; {rest}");
    } else {
        let _ = writeln!(text, "    {words}\n    {rest}");
    }
}

fn signed(column: &Column, value: f64) -> String {
    let shown = column.shown(value);
    if value > 0.0 && !shown.starts_with(['+', '-', '−']) { format!("+{shown}") } else { shown }
}

/// The same for programs.
pub fn json(questions: &[Question], baseline: &str) -> Value {
    let one = |question: &Question| {
        let paired = question.paired;
        let interval = paired.and_then(|paired| paired.difference.interval);
        json!({
            "of": question.of, "incident": question.incident, "metric": question.metric.name,
            "n": paired.map_or(0, |paired| paired.difference.n),
            "baseline_mean": paired.map(|paired| paired.baseline_mean),
            "difference_mean": paired.map(|paired| paired.difference.mean),
            "difference_low": interval.map(|interval| interval.low),
            "difference_high": interval.map(|interval| interval.high),
            "win_probability": paired.and_then(|paired| paired.win_probability),
            "pairing_gain": paired.and_then(|paired| paired.pairing_gain),
            "p_value": paired.and_then(|paired| paired.p_value),
            "p_adjusted": question.p_adjusted,
            "n_needed": paired.and_then(|paired| paired.n_needed),
            "verdict": question.words(),
        })
    };
    json!({ "format_version": 1, "baseline": baseline, "questions": questions.iter().map(one).collect::<Vec<_>>() })
}
