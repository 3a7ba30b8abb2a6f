//! Which node takes it? The algorithms that compute a node from loads, order, chance or a hash.
//!
//! To add one: write its file here (parameters, state, test), then a `mod` line, a variant and its lines in
//! the lists below. `first.rs` is the shortest example.

mod first;
mod hash;
mod leastconn;
mod random;
mod ring;
mod roundrobin;

use crate::base::choice::Alternatives;
use crate::base::id::NodeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    ];
}

impl Algorithm {
    /// Its working state; nobody is eligible yet. `seed` and `instance` key what it draws.
    pub fn start(&self, seed: u64, instance: &str) -> Box<dyn Balance> {
        match self {
            Algorithm::Roundrobin(params) => params.start(),
            Algorithm::Random(params) => Box::new(random::Random::new(params, seed, instance)),
            Algorithm::Leastconn(params) => Box::new(leastconn::LeastConn::new(params)),
            Algorithm::Ring(params) => Box::new(ring::Ring::new(params, seed)),
            Algorithm::Hash(params) => Box::new(hash::Hash::new(params)),
            Algorithm::Source(_) => Box::new(hash::Hash::new(&hash::Params { key: Key::Address })),
            Algorithm::First(params) => Box::new(first::First::new(params)),
        }
    }

    /// Whether the choice depends on the session alone, so that it binds the session to a node.
    pub fn binds(&self) -> bool {
        matches!(self, Algorithm::Ring(_) | Algorithm::Hash(_) | Algorithm::Source(_))
    }

    /// What is wrong with the parameters: (key, message).
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        match self {
            Algorithm::Random(params) => params.faults(),
            Algorithm::Ring(params) => params.faults(),
            _ => Vec::new(),
        }
    }
}

/// Who asks. What a hash looks at is drawn when it is asked for, since most algorithms never look.
pub trait Asker {
    /// The hash of this part of the request.
    fn hash_of(&self, key: Key) -> u64;
}

/// A request, as an algorithm sees it.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// On whose behalf.
    pub asker: &'a dyn Asker,
    /// The node that just failed this attempt: to be avoided if there is another.
    pub avoid: Option<NodeId>,
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
}

/// The contract of a balance algorithm over one pool of nodes.
///
/// The balancer reports who is eligible and how many attempts each node has in hand, eligible or not.
pub trait Balance: Send {
    /// A node has become eligible, or has another weight; its identifier may be larger than any seen before.
    fn joined(&mut self, member: Member);
    /// `node` is no longer eligible.
    fn left(&mut self, node: NodeId);
    /// `node` now has `in_flight` attempts from this balancer.
    fn load(&mut self, _node: NodeId, _in_flight: u32) {}
    /// The node for one attempt; `None` when nobody is eligible.
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
pub(super) mod tests {
    use super::*;
    use crate::base::choice::Choice;
    use crate::base::draw::{mix, name_key};

    /// Every algorithm in the list, with its defaults.
    fn every() -> impl Iterator<Item = (&'static str, Algorithm)> {
        Algorithm::NAMES.iter().map(|&(name, _)| {
            let choice: Choice<Algorithm> = serde_json::from_value(name.into()).expect(name);
            (name, choice.0)
        })
    }

    /// The node n1 (0), n2 (1) … of weight 1.
    pub fn member(index: u32) -> Member {
        Member { id: NodeId(index), weight: 1, name: name_key(&format!("n{}", index + 1)) }
    }

    /// A request whose keys are all hashes of `key`.
    /// All its parts have this hash.
    struct Same(u64);

    impl Asker for Same {
        fn hash_of(&self, _: Key) -> u64 {
            self.0
        }
    }

    /// Leaks a few bytes, so that tests need not hold on to who asks.
    pub fn asking(hash: u64) -> Ask<'static> {
        Ask { asker: Box::leak(Box::new(Same(hash))), avoid: None }
    }

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
