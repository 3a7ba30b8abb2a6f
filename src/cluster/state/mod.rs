//! Where does session state live, and what becomes of it when a node dies?
//!
//! Every place answers the same four questions ([`Keep`]): is the state here, it is here now, this node is
//! lost, this session is over. To add a place: write its file here, then its lines below.

mod cache;
mod memory;
mod rebuild;
mod service;
mod store;

use crate::base::choice::Alternatives;
use crate::base::dist::Sampler;
use crate::base::id::{NodeId, SessionId};
use crate::base::time::Duration;
pub use rebuild::{Rebuild, Rebuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use service::{Does, Service};

/// A place for session state, as written in a scenario.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Location {
    /// Sessions have no state.
    None(NoParams),
    /// In the memory of the node that served the session last.
    Memory(memory::Params),
    /// In an external store such as Redis.
    Store(store::Params),
    /// A reproducible cache on every node that served the session.
    Cache(cache::Params),
}

/// `none` has no parameters.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

impl Default for Location {
    fn default() -> Location {
        Location::None(NoParams {})
    }
}

impl Alternatives for Location {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("none", "sessions have no state"),
        ("memory", memory::MEANING),
        ("store", store::MEANING),
        ("cache", cache::MEANING),
    ];
}

/// What a node does with a request whose state it does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// Build the state anew and serve the request.
    #[default]
    Rebuild,
    /// Answer with an error; the client's next request builds it anew.
    Error,
}

/// How long state lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lifetime {
    /// As long as the session.
    #[default]
    Session,
    /// As long as the stream; after a cut it is kept for `resume`, then it is lost.
    Connection,
}

/// A place, ready to run.
#[derive(Clone, Debug)]
pub struct Place {
    /// What keeps the copies.
    pub kind: Kind,
    /// Service demand of a rebuild on the node; `None` where nothing is ever rebuilt.
    pub rebuild: Option<Sampler>,
    /// The rebuild service that is visited before: its place in the plan.
    pub rebuild_at: Option<usize>,
    /// What happens when the state is missing.
    pub on_missing: OnMissing,
    /// The store that every request visits: its place in the plan.
    pub store: Option<usize>,
    /// State that hangs on the connection: how long it is kept after a cut.
    pub resume: Option<Duration>,
}

/// What keeps the copies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Nothing: there is no state.
    Nothing,
    /// One copy in one node's memory.
    Memory,
    /// The store, out of the nodes' reach.
    Store,
    /// Copies that can be made again.
    Cache,
}

impl Place {
    /// No state at all.
    pub fn nothing() -> Place {
        Place {
            kind: Kind::Nothing,
            rebuild: None,
            rebuild_at: None,
            on_missing: OnMissing::Rebuild,
            store: None,
            resume: None,
        }
    }

    /// Its books, empty.
    pub fn keeper(&self) -> Box<dyn Keep> {
        match self.kind {
            Kind::Nothing => Box::new(Nothing),
            Kind::Memory => Box::new(memory::Memory::default()),
            Kind::Store => Box::new(store::Outside),
            Kind::Cache => Box::new(cache::Cache::default()),
        }
    }

    /// Whether a session has state whose loss would be counted.
    pub fn is_stateful(&self) -> bool {
        self.kind != Kind::Nothing
    }
}

/// What a node finds when it looks for a session's state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// There is nothing to look for.
    NoState,
    /// The session is new: its first request makes the state.
    New,
    /// It is here.
    Here,
    /// It is not here, and must be made again; nothing is lost that was not lost before.
    Missing,
    /// As `Missing`, and the client has been told: its state is made again whatever `on_missing` says.
    Told,
    /// The only current copy is on another node and becomes worthless.
    Elsewhere,
}

/// What of a node is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gone {
    /// Its process.
    Process,
    /// Its host.
    Host,
}

/// The books of one place for one population.
pub trait Keep: Send {
    /// What `node` finds for `session`.
    fn look(&mut self, session: SessionId, node: NodeId) -> Look;
    /// `session`'s state is now on `node`, and current.
    fn keep(&mut self, session: SessionId, node: NodeId);
    /// The client has been told that its state is gone.
    fn tell(&mut self, _session: SessionId) {}
    /// The copy elsewhere is given up, before it is made again.
    fn give_up(&mut self, _session: SessionId) {}
    /// `node` has lost its memory, and with its host also what it had on disk; sessions whose last current copy is
    /// gone are appended to `lost`.
    fn forget_node(&mut self, _node: NodeId, _gone: Gone, _lost: &mut Vec<u32>) {}
    /// `session`'s state is thrown away; whether there was any.
    fn expire(&mut self, _session: SessionId) -> bool {
        false
    }
    /// How many sessions' state `node` holds in its memory.
    fn copies(&self, _node: NodeId) -> usize {
        0
    }
    /// Appends the nodes that hold `session`'s state in their memory.
    fn holders(&self, _session: SessionId, _nodes: &mut Vec<NodeId>) {}
    /// Hints that `session` will be looked for soon.
    fn fetch(&self, _session: SessionId) {}
    /// `session` is over.
    fn end(&mut self, _session: SessionId) {}
}

/// Keeps nothing.
#[derive(Debug)]
struct Nothing;

impl Keep for Nothing {
    fn look(&mut self, _: SessionId, _: NodeId) -> Look {
        Look::NoState
    }
    fn keep(&mut self, _: SessionId, _: NodeId) {}
}
