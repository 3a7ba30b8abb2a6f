//! `stick_table`: the balancer keeps a table of who was served by which node.
//!
//! An entry is written when a node has replied, and is as good as new after every use. It goes when it has
//! not been used for `expire`, or when the table is full and it is the one unused the longest (HAProxy
//! `stick-table … size … expire`, `stick on`). The memory is the balancer's: other instances do not share it,
//! and a reload empties it. Keyed by address, all clients behind one NAT go to one node.
//!
//! With `peers` every instance tells the others what it learns, and the process that replaces another is taught
//! its table (HAProxy `peers`). HAProxy pushes within milliseconds; here the others know at once.
//!
//! Populations that take `balancer.affinity` share one table; one with an affinity of its own has its own.
//!
//! ```toml
//! balancer.affinity = { stick_table = { key = "address", size = 50_000, expire = "30m", peers = true } }
//! ```

use super::Remember;
use crate::base::id::{NONE, NodeId};
use crate::base::time::{Duration, Instant};
use crate::cluster::balancer::balance::{Ask, Key};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line for `stickysim list affinity`.
pub const MEANING: &str = "a table in the balancer, by session, address or header; bounded in size, entries expire";

/// Parameters of `stick_table`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// What an entry is filed under; default the address, as in HAProxy's `stick on src`.
    pub key: Key,
    /// Entries that fit; from 1 to 100,000,000, default 200,000 (the example of HAProxy's manual).
    pub size: u32,
    /// How long an entry lives after its last use; default 30 min (the same).
    pub expire: Duration,
    /// Whether all instances know what one learns, and a reload keeps the table; default no.
    pub peers: bool,
}

/// More entries than any table has.
pub const SIZE_MAX: u32 = 100_000_000;

impl Default for Params {
    fn default() -> Params {
        Params { key: Key::Address, size: 200_000, expire: Duration::from_secs(1_800), peers: false }
    }
}

impl Params {
    /// What is wrong with the parameters.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if !(1..=SIZE_MAX).contains(&self.size) {
            faults.push(("size", format!("size must be from 1 to {SIZE_MAX} entries, but is {}", self.size)));
        }
        if self.expire.is_zero() {
            faults.push(("expire", "expire is zero: an entry would never be found again".to_owned()));
        }
        faults
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u64,
    node: NodeId,
    used: Instant,
    // Neighbours in the line of all entries by last use.
    older: u32,
    newer: u32,
}

/// The table.
#[derive(Clone, Debug)]
pub struct StickTable {
    params: Params,
    index: BTreeMap<u64, u32>,
    slots: Vec<Entry>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
}

impl StickTable {
    /// An empty table.
    pub fn new(params: &Params) -> StickTable {
        let (index, slots, free) = Default::default();
        StickTable { params: *params, index, slots, free, oldest: NONE, newest: NONE }
    }

    /// How many entries there are, expired ones that nothing has touched since included.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.index.len()
    }

    fn unlink(&mut self, slot: u32) {
        let Entry { older, newer, .. } = self.slots[slot as usize];
        match older {
            NONE => self.oldest = newer,
            older => self.slots[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.slots[newer as usize].older = older,
        }
    }

    fn link_newest(&mut self, now: Instant, slot: u32) {
        let before = std::mem::replace(&mut self.newest, slot);
        let entry = &mut self.slots[slot as usize];
        (entry.used, entry.older, entry.newer) = (now, before, NONE);
        match before {
            NONE => self.oldest = slot,
            before => self.slots[before as usize].newer = slot,
        }
    }

    fn drop_oldest(&mut self) {
        let slot = self.oldest;
        self.unlink(slot);
        self.index.remove(&self.slots[slot as usize].key);
        self.free.push(slot);
    }

    /// The line is in the order of last use, so what has expired stands in front.
    fn drop_expired(&mut self, now: Instant) {
        while self.oldest != NONE && self.slots[self.oldest as usize].used + self.params.expire <= now {
            self.drop_oldest();
        }
    }
}

impl Remember for StickTable {
    fn propose(&mut self, now: Instant, ask: &Ask, _presented: Option<NodeId>) -> Option<NodeId> {
        self.drop_expired(now);
        let slot = *self.index.get(&self.params.key.of(ask))?;
        self.unlink(slot);
        self.link_newest(now, slot);
        Some(self.slots[slot as usize].node)
    }

    fn learns(&self) -> bool {
        true
    }

    fn has_peers(&self) -> bool {
        self.params.peers
    }

    fn teach(&self) -> Option<Box<dyn Remember>> {
        self.params.peers.then(|| Box::new(self.clone()) as Box<dyn Remember>)
    }

    fn served(&mut self, now: Instant, ask: &Ask, node: NodeId) {
        self.drop_expired(now);
        let key = self.params.key.of(ask);
        if let Some(&slot) = self.index.get(&key) {
            self.slots[slot as usize].node = node;
            self.unlink(slot);
            return self.link_newest(now, slot);
        }
        if self.index.len() >= self.params.size as usize {
            self.drop_oldest();
        }
        let entry = Entry { key, node, used: now, older: NONE, newer: NONE };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = entry;
                slot
            }
            None => {
                self.slots.push(entry);
                self.slots.len() as u32 - 1
            }
        };
        self.index.insert(key, slot);
        self.link_newest(now, slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::balancer::balance::Asker;
    use proptest::prelude::*;

    struct From(u64);

    impl Asker for From {
        fn hash_of(&self, key: Key) -> u64 {
            if key == Key::Address { self.0 } else { 99 }
        }
    }

    fn ask(address: u64) -> Ask<'static> {
        Ask { asker: Box::leak(Box::new(From(address))), avoid: None, room: None, is_canary: false }
    }

    fn table(size: u32) -> StickTable {
        StickTable::new(&Params { size, expire: Duration::from_secs(10), ..Params::default() })
    }

    fn at(secs: u64) -> Instant {
        Instant::START + Duration::from_secs(secs)
    }

    #[test]
    fn an_entry_is_set_by_the_reply_and_lives_on_while_it_is_used() {
        let mut table = table(9);
        assert_eq!(table.propose(at(0), &ask(1), Some(NodeId(7))), None, "what the client presents does not matter");
        table.served(at(0), &ask(1), NodeId(3));
        for secs in [9, 18, 27] {
            assert_eq!(table.propose(at(secs), &ask(1), None), Some(NodeId(3)));
        }
        assert_eq!(table.propose(at(37), &ask(1), None), None);
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn a_full_table_forgets_whom_it_has_not_seen_for_longest() {
        let mut table = table(2);
        table.served(at(0), &ask(1), NodeId(1));
        table.served(at(1), &ask(2), NodeId(2));
        table.propose(at(2), &ask(1), None);
        table.served(at(3), &ask(3), NodeId(3));
        let found = [1, 2, 3].map(|key| table.propose(at(4), &ask(key), None));
        assert_eq!(found, [Some(NodeId(1)), None, Some(NodeId(3))]);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_list_in_order_of_use(
            steps in prop::collection::vec((0u64..8, 0u32..4, any::<bool>(), 0u64..4), 1..150)
        ) {
            let mut table = table(4);
            let mut list: Vec<(u64, u32, u64)> = Vec::new();
            let mut now = 0;
            for (key, node, learns, passed) in steps {
                now += passed;
                list.retain(|&(_, _, used)| used + 10 > now);
                let known = list.iter().position(|&(k, _, _)| k == key).map(|i| list.remove(i));
                if learns {
                    table.served(at(now), &ask(key), NodeId(node));
                    if list.len() == 4 {
                        list.remove(0);
                    }
                    list.push((key, node, now));
                } else {
                    let found = table.propose(at(now), &ask(key), None);
                    prop_assert_eq!(found, known.map(|(_, node, _)| NodeId(node)));
                    list.extend(known.map(|(key, node, _)| (key, node, now)));
                }
                prop_assert_eq!(table.len(), list.len());
            }
        }
    }
}
