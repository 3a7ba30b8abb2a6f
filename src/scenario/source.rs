//! Which texts make up a scenario, and where in them does a span lie?
//!
//! Each text (the file, a preset, each `--set`) owns a part of one common span space, so a span
//! alone names text, line and column. Later texts lie later, hence a span also tells the layer.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use toml::de::DeTable;

use super::problem::{Problem, Problems, shorten};
use super::{Span, Table, depth, json, shift_table};

/// The largest scenario read (bytes). A hand-written one has a few KiB.
pub const BYTES_MAX: u64 = 4 << 20;
/// Characters of a name shown; a `--set` is named by its own text.
const NAME_MAX: usize = 60;

/// Names one text of [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerId(usize);

/// The texts read so far.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    texts: Vec<Text>,
}

#[derive(Clone, Debug)]
struct Text {
    name: String,
    text: &'static str,
    offset: usize,
}

/// A span, translated for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location<'a> {
    /// The name of the text.
    pub name: &'a str,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The whole line, without its line feed.
    pub text: &'a str,
    /// The bytes of `text` meant; never empty, unless the span stands at the end of the line.
    pub marked: Span,
}

impl Sources {
    /// No text yet.
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Adds a text. It is kept until the process ends: tables and messages borrow from it.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> LayerId {
        // Leaked on purpose. toml offers no owned integers, and a process reads a handful of texts.
        let text: &'static str = Box::leak(text.into().into_boxed_str());
        // One byte between texts: the end of one must not be the start of the next.
        let offset = self.texts.last().map_or(0, |last| last.offset + last.text.len() + 1);
        let name = shorten(&name.into().replace(char::is_control, " "), NAME_MAX);
        self.texts.push(Text { name, text, offset });
        LayerId(self.texts.len() - 1)
    }

    /// Reads the file at `path`; what cannot be read becomes a problem.
    pub fn read_file(&mut self, path: &Path, problems: &mut Problems) -> Option<LayerId> {
        let name = path.display().to_string();
        match fs::metadata(path) {
            Err(error) => problems.push(unreadable(&name, &error)),
            Ok(about) if about.is_dir() => problems.push(
                Problem::error(format!("`{name}` is a directory"))
                    .hint("name the scenario file in it, such as `scenarios/node-crash.toml`"),
            ),
            Ok(about) if about.len() > BYTES_MAX => problems.push(too_big(&name, Some(about.len()))),
            Ok(_) => match File::open(path) {
                Ok(file) => return self.read_from(&name, file, problems),
                Err(error) => problems.push(unreadable(&name, &error)),
            },
        }
        None
    }

    /// Reads `input` to its end, but never more than [`BYTES_MAX`]: a pipe tells no size.
    pub fn read_from(&mut self, name: &str, input: impl Read, problems: &mut Problems) -> Option<LayerId> {
        let mut bytes = Vec::new();
        if let Err(error) = input.take(BYTES_MAX + 1).read_to_end(&mut bytes) {
            problems.push(unreadable(name, &error));
            return None;
        }
        if bytes.len() as u64 > BYTES_MAX {
            problems.push(too_big(name, None));
            return None;
        }
        match String::from_utf8(bytes) {
            Ok(text) => Some(self.add(name, text)),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let bytes = error.as_bytes();
                let is_utf16 = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
                let problem = Problem::error(format!("byte 0x{:02X} is not UTF-8", bytes[at])).hint(if is_utf16 {
                    "this looks like UTF-16: save the file as UTF-8"
                } else {
                    "save the file as UTF-8"
                });
                // The text is kept for its line only; U+FFFD stands where the bad byte is.
                let id = self.add(name, String::from_utf8_lossy(bytes));
                let at = self.texts[id.0].offset + at;
                problems.push(problem.at(at..at + '\u{FFFD}'.len_utf8()));
                None
            }
        }
    }

    /// The text of a layer and where it begins in the span space.
    pub fn text(&self, layer: LayerId) -> (&'static str, usize) {
        let text = &self.texts[layer.0];
        (text.text, text.offset)
    }

    /// The name of a layer.
    pub fn name(&self, layer: LayerId) -> &str {
        &self.texts[layer.0].name
    }

    /// Parses a layer, TOML or JSON; `None` when the text is neither, or holds nothing.
    pub fn parse(&self, layer: LayerId, problems: &mut Problems) -> Option<Table> {
        let Text { name, text, offset } = &self.texts[layer.0];
        let before = problems.len();
        let table = if is_json(name, text) {
            json::parse(text, *offset, problems)
        } else {
            parse_toml(text, *offset, problems)
        }?;
        if table.is_empty() && problems.len() == before {
            problems
                .push(Problem::error(format!("`{name}` is empty")).hint("`stickysim new` writes a commented scenario"));
            return None;
        }
        Some(table)
    }

    /// Where `span` lies; `None` when it lies in no text.
    pub fn locate(&self, span: Span) -> Option<Location<'_>> {
        let index = self.texts.partition_point(|text| text.offset <= span.start).checked_sub(1)?;
        let Text { name, text, offset } = &self.texts[index];
        if span.start - offset > text.len() {
            return None;
        }
        let start = boundary(text, span.start - offset);
        let line_start = text[..start].rfind('\n').map_or(0, |n| n + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |n| start + n);
        let line = text[line_start..line_end].trim_end_matches('\r');
        let start = start.min(line_start + line.len());
        let from = start - line_start;
        // A table in braces may span many lines: its first one is enough. An empty span gets a mark.
        let to = boundary(text, span.end.saturating_sub(*offset)).clamp(start, line_start + line.len()) - line_start;
        let next = from + line[from..].chars().next().map_or(0, char::len_utf8);
        Some(Location {
            name,
            line: text[..line_start].bytes().filter(|&byte| byte == b'\n').count() + 1,
            column: line[..from].chars().count() + 1,
            text: line,
            marked: from..to.max(next),
        })
    }
}

/// The last character boundary of `text` that is not behind `at`.
pub(super) fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&n| text.is_char_boundary(n)).unwrap_or(0)
}

/// A TOML document never begins with a brace, so the text tells as well as the name.
fn is_json(name: &str, text: &str) -> bool {
    name.ends_with(".json") || text.trim_start_matches('\u{FEFF}').trim_start().starts_with('{')
}

fn parse_toml(text: &'static str, offset: usize, problems: &mut Problems) -> Option<Table> {
    if let Some(place) = depth::too_deep(text) {
        problems.push(too_deep(super::shifted(place, offset)));
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut last: Option<usize> = None;
    for error in &errors {
        let place = error.span().unwrap_or(text.len()..text.len());
        let start = place.start.min(text.len());
        // One mistake makes the rest of its line doubtful: one problem per line.
        let is_same_line = last.is_some_and(|last| !text.as_bytes()[last.min(start)..last.max(start)].contains(&b'\n'));
        last = Some(start);
        if !is_same_line {
            problems.push(toml_problem(error.message()).at(super::shifted(place, offset)));
        }
    }
    errors.is_empty().then(|| shift_table(table.into_inner(), offset))
}

/// A syntax error of TOML, with a way to mend the frequent ones.
pub(super) fn toml_problem(message: &str) -> Problem {
    let problem = Problem::error(format!("this is not TOML: {message}"));
    if message.contains("must be quoted") || message.starts_with("invalid boolean") {
        problem.hint("write text in quotes, such as \"30s\"")
    } else if message.starts_with("unclosed") || message.contains("string, expected") {
        problem.hint("close every bracket and quote")
    } else if message.starts_with("duplicate key") {
        problem.hint("write each key and each table once")
    } else {
        problem.hint("look here for a sign too many, or a quote, bracket or comma too few")
    }
}

/// What is said about a text that nests too deeply.
pub(super) fn too_deep(place: Span) -> Problem {
    Problem::error(format!("the nesting is deeper than {} levels", depth::DEPTH_MAX))
        .at(place)
        .hint("no scenario needs that; look for a bracket that is not closed")
}

fn too_big(name: &str, bytes: Option<u64>) -> Problem {
    let size = bytes.map_or("more than 4 MiB".to_owned(), |n| format!("{:.1} MiB", n as f64 / f64::from(1 << 20)));
    Problem::error(format!("`{name}` is too big for a scenario: {size}, the limit is 4 MiB"))
        .hint("a scenario has a few KiB; is this a result file?")
}

fn unreadable(name: &str, error: &io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::NotFound => Problem::error(format!("there is no file `{name}`"))
            .hint("check the path; `stickysim new` writes a commented scenario"),
        io::ErrorKind::PermissionDenied => {
            Problem::error(format!("`{name}` may not be read")).hint("give yourself permission to read it")
        }
        _ => Problem::error(format!("`{name}` cannot be read: {error}")).hint("check the path"),
    }
}
