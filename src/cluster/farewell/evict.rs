//! Emptying a node bit by bit: those who are there are asked to leave one after the other, in an order that is drawn.
//!
//! NATS calls it lame duck mode, and spreads it so that those who come back, with a TLS handshake each, do not come at
//! once; EMQX evacuates a node at `conn-evict-rate`. The k-th is asked k ÷ rate after the beginning.

use super::event;
use crate::base::cause::Cause;
use crate::base::draw::Stream;
use crate::base::id::{NodeId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::base::units::Rate;
use crate::cluster::Sim;
use crate::engine::Timer;
use rand::Rng;

/// While a node that is to be emptied has nobody to ask and is not empty, it looks again so often.
const LOOKS_EVERY: Duration = Duration::from_secs(1);

/// Who is asked to leave one node, and when.
#[derive(Debug, Default)]
pub struct Pacer {
    // Who is next stands last.
    list: Vec<SessionId>,
    // Whether all are to leave, also those who come meanwhile.
    empties: bool,
    rate: f64,
    // When the first was waited for, and how many have been asked since.
    begun: Instant,
    asked: u64,
    timer: Timer,
}

impl Pacer {
    fn next(&self) -> Instant {
        self.begun + Duration::from_nanos_f64((self.asked + 1) as f64 * 1e9 / self.rate)
    }

    fn begin(&mut self, now: Instant, rate: Rate) {
        (self.begun, self.asked, self.rate) = (now, 0, rate.per_second());
    }
}

impl Sim<'_> {
    /// All who are on a node are asked to leave, so many a second.
    pub(in crate::cluster) fn evict_all(&mut self, now: Instant, node: NodeId, rate: Rate) {
        let list = self.those_to_evict(node, true);
        let pacer = &mut self.farewells.pacers[node.index()];
        pacer.begin(now, rate);
        (pacer.list, pacer.empties) = (list, true);
        self.await_turn(now, node);
    }

    /// So many of those who hang on a node are asked to leave. Whoever was to be asked still is not any more; what is
    /// under way keeps its beat.
    pub(super) fn evict_some(&mut self, now: Instant, node: NodeId, count: usize, rate: Rate) {
        if self.farewells.pacers[node.index()].empties {
            return;
        }
        let mut list = self.those_to_evict(node, false);
        list.drain(..list.len().saturating_sub(count));
        let pacer = &mut self.farewells.pacers[node.index()];
        if pacer.timer.due() == Instant::NEVER {
            pacer.begin(now, rate);
        }
        pacer.list = list;
        self.await_turn(now, node);
    }

    /// Nobody is asked to leave a node any more.
    pub(in crate::cluster) fn stop_evicting(&mut self, node: NodeId) {
        if let Some(pacer) = self.farewells.pacers.get_mut(node.index()) {
            pacer.list.clear();
            pacer.empties = false;
            pacer.timer.clear();
        }
    }

    /// The next of them is asked, if it is still there.
    pub(in crate::cluster) fn on_turn(&mut self, now: Instant, node: NodeId) {
        let pacer = &mut self.farewells.pacers[node.index()];
        if !pacer.timer.fires(now, event::evict(node), &mut self.queue) {
            return;
        }
        if !self.fleet.is_up(node) {
            return self.stop_evicting(node);
        }
        let Pacer { empties, .. } = *pacer;
        if pacer.list.is_empty() && empties {
            // It had nobody to ask: whoever has come since is asked after a beat.
            pacer.begun = now;
            pacer.asked = 0;
        } else {
            pacer.asked += 1;
            if !self.fleet.get(node).ills.is_frozen {
                self.ask_next(now, node);
            }
        }
        if empties && self.farewells.pacers[node.index()].list.is_empty() {
            self.farewells.pacers[node.index()].list = self.those_to_evict(node, true);
        }
        self.await_turn(now, node);
    }

    fn ask_next(&mut self, now: Instant, node: NodeId) {
        while let Some(id) = self.farewells.pacers[node.index()].list.pop() {
            if self.may_be_evicted(id, node) {
                return self.say_goodbye(now, id, node, Cause::Evicted, None);
            }
        }
    }

    fn await_turn(&mut self, now: Instant, node: NodeId) {
        let pacer = &mut self.farewells.pacers[node.index()];
        let due = match (pacer.list.is_empty(), pacer.empties) {
            (false, _) => pacer.next().max(now),
            (true, true) => now + LOOKS_EVERY,
            (true, false) => return pacer.timer.clear(),
        };
        if due < self.plan.end {
            pacer.timer.set(due, event::evict(node), &mut self.queue);
        }
    }

    /// Whether a session is on a node, by its connection or, where that does not hang on nodes, by what remembers it.
    fn may_be_evicted(&self, id: SessionId, node: NodeId) -> bool {
        let session = &self.sessions[id];
        let is_there = match self.links(session.population) {
            true => self.linked.node(id.0) == Some(node) && session.incarnation == self.fleet.get(node).incarnation,
            false => session.bound == node,
        };
        session.is_live() && is_there && !self.farewells.is_told(id)
    }

    /// Those who hang on a node, or all who are on it; whose turn it is first stands last.
    fn those_to_evict(&mut self, node: NodeId, all: bool) -> Vec<SessionId> {
        let mut linked = Vec::new();
        self.linked.list(node, &mut linked);
        let mut list: Vec<SessionId> = linked.into_iter().map(SessionId).collect();
        if all && self.bound_to[node.index()] > 0 {
            let records = (0..).map(SessionId).zip(self.sessions.iter());
            let is_bound = |id: SessionId, bound| bound == node && self.linked.node(id.0) != Some(node);
            list.extend(records.filter(|(id, session)| is_bound(*id, session.bound)).map(|(id, _)| id));
        }
        list.retain(|&id| self.may_be_evicted(id, node));
        self.farewells.looks += 1;
        let luck = Stream::new(self.seed, "evicted", &self.plan.nodes[node.index()].name);
        let key = |id: &SessionId| {
            let session = &self.sessions[*id];
            (luck.at(session.who, self.farewells.looks).next_u64(), session.population, session.who)
        };
        list.sort_by_cached_key(key);
        list
    }
}
