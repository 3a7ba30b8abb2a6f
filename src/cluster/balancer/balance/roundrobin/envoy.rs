//! Envoy's turns: one after the other while all weights are equal, else earliest deadline first (`parts/edf.rs`).
//!
//! Where they begin is drawn. A change of members begins the deadlines anew, as Envoy makes a scheduler anew for every
//! new set of hosts; the turn among equals goes on. Weights 5/1/1 give A A A B C A A in some rotation, as measured on
//! 1.39. Source: envoy `load_balancer_impl.cc`.

use super::super::parts::edf::{Deadlines, pick_again};
use super::super::{Ask, Balance, Member};
use crate::base::draw::Stream;
use crate::base::id::NodeId;
use rand::RngExt;

/// Working state.
#[derive(Debug)]
pub struct Turns {
    deadlines: Deadlines,
    start: u64,
    turn: u64,
}

impl Turns {
    /// Nobody is eligible yet.
    pub fn new(seed: u64, instance: &str) -> Turns {
        let start = Stream::new(seed, "balance roundrobin", instance).sequence().random_range(0..1 << 32);
        Turns { deadlines: Deadlines::default(), start, turn: start }
    }

    fn next(&mut self) -> NodeId {
        self.deadlines.turn(worth).unwrap_or_else(|| {
            let members = &self.deadlines.members.0;
            let node = members[(self.turn % members.len() as u64) as usize];
            self.turn += 1;
            node
        })
    }
}

fn worth(_: NodeId, weight: u32) -> f64 {
    f64::from(weight)
}

impl Balance for Turns {
    fn joined(&mut self, member: Member) {
        self.deadlines.joined(member);
    }

    fn left(&mut self, node: NodeId) {
        self.deadlines.left(node);
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        let start = self.start;
        self.deadlines.renew(worth, |n| (start % n as u64) as usize);
        pick_again(self, |turns| &turns.deadlines.members.0, ask, Turns::next)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{ask, member};
    use super::*;

    #[test]
    fn one_that_has_failed_gives_way_however_heavy_it_is() {
        let mut turns = Turns::new(1, "lb1");
        (0..2).for_each(|n| turns.joined(Member { weight: [100, 1][n as usize], ..member(n) }));
        let avoid = Ask { avoid: Some(NodeId(0)), ..ask(0) };
        assert!((0..100).all(|_| turns.pick(&avoid) == Some(NodeId(1))));
    }
}
