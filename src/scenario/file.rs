//! What can be written in a scenario: every section, key and default.
//!
//! The sections are read one by one, so that each reports its own mistakes; [`Root`] is what they stand
//! in. The JSON schema and `docs/model.md` are made from these types.

use super::budget::Budget;
use super::warmup::Warmup;
use crate::base::choice::Choice;
use crate::base::dist::Law;
use crate::base::time::Duration;
use crate::base::units::{Number, Rate, Share};
use crate::cluster::autoscaler;
use crate::cluster::balancer;
use crate::cluster::balancer::affinity::Affinity;
use crate::cluster::client::allowance::Limit;
use crate::cluster::client::reconnect::Backoff;
use crate::cluster::client::{From, Protocol, Reads, addresses, arrivals, closed};
use crate::cluster::farewell::age::MaxAge;
use crate::cluster::farewell::rebalance;
use crate::cluster::footprint::Memory;
use crate::cluster::life::Restart;
use crate::cluster::state::{Location, Rebuilder};
use crate::cluster::station::{Discipline, Order};
use crate::cluster::store;
use crate::cluster::version;
use crate::cluster::warm_up::WarmUp;
use crate::cluster::{change, fate};
use crate::observe::cost::Prices;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{self, Deserializer, IgnoredAny, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// A section: its content is read on its own, but its schema is that of `T`.
#[derive(Clone, Copy, Debug)]
pub struct Section<T>(PhantomData<T>);

impl<'de, T> Deserialize<'de> for Section<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Section<T>, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Section(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Section<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A scenario: one file asks one question.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Scenario")]
pub struct Root {
    /// Names the result folder; the file's stem unless given.
    pub name: Option<String>,
    /// Simulated time of a run.
    pub duration: Duration,
    /// Its first part, which whole-run figures leave out; default none.
    /// `"auto"`: as long as MSER-5 finds in five pilot runs of every cell, and the same for all.
    #[serde(default)]
    pub warmup: Warmup,
    /// Length of a tick, one row of `ticks.csv`; divides `duration` and `warmup`. Default 1 s.
    #[serde(default = "one_second")]
    pub tick: Duration,
    /// Replications per variant, with the seeds 1, 2, 3 …; default 10.
    #[serde(default = "ten")]
    pub seeds: u32,
    /// With `precision`, the most seeds that are run for it; default 200.
    #[serde(default = "two_hundred")]
    pub seeds_max: u32,
    /// How long error ratio and p99 must stay good to count as recovered; default 30 s.
    #[serde(default = "thirty_seconds")]
    pub recovery_hold: Duration,
    /// The nodes.
    pub cluster: Section<Cluster>,
    /// Classes of clients by name.
    pub clients: Section<BTreeMap<String, Clients>>,
    /// What stands in front of the nodes.
    pub balancer: Option<Section<balancer::Spec>>,
    /// Where session state lives.
    pub state: Option<Section<Choice<Location>>>,
    /// Services that make missing state anew, such as a login, by name: each with a capacity of its own, which
    /// all who name it share.
    pub rebuild: Option<Section<BTreeMap<String, Rebuilder>>>,
    /// Stores of session state that may fail, and may be shared, by name.
    pub store: Option<Section<BTreeMap<String, store::Params>>>,
    /// What goes wrong, by name.
    pub fault: Option<Section<BTreeMap<String, fate::Written>>>,
    /// What we change ourselves, by name: restarts, drains, more nodes, fewer nodes.
    pub change: Option<Section<BTreeMap<String, change::Written>>>,
    /// Versions that changes install, by name, and how they differ from the one that runs at first, `v1`.
    pub version: Option<Section<BTreeMap<String, version::Params>>>,
    /// Limits that must hold, by column name, such as `response_time_ms_p99 = "< 250ms"`.
    pub slo: Option<Section<BTreeMap<String, String>>>,
    /// How well figures must be known, by column name, such as `response_time_ms_p99 = "5%"`: half the width of the 95 %
    /// interval as a share of the mean. Seeds are added round by round until all are. `seeds` unless given.
    pub precision: Option<Section<BTreeMap<String, Share>>>,
    /// Prices of nodes, stores and traffic, such as `node_hour = 0.10`; nothing is said of cost unless given.
    pub cost: Option<Section<Prices>>,
    /// How often what happens, and what may be lost by that: what `decide` weighs its runs by.
    pub budget: Option<Section<Budget>>,
    /// Named patches of everything above: the designs to compare.
    pub variant: Option<Section<BTreeMap<String, serde_json::Value>>>,
    /// A grid: values for any keys, by dotted path; every combination is a point.
    pub sweep: Option<Section<BTreeMap<String, Vec<serde_json::Value>>>>,
}

fn one_second() -> Duration {
    Duration::from_secs(1)
}
fn ten() -> u32 {
    10
}
fn two_hundred() -> u32 {
    200
}
fn thirty_seconds() -> Duration {
    Duration::from_secs(30)
}

/// The nodes: so many alike, or groups.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    /// How many; from 1 to 100,000. They are called n1, n2, n3 … Either this or `group`.
    pub nodes: Option<u32>,
    /// Zones that they are dealt out to in turn, called z1, z2 …; default 1. Only with `nodes`.
    pub zones: Option<u32>,
    /// What each is like.
    pub node: Node,
    /// A controller that asks those who are too many on a node to leave; none unless given.
    pub rebalance: Option<rebalance::Params>,
    /// A controller that adds nodes and takes them away, by load or by the clock; none unless given.
    pub autoscaler: Option<autoscaler::Params>,
    /// How many nodes may be evicted at a time; any number unless given.
    pub disruption_budget: Option<change::Budget>,
    /// Groups of nodes by name. Either this or `nodes`.
    pub group: Option<BTreeMap<String, super::nodes::Group>>,
}

/// What a node is like.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Node {
    /// Requests worked on at once; ≥ 1, default 8.
    pub concurrency: u32,
    /// How they share the node; default `fifo`.
    pub discipline: Discipline,
    /// Requests that may wait for a slot; one more gets a 503 at once. Unlimited unless given.
    pub queue_max: Option<u32>,
    /// Whose turn is next among them, `fifo` or `lifo`; default `fifo`.
    pub queue_order: Order,
    /// One whose turn comes after so long a wait is dropped with an error; never unless given.
    pub queue_deadline: Option<Duration>,
    /// How long the 503 tells a client to stay away (`Retry-After`); it does not say unless given.
    pub retry_after: Option<Duration>,
    /// Service demand of letting a client in, paid by the first request of a session and by every attempt
    /// while cut off; one at a time. None unless given.
    pub handshake: Option<Law<Duration>>,
    /// Clients that may wait to be let in; default 4096 (Linux `somaxconn`).
    pub accept_max: u32,
    /// Whose turn is next among them, `fifo` or `lifo`; default `fifo`.
    pub accept_order: Order,
    /// One whose turn comes after so long a wait is dropped with an error; never unless given.
    pub accept_deadline: Option<Duration>,
    /// How many clients a second it begins to let in at most; one more is turned away at once. Any number unless given.
    pub accept_rate: Option<Rate>,
    /// How many may come at once under `accept_rate`; by default those of one second, at least one.
    pub accept_burst: Option<u32>,
    /// Connections that may hang on a node; one more is refused. Unlimited unless given.
    pub connections_max: Option<u32>,
    /// The age at which a node ends a connection that hangs on it; never unless given.
    pub connection_max_age: Option<MaxAge>,
    /// How long a process takes from its start until it listens, whatever it is started after; default none.
    pub start: Option<Law<Duration>>,
    /// How much slower a process is after its start; not at all unless given.
    pub warm_up: Option<WarmUp>,
    /// What a process takes and may take; not modelled unless given.
    pub memory: Option<Memory>,
    /// When a process that has died of itself is started again; default as Kubernetes.
    pub restart: Restart,
}

impl Default for Node {
    fn default() -> Node {
        Node {
            concurrency: 8,
            discipline: Discipline::Fifo,
            queue_max: None,
            queue_order: Order::Fifo,
            queue_deadline: None,
            retry_after: None,
            handshake: None,
            accept_max: 4096,
            accept_order: Order::Fifo,
            accept_deadline: None,
            accept_rate: None,
            accept_burst: None,
            connections_max: None,
            connection_max_age: None,
            start: None,
            warm_up: None,
            memory: None,
            restart: Restart::default(),
        }
    }
}

/// A class of clients.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clients {
    /// A product, whose documented defaults hold for whatever is not written; see `stickysim list preset`.
    pub preset: Option<String>,
    /// How sessions come.
    pub arrivals: Arrivals,
    /// How they talk; default `request`.
    #[serde(default)]
    pub protocol: Choice<Protocol>,
    /// How long a visit lasts: a law of time, or `"forever"`. Either this or `requests`.
    pub length: Option<Length>,
    /// How many requests a visit has: a law of numbers. Either this or `length`.
    pub requests: Option<Law<Number>>,
    /// Gap between a reply and the next request. Either this or `pace`; a stream may do without both.
    pub think: Option<Law<Duration>>,
    /// Gap between one request and the next, whether or not it is answered.
    pub pace: Option<Law<Duration>>,
    /// How busy sessions are: a law of numbers with mean 1 that divides `think` or `pace`, so that some ask more
    /// often than others; all alike unless given.
    pub activity: Option<Law<Number>>,
    /// Where clients come from: `"own"` (default), an address each, or many behind few.
    #[serde(default)]
    pub addresses: Choice<addresses::Written>,
    /// Service demand of a request on a node. Needed unless nothing is asked.
    pub service: Option<Law<Duration>>,
    /// Share of requests that write the session's state; default 100%.
    #[serde(default = "all_of_them")]
    pub write_ratio: Share,
    /// Where requests go that do not write: `affinity`, as those that write, or `balance`, whatever affinity says
    /// (read/write split); default `affinity`.
    #[serde(default)]
    pub reads: Reads,
    /// Which of the balancer's instances serves its clients, counted from 1, as when each zone has its own; as
    /// `balancer.spread` says unless given.
    pub instance: Option<u16>,
    /// How long a client waits for its stream to open, or to be let in with a request before `request_timeout`
    /// begins; for ever, or within that, unless given.
    pub connect_timeout: Option<Duration>,
    /// How long a client waits for a reply; for ever unless given.
    pub request_timeout: Option<Duration>,
    /// Further attempts of a failed request; none unless given.
    pub retry: Option<Retry>,
    /// Spaces the further requests of a session that is cut off; default `full_jitter`.
    #[serde(default)]
    pub reconnect: Choice<Backoff>,
    /// Whether a stream that is cut off tries to come back once without waiting; default no.
    #[serde(default)]
    pub reconnect_at_once: bool,
    /// Where waits before another try to open a stream begin: at the `end` of the try before (default), or at its
    /// `begin`, so that the time it took counts.
    #[serde(default)]
    pub reconnect_from: From,
    /// Whether a client whose very first stream does not open tries again; default yes.
    #[serde(default = "yes")]
    pub retry_first_open: bool,
    /// Whether a client that a node turns away waits at least as long as that says (`node.retry_after`); default yes.
    #[serde(default = "yes")]
    pub heeds_retry_after: bool,
    /// Failed requests in a row after which a client gives up; never unless given.
    pub give_up_after: Option<u32>,
    /// Whether a node stops working for a client that has left; default no.
    #[serde(default)]
    pub cancels: bool,
    /// Overrides `balancer.affinity` for this population.
    pub affinity: Option<Choice<Affinity>>,
    /// Overrides `state` for this population.
    pub state: Option<Choice<Location>>,
}

fn yes() -> bool {
    true
}
fn all_of_them() -> Share {
    Share::new(1.0)
}

/// How sessions come.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Arrivals {
    /// Sessions that come of their own accord and do not wait for anybody.
    pub open: Option<arrivals::Open>,
    /// A fixed number of clients, each of whom comes again a gap after its last visit.
    pub closed: Option<closed::Written>,
    /// Sessions present at the start: a number, or `"steady"` for arrival rate at that time × mean length. Default
    /// `"steady"` with open arrivals that have a rate, else none.
    pub initial: Option<Initial>,
}

/// Sessions present at the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Initial {
    /// As many as a system that has always run would have.
    Steady,
    /// So many.
    Count(u64),
}

struct InitialVisitor;

impl Visitor<'_> for InitialVisitor {
    type Value = Initial;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"steady\" or a number of sessions")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Initial, E> {
        match text {
            "steady" => Ok(Initial::Steady),
            other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
        }
    }
    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Initial, E> {
        Ok(Initial::Count(count))
    }
    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Initial, E> {
        let known = u64::try_from(count).map_err(|_| E::invalid_value(de::Unexpected::Signed(count), &self))?;
        Ok(Initial::Count(known))
    }
}

impl<'de> Deserialize<'de> for Initial {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Initial, D::Error> {
        from.deserialize_any(InitialVisitor)
    }
}

impl Serialize for Initial {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Initial::Steady => to.serialize_str("steady"),
            Initial::Count(count) => to.serialize_u64(*count),
        }
    }
}

impl JsonSchema for Initial {
    fn schema_name() -> Cow<'static, str> {
        "Initial".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "anyOf": [{ "const": "steady" }, { "type": "integer", "minimum": 0 }] })
    }
}

/// How long a visit lasts.
#[derive(Clone, PartialEq, Debug)]
pub enum Length {
    /// Beyond the end of the run.
    Forever,
    /// A law of time.
    Time(Law<Duration>),
}

struct LengthVisitor;

impl<'de> Visitor<'de> for LengthVisitor {
    type Value = Length;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"forever\", a duration such as \"8m\", or a law such as { exponential = { .. } }")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Length, E> {
        if text == "forever" {
            return Ok(Length::Forever);
        }
        Law::deserialize(de::value::StrDeserializer::new(text)).map(Length::Time)
    }
    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Length, A::Error> {
        Law::deserialize(de::value::MapAccessDeserializer::new(map)).map(Length::Time)
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Length, D::Error> {
        from.deserialize_any(LengthVisitor)
    }
}

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Length::Forever => to.serialize_str("forever"),
            Length::Time(law) => law.serialize(to),
        }
    }
}

impl JsonSchema for Length {
    fn schema_name() -> Cow<'static, str> {
        "Length".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let law = generator.subschema_for::<Law<Duration>>();
        schemars::json_schema!({ "anyOf": [{ "const": "forever" }, law] })
    }
}

/// Further attempts of the same request.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How many beyond the first; from 1 to 100.
    pub attempts: u32,
    /// The wait before each; default `full_jitter`.
    #[serde(default)]
    pub backoff: Choice<Backoff>,
    /// What else limits them: `none` (default), a `budget` or `tokens`.
    #[serde(default)]
    pub limit: Choice<Limit>,
}
