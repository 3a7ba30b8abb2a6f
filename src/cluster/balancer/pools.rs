//! Which nodes does an algorithm choose among? All of them, or, while a canary release is under way, those of one
//! side.
//!
//! A router in front of two services (ingress-nginx `canary-weight`, an Istio `VirtualService`) has an upstream for
//! each, with the same algorithm and with a state of its own. When nobody of the new version's side is eligible, its
//! share goes to the other (ingress-nginx, rootfs/etc/nginx/lua/balancer.lua: a service without endpoints has no
//! balancer, and then the main one serves); the old version's share never goes to the new one.

use super::balance::{Algorithm, Ask, Balance, Member};
use crate::base::id::NodeId;

/// A side that stands apart.
struct Apart {
    balance: Box<dyn Balance>,
    // By node.
    has: Vec<bool>,
}

/// The algorithm over all nodes, or one over each side.
pub(super) struct Pools {
    main: Box<dyn Balance>,
    canary: Option<Box<Apart>>,
    seed: u64,
    instance: String,
}

impl Pools {
    /// One pool of which nobody is eligible yet. `seed` and `instance` key what it draws.
    pub(super) fn new(algorithm: &Algorithm, seed: u64, instance: &str) -> Pools {
        Pools { main: algorithm.start(seed, instance), canary: None, seed, instance: instance.to_owned() }
    }

    /// `node`, which is not eligible, is on the side of the canary from now on, or no longer.
    pub(super) fn set_canary(&mut self, algorithm: &Algorithm, node: NodeId, is_canary: bool) {
        if self.canary.is_none() && is_canary {
            let balance = algorithm.start(self.seed, &format!("{}, canary", self.instance));
            self.canary = Some(Box::new(Apart { balance, has: Vec::new() }));
        }
        if let Some(canary) = &mut self.canary {
            if node.index() >= canary.has.len() {
                canary.has.resize(node.index() + 1, false);
            }
            canary.has[node.index()] = is_canary;
            if !canary.has.contains(&true) {
                self.canary = None;
            }
        }
    }

    #[inline]
    fn of(&mut self, node: NodeId) -> &mut dyn Balance {
        match &mut self.canary {
            Some(canary) if canary.has.get(node.index()) == Some(&true) => canary.balance.as_mut(),
            _ => self.main.as_mut(),
        }
    }

    pub(super) fn joined(&mut self, member: Member) {
        self.of(member.id).joined(member);
    }

    pub(super) fn left(&mut self, node: NodeId) {
        self.of(node).left(node);
    }

    pub(super) fn gone(&mut self, node: NodeId) {
        self.of(node).gone(node);
    }

    pub(super) fn weakened(&mut self, node: NodeId, parts: u32) {
        self.of(node).weakened(node, parts);
    }

    #[inline]
    pub(super) fn load(&mut self, node: NodeId, in_flight: u32) {
        self.of(node).load(node, in_flight);
    }

    #[inline]
    pub(super) fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        match &mut self.canary {
            Some(canary) if ask.is_canary => canary.balance.pick(ask).or_else(|| self.main.pick(ask)),
            _ => self.main.pick(ask),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::balance::tests::{ask, every, member};
    use super::*;

    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);

    #[test]
    fn each_side_has_its_own_nodes_and_only_the_new_one_falls_back() {
        for (name, algorithm) in every() {
            let mut pools = Pools::new(&algorithm, 1, "lb1");
            pools.joined(member(0));
            pools.set_canary(&algorithm, B, true);
            let canary = |key| Ask { is_canary: true, ..ask(key) };
            assert_eq!(pools.pick(&canary(1)), Some(A), "{name}: nobody of the new side is there yet");
            pools.joined(member(1));
            for key in 0..20 {
                assert_eq!((pools.pick(&ask(key)), pools.pick(&canary(key))), (Some(A), Some(B)), "{name}");
            }
            pools.left(A);
            assert_eq!(pools.pick(&ask(1)), None, "{name}: the old side's share stays there");
            pools.left(B);
            pools.set_canary(&algorithm, B, false);
            pools.joined(member(1));
            assert_eq!(pools.pick(&ask(1)), Some(B), "{name}: one pool again");
        }
    }
}
