//! Which nodes still get the sessions that are bound to them?
//!
//! Affinity proposes a node; whether the proposal is honoured depends on the node's state. A node in service is
//! always honoured. Beyond that the products differ:
//!
//! | product | `persist` | source |
//! | --- | --- | --- |
//! | HAProxy; NGINX `sticky` with `drain`; Traefik | `["drained"]` | HAProxy measured (E5c); nginx.org; traefik `wrr.go` |
//! | HAProxy `option persist` | `["drained", "maint", "down"]` | measured (E5b, E5c) |
//! | Envoy `stateful_session`; ALB | `[]` | Envoy measured; ELB user guide, *sticky sessions* |
//!
//! A session whose node is not honoured is balanced anew; with `strict` it is answered with an error (Envoy
//! `strict`).

use super::view::Admin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A state, other than in service, in which a node gets those that are bound to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Persist {
    /// In drain, or with weight 0.
    Drained,
    /// In maintenance.
    Maint,
    /// Out of the view: its checks have failed.
    Down,
}

/// Whether `allowed` honours a node in this state.
pub fn honours(allowed: &[Persist], admin: Admin, weight: u32, is_up: bool) -> bool {
    let needed = match admin {
        // Whoever remembers it remembers nothing.
        Admin::Removed => return false,
        Admin::Maint => Some(Persist::Maint),
        Admin::Drain => Some(Persist::Drained),
        Admin::Ready => (weight == 0).then_some(Persist::Drained),
    };
    let down = (!is_up).then_some(Persist::Down);
    needed.into_iter().chain(down).all(|state| allowed.contains(&state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Persist::*;

    #[test]
    fn every_state_that_a_node_is_in_must_be_allowed() {
        assert!(honours(&[], Admin::Ready, 1, true));
        assert!(!honours(&[], Admin::Drain, 1, true) && honours(&[Drained], Admin::Drain, 1, true));
        assert!(!honours(&[Maint], Admin::Ready, 0, true) && honours(&[Drained], Admin::Ready, 0, true));
        assert!(!honours(&[Drained], Admin::Drain, 1, false) && honours(&[Drained, Down], Admin::Drain, 1, false));
        assert!(honours(&[Drained, Maint, Down], Admin::Maint, 0, false));
    }
}
