//! What does the balancer believe? The view of the nodes that its health checks have built up.
//!
//! Eligibility is this view, never the truth: between a crash and `fall` failed checks requests still go to
//! a dead node, and a node that is back gets none before `rise` good ones.

use crate::base::id::NodeId;
use crate::base::time::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Active health checks.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// Time between two checks of a node; default 2 s (HAProxy `inter`).
    pub interval: Duration,
    /// What is checked; default `tcp`, as HAProxy's plain `check`.
    pub check: Check,
    /// How long an answer may take; default `interval` (HAProxy).
    pub timeout: Option<Duration>,
    /// Time between two checks while the verdict is changing; default `interval` (HAProxy `fastinter`).
    pub fast_interval: Option<Duration>,
    /// Good checks in a row that bring a node back; ≥ 1, default 2 (HAProxy `rise`).
    pub rise: u32,
    /// Failed checks in a row that take a node out; ≥ 1, default 3 (HAProxy `fall`).
    pub fall: u32,
}

impl Default for Health {
    fn default() -> Health {
        Health {
            interval: Duration::from_secs(2),
            check: Check::Tcp,
            timeout: None,
            fast_interval: None,
            rise: 2,
            fall: 3,
        }
    }
}

/// What a health check looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Whether a connection is accepted.
    #[default]
    Tcp,
    /// Whether the application answers, and well.
    Http,
}

impl Health {
    /// How long an answer may take.
    pub fn patience(&self) -> Duration {
        self.timeout.unwrap_or(self.interval)
    }
}

/// What an operator wants of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Admin {
    /// It serves.
    #[default]
    Ready,
    /// It serves those that are bound to it and takes nobody new.
    Drain,
    /// It serves nobody.
    Maint,
    /// It is not part of the cluster any more: whoever remembers it remembers nothing.
    Removed,
}

/// What a check changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Nothing.
    None,
    /// The node is eligible from now on.
    Up,
    /// The node is not eligible any more.
    Down,
}

#[derive(Clone, Copy, Debug)]
struct Opinion {
    up: bool,
    // Checks in a row that contradict `up`.
    against: u32,
    admin: Admin,
}

/// One balancer's view of all nodes.
#[derive(Clone, Debug)]
pub struct View {
    health: Health,
    opinions: Vec<Opinion>,
}

impl View {
    /// Every node is believed to be up, as after a start with servers in state UP.
    pub fn new(health: Health, nodes: usize) -> View {
        View { health, opinions: vec![Opinion { up: true, against: 0, admin: Admin::Ready }; nodes] }
    }

    /// Whether `node` may be given anybody new.
    #[inline]
    pub fn takes_new(&self, node: NodeId) -> bool {
        let opinion = &self.opinions[node.index()];
        opinion.up && opinion.admin == Admin::Ready
    }

    /// Whether `node` may be given those that are bound to it.
    #[inline]
    pub fn takes_bound(&self, node: NodeId) -> bool {
        let opinion = &self.opinions[node.index()];
        opinion.up && matches!(opinion.admin, Admin::Ready | Admin::Drain)
    }

    /// What the operator wants of `node`.
    pub fn admin(&self, node: NodeId) -> Admin {
        self.opinions[node.index()].admin
    }

    /// Whether `node` has been taken away for good.
    pub fn is_removed(&self, node: NodeId) -> bool {
        self.opinions[node.index()].admin == Admin::Removed
    }

    /// Whether `node` is believed to be alive.
    pub fn is_up(&self, node: NodeId) -> bool {
        self.opinions[node.index()].up
    }

    /// Sets what the operator wants of `node`.
    pub fn set_admin(&mut self, node: NodeId, admin: Admin) {
        let opinion = &mut self.opinions[node.index()];
        // A server that leaves maintenance is taken to be up until its checks fail (HAProxy).
        if opinion.admin == Admin::Maint && admin != Admin::Maint {
            (opinion.up, opinion.against) = (true, 0);
        }
        opinion.admin = admin;
    }

    /// `node` is believed to be down until its checks say otherwise.
    pub fn hold_back(&mut self, node: NodeId) {
        self.opinions[node.index()].up = false;
    }

    /// Takes in the result of a check.
    pub fn checked(&mut self, node: NodeId, good: bool) -> Change {
        let opinion = &mut self.opinions[node.index()];
        if good == opinion.up {
            opinion.against = 0;
            return Change::None;
        }
        opinion.against += 1;
        let needed = if good { self.health.rise } else { self.health.fall };
        if opinion.against < needed {
            return Change::None;
        }
        (opinion.up, opinion.against) = (good, 0);
        if good { Change::Up } else { Change::Down }
    }

    /// How long until the next check of `node`.
    pub fn next_check(&self, node: NodeId) -> Duration {
        let changing = self.opinions[node.index()].against > 0;
        let fast = self.health.fast_interval.filter(|_| changing);
        fast.unwrap_or(self.health.interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId(0);

    #[test]
    fn it_takes_fall_failures_in_a_row_and_rise_successes_in_a_row() {
        let mut view = View::new(Health::default(), 1);
        let changes: Vec<Change> = [false, false, true, false, false, false, true, false, true, true]
            .map(|good| view.checked(NODE, good))
            .to_vec();
        let (n, up, down) = (Change::None, Change::Up, Change::Down);
        assert_eq!(changes, [n, n, n, n, n, down, n, n, n, up]);
    }

    #[test]
    fn a_doubtful_node_is_checked_at_the_fast_interval() {
        let fast = Duration::from_millis(500);
        let mut view = View::new(Health { fast_interval: Some(fast), ..Health::default() }, 1);
        assert_eq!(view.next_check(NODE), Duration::from_secs(2));
        view.checked(NODE, false);
        assert_eq!(view.next_check(NODE), fast);
    }
}
