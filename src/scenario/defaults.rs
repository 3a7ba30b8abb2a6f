//! What does a scenario leave to defaults? Keys that it could have written and has not, by the JSON schema of its sections.
//!
//! Only within sections that it has, since what is not there has no parameters.

use super::file::Root;
use serde_json::{Map, Value};

/// A key that was left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Default {
    /// Its dotted path.
    pub key: String,
    /// What holds instead.
    pub value: String,
    /// What it means, and whose default it is.
    pub meaning: String,
}

/// The defaults that a text leaves, by path; of a text that is no scenario, none.
///
/// A key that any variant, point or option (`--set …`, `--vary …`) writes is not left out.
pub fn left(text: &str, options: &[String]) -> Vec<Default> {
    let written = toml::from_str::<Value>(text).ok().or_else(|| serde_json::from_str(text).ok());
    let Some(Value::Object(mut written)) = written else { return Vec::new() };
    let variants = written.remove("variant");
    for patch in variants.iter().filter_map(Value::as_object).flat_map(Map::values) {
        unite(&mut written, patch);
    }
    if let Some(axes) = written.remove("sweep") {
        let axes = axes.as_object().into_iter().flatten();
        axes.for_each(|(path, values)| place(&mut written, path, values));
    }
    for option in options {
        let assignment = option.strip_prefix("--set ").or_else(|| option.strip_prefix("--vary "));
        if let Some((path, value)) = assignment.and_then(|assignment| assignment.split_once('=')) {
            place(&mut written, path.trim(), &value.into());
        }
    }
    let schema = schemars::schema_for!(Root).to_value();
    let mut walk = Walk { schema: &schema, found: Vec::new() };
    walk.section(&schema, &written, "");
    walk.found.sort_by(|a, b| a.key.cmp(&b.key));
    walk.found.dedup_by(|a, b| a.key == b.key);
    walk.found
}

/// Adds what a patch writes; its dotted keys are paths.
fn unite(into: &mut Map<String, Value>, patch: &Value) {
    for (key, value) in patch.as_object().into_iter().flatten() {
        match (into.get_mut(key), value) {
            (Some(Value::Object(section)), Value::Object(_)) => unite(section, value),
            (Some(_), _) => {}
            (None, _) => place(into, key, value),
        }
    }
}

/// Writes a value at a dotted path.
fn place(into: &mut Map<String, Value>, path: &str, value: &Value) {
    match path.split_once('.') {
        None => {
            into.entry(path).or_insert_with(|| value.clone());
        }
        Some((first, rest)) => {
            let section = into.entry(first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(section) = section {
                place(section, rest, value);
            }
        }
    }
}

struct Walk<'s> {
    schema: &'s Value,
    found: Vec<Default>,
}

impl Walk<'_> {
    fn section(&mut self, schema: &Value, written: &Map<String, Value>, path: &str) {
        let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        if let Some(target) = self.target(schema) {
            return self.section(&target, written, path);
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            match (written.get(name), property.get("default")) {
                (Some(value), _) => self.value(property, value, &at(name)),
                (None, Some(default)) if !default.is_null() && !default.is_object() => {
                    let meaning = property["description"].as_str().unwrap_or_default().replace('\n', " ");
                    let value = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
                    self.found.push(Default { key: at(name), value, meaning });
                }
                _ => {}
            }
        }
        if schema["additionalProperties"].is_object() {
            for (name, value) in written {
                self.value(&schema["additionalProperties"], value, &at(name));
            }
        }
        for alternative in ["anyOf", "oneOf"].into_iter().filter_map(|word| schema[word].as_array()).flatten() {
            // Of alternatives with a key each, the one that is written.
            let is_meant = self.properties(alternative).keys().any(|name| written.contains_key(name));
            if is_meant {
                self.section(alternative, written, path);
            }
        }
    }

    fn value(&mut self, schema: &Value, written: &Value, path: &str) {
        if let Value::Object(written) = written {
            self.section(schema, written, path);
        }
    }

    /// What a reference refers to; laws spell themselves out.
    fn target(&self, schema: &Value) -> Option<Value> {
        let name = schema["$ref"].as_str()?.rsplit('/').next()?;
        Some(if name.starts_with("Law") { Value::Null } else { self.schema["$defs"][name].clone() })
    }

    fn properties(&self, schema: &Value) -> Map<String, Value> {
        let target = self.target(schema);
        target.as_ref().unwrap_or(schema)["properties"].as_object().cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_anywhere_is_not_left_to_a_default() {
        let text = r#"
            duration = "60s"
            [cluster]
            nodes = 3
            node  = { concurrency = 4 }
            [clients.web]
            arrivals = { initial = 10 }
            length   = "forever"
            think    = "1s"
            service  = "10ms"
            [balancer]
            balance = "random"
            [variant.a]
            recovery_hold = "2s"
            [variant.b]
            balancer.retries = 0
            [sweep]
            "balancer.instances" = [1, 2]
        "#;
        let left = left(text, &["--set cluster.node.queue_max=5".into(), "--seeds 3".into()]);
        let has = |key: &str| left.iter().find(|default| default.key == key);
        assert!(["seeds", "tick", "clients.web.write_ratio"].iter().all(|key| has(key).is_some()));
        for written in [
            "duration",
            "recovery_hold",
            "cluster.node.queue_max",
            "cluster.node.concurrency",
            "balancer.retries",
            "balancer.instances",
        ] {
            assert_eq!(has(written), None, "{written}");
        }
        assert!(left.iter().all(|default| !default.key.starts_with("store.")), "it has no store");
        assert_eq!(has("seeds").unwrap().value, "10");
    }
}
