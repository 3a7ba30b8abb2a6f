//! Who notices that a host has fallen silent, and when?
//!
//! Nobody is told. A client notices by its heartbeat, by a reply that does not come, or when its TCP gives
//! up; the balancer by its checks, if it cuts the sessions of a node that it marks down, or by a tunnel
//! timeout. Each is plain arithmetic on the timers, done once per connection when the silence begins, and
//! again when something is sent into it.

use super::client::Protocol;
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId, SessionId};
use crate::base::time::{Duration, Instant};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What connections of one node will notice, soonest first.
#[derive(Debug, Default)]
pub struct Notices(BinaryHeap<Reverse<(Instant, SessionId, u8, Cause)>>);

impl Sim<'_> {
    /// A node has just fallen silent: works out who will notice when.
    pub(super) fn expect_notices(&mut self, now: Instant, node: NodeId) {
        let mut linked = Vec::new();
        self.linked.list(node, &mut linked);
        for session in linked.into_iter().map(SessionId) {
            let awaits_reply = self.sessions[session].attempt.some().is_some();
            if let Some((due, cause)) = self.notices(now, session, awaits_reply) {
                self.expect(due, session, node, cause);
            }
        }
        self.watch(node);
    }

    /// A request was sent into the silence: its bytes are not acknowledged.
    pub(super) fn notice_unanswered(&mut self, now: Instant, session: SessionId, node: NodeId) {
        if let Some((due, cause)) = self.notices(now, session, true) {
            self.expect(due, session, node, cause);
            self.watch(node);
        }
    }

    /// The first that will notice, on its own, that a connection has been dead since `now`.
    fn notices(&self, now: Instant, session: SessionId, awaits_reply: bool) -> Option<(Instant, Cause)> {
        let people = &self.plan.populations[self.sessions[session].population.index()];
        let balancer = &self.plan.balancer;
        let mut first: Option<(Instant, Cause)> = None;
        let mut consider = |due: Instant, cause: Cause| {
            if first.is_none_or(|(sooner, _)| due < sooner) {
                first = Some((due, cause));
            }
        };
        let heartbeat = match &people.protocol {
            Protocol::Stream(stream) => stream.heartbeat,
            _ => None,
        };
        if let Some(heartbeat) = heartbeat {
            let ping = self.next_ping(now, session, heartbeat.interval);
            consider(ping + heartbeat.timeout, Cause::Heartbeat);
            // The ping itself is data that is never acknowledged.
            consider(ping + balancer.tcp_give_up, Cause::TcpGaveUp);
        } else if let Some(tunnel) = balancer.tunnel_timeout.filter(|_| !awaits_reply) {
            // Nothing moves any more in either direction.
            consider(now + tunnel, Cause::TunnelTimeout);
        }
        if awaits_reply {
            consider(now + balancer.tcp_give_up, Cause::TcpGaveUp);
        }
        first.filter(|&(due, _)| due < self.plan.end)
    }

    /// A client's next heartbeat at or after `now`; each session has its own phase.
    fn next_ping(&self, now: Instant, session: SessionId, interval: Duration) -> Instant {
        use rand::RngExt;
        let record = &self.sessions[session];
        let streams = &self.streams[record.population.index()];
        let phase = streams.heartbeat.at(record.who, 0).random_range(0..interval.as_nanos());
        let since = now.as_nanos() + interval.as_nanos() - phase;
        let into = since % interval.as_nanos();
        now + Duration::from_nanos(if into == 0 { 0 } else { interval.as_nanos() - into })
    }

    fn expect(&mut self, due: Instant, session: SessionId, node: NodeId, cause: Cause) {
        let incarnation = self.sessions[session].incarnation;
        self.notices[node.index()].0.push(Reverse((due, session, incarnation, cause)));
    }

    /// Puts the soonest notice of a node into the queue.
    fn watch(&mut self, node: NodeId) {
        if let Some(&Reverse((due, ..))) = self.notices[node.index()].0.peek() {
            self.watches[node.index()].set(due, event::node(node), &mut self.queue);
        }
    }

    /// Somebody may have noticed.
    pub(super) fn on_node(&mut self, now: Instant, node: NodeId) {
        if !self.watches[node.index()].fires(now, event::node(node), &mut self.queue) {
            return;
        }
        while let Some(&Reverse((due, session, incarnation, cause))) = self.notices[node.index()].0.peek() {
            if due > now {
                break;
            }
            self.notices[node.index()].0.pop();
            let is_that =
                self.linked.node(session.0) == Some(node) && self.sessions[session].incarnation == incarnation;
            if is_that {
                self.cut_connection(now, session, cause);
            }
        }
        self.watch(node);
    }

    /// A host that was silent is back: whoever sends it something on an old connection is reset.
    pub(super) fn reset_old_connections(&mut self, now: Instant, node: NodeId) {
        let mut waiting = Vec::new();
        self.at_node.list(node, &mut waiting);
        for id in waiting.into_iter().map(AttemptId) {
            // Failing one may end its session, and with it others of this list.
            let is_there = self.at_node.node(id.0) == Some(node);
            if is_there && self.attempts[id].stage == super::request::Stage::Silent {
                self.fail_at_node(now, id, Cause::Reset);
            }
        }
        let mut linked = Vec::new();
        self.linked.list(node, &mut linked);
        for session in linked.into_iter().map(SessionId) {
            let people = &self.plan.populations[self.sessions[session].population.index()];
            if let Protocol::Stream(stream) = &people.protocol
                && let Some(heartbeat) = stream.heartbeat
            {
                let ping = self.next_ping(now, session, heartbeat.interval);
                self.expect(ping, session, node, Cause::Reset);
            }
        }
        self.watch(node);
    }
}
