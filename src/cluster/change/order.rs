//! Whose turn comes first: to be restarted, or to be taken away?
//!
//! The rules for those that are taken away are what products have: a ReplicaSet prefers pods that are not ready, then
//! the youngest, unless the application sets `pod-deletion-cost`, by which the emptiest can go first (Kubernetes
//! documentation, *ReplicaSet*: scaling; it takes ages on a logarithmic scale, so that pods of nearly one age are
//! drawn). EC2 Auto Scaling has `OldestInstance` and `NewestInstance`. The youngest is also who
//! has the fewest sessions, as long as sessions last longer than nodes stay alike.

use crate::base::draw::Stream;
use crate::base::id::NodeId;
use crate::cluster::Sim;
use rand::Rng;
use schemars::JsonSchema;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::fmt;

/// Whose turn comes first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Order {
    /// By a rule.
    Rule(Rule),
    /// These first, in this order, then the rest by number.
    Names(Vec<String>),
}

impl Default for Order {
    fn default() -> Order {
        Order::Rule(Rule::Forward)
    }
}

struct OrderVisitor;

impl<'de> Visitor<'de> for OrderVisitor {
    type Value = Order;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} or names such as [\"n3\", \"n1\"]", known())
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Order, E> {
        let rule = RULES.iter().find(|(name, _)| *name == text);
        rule.map(|&(_, rule)| Order::Rule(rule)).ok_or_else(|| {
            E::custom(format!("`{text}` is no order of turns\nhint: write {} or a list of names", known()))
        })
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Order, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = items.next_element()? {
            names.push(name);
        }
        Ok(Order::Names(names))
    }
}

// By hand, since an untagged enum would hide the place and the reason of an error.
impl<'de> Deserialize<'de> for Order {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Order, D::Error> {
        from.deserialize_any(OrderVisitor)
    }
}

/// A rule for whose turn comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The lowest number first.
    Forward,
    /// The highest number first.
    Reverse,
    /// Drawn anew for each seed.
    Random,
    /// Who has been there longest first; of those who came together, the lowest number.
    Oldest,
    /// Who came last first; of those who came together, the highest number.
    Newest,
    /// The fewest sessions bound to it first; among equals the newest.
    FewestSessions,
    /// The most sessions bound to it first; among equals the newest.
    MostSessions,
}

const RULES: &[(&str, Rule)] = &[
    ("forward", Rule::Forward),
    ("reverse", Rule::Reverse),
    ("random", Rule::Random),
    ("oldest", Rule::Oldest),
    ("newest", Rule::Newest),
    ("fewest_sessions", Rule::FewestSessions),
    ("most_sessions", Rule::MostSessions),
];

fn known() -> String {
    RULES.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<String>>().join(", ")
}

impl Sim<'_> {
    /// The nodes that are there, in the order of their turns in the change at this place in the plan.
    pub(super) fn turns(&self, index: usize, order: &Order) -> Vec<NodeId> {
        self.in_order(order, (&self.plan.changes[index].name, 0))
    }

    /// The nodes that are there, in the order in which they are taken away: who is not up comes first.
    pub(in crate::cluster) fn victims(&self, order: &Order, (name, nth): (&str, u64)) -> Vec<NodeId> {
        let mut nodes = self.in_order(order, (name, nth));
        nodes.sort_by_key(|&node| self.fleet.is_up(node));
        nodes
    }

    /// The nodes that are there in this order, but for those of a canary release, which are left to it; `name` and `nth`
    /// are the key of what is drawn.
    fn in_order(&self, order: &Order, (name, nth): (&str, u64)) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = self.fleet.ids().filter(|&node| self.belongs(node)).collect();
        let age = |node: NodeId| (self.fleet.get(node).joined, node);
        let held = |node: NodeId| self.bound_to[node.index()];
        match order {
            Order::Rule(Rule::Forward) => {}
            Order::Rule(Rule::Reverse) => nodes.reverse(),
            Order::Rule(Rule::Oldest) => nodes.sort_by_key(|&node| age(node)),
            Order::Rule(Rule::Newest) => nodes.sort_by_key(|&node| Reverse(age(node))),
            Order::Rule(Rule::FewestSessions) => nodes.sort_by_key(|&node| (held(node), Reverse(age(node)))),
            Order::Rule(Rule::MostSessions) => nodes.sort_by_key(|&node| Reverse((held(node), age(node)))),
            Order::Names(names) => nodes.sort_by_key(|node| {
                let name = &self.plan.nodes[node.index()].name;
                names.iter().position(|named| named == name).unwrap_or(names.len())
            }),
            Order::Rule(Rule::Random) => {
                let luck = Stream::new(self.seed, "turns", name);
                nodes.sort_by_key(|node| luck.at(u64::from(node.0), nth).next_u64());
            }
        }
        nodes
    }
}
