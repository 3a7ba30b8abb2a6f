//! `nginx`: `max_fails` failures take a node out until `fail_timeout` is over, and then one request may try.
//!
//! Everything is counted in whole seconds, as NGINX does. A node with `max_fails` failures is passed over
//! while no more than `fail_timeout` seconds have gone by since its last failure or its last try after such a
//! pause. Then it may be tried: once, since the try itself begins the next pause. A failure takes it out again;
//! a success counts only if the node was tried anew after its last failure, and then wipes all failures out.
//!
//! Success is what NGINX sees when it lets go of a node: for a request the reply, for a connection that
//! was upgraded its *end*. So a node whose one probe is a WebSocket stays out for as long as that lives, but for
//! one more probe per `fail_timeout` (measured: a returned server had one of 450 streams after 10 s, and its full
//! share only after 45 s with lives of 30 s).
//!
//! A refused or unanswered connection, a reset and a reply that does not come in time are failures; an error
//! as the answer only with `errors` (`proxy_next_upstream … http_500`). Each failure also takes weight ÷
//! `max_fails` off the weight that the node's turns count, which recovers by one with each turn. A node that is
//! alone is never passed over. When all are out there is nobody to ask ("no live upstreams"): no panic mode.
//!
//! Source: nginx `src/http/ngx_http_upstream_round_robin.c`.

use super::{Act, Eject, Seen};
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One line for `stickysim list passive`.
pub const MEANING: &str = "`max_fails` failures take a node out for `fail_timeout`; then one request may try (NGINX)";

/// Parameters of `nginx`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "NginxMaxFails")]
pub struct Params {
    /// Failures that take a node out; 0 for never, default 1.
    pub max_fails: u32,
    /// For how long, and how long failures are remembered; whole seconds count. Default 10 s.
    pub fail_timeout: Duration,
    /// Whether an error as the answer is a failure; default no.
    pub errors: bool,
}

impl Default for Params {
    fn default() -> Params {
        Params { max_fails: 1, fail_timeout: Duration::from_secs(10), errors: false }
    }
}

impl Params {
    /// What is wrong with the parameters.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let is_whole = self.fail_timeout.as_nanos().is_multiple_of(SECOND);
        let message =
            format!("fail_timeout ({}) is not a whole number of seconds, which NGINX counts in", self.fail_timeout);
        (!is_whole).then_some(("fail_timeout", message)).into_iter().collect()
    }
}

const SECOND: u64 = 1_000_000_000;
/// Before anything that is remembered.
const LONG_AGO: i64 = i64::MIN / 2;

#[derive(Clone, Copy, Debug)]
struct Peer {
    fails: u32,
    // Seconds of the last failure, and of the last failure or new try.
    failed: i64,
    checked: i64,
    is_out: bool,
}

/// Working state.
#[derive(Debug)]
pub struct MaxFails {
    params: Params,
    peers: Vec<Peer>,
    // How many belong to the cluster.
    group: u32,
    due: BTreeSet<(Instant, NodeId)>,
}

impl MaxFails {
    /// Nobody has failed yet.
    pub fn new(params: &Params, nodes: usize) -> MaxFails {
        let peer = Peer { fails: 0, failed: LONG_AGO, checked: LONG_AGO, is_out: false };
        MaxFails { params: *params, peers: vec![peer; nodes], group: 0, due: BTreeSet::new() }
    }

    fn timeout(&self) -> i64 {
        (self.params.fail_timeout.as_nanos() / SECOND) as i64
    }

    fn tried(&mut self, now: Instant, node: NodeId, acts: &mut Vec<Act>) {
        let (second, timeout) = ((now.as_nanos() / SECOND) as i64, self.timeout());
        let peer = &mut self.peers[node.index()];
        if second - peer.checked > timeout {
            peer.checked = second;
            self.judge(node, acts);
        }
    }

    fn failed(&mut self, now: Instant, node: NodeId, acts: &mut Vec<Act>) {
        if self.group == 1 || self.params.max_fails == 0 {
            return;
        }
        let second = (now.as_nanos() / SECOND) as i64;
        let peer = &mut self.peers[node.index()];
        peer.fails = peer.fails.saturating_add(1);
        (peer.failed, peer.checked) = (second, second);
        acts.push(Act::Weaken(node, self.params.max_fails));
        self.judge(node, acts);
    }

    fn succeeded(&mut self, node: NodeId, acts: &mut Vec<Act>) {
        let peer = &mut self.peers[node.index()];
        if peer.failed < peer.checked {
            peer.fails = 0;
            self.judge(node, acts);
        }
    }

    /// Takes the node out or lets it in again, after its failures or the time it was looked at have changed.
    fn judge(&mut self, node: NodeId, acts: &mut Vec<Act>) {
        let timeout = self.timeout();
        let peer = &mut self.peers[node.index()];
        let is_out = self.params.max_fails > 0 && peer.fails >= self.params.max_fails;
        let was_out = std::mem::replace(&mut peer.is_out, is_out);
        // It is passed over through the whole of the second in which the time is over.
        let until = Instant::from_nanos(((peer.checked + timeout + 1).max(0) as u64).saturating_mul(SECOND));
        if was_out || is_out {
            self.due.retain(|&(_, other)| other != node);
        }
        match (was_out, is_out) {
            (_, true) => {
                self.due.insert((until, node));
                acts.push(Act::Eject(node));
            }
            (true, false) => acts.push(Act::Readmit(node)),
            (false, false) => {}
        }
    }
}

impl Eject for MaxFails {
    fn counts(&mut self, _: NodeId, belongs: bool) {
        self.group = if belongs { self.group + 1 } else { self.group.saturating_sub(1) };
    }

    fn saw(&mut self, now: Instant, node: NodeId, seen: Seen, acts: &mut Vec<Act>) {
        match seen {
            Seen::Tried => self.tried(now, node, acts),
            Seen::NotConnected | Seen::Reset | Seen::Unanswered => self.failed(now, node, acts),
            Seen::Error | Seen::Overloaded if self.params.errors => self.failed(now, node, acts),
            Seen::Answered | Seen::Closed | Seen::Error | Seen::Overloaded => self.succeeded(node, acts),
            Seen::Connected | Seen::Opened => {}
        }
    }

    fn due(&self) -> Instant {
        self.due.first().map_or(Instant::NEVER, |&(due, _)| due)
    }

    fn woken(&mut self, now: Instant, acts: &mut Vec<Act>) {
        while let Some(&(_, node)) = self.due.first().filter(|&&(due, _)| due <= now) {
            self.due.pop_first();
            // One may try. The try itself ejects the node again.
            acts.push(Act::Readmit(node));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{A, sees, wakes};
    use super::*;

    fn rule(max_fails: u32) -> MaxFails {
        let mut rule = MaxFails::new(&Params { max_fails, ..Params::default() }, 2);
        (0..2).for_each(|n| rule.counts(NodeId(n), true));
        rule
    }

    #[test]
    fn one_failure_means_ten_seconds_and_then_one_try_per_ten_seconds() {
        let mut rule = rule(1);
        assert_eq!(sees(&mut rule, 300, &[Seen::Tried]), []);
        assert_eq!(sees(&mut rule, 700, &[Seen::NotConnected]), [Act::Weaken(A, 1), Act::Eject(A)]);
        // Second 0 + 10 is still out: eleven whole seconds on the clock.
        assert_eq!(wakes(&mut rule, 30_000), [(11.0, vec![Act::Readmit(A)])]);
        assert_eq!(sees(&mut rule, 12_500, &[Seen::Tried]), [Act::Eject(A)], "that was the one try");
        assert_eq!(wakes(&mut rule, 30_000), [(23.0, vec![Act::Readmit(A)])]);
        assert_eq!(sees(&mut rule, 23_500, &[Seen::Tried]), [Act::Eject(A)]);
        assert_eq!(sees(&mut rule, 24_000, &[Seen::Answered]), [Act::Readmit(A)], "the try went well");
        assert_eq!(wakes(&mut rule, 99_000), []);
    }

    #[test]
    fn a_connection_proves_nothing_before_it_ends() {
        let mut rule = rule(1);
        sees(&mut rule, 0, &[Seen::Tried, Seen::NotConnected]);
        wakes(&mut rule, 11_000);
        assert_eq!(sees(&mut rule, 11_000, &[Seen::Tried, Seen::Opened]), [Act::Eject(A)]);
        assert_eq!(wakes(&mut rule, 22_000), [(22.0, vec![Act::Readmit(A)])]);
        assert_eq!(sees(&mut rule, 22_000, &[Seen::Tried, Seen::Opened]), [Act::Eject(A)]);
        assert_eq!(sees(&mut rule, 31_000, &[Seen::Closed]), [Act::Readmit(A)]);
    }

    #[test]
    fn a_success_wipes_failures_out_only_after_a_new_try() {
        let mut rule = rule(3);
        let weaker = Act::Weaken(A, 3);
        assert_eq!(sees(&mut rule, 0, &[Seen::Tried, Seen::Reset, Seen::Answered, Seen::Unanswered]), [weaker; 2]);
        // Within fail_timeout of the last failure a try is none of its own: the good answer changes nothing.
        assert_eq!(sees(&mut rule, 9_000, &[Seen::Tried, Seen::Answered]), []);
        assert_eq!(sees(&mut rule, 9_500, &[Seen::NotConnected]), [weaker, Act::Eject(A)]);
        let mut rule = self::rule(3);
        sees(&mut rule, 0, &[Seen::Tried, Seen::Reset, Seen::Reset]);
        sees(&mut rule, 11_000, &[Seen::Tried, Seen::Answered]);
        assert_eq!(sees(&mut rule, 11_500, &[Seen::Reset, Seen::Reset]), [weaker; 2]);
    }

    #[test]
    fn errors_are_failures_only_when_listed_and_the_only_node_never_fails() {
        assert_eq!(sees(&mut rule(1), 0, &[Seen::Tried, Seen::Error, Seen::Overloaded]), []);
        let mut listed = rule(1);
        listed.params.errors = true;
        assert_eq!(sees(&mut listed, 0, &[Seen::Tried, Seen::Error]), [Act::Weaken(A, 1), Act::Eject(A)]);
        let mut alone = rule(1);
        alone.counts(NodeId(1), false);
        assert_eq!(sees(&mut alone, 0, &[Seen::Tried, Seen::NotConnected]), []);
        assert_eq!(sees(&mut rule(0), 0, &[Seen::Tried, Seen::NotConnected]), []);
    }
}
