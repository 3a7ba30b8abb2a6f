//! How many nodes at once? A number, or a share of them that is rounded as Kubernetes rounds it.
//!
//! `maxUnavailable` is rounded down and `maxSurge` up; where shares come to nothing on both sides, one node may be
//! away all the same (Kubernetes, pkg/controller/deployment/util/deployment_util.go, `ResolveFenceposts`).

use crate::base::units::Share;
use schemars::JsonSchema;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// So many nodes, or this share of them.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Bound {
    /// So many.
    Count(u32),
    /// This share of the nodes that the change is about.
    Share(Share),
}

impl Bound {
    /// Whether it is nothing, of however many nodes.
    pub fn is_nothing(self) -> bool {
        match self {
            Bound::Count(count) => count == 0,
            Bound::Share(share) => share.ratio() == 0.0,
        }
    }

    /// Of `nodes`, rounded down.
    pub fn down(self, nodes: usize) -> usize {
        match self {
            Bound::Count(count) => count as usize,
            Bound::Share(share) => (billionths(share) * nodes as u64 / BILLION) as usize,
        }
    }

    /// Of `nodes`, rounded up.
    pub fn up(self, nodes: usize) -> usize {
        match self {
            Bound::Count(count) => count as usize,
            Bound::Share(share) => (billionths(share) * nodes as u64).div_ceil(BILLION) as usize,
        }
    }
}

const BILLION: u64 = 1_000_000_000;

// In whole numbers, since 7 % of 100 would be a little more than 7.
fn billionths(share: Share) -> u64 {
    (share.ratio() * BILLION as f64).round() as u64
}

struct BoundVisitor;

impl Visitor<'_> for BoundVisitor {
    type Value = Bound;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of nodes such as 1, or a share of them such as \"25%\"")
    }
    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Bound, E> {
        let too_many =
            || E::custom(format!("{count} nodes are more than any cluster has\nhint: write a share such as \"25%\""));
        u32::try_from(count).map(Bound::Count).map_err(|_| too_many())
    }
    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Bound, E> {
        let negative = || E::custom(format!("{count} nodes: a number of nodes is not negative\nhint: write 0 or more"));
        u64::try_from(count).map_err(|_| negative()).and_then(|count| self.visit_u64(count))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Bound, E> {
        text.parse().map(Bound::Share).map_err(E::custom)
    }
}

// By hand, since an untagged enum would hide the place and the reason of an error.
impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Bound, D::Error> {
        from.deserialize_any(BoundVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_whole_numbers_stay_whole() {
        for nodes in 1..=1_000 {
            for percent in 0..=100 {
                let share = Bound::Share(format!("{percent}%").parse().unwrap());
                assert_eq!(share.down(nodes), nodes * percent / 100, "{percent} % of {nodes}");
                assert_eq!(share.up(nodes), (nodes * percent).div_ceil(100), "{percent} % of {nodes}");
            }
        }
    }
}
