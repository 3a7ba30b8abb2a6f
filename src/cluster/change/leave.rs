//! How does a node leave? It is drained, cut, killed, or told to stop as Kubernetes tells a pod.
//!
//! A process that is told to stop has clocks of its own, which know nothing of the balancers. At the same instant the
//! balancers are told to send it nobody any more, and hear of it after their `propagation`, and the process begins its
//! `pre_stop` hook, during which it serves as before. Then it gets its SIGTERM, and does what `on_term` says. `grace`
//! after the beginning it is killed, with whatever it has in hand.
//!
//! The grace counts from before the hook. A hook that outlasts it is cut short, and the process has two seconds from its
//! SIGTERM on (Kubernetes documentation, *Pod Lifecycle*; pkg/kubelet/kuberuntime, `minimumGracePeriodInSeconds`).
//!
//! What reaches a node that does not listen any more, from a balancer that has not heard yet, is refused: the
//! *deregistration race*.

use super::Step;
use crate::base::cause::Cause;
use crate::base::id::{NodeId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::base::units::Rate;
use crate::cluster::Sim;
use crate::cluster::balancer::instances::ProcessId;
use crate::cluster::balancer::view::Admin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long a drain waits for sessions to end unless it is told (Kubernetes' grace period).
pub(super) const DRAIN: Duration = Duration::from_secs(30);
/// From its SIGTERM on, a process has this time at least.
const LEAST_GRACE: Duration = Duration::from_secs(2);

/// How a process is told to stop.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stop {
    /// How long its hook takes before its SIGTERM; it serves as before meanwhile. Default none.
    pub pre_stop: Duration,
    /// So long after the beginning of the hook it is killed; default 30 s (Kubernetes).
    pub grace: Duration,
    /// What it does when it gets its SIGTERM; default `finish`.
    pub on_term: OnTerm,
}

/// What a process does when it gets its SIGTERM.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnTerm {
    /// It listens no more, finishes what it has in hand, waits for its streams to end, and exits (Go's `Shutdown`,
    /// gunicorn).
    #[default]
    Finish,
    /// It goes on as before until it is killed: nobody handles the signal.
    Serve,
    /// It exits at once, with what it has in hand.
    Exit,
}

impl Default for Stop {
    fn default() -> Stop {
        Stop { pre_stop: Duration::ZERO, grace: Duration::from_secs(30), on_term: OnTerm::default() }
    }
}

impl Stop {
    /// When it gets its SIGTERM, and when it is killed, after it was told to stop.
    pub fn clocks(&self) -> (Duration, Duration) {
        let term = self.pre_stop.min(self.grace);
        // Without any grace a process is killed at once.
        let killed = if self.grace.is_zero() { term } else { self.grace.max(term + LEAST_GRACE) };
        (term, killed)
    }
}

/// What is wrong where both say how long a node that leaves is there.
pub(super) fn two_ends(
    stop: Option<&Stop>,
    drain_timeout: Option<Duration>,
) -> Option<(&'static str, String, &'static str)> {
    let message = || "a process that is told to `stop` goes by clocks of its own: no drain_timeout holds".to_owned();
    let mend = "leave drain_timeout out and write stop.grace, or leave stop out";
    (stop.is_some() && drain_timeout.is_some()).then(|| ("drain_timeout", message(), mend))
}

impl Sim<'_> {
    /// A node is told to stop: the first step of its leaving.
    pub(super) fn begin_stopping(&mut self, now: Instant, node: NodeId, stop: &Stop) -> Step {
        self.set_admin(now, node, Admin::Drain);
        let (term, killed) = stop.clocks();
        Step::Hooked(now + term, now + killed)
    }

    /// Goes on with the leaving of a node; why its process ends, when its time has come.
    pub(super) fn go_on_leaving(
        &mut self,
        now: Instant,
        node: NodeId,
        step: &mut Step,
        (stop, evict): (Option<&Stop>, Option<Rate>),
    ) -> Option<Cause> {
        let on_term = stop.map(|stop| stop.on_term).unwrap_or_default();
        if let Step::Hooked(term, killed) = *step
            && term <= now
        {
            *step = Step::Ending(killed);
            if let Some(rate) = evict {
                self.evict_all(now, node, rate);
            }
            match on_term {
                OnTerm::Finish => self.listen_no_more(now, node),
                OnTerm::Serve => {}
                OnTerm::Exit => *step = Step::Cut,
            }
        }
        let cause = match *step {
            Step::Cut => Cause::Restart,
            Step::Draining(until) | Step::Ending(until) if until <= now => Cause::DrainTimeout,
            Step::Draining(_) if self.is_empty(node) => Cause::Restart,
            Step::Ending(_) if on_term == OnTerm::Finish && self.is_finished(node) => Cause::Restart,
            _ => return None,
        };
        self.stop_evicting(node);
        Some(cause)
    }

    /// A process takes no new connections, and those that are idle are closed; streams live on.
    fn listen_no_more(&mut self, now: Instant, node: NodeId) {
        if !self.fleet.is_up(node) {
            return; // Nobody is there who could do it.
        }
        let host = self.fleet.node(node);
        if host.ills.is_frozen {
            host.has_signal = true;
            return;
        }
        host.closes = true;
        let mut linked = Vec::new();
        self.linked.list(node, &mut linked);
        for id in linked.into_iter().map(SessionId) {
            let session = &self.sessions[id];
            let is_stale = session.incarnation != self.fleet.get(node).incarnation;
            if !is_stale && !self.is_stream(session.population) {
                self.say_goodbye(now, id, node, Cause::Restart, None);
            }
        }
    }

    /// A process that stood still handles the signal that came meanwhile.
    pub(in crate::cluster) fn handle_signal(&mut self, now: Instant, node: NodeId) {
        if std::mem::take(&mut self.fleet.node(node).has_signal) {
            self.listen_no_more(now, node);
        }
    }

    /// Whether a process that listens no more has nothing in hand, or is gone.
    fn is_finished(&self, node: NodeId) -> bool {
        let has_stopped = self.fleet.get(node).closes || !self.fleet.is_up(node);
        has_stopped && self.linked.count(node) == 0 && self.at_node.count(node) == 0
    }

    /// Why a node that does not listen has refused an attempt that came `via` this balancer.
    pub(in crate::cluster) fn why_refused(&self, via: ProcessId, node: NodeId) -> Cause {
        let was_told = self.said[node.index()].admin != Admin::Ready;
        if was_told && self.balancers[via].admin(node) == Admin::Ready {
            Cause::DeregistrationRace
        } else {
            Cause::Refused
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grace_counts_from_before_the_hook_and_leaves_two_seconds_after_it() {
        let clocks = |pre_stop, grace| {
            let [pre_stop, grace] = [pre_stop, grace].map(Duration::from_secs);
            let (term, killed) = Stop { pre_stop, grace, ..Stop::default() }.clocks();
            (term.as_secs_f64(), killed.as_secs_f64())
        };
        assert_eq!(clocks(0, 30), (0.0, 30.0));
        assert_eq!(clocks(15, 30), (15.0, 30.0));
        assert_eq!(clocks(29, 30), (29.0, 31.0));
        assert_eq!(clocks(60, 30), (30.0, 32.0), "the hook is cut short");
        assert_eq!(clocks(5, 0), (0.0, 0.0), "killed at once");
    }
}
