//! What does `[cluster]` mean? So many nodes alike, or groups of them.
//!
//! ```toml
//! [cluster.node]                  # what all have in common
//! concurrency = 8
//! [cluster.group.small]           # small-1 … small-4
//! count  = 4
//! zone   = "a"
//! [cluster.group.big]             # big-1, big-2
//! count  = 2
//! weight = 4
//! speed  = 2.0
//! zone   = "b"
//! address = "10.0.1.1:80"         # of big-1; big-2 is at 10.0.1.2:80
//! concurrency = 32                # any key of [cluster.node]
//! ```

use super::address::{Address, after};
use super::compile::Reading;
use super::file;
use super::{Choices, Node as Written, Table, load, read_node, set_path};
use crate::base::dist::Law;
use crate::base::time::Duration;
use crate::cluster::autoscaler;
use crate::cluster::change::Budget;
use crate::cluster::door::{Pace, Waiting};
use crate::cluster::farewell::age::MaxAge;
use crate::cluster::farewell::rebalance;
use crate::cluster::footprint::Memory;
use crate::cluster::life::Restart;
use crate::cluster::plan::{Node, NodeSpec};
use crate::cluster::station::{Discipline, Order};
use crate::cluster::warm_up::WarmUp;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::sync::Arc;
use toml::Spanned;
use toml::de::DeValue;

const NODES_MAX: u32 = 100_000;
const ZONES_MAX: u32 = 1_000;
/// Slower or faster than this is another machine, or a mistake.
const SPEEDS: RangeInclusive<f64> = 0.001..=1_000.0;
const MULTIPLIERS: RangeInclusive<f64> = 1.0..=1_000.0;

/// The keys of a group that are not a node's.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// How many nodes; ≥ 1. They are called `<group>-1`, `<group>-2` …
    pub count: u32,
    /// What balancers give each relative to the others; from 1 to 256, default 1.
    #[serde(default = "one")]
    pub weight: u32,
    /// How fast each works: service demands are divided by it; from 0.001 to 1000, default 1.
    #[serde(default = "normal")]
    pub speed: f64,
    /// The zone they are in; default `z1`.
    #[serde(default = "first_zone")]
    pub zone: String,
    /// Where the first listens, an IPv4 address and a port; each next one has the next address. Default
    /// 10.0.0.1:8080 for the first node of the cluster, 10.0.0.2:8080 for the second …
    pub address: Option<Address>,
}

const KEYS: [&str; 5] = ["count", "weight", "speed", "zone", "address"];

fn one() -> u32 {
    1
}
fn normal() -> f64 {
    1.0
}
fn first_zone() -> String {
    "z1".to_owned()
}

/// A group: the keys of [`Share`], and any of `[cluster.node]`. They are read apart, each from its own keys.
#[derive(Clone, PartialEq, Debug)]
pub struct Group;

impl<'de> Deserialize<'de> for Group {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Group, D::Error> {
        serde::de::IgnoredAny::deserialize(from).map(|_| Group)
    }
}

impl Serialize for Group {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_unit()
    }
}

impl JsonSchema for Group {
    fn schema_name() -> Cow<'static, str> {
        "Group".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (mut group, node) = (Share::json_schema(generator), file::Node::json_schema(generator));
        let both = (group.ensure_object().get_mut("properties"), node.get("properties"));
        if let (Some(serde_json::Value::Object(own)), Some(serde_json::Value::Object(of_node))) = both {
            own.extend(of_node.clone());
        }
        group
    }
}

/// What is over the nodes: who makes them even, who adds some and takes some away, what bounds evictions.
type Controllers = (Option<rebalance::Params>, Option<autoscaler::Params>, Option<Budget>);

/// The nodes, the names of the zones that they are in, and what is over them.
type Cluster = (Vec<Node>, Vec<String>, Controllers);

impl Reading<'_> {
    /// What `[cluster]` says.
    pub(super) fn cluster(&mut self) -> Option<Cluster> {
        let written = self.table.get("cluster")?;
        let cluster: file::Cluster = read_node(written, self.problems, "cluster")?;
        for (key, message, mend) in cluster.rebalance.iter().flat_map(rebalance::Params::faults) {
            self.wrong(&["cluster", "rebalance", key], format!("cluster.rebalance: {message}"), mend);
        }
        for (key, message, mend) in cluster.disruption_budget.iter().flat_map(Budget::faults) {
            let path = ["cluster", "disruption_budget", key];
            self.wrong(&path, format!("cluster.disruption_budget: {message}"), mend);
        }
        for (key, message, mend) in cluster.autoscaler.iter().flat_map(autoscaler::Params::faults) {
            let path: Vec<&str> = ["cluster", "autoscaler"].into_iter().chain(key).collect();
            self.wrong(&path, format!("cluster.autoscaler: {message}"), mend);
        }
        let (nodes, zones) = self.machines(written, &cluster)?;
        if let Some(params) = &cluster.autoscaler {
            self.check_order(&["cluster", "autoscaler", "down", "victim"], &params.down.victim, &nodes, &zones);
        }
        Some((nodes, zones, (cluster.rebalance, cluster.autoscaler, cluster.disruption_budget)))
    }

    /// The nodes, and the names of the zones that they are in.
    fn machines(&mut self, written: &Written, cluster: &file::Cluster) -> Option<(Vec<Node>, Vec<String>)> {
        match (cluster.nodes, &cluster.group) {
            (Some(count), None) => self.alike(count, cluster.zones.unwrap_or(1), &cluster.node),
            (None, Some(_)) => {
                if cluster.zones.is_some() {
                    let message = "`zones` deals out `nodes`, but these nodes stand in groups";
                    self.wrong(&["cluster", "zones"], message, "write the zone of each group instead");
                }
                self.groups(written)
            }
            (Some(_), Some(_)) => {
                let message = "the cluster has both `nodes` and groups";
                self.wrong(&["cluster", "nodes"], message, "leave `nodes` out: each group has its `count`");
                None
            }
            (None, None) => {
                let hint = "add nodes = 3, or groups such as [cluster.group.small] with count = 3";
                self.wrong(&["cluster"], "the cluster has no nodes", hint);
                None
            }
        }
    }

    fn alike(&mut self, count: u32, zones: u32, node: &file::Node) -> Option<(Vec<Node>, Vec<String>)> {
        let spec = self.node(node, &["cluster", "node"]);
        if !(1..=NODES_MAX).contains(&count) {
            let message = format!("nodes must be from 1 to {NODES_MAX}, but is {count}");
            self.wrong(&["cluster", "nodes"], message, "a cluster has at least one node");
            return None;
        }
        if !(1..=ZONES_MAX).contains(&zones) {
            let message = format!("zones must be from 1 to {ZONES_MAX}, but is {zones}");
            self.wrong(&["cluster", "zones"], message, "leave it out for one zone");
            return None;
        }
        let spec = Arc::new(spec?);
        let node = |n: u32| Node {
            name: format!("n{n}"),
            group: None,
            zone: (n - 1) % zones,
            weight: 1,
            speed: 1.0,
            spec: spec.clone(),
            address: None,
        };
        Some(((1..=count).map(node).collect(), (1..=zones).map(|zone| format!("z{zone}")).collect()))
    }

    /// Groups in the order of their names, so that the order of the text changes nothing.
    fn groups(&mut self, cluster: &Written) -> Option<(Vec<Node>, Vec<String>)> {
        let table = |node: &Written| match node.get_ref() {
            DeValue::Table(table) => Some(table.clone()),
            _ => None,
        };
        let cluster = table(cluster)?;
        let common = cluster.get("node").and_then(table).unwrap_or_default();
        let groups = cluster.get("group").and_then(table)?;
        let before = self.problems.len();
        let (mut nodes, mut zones) = (Vec::new(), Vec::new());
        if groups.is_empty() {
            self.wrong(&["cluster", "group"], "there are no groups", "add [cluster.group.small] with count = 3");
        }
        for (name, group) in &groups {
            let name = name.get_ref().as_ref();
            let Some((share, spec)) = self.group(name, group, &common) else { continue };
            let zone = zones.iter().position(|zone| *zone == share.zone).unwrap_or_else(|| {
                zones.push(share.zone.clone());
                zones.len() - 1
            });
            let node = |n: u32| Node {
                name: format!("{name}-{n}"),
                group: Some(name.to_owned()),
                zone: zone as u32,
                weight: share.weight,
                speed: share.speed,
                spec: spec.clone(),
                address: share.address.map(|Address(first)| after(first, n - 1)),
            };
            nodes.extend((1..=share.count.min(NODES_MAX)).map(node));
        }
        let without = |node: &&Node| node.spec.memory.is_none();
        if let (Some(node), true) = (nodes.iter().find(without), nodes.iter().any(|node| !without(&node))) {
            let group = node.group.clone().unwrap_or_default();
            let message = format!("the memory of cluster.group.{group} is not modelled, but that of others is");
            self.wrong(
                &["cluster", "group", &group],
                message,
                "give it a memory, or write one for all in [cluster.node]",
            );
        }
        if nodes.len() > NODES_MAX as usize {
            let message = format!("the groups have {} nodes together; at most {NODES_MAX} fit", nodes.len());
            self.wrong(&["cluster", "group"], message, "lower their counts");
        }
        (self.problems.len() == before).then_some((nodes, zones))
    }

    fn group(&mut self, name: &str, written: &Written, common: &Table) -> Option<(Share, Arc<NodeSpec>)> {
        let path = ["cluster", "group", name];
        let DeValue::Table(keys) = written.get_ref() else {
            let message = format!("cluster.group.{name} is not a table");
            self.wrong(&path, message, format!("write [cluster.group.{name}] and its keys below"));
            return None;
        };
        let (mut own, mut of_node) = (Table::new(), Table::new());
        for (key, value) in keys {
            let into = if KEYS.contains(&key.get_ref().as_ref()) { &mut own } else { &mut of_node };
            into.insert(key.clone(), value.clone());
        }
        // What is common lies below; a handshake of another law replaces that of `[cluster.node]`.
        let (place, choices) = (["cluster".to_owned(), "node".to_owned()], Choices::new(load::CHOICES));
        let mut both = Table::new();
        for layer in [common.clone(), of_node] {
            set_path(&mut both, &place, &written.span(), table_at(written, layer), &choices);
        }
        let merged = lookup(&both, &place)?;

        let name = path.join(".");
        let share: Option<Share> = read_node(&table_at(written, own), self.problems, &name);
        let node: Option<file::Node> = read_node(merged, self.problems, &name);
        let spec = node.and_then(|node| self.node(&node, &path));
        let share = share?;
        self.check_share(&path, &share)?;
        Some((share, Arc::new(spec?)))
    }

    fn check_share(&mut self, path: &[&str; 3], share: &Share) -> Option<()> {
        let [cluster, group, name] = *path;
        let mut wrong = |key: &str, message: String, hint: &str| {
            self.wrong(&[cluster, group, name, key], format!("{}: {message}", path.join(".")), hint);
            None
        };
        if !(1..=NODES_MAX).contains(&share.count) {
            return wrong(
                "count",
                format!("count must be from 1 to {NODES_MAX}, but is {}", share.count),
                "leave the group out for none",
            );
        }
        if !(1..=256).contains(&share.weight) {
            return wrong(
                "weight",
                format!("weight must be from 1 to 256, but is {}", share.weight),
                "1 is the usual share",
            );
        }
        if !SPEEDS.contains(&share.speed) {
            let message = format!("speed must be from {} to {}, but is {}", SPEEDS.start(), SPEEDS.end(), share.speed);
            return wrong("speed", message, "1.0 is the usual speed");
        }
        if name.is_empty() || name.chars().any(char::is_control) {
            return wrong("count", "a group cannot be called that".to_owned(), "choose a plain name");
        }
        Some(())
    }

    fn node(&mut self, node: &file::Node, path: &[&str]) -> Option<NodeSpec> {
        let below = |key: &'static str| -> Vec<&str> { path.iter().copied().chain([key]).collect() };
        let before = self.problems.len();
        if node.concurrency == 0 {
            let message = "concurrency is zero: no request would ever be served";
            self.wrong(&below("concurrency"), message, "write 1 or more");
        }
        if node.connections_max == Some(0) {
            let message = "connections_max is zero: no stream could ever open";
            self.wrong(&below("connections_max"), message, "write 1 or more, or leave it out for any number");
        }
        if let Some(max_age) = &node.connection_max_age {
            self.check_max_age(max_age, &below("connection_max_age"));
        }
        let mut law = |key, law: &Option<Law<Duration>>| law.as_ref().and_then(|law| self.law(law, &below(key)));
        let (handshake, start) = (law("handshake", &node.handshake), law("start", &node.start));
        if let Some(warm_up) = &node.warm_up {
            self.check_warm_up(warm_up, &below("warm_up"));
        }
        if let Some(memory) = &node.memory {
            self.check_memory(memory, &below("memory"));
        }
        self.check_restart(&node.restart, &below("restart"));
        if node.discipline == Discipline::ProcessorSharing
            && (node.queue_deadline.is_some() || node.queue_order != Order::Fifo)
        {
            let key = if node.queue_deadline.is_some() { "queue_deadline" } else { "queue_order" };
            let message = format!("{key} means nothing: with processor sharing nobody waits in line");
            self.wrong(&below(key), message, "leave it out, or write discipline = \"fifo\"");
        }
        let accept_rate = self.pace(node, path);
        (self.problems.len() == before).then(|| NodeSpec {
            concurrency: node.concurrency,
            discipline: node.discipline,
            queue: Waiting {
                max: node.queue_max.unwrap_or(u32::MAX),
                order: node.queue_order,
                deadline: node.queue_deadline,
            },
            retry_after: node.retry_after,
            handshake,
            accept: Waiting { max: node.accept_max, order: node.accept_order, deadline: node.accept_deadline },
            accept_rate,
            connections_max: node.connections_max.unwrap_or(u32::MAX),
            connection_max_age: node.connection_max_age,
            start,
            warm_up: node.warm_up,
            memory: node.memory,
            restart: node.restart,
        })
    }

    /// How fast clients are let in.
    fn pace(&mut self, node: &file::Node, path: &[&str]) -> Option<Pace> {
        let below = |key: &'static str| -> Vec<&str> { path.iter().copied().chain([key]).collect() };
        if node.accept_burst.is_some() && node.accept_rate.is_none() {
            let message = "accept_burst means nothing without accept_rate";
            self.wrong(&below("accept_burst"), message, "add accept_rate = \"200/s\", or leave it out");
        }
        if node.accept_burst == Some(0) {
            self.wrong(&below("accept_burst"), "accept_burst is zero: nobody would ever be let in", "write 1 or more");
        }
        let rate = node.accept_rate?.per_second();
        if !(1e-6..=1e9).contains(&rate) {
            let message = "accept_rate must be from 0.000001/s to 1000000000/s";
            self.wrong(&below("accept_rate"), message, "leave it out for any number");
            return None;
        }
        let burst = node.accept_burst.unwrap_or(rate.round().clamp(1.0, 1e9) as u32).max(1);
        Some(Pace { gap: Duration::from_nanos_f64(1e9 / rate), burst })
    }

    /// Notes what is wrong below a part of a node.
    fn wrong_below(&mut self, path: &[&str], key: &str, message: &str, hint: &str) {
        let full: Vec<&str> = path.iter().copied().chain([key]).collect();
        self.wrong(&full, format!("{}: {message}", path.join(".")), hint);
    }

    fn check_warm_up(&mut self, warm_up: &WarmUp, path: &[&str]) {
        if !MULTIPLIERS.contains(&warm_up.multiplier) {
            let message = format!("multiplier must be from 1 to 1000, but is {}", warm_up.multiplier);
            self.wrong_below(path, "multiplier", &message, "4 means that the first work takes four times as long");
        }
        if warm_up.lasts.is_zero() {
            self.wrong_below(path, "lasts", "lasts is zero", "write how long, or leave warm_up out");
        }
    }

    fn check_max_age(&mut self, max: &MaxAge, path: &[&str]) {
        if max.age < Duration::from_millis(1) {
            let message = "age is below 1ms: a connection would end as it begins";
            self.wrong_below(path, "age", message, "write a time such as \"10m\", or leave connection_max_age out");
        }
        if max.jitter.ratio() >= 1.0 {
            let message = "with a jitter of 100% a connection could end as it begins";
            self.wrong_below(path, "jitter", message, "write less, such as \"10%\"");
        }
    }

    fn check_memory(&mut self, memory: &Memory, path: &[&str]) {
        if let Some(limit) = memory.limit.filter(|limit| *limit <= memory.base) {
            let message = format!("base ({}) reaches the limit ({limit}): no process would ever live", memory.base);
            self.wrong_below(path, "limit", &message, "raise limit above base");
        }
    }

    fn check_restart(&mut self, restart: &Restart, path: &[&str]) {
        for (key, span) in [("base", restart.base), ("reset", restart.reset)] {
            if span.is_zero() {
                let message = format!("{key} is zero: a process could die and start again without end at one instant");
                self.wrong_below(path, key, &message, "write a time such as \"10s\"");
            }
        }
        if restart.cap < restart.base {
            let message = format!("cap ({}) is less than base ({})", restart.cap, restart.base);
            self.wrong_below(path, "cap", &message, "raise cap or lower base");
        }
    }
}

fn lookup<'t>(table: &'t Table, path: &[String]) -> Option<&'t Written> {
    let (first, rest) = path.split_first()?;
    let inner = table.get(first.as_str())?;
    match inner.get_ref() {
        DeValue::Table(below) if !rest.is_empty() => lookup(below, rest),
        _ => Some(inner),
    }
}

fn table_at(place: &Written, table: Table) -> Written {
    Spanned::new(place.span(), DeValue::Table(table))
}
