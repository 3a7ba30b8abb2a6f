//! `blue_green`: as many new nodes are started beside the old, and at one instant everybody new is sent to them.
//!
//! The new nodes are seen and checked by the balancers, but get nobody until all of them are found up and have been for
//! `hold`. At the switch the balancers are told of all nodes at once. The old ones keep what they have for
//! `scale_down_delay`, whether or not anybody is left; then they are told to go, and do when they are empty or
//! `drain_timeout` later. So whoever has a stream on an old node is cut unless it ends within the sum of the two: of
//! exponential lengths with mean m, exp(−d/m) of them.
//!
//! That is Argo Rollouts' `blueGreen`: the selector of the active Service is switched when the new ReplicaSet is
//! available, and the old one is scaled down `scaleDownDelaySeconds` later, so that all kube-proxies know of the switch
//! (documentation, *BlueGreen Deployment Strategy*: 30 s by default and at least that is advised).

use super::{LOOKS_EVERY, Order, Step, Steps, no_rate};
use crate::base::cause::Cause;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::base::units::Rate;
use crate::cluster::Sim;
use crate::cluster::balancer::view::Admin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list change`.
pub const MEANING: &str = "as many new nodes are started, everybody new is switched to them, the old go later";

/// Parameters of `blue_green`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// How long until the processes of the new nodes are started; they listen `cluster.node.start` later. Default none.
    pub start: Duration,
    /// How long all new nodes must have been up before the switch; default none (Argo `autoPromotionSeconds`).
    pub hold: Duration,
    /// Whether those bound to an old node are still sent there after the switch, as long as it is there; default yes.
    /// With no, connections that are open live on, and whatever is sent anew goes to a new node.
    pub keeps_bound: bool,
    /// From the switch until the old nodes are told to go; default 30 s (Argo).
    pub scale_down_delay: Duration,
    /// How long they then wait for sessions to end; default 30 s (Kubernetes' grace period).
    pub drain_timeout: Duration,
    /// So many a second are asked to leave each of them meanwhile; nobody unless given.
    pub evict: Option<Rate>,
    /// The version that the new nodes run, as described in `[version.<name>]`; what the cluster runs when they are started
    /// unless given.
    pub version: Option<String>,
}

impl Default for Params {
    fn default() -> Params {
        let half_a_minute = Duration::from_secs(30);
        Params {
            start: Duration::ZERO,
            hold: Duration::ZERO,
            keeps_bound: true,
            scale_down_delay: half_a_minute,
            drain_timeout: half_a_minute,
            evict: None,
            version: None,
        }
    }
}

impl Steps for Params {
    fn name(&self) -> &'static str {
        "blue_green"
    }
    fn spares(&self, nodes: usize) -> usize {
        nodes
    }
    fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
    fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        no_rate(self.evict).into_iter().collect()
    }
    fn evicts(&self) -> Option<Rate> {
        self.evict
    }
    fn go_on(&self, sim: &mut Sim, now: Instant, index: usize) -> Option<Instant> {
        if sim.rolls[index].is_new() {
            sim.order_green(now, index, self);
        }
        if sim.rolls[index].waits() {
            sim.prepare_green(now, index, self);
        }
        if !sim.rolls[index].waits() {
            sim.retire_blue(now, index, self);
        }
        let look = |&(_, step): &(NodeId, Step)| match step {
            Step::Away(then) | Step::Done(then) => then,
            Step::Draining(until) => until.min(now + LOOKS_EVERY),
            _ => now + LOOKS_EVERY,
        };
        sim.rolls[index].active.iter().map(look).min()
    }
}

impl Sim<'_> {
    /// As many new nodes as there are old ones, or as there are to spare.
    fn order_green(&mut self, now: Instant, index: usize, params: &Params) {
        let blue = self.turns(index, &Order::default());
        self.match_blue(now, index, params);
        let any = !self.rolls[index].active.is_empty();
        self.rolls[index].begin(if any { blue } else { Vec::new() });
    }

    /// As many new nodes as there should be, those included that something else has added meanwhile.
    fn match_blue(&mut self, now: Instant, index: usize, params: &Params) {
        let there = self.fleet.ids().filter(|&node| self.belongs(node)).count();
        // Those that a roll has for a moment beyond its number are not needed.
        let blue = there.saturating_sub(self.surplus_of_all());
        while self.rolls[index].active.len() < blue
            && let Some(green) = self.spares.pop_front()
        {
            self.install_version(index, green);
            self.rolls[index].active.push((green, Step::Away(now + params.start)));
        }
    }

    /// Starts the new nodes, waits until all of them are found up, and switches.
    fn prepare_green(&mut self, now: Instant, index: usize, params: &Params) {
        // Old ones may have been added meanwhile.
        self.match_blue(now, index, params);
        let mut active = std::mem::take(&mut self.rolls[index].active);
        for (green, step) in &mut active {
            // A balancer that has begun anew may have forgotten it.
            if self.said[green.index()].admin != Admin::Drain {
                self.set_admin(now, *green, Admin::Drain);
            }
            if matches!(step, Step::Away(start) if *start <= now) {
                self.begin_node(now, *green);
                *step = Step::Unseen;
            }
        }
        let is_ready = |green: NodeId| self.fleet.is_up(green) && self.is_found_up(green);
        let all_ready = active.iter().all(|&(green, _)| is_ready(green));
        let since = active.iter().map(|&(_, step)| if let Step::Done(then) = step { Some(then) } else { None });
        let promotes = since.collect::<Option<Vec<Instant>>>().and_then(|times| times.into_iter().max());
        match promotes {
            _ if !all_ready => {
                for (_, step) in active.iter_mut().filter(|(_, step)| matches!(step, Step::Done(_))) {
                    *step = Step::Unseen;
                }
            }
            None if params.hold.is_zero() => active = self.switch(now, index, params, active),
            None => active.iter_mut().for_each(|(_, step)| *step = Step::Done(now + params.hold)),
            Some(then) if then <= now => active = self.switch(now, index, params, active),
            Some(_) => {}
        }
        self.rolls[index].active = active;
    }

    /// The new nodes are those that the cluster should have from now on; the old ones, which are left to go.
    fn switch(
        &mut self,
        now: Instant,
        index: usize,
        params: &Params,
        green: Vec<(NodeId, Step)>,
    ) -> Vec<(NodeId, Step)> {
        let blue = self.turns(index, &Order::default());
        for (node, _) in green {
            self.want(now, node, true);
            self.set_admin(now, node, Admin::Ready);
        }
        self.rolls[index].begin([]);
        let mut leaving = Vec::new();
        for blue in blue {
            self.want(now, blue, false);
            self.set_admin(now, blue, if params.keeps_bound { Admin::Drain } else { Admin::Maint });
            leaving.push((blue, Step::Away(now + params.scale_down_delay)));
        }
        self.switch_to_its_version(now, index);
        leaving
    }

    fn retire_blue(&mut self, now: Instant, index: usize, params: &Params) {
        let mut active = std::mem::take(&mut self.rolls[index].active);
        active.retain_mut(|(blue, step)| {
            if matches!(step, Step::Away(then) if *then <= now) {
                *step = Step::Draining(now + params.drain_timeout);
                if let Some(rate) = params.evict {
                    self.evict_all(now, *blue, rate);
                }
            }
            let Step::Draining(until) = *step else { return true };
            let is_over = self.ends_drain(now, *blue, until);
            if is_over {
                self.take_away(now, *blue, if until <= now { Cause::DrainTimeout } else { Cause::Restart });
            }
            !is_over
        });
        self.rolls[index].active = active;
    }
}
