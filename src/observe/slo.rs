//! What has a review agreed on? Limits on named figures, and whether they are kept.
//!
//! Over seeds, a limit is kept, violated or not resolved by the 95 % interval of the mean: a claim either
//! way needs the whole interval on one side. One run keeps a limit or does not ([`Limit::holds`]). Which rows
//! count is the same for both ([`Limit::is_of_run`]): those of all populations together.

use super::columns::{self, Column, File};
use super::window::Window;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which side of the bound is allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Relation {
    /// `<`
    #[serde(rename = "<")]
    Less,
    /// `<=`
    #[serde(rename = "<=")]
    LessOrEqual,
    /// `>`
    #[serde(rename = ">")]
    Greater,
    /// `>=`
    #[serde(rename = ">=")]
    GreaterOrEqual,
}

/// A limit as it is written into files.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    metric: String,
    relation: Relation,
    bound: f64,
}

impl From<Limit> for Plain {
    fn from(limit: Limit) -> Plain {
        Plain { metric: limit.column.name.into(), relation: limit.relation, bound: limit.bound }
    }
}

impl TryFrom<Plain> for Limit {
    type Error = String;

    fn try_from(plain: Plain) -> Result<Limit, String> {
        let column = columns::named(&plain.metric).ok_or_else(|| format!("there is no figure `{}`", plain.metric))?;
        Ok(Limit { column, relation: plain.relation, bound: plain.bound })
    }
}

impl PartialEq for Limit {
    fn eq(&self, other: &Limit) -> bool {
        self.column.name == other.column.name && self.relation == other.relation && self.bound == other.bound
    }
}

/// A limit on one figure, in the unit of its column.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(into = "Plain", try_from = "Plain")]
pub struct Limit {
    /// The figure.
    pub column: &'static Column,
    /// The allowed side.
    pub relation: Relation,
    /// The bound, in the column's unit.
    pub bound: f64,
}

/// Whether a limit is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// The whole interval is on the allowed side.
    Kept,
    /// The whole interval is on the other side.
    Violated,
    /// The interval contains the bound: more seeds are needed.
    NotResolved,
}

impl Kept {
    /// As tables say it.
    pub fn word(self) -> &'static str {
        match self {
            Kept::Kept => "kept",
            Kept::Violated => "VIOLATED",
            Kept::NotResolved => "not resolved",
        }
    }
}

/// What a figure is in one window.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Reading {
    /// So much, in the column's unit.
    Value(f64),
    /// A time that did not come: longer than any.
    Never,
    /// The figure does not apply.
    Nothing,
}

/// Times that may not come, each with the figure that says whether it came.
const MAY_NOT_COME: [(&str, &str); 4] = [
    ("rollout_time_s", "completed_ratio"),
    ("reconnect_time_s", "reconnected_ratio"),
    ("recovery_time_s", "recovered_ratio"),
    ("rebalance_time_s", "rebalanced_ratio"),
];

/// For a time that may not come: the figure that says how often it came.
pub fn came_beside(time: &str) -> Option<&'static str> {
    MAY_NOT_COME.iter().find(|(name, _)| *name == time).map(|&(_, ratio)| ratio)
}

impl Relation {
    /// As written in a scenario.
    pub const fn sign(self) -> &'static str {
        match self {
            Relation::Less => "<",
            Relation::LessOrEqual => "<=",
            Relation::Greater => ">",
            Relation::GreaterOrEqual => ">=",
        }
    }

    /// Whether the bound is the most that is allowed.
    pub const fn is_upper(self) -> bool {
        matches!(self, Relation::Less | Relation::LessOrEqual)
    }

    fn allows(self, value: f64, bound: f64) -> bool {
        match self {
            Relation::Less => value < bound,
            Relation::LessOrEqual => value <= bound,
            Relation::Greater => value > bound,
            Relation::GreaterOrEqual => value >= bound,
        }
    }
}

impl Limit {
    /// Judges the interval `low..=high` of a figure's mean.
    pub fn judge(&self, low: f64, high: f64) -> Kept {
        match (self.relation.allows(low, self.bound), self.relation.allows(high, self.bound)) {
            (true, true) => Kept::Kept,
            (false, false) => Kept::Violated,
            _ => Kept::NotResolved,
        }
    }

    /// Whether the whole run counts, after its warm-up; otherwise, as only incidents have the figure, each of them.
    pub fn is_of_run(&self) -> bool {
        self.column.files.contains(&File::Runs)
    }

    /// The figure in one window.
    pub fn read(&self, window: &Window) -> Reading {
        let figure = |name: &str| columns::named(name).and_then(|column| (column.get)(window));
        match (self.column.get)(window) {
            Some(value) => Reading::Value(value),
            None if came_beside(self.column.name).and_then(figure) == Some(0.0) => Reading::Never,
            // Requests of which not one was answered have no response time, and are not quick.
            None if self.column.name.starts_with("response_time") && figure("requests_failed_ratio").is_some() => {
                Reading::Never
            }
            None => Reading::Nothing,
        }
    }

    /// Whether one window keeps the limit; what does not apply breaks nothing.
    pub fn holds(&self, reading: Reading) -> bool {
        match reading {
            Reading::Value(value) => self.relation.allows(value, self.bound),
            Reading::Never => self.relation.allows(f64::INFINITY, self.bound),
            Reading::Nothing => true,
        }
    }

    /// How far a reading is on the allowed side, as a share of the bound (of one where the bound is zero); below
    /// zero on the other side. `None` where the figure does not apply.
    pub fn margin(&self, reading: Reading) -> Option<f64> {
        let value = match reading {
            Reading::Value(value) => value,
            Reading::Never => f64::INFINITY,
            Reading::Nothing => return None,
        };
        let scale = if self.bound == 0.0 { 1.0 } else { self.bound.abs() };
        let over = (value - self.bound) / scale;
        Some(if self.relation.is_upper() { -over } else { over })
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.column.name, self.relation.sign(), self.bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::columns::named;

    #[test]
    fn a_time_that_never_came_breaks_an_upper_limit_and_keeps_a_lower_one() {
        let column = named("recovery_time_s").unwrap();
        let limit = |relation| Limit { column, relation, bound: 60.0 };
        let [upper, lower] = [Relation::Less, Relation::GreaterOrEqual].map(limit);
        assert!(!upper.holds(Reading::Never) && lower.holds(Reading::Never));
        assert!(upper.holds(Reading::Nothing) && lower.holds(Reading::Nothing));
        assert_eq!(upper.margin(Reading::Value(45.0)), Some(0.25));
        assert_eq!(lower.margin(Reading::Value(45.0)), Some(-0.25));
        assert_eq!(upper.margin(Reading::Never), Some(f64::NEG_INFINITY));
    }

    #[test]
    fn every_time_that_may_not_come_has_its_ratio_beside_it() {
        for (time, ratio) in MAY_NOT_COME {
            let files = |name: &str| named(name).unwrap().files;
            assert_eq!(files(time), files(ratio), "{time}");
        }
        let times = columns::of(File::Incidents).filter(|column| column.name.ends_with("_time_s"));
        assert!(times.into_iter().all(|column| came_beside(column.name).is_some()));
    }

    #[test]
    fn an_interval_that_contains_the_bound_is_not_resolved() {
        let column = named("response_time_ms_p99").unwrap();
        let limit = Limit { column, relation: Relation::Less, bound: 250.0 };
        assert_eq!(limit.judge(100.0, 249.0), Kept::Kept);
        assert_eq!(limit.judge(251.0, 300.0), Kept::Violated);
        assert_eq!(limit.judge(240.0, 260.0), Kept::NotResolved);
    }
}
