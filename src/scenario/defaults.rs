//! What does a scenario leave to defaults? Keys that it could have written and has not, by the JSON schema of its sections.
//!
//! Only within sections that it has, since what is not there has no parameters. What a preset writes is not left out.

use super::file::Root;
use super::presets::{self, Preset};
use serde_json::{Map, Value};

/// A key that was left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Default {
    /// Its dotted path.
    pub key: String,
    /// What holds instead; [`NONE`] for a key without a value of its own, whose meaning says what that comes to.
    pub value: String,
    /// What it means, and whose default it is.
    pub meaning: String,
}

/// The value of a key that has none unless it is given.
pub const NONE: &str = "none";

/// The defaults that a text leaves, by path; of a text that is no scenario, none.
///
/// A key that any variant, point or option (`--set …`, `--vary …`) writes is not left out.
pub fn left(text: &str, options: &[String]) -> Vec<Default> {
    let written = toml::from_str::<Value>(text).ok().or_else(|| serde_json::from_str(text).ok());
    let Some(Value::Object(mut written)) = written else { return Vec::new() };
    let variants = written.remove("variant");
    let mut named = presets_of(&written);
    for patch in variants.iter().filter_map(Value::as_object).flat_map(Map::values) {
        let mut own = Map::new();
        unite(&mut own, patch);
        named.extend(presets_of(&own));
        unite(&mut written, patch);
    }
    if let Some(axes) = written.remove("sweep") {
        let axes = axes.as_object().into_iter().flatten();
        axes.for_each(|(path, values)| place(&mut written, path, values));
    }
    for option in options {
        let assignment = option.strip_prefix("--set ").or_else(|| option.strip_prefix("--vary "));
        if let Some((path, value)) = assignment.and_then(|assignment| assignment.split_once('=')) {
            let mut own = Map::new();
            place(&mut own, path.trim(), &value.into());
            named.extend(presets_of(&own));
            place(&mut written, path.trim(), &value.into());
        }
    }
    for (within, preset) in named {
        lay_under(&mut written, &within, preset);
    }
    let schema = schemars::schema_for!(Root).to_value();
    let mut walk = Walk { schema: &schema, found: Vec::new() };
    walk.section(&schema, &written, "");
    walk.found.sort_by(|a, b| a.key.cmp(&b.key));
    walk.found.dedup_by(|a, b| a.key == b.key);
    walk.found
}

/// The presets that a text names, each with the section whose keys it writes; none for one that writes a scenario's.
fn presets_of(written: &Map<String, Value>) -> Vec<(Option<[String; 2]>, &'static Preset)> {
    let find = |all: &'static [Preset], section: &Value| {
        let name = section.get("preset")?.as_str()?;
        all.iter().find(|preset| preset.name == name)
    };
    let balancer = written.get("balancer").and_then(|section| find(presets::ALL, section)).map(|preset| (None, preset));
    let each = [("store", presets::STORES), ("clients", presets::CLIENTS)].into_iter().flat_map(|(within, all)| {
        let sections = written.get(within).and_then(Value::as_object).into_iter().flatten();
        sections.filter_map(move |(name, section)| Some((Some([within.to_owned(), name.clone()]), find(all, section)?)))
    });
    balancer.into_iter().chain(each).collect()
}

/// Writes what a preset says, where nothing is written yet.
fn lay_under(written: &mut Map<String, Value>, within: &Option<[String; 2]>, preset: &Preset) {
    let Ok(mut below) = toml::from_str::<Value>(preset.text) else { return };
    if let Some([section, name]) = within {
        below = serde_json::json!({ section: { name: below } });
    } else if let Value::Object(below) = &mut below {
        // Defaults of what may be chosen: not written unless it is.
        below.remove(presets::CHOSEN);
    }
    unite(written, &below);
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
                (None, None | Some(Value::Null)) if self.has_none(property) => {
                    let meaning = property["description"].as_str().unwrap_or_default().replace('\n', " ");
                    self.found.push(Default { key: at(name), value: NONE.into(), meaning });
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

    /// Whether a key is a quantity or a word that need not be given, and its description says what holds then. A section
    /// that is not there says so itself, and of alternatives only one is meant.
    fn has_none(&self, property: &Value) -> bool {
        let is = |schema: &Value, kind: &str| match &schema["type"] {
            Value::Array(kinds) => kinds.iter().any(|one| one == kind),
            one => one == kind,
        };
        let own = std::slice::from_ref(property);
        let alternatives = property["anyOf"].as_array().map_or(own, Vec::as_slice);
        let is_section = |schema: &Value| {
            let target = self.target(schema);
            let schema = target.as_ref().unwrap_or(schema);
            is(schema, "object") || schema["properties"].is_object()
        };
        let says = property["description"].as_str().is_some_and(|told| {
            let told = told.to_lowercase();
            told.contains("unless given") || told.contains("default")
        });
        says && alternatives.iter().any(|schema| is(schema, "null")) && !alternatives.iter().any(is_section)
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
        // No value is a choice, too: its meaning says which.
        let timeout = has("clients.web.request_timeout").unwrap();
        assert!(timeout.value == NONE && timeout.meaning.contains("for ever unless given"), "{timeout:?}");
        assert_eq!(has("balancer.server_timeout").unwrap().value, NONE);
        for other in ["cluster.autoscaler", "clients.web.pace", "clients.web.arrivals.open"] {
            assert_eq!(has(other), None, "{other} is a section, or one of several");
        }
    }

    #[test]
    fn what_a_preset_writes_is_not_left_out() {
        let keys = |text: &str, options: &[String]| -> Vec<String> {
            left(text, options).into_iter().map(|default| default.key).collect()
        };
        let with = "[balancer]\nbalance = 'random'\n[clients.web]\nthink = '1s'\n[store.a]";
        let bare = keys(with, &[]);
        assert!(
            ["balancer.connect_timeout", "clients.web.reconnect", "store.a.failover_time"]
                .iter()
                .any(|key| bare.contains(&(*key).to_owned())),
            "{bare:?}"
        );
        let nginx = keys(with, &["--set balancer.preset=nginx".into()]);
        let taken: Vec<&String> = bare.iter().filter(|key| !nginx.contains(key)).collect();
        assert!(taken.iter().any(|key| *key == "balancer.connect_timeout"), "{taken:?}");
    }
}
