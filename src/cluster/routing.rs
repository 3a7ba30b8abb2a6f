//! Which node does an attempt go to, and what if that does not take it?

use super::balancer::Route;
use super::client::Caller;
use super::request::{Attempt, Kind, Stage};
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId};
use crate::base::time::Instant;

impl Sim<'_> {
    /// Asks the balancer where an attempt goes.
    #[inline]
    pub(super) fn route(&mut self, now: Instant, id: AttemptId) {
        let attempt = &mut self.attempts[id];
        let via = self.balancers.met_by(attempt.who, attempt.request);
        attempt.via = via;
        let (population, session) = (attempt.population, attempt.session);
        let presented = self.presented(now, session);
        let caller = Caller::new(&self.plan.populations, &self.streams, &self.sessions[session]);
        let ask = caller.ask();
        let balancer = &mut self.balancers[via];
        let affinity = balancer.propose(now, population, &ask, presented);
        let route = balancer.route(&ask, affinity);
        self.attempts[id].moved_by = match affinity {
            Some(node) if route == Route::To(node) => Cause::Recalled,
            Some(_) => Cause::Unavailable,
            None => self.plan.populations[population.index()].affinity.oblivion(),
        };
        self.follow(now, id, route);
    }

    #[inline]
    fn follow(&mut self, now: Instant, id: AttemptId, route: Route) {
        match route {
            Route::To(node) => self.connect(now, id, node),
            Route::Pause(node, pause) => {
                let attempt = &mut self.attempts[id];
                (attempt.stage, attempt.node) = (Stage::Pause, node);
                attempt.timer.set(now + pause, event::attempt(id), &mut self.queue);
            }
            Route::Refuse(cause) => self.fail(now, id, cause),
        }
    }

    /// The balancer opens a connection to `node`.
    fn connect(&mut self, now: Instant, id: AttemptId, node: NodeId) {
        // A connection that is not there yet counts already, as a server's place does in HAProxy.
        self.take_place(id, node);
        let target = self.fleet.get(node);
        if target.is_silent() {
            let attempt = &mut self.attempts[id];
            attempt.stage = Stage::Connecting;
            let gives_up = now + self.plan.balancer.connect_timeout;
            return attempt.timer.set(gives_up, event::attempt(id), &mut self.queue);
        }
        if !target.listens() {
            return self.on_refused(now, id, node, Cause::Refused);
        }
        let Attempt { population, connects, kind, .. } = self.attempts[id];
        let links = self.links(population);
        if links && self.has_no_room(node) {
            return self.on_refused(now, id, node, Cause::ConnectionLimit);
        }
        // The kernel of a frozen process accepts; but a stream is open only when the process has answered.
        let waits = target.ills.is_frozen && kind == Kind::Connect;
        self.reach(now, id, node);
        self.await_reply(now, id);
        if self.plan.nodes[node.index()].spec.handshake.is_some() && (connects || links) || waits {
            self.ask_to_enter(now, id, node);
        } else if links {
            self.established(now, id, node);
        } else {
            self.enter(now, id, node);
        }
    }

    /// The attempt takes a place at the balancer that sends it to `node`.
    #[inline]
    fn take_place(&mut self, id: AttemptId, node: NodeId) {
        let attempt = &mut self.attempts[id];
        (attempt.node, attempt.placed) = (node, true);
        self.balancers[attempt.via].sent(node);
    }

    /// The attempt gives its place at the balancer back, if it has one.
    #[inline]
    pub(super) fn give_place_back(&mut self, id: AttemptId) {
        let Attempt { node, via, placed, .. } = self.attempts[id];
        if placed {
            self.balancers[via].done(node);
            self.attempts[id].placed = false;
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
        let taken = self.hanging(node) + self.fleet.get(node).accept.present() as u64;
        taken >= u64::from(self.plan.nodes[node.index()].spec.connections_max)
    }

    /// `node` did not take the connection.
    fn on_refused(&mut self, now: Instant, id: AttemptId, node: NodeId, cause: Cause) {
        self.give_place_back(id);
        let attempt = &mut self.attempts[id];
        attempt.refusals = attempt.refusals.saturating_add(1);
        attempt.moved_by = cause;
        let (refusals, via) = (u32::from(attempt.refusals), attempt.via);
        let caller = Caller::new(&self.plan.populations, &self.streams, &self.sessions[attempt.session]);
        let route = self.balancers[via].refused(&caller.ask(), node, refusals, cause);
        self.follow(now, id, route);
    }

    /// A wait of the attempt is over: of its client, of the balancer, or for a silent host.
    pub(super) fn on_attempt(&mut self, now: Instant, id: AttemptId) {
        let attempt = &mut self.attempts[id];
        if !attempt.timer.fires(now, event::attempt(id), &mut self.queue) {
            return;
        }
        let node = attempt.node;
        match attempt.stage {
            Stage::BackingOff => self.send(now, id),
            Stage::Pause => self.connect(now, id, node),
            Stage::Connecting => self.on_refused(now, id, node, Cause::ConnectTimeout),
            Stage::Silent if attempt.placed => self.fail_at_node(now, id, Cause::NoAnswer),
            Stage::Route | Stage::Gone | Stage::Cut | Stage::Orphaned => {}
            _ => self.give_up(now, id, Cause::NoAnswer),
        }
    }
}
