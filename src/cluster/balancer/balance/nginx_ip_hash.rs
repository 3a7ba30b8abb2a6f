//! `nginx_ip_hash`: NGINX's `ip_hash`, bit for bit: a client's network decides, whatever its last octet.
//!
//! From 89 on, h ← (113 · h + octet) mod 6271 over the first three octets of the IPv4 address; the slot is h modulo
//! the sum of all weights. When that peer is down or was just tried, the same octets are hashed in again
//! (`parts/peers.rs`). All clients of a /24 go together, so a large office is one lump. Source: nginx
//! `src/http/modules/ngx_http_upstream_ip_hash_module.c`; held to a table measured on NGINX 1.22.1 (`reality.rs`).

use super::parts::peers::Peers;
use super::{Ask, Balance, Member};
use crate::base::id::NodeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list balance`.
pub const MEANING: &str = "NGINX's `ip_hash`, bit for bit: all clients of a /24 network go to one peer";

/// `nginx_ip_hash` has no parameters.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {}

/// Working state.
#[derive(Default)]
pub struct IpHash {
    peers: Peers,
}

impl IpHash {
    /// Nobody is eligible yet.
    pub fn new(_: &Params) -> IpHash {
        IpHash::default()
    }
}

impl Balance for IpHash {
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
        let [a, b, c, _] = ask.ipv4().to_be_bytes();
        let mut hash = 89;
        self.peers.pick(ask, || {
            hash = [a, b, c].iter().fold(hash, |hash, &octet| (hash * 113 + u32::from(octet)) % 6_271);
            hash
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{asking, member};
    use super::*;

    #[test]
    fn a_network_stays_together() {
        let mut hash = IpHash::default();
        (0..7).for_each(|n| hash.joined(member(n)));
        let at = |address: u32| asking(u64::from(address) << 32);
        let home = hash.pick(&at(0xc0a8_0100));
        assert!((1..256).all(|host| hash.pick(&at(0xc0a8_0100 + host)) == home));
        assert!((2..60).any(|network| hash.pick(&at(0xc0a8_0000 + network * 256)) != home));
    }
}
