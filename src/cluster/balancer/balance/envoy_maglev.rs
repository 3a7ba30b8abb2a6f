//! `envoy_maglev`: Envoy's `MAGLEV`, bit for bit.
//!
//! The hosts are sorted by "address:port" as a text. A host's permutation begins at xxHash64(text) mod size and goes on
//! by xxHash64(text, seed 1) mod (size − 1) + 1; they take turns by weight (`parts/permutation.rs`). A key's slot is
//! xxHash64(key) mod size; from a host that has just refused, the hash is xored with −1, −2 … as 64-bit words.
//!
//! The table is made of the eligible hosts alone; few keys move needlessly when one leaves. Source: envoy
//! `maglev_lb.cc`; held to tables measured on Envoy 1.39.3 (`reality.rs`). `balance_factor` is `hash_balance_factor`
//! (`parts/overload.rs`). `maglev` is the same without a product's luck.
//!
//! ```toml
//! balancer.balance = { envoy_maglev = { key = "header" } }
//! ```

use super::parts::bound;
use super::parts::overload::{Hosts, Overload, TRIES};
use super::parts::permutation::{self, Entry};
use super::parts::text::text;
use super::{Ask, Balance, Key, Member};
use crate::base::hash::xxh64::xxh64;
use crate::base::id::NodeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list balance`.
pub const MEANING: &str = "Envoy's `MAGLEV`, bit for bit: a large table that hosts take turns to fill";

/// Parameters of `envoy_maglev`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// What is hashed; default the session.
    pub key: Key,
    /// Slots of the table, a prime number; at most 5,000,011, default 65537.
    pub table_size: u32,
    /// The most that a host may have in hand, in percent of its share (Envoy `hash_balance_factor`); from 101 to
    /// 100,000, no bound unless given.
    pub balance_factor: Option<u32>,
}

impl Default for Params {
    fn default() -> Params {
        Params { key: Key::Session, table_size: 65_537, balance_factor: None }
    }
}

impl Params {
    /// What is wrong with the parameters.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        permutation::fault(self.table_size).into_iter().chain(bound::fault(self.balance_factor)).collect()
    }
}

/// Working state.
#[derive(Debug)]
pub struct Maglev {
    params: Params,
    hosts: Hosts,
    table: Vec<NodeId>,
    overload: Option<Overload>,
    stale: bool,
}

impl Maglev {
    /// Nobody is eligible yet.
    pub fn new(params: &Params) -> Maglev {
        let overload = Overload::new(params.balance_factor);
        Maglev { params: *params, hosts: Hosts::default(), table: Vec::new(), overload, stale: false }
    }

    /// On the first pick after a change.
    fn build(&mut self) {
        self.stale = false;
        let (hosts, size) = (self.hosts.normalised(), u64::from(self.params.table_size));
        let mut entries: Vec<(String, Entry)> = hosts
            .iter()
            .map(|&(member, weight)| {
                let name = member.address.to_string();
                let offset = (xxh64(name.as_bytes(), 0) % size) as u32;
                let skip = (xxh64(name.as_bytes(), 1) % (size - 1)) as u32 + 1;
                (name, Entry { node: member.id, offset, skip, weight })
            })
            .collect();
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let entries: Vec<Entry> = entries.into_iter().map(|(_, entry)| entry).collect();
        self.table = permutation::fill(&entries, self.params.table_size);
        if let Some(overload) = &mut self.overload {
            overload.set_hosts(&hosts);
        }
    }

    /// The host of a key that is a text.
    pub(super) fn choose(&mut self, key: &[u8], avoid: Option<NodeId>) -> Option<NodeId> {
        if self.hosts.count() == 0 {
            return None;
        }
        if self.stale {
            self.build();
        }
        let (hash, size) = (xxh64(key, 0), self.table.len() as u64);
        let avoid = avoid.filter(|_| self.hosts.count() > 1);
        for attempt in 0..TRIES as u64 {
            let home = self.table[((hash ^ attempt.wrapping_neg()) % size) as usize];
            let node = self.overload.as_mut().map_or(home, |overload| overload.choose(hash, home));
            if Some(node) != avoid {
                return Some(node);
            }
        }
        self.hosts.first(avoid)
    }
}

impl Balance for Maglev {
    fn joined(&mut self, member: Member) {
        self.hosts.join(member);
        self.stale = true;
    }

    fn left(&mut self, node: NodeId) {
        self.hosts.leave(node);
        self.stale = true;
    }

    fn load(&mut self, node: NodeId, in_flight: u32) {
        if let Some(overload) = &mut self.overload {
            overload.load(node, in_flight);
        }
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        self.choose(&text(self.params.key, ask), ask.avoid)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::member;
    use super::*;

    /// Slots of each host.
    fn sizes(weights: &[u32]) -> Vec<usize> {
        let mut maglev = Maglev::new(&Params::default());
        (0..).zip(weights).for_each(|(n, &weight)| maglev.joined(Member { weight, ..member(n) }));
        maglev.build();
        (0..weights.len()).map(|host| maglev.table.iter().filter(|node| node.index() == host).count()).collect()
    }

    #[test]
    fn the_slots_of_each_are_as_envoy_counts_them() {
        // Its own statistics, Envoy 1.39.3: the least and the most slots of a host.
        let even = sizes(&[1, 1, 1]);
        assert!(even.iter().all(|slots| [21_845, 21_846].contains(slots)), "{even:?}");
        let uneven = sizes(&[1, 1, 2, 1]);
        assert_eq!((uneven.iter().min(), uneven.iter().max()), (Some(&13_107), Some(&26_214)));
    }
}
