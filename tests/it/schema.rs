//! The JSON schema of scenario files: it knows every key that is read, and every place with alternatives.

use crate::program::{Desk, SMALL};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fs;
use stickysim::scenario::load::CHOICES;

fn schema() -> Value {
    serde_json::from_str(&Desk::new().run("schema").with(0).stdout).expect("the schema is JSON")
}

/// What a schema allows to be written, by pattern: `*` stands for a name of the author's choice.
#[derive(Default)]
struct Places {
    keys: BTreeSet<String>,
    /// Tables with free names, below which anything is possible.
    open: BTreeSet<String>,
    /// Where exactly one of several keys stands.
    choices: BTreeSet<String>,
    /// Where one of several keys stands beside others, as in `fault.*`: a flattened choice.
    beside: BTreeSet<String>,
}

struct Walk<'a> {
    definitions: &'a Map<String, Value>,
    // References on the way here: a law may hold laws.
    within: Vec<String>,
    places: Places,
}

impl Walk<'_> {
    fn visit(&mut self, schema: &Value, path: &str) {
        let Some(schema) = schema.as_object() else {
            if schema == &Value::Bool(true) {
                self.places.open.insert(path.to_owned());
            }
            return;
        };
        if let Some(Value::String(reference)) = schema.get("$ref") {
            let name = reference.trim_start_matches("#/$defs/").to_owned();
            if !self.within.contains(&name) {
                // The tables of the code that hold exactly one of several keys, and others besides.
                if ["Written", "WrittenChange", "Open"].contains(&name.as_str()) {
                    self.places.beside.insert(path.to_owned());
                }
                let definition = &self.definitions[&name];
                self.within.push(name);
                self.visit(definition, path);
                self.within.pop();
            }
        }
        for alternatives in ["oneOf", "anyOf"].iter().filter_map(|key| schema.get(*key)?.as_array()) {
            for alternative in alternatives {
                if is_named_alternative(alternative) {
                    self.places.choices.insert(path.to_owned());
                }
                self.visit(alternative, path);
            }
        }
        for (key, value) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let path = join(path, key);
            self.places.keys.insert(path.clone());
            self.visit(value, &path);
        }
        if let Some(value) = schema.get("additionalProperties").filter(|value| **value != Value::Bool(false)) {
            let path = join(path, "*");
            self.places.keys.insert(path.clone());
            self.visit(value, &path);
        }
    }
}

/// Whether it is one alternative as serde writes it: a table with one key that must be there.
fn is_named_alternative(schema: &Value) -> bool {
    let keys = schema["properties"].as_object().map_or(0, Map::len);
    keys == 1 && schema["required"].as_array().is_some_and(|required| required.len() == 1)
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn places() -> Places {
    let schema = schema();
    let definitions = schema["$defs"].as_object().unwrap();
    let mut walk = Walk { definitions, within: Vec::new(), places: Places::default() };
    walk.visit(&schema, "");
    walk.places
}

#[test]
fn choices_are_where_the_schema_has_alternatives() {
    let places = places();
    let known: BTreeSet<String> = CHOICES.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(known.len(), CHOICES.len(), "a place is there twice");
    let found: BTreeSet<String> = places.choices.union(&places.beside).cloned().collect();
    let missing: Vec<&String> = found.iter().filter(|path| !known.iter().any(|known| covers(known, path))).collect();
    let needless: Vec<&String> = known.iter().filter(|known| !found.iter().any(|path| covers(known, path))).collect();
    assert!(missing.is_empty(), "add to CHOICES in src/scenario/load.rs: {missing:?}");
    assert!(needless.is_empty(), "no alternatives there; remove from CHOICES in src/scenario/load.rs: {needless:?}");
    for (path, beside) in CHOICES {
        assert_eq!(places.beside.contains(*path), !beside.is_empty(), "{path}: keys beside the alternative");
        for key in beside.iter().copied().flatten() {
            assert!(places.keys.contains(&join(path, key)), "there is no {path}.{key}");
        }
    }
}

/// Whether a pattern, in which `*` stands for any one key, names this place.
fn covers(pattern: &str, place: &str) -> bool {
    let (pattern, place): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), place.split('.').collect());
    pattern.len() == place.len() && pattern.iter().zip(place).all(|(p, key)| *p == "*" || *p == key)
}

impl Places {
    fn knows(&self, path: &[&str]) -> bool {
        let fits = |pattern: &str| {
            let pattern: Vec<&str> = pattern.split('.').collect();
            pattern.len() == path.len() && pattern.iter().zip(path).all(|(p, key)| *p == "*" || p == key)
        };
        (0..path.len()).any(|end| self.open.iter().any(|open| open.split('.').count() == end && open_fits(open, path)))
            || self.keys.iter().any(|key| fits(key))
    }
}

/// Whether `path` leads into the open table at `open`.
fn open_fits(open: &str, path: &[&str]) -> bool {
    open.split('.').zip(path).all(|(pattern, key)| pattern == "*" || pattern == *key)
}

#[test]
fn every_key_in_use_is_in_the_schema() {
    let places = places();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let mut texts = vec![("SMALL".to_owned(), SMALL.to_owned())];
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        texts.push((entry.display().to_string(), fs::read_to_string(&entry).unwrap()));
    }
    for (name, text) in texts {
        let value: Value = toml::from_str(&text).unwrap();
        for path in paths(&value, &[]) {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            assert!(places.knows(&path), "{name}: the schema does not know {path:?}");
        }
    }
    for key in ["duration", "warmup", "tick", "seeds", "slo.*", "variant.*", "sweep.*", "cluster.node.concurrency"] {
        assert!(places.keys.contains(key), "{key}");
    }
    assert!(!places.knows(&["clients", "web", "thinkk"]), "or this test is blind");
}

/// The paths of all keys of a table.
fn paths(value: &Value, above: &[String]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (key, value) in value.as_object().into_iter().flatten() {
        let path = [above, std::slice::from_ref(key)].concat();
        all.extend(paths(value, &path));
        all.push(path);
    }
    all
}
