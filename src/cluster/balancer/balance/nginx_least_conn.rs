//! `nginx_least_conn`: the eligible node with the fewest attempts in hand for its weight; those that tie take
//! smooth turns among themselves.
//!
//! Where several tie, the current weight of each of them grows by its weight, the largest is picked (the first
//! named among equals) and falls by the sum of theirs; the turns of the others stand still. So a node's turn
//! depends on how often it has tied before, and not, as with HAProxy, on when its load changed last. Source:
//! nginx `ngx_http_upstream_least_conn_module.c`. It looks at every node, as NGINX does.

use super::{Ask, Balance, Member};
use crate::base::id::NodeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list balance`.
pub const MEANING: &str = "NGINX's `least_conn`: the fewest attempts in hand for its weight; those that tie take turns";

/// `nginx_least_conn` has no parameters.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {}

#[derive(Clone, Copy, Debug, Default)]
struct Peer {
    weight: u64,
    load: u64,
    current: i64,
    member: bool,
}

/// Working state.
#[derive(Debug, Default)]
pub struct LeastConn {
    peers: Vec<Peer>,
    members: usize,
}

impl LeastConn {
    /// Nobody is eligible yet.
    pub fn new(_: &Params) -> LeastConn {
        LeastConn::default()
    }

    fn grow(&mut self, node: NodeId) -> &mut Peer {
        if node.index() >= self.peers.len() {
            self.peers.resize(node.index() + 1, Peer::default());
        }
        &mut self.peers[node.index()]
    }
}

impl Balance for LeastConn {
    fn joined(&mut self, member: Member) {
        let peer = self.grow(member.id);
        peer.weight = u64::from(member.weight);
        if !std::mem::replace(&mut peer.member, true) {
            self.members += 1;
        }
    }

    fn left(&mut self, node: NodeId) {
        if std::mem::replace(&mut self.peers[node.index()].member, false) {
            self.members -= 1;
        }
    }

    fn load(&mut self, node: NodeId, in_flight: u32) {
        self.grow(node).load = u64::from(in_flight);
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        // One that has just been tried does not take part at all, unless it is alone.
        let avoid = ask.avoid.filter(|_| self.members > 1).map(NodeId::index);
        let takes_part = |(index, peer): &(usize, &mut Peer)| {
            peer.member && Some(*index) != avoid && !ask.is_full(NodeId(*index as u32))
        };
        let less = |a: &Peer, b: &Peer| a.load * b.weight < b.load * a.weight;
        let mut least: Option<Peer> = None;
        for (_, peer) in self.peers.iter_mut().enumerate().filter(takes_part) {
            if least.is_none_or(|least| less(peer, &least)) {
                least = Some(*peer);
            }
        }
        let least = least?;
        let (mut sum, mut best) = (0, None);
        for (index, peer) in self.peers.iter_mut().enumerate().filter(takes_part) {
            if less(&least, peer) {
                continue;
            }
            sum += peer.weight as i64;
            peer.current += peer.weight as i64;
            if best.is_none_or(|(_, most)| peer.current > most) {
                best = Some((index, peer.current));
            }
        }
        let (index, _) = best?;
        // Where nobody ties this takes back what was just given: NGINX then touches no turn.
        self.peers[index].current -= sum;
        Some(NodeId(index as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, member};
    use super::*;

    fn least_conn(weights: &[u32]) -> LeastConn {
        let mut lc = LeastConn::new(&Params {});
        (0..).zip(weights).for_each(|(n, &weight)| lc.joined(Member { weight, ..member(n) }));
        lc
    }

    fn connect(lc: &mut LeastConn, avoid: Option<u32>) -> u32 {
        let node = lc.pick(&Ask { avoid: avoid.map(NodeId), ..ask(0) }).unwrap();
        let load = lc.peers[node.index()].load as u32 + 1;
        lc.load(node, load);
        node.0
    }

    #[test]
    fn those_that_tie_take_turns() {
        let mut lc = least_conn(&[1, 1, 1]);
        // Who is passed over while it ties gains on the others, so the second row goes backwards.
        let picks: Vec<u32> = (0..8).map(|_| connect(&mut lc, None)).collect();
        assert_eq!(picks, [0, 1, 2, 2, 1, 0, 0, 1]);
    }

    #[test]
    fn one_that_is_alone_at_the_bottom_spends_no_turn() {
        let mut lc = least_conn(&[1, 1]);
        (0..5).for_each(|n| lc.load(NodeId(1), 5 - n));
        lc.load(NodeId(1), 9);
        (0..9).for_each(|_| assert_eq!(connect(&mut lc, None), 0));
        assert_eq!(lc.peers.iter().map(|peer| peer.current).collect::<Vec<i64>>(), [0, 0]);
    }

    #[test]
    fn connections_that_stay_divide_by_weight() {
        let mut lc = least_conn(&[1, 2, 3]);
        (0..600).for_each(|_| _ = connect(&mut lc, None));
        assert_eq!(lc.peers.iter().map(|peer| peer.load).collect::<Vec<u64>>(), [100, 200, 300]);
    }

    #[test]
    fn the_one_that_just_failed_is_tried_again_only_when_alone() {
        let mut lc = least_conn(&[1, 1]);
        assert_eq!(connect(&mut lc, Some(0)), 1);
        assert_eq!(connect(&mut lc, Some(0)), 1);
        lc.left(NodeId(1));
        assert_eq!(connect(&mut lc, Some(0)), 0);
        lc.left(NodeId(0));
        assert_eq!(lc.pick(&ask(0)), None);
    }
}
