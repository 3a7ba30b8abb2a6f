//! Where does an attempt go? One balancer: its view, its counters, its algorithm.
//!
//! Affinity proposes, the view admits, balance decides when there is no proposal or the proposed node is
//! not eligible. The answer is a route, not a node: an attempt may also have to pause or be refused.

pub mod affinity;
pub mod balance;
pub mod instances;
pub mod view;

use crate::base::cause::Cause;
use crate::base::choice::Choice;
use crate::base::dist::Law;
use crate::base::id::{NodeId, PopulationId};
use crate::base::time::{Duration, Instant};
use crate::base::units::Share;
use crate::engine::Timer;
use affinity::{Affinity, Remember};
use balance::{Algorithm, Ask, Balance, Member, WHOLE};
use instances::Spread;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use view::active::{Health, Outcome, Start};
use view::passive::{Passive, Seen};
use view::slow_start::SlowStart;
use view::{Change, View, Word};

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
    /// How long a balancer takes to learn of what others know: that a node joins or leaves, is drained or in
    /// maintenance, and, with `health.by = "host"`, whether it is ready. Drawn for each balancer and change; at
    /// once unless given.
    pub propagation: Option<Law<Duration>>,
    /// What attempts prove about nodes; default `none`.
    pub passive: Choice<Passive>,
    /// While fewer than this share of the nodes is healthy, new requests go to all; default 0%, never (Envoy: 50%).
    pub panic_threshold: Share,
    /// Whether all nodes are used when none is healthy; default no (ALB and NLB: yes).
    pub fail_open: bool,
    /// A node that comes back gets its weight little by little; at once unless given.
    pub slow_start: Option<SlowStart>,
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
            propagation: None,
            passive: Choice(Passive::default()),
            panic_threshold: Share::new(0.0),
            fail_open: false,
            slow_start: None,
        }
    }
}

/// A running balancer.
pub struct Balancer {
    spec: Spec,
    view: View,
    balance: Box<dyn Balance>,
    members: Vec<Member>,
    // By node: the share of its weight that the algorithm goes by; 0 when it is not eligible.
    told: Vec<u32>,
    /// Wakes it when its view changes by itself.
    pub watch: Timer,
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
        let balance = spec.balance.0.start(seed, instance);
        let view = View::new(spec, members.len(), Start::FullyUp, seed, instance);
        let shared = affinities.iter().find(|(_, own)| !own);
        let mut memories = vec![shared.map_or_else(|| Affinity::default().start(), |(affinity, _)| affinity.start())];
        let mut memory_of = Vec::new();
        for (affinity, own) in affinities {
            let place = if *own { memories.len() } else { 0 };
            memories.extend(own.then(|| affinity.start()));
            memory_of.push((place, memories[place].learns()));
        }
        let (told, in_flight) = (vec![0; members.len()], vec![0; members.len()]);
        let (spec, watch) = (spec.clone(), Timer::new());
        let mut balancer = Balancer { spec, view, balance, members, told, watch, in_flight, memories, memory_of };
        balancer.tell();
        balancer
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
    pub fn checked(&mut self, now: Instant, node: NodeId, outcome: Outcome) -> Change {
        let change = self.view.checked(now, node, outcome);
        self.tell();
        change
    }

    /// How long from one health check to the next.
    pub fn next_check(&self, node: NodeId) -> Duration {
        self.view.next_check(node)
    }

    /// Takes in what was seen of an attempt at `node`; whether its next check should come soon.
    pub fn saw(&mut self, now: Instant, node: NodeId, seen: Seen) -> bool {
        let hurry = self.view.saw(now, node, seen);
        self.tell();
        while let Some((node, parts)) = self.view.weakened() {
            self.balance.weakened(node, parts);
        }
        hurry
    }

    /// A node is not there yet, nor configured.
    pub fn hold_back(&mut self, node: NodeId) {
        self.view.hold_back(node);
        self.tell();
        self.balance.gone(node);
    }

    /// Something is said of `node` that this balancer will hear at `due`.
    pub fn say(&mut self, due: Instant, node: NodeId, word: Word) {
        self.view.say(due, node, word);
    }

    /// When the view changes by itself, or has something to tell: at once if that time is past.
    pub fn due(&self) -> Instant {
        self.view.due()
    }

    /// A node that was found down by something else than a check.
    pub fn found_down(&mut self) -> Option<NodeId> {
        self.view.found_down()
    }

    /// Lets the view change by itself until now.
    pub fn pass(&mut self, now: Instant) {
        self.view.pass(now);
        self.tell();
        while let Some(node) = self.view.removed() {
            self.balance.gone(node);
        }
    }

    /// Tells the algorithm whose eligibility or weight has changed.
    fn tell(&mut self) {
        while let Some(node) = self.view.changed() {
            let mut share = self.view.share(node);
            if share > 0 && !self.spec.balance.0.ramps() {
                share = WHOLE;
            }
            if std::mem::replace(&mut self.told[node.index()], share) == share {
                continue;
            }
            match share {
                0 => self.balance.left(node),
                share => self.balance.joined(Member { share, ..self.members[node.index()] }),
            }
        }
    }
}

#[cfg(test)]
mod evenness;

#[cfg(test)]
mod tests {
    use super::balance::tests::ask;
    use super::view::Admin;
    use super::*;
    use crate::base::choice::Choice;

    fn balancer(redispatch: bool) -> Balancer {
        let algorithm: Choice<Algorithm> = serde_json::from_value("roundrobin".into()).unwrap();
        let spec = Spec { balance: algorithm, redispatch, retries: 1, ..Spec::default() };
        let members = vec![balance::tests::member(0), balance::tests::member(1)];
        let mut balancer = Balancer::new(&spec, members, &[], 1, "lb1");
        for _ in 0..3 {
            balancer.checked(Instant::START, NodeId(0), Outcome::Failed);
        }
        balancer
    }

    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);

    /// An operator's word on A.
    fn hear(balancer: &mut Balancer, admin: Admin) {
        balancer.say(Instant::START, A, Word::Admin(admin));
        balancer.pass(Instant::START);
    }

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
        let down = moved(|balancer| hear(balancer, Admin::Maint));
        assert!((60..140).contains(&down), "its own tenth: {down} of 1,000");
        let drained: fn(&mut Balancer) = |balancer| {
            hear(balancer, Admin::Drain);
            hear(balancer, Admin::Removed);
        };
        for away in [drained, |balancer| hear(balancer, Admin::Removed), |balancer| balancer.hold_back(A)] {
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
