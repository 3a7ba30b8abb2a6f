//! Earliest deadline first: every node's next turn is due 1 ÷ weight after its last, and whoever is due first is next.
//!
//! Of those that are due at once, the one that was put in first comes first. A weight is looked at when its node is
//! picked, not before. Source: envoy `edf_scheduler.h`.

use crate::base::id::NodeId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A deadline; never NaN, so that it has a place in an order.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Deadline(f64);

impl Eq for Deadline {}

impl PartialOrd for Deadline {
    fn partial_cmp(&self, other: &Deadline) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Deadline {
    fn cmp(&self, other: &Deadline) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Who is due when.
#[derive(Debug, Default)]
pub struct Edf {
    // When, the how manieth put in, who.
    due: BinaryHeap<Reverse<(Deadline, u64, NodeId)>>,
    now: f64,
    added: u64,
}

impl Edf {
    /// Puts in a node with a weight above 0.
    pub fn add(&mut self, node: NodeId, weight: f64) {
        self.due.push(Reverse((Deadline(self.now + 1.0 / weight), self.added, node)));
        self.added += 1;
    }

    /// The node whose turn it is, put in again with the weight that it has now.
    pub fn turn(&mut self, weight: impl Fn(NodeId) -> f64) -> Option<NodeId> {
        let Reverse((deadline, _, node)) = self.due.pop()?;
        self.now = deadline.0;
        self.add(node, weight(node));
        Some(node)
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
