//! One scenario with all designs as its variants, to each of which the same happens: a crash, the store's outage, more
//! nodes, a deploy. It is an ordinary scenario: `stickysim run` gives the same runs.

use super::designs::Design;
use super::ground::Ground;
use crate::base::time::Duration;
use toml::{Table, Value, toml};

/// What happens, in this order.
pub const EVENTS: [&str; 4] = ["crash", "store_outage", "scale_out", "deploy"];

/// Faults that befall nodes.
const CRASHES: [&str; 3] = ["kill", "lose", "freeze"];
/// Faults that befall stores.
const OUTAGES: [&str; 5] = ["store_kill", "store_hang", "store_cut", "store_lose", "store_slow"];
/// Changes that restart every node.
const DEPLOYS: [&str; 2] = ["rolling", "blue_green"];

/// When things happen.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// How long the run warms up.
    pub warmup: Duration,
    /// Length of a tick.
    pub tick: Duration,
    /// Quiet time before the first event, and from each event to the next.
    pub gap: Duration,
    /// From the beginning of the deploy, which is last, to the end.
    pub tail: Duration,
}

impl Times {
    /// When each event begins, and the end.
    fn instants(&self, lengths: [Duration; 3]) -> [Duration; 5] {
        let crash = self.warmup + self.gap;
        let outage = crash + self.gap + lengths[0];
        let scale = outage + self.gap + lengths[1];
        let deploy = scale + self.gap + lengths[2];
        [crash, outage, scale, deploy, deploy + self.tail]
    }

    /// Rounded up to whole ticks.
    pub fn whole(&self, time: Duration) -> Duration {
        self.tick * time.as_nanos().div_ceil(self.tick.as_nanos()).max(1)
    }
}

/// The first of the named alternatives among these faults or changes that come at a set time, with its parameters; of faults
/// only those of so many nodes: how often a node fails says nothing of zones.
fn first(events: &Table, kinds: &[&str]) -> Option<(String, Table)> {
    let at = |event: &Table| event.get("at")?.as_str()?.parse::<Duration>().ok();
    let mut found: Vec<(Duration, &str, &Table)> = Vec::new();
    for event in events.values().filter_map(Value::as_table) {
        let Some(at) = at(event) else { continue };
        for kind in kinds {
            let Some(parameters) = event.get(*kind).and_then(Value::as_table) else { continue };
            let is_counted = parameters.get("nodes").is_some_and(Value::is_integer);
            if is_counted || !CRASHES.contains(kind) {
                found.push((at, kind, parameters));
            }
        }
    }
    let (_, kind, parameters) = found.into_iter().min_by_key(|(at, ..)| *at)?;
    Some((kind.to_owned(), parameters.clone()))
}

impl Ground {
    /// How many nodes the crash takes.
    pub fn struck(&self) -> i64 {
        let crash = first(&self.faults, &CRASHES);
        crash.and_then(|(_, parameters)| parameters.get("nodes")?.as_integer()).unwrap_or(1)
    }
}

/// How long an event lasts by its own words.
fn lasting(parameters: &Table) -> Option<Duration> {
    parameters.get("lasts")?.as_str()?.parse().ok()
}

fn event(at: Duration, kind: &str, parameters: Table) -> Value {
    let at = ("at".to_owned(), Value::String(at.to_string()));
    Value::Table(Table::from_iter([at, (kind.to_owned(), Value::Table(parameters))]))
}

/// The scenario of these designs, each with its patch. To find how many nodes are enough, without the store's outage: no
/// number of nodes mends that.
pub fn scene<'a>(
    ground: &Ground,
    name: &str,
    times: &Times,
    has_outage: bool,
    designs: impl Iterator<Item = (&'a Design, Table)>,
) -> Table {
    let mut table = ground.table.clone();
    let minute = || Value::String("1m".into());
    let (crash, mut struck) = first(&ground.faults, &CRASHES).unwrap_or(("kill".into(), toml! { nodes = 1 }));
    struck.entry("lasts").or_insert_with(minute);
    let mut failed = Table::from_iter([("store".to_owned(), Value::String(ground.store.clone()))]);
    // Longer than the 30 s after which Sentinel gives it up: back before that, it would come back empty.
    failed.insert("lasts".into(), Value::String("2m".into()));
    let (outage, mut failed) = first(&ground.faults, &OUTAGES).unwrap_or(("store_kill".into(), failed));
    failed.insert("store".into(), Value::String(ground.store.clone()));
    failed.entry("lasts").or_insert_with(minute);
    let more = Value::Integer((ground.nodes / 4).max(1));
    let added = || ("scale_out".into(), Table::from_iter([("nodes".to_owned(), more)]));
    let (scale, added) = first(&ground.changes, &["scale_out"]).unwrap_or_else(added);
    let (deploy, rolled) = first(&ground.changes, &DEPLOYS).unwrap_or(("rolling".into(), Table::new()));
    let lengths = [lasting(&struck), lasting(&failed), lasting(&added)];
    let lengths = lengths.map(|length| times.whole(length.unwrap_or(Duration::ZERO)));
    let [at_crash, at_outage, at_scale, at_deploy, end] = times.instants(lengths);
    let [crashes, outages, scales, deploys] = EVENTS.map(str::to_owned);
    let faults = [(crashes, event(at_crash, &crash, struck)), (outages, event(at_outage, &outage, failed))];
    let changes = [(scales, event(at_scale, &scale, added)), (deploys, event(at_deploy, &deploy, rolled))];
    table.insert("name".into(), Value::String(name.into()));
    table.insert("duration".into(), Value::String(end.to_string()));
    let faults = faults.into_iter().filter(|(name, _)| has_outage || name != EVENTS[1]);
    table.insert("fault".into(), Value::Table(faults.collect()));
    table.insert("change".into(), Value::Table(changes.into_iter().collect()));
    if ground.store_is_assumed
        && let Some(stores) = table.entry("store").or_insert_with(|| Value::Table(Table::new())).as_table_mut()
    {
        stores.insert(ground.store.clone(), assumed(ground));
    }
    if !ground.has_prices {
        table.insert("cost".into(), Value::Table(toml! { node_hour = 1.0 store_hour = 1.0 }));
    }
    let variants = designs.map(|(design, patch)| (design.name.to_owned(), Value::Table(patch)));
    table.insert("variant".into(), Value::Table(variants.collect()));
    table
}

/// A store for those designs that need one: Redis behind Sentinel, a primary and a replica, as quick as the scenario's own
/// if it has one.
fn assumed(ground: &Ground) -> Value {
    let mut store = toml! { preset = "redis-sentinel" };
    for key in ["read", "write", "concurrency", "queue_max", "holds_slot"] {
        if let Some(value) = ground.of("store").get(key) {
            store.insert(key.into(), value.clone());
        }
    }
    Value::Table(store)
}
