//! Who are the clients? Populations: how they arrive, how long they stay, what they ask for, when they leave.
//!
//! Everything a client decides is drawn from a stream keyed by what it is for, the population's name and the
//! session's ordinal, so that every variant faces the same people.

pub mod addresses;
pub mod allowance;
pub mod arrivals;
pub mod closed;
pub mod jar;
pub mod person;
pub mod reconnect;

use super::balancer::affinity::Affinity;
use super::state::Place;
use crate::base::choice::Alternatives;
use crate::base::dist::Sampler;
use crate::base::draw::{Draw, Stream};
use crate::base::time::Duration;
use addresses::Addresses;
use allowance::Limit;
use arrivals::Arrivals;
use closed::Closed;
pub use person::{Caller, INITIAL_BIT};
use reconnect::Backoff;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A class of clients, ready to run.
#[derive(Clone, Debug)]
pub struct Population {
    /// Its name in the scenario.
    pub name: String,
    /// Sessions that arrive of their own accord.
    pub arrivals: Arrivals,
    /// Clients that come again and again.
    pub closed: Option<Closed>,
    /// Sessions present at the start.
    pub initial: u64,
    /// How long a visit lasts.
    pub length: Length,
    /// How it talks.
    pub protocol: Protocol,
    /// Gap between a reply and the next request.
    pub think: Option<Sampler>,
    /// Gap between one request and the next, whether or not it is answered; instead of `think`.
    pub pace: Option<Sampler>,
    /// How often a session asks, relative to the others: divides the gap; mean 1. `None` for all alike.
    pub activity: Option<Sampler>,
    /// Where its clients come from.
    pub addresses: Addresses,
    /// Service demand of a request.
    pub service: Sampler,
    /// Share of requests that write the session's state; in [0, 1].
    pub write_ratio: f64,
    /// Where requests go that do not write.
    pub reads: Reads,
    /// The only balancer instance that it uses, counted from 0; `None` for those that it meets.
    pub instance: Option<u16>,
    /// How long a client waits to be let in, or for its stream to open; `None` for ever.
    pub connect_timeout: Option<Duration>,
    /// How long a client waits for a reply; `None` for ever.
    pub request_timeout: Option<Duration>,
    /// Further attempts of a failed request, each after its wait.
    pub retry: Option<Retry>,
    /// Spaces further requests of a session that was cut off.
    pub reconnect: Backoff,
    /// Whether a client that is cut off tries once without waiting.
    pub reconnect_at_once: bool,
    /// Whether waits are counted from when the try before began, not from when it failed.
    pub reconnect_from: From,
    /// Whether a client whose very first stream has not opened tries again.
    pub retry_first_open: bool,
    /// Whether it waits as long as a node that turns it away says.
    pub heeds_retry_after: bool,
    /// Failed requests in a row after which a client gives up; `None` for never.
    pub give_up_after: Option<u32>,
    /// Whether a node stops working for a client that has left.
    pub cancels: bool,
    /// What binds its sessions to nodes.
    pub affinity: Affinity,
    /// Whether that is its own, and not the balancer's for everybody.
    pub own_affinity: bool,
    /// Where its sessions' state lives.
    pub state: Place,
}

impl Population {
    /// Whether reads and writes take different ways.
    pub fn splits(&self) -> bool {
        self.reads == Reads::Balance
    }

    /// Whether it makes a difference if a request writes.
    pub fn heeds_writes(&self) -> bool {
        self.splits() || self.state.heeds_writes()
    }

    /// The gap that its requests keep, after a reply or after each other; `None` when it asks nothing.
    pub fn gap(&self) -> Option<&Sampler> {
        self.pace.as_ref().or(self.think.as_ref())
    }

    /// What limits its retries, beside their number; `None` where nothing does.
    pub fn retry_limit(&self) -> Option<&Limit> {
        self.retry.as_ref().map(|retry| &retry.limit).filter(|limit| !matches!(limit, Limit::None(_)))
    }

    /// Mean time of a request and the gap after it, without waiting (ns).
    pub fn mean_cycle(&self) -> f64 {
        mean_cycle(self.think.as_ref(), self.pace.as_ref(), &self.service)
    }

    /// Sessions at the start, or clients that come and go.
    pub fn present(&self) -> u64 {
        self.initial + self.closed.as_ref().map_or(0, |closed| u64::from(closed.clients))
    }
}

/// Mean time from one request to the next, without waiting (ns): a pace counts from the request, a pause from
/// the reply.
pub fn mean_cycle(think: Option<&Sampler>, pace: Option<&Sampler>, service: &Sampler) -> f64 {
    match pace {
        Some(pace) => pace.mean(),
        None => think.map_or(0.0, Sampler::mean) + service.mean(),
    }
}

/// How clients talk.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Short HTTP: every request is routed on its own.
    Request(NoParams),
    /// A connection is used again for some time; a layer-7 balancer routes each request, a layer-4 balancer
    /// each connection.
    Keepalive(Keepalive),
    /// WebSocket, server-sent events, gRPC stream: routed once, then tied to its node until cut.
    Stream(StreamParams),
}

impl Default for Protocol {
    fn default() -> Protocol {
        Protocol::Request(NoParams {})
    }
}

impl Alternatives for Protocol {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("request", "short HTTP: every request is routed on its own"),
        ("keepalive", "a connection is used again; routed per request by l7, per connection by l4"),
        ("stream", "WebSocket and the like: routed once, then tied to its node until cut"),
    ];
}

/// `request` has no parameters.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// Parameters of `keepalive`.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keepalive {
    /// Requests per connection; unlimited unless given.
    pub requests: Option<u32>,
    /// An idle connection is closed after this; never unless given.
    pub idle: Option<Duration>,
}

/// Parameters of `stream`.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StreamParams {
    /// How a client finds out that nobody is there; not at all unless given.
    pub heartbeat: Option<Heartbeat>,
}

/// A client's heartbeat.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// Time between two of them.
    pub interval: Duration,
    /// How long its answer may take.
    pub timeout: Duration,
}

/// Where a wait before another try begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReconnectFrom")]
pub enum From {
    /// Where the try before failed.
    #[default]
    End,
    /// Where it began: what it took is waited for already.
    Begin,
}

/// What a balancer routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Connections.
    L4,
    /// Requests.
    #[default]
    L7,
}

/// When a visit is over.
#[derive(Clone, Debug)]
pub enum Length {
    /// Never within the run.
    Forever,
    /// After this time.
    Time(Sampler),
    /// After this many requests (rounded, at least one).
    Requests(Sampler),
}

/// Further attempts of the same request.
#[derive(Clone, PartialEq, Debug)]
pub struct Retry {
    /// How many, beyond the first.
    pub attempts: u32,
    /// The wait before each.
    pub backoff: Backoff,
    /// What else limits them.
    pub limit: Limit,
}

/// The streams of one population under one seed.
#[derive(Clone, Debug)]
pub struct Streams {
    /// Gaps between arrivals, by ordinal.
    pub arrival: Stream,
    /// Length of the visit.
    pub length: Stream,
    /// Gaps before requests.
    pub think: Stream,
    /// Service demands.
    pub service: Stream,
    /// Whether a request writes.
    pub write: Stream,
    /// Waits before coming back.
    pub reconnect: Stream,
    /// Waits between attempts.
    pub retry: Stream,
    /// Waits of the balancer before it sends an attempt elsewhere.
    pub redispatch: Stream,
    /// Service demand of rebuilds on nodes.
    pub rebuild: Stream,
    /// Times that rebuild services take.
    pub rebuild_visit: Stream,
    /// Work of a node on reading session state.
    pub state_read: Stream,
    /// Work of a node on writing session state.
    pub state_write: Stream,
    /// Work of a node on asking another for session state.
    pub fetch: Stream,
    /// Store reads.
    pub store_read: Stream,
    /// Store writes.
    pub store_write: Stream,
    /// Service demand of being let in.
    pub handshake: Stream,
    /// Phases of heartbeats.
    pub heartbeat: Stream,
    /// Keys that hashing sees: the session's own name.
    pub key: Stream,
    /// Keys that hashing sees: a header.
    pub header: Stream,
    /// Addresses.
    pub address: Stream,
    /// How busy clients are.
    pub activity: Stream,
    /// Gaps between visits.
    pub gap: Stream,
    /// Ages of cookies at the start.
    pub cookie: Stream,
    /// Ages at which connections are ended.
    pub age: Stream,
    /// To which version a canary release sends a request.
    pub side: Stream,
    /// Whether a version answers a request with an error.
    pub defect: Stream,
}

impl Streams {
    /// The streams of the population called `name`.
    pub fn new(seed: u64, name: &str) -> Streams {
        let stream = |purpose| Stream::new(seed, purpose, name);
        Streams {
            arrival: stream("arrival"),
            length: stream("length"),
            think: stream("think"),
            service: stream("service"),
            write: stream("write"),
            reconnect: stream("reconnect"),
            retry: stream("retry"),
            redispatch: stream("redispatch"),
            rebuild: stream("rebuild"),
            rebuild_visit: stream("rebuild visit"),
            state_read: stream("state read"),
            state_write: stream("state write"),
            fetch: stream("state fetch"),
            store_read: stream("store read"),
            store_write: stream("store write"),
            handshake: stream("handshake"),
            heartbeat: stream("heartbeat"),
            key: stream("key"),
            header: stream("header"),
            address: stream("address"),
            activity: stream("activity"),
            gap: stream("gap"),
            cookie: stream("cookie age"),
            age: stream("connection age"),
            side: stream("canary side"),
            defect: stream("version defect"),
        }
    }
}

/// Where requests go that do not write.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reads {
    /// Where affinity says, as those that write.
    #[default]
    Affinity,
    /// Where `balance` says: the read/write split.
    Balance,
}

/// A draw's uniform value decides a yes or no question.
pub fn happens(probability: f64, draw: &mut Draw) -> bool {
    use rand::RngExt;
    probability >= 1.0 || draw.random::<f64>() < probability
}
