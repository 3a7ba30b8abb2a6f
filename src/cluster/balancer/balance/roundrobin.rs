//! `roundrobin`: the eligible nodes in turn.
//!
//! With equal weights the smooth orders of HAProxy, NGINX and Envoy are the same: one after the other.

use super::{Ask, Balance, Members};
use crate::base::id::NodeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list balance`.
pub const MEANING: &str = "the eligible nodes in turn, one rotation over all requests";

/// `roundrobin` has no parameters.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {}

/// Working state.
#[derive(Debug, Default)]
pub struct RoundRobin {
    members: Members,
    // The turn goes to the first member not below this; wraps around.
    next: u32,
}

impl RoundRobin {
    /// Nobody is eligible yet.
    pub fn new(_: &Params) -> RoundRobin {
        RoundRobin::default()
    }

    fn turn(&mut self) -> Option<NodeId> {
        let members = &self.members.0;
        let place = members.partition_point(|node| node.0 < self.next);
        let node = *members.get(place).or(members.first())?;
        self.next = node.0 + 1;
        Some(node)
    }
}

impl Balance for RoundRobin {
    fn joined(&mut self, node: NodeId, _weight: u32) {
        self.members.join(node);
    }

    fn left(&mut self, node: NodeId) {
        self.members.leave(node);
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        let node = self.turn()?;
        if Some(node) == ask.avoid { self.turn() } else { Some(node) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_turn_goes_round_and_survives_a_leaving_node() {
        let mut rr = RoundRobin::default();
        (0..3).for_each(|n| rr.joined(NodeId(n), 1));
        let turns = |rr: &mut RoundRobin, n: usize| -> Vec<u32> {
            (0..n).map(|_| rr.pick(&Ask { key: 0, avoid: None }).unwrap().0).collect()
        };
        assert_eq!(turns(&mut rr, 4), [0, 1, 2, 0]);
        rr.left(NodeId(1));
        assert_eq!(turns(&mut rr, 3), [2, 0, 2]);
    }
}
