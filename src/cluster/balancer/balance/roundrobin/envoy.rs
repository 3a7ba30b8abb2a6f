//! Envoy's turns: one after the other while all weights are equal, else earliest deadline first (`parts/edf.rs`).
//!
//! Where they begin is drawn. A change of members begins the deadlines anew, as Envoy makes a scheduler anew for every
//! new set of hosts; the turn among equals goes on. Weights 5/1/1 give A A A B C A A in some rotation, as measured on
//! 1.39. Source: envoy `load_balancer_impl.cc`.

use super::super::parts::edf::Edf;
use super::super::{Ask, Balance, Member, Members};
use crate::base::draw::Stream;
use crate::base::id::NodeId;
use rand::RngExt;

/// Working state.
#[derive(Debug)]
pub struct Turns {
    members: Members,
    // By node.
    weights: Vec<u32>,
    start: u64,
    turn: u64,
    // Deadlines, while weights differ.
    edf: Option<Edf>,
    stale: bool,
}

impl Turns {
    /// Nobody is eligible yet.
    pub fn new(seed: u64, instance: &str) -> Turns {
        let start = Stream::new(seed, "balance roundrobin", instance).sequence().random_range(0..1 << 32);
        Turns { members: Members::default(), weights: Vec::new(), start, turn: start, edf: None, stale: false }
    }

    fn renew(&mut self) {
        self.stale = false;
        let members = &self.members.0;
        let differ = members.windows(2).any(|two| self.weights[two[0].index()] != self.weights[two[1].index()]);
        self.edf = differ.then(Edf::default);
        if let Some(edf) = &mut self.edf {
            members.iter().for_each(|&node| edf.add(node, f64::from(self.weights[node.index()])));
            for _ in 0..self.start % members.len() as u64 {
                edf.turn(|node| f64::from(self.weights[node.index()]));
            }
        }
    }

    fn next(&mut self) -> NodeId {
        let weights = &self.weights;
        let due = self.edf.as_mut().and_then(|edf| edf.turn(|node| f64::from(weights[node.index()])));
        due.unwrap_or_else(|| {
            let members = &self.members.0;
            let node = members[(self.turn % members.len() as u64) as usize];
            self.turn += 1;
            node
        })
    }
}

impl Balance for Turns {
    fn joined(&mut self, member: Member) {
        if member.id.index() >= self.weights.len() {
            self.weights.resize(member.id.index() + 1, 0);
        }
        let before = std::mem::replace(&mut self.weights[member.id.index()], member.parts());
        let is_new = self.members.0.binary_search(&member.id).is_err();
        // A weight that grows is looked at when its turn comes; it needs deadlines, if there are none yet.
        self.stale |= is_new || before != member.parts() && self.edf.is_none();
        self.members.join(member.id);
    }

    fn left(&mut self, node: NodeId) {
        self.members.leave(node);
        self.stale = true;
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        if self.stale {
            self.renew();
        }
        let mut last = None;
        // Nobody need be asked twice but where deadlines let a heavy one come again and again.
        for _ in 0..self.members.0.len() * 4 {
            let node = self.next();
            if ask.is_full(node) {
                continue;
            }
            last = Some(node);
            if last != ask.avoid {
                break;
            }
        }
        last
    }
}
