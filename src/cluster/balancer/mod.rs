//! Where does an attempt go? One balancer: its view, its counters, its algorithm.
//!
//! Affinity proposes, the view admits, balance decides when there is no proposal or the proposed node is
//! not eligible. The answer is a route, not a node: an attempt may also have to pause or be refused.

pub mod affinity;
pub mod balance;
mod handover;
pub mod instances;
pub mod view;

use crate::base::cause::Cause;
use crate::base::choice::Choice;
use crate::base::id::{NodeId, PopulationId};
use crate::base::time::{Duration, Instant};
use affinity::{Affinity, Remember};
use balance::{Algorithm, Ask, Balance, Member};
use instances::Spread;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use view::{Admin, Change, Health, View};

use super::client::Layer;

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

/// How the balancers behave.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Balancer")]
pub struct Spec {
    /// A product, whose documented defaults hold for whatever is not written; see `stickysim list preset`.
    pub preset: Option<String>,
    /// Picks a node where affinity does not; default `roundrobin`.
    pub balance: Choice<Algorithm>,
    /// Keeps a session on its node; default `none`.
    pub affinity: Choice<Affinity>,
    /// How many stand side by side, each with counters, tables and a view of its own; from 1 to 100, default 1.
    pub instances: u16,
    /// Who meets which instance; default `session`.
    pub spread: Spread,
    /// Whether a session may go elsewhere when its node is not eligible or refuses; default no.
    pub redispatch: bool,
    /// How often a refused connection is tried again: elsewhere at once with `redispatch`, on the same node
    /// after `retry_pause` without; from 0 to 100, default 3 (HAProxy `retries`).
    pub retries: u32,
    /// The pause before the same node is tried again; default 1 s (HAProxy).
    pub retry_pause: Duration,
    /// What is routed: requests (`l7`) or connections (`l4`); default `l7`.
    pub layer: Layer,
    /// How long it waits for a silent host to accept a connection; default 5 s (HAProxy's example files).
    pub connect_timeout: Duration,
    /// How long it waits for a node's reply (HAProxy `timeout server`); for ever unless given.
    pub server_timeout: Option<Duration>,
    /// How long nothing may move on a stream (HAProxy `timeout tunnel`); for ever unless given.
    pub tunnel_timeout: Option<Duration>,
    /// How long TCP goes on sending bytes that nobody acknowledges; default 15 min (Linux `tcp_retries2` = 15).
    pub tcp_give_up: Duration,
    /// What happens to the sessions of a node that is marked down; default `keep`.
    pub on_marked_down: OnMarkedDown,
    /// Health checks.
    pub health: Health,
}

/// What happens to the sessions of a node that is marked down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnMarkedDown {
    /// They are left alone.
    #[default]
    Keep,
    /// They are cut, and so are the requests that wait for its reply (HAProxy `on-marked-down shutdown-sessions`).
    ShutdownSessions,
}

impl Default for Spec {
    fn default() -> Spec {
        Spec {
            preset: None,
            balance: Choice(Algorithm::default()),
            affinity: Choice(Affinity::default()),
            instances: 1,
            spread: Spread::Session,
            redispatch: false,
            retries: 3,
            retry_pause: Duration::from_secs(1),
            layer: Layer::L7,
            connect_timeout: Duration::from_secs(5),
            server_timeout: None,
            tunnel_timeout: None,
            tcp_give_up: Duration::from_secs(15 * 60),
            on_marked_down: OnMarkedDown::Keep,
            health: Health::default(),
        }
    }
}

/// A running balancer.
pub struct Balancer {
    spec: Spec,
    view: View,
    balance: Box<dyn Balance>,
    members: Vec<Member>,
    in_flight: Vec<u32>,
    // What is remembered: the first for all populations without an affinity of their own.
    memories: Vec<Box<dyn Remember>>,
    // By population: which of them, and whether it wants to be told who served what.
    memory_of: Vec<(usize, bool)>,
}

impl Balancer {
    /// A balancer in front of these nodes, all believed to be up; by population: its affinity, and whether it
    /// is its own.
    pub fn new(
        spec: &Spec,
        members: Vec<Member>,
        affinities: &[(&Affinity, bool)],
        seed: u64,
        instance: &str,
    ) -> Balancer {
        let mut balance = spec.balance.0.start(seed, instance);
        members.iter().for_each(|&member| balance.joined(member));
        let view = View::new(spec.health, members.len());
        let shared = affinities.iter().find(|(_, own)| !own);
        let mut memories = vec![shared.map_or_else(|| Affinity::default().start(), |(affinity, _)| affinity.start())];
        let mut memory_of = Vec::new();
        for (affinity, own) in affinities {
            let place = if *own { memories.len() } else { 0 };
            memories.extend(own.then(|| affinity.start()));
            memory_of.push((place, memories[place].learns()));
        }
        let in_flight = vec![0; members.len()];
        Balancer { spec: spec.clone(), view, balance, members, in_flight, memories, memory_of }
    }

    /// The node that `population`'s affinity proposes for a request whose client presents `presented`.
    #[inline]
    pub fn propose(
        &mut self,
        now: Instant,
        population: PopulationId,
        ask: &Ask,
        presented: Option<NodeId>,
    ) -> Option<NodeId> {
        self.memories[self.memory_of[population.index()].0].propose(now, ask, presented)
    }

    /// Whether `population`'s affinity wants to be told who served what.
    #[inline]
    pub fn learns(&self, population: PopulationId) -> bool {
        self.memory_of[population.index()].1
    }

    /// Whether other instances are told what `population`'s affinity learns here.
    pub fn has_peers(&self, population: PopulationId) -> bool {
        self.memories[self.memory_of[population.index()].0].has_peers()
    }

    /// `node` has served a request of `population`.
    pub fn served(&mut self, now: Instant, population: PopulationId, ask: &Ask, node: NodeId) {
        self.memories[self.memory_of[population.index()].0].served(now, ask, node);
    }

    /// The route of a new attempt, for which affinity proposes a node or does not.
    #[inline]
    pub fn route(&mut self, ask: &Ask, proposal: Option<NodeId>) -> Route {
        match proposal {
            Some(node) if self.view.takes_bound(node) => Route::To(node),
            Some(node) if !self.goes_elsewhere(node) => Route::Refuse(Cause::NodeDown),
            _ => self.decide(ask),
        }
    }

    /// The route of an attempt whose connection `node` has just not taken, for the `tries`-th time, because of
    /// `cause`.
    pub fn refused(&mut self, ask: &Ask, node: NodeId, tries: u32, cause: Cause) -> Route {
        if tries > self.spec.retries {
            return Route::Refuse(cause);
        }
        if self.goes_elsewhere(node) {
            return self.decide(&Ask { avoid: Some(node), ..*ask });
        }
        Route::Pause(node, self.spec.retry_pause)
    }

    /// Whether an attempt that `node` does not take may go to another: also when that node is no longer known.
    fn goes_elsewhere(&self, node: NodeId) -> bool {
        self.spec.redispatch || self.view.is_removed(node)
    }

    fn decide(&mut self, ask: &Ask) -> Route {
        self.balance.pick(ask).map_or(Route::Refuse(Cause::NoNode), Route::To)
    }

    /// Whether `node` is believed to be alive.
    pub fn believes_up(&self, node: NodeId) -> bool {
        self.view.is_up(node)
    }

    /// How many attempts and connections it believes to have at `node`.
    pub fn in_flight(&self, node: NodeId) -> u32 {
        self.in_flight[node.index()]
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

    /// Takes in the result of a health check.
    pub fn checked(&mut self, node: NodeId, good: bool) -> Change {
        let took_new = self.view.takes_new(node);
        let change = self.view.checked(node, good);
        self.tell(node, took_new);
        change
    }

    /// How long from the beginning of one health check to that of the next.
    pub fn next_check(&self, node: NodeId) -> Duration {
        self.view.next_check(node)
    }

    /// A node is not there yet: it is believed to be down until checks say otherwise, and is configured then.
    pub fn hold_back(&mut self, node: NodeId) {
        let took_new = self.view.takes_new(node);
        self.view.hold_back(node);
        self.tell(node, took_new);
        self.balance.gone(node);
    }

    /// An operator sets what is wanted of a node.
    pub fn set_admin(&mut self, node: NodeId, admin: Admin) {
        let took_new = self.view.takes_new(node);
        self.view.set_admin(node, admin);
        self.tell(node, took_new);
        if admin == Admin::Removed {
            self.balance.gone(node);
        }
    }

    /// What the operator wants of `node`, as far as it knows.
    pub fn admin(&self, node: NodeId) -> Admin {
        self.view.admin(node)
    }

    /// Tells the algorithm when a node's eligibility has changed.
    fn tell(&mut self, node: NodeId, took_new: bool) {
        match (took_new, self.view.takes_new(node)) {
            (false, true) => self.balance.joined(self.members[node.index()]),
            (true, false) => self.balance.left(node),
            _ => {}
        }
    }
}

#[cfg(test)]
mod replay;

#[cfg(test)]
mod tests {
    use super::balance::tests::ask;
    use super::*;
    use crate::base::choice::Choice;

    fn balancer(redispatch: bool) -> Balancer {
        let algorithm: Choice<Algorithm> = serde_json::from_value("roundrobin".into()).unwrap();
        let spec = Spec { balance: algorithm, redispatch, retries: 1, ..Spec::default() };
        let members = vec![balance::tests::member(0), balance::tests::member(1)];
        let mut balancer = Balancer::new(&spec, members, &[], 1, "lb1");
        for _ in 0..3 {
            balancer.checked(NodeId(0), false);
        }
        balancer
    }

    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);

    #[test]
    fn a_session_whose_node_is_down_goes_elsewhere_only_with_redispatch() {
        assert_eq!(balancer(true).route(&ask(0), Some(A)), Route::To(B));
        assert_eq!(balancer(false).route(&ask(0), Some(A)), Route::Refuse(Cause::NodeDown));
    }

    #[test]
    fn a_node_that_is_down_keeps_its_place_and_one_that_is_taken_away_does_not() {
        let balance: Choice<Algorithm> = serde_json::from_value("nginx_hash".into()).unwrap();
        let spec = Spec { balance, ..Spec::default() };
        let moved = |leave: fn(&mut Balancer)| {
            let mut balancer = Balancer::new(&spec, (0..10).map(balance::tests::member).collect(), &[], 1, "lb1");
            let homes = |balancer: &mut Balancer| -> Vec<Route> {
                (0..1_000).map(|key| balancer.route(&ask(key), None)).collect()
            };
            let before = homes(&mut balancer);
            leave(&mut balancer);
            before.iter().zip(homes(&mut balancer)).filter(|(was, is)| *was != is).count()
        };
        let down = moved(|balancer| balancer.set_admin(A, Admin::Maint));
        assert!((60..140).contains(&down), "its own tenth: {down} of 1,000");
        let drained: fn(&mut Balancer) = |balancer| {
            balancer.set_admin(A, Admin::Drain);
            balancer.set_admin(A, Admin::Removed);
        };
        for away in [drained, |balancer| balancer.set_admin(A, Admin::Removed), |balancer| balancer.hold_back(A)] {
            let moved = moved(away);
            assert!((850..950).contains(&moved), "nine of ten: {moved} of 1,000");
        }
    }

    #[test]
    fn a_refused_connection_is_tried_elsewhere_with_redispatch_and_again_without() {
        assert_eq!(balancer(true).refused(&ask(0), A, 1, Cause::Refused), Route::To(B));
        assert_eq!(balancer(false).refused(&ask(0), A, 1, Cause::Refused), Route::Pause(A, Duration::from_secs(1)));
        assert_eq!(balancer(true).refused(&ask(0), A, 2, Cause::Refused), Route::Refuse(Cause::Refused));
    }
}
