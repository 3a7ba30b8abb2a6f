//! What is wrong with a scenario, and how does one mend it?
//!
//! A [`Problem`] says where, what, why and how; [`Problems`] gathers them all, since a person who
//! mends a file wants the whole list. Rendering is bounded: long lines and long lists are cut.

use std::collections::BTreeSet;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::Span;
use super::source::Sources;

/// As many problems are printed; the rest is counted.
const PRINTED_MAX: usize = 50;
/// Characters of a source line shown to the left of the problem, and in all.
const LEFT_MAX: usize = 60;
const LINE_MAX: usize = 160;
/// Characters of a message: it may quote a value of any length.
const MESSAGE_MAX: usize = 400;

/// Whether a scenario with this problem can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but may not mean what it seems to.
    Warning,
}

/// One thing to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// Where, in the span space of [`Sources`]; `None` when no text is at fault.
    pub place: Option<Span>,
    /// What is wrong, in one line.
    pub message: String,
    /// Why it is wrong.
    pub detail: Option<String>,
    /// How to mend it.
    pub hint: Option<String>,
}

impl Problem {
    /// An error that says `message`.
    pub fn error(message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Error, place: None, message: message.into(), detail: None, hint: None }
    }

    /// A warning that says `message`.
    pub fn warning(message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(message) }
    }

    /// The same, pointing at `place`.
    pub fn at(mut self, place: impl Into<Option<Span>>) -> Problem {
        self.place = place.into();
        self
    }

    /// The same, with a reason.
    pub fn detail(mut self, detail: impl Into<String>) -> Problem {
        self.detail = Some(detail.into());
        self
    }

    /// The same, with a way to mend it.
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    /// This problem as a person reads it, with its source line; it ends with a line feed.
    pub fn render(&self, sources: &Sources, is_coloured: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let message = tidy(&self.message);
        let mut group = Group::with_title(level.primary_title(message.as_str()));
        let line = self.place.clone().and_then(|place| sources.locate(place));
        if let Some(line) = &line {
            let (text, marked, is_cut_left) = excerpt(line.text, line.marked.clone());
            let snippet = Snippet::source(text)
                .line_start(line.line)
                .fold(false)
                .annotation(AnnotationKind::Primary.span(marked));
            group = if is_cut_left {
                // The renderer would count the column in the excerpt.
                let origin = Origin::path(line.name.to_owned()).line(line.line).char_column(line.column);
                group.element(origin).element(snippet)
            } else {
                group.element(snippet.path(line.name.to_owned()))
            };
        }
        let detail = self.detail.as_deref().map(|text| Level::NOTE.message(tidy(text)));
        let hint = self.hint.as_deref().map(|text| Level::HELP.with_name("hint").message(tidy(text)));
        group = group.elements(detail).elements(hint);
        // Wider than any excerpt: the cut has been made, and made around the column.
        let renderer = if is_coloured { Renderer::styled().hyperlink(false) } else { Renderer::plain() };
        let mut text = renderer.term_width(LINE_MAX + 40).render(&[group]);
        text.push('\n');
        text
    }
}

/// The problems found so far.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    found: Vec<Problem>,
    // What was found where: a text of millions of mistakes must not be searched for each.
    known: BTreeSet<(usize, String)>,
}

impl Problems {
    /// None yet.
    pub fn new() -> Problems {
        Problems::default()
    }

    /// Adds one, unless it is known: variants share most of their text, and with it their problems.
    pub fn push(&mut self, problem: Problem) {
        let start = problem.place.as_ref().map_or(usize::MAX, |place| place.start);
        if self.known.insert((start, problem.message.clone())) {
            self.found.push(problem);
        }
    }

    /// Whether there is none, not even a warning.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many there are, warnings included.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there is an error, so that nothing may run.
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The problems in the order found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.found.iter()
    }

    /// All problems in the order of the text, a blank line between two; at most 50 are printed.
    pub fn render(&self, sources: &Sources, is_coloured: bool) -> String {
        let mut ordered: Vec<&Problem> = self.found.iter().collect();
        // Stable: what has no place, or the same place, stays in the order found.
        ordered.sort_by_key(|problem| problem.place.as_ref().map(|place| place.start));
        let shown: Vec<String> =
            ordered.iter().take(PRINTED_MAX).map(|problem| problem.render(sources, is_coloured)).collect();
        let mut text = shown.join("\n");
        if ordered.len() > PRINTED_MAX {
            text.push_str(&format!("\nand {} more\n", ordered.len() - PRINTED_MAX));
        }
        text
    }
}

/// One line without control characters, cut to a length that fits a terminal.
fn tidy(text: &str) -> String {
    let line = shorten(text, MESSAGE_MAX);
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `text`, cut to `chars_max` characters with an ellipsis.
pub(super) fn shorten(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The part of a line around `marked`, where `marked` lies in it, and whether its left is cut.
///
/// Both ends of `marked` are character boundaries of `line`.
fn excerpt(line: &str, marked: Span) -> (String, Span, bool) {
    let left = match line[..marked.start].char_indices().rev().nth(LEFT_MAX - 1) {
        // A line that fits is shown from its start, wherever the mark.
        Some((start, _)) if line.char_indices().nth(LINE_MAX).is_some() => start,
        _ => 0,
    };
    let right = line[left..].char_indices().nth(LINE_MAX).map_or(line.len(), |(n, _)| left + n);
    let mut text = String::new();
    if left > 0 {
        text.push('…');
    }
    let start = text.len() + marked.start - left;
    text.push_str(&line[left..right]);
    let end = start + marked.end.min(right) - marked.start;
    if right < line.len() {
        text.push('…');
    }
    (text, start..end, left > 0)
}
