//! How much does a node get that has just come back? A share of its weight that grows with its time.
//!
//! The three products' ramps; t is the time since the node was healthy again, T is `lasts`:
//!
//! * `haproxy` (`slowstart`): sixteenths. ⌊16·t/T⌋ + 1 of them, with t, T and the moment of the change in whole
//!   seconds; looked at once a second. It begins when checks bring a node up, or when it leaves maintenance
//!   (haproxy `src/server.c`, `server_recalc_eweight`; the task that looks is meant to take max(1 s, T/20), but
//!   T is held in seconds there, so it is 1 s).
//! * `envoy` (`slow_start_config`): max(`min_weight`, (t/T)^(1/`aggression`)). It begins when checks pass
//!   a node, or when it joins (envoy `load_balancer_impl.cc`). An outlier that returns gets no ramp.
//! * `linear` (NGINX `slow_start`, ALB `slow_start.duration_seconds`): t/T, from nearly nothing. It begins
//!   whenever a node is eligible again, but not when no other node takes part at full weight (ALB: the first
//!   targets of a group do not ramp; NGINX: not with one server).
//!
//! Nodes that are there when the run begins are at full weight. `roundrobin`, `leastconn`, `random`, `haproxy_random`
//! and the consistent `haproxy_hash` heed weights that change; the hashes of NGINX and Envoy and HAProxy's maps do not
//! ramp in the products either.

use super::super::balance::WHOLE;
use crate::base::choice::{Alternatives, Choice};
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::base::units::Share;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A node that comes back gets its weight little by little.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowStart {
    /// How long until it has its full weight; 0 s means that it has it at once.
    pub lasts: Duration,
    /// Whose ramp; default `haproxy`.
    #[serde(default)]
    pub shape: Choice<Shape>,
}

/// How the weight grows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Ramp")]
pub enum Shape {
    /// In sixteenths, once a second.
    Haproxy(Sixteenths),
    /// By a power of time.
    Envoy(Power),
    /// In proportion to time.
    Linear(Linear),
}

impl Default for Shape {
    fn default() -> Shape {
        Shape::Haproxy(Sixteenths {})
    }
}

impl Alternatives for Shape {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("haproxy", "sixteenths of the weight, one more every sixteenth of the time, looked at once a second"),
        ("envoy", "the weight × max(`min_weight`, (t/T)^(1/`aggression`))"),
        ("linear", "the weight × t/T, as NGINX and ALB"),
    ];
}

/// `haproxy` has no parameters.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sixteenths {}

/// `linear` has no parameters.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Linear {}

/// Parameters of `envoy`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Power {
    /// Above 1 the weight grows early, below 1 late; > 0, default 1.
    pub aggression: f64,
    /// The least share of the weight; from 0% to 100%, default 10%.
    pub min_weight: Share,
}

impl Default for Power {
    fn default() -> Power {
        Power { aggression: 1.0, min_weight: Share::new(0.1) }
    }
}

impl SlowStart {
    /// What is wrong with the parameters: (path below `slow_start`, message).
    pub fn faults(&self) -> Vec<(Vec<&'static str>, String)> {
        let mut faults = Vec::new();
        if let Shape::Envoy(power) = &self.shape.0 {
            let message = format!("aggression must be above 0, but is {}", power.aggression);
            let is_sound = power.aggression > 0.0 && power.aggression.is_finite();
            faults.extend((!is_sound).then_some((vec!["shape", "envoy", "aggression"], message)));
        }
        faults
    }

    /// The share of its weight that a node has which was healthy again at `began`, in parts of [`WHOLE`].
    pub fn share(&self, began: Instant, now: Instant) -> u32 {
        let (age, lasts) = (now.since(began).as_nanos() as f64, self.lasts.as_nanos() as f64);
        match &self.shape.0 {
            Shape::Haproxy(_) => {
                let age = whole_seconds(now) - whole_seconds(began);
                let lasts = self.lasts.as_nanos().div_ceil(SECOND);
                ((16 * age / lasts + 1).min(16) as u32) * (WHOLE / 16)
            }
            Shape::Envoy(power) => {
                let time = (age.max(1e6) / lasts).min(1.0);
                parts(libm::pow(time, 1.0 / power.aggression).max(power.min_weight.ratio()))
            }
            Shape::Linear(_) => parts(age / lasts),
        }
    }

    /// How long until the share is looked at again.
    fn step(&self) -> Duration {
        match self.shape.0 {
            Shape::Haproxy(_) => Duration::from_secs(1),
            // A weight that grows all the time is told in steps of less than two percent.
            _ => Duration::from_nanos((self.lasts.as_nanos() / 64).max(1)),
        }
    }

    fn is_linear(&self) -> bool {
        matches!(self.shape.0, Shape::Linear(_))
    }
}

const SECOND: u64 = 1_000_000_000;

fn whole_seconds(at: Instant) -> u64 {
    at.as_nanos() / SECOND
}

/// A share of 0 would mean that the node is out.
fn parts(share: f64) -> u32 {
    ((share * f64::from(WHOLE) + 0.5) as u32).clamp(1, WHOLE)
}

/// Why a node is healthy again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Return {
    /// Its checks say so, or it has left maintenance.
    Up,
    /// It was ejected for something that it did to requests.
    Readmitted,
}

/// The nodes that are on their way up.
#[derive(Debug)]
pub struct Ramps {
    rule: SlowStart,
    // By node: since when, and the present share.
    nodes: Vec<Option<(Instant, u32)>>,
    due: BTreeSet<(Instant, NodeId)>,
}

impl Ramps {
    /// Nobody ramps yet.
    pub fn new(rule: &SlowStart, nodes: usize) -> Ramps {
        Ramps { rule: rule.clone(), nodes: vec![None; nodes], due: BTreeSet::new() }
    }

    /// `node` is healthy again; `alone` when no other node has its full weight.
    pub fn begin(&mut self, now: Instant, node: NodeId, why: Return, alone: bool) {
        self.end(node);
        let ramps = if self.rule.is_linear() { !alone } else { why == Return::Up };
        if ramps {
            self.nodes[node.index()] = Some((now, self.rule.share(now, now)));
            self.due.insert((now + self.rule.step(), node));
        }
    }

    /// `node` does not ramp: it is out, or has its full weight.
    pub fn end(&mut self, node: NodeId) {
        if self.nodes[node.index()].take().is_some() {
            self.due.retain(|&(_, other)| other != node);
        }
    }

    /// The present share of a node's weight, in parts of [`WHOLE`].
    pub fn share(&self, node: NodeId) -> u32 {
        self.nodes[node.index()].map_or(WHOLE, |(_, share)| share)
    }

    /// When a share changes next.
    pub fn due(&self) -> Instant {
        self.due.first().map_or(Instant::NEVER, |&(due, _)| due)
    }

    /// A node whose share is to be looked at now.
    pub fn step(&mut self, now: Instant) -> Option<NodeId> {
        let (due, node) = *self.due.first().filter(|&&(due, _)| due <= now)?;
        self.due.pop_first();
        if let Some((began, share)) = &mut self.nodes[node.index()] {
            *share = self.rule.share(*began, now);
            if *share >= WHOLE {
                self.nodes[node.index()] = None;
            } else {
                self.due.insert((due + self.rule.step(), node));
            }
        }
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(lasts: u64, shape: Shape) -> SlowStart {
        SlowStart { lasts: Duration::from_secs(lasts), shape: Choice(shape) }
    }

    fn at(millis: u64) -> Instant {
        Instant::START + Duration::from_millis(millis)
    }

    #[test]
    fn haproxy_ramps_in_sixteenths_by_whole_seconds() {
        let rule = rule(30, Shape::default());
        let sixteenths = |began, now| rule.share(at(began), at(now)) / (WHOLE / 16);
        // w = (16·t + 30) / 30 in integers.
        let table = [(0, 1), (1, 1), (2, 2), (4, 3), (15, 9), (28, 15), (29, 16), (30, 16), (99, 16)];
        for (second, expected) in table {
            assert_eq!(sixteenths(0, 1_000 * second), expected, "after {second} s");
        }
        assert_eq!(sixteenths(1_999, 3_000), 2, "a second and a millisecond are two seconds on the clock");
    }

    #[test]
    fn envoy_ramps_by_a_power_of_time_above_its_least_weight() {
        let share = |power, millis| f64::from(rule(10, Shape::Envoy(power)).share(at(0), at(millis))) / 4096.0;
        let plain = Power::default();
        for (millis, expected) in [(0, 0.1), (500, 0.1), (2_500, 0.25), (5_000, 0.5), (10_000, 1.0), (60_000, 1.0)] {
            assert!((share(plain, millis) - expected).abs() < 2e-4, "{millis} ms");
        }
        let eager = Power { aggression: 2.0, min_weight: Share::new(0.0) };
        assert!((share(eager, 2_500) - 0.5).abs() < 2e-4, "the root of a quarter");
        assert!((share(eager, 0) - 0.01).abs() < 2e-4, "age counts as 1 ms at least");
    }

    fn course(rule: &SlowStart, why: Return, alone: bool) -> Vec<u32> {
        let mut ramps = Ramps::new(rule, 1);
        ramps.begin(at(500), NodeId(0), why, alone);
        let mut shares = vec![ramps.share(NodeId(0))];
        while ramps.due() != Instant::NEVER {
            let now = ramps.due();
            assert_eq!(ramps.step(now), Some(NodeId(0)));
            assert_eq!(ramps.step(now), None);
            shares.push(ramps.share(NodeId(0)));
        }
        shares
    }

    #[test]
    fn a_ramp_runs_to_the_whole_and_ends() {
        let haproxy = course(&rule(4, Shape::default()), Return::Up, false);
        assert_eq!(haproxy, [256, 5 * 256, 9 * 256, 13 * 256, WHOLE]);
        let linear = course(&rule(4, Shape::Linear(Linear {})), Return::Readmitted, false);
        assert_eq!((linear.len(), linear[0], linear[1], linear[64]), (65, 1, 64, WHOLE));
        assert!(linear.is_sorted());
    }

    #[test]
    fn who_ramps_depends_on_the_product() {
        let linear = rule(4, Shape::Linear(Linear {}));
        let envoy = rule(4, Shape::Envoy(Power::default()));
        let ramps = |rule, why, alone| course(rule, why, alone).len() > 1;
        assert!(ramps(&linear, Return::Up, false) && ramps(&linear, Return::Readmitted, false));
        assert!(!ramps(&linear, Return::Up, true), "nobody to lean on");
        assert!(ramps(&envoy, Return::Up, true) && !ramps(&envoy, Return::Readmitted, false));
    }
}
