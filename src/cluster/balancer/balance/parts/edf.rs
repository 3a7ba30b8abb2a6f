//! Earliest deadline first: every node's next turn is due 1 ÷ weight after its last, and whoever is due first is next.
//!
//! Of those that are due at once, the one that was put in first comes first. A weight is looked at when its node is
//! picked, not before. Source: envoy `edf_scheduler.h`.

use super::super::{Ask, Member, Members};
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

/// Who is eligible with which weight; and deadlines for them while weights differ, made anew for every new set of members.
#[derive(Debug, Default)]
pub struct Deadlines {
    /// Who is eligible.
    pub members: Members,
    // By node.
    weights: Vec<u32>,
    edf: Option<Edf>,
    stale: bool,
}

impl Deadlines {
    /// A node is eligible, or has another weight.
    pub fn joined(&mut self, member: Member) {
        let index = member.id.index();
        if index >= self.weights.len() {
            self.weights.resize(index + 1, 0);
        }
        let before = std::mem::replace(&mut self.weights[index], member.parts());
        let is_new = self.members.0.binary_search(&member.id).is_err();
        // A weight that changes is looked at when its turn comes; it needs deadlines, if there are none yet.
        self.stale |= is_new || before != member.parts() && self.edf.is_none();
        self.members.join(member.id);
    }

    /// A node is not eligible any more.
    pub fn left(&mut self, node: NodeId) {
        self.members.leave(node);
        self.stale = true;
    }

    /// After a change of members, while somebody is eligible: makes deadlines anew, if weights differ, and lets the first
    /// `skip(n)` of n members' turns go by.
    #[inline]
    pub fn renew(&mut self, worth: impl Fn(NodeId, u32) -> f64, skip: impl FnOnce(usize) -> usize) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        let (members, weights) = (&self.members.0, &self.weights);
        let worth = |node: NodeId| worth(node, weights[node.index()]);
        let differ = members.windows(2).any(|two| weights[two[0].index()] != weights[two[1].index()]);
        self.edf = differ.then(Edf::default);
        if let Some(edf) = &mut self.edf {
            members.iter().for_each(|&node| edf.add(node, worth(node)));
            for _ in 0..skip(members.len()) {
                edf.turn(worth);
            }
        }
    }

    /// Whose turn it is; `None` while weights are equal.
    #[inline]
    pub fn turn(&mut self, worth: impl Fn(NodeId, u32) -> f64) -> Option<NodeId> {
        let weights = &self.weights;
        self.edf.as_mut()?.turn(|node| worth(node, weights[node.index()]))
    }
}

/// Asks for the next node again, a few times, while it is one that is full or to be avoided; Envoy does so, too. One
/// that is to be avoided is taken only when there is nobody else.
#[inline]
pub fn pick_again<T>(
    of: &mut T,
    members: impl Fn(&T) -> &[NodeId],
    ask: &Ask,
    next: impl Fn(&mut T) -> NodeId,
) -> Option<NodeId> {
    let fits = |node: NodeId| !ask.is_full(node) && Some(node) != ask.avoid;
    for _ in 0..members(of).len() * 4 {
        let node = next(of);
        if fits(node) {
            return Some(node);
        }
    }
    let members = members(of).iter().copied();
    members.clone().find(|&node| fits(node)).or_else(|| members.clone().find(|&node| !ask.is_full(node)))
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
