//! `jump`: a key jumps through the numbers of the eligible nodes, with no table at all (Lamping, Veach, *A fast, minimal
//! memory, consistent hash algorithm*, 2014).
//!
//! Perfectly even, and a node added at the end takes its share from all and moves nobody else. But buckets have
//! numbers, not names: when a node in the middle leaves, all those after it count one less, and most keys move. A node
//! of weight w is w buckets in a row. A node that has just refused gives way to a second jump, among the others.
//!
//! ```toml
//! balancer.balance = { jump = { key = "session" } }
//! ```

use super::{Ask, Balance, Key, Member};
use crate::base::draw::mix;
use crate::base::hash::jump::jump;
use crate::base::id::NodeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line for `stickysim list balance`.
pub const MEANING: &str =
    "jump consistent hash: even, no table; good for adding at the end, bad for losing one in the middle";

/// Parameters of `jump`.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// What is hashed; default the session.
    pub key: Key,
}

/// Working state.
#[derive(Debug)]
pub struct Jump {
    key: Key,
    // Weights of the eligible.
    members: BTreeMap<NodeId, u32>,
    // Made on the first pick after a change.
    buckets: Vec<NodeId>,
}

impl Jump {
    /// Nobody is eligible yet.
    pub fn new(params: &Params) -> Jump {
        Jump { key: params.key, members: BTreeMap::new(), buckets: Vec::new() }
    }
}

impl Balance for Jump {
    fn joined(&mut self, member: Member) {
        self.members.insert(member.id, member.weight);
        self.buckets.clear();
    }

    fn left(&mut self, node: NodeId) {
        self.members.remove(&node);
        self.buckets.clear();
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        if self.buckets.is_empty() {
            let rows = self.members.iter().map(|(&node, &weight)| std::iter::repeat_n(node, weight as usize));
            self.buckets.extend(rows.flatten());
        }
        let (key, buckets) = (self.key.of(ask), self.buckets.len() as u32);
        if buckets == 0 {
            return None;
        }
        let node = self.buckets[jump(key, buckets) as usize];
        let Some(avoid) = ask.avoid.filter(|&avoid| avoid == node && self.members.len() > 1) else { return Some(node) };
        // Its buckets stand in a row: those after it close up.
        let weight = self.members[&avoid];
        let first = self.buckets.iter().position(|&other| other == avoid)? as u32;
        let other = jump(mix(key), buckets - weight);
        Some(self.buckets[(other + if other < first { 0 } else { weight }) as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, member};
    use super::*;

    fn homes(jump: &mut Jump) -> Vec<NodeId> {
        (0..50_000).map(|key| jump.pick(&ask(key)).unwrap()).collect()
    }

    #[test]
    fn one_more_at_the_end_moves_its_share_and_one_less_in_the_middle_moves_most() {
        let mut jump = Jump::new(&Params::default());
        (0..10).for_each(|n| jump.joined(member(n)));
        let before = homes(&mut jump);
        let moved = |before: &[NodeId], after: &[NodeId]| {
            before.iter().zip(after).filter(|(was, is)| was != is).count() as f64 / 50_000.0
        };
        jump.joined(member(10));
        let more = homes(&mut jump);
        // Oracle O7(b): 9.09 ± 0.3 %, all to the new one.
        assert!((moved(&before, &more) - 1.0 / 11.0).abs() < 0.005);
        assert!(before.iter().zip(&more).all(|(was, is)| was == is || is.0 == 10));
        jump.left(NodeId(10));
        jump.left(NodeId(0));
        // Everybody but those who jump to the new last bucket keeps a bucket, and buckets have moved up by one.
        assert!(moved(&before, &homes(&mut jump)) > 0.8);
    }

    #[test]
    fn weights_are_buckets() {
        let mut jump = Jump::new(&Params::default());
        (0..).zip([1, 3, 1]).for_each(|(n, weight)| jump.joined(Member { weight, ..member(n) }));
        let homes = homes(&mut jump);
        let share = homes.iter().filter(|home| home.0 == 1).count() as f64 / 50_000.0;
        assert!((share - 0.6).abs() < 0.01, "{share}");
        for key in 0..200 {
            let home = homes[key as usize];
            assert_ne!(jump.pick(&Ask { avoid: Some(home), ..ask(key) }), Some(home));
        }
    }
}
