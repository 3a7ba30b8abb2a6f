//! `reload`: a new balancer process begins, and the old one keeps what it has until that ends.
//!
//! The new process knows the nodes and nothing else. It counts from zero, begins its turns anew, takes every node
//! to be up until its checks fail, and has empty tables. What an operator set at run time is forgotten unless a
//! `state_file` keeps it (HAProxy `load-server-state-from-file`; with NGINX or Envoy it stands in the
//! configuration). Cookies are the clients' and survive; so does a stick table with `peers`.
//!
//! The old process listens no more and checks no more (HAProxy, src/check.c: a stopped proxy starts no checks). It
//! serves its connections until they end, counts them alone, and acts on what it believed last. A client that
//! comes back, or asks again, meets the new one. `hard_stop_after` ends the old process with all it has (HAProxy
//! `hard-stop-after`, NGINX `worker_shutdown_timeout`: neither by default; Envoy `--parent-shutdown-time-s`,
//! 15 min).
//!
//! ```toml
//! [change.reload]
//! at     = "5m"
//! reload = { pause = "10s", hard_stop_after = "30s" }
//! ```

use super::{LOOKS_EVERY, Steps};
use crate::base::cause::Cause;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::cluster::Sim;
use crate::cluster::balancer::Balancer;
use crate::cluster::balancer::instances::{ProcessId, Setting};
use crate::cluster::balancer::view::{Admin, Word};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list change`.
pub const MEANING: &str = "balancers begin anew, knowing nothing; old connections drain through the old processes";

/// Parameters of `reload`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// How many instances, the first ones; all unless given.
    pub instances: Option<u16>,
    /// Time from one instance's turn to the next one's; default none.
    pub pause: Duration,
    /// How often in all; ≥ 1, default once.
    pub times: u32,
    /// Time from one round to the next; needed with `times`.
    pub every: Option<Duration>,
    /// After this, an old process is stopped and what it still has is cut; never unless given.
    pub hard_stop_after: Option<Duration>,
    /// Whether drains, maintenance, weights and the verdicts of checks outlive it; default no (HAProxy without a state file).
    pub state_file: bool,
}

impl Default for Params {
    fn default() -> Params {
        Params {
            instances: None,
            pause: Duration::ZERO,
            times: 1,
            every: None,
            hard_stop_after: None,
            state_file: false,
        }
    }
}

impl Params {
    /// How many instances out of `all`.
    fn instances(&self, all: u16) -> u16 {
        self.instances.unwrap_or(all)
    }

    /// When a turn comes, after the beginning of the change; `None` when there are no more.
    fn turn(&self, turn: u32, all: u16) -> Option<Duration> {
        let instances = u32::from(self.instances(all));
        let (round, place) = (turn / instances, turn % instances);
        let every = self.every.unwrap_or(Duration::ZERO);
        (round < self.times).then(|| every * u64::from(round) + self.pause * u64::from(place))
    }
}

impl Steps for Params {
    fn name(&self) -> &'static str {
        "reload"
    }

    fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut faults = Vec::new();
        let mut wrong = |key, message: &str, mend| faults.push((key, message.to_owned(), mend));
        if self.instances == Some(0) {
            wrong("instances", "this reloads no instance", "write 1 or more, or leave it out for all");
        }
        match (self.times, self.every) {
            (0, _) => wrong("times", "times is zero: nothing is reloaded", "write 1 or more"),
            (1, Some(_)) => wrong("every", "there is one round, so `every` says nothing", "add times = 10"),
            (2.., None) => wrong("times", "it does not say how long after each other", "add every = \"5s\""),
            (2.., Some(every)) if every.is_zero() => {
                wrong("every", "every is zero: the rounds would come at one instant", "write a time such as \"5s\"");
            }
            _ => {}
        }
        faults
    }

    fn faults_before(&self, instances: u16) -> Vec<(&'static str, String, &'static str)> {
        let mut faults = Vec::new();
        if let Some(wanted) = self.instances.filter(|&wanted| wanted > instances) {
            let message = format!("{wanted} instances are to be reloaded, but balancer.instances is {instances}");
            faults.push(("instances", message, "raise balancer.instances, or leave it out for all"));
        }
        let round = self.pause * u64::from(self.instances(instances).saturating_sub(1));
        if let Some(every) = self.every.filter(|&every| !every.is_zero() && every < round) {
            let message = format!("a round takes {round}, longer than the {every} until the next");
            faults.push(("every", message, "shorten `pause` or lengthen `every`"));
        }
        faults
    }

    fn processes(&self, instances: u16) -> u64 {
        u64::from(self.instances(instances)) * u64::from(self.times)
    }

    fn go_on(&self, sim: &mut Sim, now: Instant, index: usize) -> Option<Instant> {
        sim.reload(now, index, self)
    }
}

/// Reloads under way.
#[derive(Debug, Default)]
pub struct Reloading {
    turns: u32,
    // Old processes that still have something, and when they are stopped.
    old: Vec<(ProcessId, Instant)>,
}

impl Sim<'_> {
    /// Goes on with reloads; the next time to look, or `None` when the last old process has ended.
    fn reload(&mut self, now: Instant, index: usize, params: &Params) -> Option<Instant> {
        let (began, all) = (self.plan.changes[index].at, self.plan.balancer.instances);
        let mut state = std::mem::take(&mut self.rolls[index].reloading);
        self.rolls[index].begin([]);
        let mut next = None;
        while let Some(after) = params.turn(state.turns, all) {
            if began + after > now {
                next = Some(began + after);
                break;
            }
            let old = self.renew(now, state.turns as usize % usize::from(params.instances(all)), params.state_file);
            state.old.push((old, params.hard_stop_after.map_or(Instant::NEVER, |after| now + after)));
            state.turns += 1;
        }
        state.old.retain(|&(process, stops)| {
            if stops <= now {
                self.stop_process(now, process);
            }
            let stays = stops > now && !self.has_ended(process);
            if !stays {
                self.balancers.let_go(process);
            }
            stays
        });
        let looks = state.old.iter().map(|&(_, stops)| stops.min(now + LOOKS_EVERY));
        let next = looks.chain(next).min();
        self.rolls[index].reloading = state;
        next
    }

    /// Begins a new process at an instance; returns the one that it replaces.
    fn renew(&mut self, now: Instant, instance: usize, state_file: bool) -> ProcessId {
        let (members, affinities) = (self.plan.members(), self.plan.affinities());
        let setting =
            Setting { spec: &self.plan.balancer, members: &members, affinities: &affinities, seed: self.seed };
        let attempts = &self.attempts;
        let has_ended = |balancer: &Balancer, process| balancer.is_idle() && !attempts.any_through(process);
        let old = self.balancers.reload(instance, setting, state_file, has_ended);
        for node in self.fleet.ids() {
            self.acquaint(now, instance, node, old, state_file);
        }
        self.forget_checks(now, instance);
        self.await_view(now, self.balancers.serving(instance));
        old
    }

    /// The new process of an instance is told of a node: its configuration names those that the cluster should have.
    fn acquaint(&mut self, now: Instant, instance: usize, node: NodeId, old: ProcessId, state_file: bool) {
        let fresh = self.balancers.serving(instance);
        let was_removed = self.balancers[old].admin(node) == Admin::Removed;
        if self.exposure.canary.as_ref().is_some_and(|canary| canary.has(node)) {
            self.balancers[fresh].set_canary(node, true);
        }
        let has_left = !self.wanted[node.index()] && (was_removed || !state_file);
        if self.fleet.get(node).is_new() || self.awaited.contains(&node) {
            self.balancers[fresh].hold_back(node);
        } else if has_left {
            self.balancers[fresh].say(now, node, Word::Admin(Admin::Removed));
        } else if let Some(verdict) = self.agents.get(node.index()) {
            self.balancers[fresh].say(now, node, Word::Ready(verdict.is_up()));
        }
        self.balancers[fresh].pass(now);
        if self.balancers[old].keeps_away(node) && !self.balancers.any_keeps_away(node) {
            self.forget_operator(now, node);
        }
    }

    /// Whether an old process has nothing left to do.
    fn has_ended(&self, process: ProcessId) -> bool {
        self.balancers[process].is_idle() && !self.attempts.any_through(process)
    }

    /// A balancer process ends at once: its connections are cut, and what waits for an answer through it fails.
    fn stop_process(&mut self, now: Instant, process: ProcessId) {
        for node in self.fleet.ids() {
            self.shut_down_sessions(now, node, Some(process), Cause::BalancerStopped);
        }
        // What has not reached a node yet.
        for id in self.attempts.through(process) {
            // Failing one may end its session, and with it others of this list.
            if self.attempts[id].is_through(process)
                && let Some(left) = self.leave_work(now, id)
            {
                self.attempt_failed(now, left, Cause::BalancerStopped);
            }
        }
    }
}
