//! Presets: one word sets a product's documented defaults, each with its source, and any key can be overridden.

use serde_json::Value;
use std::collections::BTreeMap;
use stickysim::cluster::balancer::Spec;
use stickysim::cluster::plan::Plan;
use stickysim::scenario::presets::{self, Preset};
use stickysim::scenario::{Overrides, Problems, Sources, load_layer};

const REST: &str = "duration = '60s'\n[cluster]\nnodes = 3\n[clients.web]\narrivals = { initial = 10 }\n\
    length = 'forever'\nthink = '1s'\nservice = '10ms'\n";

/// A scenario with this section and these patches, or what is wrong with it.
fn load(section: &str, sets: &[String]) -> Result<Plan, String> {
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let layer = sources.add("test", format!("{REST}[balancer]\n{section}\n"));
    let overrides = Overrides { sets: sets.to_vec(), ..Overrides::default() };
    let loaded = load_layer(layer, "test".as_ref(), &overrides, &mut sources, &mut problems);
    match loaded {
        Some(mut loaded) if problems.is_empty() => Ok(loaded.cells.remove(0).plan),
        _ => Err(problems.render(&sources, false)),
    }
}

/// The balancer of a scenario with this section and these patches.
#[track_caller]
fn balancer(section: &str, sets: &[&str]) -> Spec {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    load(section, &sets).unwrap_or_else(|problems| panic!("{section}: {problems}")).balancer
}

/// The keys of a preset with their values, as TOML; a law or a list is one value.
fn keys(preset: &Preset) -> Vec<(String, String)> {
    let lines = preset.text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let key = |line: &str| {
        let (key, rest) = line.split_once('=').expect("a key and its value");
        let (value, _source) = rest.split_once(" #").expect("a source");
        (key.trim().to_owned(), value.trim().to_owned())
    };
    lines.map(key).collect()
}

/// What must be written first for a key to hold, or to be free: the alternative whose parameter it is, the section
/// that it is in, or what does not go with its other values.
fn beside(key: &str) -> Vec<String> {
    let Some(key) = key.strip_prefix("chosen.") else {
        // A layer-4 balancer sees no requests that it could send again.
        return if key == "balancer.layer" { vec!["balancer.retry_on=[\"connect\"]".into()] } else { Vec::new() };
    };
    if key.starts_with("balancer.slow_start.") {
        return vec!["balancer.balance=roundrobin".to_owned(), "balancer.slow_start.lasts=30s".to_owned()];
    }
    let (table, _) = key.rsplit_once('.').expect("a parameter of an alternative");
    let (choice, alternative) = table.rsplit_once('.').expect("a choice");
    vec![format!("{choice}={alternative}")]
}

/// The value at a dotted path below `balancer` of what was read.
fn at<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    let path = key.trim_start_matches("chosen.").trim_start_matches("balancer.");
    path.split('.').try_fold(value, |value, name| value.get(name))
}

fn json(spec: &Spec) -> Value {
    serde_json::to_value(spec).expect("it is data")
}

#[test]
fn every_preset_runs_as_it_is_and_names_a_source_for_every_key() {
    for preset in presets::ALL {
        balancer(&format!("preset = '{}'", preset.name), &[]);
        for line in preset.text.lines().filter(|line| line.contains('=') && !line.starts_with('#')) {
            assert!(line.split_once(" # ").is_some_and(|(_, source)| source.len() > 4), "{}: {line}", preset.name);
        }
        assert!(preset.text.starts_with("# "), "{}: say which version and what it stands in front of", preset.name);
        assert!(preset.text.contains("Not modelled: "), "{}: say what is left out", preset.name);
        let mut twice = BTreeMap::new();
        for (key, _) in keys(preset) {
            assert!(twice.insert(key.clone(), ()).is_none(), "{}: {key} twice", preset.name);
        }
    }
}

#[test]
fn the_presets_are_those_of_eight_products() {
    let names: Vec<&str> = presets::ALL.iter().map(|preset| preset.name).collect();
    let asked = ["haproxy", "nginx", "envoy", "aws-alb", "aws-nlb", "k8s-service", "ingress-nginx", "traefik"];
    assert_eq!(names, asked);
    let problem = load("preset = 'f5'", &[]).unwrap_err();
    for name in names {
        assert!(problem.contains(&format!("`{name}`")), "{problem}");
    }
}

/// Every word that some key takes, for want of knowing which.
const WORDS: &[&str] = &[
    "first",
    "stick_table",
    "last",
    "l4",
    "l7",
    "tcp",
    "http",
    "begin",
    "end",
    "up",
    "fully_up",
    "balancer",
    "keep",
    "shutdown_sessions",
    "none",
    "wait",
    "outlier",
    "nginx",
    "haproxy",
    "linear",
    "envoy",
    "session",
    "header",
    "fail_check",
    "mark_down",
    "tried",
    "host",
];

/// Other values of the kind of `value`.
fn others(value: &str) -> Vec<String> {
    let quoted = |words: &[&str]| words.iter().map(|word| format!("\"{word}\"")).collect();
    let inner = value.trim_matches('"');
    match value.as_bytes()[0] {
        b't' => vec!["false".into()],
        b'f' => vec!["true".into()],
        b'[' => vec!["[\"down\"]".into(), "[\"connect\", \"timeout\"]".into(), "[\"connect\"]".into()],
        b'{' => vec!["\"7s\"".into()],
        b'"' if inner.ends_with('%') => quoted(&["3%"]),
        b'"' if inner.starts_with(|c: char| c.is_ascii_digit()) => quoted(&["7s", "77s", "1ms"]),
        b'"' => quoted(WORDS),
        _ => vec!["7".into(), "9".into()],
    }
}

#[test]
fn every_key_of_every_preset_takes_effect_and_can_be_overridden_alone() {
    let mut overridden = 0;
    for preset in presets::ALL {
        let load =
            |sets: &[String]| load(&format!("preset = '{}'", preset.name), sets).map(|plan| json(&plan.balancer));
        for (key, value) in keys(preset) {
            let beside = beside(&key);
            let path = key.trim_start_matches("chosen.");
            let with = |value: &str| load(&[beside.clone(), vec![format!("{path}={value}")]].concat());
            let plain = load(&beside).unwrap_or_else(|why| panic!("{}: {key}: {why}", preset.name));
            // Written out beside the preset, its own value changes nothing: so it was in force.
            assert_eq!(with(&value).as_ref(), Ok(&plain), "{}: {key} = {value}", preset.name);
            let other = others(&value).into_iter().find_map(|other| {
                let changed = with(&other).ok()?;
                (at(&changed, &key) != at(&plain, &key)).then_some((changed, other))
            });
            let (changed, other) = other.unwrap_or_else(|| panic!("{}: {key} cannot be overridden", preset.name));
            assert_eq!(without(changed, &key), without(plain, &key), "{}: {key} = {other}", preset.name);
            overridden += 1;
        }
    }
    assert!(overridden > 150, "{overridden} keys");
}

/// The same with nothing at `key`, so that only the rest is compared.
fn without(mut value: Value, key: &str) -> Value {
    let path = key.trim_start_matches("chosen.").trim_start_matches("balancer.");
    let (table, name) = path.rsplit_once('.').unwrap_or(("", path));
    let table =
        table.split('.').filter(|name| !name.is_empty()).try_fold(&mut value, |value, name| value.get_mut(name));
    if let Some(table) = table.and_then(Value::as_object_mut) {
        table.remove(name);
    }
    value
}

#[test]
fn what_is_written_beats_the_preset_and_the_preset_beats_the_default() {
    let plain = balancer("preset = 'haproxy'", &[]);
    assert_eq!((plain.retries, plain.health.fall), (3, 3));
    let file = balancer("preset = 'haproxy'\nretries = 1\nhealth.fall = 5", &[]);
    assert_eq!((file.retries, file.health.fall, file.health.rise), (1, 5, 2));
    let set = balancer("preset = 'haproxy'\nretries = 1", &["balancer.retries=7", "balancer.balance=leastconn"]);
    assert_eq!(set.retries, 7);
    assert_ne!(set.balance, plain.balance);
}

#[test]
fn what_is_chosen_beside_a_preset_is_what_the_product_has() {
    let idle = |spec: &Spec| at(&json(spec), "affinity.cookie.idle_max").cloned();
    let day = Some(Value::from("1d"));
    // A bare name, a table with nothing in it, and a table with something else.
    for affinity in ["'cookie'", "{ cookie = {} }", "{ cookie = { life_max = '2h' } }"] {
        assert_eq!(idle(&balancer(&format!("preset = 'aws-alb'\naffinity = {affinity}"), &[])), day, "{affinity}");
    }
    let own = balancer("preset = 'aws-alb'\naffinity = { cookie = { idle_max = '1h' } }", &[]);
    assert_eq!(idle(&own), Some(Value::from("1h")));
    // What is not chosen leaves no trace.
    let none = balancer("preset = 'aws-alb'", &[]);
    assert_eq!(json(&none).get("affinity"), Some(&serde_json::json!({ "none": {} })));
    assert_eq!(none.slow_start, None);
    // A population's own affinity is one of the same product.
    let people = load("preset = 'aws-alb'", &["clients.web.affinity=cookie".to_owned()]).unwrap();
    let affinity = serde_json::to_value(&people.populations[0].affinity).unwrap();
    assert_eq!(affinity["cookie"]["idle_max"], Value::from("1d"));
}

#[test]
fn every_key_of_a_stores_preset_has_a_source_and_can_be_overridden() {
    for preset in presets::STORES {
        let section = format!("[state.store]\nat = 's'\n[store.s]\npreset = '{}'", preset.name);
        let services = |sets: &[String]| format!("{:?}", load(&section, sets).expect(preset.name).services);
        let as_it_is = services(&[]);
        for (key, value) in keys(preset) {
            assert!(services(&[format!("store.s.{key}={value}")]) == as_it_is, "{}: {key} is in force", preset.name);
            let other = match key.as_str() {
                "replicas" => "7".to_owned(),
                "memory_max" => "1GiB".to_owned(),
                "eviction" => "noeviction".to_owned(),
                "persists" => (value == "false").to_string(),
                _ => "777ms".to_owned(),
            };
            assert!(services(&[format!("store.s.{key}={other}")]) != as_it_is, "{}: {key}", preset.name);
        }
    }
    let problem = load("[state.store]\nat = 's'\n[store.s]\npreset = 'redis'", &[]).unwrap_err();
    assert!(problem.contains("there is no preset `redis`") && problem.contains("redis-sentinel"), "{problem}");
}

/// Another value for a key of a population.
fn other_of_clients(key: &str, value: &str) -> String {
    match (key.rsplit('.').next().unwrap_or(key), value.trim_matches('"')) {
        ("protocol", _) => "request".to_owned(),
        ("waits", _) => "[\"3s\"]".to_owned(),
        ("down" | "up" | "ratio", _) => "0.25".to_owned(),
        ("base", _) => "900ms".to_owned(),
        (_, "end") => "begin".to_owned(),
        (_, "begin") => "end".to_owned(),
        (_, "client") => "population".to_owned(),
        (_, "true") => "false".to_owned(),
        (_, "false") => "true".to_owned(),
        (_, number) if number.parse::<f64>().is_ok() => (number.parse::<f64>().unwrap() + 1.0).to_string(),
        _ => "77s".to_owned(),
    }
}

#[test]
fn every_key_of_a_clients_preset_has_a_source_and_can_be_overridden() {
    let mut overridden = 0;
    for preset in presets::CLIENTS {
        let population = |sets: &[String]| {
            let sets = [&[format!("clients.web.preset=\"{}\"", preset.name)], sets].concat();
            let plan = load("", &sets).unwrap_or_else(|why| panic!("{}: {sets:?}: {why}", preset.name));
            format!("{:?}", plan.populations[0])
        };
        assert!(preset.text.starts_with("# ") && preset.text.contains("Not modelled: "), "{}", preset.name);
        let as_it_is = population(&[]);
        for (key, value) in keys(preset) {
            let path = format!("clients.web.{}", key.trim_start_matches("chosen."));
            assert!(population(&[format!("{path}={value}")]) == as_it_is, "{}: {key} is in force", preset.name);
            let other = other_of_clients(&key, &value);
            assert!(population(&[format!("{path}={other}")]) != as_it_is, "{}: {key} = {other}", preset.name);
            overridden += 1;
        }
    }
    assert!(overridden > 60, "{overridden} keys");
    let problem = load("", &["clients.web.preset=socketio".to_owned()]).unwrap_err();
    assert!(
        problem.contains("there is no preset `socketio`") && problem.contains("did you mean `socket.io`"),
        "{problem}"
    );
}
