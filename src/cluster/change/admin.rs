//! `drain` and `maint`: what an operator tells the balancer about nodes that go on running.

use super::{Aim, LOOKS_EVERY, Step, Steps, no_rate, no_time};
use crate::base::cause::Cause;
use crate::base::time::{Duration, Instant};
use crate::base::units::Rate;
use crate::cluster::Sim;
use crate::cluster::balancer::OnMarkedDown;
use crate::cluster::balancer::view::Admin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list change`.
pub const DRAIN: &str = "nodes take nobody new; those bound to them are served until they end";
/// One line for `stickysim list change`.
pub const MAINT: &str = "nodes serve nobody; their sessions are shut down as `on_marked_down` says, or as told";

/// Parameters of `drain`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// Whom: a number of nodes, names, a share, a zone, or the fullest.
    pub nodes: Aim,
    /// After this, those still there are cut; never unless given.
    pub timeout: Option<Duration>,
    /// So many a second are asked to leave each node meanwhile; nobody unless given.
    pub evict: Option<Rate>,
    /// After this the nodes are ready again; never unless given.
    pub lasts: Option<Duration>,
}

/// Parameters of `maint`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Maint {
    /// Whom: a number of nodes, names, a share, a zone, or the fullest.
    pub nodes: Aim,
    /// Whether their sessions are shut down at once; default as `balancer.on_marked_down` says (HAProxy, measured).
    pub shutdown_sessions: Option<bool>,
    /// After this the nodes are ready again; never unless given.
    pub lasts: Option<Duration>,
}

impl Steps for Drain {
    fn name(&self) -> &'static str {
        "drain"
    }
    fn aim(&self) -> Option<&Aim> {
        Some(&self.nodes)
    }
    fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        let late = self.timeout.zip(self.lasts).filter(|(timeout, lasts)| timeout > lasts).map(|(timeout, lasts)| {
            let message = format!("timeout ({timeout}) never comes: the nodes are ready again after {lasts}");
            ("timeout", message, "shorten timeout, or lengthen or leave out `lasts`")
        });
        no_time(self.lasts).into_iter().chain(late).chain(no_rate(self.evict)).collect()
    }
    fn evicts(&self) -> Option<Rate> {
        self.evict
    }
    fn go_on(&self, sim: &mut Sim, now: Instant, index: usize) -> Option<Instant> {
        sim.drain(now, index, self)
    }
}

impl Steps for Maint {
    fn name(&self) -> &'static str {
        "maint"
    }
    fn aim(&self) -> Option<&Aim> {
        Some(&self.nodes)
    }
    fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        no_time(self.lasts).into_iter().collect()
    }
    fn go_on(&self, sim: &mut Sim, now: Instant, index: usize) -> Option<Instant> {
        sim.maintain(now, index, self)
    }
}

impl Sim<'_> {
    fn drain(&mut self, now: Instant, index: usize, params: &Drain) -> Option<Instant> {
        if self.rolls[index].is_new() {
            let nodes = self.aimed_by_change(index, &params.nodes);
            self.rolls[index].begin([]);
            let until = params.timeout.map_or(Instant::NEVER, |timeout| now + timeout);
            for node in nodes {
                self.begin_drain(now, node, params.evict);
                self.rolls[index].active.push((node, Step::Draining(until)));
            }
        }
        let mut active = std::mem::take(&mut self.rolls[index].active);
        for (node, step) in &mut active {
            let Step::Draining(until) = *step else { continue };
            if !self.ends_drain(now, *node, until) {
                continue;
            }
            if until <= now {
                // Whoever is bound to it by a cookie or a table goes elsewhere, too.
                self.set_admin(now, *node, Admin::Maint);
                self.shut_down_sessions(now, *node, None, Cause::DrainTimeout);
            }
            *step = Step::Away(Instant::NEVER);
        }
        let draining = active.iter().any(|(_, step)| matches!(step, Step::Draining(_)));
        self.rolls[index].active = active;
        self.until_ready(now, index, params.lasts, draining)
    }

    fn maintain(&mut self, now: Instant, index: usize, params: &Maint) -> Option<Instant> {
        if self.rolls[index].is_new() {
            let nodes = self.aimed_by_change(index, &params.nodes);
            self.rolls[index].begin([]);
            let by_default = self.plan.balancer.on_marked_down == OnMarkedDown::ShutdownSessions;
            for node in nodes {
                self.set_admin(now, node, Admin::Maint);
                self.rolls[index].active.push((node, Step::Away(Instant::NEVER)));
                if params.shutdown_sessions.unwrap_or(by_default) {
                    self.shut_down_sessions(now, node, None, Cause::Maintenance);
                }
            }
        }
        self.until_ready(now, index, params.lasts, false)
    }

    /// Sets the nodes ready when their time is over; the next time to look, or `None` when nothing is left.
    fn until_ready(&mut self, now: Instant, index: usize, lasts: Option<Duration>, busy: bool) -> Option<Instant> {
        let ready = lasts.map_or(Instant::NEVER, |lasts| self.plan.changes[index].at + lasts);
        if ready <= now {
            for (node, _) in std::mem::take(&mut self.rolls[index].active) {
                self.stop_evicting(node);
                self.set_admin(now, node, Admin::Ready);
            }
            return None;
        }
        let look = if busy { now + LOOKS_EVERY } else { Instant::NEVER };
        let next = ready.min(look);
        (next != Instant::NEVER).then_some(next)
    }
}
