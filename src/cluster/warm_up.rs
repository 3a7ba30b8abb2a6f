//! How much slower is a process that has just begun? Caches fill, code is compiled, pools are opened.
//!
//! Every service demand is multiplied by a factor that falls in a straight line from `multiplier` to 1. The age
//! counts from when the process listens, and work keeps the factor of the moment at which it began. No curve fits
//! all: measured warm-ups of virtual machines differ from program to program and even from run to run (Barrett et
//! al., *Virtual Machine Warmup Blows Hot and Cold*, OOPSLA 2017). The straight line is the simplest; it is also
//! what slow starts assume, which open the tap in proportion to age (Envoy with its default aggression of 1, AWS
//! ALB). Operators of JVM services report some two minutes (envoyproxy/envoy#11050).

use super::Sim;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Slowness after the start.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WarmUp {
    /// How many times as much service the first work takes; from 1 to 1000.
    pub multiplier: f64,
    /// How long it takes to fall to 1, counted from when the process listens; above zero.
    pub lasts: Duration,
}

impl WarmUp {
    /// What a service demand is multiplied by when work on it begins at this age.
    pub fn at(&self, age: Duration) -> f64 {
        if age >= self.lasts {
            return 1.0;
        }
        let left = (self.lasts - age).as_nanos() as f64 / self.lasts.as_nanos() as f64;
        1.0 + (self.multiplier - 1.0) * left
    }
}

impl Sim<'_> {
    /// The service that `demand` takes on `node` when work on it begins now.
    #[inline]
    pub(super) fn warmed(&mut self, now: Instant, node: NodeId, demand: Duration) -> Duration {
        if self.warms { self.warmed_at(now, node, demand) } else { demand }
    }

    #[inline(never)]
    fn warmed_at(&mut self, now: Instant, node: NodeId, demand: Duration) -> Duration {
        let warm = self.fleet.node(node).warm;
        let demand = match self.differs(node).slowdown {
            1.0 => demand,
            slowdown => Duration::from_nanos_f64(demand.as_nanos() as f64 * slowdown),
        };
        match &self.plan.nodes[node.index()].spec.warm_up {
            Some(warm_up) if now < warm => {
                let age = warm_up.lasts - warm.since(now);
                Duration::from_nanos_f64(demand.as_nanos() as f64 * warm_up.at(age))
            }
            _ => demand,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_falls_in_a_straight_line_and_stays_at_one() {
        let warm_up = WarmUp { multiplier: 4.0, lasts: Duration::from_secs(60) };
        let table = [(0, 4.0), (10, 3.5), (20, 3.0), (30, 2.5), (50, 1.5), (60, 1.0), (3600, 1.0)];
        for (age, factor) in table {
            assert_eq!(warm_up.at(Duration::from_secs(age)), factor, "at {age} s");
        }
    }
}
