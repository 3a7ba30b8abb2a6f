//! `nginx_hash`: NGINX's `hash $key` and `hash $key consistent`, bit for bit.
//!
//! * Plain (default): the slot is (crc32(key) ≫ 16) & 0x7fff modulo the sum of all weights, as in Cache::Memcached.
//!   When that peer is down or was just tried, crc32("1" + key) is added in the same way, then crc32("2" + key) …
//!   (`parts/peers.rs`).
//! * `consistent`: ketama, 160 points per peer and unit of weight; the first at crc32(host ‖ 0 ‖ port ‖ 0 0 0 0), each
//!   next one with its predecessor's hash, little-endian, in the place of the zeros. A key goes to the next point at
//!   or after crc32(key); from a peer that is down to the next point, at most twenty times, then round robin.
//!
//! A peer that is down keeps its slots and points, one that is taken out of the configuration does not. Where two
//! points meet, the peer declared first keeps it. The key of an address is its text. Source: nginx
//! `src/http/modules/ngx_http_upstream_hash_module.c`; held to tables measured on NGINX 1.22.1 (`reality.rs`).
//!
//! ```toml
//! balancer.balance = { nginx_hash = { key = "address", consistent = true } }
//! ```

use super::parts::circle::Circle;
use super::parts::peers::{Peers, TRIES};
use super::parts::text::text;
use super::{Ask, Balance, Key, Member};
use crate::base::hash::crc32::{Crc32, crc32};
use crate::base::id::NodeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddrV4;

/// One line for `stickysim list balance`.
pub const MEANING: &str =
    "NGINX's `hash`: modulo the weights of all configured peers, or consistent (ketama), bit for bit";

/// Parameters of `nginx_hash`.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// What is hashed; default the session.
    pub key: Key,
    /// Whether a key goes to the next point of a ring (ketama) instead of a slot; default no.
    pub consistent: bool,
}

impl Params {
    /// Working state; nobody is eligible yet.
    pub fn start(&self) -> Box<dyn Balance> {
        if self.consistent { Box::new(Ketama::new(self.key)) } else { Box::new(Modulo::new(self.key)) }
    }
}

/// Working state of the plain hash.
pub struct Modulo {
    key: Key,
    peers: Peers,
}

impl Modulo {
    /// Nobody is eligible yet.
    pub(super) fn new(key: Key) -> Modulo {
        Modulo { key, peers: Peers::default() }
    }

    /// The peer of a key that is a text.
    pub(super) fn choose(&mut self, key: &[u8], ask: &Ask) -> Option<NodeId> {
        let (mut sum, mut attempt) = (0_u32, 0_u32);
        self.peers.pick(ask, || {
            let before = if attempt == 0 { Crc32::default() } else { count(attempt) };
            attempt += 1;
            sum = sum.wrapping_add(before.and(key).value() >> 16 & 0x7fff);
            sum
        })
    }
}

/// The checksum of a number's digits so far; the number is small.
fn count(number: u32) -> Crc32 {
    let (tens, ones) = (b'0' + (number / 10) as u8, b'0' + (number % 10) as u8);
    if number < 10 { Crc32::default().and(&[ones]) } else { Crc32::default().and(&[tens, ones]) }
}

impl Balance for Modulo {
    fn joined(&mut self, member: Member) {
        self.peers.join(member);
    }

    fn left(&mut self, node: NodeId) {
        self.peers.leave(node);
    }

    fn gone(&mut self, node: NodeId) {
        self.peers.forget(node);
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        self.choose(&text(self.key, ask), ask)
    }
}

/// Points per peer and unit of weight.
const POINTS: u32 = 160;

/// The first points of a peer.
pub(super) fn points(address: SocketAddrV4, count: u32) -> impl Iterator<Item = u32> {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let base = Crc32::default().and(host.as_bytes()).and(&[0]).and(port.as_bytes());
    (0..count).scan(0_u32, move |last, _| {
        *last = base.and(&last.to_le_bytes()).value();
        Some(*last)
    })
}

/// Working state of the consistent hash.
pub struct Ketama {
    key: Key,
    circle: Circle<u32>,
    // Whose turn it is when all tries have failed.
    peers: Peers,
    addresses: Vec<Option<SocketAddrV4>>,
}

impl Ketama {
    /// Nobody is eligible yet.
    pub(super) fn new(key: Key) -> Ketama {
        Ketama { key, circle: Circle::default(), peers: Peers::default(), addresses: Vec::new() }
    }

    /// The peer of a key that is a text.
    pub(super) fn choose(&mut self, key: &[u8], ask: &Ask) -> Option<NodeId> {
        if self.peers.count() == 0 {
            return None;
        }
        let addresses = &self.addresses;
        self.circle.settle(|node, weight, fresh| {
            let address = addresses[node.index()].expect("a peer has an address");
            fresh.extend(points(address, POINTS * weight).map(|point| (point, node)));
        });
        let all = self.circle.points().all();
        let start = self.circle.points().find(crc32(key));
        let mut last = None;
        let onwards = all[start..].iter().chain(all[..start].iter()).cycle();
        // Of points that meet only the first counts.
        let distinct = onwards.filter(|point| last.replace(point.0) != Some(point.0));
        let mut tried = distinct.take(TRIES as usize + 1).map(|&(_, node)| node);
        let found = tried.find(|&node| self.circle.is_eligible(node) && Some(node) != ask.avoid);
        found.or_else(|| self.peers.turn(ask))
    }
}

impl Balance for Ketama {
    fn joined(&mut self, member: Member) {
        if member.id.index() >= self.addresses.len() {
            self.addresses.resize(member.id.index() + 1, None);
        }
        self.addresses[member.id.index()] = Some(member.address);
        self.circle.join(member.id, member.weight);
        self.peers.join(member);
    }

    fn left(&mut self, node: NodeId) {
        self.circle.leave(node);
        self.peers.leave(node);
    }

    fn gone(&mut self, node: NodeId) {
        self.circle.forget(node);
        self.peers.forget(node);
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        self.choose(&text(self.key, ask), ask)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, member};
    use super::*;

    #[test]
    fn the_first_points_are_those_of_nginx() {
        let address = "127.0.0.1:9101".parse().unwrap();
        assert_eq!(points(address, 2).collect::<Vec<_>>(), [3_592_697_264, 2_007_943_702]);
    }

    #[test]
    fn attempts_are_counted_in_digits() {
        assert_eq!(count(7).and(b"key").value(), crc32(b"7key"));
        assert_eq!(count(20).and(b"key").value(), crc32(b"20key"));
    }

    #[test]
    fn a_peer_taken_out_of_the_configuration_moves_nearly_all_and_one_that_is_down_only_its_own() {
        let mut hash = Params::default().start();
        (0..10).for_each(|n| hash.joined(member(n)));
        let mut homes = || (0..5_000).map(|key| hash.pick(&ask(key)).unwrap()).collect::<Vec<_>>();
        let before = homes();
        hash.left(NodeId(5));
        let mut homes = || (0..5_000).map(|key| hash.pick(&ask(key)).unwrap()).collect::<Vec<_>>();
        let down = homes();
        assert!(before.iter().zip(&down).all(|(was, is)| was == is || *was == NodeId(5)));
        hash.gone(NodeId(5));
        let moved = (0..5_000).filter(|&key| hash.pick(&ask(key)) != Some(before[key as usize])).count();
        assert!((4_400..4_600).contains(&moved), "{moved} of 5,000; oracle O7(a): 90 %");
    }
}
