//! What is said of nodes, and when a balancer hears it.
//!
//! An operator's word, and the readiness that an agent on the node's host finds, reach each balancer after a time of
//! its own: a change of an EndpointSlice, for example, every kube-proxy in its turn. What is said later is never
//! heard earlier.

use super::Admin;
use crate::base::id::NodeId;
use crate::base::time::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// Something that is said of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Word {
    /// It belongs to the cluster from now on.
    Joined,
    /// Its readiness probe says so, or no longer.
    Ready(bool),
    /// What an operator wants of it.
    Admin(Admin),
    /// What weight an operator gives it.
    Weight(u32),
}

/// What is on its way.
#[derive(Debug, Default)]
pub struct Words {
    // When, in what order said, of whom, what.
    under_way: BTreeSet<(Instant, u64, NodeId, Word)>,
    said: u64,
    // By node, when the last one on its way arrives.
    last: BTreeMap<NodeId, Instant>,
}

impl Words {
    /// `word` will be heard at `due`, and not before what was said of the node earlier.
    pub fn say(&mut self, due: Instant, node: NodeId, word: Word) {
        let last = self.last.entry(node).or_insert(Instant::START);
        *last = due.max(*last);
        self.under_way.insert((*last, self.said, node, word));
        self.said += 1;
    }

    /// Gives up everything: what an operator has said stays on its way, to somebody else. Of who belongs to the
    /// cluster and who is ready a process asks when it begins.
    pub fn pass_on(&mut self) -> Words {
        let mut words = std::mem::take(self);
        words.under_way.retain(|(.., word)| matches!(word, Word::Admin(_) | Word::Weight(_)));
        words
    }

    /// When something is heard.
    pub fn due(&self) -> Instant {
        self.under_way.first().map_or(Instant::NEVER, |&(due, ..)| due)
    }

    /// The next that is heard by now.
    pub fn heard(&mut self, now: Instant) -> Option<(NodeId, Word)> {
        let &(_, _, node, word) = self.under_way.first().filter(|&&(due, ..)| due <= now)?;
        self.under_way.pop_first();
        Some((node, word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Duration;

    #[test]
    fn what_is_said_later_is_not_heard_earlier() {
        let at = |secs| Instant::START + Duration::from_secs(secs);
        let (a, b) = (NodeId(0), NodeId(1));
        let mut words = Words::default();
        words.say(at(5), a, Word::Ready(false));
        words.say(at(2), a, Word::Ready(true));
        words.say(at(3), b, Word::Admin(Admin::Drain));
        assert_eq!(words.due(), at(3));
        let mut heard = |now| std::iter::from_fn(|| words.heard(now)).collect::<Vec<_>>();
        assert_eq!(heard(at(4)), [(b, Word::Admin(Admin::Drain))]);
        assert_eq!(heard(at(5)), [(a, Word::Ready(false)), (a, Word::Ready(true))]);
    }
}
