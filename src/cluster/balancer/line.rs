//! Who waits at the balancer for a place at a node?
//!
//! A balancer process has at most `in_flight_max` attempts and connections at one node at a time. Those beyond
//! stand in line: in the line of the node that they are bound or hashed to, else in the common line of all nodes.
//! A place that is given up goes to the head of the node's line or of the common one, whoever has waited longer
//! (haproxy `src/queue.c`).
//!
//! ```toml
//! balancer.in_flight_max = 100
//! balancer.queue         = { wait = { max = 50, timeout = "5s" } }
//! ```

use crate::base::choice::Alternatives;
use crate::base::id::{AttemptId, NodeId};
use crate::base::time::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What becomes of attempts for which there is no place.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Queue {
    /// They wait in line at the balancer (HAProxy).
    Wait(Wait),
    /// Nodes without a place are passed over; where all are, attempts fail (NGINX `max_conns`).
    None(NoParams),
}

/// `none` has no parameters.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// Parameters of `wait`.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Wait {
    /// How many may wait for one node; unlimited unless given (HAProxy `maxqueue`). The common line has no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// How long each waits; default `connect_timeout` (HAProxy `timeout queue`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue::Wait(Wait::default())
    }
}

impl Alternatives for Queue {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("wait", "attempts beyond `in_flight_max` wait in line at the balancer"),
        ("none", "nodes at `in_flight_max` are passed over; where all are, attempts fail"),
    ];
}

/// How many attempts a balancer has at each node and in each node's line, and how many it may have.
#[derive(Debug)]
pub struct Room {
    // `u32::MAX` where there is no limit.
    limit: u32,
    line_max: Option<u32>,
    at: Vec<u32>,
    waiting: Vec<u32>,
}

impl Room {
    /// Nobody is anywhere. `limit`: how many may be at one node; `line_max`: how many may wait for it.
    pub fn new(nodes: usize, limit: Option<u32>, line_max: Option<u32>) -> Room {
        Room { limit: limit.unwrap_or(u32::MAX), line_max, at: vec![0; nodes], waiting: vec![0; nodes] }
    }

    /// Whether there is any limit.
    #[inline]
    pub fn is_limited(&self) -> bool {
        self.limit < u32::MAX
    }

    /// Whether all places at `node` are taken.
    #[inline]
    pub fn is_taken(&self, node: NodeId) -> bool {
        self.at[node.index()] >= self.limit
    }

    /// Whether a newcomer would have to wait: all places are taken, or others wait already.
    #[inline]
    pub fn is_full(&self, node: NodeId) -> bool {
        self.is_taken(node) || self.waiting[node.index()] > 0
    }

    /// Whether nobody more may wait for `node`.
    pub fn is_line_full(&self, node: NodeId) -> bool {
        self.line_max.is_some_and(|most| self.waiting[node.index()] >= most)
    }

    /// Whether `node` and its line together have no room left: `leastconn` sends on until then, where the line has
    /// a limit (haproxy `src/lb_fwlc.c`).
    pub fn is_packed(&self, node: NodeId) -> bool {
        let most = self.limit.saturating_add(self.line_max.unwrap_or(0));
        self.load(node) >= most
    }

    /// How many are at `node`.
    pub fn at(&self, node: NodeId) -> u32 {
        self.at[node.index()]
    }

    /// How many are at `node` or in its line.
    #[inline]
    pub fn load(&self, node: NodeId) -> u32 {
        self.at[node.index()] + self.waiting[node.index()]
    }

    /// One more is at `node`.
    #[inline]
    pub fn enter(&mut self, node: NodeId) {
        self.at[node.index()] += 1;
    }

    /// One less.
    #[inline]
    pub fn leave(&mut self, node: NodeId) {
        self.at[node.index()] -= 1;
    }
}

/// The lines of one balancer process.
#[derive(Debug, Default)]
pub struct Lines {
    common: BTreeMap<u64, AttemptId>,
    // By node.
    own: Vec<BTreeMap<u64, AttemptId>>,
    // Where each one stands: the node of its line, or none, and its number.
    places: BTreeMap<AttemptId, (NodeId, u64)>,
    // Numbers given out so far: a smaller one has waited longer.
    numbers: u64,
}

impl Lines {
    /// Whether anybody waits.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    fn line(&mut self, node: NodeId) -> &mut BTreeMap<u64, AttemptId> {
        if node == NodeId::NONE {
            return &mut self.common;
        }
        if node.index() >= self.own.len() {
            self.own.resize_with(node.index() + 1, BTreeMap::new);
        }
        &mut self.own[node.index()]
    }

    /// `attempt` joins the line of `node`, or the common one when it is none.
    pub fn join(&mut self, attempt: AttemptId, node: NodeId, room: &mut Room) {
        let number = self.numbers;
        self.numbers += 1;
        self.line(node).insert(number, attempt);
        self.places.insert(attempt, (node, number));
        if let Some(node) = node.some() {
            room.waiting[node.index()] += 1;
        }
    }

    /// `attempt` leaves its line; which that was, if it stood in one.
    pub fn leave(&mut self, attempt: AttemptId, room: &mut Room) -> Option<NodeId> {
        let (node, number) = self.places.remove(&attempt)?;
        self.line(node).remove(&number);
        if let Some(node) = node.some() {
            room.waiting[node.index()] -= 1;
        }
        Some(node)
    }

    /// Who has waited longest for `node`, or in the common line when it is none.
    pub fn head(&self, node: NodeId) -> Option<(u64, AttemptId)> {
        let line = if node == NodeId::NONE { Some(&self.common) } else { self.own.get(node.index()) };
        line?.first_key_value().map(|(&number, &attempt)| (number, attempt))
    }

    /// Who is next at `node`: of those in its line, and with `common` also of those in the common one.
    pub fn next(&self, node: NodeId, common: bool) -> Option<AttemptId> {
        let own = self.head(node);
        let all = if common { self.head(NodeId::NONE) } else { None };
        own.into_iter().chain(all).min().map(|(_, attempt)| attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);

    #[test]
    fn a_place_goes_to_whoever_has_waited_longest_in_the_nodes_line_or_the_common_one() {
        let (mut lines, mut room) = (Lines::default(), Room::new(2, Some(1), None));
        for (attempt, line) in [(0, NodeId::NONE), (1, A), (2, NodeId::NONE), (3, B), (4, A)] {
            lines.join(AttemptId(attempt), line, &mut room);
        }
        let mut order = Vec::new();
        while let Some(next) = lines.next(A, true) {
            lines.leave(next, &mut room);
            order.push(next.0);
        }
        assert_eq!(order, [0, 1, 2, 4]);
        assert_eq!(lines.next(B, false), Some(AttemptId(3)), "whoever is bound elsewhere stays in line there");
    }

    #[test]
    fn whoever_waits_makes_the_node_full_for_newcomers_only() {
        let (mut lines, mut room) = (Lines::default(), Room::new(1, Some(2), Some(1)));
        room.enter(A);
        assert!(!room.is_full(A));
        lines.join(AttemptId(7), A, &mut room);
        assert!(room.is_full(A) && !room.is_taken(A) && room.is_line_full(A) && !room.is_packed(A));
        room.enter(A);
        assert!(room.is_taken(A) && room.is_packed(A));
        assert_eq!(lines.leave(AttemptId(7), &mut room), Some(A));
        assert_eq!(lines.leave(AttemptId(7), &mut room), None);
        assert!(lines.is_empty() && !room.is_line_full(A));
    }
}
