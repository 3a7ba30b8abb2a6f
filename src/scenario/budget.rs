//! What does `[budget]` mean? How often things happen to the cluster, and what may be lost by that.
//!
//! No run depends on it: it weighs what runs show.

use super::compile::Reading;
use super::read_node;
use crate::base::units::Rate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The failure budget, as written in `[budget]`.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// How often the cluster is deployed, such as `"5/w"`; assumed once a day unless given.
    pub deploys: Option<Rate>,
    /// How often a node of the cluster fails; assumed once a week unless given.
    pub node_failures: Option<Rate>,
    /// How often the store fails over; assumed once in four weeks unless given.
    pub store_failures: Option<Rate>,
    /// How often nodes are added; assumed once a day unless given.
    pub scalings: Option<Rate>,
    /// How many sessions may lose their state at most; assumed one in a hundred of those live, a day, unless given.
    pub sessions_lost: Option<Rate>,
    /// Whether session state can leave the process that made it, to a store, another node or a token; assumed yes unless
    /// given.
    pub state_moves: Option<bool>,
    /// Whether it can be worked out anew from elsewhere, so that nothing is lost with it, as a cache; assumed so where
    /// `state` is `cache` unless given.
    pub state_rebuilds: Option<bool>,
}

impl Reading<'_> {
    /// The budget; an empty one where there is none.
    pub(super) fn budget(&mut self) -> Budget {
        let Some(node) = self.table.get("budget") else { return Budget::default() };
        read_node(node, self.problems, "budget").unwrap_or_default()
    }
}
