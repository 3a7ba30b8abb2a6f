//! Bounded load as in Envoy: a host with more attempts in hand than its slots passes the request on, to hosts in an
//! order that is shuffled by the key's hash.
//!
//! Slots are max(1, ⌈⌈(m + 1) · factor⌉ · normalised weight⌉), and a host is overloaded when it has *more* than
//! these in hand. The others are tried in a random order whose seed is the hash, so that equal keys overflow alike
//! (Chen, Coleman, Shrivastava, *Revisiting consistent hashing with bounded loads*, AAAI 2021); if all are overloaded,
//! the least overloaded takes it (envoy `thread_aware_lb_impl.cc`). This walks over all hosts.

use super::super::Member;
use crate::base::hash::mersenne::Mersenne;
use crate::base::id::NodeId;
use std::collections::BTreeMap;

/// Loads, and the bound on them.
#[derive(Clone, Debug)]
pub struct Overload {
    percent: u64,
    // By node.
    in_flight: Vec<u32>,
    total: u64,
    // Normalised weights of the eligible, in their order.
    weights: Vec<(NodeId, f64)>,
    order: Vec<u32>,
}

impl Overload {
    /// Nothing in hand; `None` when there is no factor [%].
    pub fn new(factor: Option<u32>) -> Option<Overload> {
        let percent = u64::from(factor?);
        let (in_flight, weights, order) = Default::default();
        Some(Overload { percent, in_flight, total: 0, weights, order })
    }

    /// These are the eligible hosts.
    pub fn set_hosts(&mut self, hosts: &[(Member, f64)]) {
        self.weights = hosts.iter().map(|&(member, weight)| (member.id, weight)).collect();
    }

    /// A host has so many in hand.
    pub fn load(&mut self, node: NodeId, in_flight: u32) {
        if node.index() >= self.in_flight.len() {
            self.in_flight.resize(node.index() + 1, 0);
        }
        let before = std::mem::replace(&mut self.in_flight[node.index()], in_flight);
        self.total = self.total + u64::from(in_flight) - u64::from(before);
    }

    /// In hand ÷ slots.
    fn factor(&self, node: NodeId, weight: f64) -> f64 {
        let slots = ((self.total + 1) * self.percent).div_ceil(100) as f64;
        let in_flight = self.in_flight.get(node.index()).copied().unwrap_or(0);
        f64::from(in_flight) / (slots * weight).ceil().max(1.0)
    }

    /// The host for a key whose own host is `home`, one of the eligible.
    pub fn choose(&mut self, hash: u64, home: NodeId) -> NodeId {
        let Ok(place) = self.weights.binary_search_by_key(&home, |&(node, _)| node) else { return home };
        let own = self.factor(home, self.weights[place].1);
        if own <= 1.0 {
            return home;
        }
        let hosts = self.weights.len() as u32;
        let mut order = std::mem::take(&mut self.order);
        order.clear();
        order.extend(0..hosts);
        let mut shuffle = Mersenne::new(hash as u32);
        let mut least = (own, home);
        for i in 0..hosts {
            let other = i + shuffle.below(hosts - i);
            order.swap(i as usize, other as usize);
            let (node, weight) = self.weights[order[i as usize] as usize];
            let factor = self.factor(node, weight);
            if node != home && factor < least.0 {
                least = (factor, node);
            }
            if node != home && factor <= 1.0 {
                break;
            }
        }
        self.order = order;
        least.1
    }
}

/// So many hosts are looked at while each passes the request on to the one to be avoided.
pub const TRIES: usize = 20;

/// The eligible hosts of an Envoy cluster, and their weights as shares of one.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    members: BTreeMap<NodeId, Member>,
}

impl Hosts {
    /// A host is eligible.
    pub fn join(&mut self, member: Member) {
        self.members.insert(member.id, member);
    }

    /// A host is not eligible any more.
    pub fn leave(&mut self, node: NodeId) {
        self.members.remove(&node);
    }

    /// How many are eligible.
    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// The first declared that is not `avoid`.
    pub fn first(&self, avoid: Option<NodeId>) -> Option<NodeId> {
        self.members.keys().copied().find(|&node| Some(node) != avoid)
    }

    /// Hosts and normalised weights, in the order in which they were declared.
    pub fn normalised(&self) -> Vec<(Member, f64)> {
        let sum: u64 = self.members.values().map(|member| u64::from(member.weight)).sum();
        self.members.values().map(|&member| (member, f64::from(member.weight) / sum as f64)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::member;
    use super::*;

    fn overload(hosts: u32, percent: u32) -> Overload {
        let mut members = Hosts::default();
        (0..hosts).for_each(|n| members.join(member(n)));
        let mut overload = Overload::new(Some(percent)).unwrap();
        overload.set_hosts(&members.normalised());
        overload
    }

    #[test]
    fn an_overloaded_host_passes_on_and_equal_keys_alike() {
        let mut overload = overload(10, 120);
        assert_eq!(overload.choose(7, NodeId(3)), NodeId(3));
        overload.load(NodeId(3), 3);
        let other = overload.choose(7, NodeId(3));
        assert_ne!(other, NodeId(3), "3 in hand, ⌈⌈1.2 · 4⌉ / 10⌉ = 1 slot");
        assert!((0..5).all(|_| overload.choose(7, NodeId(3)) == other));
        let mut met: Vec<u32> = (0..500).map(|hash| overload.choose(hash, NodeId(3)).0).collect();
        met.sort_unstable();
        met.dedup();
        assert_eq!(met.len(), 9, "keys of one host spread over all others");
    }

    #[test]
    fn when_all_are_overloaded_the_least_overloaded_takes_it() {
        let mut overload = overload(3, 101);
        // Slots are ⌈⌈1.01 · 31⌉ / 3⌉ = 11; a host that is gone still counts.
        [12, 14, 13].into_iter().zip(0..).for_each(|(load, node)| overload.load(NodeId(node), load));
        overload.total = 30;
        assert!((0..20).all(|hash| overload.choose(hash, NodeId(1)) == NodeId(0)));
    }
}
