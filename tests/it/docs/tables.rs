//! The tables of the documentation that the code itself can write: causes, columns, files, scenario keys.

use serde_json::Value;
use std::fmt::Write;
use stickysim::answer::decide;
use stickysim::base::cause::Cause;
use stickysim::base::choice::Alternatives;
use stickysim::experiment::rows::{Field, Table};
use stickysim::observe::columns::{self, Better, File};
use stickysim::observe::signals;
use stickysim::output::{bands, results, sensitivity, warnings};

/// Every generated part: its name in the markers, and its text.
pub fn all() -> Vec<(&'static str, String)> {
    vec![
        ("causes", causes()),
        ("columns", figures()),
        ("files", files()),
        ("signals", watched()),
        ("plan", fields(stickysim::answer::plan::FIELDS)),
        ("decide", fields(decide::TABLE_FIELDS)),
        ("decide-runs", fields(decide::RUN_FIELDS)),
        ("decide-flips", fields(decide::FLIP_FIELDS)),
        ("decide-migration", fields(decide::STEP_FIELDS)),
        ("checklist", fields(stickysim::output::checklist::FIELDS)),
        ("keys", Keys::of(&schema()).text),
        ("laws", laws()),
        ("choices", choices()),
    ]
}

/// The JSON schema of scenario files, as `stickysim schema` prints it.
pub fn schema() -> Value {
    schemars::schema_for!(stickysim::scenario::file::Root).to_value()
}

fn table(heads: &[&str]) -> String {
    format!("\n| {} |\n|{}\n", heads.join(" | "), " --- |".repeat(heads.len()))
}

fn row(text: &mut String, cells: &[String]) {
    let escaped: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
    // An empty cell is one space wide, so that no line ends in two.
    let _ = writeln!(text, "|{}", escaped.iter().fold(String::new(), |line, cell| line + " " + cell + " |"));
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn causes() -> String {
    let mut text = table(&["cause", "meaning"]);
    Cause::ALL.into_iter().for_each(|cause| row(&mut text, &[code(cause.name()), cause.meaning().to_owned()]));
    text + "\n"
}

fn figures() -> String {
    let mut text = table(&["column", "unit", "in", "better", "meaning"]);
    for column in columns::all() {
        let files = [(File::Ticks, "ticks"), (File::Incidents, "incidents"), (File::Runs, "runs")];
        let files = files.into_iter().filter(|(file, _)| column.files.contains(file)).map(|(_, name)| name);
        let better = match column.better {
            Better::Less => "less",
            Better::More => "more",
            Better::Neither => "",
        };
        let files = files.collect::<Vec<_>>().join(", ");
        let cells = [code(column.name), column.unit.into(), files, better.into(), column.meaning.into()];
        row(&mut text, &cells);
    }
    text + "\n"
}

fn files() -> String {
    let mut text = String::new();
    let mut one = |file: &str, meaning: &str, fields: &[Field], figures: bool| {
        let _ = writeln!(text, "\n### {file}\n\n{meaning}");
        text += &table(&["field", "type", "unit", "meaning"]);
        for field in fields {
            let cells = [code(field.name), field.kind.name().into(), field.unit.into(), field.meaning.into()];
            row(&mut text, &cells);
        }
        if figures {
            text += "\nThen the columns above that name this file.\n";
        }
    };
    for file in Table::ALL {
        one(file.file(), file.meaning(), file.keys(), file.columns().next().is_some());
    }
    one("bands.csv", "The spread of each tick's figures over seeds.", bands::FIELDS, false);
    one("summary.csv", "Each figure of runs and incidents over seeds.", results::SUMMARY, false);
    one("compare.csv", "Each variant against the baseline, paired by seed.", results::COMPARE, false);
    one("warnings.csv", "Each signal about each incident, over seeds.", warnings::FIELDS, false);
    one("sensitivity.csv", "How each key of the sweep moves figures.", sensitivity::FIELDS, false);
    text + "\n"
}

fn watched() -> String {
    let mut text = table(&["signal", "what it watches"]);
    signals::ALL.iter().for_each(|signal| row(&mut text, &[code(signal.name), signal.meaning.into()]));
    text + "\n"
}

fn fields(fields: &[Field]) -> String {
    let mut text = table(&["field", "type", "meaning"]);
    for field in fields {
        row(&mut text, &[code(field.name), field.kind.name().into(), field.meaning.into()]);
    }
    text + "\n"
}

fn choices() -> String {
    use stickysim::cluster::balancer::affinity::Affinity;
    use stickysim::cluster::balancer::balance::Algorithm;
    use stickysim::cluster::balancer::line::Queue;
    use stickysim::cluster::balancer::view::passive::Passive;
    use stickysim::cluster::balancer::view::slow_start::Shape;
    use stickysim::cluster::client::Protocol;
    use stickysim::cluster::client::allowance::Limit;
    use stickysim::cluster::client::reconnect::Backoff;
    use stickysim::cluster::state::Location;
    use stickysim::cluster::{change, fate};
    let mut text = table(&["where", "name", "meaning"]);
    let mut each = |place: &str, names: &[(&str, &str)]| {
        names.iter().for_each(|(name, meaning)| row(&mut text, &[code(place), code(name), (*meaning).to_owned()]));
    };
    each("balancer.balance", Algorithm::NAMES);
    each("balancer.affinity", Affinity::NAMES);
    each("balancer.passive", Passive::NAMES);
    each("balancer.slow_start.shape", Shape::NAMES);
    each("balancer.queue", Queue::NAMES);
    each("state", Location::NAMES);
    each("reconnect, retry.backoff", Backoff::NAMES);
    each("retry.limit", Limit::NAMES);
    each("protocol", Protocol::NAMES);
    each("fault.<name>", fate::Written::NAMES);
    each("change.<name>", change::Written::NAMES);
    text + "\n"
}

fn laws() -> String {
    let schema = schema();
    let mut text = table(&["law", "parameters", "meaning"]);
    for (name, meaning) in stickysim::base::dist::NAMES {
        let shapes = schema["$defs"]["LawShape"]["oneOf"].as_array().expect("laws are alternatives");
        let shape = shapes.iter().find_map(|shape| shape["properties"].get(name)).expect("each law has a schema");
        let keys = shape["properties"].as_object().map(|keys| keys.keys().map(|key| code(key)).collect::<Vec<_>>());
        row(&mut text, &[code(name), keys.unwrap_or_default().join(", "), (*meaning).to_owned()]);
    }
    text + "\n"
}

/// The sections in the order in which they are explained; plain keys come before them.
const SECTIONS: [&str; 11] = [
    "cluster", "balancer", "state", "rebuild", "clients", "fault", "change", "slo", "cost", "budget", "variant",
    "sweep",
];

/// The table of scenario keys. Each definition is spelt out where it is met first; laws have a table of
/// their own.
struct Keys<'s> {
    schema: &'s Value,
    text: String,
    seen: Vec<(String, String)>,
}

impl Keys<'_> {
    fn of(schema: &Value) -> Keys<'_> {
        let text = table(&["key", "type", "default", "meaning"]);
        let mut keys = Keys { schema, text, seen: Vec::new() };
        keys.object(schema, "");
        keys.text += "\n";
        keys
    }

    fn object(&mut self, schema: &Value, path: &str) {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let mut properties: Vec<(&String, &Value)> = schema["properties"].as_object().into_iter().flatten().collect();
        // What others refer to comes first.
        properties.sort_by_key(|(name, _)| SECTIONS.iter().position(|section| section == name && path.is_empty()));
        for (name, property) in properties {
            let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let is_required = required.contains(&Value::from(name.as_str()));
            self.key(&key, property, is_required);
        }
    }

    fn key(&mut self, key: &str, property: &Value, is_required: bool) {
        let default = match property.get("default") {
            _ if is_required => "required".to_owned(),
            None | Some(Value::Null) => "none".to_owned(),
            // A section of defaults says no more than its own keys do.
            Some(Value::Object(fields)) if fields.len() > 1 => "see below".into(),
            Some(value) => code(&inline(value)),
        };
        self.row_and_below(key, property, default);
    }

    fn row_and_below(&mut self, key: &str, property: &Value, default: String) {
        let mut meaning = property["description"].as_str().unwrap_or_default().to_owned();
        let known = self.place_of(property, key);
        if let Some(place) = &known {
            meaning += &format!(" Its keys are those of `{place}`.");
        }
        let cells = [code(key), self.kind(property), default, meaning];
        row(&mut self.text, &cells);
        if known.is_none() {
            self.below(property, key);
        }
    }

    /// One of several tables with a single key, of which exactly one is written.
    fn alternative(&mut self, schema: &Value, path: &str) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let mut property = property.clone();
            property["description"] = schema["description"].clone();
            self.row_and_below(&format!("{path}.{name}"), &property, "one of these".into());
        }
    }

    /// Where the definition behind a property was spelt out before; notes this place when it was not.
    fn place_of(&mut self, property: &Value, key: &str) -> Option<String> {
        let name = definition(property).filter(|name| has_keys(self.schema, name) && !name.starts_with("Law"))?;
        if let Some((_, place)) = self.seen.iter().find(|(seen, _)| *seen == name) {
            return Some(place.clone());
        }
        self.seen.push((name, key.to_owned()));
        None
    }

    /// The keys inside a value.
    fn below(&mut self, schema: &Value, path: &str) {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            if !name.starts_with("Law") {
                let target = self.schema["$defs"][name].clone();
                self.below(&target, path);
            }
            return;
        }
        self.object(schema, path);
        for alternative in schema["anyOf"].as_array().into_iter().flatten() {
            self.below(alternative, path);
        }
        for alternative in schema["oneOf"].as_array().into_iter().flatten() {
            self.alternative(alternative, path);
        }
        if schema["additionalProperties"].is_object() {
            self.below(&schema["additionalProperties"], &format!("{path}.<name>"));
        }
    }

    fn kind(&self, schema: &Value) -> String {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            return match name {
                "LawOfDuration" => "[law](#laws) of durations".into(),
                "LawOfNumber" => "[law](#laws) of numbers".into(),
                "Duration" | "Rate" | "Share" | "Number" => name.to_lowercase(),
                "Bytes" => "size".into(),
                name => self.kind(&self.schema["$defs"][name]),
            };
        }
        if let Some(word) = schema["const"].as_str() {
            return format!("`\"{word}\"`");
        }
        if let Some(names) = schema["enum"].as_array() {
            return names.iter().map(|name| code(&name.to_string())).collect::<Vec<_>>().join(", ");
        }
        if let Some(alternatives) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
            let mut kinds: Vec<String> = Vec::new();
            for kind in alternatives.iter().filter(|a| a["type"] != "null").map(|a| self.kind(a)) {
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            return kinds.join(" or ");
        }
        let words = match &schema["type"] {
            Value::Array(types) => types.iter().filter_map(Value::as_str).find(|word| *word != "null"),
            word => word.as_str(),
        };
        let word = match words {
            Some("object") => "table",
            Some("integer") => "whole number",
            Some("array") => "list",
            Some("string") => "text",
            Some(word) => word,
            None => "anything",
        };
        word.to_owned()
    }
}

/// The definition that a property refers to, whether or not it may be left out.
fn definition(property: &Value) -> Option<String> {
    let alternatives = property["anyOf"].as_array();
    let reference = property["$ref"].as_str().or_else(|| alternatives?.iter().find_map(|a| a["$ref"].as_str()))?;
    reference.rsplit('/').next().map(str::to_owned)
}

/// Whether there is any key below a definition.
fn has_keys(schema: &Value, name: &str) -> bool {
    let definition = &schema["$defs"][name];
    let alternatives = ["anyOf", "oneOf"].into_iter().filter_map(|word| definition[word].as_array()).flatten();
    definition["properties"].is_object()
        || alternatives.into_iter().any(|a| a["properties"].is_object() || a["$ref"].is_string())
}

/// A value as it would be written in a scenario.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key} = {}", inline(value))).collect();
            if fields.is_empty() { "{}".into() } else { format!("{{ {} }}", fields.join(", ")) }
        }
        other => other.to_string(),
    }
}
