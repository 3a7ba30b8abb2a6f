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
    /// A node has just fallen silent, or stands still: works out who will notice when.
    pub(super) fn expect_notices(&mut self, now: Instant, node: NodeId) {
        let mut linked = Vec::new();
        self.linked.list(node, &mut linked);
        for session in linked.into_iter().map(SessionId) {
            let awaits_reply = self.sessions[session].attempt.some().is_some();
            self.expect_notice(now, session, node, awaits_reply);
        }
        self.watch(node);
    }

    /// Works out who will notice that nothing has come on a connection since `now`; `sends` when something has
    /// been sent on it that will not be answered.
    pub(super) fn expect_notice(&mut self, now: Instant, session: SessionId, node: NodeId, sends: bool) {
        let people = &self.plan.populations[self.sessions[session].population.index()];
        let balancer = &self.plan.balancer;
        // The kernel of a frozen process still acknowledges.
        let tcp_gives_up = |sent: Instant| {
            let is_silent = self.fleet.get(node).is_silent();
            is_silent.then_some((sent + balancer.tcp_give_up, Cause::TcpGaveUp))
        };
        let mut first = tcp_gives_up(now).filter(|_| sends);
        if let Protocol::Stream(stream) = &people.protocol {
            if let Some(heartbeat) = stream.heartbeat {
                let ping = self.next_ping(now, session, heartbeat.interval);
                // The ping itself is data that is never acknowledged.
                let heard = Some((ping + heartbeat.timeout, Cause::Heartbeat));
                first = first.into_iter().chain(heard).chain(tcp_gives_up(ping)).min();
            } else if let Some(tunnel) = balancer.tunnel_timeout {
                // Nothing moves any more in either direction, unless the client sends again.
                let idle_until = now + tunnel;
                self.sessions[session].later = idle_until;
                self.expect(idle_until, session, node, Cause::TunnelTimeout);
            }
        }
        if let Some((due, cause)) = first {
            self.expect(due, session, node, cause);
        }
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
        if due >= self.plan.end {
            return;
        }
        let incarnation = self.sessions[session].incarnation;
        self.notices[node.index()].0.push(Reverse((due, session, incarnation, cause)));
    }

    /// Puts the soonest notice of a node into the queue.
    pub(super) fn watch(&mut self, node: NodeId) {
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
            let record = &self.sessions[session];
            let is_that = self.linked.node(session.0) == Some(node) && record.incarnation == incarnation;
            // Whoever has sent something since has kept the tunnel open.
            let is_due = cause != Cause::TunnelTimeout || record.later == due;
            if is_that && is_due {
                self.cut_connection(now, session, cause);
            }
        }
        self.watch(node);
    }

    /// A process that stood still goes on: pings are answered late, but they are answered.
    pub(super) fn forget_notices(&mut self, node: NodeId) {
        let incarnation = self.fleet.get(node).incarnation;
        self.notices[node.index()].0.retain(|&Reverse((_, _, to, cause))| {
            to != incarnation || !matches!(cause, Cause::Heartbeat | Cause::TunnelTimeout)
        });
    }

    /// A host that was silent is back: whoever sends it something on an old connection is reset.
    pub(super) fn reset_old_connections(&mut self, now: Instant, node: NodeId) {
        let mut waiting = Vec::new();
        self.at_node.list(node, &mut waiting);
        for id in waiting.into_iter().map(AttemptId) {
            // What was sent into the silence is sent again, and answered with a reset of its connection.
            let session = self.attempts[id].session;
            if self.linked.node(session.0) == Some(node) {
                self.cut_connection(now, session, Cause::Reset);
            }
            // Failing one may end its session, and with it others of this list.
            if self.at_node.node(id.0) == Some(node) {
                self.at_node.unbind(id.0);
                self.cut_attempt(now, node, id, Cause::Reset);
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
