//! How is a place in a scenario named?
//!
//! By a dotted path in TOML's key syntax: `clients.web.length`, or `variant."a, b".state`.

use toml::de::{DeTable, DeValue};

use super::{Problem, Span};

/// Splits a dotted path into its segments, each with its span in `text`.
///
/// The problem's place is relative to `text`.
pub fn segments(text: &str) -> Result<Vec<(String, Span)>, Problem> {
    let wrong = |why: &str| {
        Problem::error(format!("this is not a path: {why}"))
            .at(0..text.len())
            .hint("write names with dots between, such as `cluster.nodes`; quote a name that holds other signs")
    };
    if text.trim().is_empty() {
        return Err(wrong("it is empty"));
    }
    if text.contains('\n') {
        return Err(wrong("it holds a line break"));
    }
    let document = format!("{text}=0");
    let table = DeTable::parse(&document).map_err(|error| wrong(error.message()))?.into_inner();
    let mut path = Vec::new();
    let mut rest = Some(&table);
    while let Some(table) = rest {
        // A comment or a header would make a document of another shape.
        let (key, value) = match table.iter().next() {
            Some(entry) if table.len() == 1 => entry,
            _ => return Err(wrong("it names nothing")),
        };
        path.push((key.get_ref().to_string(), key.span()));
        rest = match value.get_ref() {
            DeValue::Table(inner) => Some(inner),
            _ => None,
        };
    }
    Ok(path)
}

/// Splits a dotted path into its segments.
pub fn parse_path(text: &str) -> Result<Vec<String>, Problem> {
    Ok(segments(text)?.into_iter().map(|(segment, _)| segment).collect())
}

/// Joins a prefix and a key into a dotted path, quoting the key where TOML would.
pub fn join(prefix: &str, key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let key = if is_bare { key.to_owned() } else { format!("{key:?}") };
    if prefix.is_empty() { key } else { format!("{prefix}.{key}") }
}
