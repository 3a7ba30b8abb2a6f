//! What does each column mean? `datapackage.json`, a Frictionless tabular data package.

use crate::experiment::rows::Field;
use serde::Serialize;

/// A table as the package describes it.
#[derive(Clone, Debug)]
pub struct Described {
    /// Its file.
    pub file: &'static str,
    /// What a row is.
    pub meaning: &'static str,
    /// Its fields, in order.
    pub fields: Vec<Field>,
}

#[derive(Serialize)]
struct Package<'a> {
    profile: &'static str,
    name: String,
    resources: Vec<Resource<'a>>,
}

#[derive(Serialize)]
struct Resource<'a> {
    profile: &'static str,
    name: &'a str,
    path: &'a str,
    format: &'static str,
    mediatype: &'static str,
    encoding: &'static str,
    description: &'a str,
    schema: Schema<'a>,
}

#[derive(Serialize)]
struct Schema<'a> {
    fields: Vec<FieldEntry<'a>>,
    #[serde(rename = "missingValues")]
    missing_values: [&'static str; 1],
}

#[derive(Serialize)]
struct FieldEntry<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    unit: &'a str,
    description: &'a str,
}

/// The package of a study's tables as JSON.
pub fn package(study: &str, tables: &[Described]) -> serde_json::Result<String> {
    let resources = tables.iter().map(|table| {
        let fields = table.fields.iter().map(|field| FieldEntry {
            name: field.name,
            kind: field.kind.name(),
            unit: field.unit,
            description: field.meaning,
        });
        Resource {
            profile: "tabular-data-resource",
            name: table.file.trim_end_matches(".csv"),
            path: table.file,
            format: "csv",
            mediatype: "text/csv",
            encoding: "utf-8",
            description: table.meaning,
            schema: Schema { fields: fields.collect(), missing_values: [""] },
        }
    });
    let package = Package { profile: "tabular-data-package", name: slug(study), resources: resources.collect() };
    serde_json::to_string_pretty(&package).map(|text| text + "\n")
}

/// A name as packages want it: lower case, digits and `-._` only.
fn slug(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
    let slug = name.chars().map(|c| c.to_ascii_lowercase()).map(|c| if allowed(c) { c } else { '-' });
    slug.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::rows::Table;

    #[test]
    fn every_field_has_a_type_and_a_meaning() {
        let tables = [Described { file: "runs.csv", meaning: "Runs.", fields: Table::Runs.fields() }];
        let found: serde_json::Value = serde_json::from_str(&package("My study", &tables).unwrap()).unwrap();
        assert_eq!(found["name"], "my-study");
        let schema = &found["resources"][0]["schema"];
        assert_eq!(schema["missingValues"], serde_json::json!([""]));
        let fields = schema["fields"].as_array().unwrap();
        assert_eq!(fields.len(), Table::Runs.fields().len());
        assert_eq!((&fields[2]["name"], &fields[2]["type"]), (&"seed".into(), &"integer".into()));
        let latency = fields.iter().find(|field| field["name"] == "response_time_ms_p99").unwrap();
        assert_eq!(latency["unit"], "ms");
        assert!(fields.iter().all(|field| field["description"].as_str().unwrap().ends_with('.')));
    }
}
