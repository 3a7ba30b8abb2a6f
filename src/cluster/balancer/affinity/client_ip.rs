//! `client_ip`: a client's address keeps the node of its first connection, as in a Kubernetes Service with
//! `sessionAffinity: ClientIP`.
//!
//! A stick table by address whose entries live for `timeout` after the last new connection (10,800 s by default;
//! pkg/apis/core/v1/defaults.go; kube-proxy puts an address down anew with each connection). Every machine that
//! routes has a table of its own, which its neighbours do not know: here, every instance. Clients behind one NAT
//! share a node. The table has no bound here; that of kube-proxy's nftables mode holds 65,535 addresses.

use super::stick_table;
use crate::base::time::Duration;
use crate::cluster::balancer::balance::Key;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list affinity`.
pub const MEANING: &str =
    "a table by address in each balancer, as a Kubernetes Service has; entries live for `timeout`";

/// Kubernetes takes no more than a day.
const TIMEOUT_MAX: Duration = Duration::from_secs(86_400);

/// Parameters of `client_ip`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// How long an address keeps its node after its last request or connection; at most 1 d, default 3 h
    /// (Kubernetes `timeoutSeconds`).
    pub timeout: Duration,
}

impl Default for Params {
    fn default() -> Params {
        Params { timeout: Duration::from_secs(10_800) }
    }
}

impl Params {
    /// What is wrong with the parameters.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        if self.timeout.is_zero() || self.timeout > TIMEOUT_MAX {
            return vec![("timeout", format!("timeout must be above 0 s and at most 1 d, but is {}", self.timeout))];
        }
        Vec::new()
    }

    /// The same as a stick table.
    pub fn table(&self) -> stick_table::Params {
        stick_table::Params { key: Key::Address, size: stick_table::SIZE_MAX, expire: self.timeout, peers: false }
    }
}
