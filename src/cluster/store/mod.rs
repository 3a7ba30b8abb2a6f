//! What is a store beside the nodes, who shares it, and how does it come back when its primary fails?
//!
//! A store is named, `[store.<name>]`, so that it can fail, and so that populations can share it. It has one primary,
//! which does all the work, and `replicas`, which follow it by `lag`. When the primary is gone somebody notices after
//! `detection`, promotes a replica after `promotion`, and each node talks to that after a `stall` of its own. What the
//! primary had acknowledged and the replicas had not had yet is lost. Reads may go to the replicas, which then work
//! beside it, and may not know yet what a session has written last. Sources: redis.io, *High availability with Redis
//! Sentinel*, *Redis replication*; measured on Redis 7.0 with three Sentinels (E8).
//!
//! | field | Redis with Sentinel | Redis Cluster |
//! | --- | --- | --- |
//! | `detection` | `down-after-milliseconds` | `cluster-node-timeout` |
//! | `ping` | a ping a second | |
//! | `promotion` | election, `SLAVEOF NO ONE` | delay of the election, vote |
//! | `stall` | until a client asks a Sentinel again | until it refreshes its slots |

mod memory;
mod outage;
mod trouble;

use super::state::{Does, Service};
use crate::base::dist::{Law, Sampler};
use crate::base::time::Duration;
use crate::base::units::Bytes;
pub use memory::{Eviction, Memory};
pub use outage::{Shape, State, Trouble};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// A store, as written in `[store.<name>]`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Store")]
pub struct Params {
    /// A product, whose documented defaults hold for whatever is not written; see `stickysim list preset`.
    pub preset: Option<String>,
    /// Time a read takes once the store works on it, network included; default 0.5 ms.
    pub read: Law<Duration>,
    /// Time a write takes; default 0.5 ms.
    pub write: Law<Duration>,
    /// Operations the store works on at once; unlimited unless given.
    pub concurrency: Option<NonZeroU32>,
    /// Operations that may wait; unlimited unless given.
    pub queue_max: Option<u32>,
    /// Whether a request keeps its slot on the node while it waits for the store (blocking I/O); default no.
    pub holds_slot: bool,
    /// How long a node waits for an answer; default 2 s (Jedis).
    pub timeout: Duration,
    /// How many follow the primary; from 0 to 100, default 0: nobody takes over from it.
    pub replicas: u32,
    /// How far they are behind it; default 0 s.
    pub lag: Duration,
    /// Who answers reads: the primary, or the replicas, each of which works on `concurrency` of them at once; default
    /// `primary` (Lettuce `ReadFrom`).
    pub reads_from: ReadsFrom,
    /// How long until a primary that is gone is taken for dead; default 30 s (Sentinel `down-after-milliseconds`).
    pub detection: Law<Duration>,
    /// The time between two signs of life: a primary that hangs is missed up to so much later; default 1 s (Sentinel).
    pub ping: Duration,
    /// How long it takes then to promote a replica; default 1 s.
    pub promotion: Law<Duration>,
    /// How long each node goes on failing after that; drawn for each node and failover, none unless given.
    pub stall: Option<Law<Duration>>,
    /// How long a primary that has hung, and was replaced meanwhile, goes on as one; default 10 s (Sentinel asks for news
    /// so often).
    pub demotion: Duration,
    /// Whether what it holds outlives its process; default no (Redis without a snapshot or an append-only file).
    pub persists: bool,
    /// How often all it holds is copied away; never unless given.
    pub backup: Option<Duration>,
    /// Session state that it may hold; unlimited unless given.
    pub memory_max: Option<Bytes>,
    /// What it does with more: refuse what would add to it (`noeviction`), or throw out what was used least recently
    /// (`lru`); default `noeviction` (Redis). `lru` needs `memory_max`.
    pub eviction: Eviction,
}

impl Default for Params {
    fn default() -> Params {
        let constant = |nanos| Law::constant(Duration::from_nanos(nanos));
        Params {
            preset: None,
            read: constant(500_000),
            write: constant(500_000),
            concurrency: None,
            queue_max: None,
            holds_slot: false,
            timeout: Duration::from_secs(2),
            replicas: 0,
            lag: Duration::ZERO,
            reads_from: ReadsFrom::Primary,
            detection: Law::constant(Duration::from_secs(30)),
            ping: Duration::from_secs(1),
            promotion: Law::constant(Duration::from_secs(1)),
            stall: None,
            demotion: Duration::from_secs(10),
            persists: false,
            backup: None,
            memory_max: None,
            eviction: Eviction::Noeviction,
        }
    }
}

/// Who answers reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadsFrom {
    /// The primary, which knows what was written last.
    #[default]
    Primary,
    /// The replicas, which are behind by `lag`.
    Replicas,
}

/// How a store fails and comes back, ready to run.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Its name in the scenario: the key of its draws.
    pub name: String,
    timeout: Duration,
    replicas: u32,
    lag: Duration,
    detection: Sampler,
    ping: Duration,
    promotion: Sampler,
    stall: Option<Sampler>,
    demotion: Duration,
    persists: bool,
    backup: Option<Duration>,
    /// How much it may hold; as much as there is if not given.
    pub memory: Option<Memory>,
}

impl Rules {
    /// The primary and its replicas.
    pub fn instances(&self) -> u32 {
        1 + self.replicas
    }
}

impl Params {
    /// What is wrong with the parameters: (key, message, how to mend it).
    pub fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut faults = Vec::new();
        let mut wrong = |key, message: String, mend| faults.push((key, message, mend));
        if self.replicas > 100 {
            wrong("replicas", format!("{} replicas are too many", self.replicas), "at most 100 follow a primary");
        }
        for (key, span) in [("timeout", Some(self.timeout)), ("backup", self.backup)] {
            if span.is_some_and(|span| span.is_zero()) {
                wrong(key, format!("{key} is zero"), "write a time such as \"1s\", or leave it out");
            }
        }
        let never = "without replicas nobody takes over";
        if self.replicas == 0 && !self.lag.is_zero() {
            wrong("lag", format!("lag means nothing: {never}"), "add replicas = 1, or leave it out");
        }
        if self.replicas == 0 && self.stall.is_some() {
            wrong("stall", format!("stall means nothing: {never}"), "add replicas = 1, or leave it out");
        }
        if self.replicas == 0 && self.reads_from == ReadsFrom::Replicas {
            wrong("reads_from", "there are no replicas to read from".to_owned(), "add replicas = 1, or leave it out");
        }
        if self.memory_max.is_none() && self.eviction == Eviction::Lru {
            let message = "eviction means nothing: without memory_max nothing is ever full";
            wrong("eviction", message.to_owned(), "add memory_max = \"1GiB\", or leave it out");
        }
        faults
    }

    /// The store ready to run; `law` makes a law ready, or `None` when it is wrong.
    pub fn service(
        &self,
        name: &str,
        mut law: impl FnMut(&Law<Duration>, &'static str) -> Option<Sampler>,
    ) -> Option<Service> {
        let (read, write) = (law(&self.read, "read"), law(&self.write, "write"));
        let (detection, promotion) = (law(&self.detection, "detection"), law(&self.promotion, "promotion"));
        let stall = match &self.stall {
            Some(stall) => Some(law(stall, "stall")?),
            None => None,
        };
        let rules = Rules {
            name: name.to_owned(),
            timeout: self.timeout,
            replicas: self.replicas,
            lag: self.lag,
            detection: detection?,
            ping: self.ping,
            promotion: promotion?,
            stall,
            demotion: self.demotion,
            persists: self.persists,
            backup: self.backup,
            memory: self.memory_max.map(|max| Memory { max: max.get(), eviction: self.eviction }),
        };
        Some(Service {
            does: Does::Store { read: read?, write: write? },
            concurrency: self.concurrency.map_or(u32::MAX, NonZeroU32::get),
            queue_max: self.queue_max.unwrap_or(u32::MAX),
            holds_slot: self.holds_slot,
            rules: Some(Box::new(rules)),
            reads_at: None,
            behind: None,
        })
    }

    /// The replicas of `primary`, if reads go to them: one more service, whose capacity is that of all of them.
    pub fn replicas_of(&self, primary: &Service) -> Option<Service> {
        (self.reads_from == ReadsFrom::Replicas).then(|| Service {
            concurrency: primary.concurrency.saturating_mul(self.replicas),
            queue_max: primary.queue_max.saturating_mul(self.replicas),
            behind: Some(self.lag),
            ..primary.clone()
        })
    }
}
