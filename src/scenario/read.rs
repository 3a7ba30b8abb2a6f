//! How does a table become a typed section, and what if it does not?
//!
//! serde stops at the first error; a person wants all of them. So an unknown key is noted, mended or
//! taken out of a copy, and so is a wrong value, and the copy is read again.
//!
//! A type that parses itself may add how to mend its value: "what is wrong\nhint: how to mend it".

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeString, DeValue, Error, ValueDeserializer};

use super::path::join;
use super::problem::{Problem, Problems, shorten};
use super::{Node, Span, Table, words};

/// Rounds of mending in one section: one per table with unknown keys, or wrong value. More is not a
/// typing mistake.
const ROUNDS_MAX: usize = 16;
/// So many unknown keys of one table are compared with the known ones; the rest will not be printed anyway.
const COMPARED_MAX: usize = 200;
/// Keys of the root that are written as tables.
const SECTIONS: [&str; 2] = ["cluster", "clients"];
/// So many known names are listed; more would bury the message.
const LISTED_MAX: usize = 12;

/// Reads a table that stands at no key of its own, such as the root, as a `T`.
pub fn read_table<T: DeserializeOwned>(table: &Table, problems: &mut Problems, path: &str) -> Option<T> {
    // The value of `[section]` starts with its bracket.
    let start = table.iter().map(|(key, inner)| key.span().start.min(inner.span().start)).min().unwrap_or(0);
    read_node(&Spanned::new(start..start, DeValue::Table(table.clone())), problems, path)
}

/// Reads the value at `path` as a `T`; what stands in the way is added to `problems`.
///
/// With nothing wrong but unknown keys there is still a `T`, read as if they were mended, so that
/// its meaning can be checked in the same pass. `T` and the types in it deny unknown fields.
pub fn read_node<T: DeserializeOwned>(node: &Node, problems: &mut Problems, path: &str) -> Option<T> {
    let mut copy = node.clone();
    let mut is_sound = true;
    for _ in 0..ROUNDS_MAX {
        let error = match T::deserialize(ValueDeserializer::from(copy.clone())) {
            Ok(section) => return is_sound.then_some(section),
            Err(error) => error,
        };
        if mend_unknown_keys(&mut copy, &error, problems) {
            continue;
        }
        // With the value of the first gone, what lacks it is a mere consequence.
        if is_sound || !is_lack(error.message()) {
            problems.push(explain(&error, &copy, path));
        }
        is_sound = false;
        // What serde has not come to is still worth finding.
        if !error.span().is_some_and(|span| take_out(&mut copy, &span)) {
            return None;
        }
    }
    None
}

/// Whether an error says that something is not there.
fn is_lack(message: &str) -> bool {
    let starts = ["missing field `", "wanted exactly 1 element"];
    starts.iter().any(|start| message.starts_with(start)) || message.ends_with(", expected enum")
}

/// Takes the value at `span`, or that of the key at `span`, out of `node`; false if it is not inside.
fn take_out(node: &mut Node, span: &Span) -> bool {
    match node.get_mut() {
        DeValue::Table(table) => {
            let at = |(key, inner): &(&Spanned<DeString<'static>>, &Node)| key.span() == *span || inner.span() == *span;
            match table.iter().find(at).map(|(key, _)| key.get_ref().to_string()) {
                Some(name) => table.remove(name.as_str()).is_some(),
                None => table.iter_mut().any(|(_, inner)| take_out(inner, span)),
            }
        }
        // An item stays: without it, all behind it would move up.
        DeValue::Array(items) => items.iter_mut().any(|inner| take_out(inner, span)),
        _ => false,
    }
}

/// Reads each named table of a table of tables, such as `clients`, in the order of the text.
pub fn read_each<T: DeserializeOwned>(node: &Node, problems: &mut Problems, path: &str) -> Vec<(String, T)> {
    let DeValue::Table(table) = node.get_ref() else {
        problems.push(
            Problem::error(format!("`{path}` must hold named tables, not {}", kind(node)))
                .at(node.span())
                .hint(format!("write `[{path}.name]` and its keys below")),
        );
        return Vec::new();
    };
    let mut named: Vec<_> = table.iter().collect();
    // The map is sorted by name; people think in the order they wrote.
    named.sort_by_key(|(key, _)| key.span().start);
    named
        .into_iter()
        .filter_map(|(key, node)| {
            let name = key.get_ref().to_string();
            let section = read_node(node, problems, &join(path, &name))?;
            Some((name, section))
        })
        .collect()
}

/// If `error` is an unknown key: notes all unknown keys of its table and takes them out of `copy`.
///
/// A key that was clearly meant to be another one takes its place instead: then its value is read as
/// well, and nobody hears that the key they mistyped is missing.
fn mend_unknown_keys(copy: &mut Node, error: &Error, problems: &mut Problems) -> bool {
    let Some(span) = error.span() else { return false };
    let Some(known) = known_keys(error.message()) else { return false };
    let is_unknown = |key: &Spanned<DeString<'static>>| !known.iter().any(|name| *name == **key.get_ref());
    // All segments of a swept path stand at the same place: the one in the message is meant.
    let is_named = |key: &str| match error.message().strip_prefix("unknown field `") {
        Some(rest) => rest.strip_prefix(key).is_some_and(|rest| rest.starts_with('`')),
        None => true,
    };
    let is_meant = |key: &Spanned<DeString<'static>>| key.span() == span && is_unknown(key) && is_named(key.get_ref());
    let Some(table) = table_with_key(copy, &is_meant) else { return false };
    let mut unknown: Vec<_> = table.keys().filter(|key| is_unknown(key)).cloned().collect();
    unknown.sort_by_key(|key| key.span().start);
    for (n, key) in unknown.iter().enumerate() {
        let value = table.remove(key.get_ref().as_ref());
        let near = if n < COMPARED_MAX { words::nearest(key.get_ref(), &known) } else { None };
        problems.push(unknown_key(key, near, &known));
        if let (Some(near), Some(value)) = (near, value)
            && !table.contains_key(near)
        {
            table.insert(Spanned::new(key.span(), DeString::Owned(near.to_owned())), value);
        }
    }
    !unknown.is_empty()
}

/// The keys that the table of an unknown key does know; `None` when the message is about another thing.
fn known_keys(message: &str) -> Option<Vec<String>> {
    if message.starts_with("unknown field `") {
        // The key itself may hold anything, so the list is sought from the end.
        let (_, expected) = message.rsplit_once("`, expected ").or(message.rsplit_once("`, there are no fields"))?;
        return Some(words::quoted_names(expected));
    }
    // toml's own words for the keys of a struct variant.
    let (_, known) = message.strip_prefix("unexpected keys in table: ")?.rsplit_once(", available keys: ")?;
    Some(known.split(", ").map(str::to_owned).collect())
}

/// The table, at any depth, with such a key.
fn table_with_key<'n>(
    node: &'n mut Node,
    is_meant: &impl Fn(&Spanned<DeString<'static>>) -> bool,
) -> Option<&'n mut Table> {
    match node.get_mut() {
        DeValue::Table(table) => {
            if table.keys().any(is_meant) {
                return Some(table);
            }
            table.iter_mut().find_map(|(_, inner)| table_with_key(inner, is_meant))
        }
        DeValue::Array(items) => items.iter_mut().find_map(|inner| table_with_key(inner, is_meant)),
        _ => None,
    }
}

fn unknown_key(key: &Spanned<DeString<'static>>, near: Option<&str>, known: &[String]) -> Problem {
    let problem = Problem::error(format!("unknown key `{}`", shorten(key.get_ref(), 40))).at(key.span());
    match near {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None if known.is_empty() => problem.hint("no key is known here: take it away"),
        None if known.len() <= LISTED_MAX => problem.hint(format!("known here: {}", words::listed(known, "and"))),
        None => problem.hint("take it away, or see `stickysim schema` for the keys known here"),
    }
}

/// Says what serde says, but where, why and how.
fn explain(error: &Error, node: &Node, path: &str) -> Problem {
    let span = error.span().unwrap_or_else(|| node.span());
    let here = path_of(node, &span, path);
    let (message, hint) = words::mend(error.message().trim_end());
    let problem = if let Some(rest) = message.strip_prefix("missing field `") {
        let field = rest.trim_end_matches('`');
        let problem = Problem::error(format!("{} lacks `{field}`", called(&here)));
        if here.is_empty() && SECTIONS.contains(&field) {
            problem.hint(format!("add `[{field}]` and its keys below"))
        } else {
            problem.hint(format!("add `{field} = …` to it"))
        }
    } else if let Some(rest) = message.strip_prefix("unknown variant `") {
        unknown_variant(rest)
    } else if message.starts_with("wanted exactly 1 element") {
        not_one_alternative(node, &span, &here)
    } else if message == "wanted string or table" {
        Problem::error(format!("{} takes a name or a table", called(&here)))
    } else if let Some((what, expected)) = wrong_value(message) {
        wrong_value_problem(&here, what, expected)
    } else {
        Problem::error(message)
    };
    let problem = problem.at(span);
    match hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

fn wrong_value_problem(here: &str, what: &str, expected: &str) -> Problem {
    let (takes, found) = (words::expected(expected), words::found(what));
    let problem = Problem::error(format!("{} takes {takes}, not {found}", called(here)));
    if takes == "a table" {
        problem.hint(format!("write `[{here}]` and its keys below"))
    } else if takes.contains("number") && what.starts_with("string ") {
        problem.hint("write a number without quotes")
    } else if what.starts_with("integer ") || what.starts_with("floating point ") {
        if takes.contains("such as") {
            problem.hint("add the unit and the quotes")
        } else {
            problem.hint(format!("write {takes}"))
        }
    } else {
        problem
    }
}

/// Takes apart serde's "invalid type: WHAT, expected EXPECTED".
fn wrong_value(message: &str) -> Option<(&str, &str)> {
    let rest = ["invalid type: ", "invalid value: "].iter().find_map(|start| message.strip_prefix(start))?;
    rest.rsplit_once(", expected ")
}

fn called(path: &str) -> String {
    if path.is_empty() { "the scenario".to_owned() } else { format!("`{}`", shorten(path, 80)) }
}

fn unknown_variant(rest: &str) -> Problem {
    let (name, known) = match rest.rsplit_once("`, expected ") {
        Some((name, expected)) => (name, words::quoted_names(expected)),
        None => (rest.split('`').next().unwrap_or(rest), Vec::new()),
    };
    let problem = Problem::error(format!("there is no `{}` here", shorten(name, 40)));
    let problem = match known.len() {
        0 => problem,
        1..=LISTED_MAX => problem.detail(format!("this takes {}", words::listed(&known, "or"))),
        _ => problem.detail(format!("this takes one of {}", words::listed(&known, "or"))),
    };
    match words::nearest(name, &known) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem,
    }
}

fn not_one_alternative(node: &Node, span: &Span, here: &str) -> Problem {
    let names: Vec<String> = match find(node, span).map(Spanned::get_ref) {
        Some(DeValue::Table(table)) => table.keys().map(|key| shorten(key.get_ref(), 40)).collect(),
        _ => Vec::new(),
    };
    let problem = Problem::error(format!("{} takes exactly one alternative, not {}", called(here), names.len()));
    if names.is_empty() {
        problem.hint("name one, such as `name = {}`")
    } else {
        problem.detail(format!("it names {}", words::listed(&names, "and"))).hint("keep one of them")
    }
}

/// The path of the value or key at `span`; `path` itself when there is none.
fn path_of(node: &Node, span: &Span, path: &str) -> String {
    fn seek(node: &Node, span: &Span, path: &str) -> Option<String> {
        if node.span() == *span {
            return Some(path.to_owned());
        }
        match node.get_ref() {
            DeValue::Table(table) => table.iter().find_map(|(key, inner)| {
                let path = join(path, key.get_ref());
                if key.span() == *span { Some(path) } else { seek(inner, span, &path) }
            }),
            DeValue::Array(items) => {
                items.iter().enumerate().find_map(|(n, inner)| seek(inner, span, &format!("{path}[{n}]")))
            }
            _ => None,
        }
    }
    seek(node, span, path).unwrap_or_else(|| path.to_owned())
}

fn find<'n>(node: &'n Node, span: &Span) -> Option<&'n Node> {
    if node.span() == *span {
        return Some(node);
    }
    match node.get_ref() {
        DeValue::Table(table) => table.iter().find_map(|(_, inner)| find(inner, span)),
        DeValue::Array(items) => items.iter().find_map(|inner| find(inner, span)),
        _ => None,
    }
}

fn kind(node: &Node) -> &'static str {
    match node.get_ref() {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
