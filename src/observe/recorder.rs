//! The one outlet of the model: counts every fact and closes windows.
//!
//! Time averages cost one multiply-add: a gauge that changes adds change × (end of tick − now) to its
//! area. Closing a tick is one pass over the nodes.

use super::fact::{Ending, Fact};
use super::histogram::ResponseTimes;
use super::imbalance::{gini, imbalance};
use super::incident::{Distinct, Marks, OpenIncident, Peak, Shock};
use super::recovery::{Limits, Verdict, rebalance, recovery};
use super::totals::{Counter, Totals};
use super::window::{ClusterFigures, Spread, Window};
use crate::base::cause::{Cause, Harm};
use crate::base::draw::mix;
use crate::base::id::{PopulationId, SessionId};
use crate::base::time::{Duration, Instant};

/// What the recorder must know of a run before it starts.
#[derive(Clone, Debug)]
pub struct Setup {
    /// End of the part that whole-run figures leave out.
    pub warmup: Instant,
    /// End of the run.
    pub end: Instant,
    /// Length of a tick; divides both.
    pub tick: Duration,
    /// By population: whether something binds its sessions to nodes, and whether they have state.
    pub populations: Vec<(bool, bool)>,
    /// By node: slots, and weight × speed relative to the others.
    pub nodes: Vec<(u32, f64)>,
    /// What recovery means.
    pub limits: Limits,
    /// How long recovery must last.
    pub hold: Duration,
    /// Whether to keep a row per node and tick.
    pub keep_nodes: bool,
}

/// Everything that is left of a run.
#[derive(Debug, Default)]
pub struct Recording {
    /// Windows of one tick: per tick, each population, then all.
    pub ticks: Vec<Window>,
    /// One per population and incident, then all.
    pub incidents: Vec<(Scope, Window)>,
    /// One per population, then all: from the warm-up to the end.
    pub runs: Vec<(Scope, Window)>,
    /// One per tick and node, when asked for.
    pub nodes: Vec<NodeTick>,
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

/// What one node did within one tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeTick {
    /// Beginning of the tick.
    pub from: Instant,
    /// The node's index.
    pub node: u32,
    /// Whether it was ready at the end.
    pub ready: bool,
    /// Sessions bound to it, time average.
    pub sessions: f64,
    /// Attempts at it, time average.
    pub in_flight: f64,
    /// Share of its slots that were busy.
    pub utilisation: f64,
}

/// A number that changes, and its time integral within the current tick.
#[derive(Clone, Copy, Debug, Default)]
struct Gauge {
    value: i64,
    area: i64,
}

impl Gauge {
    #[inline]
    fn change(&mut self, by: i64, left: Duration) {
        self.value += by;
        self.area += by * left.as_nanos() as i64;
    }

    /// Starts a tick of this length; returns the integral of the one before.
    fn turn(&mut self, length: Duration) -> i64 {
        std::mem::replace(&mut self.area, self.value * length.as_nanos() as i64)
    }

    /// The integral up to `now`, with `left` of the tick to go.
    fn so_far(&self, left: Duration) -> u128 {
        (self.area - self.value * left.as_nanos() as i64) as u128
    }
}

#[derive(Debug, Default)]
struct NodeGauges {
    ready: bool,
    sessions: Gauge,
    in_flight: Gauge,
    busy: Gauge,
    // Since the warm-up: integrals of the three, and time ready [ns].
    since_warmup: [f64; 3],
    ready_time: f64,
}

/// The books of one population, or of all together.
#[derive(Debug, Default)]
struct Books {
    totals: Totals,
    live: Gauge,
    disconnected: Gauge,
    at_tick: Totals,
    at_warmup: Totals,
    tick_response: ResponseTimes,
    run_response: ResponseTimes,
    incident: Option<OpenIncident>,
    // Requests of the verdict window that is filling.
    judging_from: Instant,
    judging: ResponseTimes,
    judging_failed: u64,
    verdicts: Vec<Verdict>,
}

/// Time means over ticks of the cluster's figures, for windows longer than a tick.
#[derive(Clone, Debug, Default)]
struct Means {
    ticks: f64,
    ready: f64,
    ready_min: Option<f64>,
    utilisation: (f64, f64),
    utilisation_max: Option<f64>,
    spreads: [SpreadMeans; 3],
}

#[derive(Clone, Debug, Default)]
struct SpreadMeans {
    sums: [f64; 4],
    n: f64,
    max: Option<f64>,
}

/// Counts facts and turns them into windows.
pub struct Recorder {
    setup: Setup,
    tick_from: Instant,
    tick_end: Instant,
    // One per population, then all.
    books: Vec<Books>,
    marks: Vec<Marks>,
    incident: u16,
    nodes: Vec<NodeGauges>,
    ready: Gauge,
    ready_min: i64,
    run_means: Means,
    incident_means: Means,
    // Peak-to-mean of what is even when all is well: bound sessions, or busy time where nothing binds.
    peak_to_mean: Vec<(Instant, Instant, f64)>,
    recording: Recording,
}

impl Recorder {
    /// An empty set of books.
    pub fn new(setup: Setup) -> Recorder {
        let books = (0..=setup.populations.len()).map(|_| Books::default()).collect();
        let nodes = setup.nodes.iter().map(|_| NodeGauges::default()).collect();
        let tick_end = Instant::START + setup.tick;
        Recorder {
            setup,
            tick_from: Instant::START,
            tick_end,
            books,
            marks: Vec::new(),
            incident: 0,
            nodes,
            ready: Gauge::default(),
            ready_min: i64::MAX,
            run_means: Means::default(),
            incident_means: Means::default(),
            peak_to_mean: Vec::new(),
            recording: Recording::default(),
        }
    }

    /// Notes a fact.
    #[inline]
    pub fn note(&mut self, now: Instant, fact: Fact) {
        let left = self.tick_end.since(now);
        match fact {
            Fact::Issued { population } => self.count(population, Counter::Issued, 1),
            Fact::Attempted { population, connects } => {
                self.count(population, Counter::Attempts, 1);
                if connects {
                    self.count(population, Counter::Connects, 1);
                    self.each_incident(population, |incident| incident.connects.add(now));
                }
            }
            Fact::Succeeded { population, response } => {
                let books = &mut self.books[population.index()];
                books.totals[Counter::Succeeded] += 1;
                books.totals[Counter::ResponseTime] += response.as_nanos();
                books.tick_response.add(response);
                self.stamp(now, response.as_nanos());
            }
            Fact::InFlight { node, by } => self.nodes[node.index()].in_flight.change(i64::from(by), left),
            Fact::Busy { node, slots } => {
                let gauge = &mut self.nodes[node.index()].busy;
                gauge.change(i64::from(slots) - gauge.value, left);
            }
            Fact::Worked { population, spent, wasted } => {
                self.count(population, Counter::Spent, spent.as_nanos());
                if wasted {
                    self.count(population, Counter::Wasted, spent.as_nanos());
                }
            }
            Fact::StoreAnswered { population, after } => {
                self.count(population, Counter::StoreOps, 1);
                self.count(population, Counter::StoreTime, after.as_nanos());
            }
            Fact::LookedUp { population, hit } => {
                self.count(population, if hit { Counter::Hits } else { Counter::Misses }, 1);
            }
            Fact::Bound { node, by } => self.nodes[node.index()].sessions.change(i64::from(by), left),
            rare => self.note_rare(now, left, rare),
        }
    }

    /// The facts that no request brings with it when all is well.
    #[inline(never)]
    fn note_rare(&mut self, now: Instant, left: Duration, fact: Fact) {
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
            Fact::Rebuilt { population, work } => {
                self.count(population, Counter::Rebuilds, 1);
                self.count(population, Counter::RebuildTime, work.as_nanos());
            }
            Fact::NodeReady { node } => {
                self.nodes[node.index()].ready = true;
                self.ready.change(1, left);
            }
            Fact::NodeDown { node } => {
                self.nodes[node.index()].ready = false;
                self.ready.change(-1, left);
                self.ready_min = self.ready_min.min(self.ready.value);
            }
            Fact::Incident { index } => self.open_incident(now, left, index),
            Fact::Cleared { index } => {
                let open = self.books.iter_mut().filter_map(|books| books.incident.as_mut());
                open.filter(|incident| incident.index == index).for_each(|incident| incident.cleared = now);
            }
            _ => unreachable!("a frequent fact is noted where it comes in"),
        }
    }

    #[inline]
    fn count(&mut self, population: PopulationId, counter: Counter, by: u64) {
        self.books[population.index()].totals[counter] += by;
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

    /// Applies `change` to the open incident of the population and to that of all.
    fn each_incident(&mut self, population: PopulationId, change: impl Fn(&mut OpenIncident)) {
        if self.incident == 0 {
            return;
        }
        let all = self.books.len() - 1;
        for i in [population.index(), all] {
            if let Some(incident) = &mut self.books[i].incident {
                change(incident);
            }
        }
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
        let gave_up = ending == Ending::GaveUp;
        self.count(population, if gave_up { Counter::GaveUp } else { Counter::Ended }, 1);
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
        (all.live.value, all.disconnected.value) = (0, 0);
        for books in each {
            let mut totals = books.totals.clone();
            totals.live_time += books.live.so_far(left);
            totals.disconnected_time += books.disconnected.so_far(left);
            all.totals += &totals;
            all.live.value += books.live.value;
            all.disconnected.value += books.disconnected.value;
        }
    }

    fn open_incident(&mut self, now: Instant, left: Duration, index: u16) {
        self.close_incident(now);
        self.sum_up(left);
        self.incident += 1;
        self.incident_means = Means::default();
        let scopes = self.books.len();
        for i in 0..scopes {
            let before = self.totals_at(i, left);
            let not_ours = self.tick_response_of(i);
            self.books[i].incident = Some(OpenIncident {
                index,
                from: now,
                cleared: now,
                live_before: before.live(),
                before,
                response: ResponseTimes::default(),
                not_ours,
                distinct: Distinct::default(),
                drops: Peak::default(),
                connects: Peak::default(),
            });
        }
    }

    /// Totals of a set of books with the integrals of the tick under way.
    fn totals_at(&self, i: usize, left: Duration) -> Totals {
        let books = &self.books[i];
        let mut totals = books.totals.clone();
        if i + 1 < self.books.len() {
            totals.live_time += books.live.so_far(left);
            totals.disconnected_time += books.disconnected.so_far(left);
        }
        totals
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
        for books in self.books.split_last_mut().map_or(&mut [][..], |(_, each)| each) {
            books.totals.live_time += books.live.turn(length) as u128;
            books.totals.disconnected_time += books.disconnected.turn(length) as u128;
            // Turned: the integrals now hold the whole next tick.
        }
        self.sum_up(length);
        let all = self.books.len() - 1;
        self.books[all].tick_response = self.tick_response_of(all);
        let cluster = self.turn_nodes(now);
        for i in 0..=all {
            let window = self.tick_window(i, now, cluster.filter(|_| i == all));
            self.recording.ticks.push(window);
            self.turn_books(i, now);
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
        response: Option<super::histogram::Quantiles>,
        cluster: Option<ClusterFigures>,
    ) -> Window {
        let books = &self.books[i];
        let flags = self.setup.populations.get(i).copied();
        let any = |flag: fn(&(bool, bool)) -> bool| self.setup.populations.iter().any(flag);
        Window {
            from,
            to,
            totals,
            live: books.totals.live(),
            disconnected: books.disconnected.value as u64,
            in_flight: books.totals.in_flight(),
            response,
            binds: flags.map_or_else(|| any(|f| f.0), |f| f.0),
            stateful: flags.map_or_else(|| any(|f| f.1), |f| f.1),
            cluster,
            shock: None,
        }
    }

    /// Moves a set of books on to the next tick.
    fn turn_books(&mut self, i: usize, now: Instant) {
        let (warmup, tick_from) = (self.setup.warmup, self.tick_from);
        let books = &mut self.books[i];
        let failed = books.totals.total(Harm::Failed) - books.at_tick.total(Harm::Failed);
        if let Some(incident) = &mut books.incident {
            let mut ours = books.tick_response.clone();
            ours.subtract(&incident.not_ours);
            incident.not_ours.clear();
            incident.response.merge(&ours);
        }
        if tick_from >= warmup {
            books.run_response.merge(&books.tick_response);
        }
        if now == warmup {
            books.at_warmup = books.totals.clone();
        }
        books.judging.merge(&books.tick_response);
        books.judging_failed += failed;
        let judged = books.judging.count() + books.judging_failed;
        if judged >= 1_000 {
            books.verdicts.push(Verdict {
                from: books.judging_from,
                to: now,
                error_ratio: books.judging_failed as f64 / judged as f64,
                p99_ms: books.judging.quantiles().map(|q| q.p99),
            });
            books.judging.clear();
            books.judging_failed = 0;
            books.judging_from = now;
        }
        books.tick_response.clear();
        books.at_tick = books.totals.clone();
    }

    /// Closes the tick of every node and measures how even the load was.
    fn turn_nodes(&mut self, now: Instant) -> Option<ClusterFigures> {
        let length = self.setup.tick;
        let span = length.as_nanos() as f64;
        let counts_for_run = self.tick_from >= self.setup.warmup;
        let mut loads: [Vec<f64>; 3] = Default::default();
        let mut utilisations = Vec::new();
        for (index, (node, &(slots, share))) in self.nodes.iter_mut().zip(&self.setup.nodes).enumerate() {
            let areas = [node.sessions.turn(length), node.in_flight.turn(length), node.busy.turn(length)];
            let averages = areas.map(|area| area as f64 / span);
            if self.setup.keep_nodes {
                let [sessions, in_flight, busy] = averages;
                let utilisation = busy / f64::from(slots);
                let (from, node, ready) = (self.tick_from, index as u32, node.ready);
                self.recording.nodes.push(NodeTick { from, node, ready, sessions, in_flight, utilisation });
            }
            if !node.ready {
                continue;
            }
            utilisations.push(averages[2] / f64::from(slots));
            for (load, average) in loads.iter_mut().zip(averages) {
                load.push(average / share);
            }
            if counts_for_run {
                node.ready_time += span;
                for (sum, average) in node.since_warmup.iter_mut().zip(averages) {
                    *sum += average / share * span;
                }
            }
        }
        let desired = self.setup.nodes.len();
        let binds = self.setup.populations.iter().any(|&(binds, _)| binds);
        let spread = |loads: &[f64]| {
            let mean = imbalance(loads, desired);
            Spread { mean, peak_to_fair_max: mean.map(|m| m.peak_to_fair), gini: None }
        };
        let figures = ClusterFigures {
            ready_mean: self.ready.turn(length) as f64 / span,
            ready_min: self.ready_min.min(self.ready.value) as f64,
            utilisation_mean: mean(&utilisations),
            utilisation_max: utilisations.iter().copied().reduce(f64::max),
            sessions: if binds { spread(&loads[0]) } else { Spread::default() },
            in_flight: spread(&loads[1]),
            busy: spread(&loads[2]),
        };
        self.ready_min = self.ready.value;
        if counts_for_run {
            self.run_means.add(&figures);
        }
        self.incident_means.add(&figures);
        let even = if binds { figures.sessions } else { figures.busy };
        if let Some(measured) = even.mean {
            self.peak_to_mean.push((self.tick_from, now, measured.peak_to_mean));
        }
        Some(figures)
    }

    fn close_incident(&mut self, now: Instant) {
        let left = self.tick_end.since(now);
        self.sum_up(left);
        let all = self.books.len() - 1;
        let cluster = self.incident_means.figures(None);
        for i in 0..=all {
            let Some(open) = self.books[i].incident.take() else { continue };
            let totals = &self.totals_at(i, left) - &open.before;
            let mut response = open.response;
            let mut partial = self.tick_response_of(i);
            partial.subtract(&open.not_ours);
            response.merge(&partial);
            let span = (open.from, now);
            let mut window = self.window(i, span, totals, response.quantiles(), cluster.filter(|_| i == all));
            let (warmup, hold) = (self.setup.warmup, self.setup.hold);
            let rebalance = || rebalance(&self.peak_to_mean, warmup, open.from, open.cleared, now, hold);
            window.shock = Some(Shock {
                index: open.index,
                live_before: open.live_before,
                dropped: open.distinct.dropped,
                moved: open.distinct.moved,
                lost: open.distinct.lost,
                gave_up: open.distinct.gave_up,
                drops_peak: open.drops.max(),
                connects_peak: open.connects.max(),
                reconnect: open.distinct.reconnect(open.from),
                recovery: recovery(&self.books[i].verdicts, warmup, open.from, now, self.setup.limits, hold),
                rebalance: if i == all { rebalance() } else { None },
            });
            self.recording.incidents.push((self.scope(i), window));
        }
    }

    fn scope(&self, i: usize) -> Scope {
        if i + 1 == self.books.len() { Scope::All } else { Scope::One(PopulationId(i as u16)) }
    }

    /// Closes the books; the last tick must have been closed at the end of the run.
    pub fn finish(mut self) -> Recording {
        let end = self.setup.end;
        self.close_incident(end);
        let ginis = [0, 1, 2].map(|quantity| {
            let averages = self.nodes.iter().filter(|node| node.ready_time > 0.0);
            gini(averages.map(|node| node.since_warmup[quantity] / node.ready_time).collect())
        });
        let cluster = self.run_means.figures(Some(ginis));
        let all = self.books.len() - 1;
        for i in 0..=all {
            let books = &self.books[i];
            let totals = &books.totals - &books.at_warmup;
            let span = (self.setup.warmup, end);
            let response = books.run_response.quantiles();
            let window = self.window(i, span, totals, response, cluster.filter(|_| i == all));
            self.recording.runs.push((self.scope(i), window));
        }
        self.recording
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

impl Means {
    fn add(&mut self, tick: &ClusterFigures) {
        self.ticks += 1.0;
        self.ready += tick.ready_mean;
        self.ready_min = Some(self.ready_min.map_or(tick.ready_min, |least| least.min(tick.ready_min)));
        if let Some(utilisation) = tick.utilisation_mean {
            self.utilisation = (self.utilisation.0 + utilisation, self.utilisation.1 + 1.0);
        }
        self.utilisation_max = larger(self.utilisation_max, tick.utilisation_max);
        for (means, spread) in self.spreads.iter_mut().zip([tick.sessions, tick.in_flight, tick.busy]) {
            if let Some(measured) = spread.mean {
                let measures = [measured.peak_to_mean, measured.cv, measured.jain, measured.peak_to_fair];
                means.sums.iter_mut().zip(measures).for_each(|(sum, x)| *sum += x);
                means.n += 1.0;
                means.max = larger(means.max, spread.peak_to_fair_max);
            }
        }
    }

    fn figures(&self, ginis: Option<[Option<f64>; 3]>) -> Option<ClusterFigures> {
        let spread = |quantity: usize| {
            let means = &self.spreads[quantity];
            let [peak_to_mean, cv, jain, peak_to_fair] = means.sums.map(|sum| sum / means.n);
            let measured = super::imbalance::Imbalance { peak_to_mean, cv, jain, peak_to_fair };
            Spread {
                mean: (means.n > 0.0).then_some(measured),
                peak_to_fair_max: means.max,
                gini: ginis.and_then(|each| each[quantity]).filter(|_| means.n > 0.0),
            }
        };
        (self.ticks > 0.0).then(|| ClusterFigures {
            ready_mean: self.ready / self.ticks,
            ready_min: self.ready_min.unwrap_or(0.0),
            utilisation_mean: (self.utilisation.1 > 0.0).then(|| self.utilisation.0 / self.utilisation.1),
            utilisation_max: self.utilisation_max,
            sessions: spread(0),
            in_flight: spread(1),
            busy: spread(2),
        })
    }
}

fn larger(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}
