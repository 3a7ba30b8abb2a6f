//! When is a store out, for whom, and what does it forget?
//!
//! An outage begins with a fault and ends with whatever comes first: a replica is promoted, or the old primary is
//! back. A promotion that comes first forgets what the replicas had not had; a primary that comes back with empty
//! hands, because nothing `persists`, has forgotten everything, and so have those who follow it. Nodes that go on
//! talking to a primary that everybody else has given up, since a cut has left them on its side or since they never
//! give up waiting, write into the wind: all of it is lost when that primary is told (E8: 6,414 of 6,414 writes).

use super::Rules;
use crate::base::draw::Stream;
use crate::base::id::{AttemptId, NodeId, PopulationId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::cluster::state::Lru;
use crate::engine::Timer;
use rand::RngExt;
use std::collections::VecDeque;

/// What goes wrong with a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Its primary's process is gone: connections are refused.
    Killed,
    /// Its primary stands still: nothing is answered, and everything is there when it goes on.
    Hung,
    /// Its primary is cut off from its replicas, and from all nodes but some.
    Cut,
    /// It is gone with all its replicas and all they held.
    Lost,
}

/// What becomes of an operation in an outage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// It fails at once.
    Refused,
    /// Nothing is heard.
    Unanswered,
}

/// A write that the store has acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Acked {
    /// When.
    pub at: Instant,
    /// Of whom.
    pub population: PopulationId,
    /// Whose state: the session's name, and the slot of its record; none when its client had left.
    pub who: u64,
    /// See `who`.
    pub session: SessionId,
    /// Whether it was the first of this session.
    pub first: bool,
}

#[derive(Clone, Copy, Debug)]
struct Outage {
    shape: Shape,
    began: Instant,
    // When a replica takes over; never without one.
    promoted_at: Instant,
    // A replica has taken over, while the old primary is still away.
    is_over: bool,
}

/// Operations that wait for an answer in vain.
#[derive(Debug, Default)]
pub struct Unanswered {
    /// In the order in which they are given up, which is that in which they came: all wait equally long.
    pub for_a_while: VecDeque<(Instant, AttemptId)>,
    /// Those of nodes that never give up.
    pub for_ever: Vec<AttemptId>,
    /// Wakes the first to be given up.
    pub timer: Timer,
}

impl Unanswered {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.for_a_while.len() + self.for_ever.len()
    }

    /// All of them: nobody waits any more.
    pub fn take(&mut self) -> impl Iterator<Item = AttemptId> + use<> {
        self.timer.clear();
        let patient = std::mem::take(&mut self.for_a_while).into_iter().map(|(_, id)| id);
        patient.chain(std::mem::take(&mut self.for_ever))
    }
}

/// What a store is up to.
#[derive(Debug, Default)]
pub struct State {
    outage: Option<Outage>,
    // How many outages there were: keys the draws.
    outages: u64,
    // By node: when it finds the new primary, after a failover with stalls.
    stalled: Vec<Instant>,
    /// Wakes it when a replica takes over.
    pub timer: Timer,
    // Writes acknowledged within the last `lag`.
    recent: VecDeque<Acked>,
    // Nodes on the old primary's side of a cut, in order.
    inside: Vec<NodeId>,
    // What was written there.
    strayed: Vec<Acked>,
    /// Operations that wait for an answer in vain.
    pub unanswered: Unanswered,
    /// What it holds, where that is limited.
    pub held: Option<Lru<()>>,
}

impl State {
    /// A store that is well, and holds nothing.
    pub fn new(rules: Option<&Rules>) -> State {
        State { held: rules.and_then(Rules::holds), ..State::default() }
    }

    /// What becomes of an operation of `node`; `None` when all is well.
    pub fn trouble(&self, now: Instant, node: NodeId) -> Option<Trouble> {
        let stays = self.is_inside(node);
        match self.outage {
            Some(Outage { shape: Shape::Cut, .. }) if stays => None,
            Some(Outage { shape: Shape::Hung, .. }) if stays => Some(Trouble::Unanswered),
            Some(Outage { is_over: false, shape: Shape::Hung | Shape::Cut, .. }) => Some(Trouble::Unanswered),
            Some(Outage { is_over: false, .. }) => Some(Trouble::Refused),
            _ => self.stalled.get(node.index()).is_some_and(|&until| now < until).then_some(Trouble::Refused),
        }
    }

    /// Whether `node` talks to a primary that everybody else has given up.
    pub fn is_inside(&self, node: NodeId) -> bool {
        self.inside.binary_search(&node).is_ok()
    }

    /// An outage begins; `inside` are the nodes that go on talking to the primary. Returns when it is to be woken, and
    /// what is lost at once.
    pub fn begin(
        &mut self,
        now: Instant,
        shape: Shape,
        mut inside: Vec<NodeId>,
        rules: &Rules,
        seed: u64,
    ) -> (Instant, Aftermath) {
        inside.sort_unstable();
        self.inside = inside;
        self.outages += 1;
        self.stalled.clear();
        let luck = Stream::new(seed, "store failover", &rules.name);
        let mut draw = luck.at(self.outages, 0);
        let takes = rules.detection.duration(&mut draw) + rules.promotion.duration(&mut draw);
        // A dead process is noticed by its closed connections; silence only after the next sign of life is due.
        let late = match shape {
            Shape::Hung | Shape::Cut => rules.ping.as_nanos() as f64 * draw.random::<f64>(),
            Shape::Killed | Shape::Lost => 0.0,
        };
        let may_fail_over = rules.replicas > 0 && shape != Shape::Lost;
        let promoted_at = if may_fail_over { now + takes + Duration::from_nanos_f64(late) } else { Instant::NEVER };
        self.outage = Some(Outage { shape, began: now, promoted_at, is_over: false });
        let lost = match shape {
            Shape::Lost => Aftermath::Everything(rules.backup.map(|every| last(now, every))),
            Shape::Killed if rules.replicas == 0 && !rules.persists => Aftermath::Everything(None),
            _ => Aftermath::Nothing,
        };
        (promoted_at, lost)
    }

    /// A replica takes over, if it is time, and so many nodes have to find it: the writes that it has never had.
    pub fn promote(&mut self, now: Instant, rules: &Rules, nodes: usize, seed: u64) -> Option<Vec<Acked>> {
        let outage = self.outage.as_mut().filter(|outage| !outage.is_over && outage.promoted_at <= now)?;
        outage.is_over = true;
        let began = outage.began;
        if let Some(stall) = &rules.stall {
            let luck = Stream::new(seed, "store stall", &rules.name);
            let stalls = (0..nodes as u64).map(|node| now + stall.duration(&mut luck.at(node, self.outages)));
            self.stalled = stalls.collect();
        }
        let missed = |acked: &Acked| acked.at + rules.lag > began;
        let lost = self.recent.iter().copied().filter(missed).collect();
        self.recent.clear();
        Some(lost)
    }

    /// The fault is over: what follows.
    pub fn end(&mut self, now: Instant, rules: &Rules) -> Aftermath {
        let Some(outage) = self.outage.take() else { return Aftermath::Nothing };
        if outage.shape == Shape::Hung && outage.is_over && !self.inside.is_empty() {
            // It goes on as if nothing had been, with those who have stayed, until it is told that it is no primary.
            self.outage = Some(Outage { shape: Shape::Cut, promoted_at: Instant::NEVER, ..outage });
            return Aftermath::Returned(now + rules.demotion);
        }
        self.inside.clear();
        let strayed = std::mem::take(&mut self.strayed);
        match outage.shape {
            Shape::Cut if outage.is_over => Aftermath::Writes(strayed),
            // Those who follow a primary that comes back with empty hands have nothing either.
            Shape::Killed if !outage.is_over && !rules.persists && rules.replicas > 0 => Aftermath::Everything(None),
            _ => Aftermath::Nothing,
        }
    }

    /// A write from `node` is acknowledged.
    pub fn acknowledge(&mut self, acked: Acked, node: NodeId, rules: &Rules) {
        if self.outage.is_some_and(|outage| outage.shape == Shape::Cut) && self.is_inside(node) {
            return self.strayed.push(acked);
        }
        if rules.replicas == 0 || rules.lag.is_zero() {
            return;
        }
        while self.recent.front().is_some_and(|oldest| oldest.at + rules.lag <= acked.at) {
            self.recent.pop_front();
        }
        self.recent.push_back(acked);
    }
}

/// The last backup before an instant.
fn last(before: Instant, every: Duration) -> Instant {
    let (since, every) = (before.since(Instant::START).as_nanos(), every.as_nanos());
    Instant::START + Duration::from_nanos(since - since % every)
}

/// What follows from the beginning or the end of an outage.
#[derive(Debug, PartialEq)]
pub enum Aftermath {
    /// Nothing.
    Nothing,
    /// These writes.
    Writes(Vec<Acked>),
    /// All it held, but for what was there at that time.
    Everything(Option<Instant>),
    /// A primary that has hung is back, and does not know until then that it is none.
    Returned(Instant),
}
