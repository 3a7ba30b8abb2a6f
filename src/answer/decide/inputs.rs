//! On which input without a source does the verdict hang? Every number of the workload that nobody vouches for is made
//! a quarter smaller and larger, and the designs are weighed again.

use crate::base::time::Duration;
use crate::base::units::{Bytes, Rate, Share};
use toml::{Table, Value};

/// Where the numbers stand that describe a workload; `*` is any one name. What is left out is chosen, not measured:
/// time-outs, waits, algorithms.
const MEASURED: [&str; 29] = [
    "clients.*.arrivals",
    "clients.*.length",
    "clients.*.requests",
    "clients.*.think",
    "clients.*.pace",
    "clients.*.service",
    "clients.*.write_ratio",
    "cluster.node.handshake",
    "cluster.node.start",
    "cluster.node.memory",
    "state.*.rebuild",
    "state.*.read",
    "state.*.write",
    "state.*.size",
    "state.*.serialize",
    "state.*.sign",
    "state.*.verify",
    "state.*.fetch",
    "state.*.rebalance",
    "rebuild.*.service",
    "rebuild.*.concurrency",
    "store.*.read",
    "store.*.write",
    "store.*.concurrency",
    "store.*.lag",
    "store.*.detection",
    "store.*.promotion",
    "store.*.stall",
    "store.*.timeout",
];

/// Whole numbers that count something; others are parameters of a law's shape.
const COUNTS: [&str; 4] = ["initial", "clients", "concurrency", "requests"];
/// What stands below an input and is no amount of it.
const APART: [&str; 8] = ["at", "lasts", "ramp", "period", "peak_at", "gap", "amplitude", "factor"];
/// Numbers with a point that are amounts; others are parameters of a law's shape.
const AMOUNTS: [&str; 5] = ["mean", "median", "scale", "write_ratio", "requests"];

/// A number of the workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Its path.
    pub path: Vec<String>,
    /// Its value, a law and all.
    pub value: Value,
}

impl Input {
    /// Its key, as `--set` takes it.
    pub fn key(&self) -> String {
        self.path.join(".")
    }

    /// Its value times a factor, as a text.
    pub fn text(&self, factor: f64) -> String {
        scaled(self.path.last().map_or("", String::as_str), &self.value, factor).to_string()
    }

    /// The scenario with this input times a factor.
    pub fn scale(&self, scenario: &Table, factor: f64) -> Table {
        let mut changed = scenario.clone();
        let (last, above) = self.path.split_last().expect("an input has a name");
        let mut table = Some(&mut changed);
        for key in above {
            table = table.and_then(|table| table.get_mut(key)).and_then(Value::as_table_mut);
        }
        if let Some(table) = table {
            table.insert(last.clone(), scaled(last, &self.value, factor));
        }
        changed
    }
}

/// The numbers of a workload, in the order of their keys.
pub fn inputs(scenario: &Table) -> Vec<Input> {
    let mut found = Vec::new();
    for pattern in MEASURED {
        let keys: Vec<&str> = pattern.split('.').collect();
        walk(scenario, &keys, &mut Vec::new(), &mut found);
    }
    found.retain(|input| scaled(input.path.last().map_or("", String::as_str), &input.value, 2.0) != input.value);
    found
}

/// The arrivals of those who stay and of a part that goes; `None` when they cannot be divided.
pub(super) fn divided(arrivals: &Value, share: f64) -> Option<(Value, Value)> {
    let part = scaled("arrivals", arrivals, share);
    let rest = rest(arrivals, &part, share);
    (part != *arrivals && rest != *arrivals).then_some((rest, part))
}

/// What is left: of counts exactly the rest.
fn rest(all: &Value, part: &Value, share: f64) -> Value {
    match (all, part) {
        (Value::Integer(all), Value::Integer(part)) => Value::Integer(all - part),
        (Value::Table(all), Value::Table(parts)) => {
            let one = |(name, value): (&String, &Value)| {
                (name.clone(), parts.get(name).map_or_else(|| value.clone(), |part| rest(value, part, share)))
            };
            Value::Table(all.iter().map(one).collect())
        }
        (all, part) if all == part => all.clone(),
        (all, _) => scaled("arrivals", all, 1.0 - share),
    }
}

fn walk(table: &Table, keys: &[&str], path: &mut Vec<String>, found: &mut Vec<Input>) {
    let Some((first, rest)) = keys.split_first() else { return };
    for (name, value) in table.iter().filter(|(name, _)| *first == "*" || name.as_str() == *first) {
        path.push(name.clone());
        match value {
            _ if rest.is_empty() => found.push(Input { path: path.clone(), value: value.clone() }),
            Value::Table(inner) => walk(inner, rest, path, found),
            _ => {}
        }
        path.pop();
    }
}

/// Every amount in a value times a factor; shapes and instants stay.
fn scaled(key: &str, value: &Value, factor: f64) -> Value {
    match value {
        Value::String(text) => Value::String(scaled_text(text, factor).unwrap_or_else(|| text.clone())),
        Value::Integer(count) if COUNTS.contains(&key) => {
            Value::Integer(((*count as f64 * factor).round() as i64).max(1))
        }
        Value::Float(share) if key == "write_ratio" => Value::Float((share * factor).min(1.0)),
        Value::Float(amount) if AMOUNTS.contains(&key) => Value::Float(amount * factor),
        Value::Table(table) => {
            let one = |(name, value): (&String, &Value)| {
                let stays = APART.contains(&name.as_str());
                (name.clone(), if stays { value.clone() } else { scaled(name, value, factor) })
            };
            Value::Table(table.iter().map(one).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| scaled(key, item, factor)).collect()),
        _ => value.clone(),
    }
}

fn scaled_text(text: &str, factor: f64) -> Option<String> {
    if let Ok(time) = text.parse::<Duration>() {
        return Some(Duration::from_nanos_f64(time.as_nanos() as f64 * factor).to_string());
    }
    if text.parse::<Rate>().is_ok() {
        let (number, period) = text.split_once('/')?;
        return Some(format!("{}/{period}", number.trim().parse::<f64>().ok()? * factor));
    }
    if let Ok(size) = text.parse::<Bytes>() {
        return Some(Bytes::new((size.get() as f64 * factor).round() as u64).to_string());
    }
    let share: Share = text.parse().ok().filter(|_| text.contains('%'))?;
    Some(Share::new((share.ratio() * factor).min(1.0)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::toml;

    #[test]
    fn amounts_are_scaled_and_shapes_and_instants_are_not() {
        let scenario = toml! {
            [clients.web]
            arrivals = { initial = 100, open = { rate = "10/s", flash = { at = "1m", lasts = "10s", rate = "50/s" } } }
            length = { lognormal = { median = "8m", sigma = 0.8 } }
            service = "1m30s"
            write_ratio = "90%"
            request_timeout = "5s"
        };
        let found = inputs(&scenario);
        let keys: Vec<String> = found.iter().map(Input::key).collect();
        let [arrivals, length, service, writes] = found.as_slice() else { panic!("{keys:?}") };
        let half: Table = toml! { x = { initial = 50, open = { rate = "5/s", flash = { at = "1m", lasts = "10s", rate = "25/s" } } } };
        assert_eq!(scaled("arrivals", &arrivals.value, 0.5), half["x"]);
        assert!(length.text(0.5).contains("4m") && length.text(0.5).contains("0.8"), "{}", length.text(0.5));
        assert_eq!((service.text(2.0), writes.text(1.25)), ("\"3m\"".to_owned(), "\"100%\"".to_owned()));
        let changed = service.scale(&scenario, 2.0);
        assert_eq!(changed["clients"]["web"]["service"].as_str(), Some("3m"));
        assert_eq!(changed["clients"]["web"]["request_timeout"].as_str(), Some("5s"));
    }
}
