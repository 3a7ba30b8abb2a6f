//! Whose turn comes first?

use crate::base::draw::Stream;
use crate::base::id::NodeId;
use crate::cluster::Sim;
use rand::Rng;
use schemars::JsonSchema;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
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
        f.write_str("\"forward\", \"reverse\", \"random\" or names such as [\"n3\", \"n1\"]")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Order, E> {
        match text {
            "forward" => Ok(Order::Rule(Rule::Forward)),
            "reverse" => Ok(Order::Rule(Rule::Reverse)),
            "random" => Ok(Order::Rule(Rule::Random)),
            other => Err(E::custom(format!(
                "`{other}` is no order of turns\nhint: write \"forward\", \"reverse\", \"random\" or a list of names"
            ))),
        }
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
}

impl Sim<'_> {
    /// The nodes that are there, in the order of their turns in the change at this place in the plan.
    pub(super) fn turns(&self, index: usize, order: &Order) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = self.fleet.ids().filter(|&node| self.is_wanted(node)).collect();
        match order {
            Order::Rule(Rule::Forward) => {}
            Order::Rule(Rule::Reverse) => nodes.reverse(),
            Order::Names(names) => nodes.sort_by_key(|node| {
                let name = &self.plan.nodes[node.index()].name;
                names.iter().position(|named| named == name).unwrap_or(names.len())
            }),
            Order::Rule(Rule::Random) => {
                let luck = Stream::new(self.seed, "turns", &self.plan.changes[index].name);
                nodes.sort_by_key(|node| luck.at(u64::from(node.0), 0).next_u64());
            }
        }
        nodes
    }
}
