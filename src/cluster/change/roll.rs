//! `rolling`: every node is restarted, a few at a time, in place or by new nodes that replace the old.
//!
//! A node in place goes through: leave (drained until it is empty or `drain_timeout` is over, cut, killed, or told to
//! `stop`) → stop → away for `restart` → started (`cluster.node.start`) → up → eligible in the balancer's view, and for
//! `ready_min` without a break → done. With `surge_max` new nodes go through the second half, and the old ones through
//! the first. `pause` after a node is done its place may be used for the next turn. A node that a fault keeps down when
//! its turn comes is passed over: it will come back new.
//!
//! How many at once is reckoned in one of two ways. Gliding, whenever one is done the next begins: in place so many are
//! away; with a surge as Kubernetes' Deployment does it (pkg/controller/deployment/rolling.go). Of n nodes with a surge
//! of s and u that may be unavailable, new ones are started while there are fewer than n + s, those that leave not
//! counted; old ones leave while more than n − u are available, and those that are not available leave first. In batches
//! so many leave together, and nobody begins before all of them are done (Ansible's `serial`, the rolling deployments
//! of AWS Elastic Beanstalk).

use super::bound::Bound;
use super::gate::Gate;
use super::leave::{DRAIN, Stop, two_ends};
use super::order::Order;
use super::reload::Reloading;
use super::step::Step;
use super::{LOOKS_EVERY, Steps, no_rate};
use crate::base::cause::Cause;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::base::units::Rate;
use crate::cluster::Sim;
use crate::cluster::balancer::view::Admin;
use crate::observe::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// One line for `stickysim list change`.
pub const MEANING: &str = "every node is restarted, some at a time, in place or with surge";

/// Parameters of `rolling`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Nodes that may be away at once, or a share of them, rounded down; whenever one is done, the next begins. Unless
    /// given 1, or none with `surge_max` (Kubernetes: `"25%"`). Either this or `batch`.
    pub unavailable_max: Option<Bound>,
    /// So many nodes leave together, and the next begin when all of them are done; ≥ 1. No batches unless given.
    pub batch: Option<u32>,
    /// Nodes that are started beyond the desired number, or a share of them, rounded up, so that none need be away;
    /// default 0 (Kubernetes: `"25%"`). With `batch`, at least as many.
    pub surge_max: Bound,
    /// How a node leaves; default `drain`.
    pub how: How,
    /// How long a drain waits for sessions to end; default 30 s (Kubernetes' grace period). Not with `stop`.
    pub drain_timeout: Option<Duration>,
    /// Its process is told to stop and goes by clocks of its own, instead of being drained; not unless given.
    pub stop: Option<Stop>,
    /// So many a second are asked to leave each node that is drained, or told to stop; nobody unless given.
    pub evict: Option<Rate>,
    /// From the end of a process to the start of the next, which then takes `cluster.node.start`; default 5 s, or
    /// none where `cluster.node.start` is given.
    pub restart: Option<Duration>,
    /// How long a node must be eligible without a break to be done; default none (Kubernetes' `minReadySeconds`).
    pub ready_min: Duration,
    /// Pause between a node's return, or that of the last of its batch, and the next turn; default none.
    pub pause: Duration,
    /// No turn begins while more than this is measured; always open unless given.
    pub gate: Option<Gate>,
    /// When for so long nothing has got on, pauses apart, the roll is given up: nobody's turn comes any more. Never
    /// unless given (Kubernetes reports it after 10 min, and goes on trying).
    pub progress_deadline: Option<Duration>,
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
            surge_max: Bound::Count(0),
            how: How::Drain,
            drain_timeout: None,
            stop: None,
            evict: None,
            restart: None,
            ready_min: Duration::ZERO,
            pause: Duration::ZERO,
            gate: None,
            progress_deadline: None,
            order: Order::default(),
            version: None,
        }
    }
}

impl Params {
    /// How many of so many nodes may be unavailable, and how many there may be beyond them.
    fn fenceposts(&self, nodes: usize) -> (usize, usize) {
        let surge = self.surge_max.up(nodes);
        let unavailable = self.unavailable_max.map_or(0, |bound| bound.down(nodes));
        (if surge == 0 { unavailable.max(1) } else { unavailable }, surge)
    }

    /// Whether new nodes replace the old ones.
    pub(super) fn surges(&self) -> bool {
        !self.surge_max.is_nothing()
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

/// A rolling change, or any other with steps, under way.
#[derive(Debug, Default)]
pub struct Rolling {
    begun: bool,
    // How many nodes there are in all, those whose turn is still to come, and the new ones so far.
    pub(super) size: usize,
    pub(super) waiting: VecDeque<NodeId>,
    pub(super) ordered: Vec<NodeId>,
    /// Nodes whose turn it is.
    pub active: Vec<(NodeId, Step)>,
    // When it got on last, or paused.
    moved: Instant,
    /// Whether it was given up.
    pub is_given_up: bool,
    /// Since when an eviction has been refused, and when it is asked for again.
    pub refused: Option<(Instant, Instant)>,
    /// Balancers whose turn it was.
    pub reloading: Reloading,
}

impl Rolling {
    /// Whether nothing has been done yet.
    pub fn is_new(&self) -> bool {
        !self.begun
    }

    /// Whether it has this node in hand.
    pub fn holds(&self, node: NodeId) -> bool {
        self.active.iter().any(|&(held, _)| held == node)
    }

    /// Whether some are still to come.
    pub fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next of those to come.
    pub fn next_to_come(&self) -> Option<NodeId> {
        self.waiting.front().copied()
    }

    /// Takes the next of those to come.
    pub fn take_next(&mut self) -> Option<NodeId> {
        self.waiting.pop_front()
    }

    /// From now on the nodes to come are `again`, and those that are as they shall be are `still`; `active` go on;
    /// it is about `size` nodes in all.
    pub fn turn_round(
        &mut self,
        now: Instant,
        (again, still): (Vec<NodeId>, Vec<NodeId>),
        active: Vec<(NodeId, Step)>,
        size: usize,
    ) {
        self.size = size;
        (self.waiting, self.ordered, self.active) = (again.into(), still, active);
        (self.moved, self.is_given_up) = (now, false);
    }

    /// Notes that it has begun, with these nodes to come.
    pub fn begin(&mut self, nodes: impl IntoIterator<Item = NodeId>) {
        self.begun = true;
        self.waiting = nodes.into_iter().collect();
        self.size = self.waiting.len();
    }
}

impl Steps for Params {
    fn name(&self) -> &'static str {
        "rolling"
    }
    fn spares(&self, nodes: usize) -> usize {
        if self.surges() { nodes } else { 0 }
    }
    fn order(&self) -> Option<(&'static str, &Order)> {
        Some(("order", &self.order))
    }
    fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
    fn equips_new(&self) -> bool {
        true
    }
    fn can_roll_back(&self) -> bool {
        true
    }
    fn roll_back(&self, sim: &mut Sim, now: Instant, index: usize) -> bool {
        sim.undo_roll(now, index, self);
        true
    }
    fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut faults = self.faults_of_numbers();
        let mut fault = |key, message: &str, mend| faults.push((key, message.to_owned(), mend));
        if self.evict.is_some() && self.how != How::Drain {
            let message = "evict asks people to leave a node that is drained, but `how` says another way";
            fault("evict", message, "write how = \"drain\", or leave evict out");
        }
        if self.stop.is_some() && self.how != How::Drain {
            let message = "stop says how a process is told to stop, but `how` says another way";
            fault("stop", message, "leave one of them out");
        }
        if self.progress_deadline.is_some_and(Duration::is_zero) {
            fault("progress_deadline", "it is given up before it begins", "write a time such as \"10m\"");
        }
        if let Some((message, mend)) = self.gate.as_ref().and_then(Gate::faults) {
            fault("gate", &message, mend);
        }
        faults.extend(two_ends(self.stop.as_ref(), self.drain_timeout).into_iter().chain(no_rate(self.evict)));
        faults
    }
    fn evicts(&self) -> Option<Rate> {
        self.evict
    }
    fn stops(&self) -> bool {
        self.stop.is_some()
    }
    fn go_on(&self, sim: &mut Sim, now: Instant, index: usize) -> Option<Instant> {
        sim.roll(now, index, self)
    }
}

impl Params {
    fn faults_of_numbers(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut faults = Vec::new();
        let mut fault = |key, message: String, mend| faults.push((key, message, mend));
        match (self.batch, self.unavailable_max, self.surge_max) {
            (Some(0), ..) => fault("batch", "a batch of 0 nodes moves nothing".into(), "write 1 or more"),
            (Some(_), Some(_), _) => {
                let message = "`unavailable_max` and `batch` both say how many nodes are away at once";
                fault("unavailable_max", message.into(), "leave one out: one by one as they are done, or together");
            }
            (Some(batch), None, Bound::Count(surge)) if surge > 0 && surge < batch => {
                let message = format!("a batch of {batch} needs as many new nodes, but surge_max is {surge}");
                fault("surge_max", message, "raise surge_max, or leave it out to restart in place");
            }
            (Some(_), None, Bound::Share(_)) => {
                let message = "a batch needs as many new nodes, but surge_max is a share of an unknown number";
                fault("surge_max", message.into(), "write a number of nodes");
            }
            (None, Some(bound), surge) if bound.is_nothing() && surge.is_nothing() => {
                let message = "with unavailable_max and surge_max both 0 nothing can move";
                fault("unavailable_max", message.into(), "set one of them to 1 or more");
            }
            _ => {}
        }
        faults
    }
}

impl Sim<'_> {
    /// Goes on with a roll; the next time to look, or `None` when nothing is left to do.
    fn roll(&mut self, now: Instant, index: usize, params: &Params) -> Option<Instant> {
        if self.rolls[index].is_new() {
            let order = self.turns(index, &params.order);
            self.rolls[index].begin(order);
            self.rolls[index].moved = now;
        }
        self.drop_lost(now, index, params);
        let mut active = std::mem::take(&mut self.rolls[index].active);
        for (node, step) in &mut active {
            let before = *step;
            self.advance_roll(now, *node, step, params);
            // A pause is no standstill, and a process that comes and goes does not get on.
            if before.gets_on_to(*step) || matches!(step, Step::Done(after) if *after >= now) {
                self.rolls[index].moved = now;
            }
        }
        active.retain(|(_, step)| !matches!(step, Step::Done(after) if *after <= now));
        self.rolls[index].active = active;
        self.begin_turns(now, index, params);
        let mut next = self.next_look(now, index, params);
        if next.is_none() && self.take_in_late(index) {
            self.begin_turns(now, index, params);
            next = self.next_look(now, index, params);
        }
        if next.is_none() && !self.rolls[index].is_given_up {
            self.note_rolled(index);
        }
        next
    }

    /// Begins the turns that can begin now.
    fn begin_turns(&mut self, now: Instant, index: usize, params: &Params) {
        // A gate that the new version has shut must not keep the old one out.
        if !self.is_undone(index) && params.gate.as_ref().is_some_and(|gate| !self.passes(gate)) {
            return;
        }
        if params.surges() {
            self.order_new(now, index, params);
            let leaving = self.replaced(index, params);
            for &node in &leaving {
                self.want(now, node, false);
            }
            self.rolls[index].waiting.retain(|node| !leaving.contains(node));
            self.let_leave(now, index, params, leaving);
            self.order_new(now, index, params);
        } else {
            let leaving = self.next_in_place(index, params);
            self.let_leave(now, index, params, leaving);
        }
    }

    /// Starts as many new nodes as there is room for.
    fn order_new(&mut self, now: Instant, index: usize, params: &Params) {
        let Rolling { size, ref ordered, ref waiting, ref active, is_given_up, .. } = self.rolls[index];
        let (_, surge) = params.fenceposts(size);
        let room = match params.batch {
            _ if is_given_up => 0,
            // Not before those have left whom the last batch has replaced.
            Some(batch) if active.is_empty() && waiting.len() + ordered.len() <= size => batch as usize,
            Some(_) => 0,
            None => {
                let paused = active.iter().filter(|(_, step)| matches!(step, Step::Done(_))).count();
                (size + surge).saturating_sub(waiting.len() + ordered.len() + paused)
            }
        };
        for _ in 0..room.min(size.saturating_sub(ordered.len())) {
            let Some(fresh) = self.spares.pop_front() else { break };
            self.install_version(index, fresh);
            let mut step = Step::Ordered(now + self.gap(fresh, params));
            self.advance_roll(now, fresh, &mut step, params);
            let roll = &mut self.rolls[index];
            roll.ordered.push(fresh);
            roll.active.push((fresh, step));
            roll.moved = now;
        }
    }

    /// The old nodes that new ones have replaced, so that they may leave now.
    fn replaced(&self, index: usize, params: &Params) -> Vec<NodeId> {
        let Rolling { size, ref ordered, ref waiting, ref active, .. } = self.rolls[index];
        let is_coming = |fresh: NodeId| active.iter().any(|&(node, step)| node == fresh && step.is_coming());
        if params.batch.is_some() {
            // The old nodes of a batch leave together, when the last of the new is there.
            let any_comes = ordered.iter().any(|&fresh| is_coming(fresh));
            let count = if any_comes { 0 } else { (ordered.len() + waiting.len()).saturating_sub(size) };
            return waiting.iter().copied().take(count).collect();
        }
        let (unavailable, _) = params.fenceposts(size);
        let needed = size.saturating_sub(unavailable);
        let new = ordered.iter().filter(|&&fresh| !is_coming(fresh) && self.is_found_up(fresh)).count();
        let (well, ill): (Vec<NodeId>, Vec<NodeId>) = waiting.iter().partition(|&&node| self.is_found_up(node));
        let dispensable = (waiting.len() + new).saturating_sub(needed);
        let spare = (well.len() + new).saturating_sub(needed);
        ill.into_iter().take(dispensable).chain(well.into_iter().take(spare)).collect()
    }

    /// The next nodes that may be restarted in place now. Whoever is kept down already comes back new.
    fn next_in_place(&mut self, index: usize, params: &Params) -> Vec<NodeId> {
        let roll = &self.rolls[index];
        let (unavailable, _) = params.fenceposts(roll.size);
        let count = match params.batch {
            Some(batch) if roll.active.is_empty() => batch as usize,
            Some(_) => 0,
            None => unavailable.saturating_sub(roll.active.len()),
        };
        let mut next = Vec::new();
        while next.len() < count
            && let Some(node) = self.rolls[index].waiting.pop_front()
        {
            self.install_version(index, node);
            if !self.fleet.get(node).is_kept_down() {
                next.push(node);
            }
        }
        next
    }

    fn let_leave(&mut self, now: Instant, index: usize, params: &Params, leaving: Vec<NodeId>) {
        for node in leaving {
            let mut step = self.begin_leaving(now, node, params);
            self.advance_roll(now, node, &mut step, params);
            self.rolls[index].active.push((node, step));
            self.rolls[index].moved = now;
        }
    }

    pub(super) fn begin_leaving(&mut self, now: Instant, node: NodeId, params: &Params) -> Step {
        match (&params.stop, params.how) {
            (Some(stop), _) => self.begin_stopping(now, node, stop),
            (None, How::Drain) => {
                self.begin_drain(now, node, params.evict);
                Step::Draining(now + params.drain_timeout.unwrap_or(DRAIN))
            }
            (None, How::Maint) => {
                self.set_admin(now, node, Admin::Maint);
                self.shut_down_sessions(now, node, None, Cause::Maintenance);
                Step::Cut
            }
            (None, How::Kill) => Step::Cut,
        }
    }

    fn advance_roll(&mut self, now: Instant, node: NodeId, step: &mut Step, params: &Params) {
        loop {
            if let Some(cause) = self.go_on_leaving(now, node, step, (params.stop.as_ref(), params.evict)) {
                if self.is_wanted(node) {
                    self.take_down(now, node, cause);
                    *step = Step::Away(now + self.gap(node, params));
                } else {
                    self.take_away(now, node, cause);
                    *step = Step::Done(now);
                }
            }
            *step = match *step {
                Step::Ordered(start) if start <= now => {
                    self.begin_node(now, node);
                    Step::Joining
                }
                Step::Joining if self.fleet.is_up(node) => {
                    self.want(now, node, true);
                    Step::Unseen
                }
                Step::Away(until) if until <= now => {
                    self.release(now, node);
                    Step::Starting
                }
                Step::Starting if self.fleet.is_up(node) => {
                    self.set_admin(now, node, Admin::Ready);
                    Step::Unseen
                }
                Step::Unseen if self.is_found_up(node) => Step::Settling(now + params.ready_min),
                Step::Settling(_) if !self.is_found_up(node) => Step::Unseen,
                Step::Settling(until) if until <= now => {
                    *step = Step::Done(now + params.pause);
                    return;
                }
                _ => return,
            };
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

    /// When a roll can go on, at a known time or at the next look; `None` when nothing is left to do.
    fn next_look(&mut self, now: Instant, index: usize, params: &Params) -> Option<Instant> {
        let look = now + LOOKS_EVERY;
        if self.rolls[index].waiting.is_empty() && self.rolls[index].active.is_empty() {
            return None;
        }
        let given_up = params.progress_deadline.map_or(Instant::NEVER, |deadline| self.rolls[index].moved + deadline);
        if given_up <= now && !self.rolls[index].is_given_up {
            self.rolls[index].is_given_up = true;
            self.rolls[index].waiting.clear();
            self.recorder.note(now, Fact::GivenUp { index: self.incident_of(index) });
        }
        let roll = &self.rolls[index];
        let first = roll.active.iter().map(|&(node, step)| self.look_at(now, node, step)).min();
        // Those to come may wait for the gate, or for nodes to be found up.
        let looks = params.gate.is_some() || params.surges();
        let waits = looks && !roll.waiting.is_empty() && first.is_none_or(|first| first > look);
        let next = if waits { Some(look) } else { first }?;
        Some(if roll.is_given_up { next } else { next.min(given_up) })
    }
}
