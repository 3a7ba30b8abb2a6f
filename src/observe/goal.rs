//! How well must a figure be known? A goal: half the width of its 95 % interval, as a share of its mean.

use super::columns::{self, Column};
use serde::{Deserialize, Serialize};

/// A goal for one figure.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(into = "Plain", try_from = "Plain")]
pub struct Goal {
    /// The figure.
    pub column: &'static Column,
    /// Half the width of its interval ÷ its mean.
    pub share: f64,
}

impl std::fmt::Debug for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ± {}", self.column.name, self.share)
    }
}

impl PartialEq for Goal {
    fn eq(&self, other: &Goal) -> bool {
        self.column.name == other.column.name && self.share == other.share
    }
}

/// A goal as it is written into files.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    metric: String,
    share: f64,
}

impl From<Goal> for Plain {
    fn from(goal: Goal) -> Plain {
        Plain { metric: goal.column.name.into(), share: goal.share }
    }
}

impl TryFrom<Plain> for Goal {
    type Error = String;

    fn try_from(plain: Plain) -> Result<Goal, String> {
        let column = columns::named(&plain.metric).ok_or_else(|| format!("there is no figure `{}`", plain.metric))?;
        Ok(Goal { column, share: plain.share })
    }
}
