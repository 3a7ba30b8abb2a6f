//! Who remembers where a session belongs? Affinity proposes a node; balance decides when it cannot.
//!
//! What is remembered lives either with the client, who presents it, or in the balancer: then it is the state
//! of a [`Remember`]. To add one: write its file here, then a `mod` line, a variant and its lines below.

mod client_ip;
pub mod cookie;
mod stick_table;

use super::balance::Ask;
use crate::base::cause::Cause;
use crate::base::choice::Alternatives;
use crate::base::id::NodeId;
use crate::base::time::Instant;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What keeps a session on its node.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Affinity {
    /// Nothing: balance decides every time.
    None(NoParams),
    /// A cookie that names the node.
    Cookie(cookie::Params),
    /// A table in the balancer.
    StickTable(stick_table::Params),
    /// A table by address, as Kubernetes has.
    ClientIp(client_ip::Params),
}

/// `none` has no parameters.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

impl Default for Affinity {
    fn default() -> Affinity {
        Affinity::None(NoParams {})
    }
}

impl Alternatives for Affinity {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("none", "nothing is remembered: balance decides every request"),
        ("cookie", cookie::MEANING),
        ("stick_table", stick_table::MEANING),
        ("client_ip", client_ip::MEANING),
    ];
}

impl Affinity {
    /// Its key in a scenario.
    pub fn name(&self) -> &'static str {
        match self {
            Affinity::None(_) => "none",
            Affinity::Cookie(_) => "cookie",
            Affinity::StickTable(_) => "stick_table",
            Affinity::ClientIp(_) => "client_ip",
        }
    }

    /// Whether it remembers a node.
    pub fn binds(&self) -> bool {
        !matches!(self, Affinity::None(_))
    }

    /// Its memory, empty: one per balancer instance.
    pub fn start(&self) -> Box<dyn Remember> {
        match self {
            Affinity::None(_) => Box::new(Nothing),
            Affinity::Cookie(params) => Box::new(*params),
            Affinity::StickTable(params) => Box::new(stick_table::StickTable::new(params)),
            Affinity::ClientIp(params) => Box::new(stick_table::StickTable::new(&params.table())),
        }
    }

    /// What is wrong with the parameters: (key, message).
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        match self {
            Affinity::None(_) => Vec::new(),
            Affinity::Cookie(params) => params.faults(),
            Affinity::StickTable(params) => params.faults(),
            Affinity::ClientIp(params) => params.faults(),
        }
    }

    /// The rules of a cookie of which more must be known than the node that served its session last.
    #[inline]
    pub fn cookie(&self) -> Option<&cookie::Params> {
        match self {
            Affinity::Cookie(params) if !params.is_plain() => Some(params),
            _ => None,
        }
    }

    /// Why a session moves for which nothing was proposed, and whose node a hash finds or not.
    #[inline]
    pub fn oblivion(&self, is_hashed: bool) -> Cause {
        match self {
            Affinity::None(_) if is_hashed => Cause::Membership,
            Affinity::None(_) => Cause::Unbound,
            Affinity::Cookie(_) => Cause::Expired,
            Affinity::StickTable(_) | Affinity::ClientIp(_) => Cause::Forgotten,
        }
    }
}

/// The memory of one affinity in one balancer.
pub trait Remember: Send {
    /// The node it proposes for a request whose client presents `presented`.
    fn propose(&mut self, now: Instant, ask: &Ask, presented: Option<NodeId>) -> Option<NodeId>;
    /// Whether it wants to be told who served what.
    fn learns(&self) -> bool {
        false
    }
    /// `node` has served the request.
    fn served(&mut self, _now: Instant, _ask: &Ask, _node: NodeId) {}
    /// Whether other instances are told what is learnt here.
    fn has_peers(&self) -> bool {
        false
    }
    /// What the process that replaces this one begins with, if not with nothing.
    fn teach(&self) -> Option<Box<dyn Remember>> {
        None
    }
}

/// Remembers nothing.
struct Nothing;

impl Remember for Nothing {
    fn propose(&mut self, _: Instant, _: &Ask, _: Option<NodeId>) -> Option<NodeId> {
        None
    }
}
