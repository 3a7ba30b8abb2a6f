//! Where does session state live, and what becomes of it when a node dies?
//!
//! Every place answers the same questions ([`Keep`]): is the state here, it is here now, this node is lost, this
//! session is over. To add a place: write its file here, then its lines below.

mod cache;
mod disk;
mod lru;
mod memory;
mod near;
mod rebuild;
mod replicated;
mod service;
mod shelves;
mod store;
mod table;
mod token;

use crate::base::cause::Cause;
use crate::base::choice::Alternatives;
use crate::base::dist::{Law, Sampler};
use crate::base::id::{NodeId, SessionId};
use crate::base::time::{Duration, Instant};
pub use lru::Lru;
pub use rebuild::{Rebuild, Rebuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use service::{Does, Service};
use shelves::Limits;

/// A place for session state, as written in a scenario.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Location {
    /// Sessions have no state.
    None(NoParams),
    /// In the memory of the node that served the session last.
    Memory(memory::Params),
    /// On the disk of the host that served the session last.
    Disk(disk::Params),
    /// In the memory of several nodes.
    Replicated(replicated::Params),
    /// In an external store such as Redis.
    Store(store::Params),
    /// In a signed token that the client presents.
    Client(token::Params),
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
        ("disk", disk::MEANING),
        ("replicated", replicated::MEANING),
        ("store", store::MEANING),
        ("client", token::MEANING),
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

/// What an application does while its store fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It answers with an error: fail-closed.
    #[default]
    Error,
    /// It serves the request without the state, and what it would have written is lost: fail-open.
    Serve,
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

/// What a scenario offers to make a place ready: laws are compiled, services found, faults told.
///
/// Keys are those below the place's own section.
pub trait Ground {
    /// A law, ready to draw from; `None` when it is wrong.
    fn law(&mut self, law: &Law<Duration>, key: &[&str]) -> Option<Sampler>;
    /// What a rebuild takes on the node, and the rebuild service that is visited before.
    fn rebuild(&mut self, rebuild: &Rebuild) -> Option<(Sampler, Option<usize>)>;
    /// A store that stands beside the nodes; its place in the plan.
    fn store(&mut self, store: Service) -> usize;
    /// The place in the plan of the store of this name, which stands under `key`.
    fn store_named(&mut self, name: &str, key: &[&str]) -> Option<usize>;
    /// Something is wrong with a key.
    fn wrong(&mut self, key: &[&str], message: String, mend: &str);
}

impl Location {
    /// The place, ready to run; `None` when something is wrong with it.
    pub fn place(&self, ground: &mut dyn Ground) -> Option<Place> {
        match self {
            Location::None(_) => Some(Place::nothing()),
            Location::Memory(params) => params.place(ground),
            Location::Disk(params) => params.place(ground),
            Location::Replicated(params) => params.place(ground),
            Location::Store(params) => params.place(ground),
            Location::Client(params) => params.place(ground),
            Location::Cache(params) => params.place(ground),
        }
    }

    /// Its key in a scenario.
    pub fn name(&self) -> &'static str {
        match self {
            Location::None(_) => "none",
            Location::Memory(_) => "memory",
            Location::Disk(_) => "disk",
            Location::Replicated(_) => "replicated",
            Location::Store(_) => "store",
            Location::Client(_) => "client",
            Location::Cache(_) => "cache",
        }
    }
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
    /// What an application does while the store fails.
    pub on_failure: OnFailure,
    /// What dealing with the state costs the node; `None` where it costs nothing.
    pub care: Option<Box<Care>>,
    /// Size of a session's state where that is known (bytes): what a read, a write or a fetch moves.
    pub size: u64,
    /// How copies on several nodes are kept; `None` where there are none.
    pub replicas: Option<Box<replicated::Rules>>,
    /// How much each node keeps of what it can make or read again; `None` where it keeps nothing, or all.
    pub limits: Option<Limits>,
}

/// What dealing with a session's state costs: service demand of the node beside the request's own.
#[derive(Clone, Debug, Default)]
pub struct Care {
    /// For every request.
    pub read: Option<Sampler>,
    /// For every request that writes.
    pub write: Option<Sampler>,
    /// For every request whose node must ask another for the state.
    pub fetch: Option<Sampler>,
}

impl Care {
    /// What these laws cost, one for every request and one for each that writes; the outer `None` when one is wrong.
    fn of(ground: &mut dyn Ground, laws: &[(&str, &Option<Law<Duration>>); 2]) -> Option<Option<Box<Care>>> {
        let [read, write] = laws.map(|(key, law)| match law {
            Some(law) => ground.law(law, &[key]).map(Some),
            None => Some(None),
        });
        let (read, write) = (read?, write?);
        let costs = read.is_some() || write.is_some();
        Some(costs.then(|| Box::new(Care { read, write, fetch: None })))
    }
}

/// What keeps the copies.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// Nothing: there is no state.
    Nothing,
    /// One copy in one node's memory.
    Memory,
    /// One copy on one host's disk.
    Disk,
    /// Copies in several nodes' memory.
    Replicated,
    /// A store that never fails, out of the nodes' reach.
    Store,
    /// A store that may fail, and forget.
    Table,
    /// The client itself.
    Client,
    /// Copies that can be made again.
    Cache,
}

impl Kind {
    /// The books of all that it keeps, without limits.
    fn keeper(self) -> Box<dyn Keep> {
        match self {
            // Replicated state has books of its own, with rules.
            Kind::Nothing | Kind::Replicated => Box::new(Nothing),
            Kind::Memory => Box::new(memory::Memory::default()),
            Kind::Disk => Box::new(memory::Memory::on_disk()),
            Kind::Store | Kind::Client => Box::new(Outside),
            Kind::Table => Box::new(table::Table::default()),
            Kind::Cache => Box::new(cache::Cache::default()),
        }
    }
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
            on_failure: OnFailure::Error,
            care: None,
            size: 0,
            replicas: None,
            limits: None,
        }
    }

    /// Its books for the population called `name`, empty.
    pub fn keeper(&self, seed: u64, name: &str) -> Box<dyn Keep> {
        match (self.kind, &self.replicas, self.limits) {
            (_, Some(rules), _) => Box::new(replicated::Replicated::new(rules, seed, name)),
            (Kind::Cache, _, Some(limits)) => Box::new(cache::Bounded::new(limits)),
            (Kind::Table, _, Some(limits)) => Box::new(near::Near::new(limits)),
            (kind, ..) => kind.keeper(),
        }
    }

    /// Whether a session has state whose loss would be counted.
    pub fn is_stateful(&self) -> bool {
        self.kind != Kind::Nothing
    }

    /// Whether copies of it may be behind, or lose what was written.
    pub fn has_copies(&self) -> bool {
        matches!(self.kind, Kind::Table | Kind::Replicated)
    }

    /// Whether a session's state comes about by a write, of its first request if of no other.
    pub fn is_made_by_writing(&self) -> bool {
        self.has_copies()
    }

    /// Whether nodes keep what they have read from a store.
    #[inline]
    pub fn is_near(&self) -> bool {
        self.limits.is_some() && self.kind == Kind::Table
    }

    /// Of so many sessions' state on a node, how much fills its memory.
    pub fn fills_node(&self, sessions: u64) -> u64 {
        match (self.kind, self.limits) {
            (Kind::Memory | Kind::Cache | Kind::Replicated, None) => sessions,
            (_, Some(limits)) => sessions.min(limits.capacity),
            _ => 0,
        }
    }

    /// How many nodes' memory holds each session's state, at most.
    pub fn copies(&self) -> usize {
        self.replicas.as_ref().map_or(1, |rules| rules.copies)
    }

    /// What goes over the network with a request, apart from writes and from what a store is asked (bytes).
    pub fn carried(&self, writes: bool, fetches: bool) -> u64 {
        match self.kind {
            Kind::Client => self.size * (1 + u64::from(writes)),
            _ => self.size * u64::from(fetches),
        }
    }

    /// Whether it makes a difference if a request writes.
    pub fn heeds_writes(&self) -> bool {
        self.store.is_some()
            || self.size > 0
            || self.has_copies()
            || self.care.as_ref().is_some_and(|care| care.write.is_some())
    }
}

/// Somebody is served.
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    /// When.
    pub now: Instant,
    /// Whose state it is: the slot of the session's record.
    pub session: SessionId,
    /// The session's name within its population.
    pub who: u64,
    /// Where.
    pub node: NodeId,
    /// Whether the request writes.
    pub writes: bool,
    /// Whether the node has made the state for it, or is about to, since it did not have it.
    pub made: bool,
}

/// What becomes of state without anybody asking for it.
#[derive(Debug, Default)]
pub struct Toll {
    /// Sessions whose last current copy is gone.
    pub lost: Vec<u32>,
    /// Sessions whose latest writes are gone, once for each write, and why.
    pub writes_lost: Vec<(u32, Cause)>,
    /// Nodes that hold more or fewer copies in their memory than before, beside the one that was told of.
    pub touched: Vec<NodeId>,
    /// Copies that went from one node to another.
    pub copied: u64,
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
    /// Another node has it, and must be asked for it.
    Fetch,
    /// It is here, but not as it was last written.
    Stale,
}

/// What a node finds in its near cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nearby {
    /// Nothing that is still good.
    Missing,
    /// The state as it was last written.
    Here,
    /// The state as it was before another node wrote it.
    Stale,
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
    /// What the node finds.
    fn look(&mut self, visit: &Visit) -> Look;
    /// The session's state is now on the node, and current.
    fn keep(&mut self, visit: &Visit);
    /// What the node finds in its near cache, before it asks the store.
    fn look_near(&mut self, _visit: &Visit) -> Nearby {
        Nearby::Missing
    }
    /// The node has just read the session's state from the store, or written it there; `_is_behind` when what it has read
    /// was not as last written.
    fn fill_near(&mut self, _now: Instant, _session: SessionId, _node: NodeId, _is_behind: bool) {}
    /// Whether a store holds the session's state.
    fn has(&self, _session: SessionId) -> bool {
        false
    }
    /// A store has acknowledged a write of `session`; whether it was the first.
    fn written(&mut self, _now: Instant, _session: SessionId) -> bool {
        false
    }
    /// When a store has last acknowledged a write of `session`, if it has and this is kept.
    fn last_written(&self, _session: SessionId) -> Option<Instant> {
        None
    }
    /// A store has lost all but what it held at that time, if at any.
    fn revert(&mut self, _kept: Option<Instant>, _toll: &mut Toll) {}
    /// The client has been told that its state is gone.
    fn tell(&mut self, _session: SessionId) {}
    /// The copy elsewhere is given up, before it is made again.
    fn give_up(&mut self, _session: SessionId) {}
    /// `node` has lost its memory, and with its host also what it had on disk.
    fn forget_node(&mut self, _now: Instant, _node: NodeId, _gone: Gone, _toll: &mut Toll) {}
    /// `node` may hold state from now on.
    fn node_listens(&mut self, _now: Instant, _node: NodeId) {}
    /// `node` has been taken away for good, and its host with it.
    fn node_leaves(&mut self, _now: Instant, _node: NodeId, _toll: &mut Toll) {}
    /// When something happens to state that nobody has asked for.
    fn due(&self) -> Instant {
        Instant::NEVER
    }
    /// Lets that happen.
    fn pass(&mut self, _now: Instant, _toll: &mut Toll) {}
    /// How many sessions have a copy, but fewer than they should.
    fn thin(&self) -> u64 {
        0
    }
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
    /// There will be so many sessions at least.
    fn expect(&mut self, _sessions: usize) {}
    /// Hints that `session` will be looked for soon.
    fn fetch(&self, _session: SessionId) {}
    /// `session` is over.
    fn end(&mut self, _session: SessionId) {}
}

/// Keeps nothing.
#[derive(Debug)]
struct Nothing;

impl Keep for Nothing {
    fn look(&mut self, _: &Visit) -> Look {
        Look::NoState
    }
    fn keep(&mut self, _: &Visit) {}
}

/// State outside the nodes is found by every node.
#[derive(Debug)]
struct Outside;

impl Keep for Outside {
    fn look(&mut self, _: &Visit) -> Look {
        Look::Here
    }
    fn keep(&mut self, _: &Visit) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody is served at time zero by a request that does not write.
    pub fn visit(session: u32, node: u32) -> Visit {
        let (session, node) = (SessionId(session), NodeId(node));
        Visit { now: Instant::START, session, who: u64::from(session.0), node, writes: false, made: true }
    }
}
