//! Earliest deadline first: every node's next turn is due 1 ÷ weight after its last, and whoever is due first is next.
//!
//! Of those that are due at once, the one that was put in first comes first. A weight is looked at when its node is
//! picked, not before. Source: envoy `edf_scheduler.h`.

use crate::base::id::NodeId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Who is due when.
#[derive(Debug, Default)]
pub struct Edf {
    // When, as the bits of a positive number, whose order is the number's; the how manieth put in; who.
    due: BinaryHeap<Reverse<(u64, u64, NodeId)>>,
    now: f64,
    added: u64,
}

impl Edf {
    /// Puts in a node with a weight above 0.
    pub fn add(&mut self, node: NodeId, weight: f64) {
        let entry = self.entry(node, weight);
        self.due.push(entry);
    }

    /// The node whose turn it is, put in again with the weight that it has now.
    #[inline]
    pub fn turn(&mut self, weight: impl Fn(NodeId) -> f64) -> Option<NodeId> {
        let &Reverse((deadline, _, node)) = self.due.peek()?;
        self.now = f64::from_bits(deadline);
        let entry = self.entry(node, weight(node));
        // In place: one way through the heap instead of two.
        *self.due.peek_mut()? = entry;
        Some(node)
    }

    fn entry(&mut self, node: NodeId, weight: f64) -> Reverse<(u64, u64, NodeId)> {
        self.added += 1;
        Reverse(((self.now + 1.0 / weight).to_bits(), self.added, node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_follow_the_weights_of_the_moment() {
        let mut edf = Edf::default();
        edf.add(NodeId(0), 1.0);
        edf.add(NodeId(1), 1.0);
        let mut turns = |weight: f64| -> String {
            let weigh = |node: NodeId| if node == NodeId(0) { weight } else { 1.0 };
            (0..8).map(|_| char::from(b'A' + edf.turn(weigh).unwrap().0 as u8)).collect()
        };
        assert_eq!(turns(1.0), "ABABABAB");
        assert_eq!(turns(3.0).matches('A').count(), 6);
    }
}
