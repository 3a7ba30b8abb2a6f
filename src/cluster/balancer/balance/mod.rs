//! Which node takes it? The algorithms that compute a node from loads, order, chance or a hash.
//!
//! To add one: write its file here (parameters, state, test), then a `mod` line, a variant and its lines in
//! the three lists below. `first.rs` is the shortest example.

mod first;
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
    /// The lowest-numbered node.
    First(first::Params),
}

impl Default for Algorithm {
    fn default() -> Algorithm {
        Algorithm::Roundrobin(roundrobin::Params {})
    }
}

impl Alternatives for Algorithm {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("roundrobin", roundrobin::MEANING),
        ("random", random::MEANING),
        ("leastconn", leastconn::MEANING),
        ("ring", ring::MEANING),
        ("first", first::MEANING),
    ];
}

impl Algorithm {
    /// Its working state, for a cluster whose nodes have these names.
    pub fn start(&self, nodes: &[String], seed: u64, instance: &str) -> Box<dyn Balance> {
        match self {
            Algorithm::Roundrobin(params) => Box::new(roundrobin::RoundRobin::new(params)),
            Algorithm::Random(params) => Box::new(random::Random::new(params, nodes.len(), seed, instance)),
            Algorithm::Leastconn(params) => Box::new(leastconn::LeastConn::new(params, nodes.len())),
            Algorithm::Ring(params) => Box::new(ring::Ring::new(params, nodes, seed)),
            Algorithm::First(params) => Box::new(first::First::new(params)),
        }
    }

    /// Whether the choice depends on the session alone, so that it binds the session to a node.
    pub fn binds(&self) -> bool {
        matches!(self, Algorithm::Ring(_))
    }

    /// What is wrong with the parameters: (key, message).
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        match self {
            Algorithm::Random(params) => params.faults(),
            Algorithm::Ring(params) => params.faults(),
            Algorithm::Roundrobin(_) | Algorithm::Leastconn(_) | Algorithm::First(_) => Vec::new(),
        }
    }
}

/// What a request is asked for by.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Hash of whatever the session is known by.
    pub key: u64,
    /// The node that just failed this attempt: to be avoided if there is another.
    pub avoid: Option<NodeId>,
}

/// The contract of a balance algorithm over one pool of nodes.
///
/// The balancer reports who is eligible and how many attempts each node has in hand, eligible or not.
pub trait Balance: Send {
    /// `node` has become eligible.
    fn joined(&mut self, node: NodeId, weight: u32);
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
mod tests {
    use super::*;
    use crate::base::choice::Choice;

    /// Every algorithm in the list, with its defaults.
    fn every() -> impl Iterator<Item = (&'static str, Algorithm)> {
        Algorithm::NAMES.iter().map(|&(name, _)| {
            let choice: Choice<Algorithm> = serde_json::from_value(name.into()).expect(name);
            (name, choice.0)
        })
    }

    fn started(algorithm: &Algorithm, nodes: u32) -> Box<dyn Balance> {
        let names: Vec<String> = (0..nodes).map(|i| format!("n{i}")).collect();
        algorithm.start(&names, 1, "lb1")
    }

    fn ask(key: u64) -> Ask {
        Ask { key: crate::base::draw::mix(key), avoid: None }
    }

    #[test]
    fn nobody_eligible_means_nobody_picked() {
        for (name, algorithm) in every() {
            let mut balance = started(&algorithm, 3);
            assert_eq!(balance.pick(&ask(1)), None, "{name}");
            balance.joined(NodeId(1), 1);
            balance.left(NodeId(1));
            assert_eq!(balance.pick(&ask(1)), None, "{name}");
        }
    }

    #[test]
    fn only_eligible_nodes_are_picked_and_the_avoided_only_when_alone() {
        for (name, algorithm) in every() {
            let mut balance = started(&algorithm, 5);
            [0, 1, 3].into_iter().for_each(|n| balance.joined(NodeId(n), 1));
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
            let mut balance = started(&algorithm, 1);
            balance.joined(NodeId(0), 1);
            assert!((0..50).all(|key| balance.pick(&ask(key)) == Some(NodeId(0))), "{name}");
        }
    }
}
