//! Who remembers where a session belongs? Affinity proposes a node; balance decides when it cannot.
//!
//! To add one: write its file here, then a `mod` line, a variant and its lines below.

mod cookie;

use crate::base::choice::Alternatives;
use crate::base::id::NodeId;
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
    const NAMES: &'static [(&'static str, &'static str)] =
        &[("none", "nothing is remembered: balance decides every request"), ("cookie", cookie::MEANING)];
}

impl Affinity {
    /// Whether it remembers a node.
    pub fn binds(&self) -> bool {
        match self {
            Affinity::None(_) => false,
            Affinity::Cookie(_) => true,
        }
    }

    /// The node it proposes for a session whose client presents `presented`.
    pub fn propose(&self, presented: Option<NodeId>) -> Option<NodeId> {
        match self {
            Affinity::None(_) => None,
            Affinity::Cookie(params) => params.propose(presented),
        }
    }
}
