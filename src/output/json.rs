//! The derived tables as one JSON document, from the files themselves: what is printed is what lies there.

use super::manifest::Manifest;
use super::{results, warnings};
use crate::experiment::Failure;
use crate::experiment::rows::{Field, Kind};
use serde_json::{Map, Number, Value, json};
use std::io;
use std::path::Path;

/// Summary, comparison and warnings of a folder of results.
pub fn read(out: &Path) -> Result<String, Failure> {
    let rows = |file: &str, fields: &[Field]| {
        let path = out.join(file);
        table(&path, fields).map_err(Failure::to("read", &path))
    };
    let value = json!({
        "format_version": 1,
        "baseline": Manifest::read(out)?.baseline,
        "summary": rows(results::SUMMARY_FILE, results::SUMMARY)?,
        "compare": rows(results::COMPARE_FILE, results::COMPARE)?,
        "warnings": rows(warnings::FILE, warnings::FIELDS)?,
    });
    Ok(format!("{value:#}\n"))
}

/// A row each, an object of typed cells; a number that does not apply is null.
fn table(path: &Path, fields: &[Field]) -> io::Result<Vec<Value>> {
    let mut csv = csv::Reader::from_path(path)?;
    let mut rows = Vec::new();
    for record in csv.records() {
        let record = record?;
        let cells = fields.iter().zip(&record).map(|(field, cell)| (field.name.to_owned(), typed(field, cell)));
        rows.push(Value::Object(cells.collect::<Map<_, _>>()));
    }
    Ok(rows)
}

fn typed(field: &Field, cell: &str) -> Value {
    let number = match field.kind {
        Kind::Text => return cell.into(),
        Kind::Integer => cell.parse::<i64>().ok().map(Number::from),
        Kind::Number => cell.parse().ok().and_then(Number::from_f64),
    };
    number.map_or(Value::Null, Value::Number)
}
