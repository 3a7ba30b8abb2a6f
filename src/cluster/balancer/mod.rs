//! Where does an attempt go? One balancer: its view, its counters, its algorithm.
//!
//! Affinity proposes, the view admits, balance decides when there is no proposal or the proposed node is
//! not eligible. The answer is a route, not a node: an attempt may also have to wait in line or be refused.

pub mod affinity;
pub mod balance;
mod handover;
pub mod instances;
pub mod line;
mod passage;
pub mod persist;
mod pools;
pub mod retry;
pub mod view;

use crate::base::cause::Cause;
use crate::base::choice::Choice;
use crate::base::dist::Law;
use crate::base::id::{NodeId, PopulationId};
use crate::base::prefetch::prefetch;
use crate::base::time::{Duration, Instant};
use crate::base::units::Share;
use crate::engine::Timer;
use affinity::{Affinity, Remember};
use balance::{Algorithm, Ask, Member, WHOLE};
use instances::Spread;
use line::{Lines, Queue, Room, Wait};
use persist::Persist;
use pools::Pools;
use retry::{Avoid, Failing, Redispatch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use view::active::{Health, Outcome, Start};
use view::passive::{Passive, Seen};
use view::slow_start::SlowStart;
use view::{Admin, Change, View, Word};

use super::client::Layer;
use super::client::reconnect::Backoff;

/// What to do with an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Route {
    /// Send it to this node.
    To(NodeId),
    /// Let it stand in the line of this node, or in the common line when it is none.
    Wait(NodeId),
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
    /// In which states beyond service a node gets those that are bound to it: `drained` (or of weight 0), `maint`,
    /// `down`; default `["drained"]` (HAProxy).
    pub persist: Vec<Persist>,
    /// Whether a session whose node is in none of these states fails instead of being balanced anew; default no.
    pub strict: bool,
    /// Which retries leave the node that failed: `false` none, `true` all, `"last"`, `"unbound"`, `{ every = 2 }`,
    /// `{ last = 2 }`; default none. All but `true` and `"unbound"` are HAProxy's `option redispatch`.
    pub redispatch: Redispatch,
    /// How often a failed try is made again; from 0 to 100, default 3 (HAProxy `retries`).
    pub retries: u32,
    /// The pause before a node that has refused is tried again, at most `connect_timeout`; default 1 s (HAProxy).
    pub retry_pause: Duration,
    /// What is tried again: `connect`, `reset`, `timeout`, `error`; default `["connect"]`.
    pub retry_on: Vec<Failing>,
    /// Whether a request that writes may be tried again once a node has had it in hand; default no (NGINX).
    pub retry_writes: bool,
    /// Whom a retry that leaves does not meet again; default `last`.
    pub retry_avoid: Avoid,
    /// The wait before a retry that leaves; none unless given.
    pub retry_backoff: Option<Choice<Backoff>>,
    /// How many attempts and connections it has at one node at a time; unlimited unless given (HAProxy `maxconn`,
    /// NGINX `max_conns`).
    pub in_flight_max: Option<u32>,
    /// What becomes of those beyond; default `wait`.
    pub queue: Choice<Queue>,
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
            persist: vec![Persist::Drained],
            strict: false,
            redispatch: Redispatch::default(),
            retries: 3,
            retry_pause: Duration::from_secs(1),
            retry_on: vec![Failing::Connect],
            retry_writes: false,
            retry_avoid: Avoid::Last,
            retry_backoff: None,
            in_flight_max: None,
            queue: Choice(Queue::default()),
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

impl Spec {
    /// Whether a request that a node had in hand may be tried again.
    pub fn retries_in_hand(&self) -> bool {
        self.retry_on.iter().any(|&what| what != Failing::Connect)
    }

    /// How long an attempt may wait for a place.
    pub fn queue_timeout(&self) -> Duration {
        self.wait().and_then(|wait| wait.timeout).unwrap_or(self.connect_timeout)
    }

    /// How attempts wait for a place; `None` when they do not wait.
    pub fn wait(&self) -> Option<Wait> {
        match self.queue.0 {
            Queue::Wait(wait) => Some(wait),
            Queue::None(_) => None,
        }
    }
}

/// A running balancer.
pub struct Balancer {
    spec: Spec,
    view: View,
    balance: Pools,
    members: Vec<Member>,
    // By node: the share of its weight that the algorithm goes by; 0 when it is not eligible.
    told: Vec<u32>,
    // How many are eligible.
    eligible: u32,
    /// Wakes it when its view changes by itself.
    pub watch: Timer,
    room: Room,
    lines: Lines,
    // Nodes at which something has changed that those in line may have waited for.
    stirred: VecDeque<NodeId>,
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
        let shared = affinities.iter().find(|(_, own)| !own);
        let mut memories = vec![shared.map_or_else(|| Affinity::default().start(), |(affinity, _)| affinity.start())];
        let mut memory_of = Vec::new();
        for (affinity, own) in affinities {
            let place = if *own { memories.len() } else { 0 };
            memories.extend(own.then(|| affinity.start()));
            memory_of.push((place, memories[place].learns()));
        }
        let mut balancer = Balancer {
            view: View::new(spec, members.len(), Start::FullyUp, seed, instance),
            balance: Pools::new(&spec.balance.0, seed, instance),
            told: vec![0; members.len()],
            eligible: 0,
            watch: Timer::new(),
            room: Room::new(members.len(), spec.in_flight_max, spec.wait().and_then(|wait| wait.max)),
            lines: Lines::default(),
            stirred: VecDeque::new(),
            members,
            memories,
            memory_of,
            spec: spec.clone(),
        };
        balancer.tell();
        balancer
    }

    /// Hints that somebody will be sent to `node` soon.
    #[inline]
    pub fn fetch(&self, node: NodeId) {
        self.view.fetch(node);
        prefetch(&self.members, node.index());
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

    /// Whether `node` is believed to be alive.
    pub fn believes_up(&self, node: NodeId) -> bool {
        self.view.is_up(node)
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

    /// `node` stands on the side of a canary release from now on, or no longer.
    pub fn set_canary(&mut self, node: NodeId, is_canary: bool) {
        let is_eligible = self.is_eligible(node);
        if is_eligible {
            self.balance.left(node);
        }
        self.balance.set_canary(&self.spec.balance.0, node, is_canary);
        self.balance.load(node, self.room.load(node));
        if is_eligible {
            self.balance.joined(self.member(node));
        }
    }

    /// Something is said of `node` that this balancer will hear at `due`.
    pub fn say(&mut self, due: Instant, node: NodeId, word: Word) {
        self.view.say(due, node, word);
    }

    /// What the operator wants of `node`, as far as it knows.
    pub fn admin(&self, node: NodeId) -> Admin {
        self.view.admin(node)
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
        while let Some((node, weight)) = self.view.reweighed() {
            self.set_weight(node, weight);
        }
        while let Some(node) = self.view.removed() {
            self.balance.gone(node);
        }
    }

    /// A node has another weight; with 0 it takes nobody new, as in a drain.
    fn set_weight(&mut self, node: NodeId, weight: u32) {
        let was_eligible = self.is_eligible(node);
        self.members[node.index()].weight = weight;
        self.shift(node);
        if was_eligible && self.is_eligible(node) {
            self.balance.joined(self.member(node));
        }
        self.stir(node);
    }

    /// Whether `node` may be given anybody new.
    #[inline]
    fn is_eligible(&self, node: NodeId) -> bool {
        self.told[node.index()] > 0
    }

    /// What the algorithm is to know of an eligible node.
    fn member(&self, node: NodeId) -> Member {
        Member { share: self.told[node.index()], ..self.members[node.index()] }
    }

    /// What part of its weight new attempts for `node` go by; 0 when it takes none.
    fn share(&self, node: NodeId) -> u32 {
        match self.view.share(node) {
            _ if self.members[node.index()].weight == 0 || self.is_passed_over(node) => 0,
            0 => 0,
            share if self.spec.balance.0.ramps() => share,
            _ => WHOLE,
        }
    }

    /// Tells the algorithm, and those in line, of whom the view has changed.
    fn tell(&mut self) {
        while let Some(node) = self.view.changed() {
            self.shift(node);
            self.stir(node);
        }
    }

    /// Tells the algorithm when a node's eligibility or share has changed.
    fn shift(&mut self, node: NodeId) {
        let share = self.share(node);
        let before = std::mem::replace(&mut self.told[node.index()], share);
        self.eligible = self.eligible + u32::from(share > 0) - u32::from(before > 0);
        match share {
            _ if share == before => {}
            0 => self.balance.left(node),
            _ => self.balance.joined(self.member(node)),
        }
    }
}

#[cfg(test)]
mod evenness;
