//! `haproxy_hash`: HAProxy's `balance source`, `hdr`, `url_param` and `hash`, bit for bit.
//!
//! * **Key.** `address` is `balance source`: the IPv4 address as a number in network order, no function, only the
//!   avalanche if it is on. Any other key is a text and goes through `function`.
//! * **`type = "map_based"`** (default): the slot of the hash modulo the length of a table that has every eligible
//!   server as often as its weight says (`parts/slots.rs`). Even, and nearly everybody moves when a server leaves.
//! * **`type = "consistent"`**: 16 points per server and unit of weight at avalanche(4096 · id + j). A key goes to
//!   the *nearest* point, on whichever side, not to the next one. The id is the server's number, counted from 1.
//! * **`avalanche`** is on by default only when the type is consistent and no function is named, as in HAProxy:
//!   `hash-type consistent sdbm` is something else than `hash-type consistent`.
//! * **`balance_factor`** is `hash-balance-factor`: a server with its share of the attempts, and a bit, is passed
//!   over, clockwise (`parts/bound.rs`).
//!
//! Source: haproxy 2.6 `src/lb_chash.c`, `src/lb_map.c`, `src/backend.c`. Held to tables of 3,000 keys measured on
//! HAProxy 2.6.12 (`reality.rs`). A server that has just refused is passed over; with a map-based hash HAProxy would
//! name it again until its check fails.
//!
//! ```toml
//! balancer.balance = { haproxy_hash = { key = "address", type = "consistent", balance_factor = 125 } }
//! ```

use super::parts::bound::{self, Bound};
use super::parts::circle::Circle;
use super::parts::slots::Slots;
use super::parts::text::text;
use super::{Ask, Balance, Key, Member};
use crate::base::hash::{avalanche::avalanche, crc32::crc32, djb2::djb2, sdbm::sdbm, wt6::wt6};
use crate::base::id::NodeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list balance`.
pub const MEANING: &str = "HAProxy's `balance source` and `hash`, map-based or consistent, bit for bit";

/// Parameters of `haproxy_hash`.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// What is hashed; default the session. `address` is `balance source`.
    pub key: Key,
    /// How a hash leads to a server; default `map_based` (HAProxy `hash-type`).
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The function for keys that are texts; default `sdbm`.
    pub function: Option<Function>,
    /// Whether the hash is spread afterwards; default only for `consistent` without a `function` of your own.
    pub avalanche: Option<bool>,
    /// For `consistent`: the most that a server may have in hand, in percent of its share (HAProxy
    /// `hash-balance-factor`); from 101 to 100,000, no bound unless given.
    pub balance_factor: Option<u32>,
}

/// How a hash leads to a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "HashKind")]
pub enum Kind {
    /// Modulo a table of the eligible servers.
    #[default]
    MapBased,
    /// The nearest point on a ring.
    Consistent,
}

/// HAProxy's hash functions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// That of the sdbm library.
    #[default]
    Sdbm,
    /// Bernstein's.
    Djb2,
    /// HAProxy's own.
    Wt6,
    /// The checksum.
    Crc32,
}

impl Params {
    /// What is wrong with the parameters.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults: Vec<_> = bound::fault(self.balance_factor).into_iter().collect();
        if self.kind == Kind::MapBased && self.balance_factor.is_some() {
            faults
                .push(("balance_factor", "balance_factor needs type = \"consistent\": a map has no bound".to_owned()));
        }
        faults
    }

    /// Working state; nobody is eligible yet.
    pub fn start(&self) -> Box<dyn Balance> {
        match self.kind {
            Kind::MapBased => Box::new(MapBased::new(self)),
            Kind::Consistent => Box::new(Consistent::new(self)),
        }
    }

    /// Whether a server that starts slowly has fewer points.
    pub fn ramps(&self) -> bool {
        self.kind == Kind::Consistent
    }

    /// How keys are hashed.
    fn hash(&self) -> Hash {
        let is_bare = self.kind == Kind::Consistent && self.function.is_none();
        let (function, spread) = (self.function.unwrap_or_default(), self.avalanche.unwrap_or(is_bare));
        Hash { key: self.key, function, spread }
    }
}

/// How keys are hashed.
#[derive(Clone, Copy, Debug)]
struct Hash {
    key: Key,
    function: Function,
    spread: bool,
}

impl Hash {
    /// Of a request.
    #[inline]
    fn of(&self, ask: &Ask) -> u32 {
        match self.key {
            Key::Address => self.end(ask.ipv4()),
            key => self.of_text(&text(key, ask)),
        }
    }

    /// Of a text.
    #[inline]
    fn of_text(&self, bytes: &[u8]) -> u32 {
        self.end(match self.function {
            Function::Sdbm => sdbm(bytes),
            Function::Djb2 => djb2(bytes),
            Function::Wt6 => wt6(bytes),
            Function::Crc32 => crc32(bytes),
        })
    }

    #[inline]
    fn end(&self, hash: u32) -> u32 {
        if self.spread { avalanche(hash) } else { hash }
    }
}

/// Working state with a map.
#[derive(Debug)]
pub(super) struct MapBased {
    hash: Hash,
    slots: Slots,
}

impl MapBased {
    /// Nobody is eligible yet.
    pub(super) fn new(params: &Params) -> MapBased {
        MapBased { hash: params.hash(), slots: Slots::default() }
    }

    /// The server of a key that is a text.
    #[cfg(test)]
    pub(super) fn choose(&mut self, key: &[u8]) -> Option<NodeId> {
        self.slots.at(u64::from(self.hash.of_text(key)), None)
    }
}

impl Balance for MapBased {
    fn joined(&mut self, member: Member) {
        self.slots.join(member);
    }

    fn left(&mut self, node: NodeId) {
        self.slots.leave(node);
    }

    fn gone(&mut self, node: NodeId) {
        self.slots.forget(node);
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        self.slots.at(u64::from(self.hash.of(ask)), ask.avoid)
    }
}

/// Working state with a ring.
#[derive(Debug)]
pub(super) struct Consistent {
    hash: Hash,
    ring: Ring,
}

impl Consistent {
    /// Nobody is eligible yet.
    pub(super) fn new(params: &Params) -> Consistent {
        Consistent { hash: params.hash(), ring: Ring::new(params.balance_factor) }
    }

    /// The server of a key that is a text.
    #[cfg(test)]
    pub(super) fn choose(&mut self, key: &[u8]) -> Option<NodeId> {
        self.ring.at(self.hash.of_text(key), None)
    }
}

impl Balance for Consistent {
    fn joined(&mut self, member: Member) {
        self.ring.join(member);
    }

    fn left(&mut self, node: NodeId) {
        self.ring.leave(node);
    }

    fn gone(&mut self, node: NodeId) {
        self.ring.forget(node);
    }

    fn load(&mut self, node: NodeId, in_flight: u32) {
        self.ring.load(node, in_flight);
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        self.ring.at(self.hash.of(ask), ask.avoid)
    }
}

/// HAProxy's ring: 16 points per server and unit of weight, fewer while it starts slowly; a hash belongs to the
/// nearest.
#[derive(Debug)]
pub(super) struct Ring {
    circle: Circle<u32>,
    bound: Option<Bound>,
}

/// Numbers set apart for the points of one server.
const RANGE: u32 = 4_096;

impl Ring {
    /// Nobody is eligible yet; with a bound [%] or without.
    pub(super) fn new(balance_factor: Option<u32>) -> Ring {
        Ring { circle: Circle::default(), bound: Bound::new(balance_factor) }
    }

    pub(super) fn join(&mut self, member: Member) {
        self.circle.join(member.id, member.sixteenths());
        if let Some(bound) = &mut self.bound {
            bound.join(member);
        }
    }

    pub(super) fn leave(&mut self, node: NodeId) {
        self.circle.leave(node);
        if let Some(bound) = &mut self.bound {
            bound.leave(node);
        }
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.circle.forget(node);
        if let Some(bound) = &mut self.bound {
            bound.forget(node);
        }
    }

    #[inline]
    pub(super) fn load(&mut self, node: NodeId, in_flight: u32) {
        if let Some(bound) = &mut self.bound {
            bound.load(node, in_flight);
        }
    }

    /// The server of a hash.
    #[inline]
    pub(super) fn at(&mut self, hash: u32, avoid: Option<NodeId>) -> Option<NodeId> {
        if self.circle.count() == 0 {
            return None;
        }
        self.circle.settle(|node, weight, points| {
            let first = (node.0 + 1).wrapping_mul(RANGE);
            points.extend((0..weight).map(|j| (avalanche(first.wrapping_add(j)), node)));
        });
        let avoid = avoid.filter(|_| self.circle.count() > 1);
        let walk = self.circle.walk(self.circle.nearest(hash));
        // When nobody but the one to avoid has room, HAProxy's search ends at the beginning of its tree.
        let anybody = || self.circle.walk(0).find(|&node| Some(node) != avoid);
        bound::first(walk, avoid, self.bound.as_mut()).or_else(anybody)
    }
}

#[cfg(test)]
mod tests {
    use super::super::WHOLE;
    use super::super::tests::{ask, asking, member};
    use super::*;

    fn params(function: Option<Function>, avalanche: Option<bool>, kind: Kind) -> Params {
        Params { function, avalanche, kind, ..Params::default() }
    }

    #[test]
    fn naming_a_function_drops_the_avalanche_unless_it_is_named_too() {
        let spread = |function, avalanche, kind| params(function, avalanche, kind).hash().spread;
        assert!(spread(None, None, Kind::Consistent));
        assert!(!spread(Some(Function::Sdbm), None, Kind::Consistent));
        assert!(spread(Some(Function::Sdbm), Some(true), Kind::Consistent));
        assert!(!spread(None, None, Kind::MapBased));
    }

    #[test]
    fn an_address_goes_through_no_function() {
        let ask = asking(0x0102_0304_0000_0000);
        let hash = |avalanche| Params { key: Key::Address, avalanche, ..Params::default() }.hash().of(&ask);
        assert_eq!(hash(None), 0x0102_0304);
        assert_eq!(hash(Some(true)), avalanche(0x0102_0304));
    }

    #[test]
    fn a_full_server_is_passed_over() {
        let mut bounded = Params { kind: Kind::Consistent, balance_factor: Some(120), ..Params::default() }.start();
        (0..4).for_each(|n| bounded.joined(member(n)));
        let home = bounded.pick(&ask(5)).unwrap();
        bounded.load(home, 2);
        let other = bounded.pick(&ask(5)).unwrap();
        assert_ne!(other, home, "⌈1.2 · 3⌉ = 4 slots, one each");
        // Only `home` has room: it is passed over all the same, as it has just refused.
        (0..4).map(NodeId).for_each(|node| bounded.load(node, if node == home { 0 } else { 50 }));
        assert_eq!(bounded.pick(&ask(6)), Some(home));
        assert_ne!(bounded.pick(&Ask { avoid: Some(home), ..ask(6) }), Some(home));
    }

    #[test]
    fn a_server_that_starts_slowly_has_some_of_its_points_and_gets_no_others() {
        let mut ring = Params { kind: Kind::Consistent, ..Params::default() }.start();
        (0..4).for_each(|n| ring.joined(member(n)));
        let homes = |ring: &mut dyn Balance| (0..4_000).map(|key| ring.pick(&ask(key)).unwrap()).collect::<Vec<_>>();
        let full = homes(&mut *ring);
        let mut before = 0;
        for sixteenths in [1, 4, 8, 16] {
            ring.joined(Member { share: sixteenths * (WHOLE / 16), ..member(2) });
            let slow = homes(&mut *ring);
            let mine = slow.iter().filter(|&&node| node == NodeId(2)).count();
            assert!(mine > before, "{mine} keys with {sixteenths} points, {before} with fewer");
            before = mine;
            let others = full.iter().zip(&slow).filter(|(was, _)| **was != NodeId(2));
            assert!(others.clone().all(|(was, is)| was == is), "a point less moves the keys of that server only");
        }
        assert_eq!(homes(&mut *ring), full);
    }

    #[test]
    fn a_bound_on_a_map_is_refused() {
        assert_eq!(Params { balance_factor: Some(125), ..Params::default() }.faults().len(), 1);
        assert!(params(None, None, Kind::Consistent).faults().is_empty());
    }
}
