//! What has a review agreed on? Limits on named figures, and whether they are kept.
//!
//! A limit is kept, violated or not resolved by the 95 % interval of the mean over seeds: a claim either
//! way needs the whole interval on one side.

use super::columns::Column;
use std::fmt;

/// Which side of the bound is allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relation {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A limit on one figure, in the unit of its column.
#[derive(Clone, Copy)]
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
    fn an_interval_that_contains_the_bound_is_not_resolved() {
        let column = named("response_time_ms_p99").unwrap();
        let limit = Limit { column, relation: Relation::Less, bound: 250.0 };
        assert_eq!(limit.judge(100.0, 249.0), Kept::Kept);
        assert_eq!(limit.judge(251.0, 300.0), Kept::Violated);
        assert_eq!(limit.judge(240.0, 260.0), Kept::NotResolved);
    }
}
