//! `first`: the lowest-numbered eligible node takes everything.
//!
//! Meant for filling one node before the next is used (HAProxy, `balance first`), which needs `in_flight_max`: a
//! full node is passed over. Without a limit it shows what no balancing at all looks like.

use super::{Ask, Balance, Member, Members};
use crate::base::id::NodeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list balance`.
pub const MEANING: &str = "the lowest-numbered eligible node takes everything";

/// `first` has no parameters.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {}

/// Working state.
#[derive(Debug, Default)]
pub struct First {
    members: Members,
}

impl First {
    /// Nobody is eligible yet.
    pub fn new(_: &Params) -> First {
        First::default()
    }
}

impl Balance for First {
    fn joined(&mut self, member: Member) {
        self.members.join(member.id);
    }

    fn left(&mut self, node: NodeId) {
        self.members.leave(node);
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        let members = self.members.0.iter().copied().filter(|&node| !ask.is_full(node));
        members.clone().find(|&node| Some(node) != ask.avoid).or_else(|| members.clone().next())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, member};
    use super::*;

    #[test]
    fn the_lowest_number_wins_whoever_joined_first() {
        let mut first = First::default();
        [2, 0, 1].into_iter().for_each(|n| first.joined(member(n)));
        assert_eq!(first.pick(&ask(9)), Some(NodeId(0)));
        first.left(NodeId(0));
        assert_eq!(first.pick(&ask(9)), Some(NodeId(1)));
    }
}
