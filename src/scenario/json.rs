//! JSON, read into the same spanned tree as TOML.
//!
//! serde_json judges the syntax; the walk behind it keeps the spans and refuses what TOML cannot
//! say: null, a key given twice, an integer beyond 64 bits.

use serde::de::IgnoredAny;
use toml::Spanned;
use toml::de::{DeString, DeValue};

use super::problem::{Problem, Problems, shorten};
use super::source::{boundary, too_deep};
use super::{Node, Table, depth, shift, shifted};

/// Parses a JSON text that begins at `offset` of the span space.
pub fn parse(text: &'static str, offset: usize, problems: &mut Problems) -> Option<Table> {
    let json = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let offset = offset + text.len() - json.len();
    if json.trim().is_empty() {
        return Some(Table::new());
    }
    if let Some(place) = depth::too_deep(json) {
        problems.push(too_deep(shifted(place, offset)));
        return None;
    }
    if let Err(error) = serde_json::from_str::<IgnoredAny>(json) {
        problems.push(syntax_problem(json, offset, &error));
        return None;
    }
    let before = problems.len();
    let root = Walk { text: json, at: 0, offset, problems }.value()?;
    match root.into_inner() {
        DeValue::Table(table) => (problems.len() == before).then_some(table),
        _ => {
            problems.push(
                Problem::error("a scenario in JSON must be an object").at(offset..offset + 1).hint("begin with `{`"),
            );
            None
        }
    }
}

fn syntax_problem(text: &str, offset: usize, error: &serde_json::Error) -> Problem {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
    let line_start = match error.line() {
        0 | 1 => 0,
        line => text.match_indices('\n').nth(line - 2).map_or(text.len(), |(n, _)| n + 1),
    };
    // serde_json counts bytes from 1; 0 means the line feed before.
    let at = boundary(text, line_start + error.column().saturating_sub(1));
    let problem = Problem::error(format!("this is not JSON: {message}")).at(offset + at..offset + at);
    match message {
        "trailing comma" | "key must be a string" if text[at..].starts_with(['}', ']']) => {
            problem.hint("take the comma before it away")
        }
        "key must be a string" => problem.hint("write the key in double quotes"),
        _ if error.is_eof() => problem.hint("the text ends early: close every bracket and quote"),
        _ => problem,
    }
}

/// A walk over a text that is known to be JSON; `None` would mean that it is not.
struct Walk<'p> {
    text: &'static str,
    at: usize,
    offset: usize,
    problems: &'p mut Problems,
}

impl Walk<'_> {
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(rest.len());
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn problem(&mut self, start: usize, message: impl Into<String>, hint: &str) {
        let place = shifted(start..self.at, self.offset);
        self.problems.push(Problem::error(message).at(place).hint(hint));
    }

    /// The next value. A refused one is noted and replaced by `false`: its problem ends the reading.
    fn value(&mut self) -> Option<Node> {
        let first = self.peek()?;
        let start = self.at;
        let value = match first {
            b'{' => self.object()?,
            b'[' => self.array()?,
            b'"' => DeValue::String(DeString::Owned(self.string()?)),
            _ => return self.word(),
        };
        Some(Spanned::new(shifted(start..self.at, self.offset), value))
    }

    fn object(&mut self) -> Option<DeValue<'static>> {
        let mut table = Table::new();
        self.take(b'{')?;
        while self.peek()? != b'}' {
            let start = self.at;
            let key = self.string()?;
            let span = shifted(start..self.at, self.offset);
            if table.contains_key(key.as_str()) {
                self.problem(start, format!("the key `{}` stands twice", shorten(&key, 40)), "write each key once");
            }
            self.take(b':')?;
            let value = self.value()?;
            table.insert(Spanned::new(span, DeString::Owned(key)), value);
            if self.peek()? == b',' {
                self.at += 1;
            }
        }
        self.take(b'}')?;
        Some(DeValue::Table(table))
    }

    fn array(&mut self) -> Option<DeValue<'static>> {
        let mut items = Vec::new();
        self.take(b'[')?;
        while self.peek()? != b']' {
            items.push(self.value()?);
            if self.peek()? == b',' {
                self.at += 1;
            }
        }
        self.take(b']')?;
        Some(DeValue::Array(items.into_iter().collect()))
    }

    fn string(&mut self) -> Option<String> {
        self.take(b'"')?;
        let start = self.at - 1;
        let bytes = self.text.as_bytes();
        while *bytes.get(self.at)? != b'"' {
            self.at += if bytes[self.at] == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        match serde_json::from_str(self.text.get(start..self.at)?) {
            Ok(string) => Some(string),
            Err(_) => {
                self.problem(start, "this string holds half a surrogate pair", "write the character itself");
                Some(String::new())
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Option<Node> {
        let start = self.at;
        let rest = &self.text[start..];
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(rest.len());
        let word = &rest[..length];
        self.at += length.max(1);
        let is_integer = word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if word == "null" {
            self.problem(start, "null means nothing here", "leave the key out instead");
        } else if is_integer && word.parse::<i64>().is_err() {
            self.problem(start, "this integer does not fit into 64 bits", "write a smaller number");
        } else if let Ok(value) = DeValue::parse(word) {
            // JSON's words are TOML's words, and toml alone can make its numbers.
            return Some(shift(value, self.offset + start));
        }
        Some(Spanned::new(shifted(start..self.at, self.offset), DeValue::Boolean(false)))
    }
}
