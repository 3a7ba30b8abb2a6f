//! The peers of an NGINX upstream: all that are configured, whether or not they are up, as slots by weight.
//!
//! A peer that is down keeps its slots: a key that leads there is hashed again, up to twenty times, then the request
//! goes round robin (nginx `ngx_http_upstream_hash_module.c`). So taking a peer down moves its own keys only, and
//! taking it out of the configuration moves nearly all.

use super::super::roundrobin::{self, Order};
use super::super::{Ask, Balance, Member};
use crate::base::id::NodeId;

/// So many tries may fail before the request goes round robin.
pub const TRIES: u32 = 20;

/// The peers.
pub struct Peers {
    // In the order of their numbers.
    configured: Vec<Member>,
    // Running sums of weights.
    ends: Vec<u32>,
    // The weight of all, unless they differ.
    each: Option<u32>,
    // By node.
    eligible: Vec<bool>,
    count: usize,
    turns: Box<dyn Balance>,
}

impl Default for Peers {
    fn default() -> Peers {
        let turns = roundrobin::Params { order: Order::Nginx }.start(0, "");
        let (configured, ends, eligible) = Default::default();
        Peers { configured, ends, each: None, eligible, count: 0, turns }
    }
}

impl Peers {
    /// A peer is up.
    pub fn join(&mut self, member: Member) {
        match self.configured.binary_search_by_key(&member.id, |peer| peer.id) {
            Ok(place) => self.configured[place] = member,
            Err(place) => self.configured.insert(place, member),
        }
        // Made on the next use.
        self.ends.clear();
        if member.id.index() >= self.eligible.len() {
            self.eligible.resize(member.id.index() + 1, false);
        }
        self.count += usize::from(!std::mem::replace(&mut self.eligible[member.id.index()], true));
        self.turns.joined(member);
    }

    /// A peer is down.
    pub fn leave(&mut self, node: NodeId) {
        if self.eligible.get(node.index()) == Some(&true) {
            self.eligible[node.index()] = false;
            self.count -= 1;
            self.turns.left(node);
        }
    }

    /// A peer, down, is not configured any more.
    pub fn forget(&mut self, node: NodeId) {
        self.configured.retain(|peer| peer.id != node);
        self.ends.clear();
    }

    /// How many are up.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The sum of all weights.
    #[inline]
    pub fn total(&mut self) -> u32 {
        if self.ends.is_empty() {
            self.each = self.configured.first().map(|peer| peer.weight);
            self.each = self.each.filter(|&each| self.configured.iter().all(|peer| peer.weight == each));
            let sums = self.configured.iter().scan(0, |sum, peer| {
                *sum += peer.weight;
                Some(*sum)
            });
            self.ends = sums.collect();
        }
        self.ends.last().copied().unwrap_or(0)
    }

    /// The peer whose slots hold `slot`, which is below the total just asked for.
    #[inline]
    fn at(&self, slot: u32) -> NodeId {
        let place = match self.each {
            Some(each) => (slot / each) as usize,
            None => self.ends.partition_point(|&end| end <= slot),
        };
        self.configured[place].id
    }

    /// Hashes again and again until a peer is found that is up and not to be avoided. `hash` gives the next number,
    /// of which the remainder by the total is the slot.
    #[inline]
    pub fn pick(&mut self, ask: &Ask, mut hash: impl FnMut() -> u32) -> Option<NodeId> {
        if self.count == 0 {
            return None;
        }
        let (total, mut failed, mut met) = (self.total(), 0, false);
        while failed <= TRIES {
            let node = self.at(hash() % total);
            if self.eligible[node.index()] && Some(node) != ask.avoid {
                return Some(node);
            }
            // A peer that was tried got there by a hash that was no failure.
            failed += u32::from(Some(node) != ask.avoid || met);
            met |= Some(node) == ask.avoid;
        }
        self.turn(ask)
    }

    /// The next in turn.
    pub fn turn(&mut self, ask: &Ask) -> Option<NodeId> {
        self.turns.pick(ask)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{ask, member};
    use super::*;

    fn peers(weights: &[u32]) -> Peers {
        let mut peers = Peers::default();
        (0..).zip(weights).for_each(|(n, &weight)| peers.join(Member { weight, ..member(n) }));
        peers
    }

    #[test]
    fn slots_go_by_weight_in_order() {
        let mut peers = peers(&[2, 1, 3]);
        assert_eq!(peers.total(), 6);
        assert_eq!([0, 1, 2, 3, 4, 5].map(|slot| peers.at(slot).0), [0, 0, 1, 2, 2, 2]);
    }

    #[test]
    fn a_peer_that_is_down_keeps_its_slots_and_one_that_is_gone_does_not() {
        let mut peers = peers(&[1, 1, 1]);
        peers.leave(NodeId(1));
        let mut slots = [1, 2].into_iter().cycle();
        assert_eq!(peers.pick(&ask(0), || slots.next().unwrap()), Some(NodeId(2)));
        peers.forget(NodeId(1));
        assert_eq!((peers.total(), peers.at(1)), (2, NodeId(2)));
    }

    #[test]
    fn after_twenty_tries_it_goes_round_robin() {
        let mut peers = peers(&[1, 1, 1]);
        peers.leave(NodeId(1));
        let mut tries = 0;
        let mut stubborn = || {
            tries += 1;
            1
        };
        assert_eq!(peers.pick(&ask(0), &mut stubborn), Some(NodeId(0)));
        assert_eq!(peers.pick(&ask(0), &mut stubborn), Some(NodeId(2)));
        assert_eq!(tries, 42);
    }
}
