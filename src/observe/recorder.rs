//! The one outlet of the model: counts every fact and closes windows.
//!
//! Time averages cost one multiply-add: a gauge that changes adds change × (end of tick − now) to its
//! area. Closing a tick is one pass over the nodes.

mod ending;
mod incidents;
mod lately;
mod of_state;
mod of_versions;
mod setup;

use super::batches::Batches;
use super::books::Books;
use super::fact::{Ending, Fact};
use super::histogram::{Quantiles, ResponseTimes};
use super::imbalance::Load;
use super::incident::{Distinct, Marks, OpenIncident, Peak, Shock};
use super::nodes::NodeBooks;
pub use super::nodes::{Known, NodeTick, State};
use super::recovery::Limits;
use super::rollout::Rollouts;
use super::signals::Warning;
use super::totals::{Counter, Totals};
use super::trace::{Trace, Tracer};
use super::versions::ByVersion;
use super::window::{ClusterFigures, Traits, Window};
use crate::base::cause::{Cause, Harm};
use crate::base::draw::mix;
use crate::base::id::{NodeId, PopulationId, SessionId};
use crate::base::time::{Duration, Instant};
pub use setup::Setup;

/// Everything that is left of a run.
#[derive(Debug, Default)]
pub struct Recording {
    /// Windows of one tick: per tick, each population, then all.
    pub ticks: Vec<Window>,
    /// One per population and incident, then all.
    pub incidents: Vec<(Scope, Window)>,
    /// One per population, then all: from the warm-up to the end.
    pub runs: Vec<(Scope, Window)>,
    /// What each signal did about each incident.
    pub warnings: Vec<Warning>,
    /// Averages by stretch, where nothing is planned to happen.
    pub batches: Vec<Batches>,
    /// One per tick and node, when asked for.
    pub nodes: Vec<NodeTick>,
    /// What happened to whom, when asked for.
    pub trace: Trace,
    /// A hash of every fact and its time, in order.
    pub fingerprint: u64,
}

/// Whom a row is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// One population.
    One(PopulationId),
    /// All of them: the cluster.
    All,
}

/// Counts facts and turns them into windows.
pub struct Recorder {
    setup: Setup,
    tick_from: Instant,
    tick_end: Instant,
    // One per population, then all.
    pub(super) books: Vec<Books>,
    // What a criterion looks at.
    pub(super) versions: ByVersion,
    marks: Vec<Marks>,
    incident: u16,
    rollouts: Rollouts,
    nodes: NodeBooks,
    /// What happens to whom, if that is kept.
    pub trace: Tracer,
    recording: Recording,
}

impl Recorder {
    /// An empty set of books.
    pub fn new(setup: Setup) -> Recorder {
        let books = (0..=setup.populations.len()).map(|_| Books::default()).collect();
        let nodes = NodeBooks::new(&setup);
        let tick_end = Instant::START + setup.tick;
        let versions = ByVersion::new(setup.times_versions);
        Recorder {
            setup,
            tick_from: Instant::START,
            tick_end,
            books,
            versions,
            marks: Vec::new(),
            incident: 0,
            rollouts: Rollouts::default(),
            nodes,
            trace: Tracer::default(),
            recording: Recording::default(),
        }
    }

    /// Hints that facts about a node will be noted soon.
    #[inline]
    pub fn fetch(&self, node: NodeId) {
        self.nodes.fetch(node);
    }

    /// Notes a fact. Always inlined: where it is called the kind of fact is known, and a fact costs a few
    /// instructions.
    #[inline(always)]
    pub fn note(&mut self, now: Instant, fact: Fact) {
        let left = self.tick_end.since(now);
        match fact {
            Fact::Issued { population } => self.count(population, Counter::Issued, 1),
            Fact::Attempted { population, connects } => {
                self.count(population, Counter::Attempts, 1);
                if connects {
                    self.count_connect(now, population);
                }
            }
            Fact::Succeeded { population, response } => {
                let books = &mut self.books[population.index()];
                books.totals[Counter::Succeeded] += 1;
                books.totals[Counter::ResponseTime] += response.as_nanos();
                books.tick_response.add(response);
                self.stamp(now, response.as_nanos());
            }
            Fact::InFlight { node, by } => self.nodes.change(node, Load::InFlight, i64::from(by), left),
            Fact::Busy { node, slots } => self.nodes.set(node, Load::Busy, i64::from(slots), left),
            Fact::Worked { population, spent, wasted } => {
                self.count(population, Counter::Spent, spent.as_nanos());
                if wasted {
                    self.count(population, Counter::Wasted, spent.as_nanos());
                }
            }
            Fact::StoreAnswered { population, after } => {
                self.count(population, Counter::StoreOps, 1);
                self.count(population, Counter::StoreTime, after.as_nanos());
                if let Some(times) = &mut self.nodes.store_times {
                    times.add(after);
                }
            }
            Fact::LookedUp { population, hit } => {
                self.count(population, if hit { Counter::Hits } else { Counter::Misses }, 1);
            }
            Fact::LookedNear { population, hit } => {
                self.count(population, if hit { Counter::NearHits } else { Counter::NearMisses }, 1);
            }
            Fact::Waiting { by } => self.nodes.lines.change(i64::from(by), left),
            Fact::Linked { node, by } => self.nodes.change(node, Load::Connections, i64::from(by), left),
            Fact::Bound { node, by } => self.nodes.change(node, Load::Sessions, i64::from(by), left),
            of_versions @ (Fact::Served { .. } | Fact::Exposed { .. } | Fact::OnNew { .. }) => {
                self.note_of_versions(left, of_versions);
            }
            rare => self.note_rare(now, left, rare),
        }
    }

    /// The facts that no request brings with it when all is well.
    #[inline(never)]
    fn note_rare(&mut self, now: Instant, left: Duration, fact: Fact) {
        self.trace.hear(now, &fact);
        match fact {
            Fact::Started { population, session, initial } => {
                let counter = if initial { Counter::Initial } else { Counter::Started };
                self.count(population, counter, 1);
                self.books[population.index()].live.change(1, left);
                self.mark(session, Marks::default());
            }
            Fact::Ended { population, session, ending, connected } => {
                self.end_session(now, left, population, session, ending, connected);
            }
            Fact::Failed { population, cause } => {
                self.books[population.index()].totals.suffer(Harm::Failed, cause);
                self.stamp(now, cause as u64);
            }
            Fact::Connecting { population } => self.count_connect(now, population),
            Fact::Aged { population } => self.count(population, Counter::Aged, 1),
            Fact::Raced { population } => self.count(population, Counter::Raced, 1),
            Fact::Evicted { population } => self.count(population, Counter::Evicted, 1),
            Fact::Withdrawn { population } => self.count(population, Counter::Withdrawn, 1),
            Fact::Dropped { population, session, cause } => self.drop_session(now, left, population, session, cause),
            Fact::Reconnected { population, session } => {
                self.count(population, Counter::Reconnected, 1);
                self.books[population.index()].disconnected.change(-1, left);
                if self.marked(session).dropped == self.incident {
                    self.each_incident(population, |incident| incident.distinct.come_back(now));
                }
            }
            Fact::Moved { population, session, cause } => {
                self.books[population.index()].totals.suffer(Harm::Moved, cause);
                let marks = self.first_ever(population, session, 1, Counter::MovedOnce);
                if marks.moved != self.incident {
                    self.mark(session, Marks { moved: self.incident, ..marks });
                    self.each_incident(population, |incident| incident.distinct.moved += 1);
                }
            }
            Fact::Lost { population, session, cause } => {
                self.books[population.index()].totals.suffer(Harm::Lost, cause);
                self.stamp(now, u64::from(session.0));
                let marks = self.first_ever(population, session, 2, Counter::LostOnce);
                if marks.lost != self.incident {
                    self.mark(session, Marks { lost: self.incident, ..marks });
                    self.each_incident(population, |incident| incident.distinct.lost += 1);
                }
            }
            Fact::Completed { index } => {
                self.rollouts.of(index).completed = Some(now);
                self.open_incidents(index).for_each(|incident| incident.cleared = now);
            }
            Fact::GivenUp { index } => self.rollouts.of(index).is_given_up = true,
            Fact::RolledBack { index } => {
                let rollout = self.rollouts.of(index);
                (rollout.completed, rollout.rolled_back) = (None, Some(now));
                self.open_incidents(index).for_each(|incident| incident.cleared = Instant::NEVER);
            }
            Fact::Cleared { index, at } => self.open_incidents(index).for_each(|incident| incident.cleared = at),
            Fact::Incident { index, cleared } => self.open_incident(now, left, index, cleared),
            of_nodes => self.note_of_nodes(left, of_nodes),
        }
    }

    /// The facts of the lives of nodes.
    fn note_of_nodes(&mut self, left: Duration, fact: Fact) {
        match fact {
            Fact::NodeStarted { node, again } => self.nodes.start(node, again, left),
            Fact::NodeListens { node, warm } => self.nodes.listen(node, warm, left),
            Fact::NodeDown { node } => self.nodes.stop(node, left),
            Fact::NodeDrains { node, drains } => self.nodes.set_drains(node, drains, left),
            Fact::Memory { node, bytes } => {
                self.nodes.set(node, Load::Memory, i64::try_from(bytes).unwrap_or(i64::MAX), left);
            }
            Fact::OutOfMemory { .. } => self.nodes.count_oom_kill(),
            Fact::Wanted { node, wanted } => self.nodes.set_wanted(node, wanted, left),
            Fact::Scaled { out } => self.nodes.count_scaling(out),
            Fact::Mixed { is_mixed } => self.nodes.set_mixed(is_mixed, left),
            Fact::NodesFail { nodes } => self.nodes.failures.nodes += u64::from(nodes),
            Fact::StoreFails => self.nodes.failures.store(),
            of_state => self.note_of_state(left, of_state),
        }
    }

    /// How long the slots of a node have been busy so far, summed over its slots (ns): what its host's meter shows.
    pub fn busy_so_far(&self, now: Instant, node: NodeId) -> u128 {
        self.nodes.busy_so_far(node, self.tick_end.since(now))
    }

    /// Attempts so far, of all populations.
    pub fn attempts_so_far(&self) -> u64 {
        let (_, each) = self.books.split_last().expect("the books of all are always there");
        each.iter().map(|books| books.totals[Counter::Attempts]).sum()
    }

    #[inline]
    fn count(&mut self, population: PopulationId, counter: Counter, by: u64) {
        self.books[population.index()].totals[counter] += by;
    }

    fn count_connect(&mut self, now: Instant, population: PopulationId) {
        self.count(population, Counter::Connects, 1);
        self.each_incident(population, |incident| incident.connects.add(now));
    }

    /// Folds something of a fact into the fingerprint.
    #[inline]
    fn stamp(&mut self, now: Instant, what: u64) {
        let so_far = self.recording.fingerprint;
        self.recording.fingerprint = mix(so_far ^ now.as_nanos()).wrapping_add(what);
    }

    fn marked(&self, session: SessionId) -> Marks {
        self.marks[session.index()]
    }

    fn mark(&mut self, session: SessionId, marks: Marks) {
        if session.index() >= self.marks.len() {
            self.marks.resize(session.index() + 1, Marks::default());
        }
        self.marks[session.index()] = marks;
    }

    /// Counts a harm that a session suffers for the first time in its life; returns its marks.
    fn first_ever(&mut self, population: PopulationId, session: SessionId, harm: usize, counter: Counter) -> Marks {
        if !std::mem::replace(&mut self.marks[session.index()].ever[harm], true) {
            self.count(population, counter, 1);
        }
        self.marked(session)
    }

    fn drop_session(
        &mut self,
        now: Instant,
        left: Duration,
        population: PopulationId,
        session: SessionId,
        cause: Cause,
    ) {
        let books = &mut self.books[population.index()];
        books.totals.suffer(Harm::Dropped, cause);
        books.disconnected.change(1, left);
        self.stamp(now, u64::from(session.0));
        let marks = self.first_ever(population, session, 0, Counter::DroppedOnce);
        let first = marks.dropped != self.incident;
        self.mark(session, Marks { dropped: self.incident, ..marks });
        self.each_incident(population, |incident| {
            incident.drops.add(now);
            incident.distinct.drop(now, first);
        });
    }

    fn end_session(
        &mut self,
        now: Instant,
        left: Duration,
        population: PopulationId,
        session: SessionId,
        ending: Ending,
        connected: bool,
    ) {
        let gave_up = ending != Ending::Over;
        let counter = match ending {
            Ending::Over => Counter::Ended,
            Ending::GaveUp => Counter::GaveUp,
            Ending::Refused => Counter::Refused,
        };
        self.count(population, counter, 1);
        let books = &mut self.books[population.index()];
        books.live.change(-1, left);
        if !connected {
            books.disconnected.change(-1, left);
        }
        self.stamp(now, u64::from(session.0));
        if self.incident > 0 && self.marked(session).dropped == self.incident {
            self.each_incident(population, |incident| incident.distinct.end(now, gave_up, connected));
        }
    }

    /// Brings the sums of all populations up to `now`.
    fn sum_up(&mut self, left: Duration) {
        let (all, each) = self.books.split_last_mut().expect("the books of all are always there");
        all.totals = Totals::default();
        (all.live.value, all.disconnected.value, all.on_new.value) = (0, 0, 0);
        for books in each {
            all.totals += &books.totals_at(left);
            all.live.value += books.live.value;
            all.disconnected.value += books.disconnected.value;
            all.on_new.value += books.on_new.value;
        }
    }

    /// Totals with the integrals of the tick under way; those of all are summed up already.
    fn totals_at(&self, i: usize, left: Duration) -> Totals {
        let books = &self.books[i];
        if i + 1 < self.books.len() { books.totals_at(left) } else { books.totals.clone() }
    }

    /// Response times of the tick under way; those of all are put together here.
    fn tick_response_of(&self, i: usize) -> ResponseTimes {
        if i + 1 < self.books.len() {
            return self.books[i].tick_response.clone();
        }
        let mut together = ResponseTimes::default();
        self.books[..i].iter().for_each(|books| together.merge(&books.tick_response));
        together
    }

    /// Ends the tick at `now` and begins the next.
    pub fn close_tick(&mut self, now: Instant) {
        let length = self.setup.tick;
        let all = self.books.len() - 1;
        self.books[..all].iter_mut().for_each(|books| books.turn_gauges(length));
        self.sum_up(length);
        self.books[all].tick_response = self.tick_response_of(all);
        let cluster = Some(self.nodes.turn(self.tick_from, now, self.setup.warmup));
        for i in 0..=all {
            let window = self.tick_window(i, now, cluster.filter(|_| i == all));
            self.recording.ticks.push(window);
            self.books[i].turn(self.tick_from, now, self.setup.warmup);
        }
        self.tick_from = now;
        self.tick_end = now + length;
    }

    fn tick_window(&self, i: usize, now: Instant, cluster: Option<ClusterFigures>) -> Window {
        let books = &self.books[i];
        let totals = &books.totals - &books.at_tick;
        let response = books.tick_response.quantiles();
        self.window(i, (self.tick_from, now), totals, response, cluster)
    }

    fn window(
        &self,
        i: usize,
        (from, to): (Instant, Instant),
        totals: Totals,
        response: Option<Quantiles>,
        cluster: Option<ClusterFigures>,
    ) -> Window {
        let books = &self.books[i];
        let each = &self.setup.populations;
        let traits = each.get(i).copied().unwrap_or_else(|| each.iter().fold(Traits::default(), Traits::or));
        Window {
            from,
            to,
            totals,
            live: books.totals.live(),
            disconnected: books.disconnected.value as u64,
            in_flight: books.totals.in_flight(),
            on_new: books.on_new.value as u64,
            response,
            traits,
            cluster,
            shock: None,
            bill: None,
            steadiness: None,
        }
    }

    fn scope(&self, i: usize) -> Scope {
        if i + 1 == self.books.len() { Scope::All } else { Scope::One(PopulationId(i as u16)) }
    }
}
