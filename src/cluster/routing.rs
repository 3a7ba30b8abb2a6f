//! Which node does an attempt go to, and what if that does not take it?

use super::balancer::Route;
use super::balancer::balance::Ask;
use super::balancer::retry::{Avoid, Failure, Next};
use super::balancer::view::passive::Seen;
use super::client::{Caller, Population, happens};
use super::patience::Entry;
use super::request::{Attempt, Kind, Stage};
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId};
use crate::base::time::{Duration, Instant};
use crate::observe::Fact;

impl Sim<'_> {
    /// Asks the balancer where an attempt goes.
    #[inline]
    pub(super) fn route(&mut self, now: Instant, id: AttemptId) {
        let Attempt { population, session, who, request, kind, writes, .. } = self.attempts[id];
        // A stream that is opened again may meet another balancer, although nothing was asked in between.
        let nth = if kind == Kind::Connect { u32::from(self.sessions[session].counted) } else { request };
        let via = self.balancers.met_by(who, nth, self.plan.populations[population.index()].instance);
        self.attempts[id].via = via;
        let presented = self.presented(now, session);
        let is_canary = self.exposure.canary.is_some() && self.goes_to_canary(now, session, nth);
        self.attempts[id].is_canary = is_canary;
        let people = &self.plan.populations[population.index()];
        let caller = Caller::new(&self.plan.populations, &self.streams, &self.sessions[session]);
        let ask = Ask { is_canary, ..caller.ask() };
        let balancer = &mut self.balancers[via];
        let is_free = !writes && people.splits();
        let is_unplaced = is_free || self.farewells.evicted_from(session).is_some();
        let affinity = if is_unplaced { None } else { balancer.propose(now, population, &ask, presented) };
        let affinity = affinity.filter(|&node| self.exposure.heeds(node, is_canary));
        let route = balancer.route(&ask, affinity);
        self.attempts[id].moved_by = match affinity {
            Some(node) if route == Route::To(node) => Cause::Recalled,
            _ if self.exposure.crosses(self.sessions[session].bound, is_canary) => Cause::OtherVersion,
            Some(_) => Cause::Unavailable,
            None => self
                .moved_by_farewell(session)
                .unwrap_or_else(|| people.affinity.oblivion(self.plan.balancer.balance.0.binds())),
        };
        let is_bound = affinity.is_some_and(|node| route == Route::To(node) || route == Route::Wait(node));
        self.attempts[id].is_bound = is_bound;
        self.follow(now, id, route);
    }

    /// The balancer opens a connection to `node`. The attempt has a place there from now on, whether the node takes
    /// it or not.
    #[inline]
    pub(super) fn connect(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        // A connection that is not there yet counts already, as a server's place does in HAProxy.
        self.take_place(id, node);
        self.saw(now, self.attempts[id].via, node, Seen::Tried);
        let target = self.fleet.get(node);
        if target.is_silent() {
            let attempt = &mut self.attempts[id];
            attempt.stage = Stage::Connecting;
            let gives_up = now + self.plan.balancer.connect_timeout;
            return attempt.timer.set(gives_up, event::attempt(id), &mut self.queue);
        }
        if !target.listens() {
            let cause = self.why_refused(self.attempts[id].via, node);
            if cause == Cause::DeregistrationRace {
                self.recorder.note(now, Fact::Raced { population: self.attempts[id].population });
            }
            return self.on_refused(now, id, cause);
        }
        let Attempt { population, entry, kind, .. } = self.attempts[id];
        let (connects, links) = (entry != Entry::Known, self.links(population));
        if links && self.has_no_room(node) {
            return self.on_refused(now, id, Cause::ConnectionLimit);
        }
        // The kernel of a frozen process accepts; but a stream is open only when the process has answered.
        let waits = target.ills.is_frozen && kind == Kind::Connect;
        self.reach(now, id, node);
        self.await_reply(now, id);
        let has_door = self.has_doors && self.plan.nodes[node.index()].spec.has_door();
        if has_door && (connects || links) || waits {
            self.ask_to_enter(now, id, node);
        } else if links {
            self.established(now, id, node);
        } else {
            self.enter(now, id, node);
        }
    }

    /// The attempt takes a place at the balancer that sends it to `node`, unless it has it already.
    #[inline]
    fn take_place(&mut self, id: AttemptId, node: NodeId) {
        let attempt = &mut self.attempts[id];
        attempt.node = node;
        if !std::mem::replace(&mut attempt.placed, true) {
            self.balancers[attempt.via].sent(node);
        }
    }

    /// The attempt gives its place at the balancer back, if it has one.
    #[inline]
    pub(super) fn give_place_back(&mut self, id: AttemptId) {
        let attempt = &mut self.attempts[id];
        if std::mem::replace(&mut attempt.placed, false) {
            self.balancers[attempt.via].done(attempt.node);
        }
    }

    /// The balancer waits for the node's reply, if it waits with a limit.
    #[inline]
    pub(super) fn await_reply(&mut self, now: Instant, id: AttemptId) {
        if let Some(patience) = self.plan.balancer.server_timeout {
            self.attempts[id].timer.set(now + patience, event::attempt(id), &mut self.queue);
        }
    }

    /// Whether a node has all the connections that it may have; those being let in have theirs already.
    pub(super) fn has_no_room(&self, node: NodeId) -> bool {
        let most = self.plan.nodes[node.index()].spec.connections_max;
        most < u32::MAX
            && self.hanging(node) + self.fleet.get(node).accept.present() as u64 + self.opening(node) >= u64::from(most)
    }

    /// How many streams have been let in at a node and wait for the store to say whose they are.
    fn opening(&self, node: NodeId) -> u64 {
        let asks_store = |people: &Population| people.state.store.is_some() && self.plan.hangs(people);
        if !self.plan.populations.iter().any(asks_store) {
            return 0;
        }
        let mut here = Vec::new();
        self.at_node.list(node, &mut here);
        let opens = |&&id: &&u32| {
            let Attempt { kind, stage, .. } = self.attempts[AttemptId(id)];
            kind == Kind::Connect && matches!(stage, Stage::StoreRead | Stage::Entering)
        };
        here.iter().filter(opens).count() as u64
    }

    /// The node of an attempt has not taken the connection.
    fn on_refused(&mut self, now: Instant, id: AttemptId, cause: Cause) {
        let Attempt { via, node, .. } = self.attempts[id];
        self.saw(now, via, node, Seen::NotConnected);
        self.on_failure(now, id, cause);
    }

    /// The node of an attempt has not taken it, or has failed it; the attempt is at no node.
    fn on_failure(&mut self, now: Instant, id: AttemptId, cause: Cause) {
        let attempt = &mut self.attempts[id];
        attempt.timer.clear();
        attempt.refusals = attempt.refusals.saturating_add(1);
        attempt.moved_by = cause;
        let Attempt { node, via, is_bound, .. } = *attempt;
        let failure = Failure { node, n: u32::from(attempt.refusals), cause, is_bound };
        match self.balancers[via].next(&failure) {
            Next::Fail => self.fail_for_good(now, id, cause),
            Next::Same(Duration::ZERO) => self.connect(now, id, node),
            Next::Same(pause) => self.pause(now, id, pause),
            Next::Elsewhere(pause) => {
                self.give_place_back(id);
                if self.plan.balancer.retry_avoid == Avoid::Tried {
                    let tried = self.tried.entry(id).or_default();
                    // One that stood in line may have come to the same node again.
                    tried.retain(|&other| other != node);
                    tried.push(node);
                }
                match pause.max(self.backoff(id)) {
                    Duration::ZERO => self.route_elsewhere(now, id),
                    pause => self.pause(now, id, pause),
                }
            }
        }
    }

    fn pause(&mut self, now: Instant, id: AttemptId, pause: Duration) {
        let attempt = &mut self.attempts[id];
        attempt.stage = Stage::Pause;
        attempt.timer.set(now + pause, event::attempt(id), &mut self.queue);
    }

    /// How long the balancer waits before it sends an attempt elsewhere.
    fn backoff(&self, id: AttemptId) -> Duration {
        let Some(rule) = &self.plan.balancer.retry_backoff else { return Duration::ZERO };
        let Attempt { who, request, tries, refusals, population, .. } = self.attempts[id];
        let nth = u64::from(request) << 16 | u64::from(tries) << 8 | u64::from(refusals);
        let stream = self.streams[population.index()].redispatch;
        rule.0.wait(u32::from(refusals), |back| stream.at(who, nth - u64::from(back)))
    }

    /// Picks another node for an attempt that has left its own.
    fn route_elsewhere(&mut self, now: Instant, id: AttemptId) {
        let Attempt { node, via, moved_by, session, is_canary, .. } = self.attempts[id];
        let last = [node];
        let failed = self.tried.get(&id).map_or(&last[..], Vec::as_slice);
        let caller = Caller::new(&self.plan.populations, &self.streams, &self.sessions[session]);
        let route = self.balancers[via].route_elsewhere(&Ask { is_canary, ..caller.ask() }, failed, moved_by);
        self.attempts[id].is_bound = false;
        self.follow(now, id, route);
    }

    /// The request that a node had in hand has failed: it is tried again, if the balancer does such things.
    pub(super) fn fail_in_hand(&mut self, now: Instant, id: AttemptId, cause: Cause) {
        if self.plan.balancer.retries_in_hand() && self.may_be_sent_again(id) {
            let attempt = &mut self.attempts[id];
            (attempt.missed, attempt.refused, attempt.remade) = (false, false, false);
            return self.on_failure(now, id, cause);
        }
        self.fail_for_good(now, id, cause);
    }

    /// The balancer gives up on an attempt that has a place at its node.
    fn fail_for_good(&mut self, now: Instant, id: AttemptId, cause: Cause) {
        let attempt = self.attempts[id];
        self.give_place_back(id);
        // It does not care what an answer says: it sets its cookie on an error too.
        if attempt.placed
            && cause.is_answer()
            && let Some(session) = attempt.session.some()
        {
            self.heard_from(now, session, &attempt);
        }
        self.fail(now, id, cause);
    }

    /// Whether the balancer still holds a request, and may send it to a second node.
    fn may_be_sent_again(&self, id: AttemptId) -> bool {
        let Attempt { session, population, kind, placed, who, request, .. } = self.attempts[id];
        let people = &self.plan.populations[population.index()];
        let is_held = placed || kind == Kind::Request && !self.links(population);
        let writes =
            || happens(people.write_ratio, &mut self.streams[population.index()].write.at(who, request.into()));
        session.some().is_some() && is_held && (self.plan.balancer.retry_writes || kind == Kind::Connect || !writes())
    }

    /// A wait of the attempt is over: of its client, of the balancer, or for a silent host.
    pub(super) fn on_attempt(&mut self, now: Instant, id: AttemptId) {
        let attempt = &mut self.attempts[id];
        if !attempt.timer.fires(now, event::attempt(id), &mut self.queue) {
            return;
        }
        match attempt.stage {
            Stage::BackingOff => self.send(now, id),
            Stage::Pause if attempt.placed => {
                let node = attempt.node;
                self.connect(now, id, node);
            }
            Stage::Pause => self.route_elsewhere(now, id),
            Stage::Connecting => self.on_refused(now, id, Cause::ConnectTimeout),
            Stage::InLine => {
                self.leave_balancer(now, id);
                self.fail(now, id, Cause::QueueTimeout);
            }
            Stage::Silent if attempt.placed => self.fail_at_node(now, id, Cause::NoAnswer),
            Stage::Route | Stage::Gone | Stage::Cut | Stage::Orphaned => {}
            _ => {
                self.saw_failure(now, id, Cause::NoAnswer);
                self.give_up(now, id, Cause::NoAnswer);
            }
        }
    }
}
