//! `static_rr`: HAProxy's `static-rr`, a table of turns that is made beforehand and walked through.
//!
//! The table is that of `hash` (`parts/slots.rs`): as many slots for each node as its weight, spread smoothly. It
//! knows nothing of a weight that grows, so a node that is back has its full share at once. Source: haproxy
//! `src/lb_map.c`, `map_get_server_rr`; weights 5/1/1 give A A A B A A C.

use super::parts::slots::Slots;
use super::{Ask, Balance, Member};
use crate::base::id::NodeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list balance`.
pub const MEANING: &str = "HAProxy's `static-rr`: turns by weight out of a table; slow starts are not heeded";

/// `static_rr` has no parameters.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {}

/// Working state.
#[derive(Debug, Default)]
pub struct StaticRr {
    slots: Slots,
    next: usize,
}

impl StaticRr {
    /// Nobody is eligible yet.
    pub fn new(_: &Params) -> StaticRr {
        StaticRr::default()
    }
}

impl Balance for StaticRr {
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
        let table = self.slots.table();
        let mut avoided = None;
        for _ in 0..table.len() {
            let slot = self.next % table.len();
            let node = table[slot];
            self.next = slot + 1;
            if ask.is_full(node) {
                continue;
            }
            if Some(node) != ask.avoid {
                return Some(node);
            }
            avoided = Some(node);
        }
        avoided
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, member};
    use super::*;

    #[test]
    fn turns_are_those_measured_on_haproxy() {
        let mut rr = StaticRr::default();
        (0..).zip([5, 1, 1]).for_each(|(n, weight)| rr.joined(Member { weight, ..member(n) }));
        let turns: String = (0..14).map(|_| char::from(b'A' + rr.pick(&ask(0)).unwrap().0 as u8)).collect();
        assert_eq!(turns, "AAABAACAAABAAC");
        let other = rr.pick(&Ask { avoid: Some(NodeId(0)), ..ask(0) });
        assert_eq!(other, Some(NodeId(1)), "the next in the table that is not A");
    }
}
