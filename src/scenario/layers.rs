//! How do the layers of a scenario become one table?
//!
//! Default < preset < file < variant < sweep < `--set`: each is a patch of what lies below. Tables
//! merge, values replace; at a *choice*, naming another alternative replaces the one below.

use toml::Spanned;
use toml::de::{DeString, DeValue};

use super::problem::{Problem, Problems, shorten};
use super::source::{Sources, toml_problem, too_deep};
use super::{Node, Span, Table, depth, path, shift, shifted};

/// The places where exactly one of several alternatives stands.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    places: Vec<Choice>,
}

#[derive(Clone, Debug)]
struct Choice {
    pattern: Vec<&'static str>,
    beside: &'static [&'static [&'static str]],
}

impl Choices {
    /// Choices from patterns such as `clients.*.length`, where `*` stands for any one name.
    ///
    /// Each comes with the keys that may stand *beside* the alternative and belong to none: `at` in
    /// `fault.*`. They never count as an alternative, and they outlive a replacement. They come in groups, each of which
    /// is a choice of its own: of `at`, `after` and `random` one.
    pub fn new(places: &[(&'static str, &'static [&'static [&'static str]])]) -> Choices {
        let choice = |&(pattern, beside): &(&'static str, _)| Choice { pattern: pattern.split('.').collect(), beside };
        Choices { places: places.iter().map(choice).collect() }
    }

    fn find(&self, path: &[String]) -> Option<&Choice> {
        self.places.iter().find(|choice| {
            choice.pattern.len() == path.len()
                && choice.pattern.iter().zip(path).all(|(pattern, key)| *pattern == "*" || pattern == key)
        })
    }
}

impl Choice {
    /// The keys in `table` of a group beside the alternatives, or these themselves: one, in a sound scenario.
    fn named<'t>(&self, table: &'t Table, group: Option<&[&str]>) -> Vec<&'t str> {
        let is_meant = |key: &&str| match group {
            Some(group) => group.contains(key),
            None => !self.beside.iter().any(|group| group.contains(key)),
        };
        table.keys().map(|key| key.get_ref().as_ref()).filter(is_meant).collect()
    }
}

/// Lays `patch` over `base`.
///
/// An empty patch changes nothing, a patch laid twice equals the patch laid once, and of two
/// patches the later wins. At a choice a bare string replaces a table, and a table a string.
pub fn merge(base: &mut Table, patch: Table, choices: &Choices) {
    merge_at(base, patch, choices, &mut Vec::new());
}

fn merge_at(base: &mut Table, patch: Table, choices: &Choices, path: &mut Vec<String>) {
    for (key, value) in patch {
        let name = key.get_ref().to_string();
        path.push(name.clone());
        let span = value.span();
        match (base.get_mut(name.as_str()).map(Spanned::get_mut), value.into_inner()) {
            (Some(DeValue::Table(below)), DeValue::Table(above)) => {
                if let Some(choice) = choices.find(path) {
                    drop_other_alternative(below, &above, choice);
                }
                merge_at(below, above, choices, path);
            }
            (_, value) => {
                // `insert` would keep the old key, and with it the span of the layer below.
                base.remove(name.as_str());
                base.insert(key, Spanned::new(span, value));
            }
        }
        path.pop();
    }
}

fn drop_other_alternative(below: &mut Table, above: &Table, choice: &Choice) {
    for group in choice.beside.iter().copied().map(Some).chain([None]) {
        let named = choice.named(above, group);
        if named.is_empty() || named == choice.named(below, group) {
            continue;
        }
        let other: Vec<String> = choice.named(below, group).into_iter().map(str::to_owned).collect();
        for name in other {
            below.remove(name.as_str());
        }
    }
}

/// Sets the value at `path`, as a patch from a sweep or a search does; `key` is where the path is written.
pub fn set_path(table: &mut Table, path: &[String], key: &Span, value: Node, choices: &Choices) {
    let span = key.clone();
    let path: Vec<(String, Span)> = path.iter().map(|segment| (segment.clone(), span.clone())).collect();
    if let Some(patch) = patch_at(&path, value) {
        merge(table, patch, choices);
    }
}

/// The table that holds `value` at `path` and nothing else; `None` for an empty path.
fn patch_at(path: &[(String, Span)], value: Node) -> Option<Table> {
    let mut patch = None;
    let mut value = Some(value);
    for (segment, span) in path.iter().rev() {
        let key = Spanned::new(span.clone(), DeString::Owned(segment.clone()));
        let inner = match patch.take() {
            Some(table) => Spanned::new(span.clone(), DeValue::Table(table)),
            None => value.take()?,
        };
        patch = Some([(key, inner)].into_iter().collect());
    }
    patch
}

/// Reads the text of one `--set`, such as `cluster.nodes=4` or `balancer.balance=leastconn`.
///
/// The value is TOML; what is not TOML and does not begin like it is taken as a bare string.
pub fn parse_set(sources: &mut Sources, text: &str, problems: &mut Problems) -> Option<Table> {
    parse_patch(sources, "--set", text, problems)
}

/// As [`parse_set`], for a patch that stands behind another flag.
pub fn parse_patch(sources: &mut Sources, flag: &str, text: &str, problems: &mut Problems) -> Option<Table> {
    let layer = sources.add(format!("{flag} {text}"), text);
    let (text, offset) = sources.text(layer);
    let Some(split) = equals_sign(text) else {
        problems.push(
            Problem::error(format!("this `{flag}` has no `=`"))
                .at(offset..offset + text.len())
                .hint(format!("write key=value, such as `{flag} cluster.nodes=4`")),
        );
        return None;
    };
    let path = match path::segments(&text[..split]) {
        Ok(path) => path.into_iter().map(|(segment, span)| (segment, shifted(span, offset))).collect::<Vec<_>>(),
        Err(problem) => {
            let place = problem.place.clone().map(|place| shifted(place, offset));
            problems.push(problem.at(place));
            return None;
        }
    };
    let value = value_of(&text[split + 1..], offset + split + 1, problems)?;
    patch_at(&path, value)
}

/// Reads one value that stands alone, as in `--vary cluster.nodes=3,4`; `name` is shown in problems.
pub fn parse_value(sources: &mut Sources, name: &str, text: &str, problems: &mut Problems) -> Option<Node> {
    let layer = sources.add(name, text);
    let (text, offset) = sources.text(layer);
    value_of(text, offset, problems)
}

fn value_of(text: &'static str, offset: usize, problems: &mut Problems) -> Option<Node> {
    let value = text.trim();
    let offset = offset + text.len() - text.trim_start().len();
    if value.is_empty() {
        problems.push(
            Problem::error("nothing stands behind the `=`")
                .at(offset..offset)
                .hint("write a value; an empty string is `\"\"`"),
        );
        return None;
    }
    if let Some(place) = depth::too_deep(value) {
        problems.push(too_deep(shifted(place, offset)));
        return None;
    }
    match DeValue::parse(value) {
        Ok(node) => Some(shift(node, offset)),
        // Quotes and brackets announce TOML, so their mistakes are worth a word.
        Err(error) if value.starts_with(['"', '\'', '[', '{']) => {
            let place = error.span().unwrap_or(0..value.len());
            problems.push(toml_problem(error.message()).at(shifted(place, offset)));
            None
        }
        Err(_) => Some(Spanned::new(offset..offset + value.len(), DeValue::String(DeString::Borrowed(value)))),
    }
}

/// The first `=` outside quotes.
pub(super) fn equals_sign(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            _ if is_escaped => is_escaped = false,
            (Some(b'"'), b'\\') => is_escaped = true,
            (Some(open), close) if open == close => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'=') => return Some(at),
            _ => {}
        }
    }
    None
}

/// The span of the value at a dotted path, or of the nearest table above that exists.
pub fn lookup_span(table: &Table, path: &str) -> Option<Span> {
    lookup_span_of(table, &path::parse_path(path).ok()?)
}

/// As [`lookup_span`], for a path in segments; a number names an item of a list.
pub fn lookup_span_of<S: AsRef<str>>(table: &Table, path: &[S]) -> Option<Span> {
    let (first, rest) = path.split_first()?;
    let mut node = table.get(first.as_ref())?;
    for segment in rest {
        let segment = segment.as_ref();
        let next = match node.get_ref() {
            DeValue::Table(table) => table.get(segment),
            DeValue::Array(items) => segment.parse().ok().and_then(|index: usize| items.get(index)),
            _ => None,
        };
        match next {
            Some(inner) => node = inner,
            None => break,
        }
    }
    Some(node.span())
}

/// Where the key `name` of the table `node` is written.
pub fn key_span(node: &Node, name: &str) -> Option<Span> {
    let DeValue::Table(table) = node.get_ref() else { return None };
    table.keys().find(|key| key.get_ref() == name).map(Spanned::span)
}

/// A value as it may be quoted in a message.
pub fn show(node: &Node) -> String {
    match node.get_ref() {
        DeValue::String(text) => format!("\"{}\"", shorten(text, 40)),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "[…]".to_owned(),
        DeValue::Table(_) => "{…}".to_owned(),
    }
}
