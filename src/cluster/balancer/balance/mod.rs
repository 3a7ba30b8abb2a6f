//! Which node takes it? The algorithms that compute a node from loads, order, chance or a hash.
//!
//! Names that begin with a product's are that product's algorithm bit for bit: the same keys and servers give the
//! same choices. The others are textbook algorithms; where luck has a part in their constructions, the seed draws it.
//!
//! To add one: write its file here (parameters, state, test), then a `mod` line, a variant and its lines in
//! the lists below. `first.rs` is the shortest example.

mod envoy_least_request;
mod envoy_maglev;
mod envoy_ring_hash;
mod first;
mod haproxy_hash;
mod haproxy_random;
mod hash;
mod jump;
mod leastconn;
mod maglev;
mod nginx_hash;
mod nginx_ip_hash;
mod nginx_least_conn;
mod parts;
mod random;
mod rendezvous;
mod ring;
mod roundrobin;
mod static_rr;

use super::line::Room;
use crate::base::choice::Alternatives;
use crate::base::id::NodeId;
use crate::cluster::client::addresses::ipv4;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddrV4;

/// A balance algorithm and its parameters.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// In turn.
    Roundrobin(roundrobin::Params),
    /// The least loaded of a few drawn at random.
    Random(random::Params),
    /// The fewest attempts under way.
    Leastconn(leastconn::Params),
    /// A consistent hash ring.
    Ring(ring::Params),
    /// A hash modulo the list of nodes.
    Hash(hash::Params),
    /// The same with the client's address.
    Source(hash::Source),
    /// The lowest-numbered node.
    First(first::Params),
    /// The highest of the nodes' draws for a key.
    Rendezvous(rendezvous::Params),
    /// A table that nodes take turns to fill.
    Maglev(maglev::Params),
    /// The jump consistent hash.
    Jump(jump::Params),
    /// HAProxy's hashes.
    HaproxyHash(haproxy_hash::Params),
    /// HAProxy's random.
    HaproxyRandom(haproxy_random::Params),
    /// NGINX's hashes of a key.
    NginxHash(nginx_hash::Params),
    /// NGINX's hash of the client's network.
    NginxIpHash(nginx_ip_hash::Params),
    /// NGINX's fewest attempts under way.
    NginxLeastConn(nginx_least_conn::Params),
    /// Envoy's ring.
    EnvoyRingHash(envoy_ring_hash::Params),
    /// Envoy's Maglev.
    EnvoyMaglev(envoy_maglev::Params),
    /// Envoy's fewest requests under way.
    EnvoyLeastRequest(envoy_least_request::Params),
    /// HAProxy's turns out of a table.
    StaticRr(static_rr::Params),
}

impl Default for Algorithm {
    fn default() -> Algorithm {
        Algorithm::Roundrobin(roundrobin::Params::default())
    }
}

impl Alternatives for Algorithm {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("roundrobin", roundrobin::MEANING),
        ("random", random::MEANING),
        ("leastconn", leastconn::MEANING),
        ("ring", ring::MEANING),
        ("hash", hash::MEANING),
        ("source", hash::SOURCE),
        ("first", first::MEANING),
        ("rendezvous", rendezvous::MEANING),
        ("maglev", maglev::MEANING),
        ("jump", jump::MEANING),
        ("haproxy_hash", haproxy_hash::MEANING),
        ("haproxy_random", haproxy_random::MEANING),
        ("nginx_hash", nginx_hash::MEANING),
        ("nginx_ip_hash", nginx_ip_hash::MEANING),
        ("nginx_least_conn", nginx_least_conn::MEANING),
        ("envoy_ring_hash", envoy_ring_hash::MEANING),
        ("envoy_maglev", envoy_maglev::MEANING),
        ("envoy_least_request", envoy_least_request::MEANING),
        ("static_rr", static_rr::MEANING),
    ];
}

impl Algorithm {
    /// Its working state; nobody is eligible yet. `seed` and `instance` key what it draws.
    pub fn start(&self, seed: u64, instance: &str) -> Box<dyn Balance> {
        match self {
            Algorithm::Roundrobin(params) => params.start(seed, instance),
            Algorithm::Random(params) => Box::new(random::Random::new(params, seed, instance)),
            Algorithm::Leastconn(params) => Box::new(leastconn::LeastConn::new(params)),
            Algorithm::Ring(params) => Box::new(ring::Ring::new(params, seed)),
            Algorithm::Hash(params) => Box::new(hash::Hash::new(params)),
            Algorithm::Source(_) => Box::new(hash::Hash::new(&hash::Params { key: Key::Address })),
            Algorithm::First(params) => Box::new(first::First::new(params)),
            Algorithm::Rendezvous(params) => Box::new(rendezvous::Rendezvous::new(params, seed)),
            Algorithm::Maglev(params) => Box::new(maglev::Maglev::new(params, seed)),
            Algorithm::Jump(params) => Box::new(jump::Jump::new(params)),
            Algorithm::HaproxyHash(params) => params.start(),
            Algorithm::HaproxyRandom(params) => Box::new(haproxy_random::Random::new(params, seed, instance)),
            Algorithm::NginxHash(params) => params.start(),
            Algorithm::NginxIpHash(params) => Box::new(nginx_ip_hash::IpHash::new(params)),
            Algorithm::NginxLeastConn(params) => Box::new(nginx_least_conn::LeastConn::new(params)),
            Algorithm::EnvoyRingHash(params) => Box::new(envoy_ring_hash::RingHash::new(params)),
            Algorithm::EnvoyMaglev(params) => Box::new(envoy_maglev::Maglev::new(params)),
            Algorithm::EnvoyLeastRequest(params) => {
                Box::new(envoy_least_request::LeastRequest::new(params, seed, instance))
            }
            Algorithm::StaticRr(params) => Box::new(static_rr::StaticRr::new(params)),
        }
    }

    /// Whether the choice depends on the session, so that it binds the session to a node: by a hash, that is,
    /// even if a bound on loads may overrule it.
    pub fn binds(&self) -> bool {
        match self {
            Algorithm::Roundrobin(_)
            | Algorithm::Random(_)
            | Algorithm::Leastconn(_)
            | Algorithm::First(_)
            | Algorithm::HaproxyRandom(_)
            | Algorithm::NginxLeastConn(_)
            | Algorithm::EnvoyLeastRequest(_)
            | Algorithm::StaticRr(_) => false,
            Algorithm::Ring(_)
            | Algorithm::Hash(_)
            | Algorithm::Source(_)
            | Algorithm::Rendezvous(_)
            | Algorithm::Maglev(_)
            | Algorithm::Jump(_)
            | Algorithm::HaproxyHash(_)
            | Algorithm::NginxHash(_)
            | Algorithm::NginxIpHash(_)
            | Algorithm::EnvoyRingHash(_)
            | Algorithm::EnvoyMaglev(_) => true,
        }
    }

    /// Whether it heeds a weight that grows while a node starts slowly.
    pub fn ramps(&self) -> bool {
        match self {
            Algorithm::Roundrobin(_)
            | Algorithm::Random(_)
            | Algorithm::Leastconn(_)
            | Algorithm::HaproxyRandom(_)
            | Algorithm::EnvoyLeastRequest(_) => true,
            Algorithm::HaproxyHash(params) => params.ramps(),
            _ => false,
        }
    }

    /// Whether it passes over full nodes, so that somebody in the common line means that all are full (haproxy
    /// `src/backend.c`).
    pub fn passes_over_full(&self) -> bool {
        matches!(self, Algorithm::Roundrobin(_) | Algorithm::StaticRr(_) | Algorithm::First(_))
    }

    /// What is wrong with the parameters: (key, message).
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        match self {
            Algorithm::Random(params) => params.faults(),
            Algorithm::Ring(params) => params.faults(),
            Algorithm::Rendezvous(params) => params.faults(),
            Algorithm::Maglev(params) => params.faults(),
            Algorithm::HaproxyHash(params) => params.faults(),
            Algorithm::HaproxyRandom(params) => params.faults(),
            Algorithm::EnvoyRingHash(params) => params.faults(),
            Algorithm::EnvoyMaglev(params) => params.faults(),
            Algorithm::EnvoyLeastRequest(params) => params.faults(),
            _ => Vec::new(),
        }
    }
}

/// Who asks. What a hash looks at is drawn when it is asked for, since most algorithms never look.
pub trait Asker {
    /// The hash of this part of the request, a good one; how products see it as bytes is in `parts/text.rs`.
    fn hash_of(&self, key: Key) -> u64;
}

/// A request, as an algorithm sees it.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// On whose behalf.
    pub asker: &'a dyn Asker,
    /// The node that just failed this attempt: to be avoided if there is another.
    pub avoid: Option<NodeId>,
    /// How full the nodes are; `None` where a node takes any number.
    pub room: Option<&'a Room>,
    /// Whether it is for the new version's side of a canary release.
    pub is_canary: bool,
}

impl Ask<'_> {
    /// Whether a newcomer would have to wait for `node`.
    #[inline]
    pub fn is_full(&self, node: NodeId) -> bool {
        self.room.is_some_and(|room| room.is_full(node))
    }
}

impl Ask<'_> {
    /// The client's IPv4 address, as a number in network order.
    #[inline]
    pub fn ipv4(&self) -> u32 {
        ipv4(Key::Address.of(self))
    }
}

/// What a hash or a table looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// The session's own name, as in a cookie or a parameter.
    #[default]
    Session,
    /// The address its client comes from; clients behind one NAT share it.
    Address,
    /// A header that every session fills in its own way.
    Header,
}

impl Key {
    /// The hash of this part of a request.
    #[inline]
    pub fn of(self, ask: &Ask) -> u64 {
        ask.asker.hash_of(self)
    }
}

/// A node as a balancer knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// Which.
    pub id: NodeId,
    /// Its share relative to the others; from 1 to 256.
    pub weight: u32,
    /// Hash of its name: where it stands on a ring.
    pub name: u64,
    /// Where it listens: what some products hash in place of a name.
    pub address: SocketAddrV4,
    /// How much of its weight counts at present, in parts of [`WHOLE`]; at least 1, less than all while it starts
    /// slowly.
    pub share: u32,
}

/// All of a weight, in the parts that a slow start counts in.
pub const WHOLE: u32 = 4096;

impl Member {
    /// The weight that counts at present, in parts of [`WHOLE`].
    pub fn parts(&self) -> u32 {
        self.weight * self.share
    }

    /// The same in sixteenths, as HAProxy counts weights; at least one.
    pub fn sixteenths(&self) -> u32 {
        (self.parts() / (WHOLE / 16)).max(1)
    }
}

/// The contract of a balance algorithm over one pool of nodes.
///
/// The balancer reports who is eligible and how many attempts each node has in hand, eligible or not.
pub trait Balance: Send {
    /// A node has become eligible, or has another weight; its identifier may be larger than any seen before.
    fn joined(&mut self, member: Member);
    /// `node` is no longer eligible.
    fn left(&mut self, node: NodeId);
    /// `node`, which is not eligible, is no longer configured at all: what was kept for its return is given up.
    fn gone(&mut self, _node: NodeId) {}
    /// `node` has failed an attempt: 1/`parts` of its weight is not counted until it has had turns enough.
    fn weakened(&mut self, _node: NodeId, _parts: u32) {}
    /// `node` now has `in_flight` attempts from this balancer.
    fn load(&mut self, _node: NodeId, _in_flight: u32) {}
    /// The node for one attempt; `None` when nobody is eligible, or all are full and it heeds that.
    fn pick(&mut self, ask: &Ask) -> Option<NodeId>;
}

/// The eligible nodes in the order of their identifiers, so that history leaves no trace in the order.
#[derive(Debug, Default)]
pub(super) struct Members(Vec<NodeId>);

impl Members {
    fn join(&mut self, node: NodeId) {
        if let Err(place) = self.0.binary_search(&node) {
            self.0.insert(place, node);
        }
    }

    fn leave(&mut self, node: NodeId) {
        if let Ok(place) = self.0.binary_search(&node) {
            self.0.remove(place);
        }
    }
}

#[cfg(test)]
mod even;
#[cfg(test)]
mod moves;
#[cfg(test)]
mod reality;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::choice::Choice;
    use crate::base::draw::{mix, name_key};
    use crate::cluster::plan::default_address;

    /// Ways of algorithms that differ in more than a number.
    const WAYS: [(&str, &str); 15] = [
        ("roundrobin, nginx", r#"{"roundrobin": {"order": "nginx"}}"#),
        ("roundrobin, envoy", r#"{"roundrobin": {"order": "envoy"}}"#),
        ("envoy_least_request, full scan", r#"{"envoy_least_request": {"full_scan": true}}"#),
        ("envoy_least_request, bias", r#"{"envoy_least_request": {"active_request_bias": 0.5}}"#),
        ("random, replacement", r#"{"random": {"replacement": true}}"#),
        ("ring, bounded", r#"{"ring": {"points": 20, "balance_factor": 105}}"#),
        ("rendezvous, bounded", r#"{"rendezvous": {"balance_factor": 105}}"#),
        ("maglev, tiny", r#"{"maglev": {"table_size": 2}}"#),
        ("haproxy_hash, consistent", r#"{"haproxy_hash": {"type": "consistent"}}"#),
        ("haproxy_hash, bounded", r#"{"haproxy_hash": {"type": "consistent", "balance_factor": 105}}"#),
        ("haproxy_random, bounded", r#"{"haproxy_random": {"draws": 3, "balance_factor": 105}}"#),
        ("nginx_hash, consistent", r#"{"nginx_hash": {"consistent": true}}"#),
        ("envoy_ring_hash, tiny", r#"{"envoy_ring_hash": {"ring_size_min": 1, "ring_size_max": 2}}"#),
        ("envoy_ring_hash, bounded", r#"{"envoy_ring_hash": {"function": "murmur_hash_2", "balance_factor": 105}}"#),
        ("envoy_maglev, bounded", r#"{"envoy_maglev": {"table_size": 251, "balance_factor": 105}}"#),
    ];

    /// Every algorithm in the list with its defaults, and its ways.
    pub fn every() -> impl Iterator<Item = (&'static str, Algorithm)> {
        let named = Algorithm::NAMES.iter().map(|&(name, _)| {
            let choice: Choice<Algorithm> = serde_json::from_value(name.into()).expect(name);
            (name, choice.0)
        });
        named.chain(WAYS.map(|(name, way)| (name, serde_json::from_str(way).expect(name))))
    }

    /// The node n1 (0), n2 (1) … of weight 1.
    pub fn member(index: u32) -> Member {
        let name = name_key(&format!("n{}", index + 1));
        Member { id: NodeId(index), weight: 1, name, address: default_address(index), share: WHOLE }
    }

    /// All its parts have this hash.
    struct Same(u64);

    impl Asker for Same {
        fn hash_of(&self, _: Key) -> u64 {
            self.0
        }
    }

    /// A request whose keys all have this hash. Leaks a few bytes, so that tests need not hold on to who asks.
    pub fn asking(hash: u64) -> Ask<'static> {
        Ask { asker: Box::leak(Box::new(Same(hash))), avoid: None, room: None, is_canary: false }
    }

    /// A request whose keys are all hashes of `key`.
    pub fn ask(key: u64) -> Ask<'static> {
        asking(mix(key + 1))
    }

    #[test]
    fn nobody_eligible_means_nobody_picked() {
        for (name, algorithm) in every() {
            let mut balance = algorithm.start(1, "lb1");
            assert_eq!(balance.pick(&ask(1)), None, "{name}");
            balance.joined(member(1));
            balance.left(NodeId(1));
            assert_eq!(balance.pick(&ask(1)), None, "{name}");
        }
    }

    #[test]
    fn only_eligible_nodes_are_picked_and_the_avoided_only_when_alone() {
        for (name, algorithm) in every() {
            let mut balance = algorithm.start(1, "lb1");
            [0, 1, 3].into_iter().for_each(|n| balance.joined(member(n)));
            balance.left(NodeId(0));
            for key in 0..200 {
                let picked = balance.pick(&ask(key)).unwrap();
                assert!([1, 3].contains(&picked.0), "{name} picked {picked:?}");
                let other = balance.pick(&Ask { avoid: Some(picked), ..ask(key) }).unwrap();
                assert_ne!(other, picked, "{name} avoids");
            }
            balance.left(NodeId(1));
            let alone = Ask { avoid: Some(NodeId(3)), ..ask(1) };
            assert_eq!(balance.pick(&alone), Some(NodeId(3)), "{name}: a bad node is better than none");
        }
    }

    #[test]
    fn one_node_makes_all_algorithms_equal() {
        for (name, algorithm) in every() {
            let mut balance = algorithm.start(1, "lb1");
            balance.joined(member(0));
            assert!((0..50).all(|key| balance.pick(&ask(key)) == Some(NodeId(0))), "{name}");
        }
    }
}
