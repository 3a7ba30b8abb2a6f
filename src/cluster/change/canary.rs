//! `canary`: a new version gets a small share of the traffic, then more, then all of it or none.
//!
//! New nodes with the new version are started beside the old ones. When the balancers have seen them all, a router in
//! front of both sides sends the first step's share to the new one, the second step's after `hold`, and so on. When
//! the last step is over the release is *promoted*: as many new nodes as there were old ones take everything, and the
//! old ones are drained and taken away (Argo Rollouts: `setWeight: 100`, then `scaleDownDelaySeconds`). Or it is
//! *aborted*, as it is when its `rollback` criterion is met: the share falls to nothing, and the new nodes are taken
//! away when nobody is held to them any more, or after `drain_timeout` (`abortScaleDownDelaySeconds`).
//!
//! Where the router sends a request depends on `cookie`:
//!
//! | `cookie` | who is held | source |
//! | --- | --- | --- |
//! | `none` | nobody: every request is drawn anew by the weight, whatever node remembers its session | ingress-nginx `affinity-canary-behavior: legacy`; Istio and Argo without a consistent hash |
//! | `one_sided` | whoever has been served by the new version; all others are drawn anew with every request | Flagger `sessionAffinity` before `primaryCookieName` (fluxcd/flagger#1532, #1655) |
//! | `two_sided` | whoever has been served, also before the release began: only new sessions are drawn | ingress-nginx `affinity-canary-behavior: sticky` with `affinity: cookie` |
//! | `version` | whoever has been served since the first step began: those who were there before are drawn once | Flagger with `primaryCookieName` |
//!
//! On its side, affinity proposes and `balance` decides as always; a proposal of the other side's node is not heeded.
//! With the share w, a session that nothing holds to the old version is on the new one after k requests with the
//! probability 1 − (1 − w)^k: one-sided cookies bring everybody there.

use super::{LOOKS_EVERY, Steps};
use crate::base::cause::Cause;
use crate::base::id::{NodeId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::base::units::Share;
use crate::cluster::Sim;
use crate::cluster::client::happens;
use crate::cluster::exposure::{Exposure, Pin};
use crate::observe::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list change`.
pub const MEANING: &str = "new nodes with a new version get a growing share of the traffic, then all of it or none";

/// More at once are a mistake.
const NODES_MAX: u32 = 10_000;

/// Parameters of `canary`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The new version, as described in `[version.<name>]`.
    pub version: String,
    /// How many nodes run it until it is promoted; from 1 to 10,000, default 1.
    #[serde(default = "one")]
    pub nodes: u32,
    /// The new version's share of what is drawn, step by step; each above 0%.
    pub steps: Vec<Share>,
    /// How long each step lasts.
    pub hold: Duration,
    /// What holds a session to its version; default `none`.
    #[serde(default)]
    pub cookie: Cookie,
    /// How long that holds, counted from when it was set; forever unless given.
    pub cookie_life: Option<Duration>,
    /// What follows the last step; default `promote`.
    #[serde(default)]
    pub then: Then,
    /// How long nodes that get nobody new wait for those who are held to them; default 30 s (Argo Rollouts).
    #[serde(default = "half_a_minute")]
    pub drain_timeout: Duration,
    /// When new nodes have not been seen up for so long, the release is given up and aborted. Never unless given (Argo
    /// Rollouts reports it after 10 min, and aborts with `progressDeadlineAbort`).
    pub progress_deadline: Option<Duration>,
}

fn one() -> u32 {
    1
}

fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

/// What holds a session to its version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CanaryCookie")]
pub enum Cookie {
    /// Nothing: every request is drawn.
    #[default]
    None,
    /// Whoever has been served by the new version stays there; the others are drawn with every request.
    OneSided,
    /// Whoever has been served by either version stays there, also who was there before.
    TwoSided,
    /// Whoever has been served since the first step began stays there.
    Version,
}

/// What follows the last step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The new version takes everything, and the old nodes go.
    #[default]
    Promote,
    /// The new version gets nobody any more, and its nodes go.
    Abort,
    /// The last step lasts until the end of the run.
    Stay,
}

/// Where a release is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Its nodes are being started.
    Starting,
    /// This step lasts until then.
    Step(usize, Instant),
    /// The last step goes on.
    Staying,
    /// More of its nodes are being started, to take everything.
    Promoting,
    /// The old nodes wait for those who are held to them until then.
    Retiring(Instant),
    /// Its nodes wait for those who are held to them until then.
    Aborting(Instant),
}

/// A canary release under way.
#[derive(Debug)]
pub struct Canary {
    stage: Stage,
    weight: f64,
    cookie: Cookie,
    // Since when it has been waiting for its nodes, if it is.
    waits_since: Instant,
    nodes: Vec<NodeId>,
    // Those of them that belong to the cluster as soon as they are up.
    joining: Vec<NodeId>,
    old: Vec<NodeId>,
}

impl Canary {
    /// Whether a node is on the new version's side.
    pub fn has(&self, node: NodeId) -> bool {
        self.nodes.contains(&node)
    }

    /// Whether the new version takes everything.
    fn takes_all(&self) -> bool {
        matches!(self.stage, Stage::Retiring(_))
    }
}

impl Steps for Params {
    fn name(&self) -> &'static str {
        "canary"
    }
    fn version(&self) -> Option<&str> {
        Some(&self.version)
    }
    fn is_canary(&self) -> bool {
        true
    }
    fn holds_before(&self) -> bool {
        self.cookie == Cookie::TwoSided
    }
    fn holds_for(&self) -> Option<Duration> {
        self.cookie_life
    }
    fn spares(&self, nodes: usize) -> usize {
        let at_first = self.nodes as usize;
        if self.then == Then::Promote { nodes.max(at_first) } else { at_first }
    }
    fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut faults = Vec::new();
        if !(1..=NODES_MAX).contains(&self.nodes) {
            let message = format!("{} nodes run the new version, but from 1 to {NODES_MAX} can", self.nodes);
            faults.push(("nodes", message, "write 1 or more"));
        }
        if self.steps.is_empty() || self.steps.iter().any(|share| share.ratio() == 0.0) {
            let message = "a step gives the new version nothing".to_owned();
            faults.push(("steps", message, "write shares above 0%, such as [\"5%\", \"25%\", \"50%\"]"));
        }
        for (key, span) in [("cookie_life", self.cookie_life), ("progress_deadline", self.progress_deadline)] {
            if span.is_some_and(Duration::is_zero) {
                faults.push((key, format!("{key} is zero"), "write a time such as \"10m\", or leave it out"));
            }
        }
        if self.cookie_life.is_some() && self.cookie == Cookie::None {
            let message = "cookie_life says how long a cookie holds, but there is none".to_owned();
            faults.push(("cookie_life", message, "add cookie = \"two_sided\", or leave it out"));
        }
        if self.hold.is_zero() {
            let message = "hold is zero: no step would last any time".to_owned();
            faults.push(("hold", message, "write how long a step lasts, such as \"5m\""));
        }
        faults
    }
    fn can_roll_back(&self) -> bool {
        true
    }
    fn go_on(&self, sim: &mut Sim, now: Instant, index: usize) -> Option<Instant> {
        if sim.rolls[index].is_new() {
            sim.rolls[index].begin([]);
            sim.begin_canary(now, index, self);
        }
        while let Some(stage) = sim.exposure.canary.as_ref().map(|canary| canary.stage) {
            if let Err(next) = sim.advance_canary(now, index, stage, self) {
                return next;
            }
        }
        None
    }
    fn roll_back(&self, sim: &mut Sim, now: Instant, _index: usize) -> bool {
        sim.abort_canary(now, self.drain_timeout)
    }
}

impl Sim<'_> {
    fn begin_canary(&mut self, now: Instant, index: usize, params: &Params) {
        let (stage, weight, cookie) = (Stage::Starting, 0.0, params.cookie);
        let (nodes, joining, old) = (Vec::new(), Vec::new(), Vec::new());
        self.exposure.canary = Some(Canary { stage, weight, cookie, waits_since: now, nodes, joining, old });
        self.add_to_canary(now, index, params.nodes as usize);
    }

    /// Starts so many new nodes on the new version's side.
    fn add_to_canary(&mut self, now: Instant, index: usize, nodes: usize) {
        for _ in 0..nodes {
            let Some(fresh) = self.spares.pop_front() else { break };
            if let Some(version) = self.plan.changes[index].version {
                self.fleet.node(fresh).next_version = Some(version);
            }
            self.side_with_new(fresh);
            self.exposure.canary.iter_mut().for_each(|canary| canary.joining.push(fresh));
            self.begin_node(now, fresh);
        }
    }

    /// Takes a release one stage further; or when to look again, if ever.
    fn advance_canary(
        &mut self,
        now: Instant,
        index: usize,
        stage: Stage,
        params: &Params,
    ) -> Result<(), Option<Instant>> {
        let look = now + LOOKS_EVERY;
        match stage {
            Stage::Starting | Stage::Promoting if !self.have_joined(now) => {
                let waits_since = self.exposure.canary.as_ref().map_or(now, |canary| canary.waits_since);
                let given_up = params.progress_deadline.map_or(Instant::NEVER, |deadline| waits_since + deadline);
                if now < given_up {
                    return Err(Some(look.min(given_up)));
                }
                self.rolls[index].is_given_up = true;
                self.recorder.note(now, Fact::GivenUp { index: self.incident_of(index) });
                self.abort_canary(now, params.drain_timeout);
            }
            Stage::Starting => self.begin_step(now, 0, params),
            // Nodes may have been added to the old ones meanwhile.
            Stage::Promoting if self.match_old(now, index) => {}
            Stage::Promoting => self.retire_old(now, index, params.drain_timeout),
            Stage::Step(_, until) if until > now => return Err(Some(until)),
            Stage::Step(step, _) if step + 1 < params.steps.len() => self.begin_step(now, step + 1, params),
            Stage::Step(..) => match params.then {
                Then::Promote => self.begin_promotion(now, index),
                Then::Abort => _ = self.abort_canary(now, params.drain_timeout),
                Then::Stay => self.set_stage(Stage::Staying),
            },
            Stage::Staying => return Err(None),
            Stage::Retiring(until) if self.waits_for_old(now, until) => return Err(Some(until.min(look))),
            Stage::Retiring(_) => self.end_canary(),
            Stage::Aborting(until) if until > now && self.is_anybody_held(now) => return Err(Some(until.min(look))),
            Stage::Aborting(until) => {
                let cause = if until <= now { Cause::DrainTimeout } else { Cause::ScaleIn };
                for node in self.canary_nodes() {
                    self.want(now, node, false);
                    self.take_away(now, node, cause);
                }
                self.end_canary();
            }
        }
        Ok(())
    }

    fn set_stage(&mut self, stage: Stage) {
        self.exposure.canary.iter_mut().for_each(|canary| canary.stage = stage);
    }

    /// The nodes on the new version's side that nobody has taken away.
    fn canary_nodes(&self) -> Vec<NodeId> {
        let Some(canary) = &self.exposure.canary else { return Vec::new() };
        let is_there = |node: &NodeId| self.is_wanted(*node) || canary.joining.contains(node);
        canary.nodes.iter().copied().filter(is_there).collect()
    }

    /// Whether all new nodes are up in the balancers' view; those that are up belong to the cluster.
    fn have_joined(&mut self, now: Instant) -> bool {
        let mut joining =
            self.exposure.canary.as_mut().map_or_else(Vec::new, |canary| std::mem::take(&mut canary.joining));
        joining.retain(|&node| {
            let joins = self.fleet.is_up(node);
            if joins {
                self.want(now, node, true);
            }
            !joins
        });
        self.exposure.canary.iter_mut().for_each(|canary| canary.joining = std::mem::take(&mut joining));
        self.canary_nodes().iter().all(|&node| self.is_found_up(node))
    }

    fn begin_step(&mut self, now: Instant, step: usize, params: &Params) {
        if let Some(canary) = &mut self.exposure.canary {
            canary.weight = params.steps[step].ratio();
            canary.stage = Stage::Step(step, now + params.hold);
        }
    }

    /// The new version is to take everything, as soon as it has as many nodes as the old one.
    fn begin_promotion(&mut self, now: Instant, index: usize) {
        self.set_stage(Stage::Promoting);
        self.exposure.canary.iter_mut().for_each(|canary| canary.waits_since = now);
        self.match_old(now, index);
    }

    /// Starts as many new nodes as the old version has more, or as there are to spare; whether there are any.
    fn match_old(&mut self, now: Instant, index: usize) -> bool {
        let old = self.old_nodes().len().saturating_sub(self.surplus_of_all());
        let missing = old.saturating_sub(self.canary_nodes().len()).min(self.spares.len());
        self.add_to_canary(now, index, missing);
        missing > 0
    }

    /// The nodes of the cluster that run the old version.
    fn old_nodes(&self) -> Vec<NodeId> {
        let is_old = |&node: &NodeId| self.belongs(node) && !self.fleet.get(node).is_new();
        self.fleet.ids().filter(is_old).collect()
    }

    fn retire_old(&mut self, now: Instant, index: usize, timeout: Duration) {
        let mut old = self.old_nodes();
        for &node in &old {
            self.want(now, node, false);
            self.begin_drain(now, node, None);
        }
        self.exposure.canary.iter_mut().for_each(|canary| canary.old = std::mem::take(&mut old));
        self.set_stage(Stage::Retiring(now + timeout));
        // Whoever is started from now on has the new version.
        self.switch_to_its_version(now, index);
    }

    /// Takes the old nodes away that nobody is on; whether any is left.
    fn waits_for_old(&mut self, now: Instant, until: Instant) -> bool {
        let mut old = self.exposure.canary.as_mut().map_or_else(Vec::new, |canary| std::mem::take(&mut canary.old));
        old.retain(|&node| {
            let over = self.ends_drain(now, node, until);
            if over {
                let cause = if until <= now { Cause::DrainTimeout } else { Cause::ScaleIn };
                self.take_away(now, node, cause);
            }
            !over
        });
        let waits = !old.is_empty();
        self.exposure.canary.iter_mut().for_each(|canary| canary.old = std::mem::take(&mut old));
        waits
    }

    /// The new version gets nobody any more who is not held to it; `false` when it is too late for that.
    fn abort_canary(&mut self, now: Instant, timeout: Duration) -> bool {
        match &mut self.exposure.canary {
            Some(canary) if !matches!(canary.stage, Stage::Retiring(_) | Stage::Aborting(_)) => {
                (canary.weight, canary.stage) = (0.0, Stage::Aborting(now + timeout));
                true
            }
            _ => false,
        }
    }

    /// Whether anybody is left on the new version's side, or will come back to it.
    fn is_anybody_held(&self, now: Instant) -> bool {
        self.exposure.holds_anybody(now) || self.canary_nodes().iter().any(|&node| !self.is_empty(node))
    }

    /// There are no sides any more.
    fn end_canary(&mut self) {
        for node in self.exposure.canary.as_mut().map_or_else(Vec::new, |canary| std::mem::take(&mut canary.nodes)) {
            self.balancers.each(|balancer| balancer.set_canary(node, false));
        }
        self.exposure.end_canary();
    }

    /// A node is on the new version's side from now on.
    fn side_with_new(&mut self, node: NodeId) {
        self.balancers.each(|balancer| balancer.set_canary(node, true));
        self.exposure.canary.iter_mut().for_each(|canary| canary.nodes.push(node));
    }

    /// When the new version takes everything, a node that comes then is on its side, too.
    pub(super) fn side_with_all(&mut self, fresh: NodeId) {
        if self.exposure.canary.as_ref().is_some_and(Canary::takes_all) {
            self.side_with_new(fresh);
        }
    }

    /// A node that is started in place of another is on the same side.
    pub(super) fn side_with(&mut self, node: NodeId, fresh: NodeId) {
        if self.is_beside(node) {
            self.fleet.node(fresh).next_version = self.fleet.get(node).next_version;
            self.side_with_new(fresh);
        }
    }

    /// Whether a node belongs to a release that has not been promoted: it is no part of what the cluster should have,
    /// and the release itself takes it away.
    pub(in crate::cluster) fn is_beside(&self, node: NodeId) -> bool {
        self.exposure.canary.as_ref().is_some_and(|canary| canary.has(node) && !canary.takes_all())
    }

    /// Whether the router sends a session's `nth` request to the new version.
    #[inline(never)]
    pub(in crate::cluster) fn goes_to_canary(&self, now: Instant, id: SessionId, nth: u32) -> bool {
        let Some(canary) = &self.exposure.canary else { return false };
        let (session, pin) = (&self.sessions[id], self.exposure.pin(now, id));
        let side = self.streams[session.population.index()].side;
        match (canary.cookie, pin) {
            _ if canary.takes_all() => true,
            (Cookie::OneSided | Cookie::TwoSided | Cookie::Version, Pin::Canary) => true,
            (Cookie::TwoSided | Cookie::Version, Pin::Stable) => false,
            // A draw may be 0.0, and a weight of nothing means nobody.
            _ => canary.weight > 0.0 && happens(canary.weight, &mut side.at(session.who, u64::from(nth))),
        }
    }

    /// A session that a node has served is held to its side, as far as the cookie goes, unless what it `sent` then showed
    /// that it is held already.
    pub(in crate::cluster) fn pin_to(&mut self, now: Instant, sent: Instant, id: SessionId, node: NodeId) {
        let served = match &self.exposure.canary {
            Some(canary) if canary.has(node) => Pin::Canary,
            _ => Pin::Stable,
        };
        let holds = match self.exposure.canary.as_ref().map(|canary| canary.cookie) {
            None => self.exposure.holds_before,
            Some(Cookie::None) => false,
            Some(Cookie::OneSided) => served == Pin::Canary,
            Some(Cookie::TwoSided) => true,
            // The router knows of no version until there are two.
            Some(Cookie::Version) => {
                self.exposure.canary.as_ref().is_some_and(|canary| canary.stage != Stage::Starting)
            }
        };
        if holds && self.exposure.pin(sent, id) == Pin::None {
            self.exposure.set_pin(now, id, served);
        }
    }
}

impl Exposure {
    /// Whether a proposal of `node` is heeded for a request that goes to this side.
    pub(in crate::cluster) fn heeds(&self, node: NodeId, is_canary: bool) -> bool {
        self.canary.as_ref().is_none_or(|canary| canary.takes_all() || canary.has(node) == is_canary)
    }

    /// Whether a request that goes to this side leaves the side of the node that its session is bound to.
    pub(in crate::cluster) fn crosses(&self, bound: NodeId, is_canary: bool) -> bool {
        let crosses = |canary: &Canary| bound.some().is_some_and(|node| canary.has(node) != is_canary);
        self.canary.as_ref().is_some_and(crosses)
    }

    fn end_canary(&mut self) {
        (self.canary, self.holds_before) = (None, false);
        self.unpin_all();
    }
}
