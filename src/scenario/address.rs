//! Where does a node listen? `address = "10.1.0.11:8080"`: of the first node of a group; the others follow.
//!
//! Some products hash servers by address and port, so a map of keys to servers can be repeated exactly only with the
//! addresses of those servers.

use super::compile::Reading;
use crate::cluster::plan::{Node, default_address};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::net::SocketAddrV4;

/// An IPv4 address and a port, as written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address(pub SocketAddrV4);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Address, D::Error> {
        let text = String::deserialize(from)?;
        let wrong = |_| format!("`{text}` is no IPv4 address with a port: write it as \"10.0.0.1:8080\"");
        text.parse().map(Address).map_err(wrong).map_err(de::Error::custom)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl JsonSchema for Address {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^\d+\.\d+\.\d+\.\d+:\d+$" })
    }
}

/// The address so many after `first`, the port unchanged; it wraps around at the end of IPv4.
pub fn after(first: SocketAddrV4, count: u32) -> SocketAddrV4 {
    SocketAddrV4::new(u32::from(*first.ip()).wrapping_add(count).into(), first.port())
}

impl Reading<'_> {
    /// No two nodes listen at one address.
    pub(super) fn check_addresses(&mut self, nodes: &[Node]) {
        if nodes.iter().all(|node| node.address.is_none()) {
            return;
        }
        let address = |position: usize| nodes[position].address.unwrap_or_else(|| default_address(position as u32));
        let mut sorted: Vec<(SocketAddrV4, usize)> = (0..nodes.len()).map(|i| (address(i), i)).collect();
        sorted.sort_unstable();
        if let Some(two) = sorted.windows(2).find(|two| two[0].0 == two[1].0) {
            let [first, second] = [two[0].1, two[1].1].map(|position| &nodes[position]);
            let message = format!("{} and {} both listen at {}", first.name, second.name, two[0].0);
            let hint = "give each group an address of its own, with room for all of its nodes and those that are added";
            let group = second.group.as_deref().unwrap_or_default();
            self.wrong(&["cluster", "group", group, "address"], message, hint);
        }
    }
}
