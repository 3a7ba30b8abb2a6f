//! What do a node's own answers prove? Rules that watch attempts and take nodes out without a check.
//!
//! The simulation tells a rule what it saw of every attempt; the rule says what follows. To add one: write
//! its file here (parameters, state, test), then a `mod` line, a variant and its lines in the lists below.
//! `observe.rs` is the shortest example. Without a rule nothing is told, and nothing is paid.

mod nginx;
mod observe;
mod outlier;

use super::active::Blow;
use crate::base::choice::Alternatives;
use crate::base::id::NodeId;
use crate::base::time::Instant;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `none` has no parameters.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NoPassiveRule")]
pub struct Nothing {}

/// A rule and its parameters.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Passive {
    /// Nothing: nobody watches them.
    None(Nothing),
    /// So many failures take a node out for a while.
    Nginx(nginx::Params),
    /// Errors in a row, or more of them than others have, eject a node for longer each time.
    Outlier(outlier::Params),
    /// Errors in a row count as failed checks.
    Observe(observe::Params),
}

impl Default for Passive {
    fn default() -> Passive {
        Passive::None(Nothing {})
    }
}

impl Alternatives for Passive {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("none", "attempts prove nothing"),
        ("nginx", nginx::MEANING),
        ("outlier", outlier::MEANING),
        ("observe", observe::MEANING),
    ];
}

impl Passive {
    /// Its working state over `nodes` nodes, if there is a rule; `seed` and `instance` key what it draws.
    pub fn start(&self, nodes: usize, seed: u64, instance: &str) -> Option<Box<dyn Eject>> {
        let rule: Box<dyn Eject> = match self {
            Passive::None(_) => return None,
            Passive::Nginx(params) => Box::new(nginx::MaxFails::new(params, nodes)),
            Passive::Outlier(params) => Box::new(outlier::Outlier::new(params, nodes, seed, instance)),
            Passive::Observe(params) => Box::new(observe::Observe::new(params, nodes)),
        };
        Some(rule)
    }

    /// Whether it wants to be told of attempts.
    pub fn watches(&self) -> bool {
        !matches!(self, Passive::None(_))
    }

    /// Whether it does nothing without health checks.
    pub fn needs_checks(&self) -> bool {
        matches!(self, Passive::Observe(_))
    }

    /// What is wrong with the parameters: (key, message).
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        match self {
            Passive::None(_) => Vec::new(),
            Passive::Nginx(params) => params.faults(),
            Passive::Outlier(params) => params.faults(),
            Passive::Observe(params) => params.faults(),
        }
    }

    /// Its key in a scenario.
    pub fn name(&self) -> &'static str {
        match self {
            Passive::None(_) => "none",
            Passive::Nginx(_) => "nginx",
            Passive::Outlier(_) => "outlier",
            Passive::Observe(_) => "observe",
        }
    }
}

/// What a balancer saw of an attempt at a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// It was sent there.
    Tried,
    /// The connection for a request was accepted.
    Connected,
    /// A connection that will hang on the node was accepted.
    Opened,
    /// A request was answered, and well.
    Answered,
    /// A connection that hung on the node is over, for whatever reason.
    Closed,
    /// The connection was not accepted: refused at once, or nobody there to accept it.
    NotConnected,
    /// The connection broke with the request in hand.
    Reset,
    /// No answer came in time.
    Unanswered,
    /// The application answered with an error (500).
    Error,
    /// The node answered that it cannot serve (503).
    Overloaded,
}

/// What follows for a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// It gets nobody from now on.
    Eject(NodeId),
    /// It may get somebody again.
    Readmit(NodeId),
    /// The weight that its turns count falls by this part (1/n) of its own, and recovers turn by turn.
    Weaken(NodeId, u32),
    /// It counts as a failed check or worse; the next check comes soon.
    Strike(NodeId, Blow),
    /// The next check comes soon.
    Hurry(NodeId),
}

/// The contract of a passive rule. It answers by adding to `acts`.
pub trait Eject: Send {
    /// `node` belongs to the cluster from now on, or no longer.
    fn counts(&mut self, _node: NodeId, _belongs: bool) {}
    /// What was seen of an attempt at `node`.
    fn saw(&mut self, now: Instant, node: NodeId, seen: Seen, acts: &mut Vec<Act>);
    /// `node` has passed an active check; `is_up` by the verdict of the checks.
    fn passed_check(&mut self, _now: Instant, _node: NodeId, _is_up: bool, _acts: &mut Vec<Act>) {}
    /// When it wants to be woken.
    fn due(&self) -> Instant {
        Instant::NEVER
    }
    /// The time it wanted to be woken has come.
    fn woken(&mut self, _now: Instant, _acts: &mut Vec<Act>) {}
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::time::Duration;

    /// The node n1.
    pub const A: NodeId = NodeId(0);

    /// So many milliseconds after the start.
    pub fn at(millis: u64) -> Instant {
        Instant::START + Duration::from_millis(millis)
    }

    /// What follows from what was seen of n1.
    pub fn sees(rule: &mut dyn Eject, millis: u64, seen: &[Seen]) -> Vec<Act> {
        let mut acts = Vec::new();
        seen.iter().for_each(|&seen| rule.saw(at(millis), A, seen, &mut acts));
        acts
    }

    /// Wakes the rule when it wants to be woken, up to a time; when, and what followed.
    pub fn wakes(rule: &mut dyn Eject, until_millis: u64) -> Vec<(f64, Vec<Act>)> {
        let mut woken = Vec::new();
        while rule.due() <= at(until_millis) {
            let (now, mut acts) = (rule.due(), Vec::new());
            rule.woken(now, &mut acts);
            if !acts.is_empty() {
                woken.push((now.as_secs_f64(), acts));
            }
        }
        woken
    }

    #[test]
    fn a_rule_that_sees_only_good_does_nothing() {
        for (name, _) in Passive::NAMES {
            let rule: crate::base::choice::Choice<Passive> = serde_json::from_value((*name).into()).unwrap();
            assert_eq!((rule.0.name(), rule.0.faults()), (*name, vec![]));
            let Some(mut rule) = rule.0.start(3, 1, "lb1") else {
                assert!(!rule.0.watches());
                continue;
            };
            (0..3).for_each(|n| rule.counts(NodeId(n), true));
            let good = [Seen::Tried, Seen::Connected, Seen::Answered, Seen::Opened, Seen::Closed].repeat(200);
            assert_eq!(sees(&mut *rule, 5, &good), [], "{name}");
            assert_eq!(wakes(&mut *rule, 100_000), [], "{name}");
        }
    }
}
