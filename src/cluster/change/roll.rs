//! `rolling`: every node is restarted, a few at a time, in place or by new nodes that replace the old.
//!
//! A node in place goes through: drain (it takes nobody new, those bound to it are served on) until it is
//! empty or `drain_timeout` is over → stop → away for `restart` → started (`cluster.node.start`) → up → eligible
//! in the balancer's view. With `surge_max` a new node is started and eligible first, and the old one then leaves
//! for good. The next node's turn comes `pause` later. A node that a fault keeps down when its turn comes is passed
//! over: it will come back new.
//!
//! Turns overlap in one of two ways. By default so many nodes are under way at any time, and when one is done the
//! next begins (Kubernetes' `maxUnavailable`). In batches so many leave together, and nobody begins before all of
//! them are done (Ansible's `serial`, the rolling deployments of AWS Elastic Beanstalk).

use super::reload::Reloading;
use super::{LOOKS_EVERY, Steps, no_rate};
use crate::base::cause::Cause;
use crate::base::draw::Stream;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::base::units::Rate;
use crate::cluster::Sim;
use crate::cluster::balancer::view::Admin;
use rand::Rng;
use schemars::JsonSchema;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt;

/// One line for `stickysim list change`.
pub const MEANING: &str = "every node is restarted, some at a time, in place or with surge";

/// Parameters of `rolling`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Nodes that are away at once: whenever one is done, the next begins. ≥ 1 unless `surge_max` is; 1 unless
    /// given. Either this or `batch`.
    pub unavailable_max: Option<u32>,
    /// So many nodes leave together, and the next begin when all of them are done; ≥ 1. No batches unless given.
    pub batch: Option<u32>,
    /// Nodes that are started beyond the desired number, so that none need be away; default 0. With `batch`, at
    /// least as many.
    pub surge_max: u32,
    /// How a node leaves; default `drain`.
    pub how: How,
    /// How long a drain waits for sessions to end; default 30 s (Kubernetes' grace period).
    pub drain_timeout: Duration,
    /// So many a second are asked to leave each node that is drained; nobody unless given.
    pub evict: Option<Rate>,
    /// From the end of a process to the start of the next, which then takes `cluster.node.start`; default 5 s, or
    /// none where `cluster.node.start` is given.
    pub restart: Option<Duration>,
    /// Pause between a node's return, or that of the last of its batch, and the next turn; default none.
    pub pause: Duration,
    /// Whose turn comes first: a rule, or the names of those that do; default `forward`.
    pub order: Order,
    /// The version that nodes run from their turn on, as described in `[version.<name>]`; as before unless given.
    pub version: Option<String>,
}

impl Default for Params {
    fn default() -> Params {
        Params {
            unavailable_max: None,
            batch: None,
            surge_max: 0,
            how: How::Drain,
            drain_timeout: Duration::from_secs(30),
            evict: None,
            restart: None,
            pause: Duration::ZERO,
            order: Order::default(),
            version: None,
        }
    }
}

impl Params {
    /// Nodes whose turn it may be at once.
    fn at_once(&self) -> usize {
        let gliding = || self.surge_max.max(self.unavailable_max.unwrap_or(1)).max(1);
        self.batch.unwrap_or_else(gliding) as usize
    }
}

/// How a node leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It takes nobody new, and stops when it is empty or its time is over.
    #[default]
    Drain,
    /// The balancer cuts its sessions and sends nobody any more, then it stops.
    Maint,
    /// It just stops; the balancer finds out by its checks.
    Kill,
}

/// Whose turn comes first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Order {
    /// By a rule.
    Rule(Rule),
    /// These first, in this order, then the rest by number.
    Names(Vec<String>),
}

impl Default for Order {
    fn default() -> Order {
        Order::Rule(Rule::Forward)
    }
}

struct OrderVisitor;

impl<'de> Visitor<'de> for OrderVisitor {
    type Value = Order;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"forward\", \"reverse\", \"random\" or names such as [\"n3\", \"n1\"]")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Order, E> {
        match text {
            "forward" => Ok(Order::Rule(Rule::Forward)),
            "reverse" => Ok(Order::Rule(Rule::Reverse)),
            "random" => Ok(Order::Rule(Rule::Random)),
            other => Err(E::custom(format!(
                "`{other}` is no order of turns\nhint: write \"forward\", \"reverse\", \"random\" or a list of names"
            ))),
        }
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Order, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = items.next_element()? {
            names.push(name);
        }
        Ok(Order::Names(names))
    }
}

// By hand, since an untagged enum would hide the place and the reason of an error.
impl<'de> Deserialize<'de> for Order {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Order, D::Error> {
        from.deserialize_any(OrderVisitor)
    }
}

/// A rule for whose turn comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The lowest number first.
    Forward,
    /// The highest number first.
    Reverse,
    /// Drawn anew for each seed.
    Random,
}

/// Where a node is in its turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A new node is to replace this one: which, and when its process is started.
    Replacing(NodeId, Instant),
    /// That one has been started, and the balancer does not know yet.
    Joining(NodeId),
    /// It is drained until then at most.
    Draining(Instant),
    /// Its process is away until then.
    Away(Instant),
    /// Its process may run again, and does not listen yet.
    Starting,
    /// It is up, and the balancer does not know yet.
    Unseen,
    /// It is done; the next turn may begin then.
    Done(Instant),
}

/// A rolling change, or any other with steps, under way.
#[derive(Debug, Default)]
pub struct Rolling {
    begun: bool,
    waiting: VecDeque<NodeId>,
    /// Nodes whose turn it is.
    pub active: Vec<(NodeId, Step)>,
    /// Balancers whose turn it was.
    pub reloading: Reloading,
}

impl Rolling {
    /// Whether nothing has been done yet.
    pub fn is_new(&self) -> bool {
        !self.begun
    }

    /// Takes the next of those to come.
    pub fn take_next(&mut self) -> Option<NodeId> {
        self.waiting.pop_front()
    }

    /// Notes that it has begun, with these nodes to come.
    pub fn begin(&mut self, nodes: impl IntoIterator<Item = NodeId>) {
        self.begun = true;
        self.waiting = nodes.into_iter().collect();
    }
}

impl Steps for Params {
    fn name(&self) -> &'static str {
        "rolling"
    }
    fn spares(&self, nodes: usize) -> usize {
        if self.surge_max > 0 { nodes } else { 0 }
    }
    fn order(&self) -> Option<&Order> {
        Some(&self.order)
    }
    fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
    fn can_roll_back(&self) -> bool {
        true
    }
    fn roll_back(&self, sim: &mut Sim, now: Instant, index: usize) -> bool {
        sim.undo_roll(now, index, self);
        true
    }
    fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut faults = Vec::new();
        let mut fault = |key, message: String, mend| faults.push((key, message, mend));
        match (self.batch, self.unavailable_max) {
            (Some(0), _) => fault("batch", "a batch of 0 nodes moves nothing".into(), "write 1 or more"),
            (Some(_), Some(_)) => {
                let message = "`unavailable_max` and `batch` both say how many nodes are away at once";
                fault("unavailable_max", message.into(), "leave one out: one by one as they are done, or together");
            }
            (Some(batch), None) if self.surge_max > 0 && self.surge_max < batch => {
                let message =
                    format!("a batch of {batch} needs as many new nodes, but surge_max is {}", self.surge_max);
                fault("surge_max", message, "raise surge_max, or leave it out to restart in place");
            }
            (None, Some(0)) if self.surge_max == 0 => {
                let message = "with unavailable_max and surge_max both 0 nothing can move";
                fault("unavailable_max", message.into(), "set one of them to 1 or more");
            }
            _ => {}
        }
        if self.evict.is_some() && self.how != How::Drain {
            let message = "evict asks people to leave a node that is drained, but `how` says another way";
            fault("evict", message.into(), "write how = \"drain\", or leave evict out");
        }
        faults.extend(no_rate(self.evict));
        faults
    }
    fn evicts(&self) -> Option<Rate> {
        self.evict
    }
    fn go_on(&self, sim: &mut Sim, now: Instant, index: usize) -> Option<Instant> {
        sim.roll(now, index, self)
    }
}

impl Sim<'_> {
    /// Goes on with a roll; the next time to look, or `None` when all is done.
    fn roll(&mut self, now: Instant, index: usize, params: &Params) -> Option<Instant> {
        if self.rolls[index].is_new() {
            let order = self.turns(index, &params.order);
            self.rolls[index].begin(order);
        }
        let mut active = std::mem::take(&mut self.rolls[index].active);
        // The old nodes of a batch leave together, when the last of the new is seen.
        let may_leave = params.batch.is_none() || active.iter().all(|(_, step)| !self.is_joining(*step));
        for (node, step) in &mut active {
            self.advance_roll(now, *node, step, may_leave, params);
        }
        active.retain(|(_, step)| !matches!(step, Step::Done(after) if *after <= now));
        let begins = params.batch.is_none() || active.is_empty();
        while begins
            && active.len() < params.at_once()
            && let Some(node) = self.rolls[index].waiting.pop_front()
        {
            if self.fleet.get(node).is_kept_down() && params.surge_max == 0 {
                continue;
            }
            let mut step = self.begin_turn(now, node, params);
            self.install_version(index, node, step);
            self.advance_roll(now, node, &mut step, params.batch.is_none(), params);
            active.push((node, step));
        }
        let over = active.is_empty();
        let next = active.iter().map(|&(node, step)| self.next_look(now, node, step)).min();
        self.rolls[index].active = active;
        if over {
            self.note_rolled(index);
            return None;
        }
        next
    }

    /// The nodes that are there, in the order of their turns.
    pub(super) fn turns(&self, index: usize, order: &Order) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = self.fleet.ids().filter(|&node| self.is_wanted(node)).collect();
        match order {
            Order::Rule(Rule::Forward) => {}
            Order::Rule(Rule::Reverse) => nodes.reverse(),
            Order::Names(names) => nodes.sort_by_key(|node| {
                let name = &self.plan.nodes[node.index()].name;
                names.iter().position(|named| named == name).unwrap_or(names.len())
            }),
            Order::Rule(Rule::Random) => {
                let luck = Stream::new(self.seed, "turns", &self.plan.changes[index].name);
                nodes.sort_by_key(|node| luck.at(u64::from(node.0), 0).next_u64());
            }
        }
        nodes
    }

    fn begin_turn(&mut self, now: Instant, node: NodeId, params: &Params) -> Step {
        if params.surge_max > 0
            && let Some(fresh) = self.spares.pop_front()
        {
            return Step::Replacing(fresh, now + self.gap(node, params));
        }
        self.begin_leaving(now, node, params)
    }

    pub(super) fn begin_leaving(&mut self, now: Instant, node: NodeId, params: &Params) -> Step {
        match params.how {
            How::Drain => {
                self.begin_drain(now, node, params.evict);
                Step::Draining(now + params.drain_timeout)
            }
            How::Maint => {
                self.set_admin(now, node, Admin::Maint);
                self.shut_down_sessions(now, node, None, Cause::Maintenance);
                Step::Draining(now)
            }
            How::Kill => Step::Draining(now),
        }
    }

    /// Whether a new node that is to replace another is not eligible yet.
    fn is_joining(&self, step: Step) -> bool {
        match step {
            Step::Replacing(..) => true,
            Step::Joining(fresh) => !self.is_found_up(fresh),
            _ => false,
        }
    }

    fn advance_roll(&mut self, now: Instant, node: NodeId, step: &mut Step, may_leave: bool, params: &Params) {
        loop {
            let next = match *step {
                Step::Replacing(fresh, start) if start <= now => {
                    self.begin_node(now, fresh);
                    Step::Joining(fresh)
                }
                Step::Joining(fresh) if self.fleet.is_up(fresh) && !self.is_wanted(fresh) => {
                    self.want(now, fresh, true);
                    Step::Joining(fresh)
                }
                Step::Joining(fresh) if may_leave && self.is_found_up(fresh) => {
                    self.want(now, node, false);
                    self.begin_leaving(now, node, params)
                }
                Step::Draining(until) if self.ends_drain(now, node, until) => {
                    let cause =
                        if until <= now && params.how == How::Drain { Cause::DrainTimeout } else { Cause::Restart };
                    if self.is_wanted(node) {
                        self.take_down(now, node, cause);
                    } else {
                        self.take_away(now, node, cause);
                    }
                    Step::Away(now + self.gap(node, params))
                }
                Step::Away(_) if !self.is_wanted(node) => Step::Done(now + params.pause),
                Step::Away(until) if until <= now => {
                    self.release(now, node);
                    Step::Starting
                }
                Step::Starting if self.fleet.is_up(node) => {
                    self.set_admin(now, node, Admin::Ready);
                    Step::Unseen
                }
                Step::Unseen if self.is_found_up(node) => Step::Done(now + params.pause),
                _ => return,
            };
            *step = next;
            if matches!(next, Step::Done(_)) {
                return;
            }
        }
    }

    /// How long a node is without a process before the next is started.
    fn gap(&self, node: NodeId, params: &Params) -> Duration {
        let says_start = self.plan.nodes[node.index()].spec.start.is_some();
        params.restart.unwrap_or(if says_start { Duration::ZERO } else { Duration::from_secs(5) })
    }

    /// Whether nobody is left on a node.
    pub(super) fn is_empty(&self, node: NodeId) -> bool {
        let remembered = self.plan.populations.iter().any(|people| people.affinity.binds());
        self.linked.count(node) == 0
            && self.at_node.count(node) == 0
            && (!remembered || self.bound_to[node.index()] == 0)
    }

    /// When a step can go on: at a known time, or at the next look.
    fn next_look(&self, now: Instant, node: NodeId, step: Step) -> Instant {
        let look = now + LOOKS_EVERY;
        let back_at = |node: NodeId| self.fleet.get(node).back_at().unwrap_or(look);
        match step {
            Step::Away(until) | Step::Done(until) => until.max(now + Duration::from_nanos(1)),
            Step::Replacing(_, start) if start > now => start,
            Step::Joining(fresh) => back_at(fresh),
            Step::Draining(until) => until.min(look),
            Step::Starting => back_at(node),
            Step::Replacing(..) | Step::Unseen => look,
        }
    }
}
