//! Where does an attempt go? One balancer: its view, its counters, its algorithm.
//!
//! Affinity proposes, the view admits, balance decides when there is no proposal or the proposed node is
//! not eligible. The answer is a route, not a node: an attempt may also have to pause or be refused.

pub mod affinity;
pub mod balance;
pub mod view;

use crate::base::cause::Cause;
use crate::base::id::NodeId;
use crate::base::time::Duration;
use balance::{Algorithm, Ask, Balance};
use view::{Change, Health, View};

/// What to do with an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Route {
    /// Send it to this node.
    To(NodeId),
    /// Try this node again after a while.
    Pause(NodeId, Duration),
    /// Answer the client with an error.
    Refuse(Cause),
}

/// How a balancer behaves.
#[derive(Clone, PartialEq, Debug)]
pub struct Spec {
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Whether a session may be sent elsewhere when its node is not eligible or refuses the connection.
    pub redispatch: bool,
    /// How often a refused connection is tried again.
    pub retries: u32,
    /// The pause before the same node is tried again.
    pub retry_pause: Duration,
    /// Its health checks.
    pub health: Health,
}

/// A running balancer.
pub struct Balancer {
    spec: Spec,
    view: View,
    balance: Box<dyn Balance>,
    in_flight: Vec<u32>,
}

impl Balancer {
    /// A balancer in front of nodes with these names, all believed to be up.
    pub fn new(spec: &Spec, nodes: &[String], seed: u64, instance: &str) -> Balancer {
        let mut balance = spec.algorithm.start(nodes, seed, instance);
        (0..nodes.len() as u32).for_each(|n| balance.joined(NodeId(n), 1));
        let view = View::new(spec.health, nodes.len());
        Balancer { spec: spec.clone(), view, balance, in_flight: vec![0; nodes.len()] }
    }

    /// The route of a new attempt, for which affinity proposes a node or does not.
    #[inline]
    pub fn route(&mut self, ask: &Ask, proposal: Option<NodeId>) -> Route {
        match proposal {
            Some(node) if self.view.eligible(node) => Route::To(node),
            Some(_) if !self.spec.redispatch => Route::Refuse(Cause::NodeDown),
            _ => self.decide(ask),
        }
    }

    /// The route of an attempt whose connection `node` has just refused, for the `tries`-th time.
    pub fn refused(&mut self, ask: &Ask, node: NodeId, tries: u32) -> Route {
        if tries > self.spec.retries {
            return Route::Refuse(Cause::Refused);
        }
        if self.spec.redispatch {
            return self.decide(&Ask { avoid: Some(node), ..*ask });
        }
        Route::Pause(node, self.spec.retry_pause)
    }

    fn decide(&mut self, ask: &Ask) -> Route {
        self.balance.pick(ask).map_or(Route::Refuse(Cause::NoNode), Route::To)
    }

    /// Whether `node` is eligible in this balancer's view.
    pub fn eligible(&self, node: NodeId) -> bool {
        self.view.eligible(node)
    }

    /// An attempt was sent to `node`.
    #[inline]
    pub fn sent(&mut self, node: NodeId) {
        self.in_flight[node.index()] += 1;
        self.balance.load(node, self.in_flight[node.index()]);
    }

    /// An attempt at `node` is over.
    #[inline]
    pub fn done(&mut self, node: NodeId) {
        self.in_flight[node.index()] -= 1;
        self.balance.load(node, self.in_flight[node.index()]);
    }

    /// Takes in the result of a health check and says when the next is due.
    pub fn checked(&mut self, node: NodeId, good: bool) -> Duration {
        match self.view.checked(node, good) {
            Change::None => {}
            Change::Up => self.balance.joined(node, 1),
            Change::Down => self.balance.left(node),
        }
        self.view.next_check(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::choice::Choice;

    fn balancer(redispatch: bool) -> Balancer {
        let algorithm: Choice<Algorithm> = serde_json::from_value("roundrobin".into()).unwrap();
        let (retries, retry_pause, health) = (1, Duration::from_secs(1), Health::default());
        let spec = Spec { algorithm: algorithm.0, redispatch, retries, retry_pause, health };
        let mut balancer = Balancer::new(&spec, &["a".into(), "b".into()], 1, "lb1");
        for _ in 0..3 {
            balancer.checked(NodeId(0), false);
        }
        balancer
    }

    const ASK: Ask = Ask { key: 0, avoid: None };
    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);

    #[test]
    fn a_session_whose_node_is_down_goes_elsewhere_only_with_redispatch() {
        assert_eq!(balancer(true).route(&ASK, Some(A)), Route::To(B));
        assert_eq!(balancer(false).route(&ASK, Some(A)), Route::Refuse(Cause::NodeDown));
    }

    #[test]
    fn a_refused_connection_is_tried_elsewhere_with_redispatch_and_again_without() {
        assert_eq!(balancer(true).refused(&ASK, A, 1), Route::To(B));
        assert_eq!(balancer(false).refused(&ASK, A, 1), Route::Pause(A, Duration::from_secs(1)));
        assert_eq!(balancer(true).refused(&ASK, A, 2), Route::Refuse(Cause::Refused));
    }
}
