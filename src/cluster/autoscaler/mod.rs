//! A controller that adds nodes and takes them away: by what it measures, or by the clock.
//!
//! It looks once every `sync`. Each metric proposes a number of nodes, the schedule proposes one, and the largest counts.
//! What becomes of that is reckoned as Kubernetes' HorizontalPodAutoscaler does it, whose defaults these are (`reckon`).
//! New nodes come as with `scale_out`; those that go, go as with `scale_in`, chosen by `down.victim`, and may come back
//! as new ones.
//!
//! Nodes of a `canary` release come on top of those that it reckons with, and it leaves them alone, until the release is
//! promoted. It measures those that a roll has for a moment beyond the number, but they are none of that number
//! (Kubernetes: `spec.replicas`, and all pods that the selector finds).
//!
//! What it sees is what its metrics show: the mean of a cluster in which sticky sessions keep the old nodes busy and the
//! new ones idle looks well.

mod reckon;
mod schedule;

use super::change::{Order, Rule};
use super::{Sim, event};
use crate::base::cause::Cause;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::base::units::{Number, Rate, Share};
use crate::observe::Fact;
use reckon::{History, Limits, Readings, Rules, by_mean, by_total, by_value};
use schedule::Schedule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// More nodes are a mistake.
const NODES_MAX: u32 = 10_000;
/// While nodes leave it looks whether they have so often.
const LOOKS_EVERY: Duration = Duration::from_millis(100);

/// Parameters of the autoscaler.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Autoscaler")]
pub struct Params {
    /// Nodes at least; ≥ 1, default 1.
    #[serde(default = "one")]
    pub nodes_min: u32,
    /// Nodes at most; from `nodes_min` to 10,000.
    pub nodes_max: u32,
    /// What each node is to carry. Of several metrics the one that asks for most nodes counts.
    #[serde(default)]
    pub target: Target,
    /// Nodes at given times, at least.
    pub schedule: Option<Schedule>,
    /// How often it looks; above zero, default 15 s (Kubernetes). Loads are measured over that time.
    #[serde(default = "quarter_of_a_minute")]
    pub sync: Duration,
    /// Nothing changes while a metric is within this share of its target; default 10% (Kubernetes).
    #[serde(default = "tenth")]
    pub tolerance: Share,
    /// How long until the processes of new nodes are started, for machines and images to be there; they listen
    /// `cluster.node.start` later. Default none.
    #[serde(default)]
    pub start: Duration,
    /// How it adds nodes.
    #[serde(default)]
    pub up: Up,
    /// How it takes nodes away.
    #[serde(default)]
    pub down: Down,
}

fn one() -> u32 {
    1
}
fn quarter_of_a_minute() -> Duration {
    Duration::from_secs(15)
}
fn tenth() -> Share {
    Share::new(0.1)
}

/// What each node is to carry.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Target {
    /// Busy share of slots, mean over the nodes; above 0%.
    pub cpu_mean: Option<Share>,
    /// Busy share of slots of the busiest node; above 0%.
    pub cpu_max: Option<Share>,
    /// Sessions bound to a node, mean over the nodes; above 0.
    pub sessions: Option<Number>,
    /// Attempts that clients make, by node; above zero.
    pub requests: Option<Rate>,
}

/// How nodes are added.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Up {
    /// The lowest proposal of so long counts; default none (Kubernetes).
    pub window: Duration,
    /// None is added for so long after any change; default none.
    pub cooldown: Duration,
    /// So many may be added within `period`. 4 unless this or `share` is given (Kubernetes).
    pub nodes: Option<u32>,
    /// Such a share of the nodes may be added within `period`; of both the larger counts. 100% unless this or `nodes`
    /// is given (Kubernetes).
    pub share: Option<Share>,
    /// Above zero, default 15 s (Kubernetes).
    pub period: Duration,
}

impl Default for Up {
    fn default() -> Up {
        let period = quarter_of_a_minute();
        Up { window: Duration::ZERO, cooldown: Duration::ZERO, nodes: None, share: None, period }
    }
}

/// How nodes are taken away.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Down {
    /// The highest proposal of so long counts; default 5 min (Kubernetes).
    pub window: Duration,
    /// None is taken away for so long after any change; default none.
    pub cooldown: Duration,
    /// So many may be taken away within `period`; with 0 none ever is.
    pub nodes: Option<u32>,
    /// Such a share of the nodes may be taken away within `period`; of both the larger counts. 100% unless this or
    /// `nodes` is given (Kubernetes).
    pub share: Option<Share>,
    /// Above zero, default 15 s (Kubernetes).
    pub period: Duration,
    /// Who goes first: `newest`, `oldest`, `fewest_sessions`, `most_sessions`, `random`, `forward`, `reverse` or names;
    /// who is not up goes before all others. Default `newest` (Kubernetes' ReplicaSet).
    pub victim: Order,
    /// How long a node that goes waits for sessions to end; default 30 s.
    pub drain_timeout: Duration,
    /// So many a second are asked to leave it meanwhile; nobody unless given.
    pub evict: Option<Rate>,
}

impl Default for Down {
    fn default() -> Down {
        Down {
            window: Duration::from_secs(300),
            cooldown: Duration::ZERO,
            nodes: None,
            share: None,
            period: quarter_of_a_minute(),
            victim: Order::Rule(Rule::Newest),
            drain_timeout: Duration::from_secs(30),
            evict: None,
        }
    }
}

impl Params {
    /// What is wrong: (path of the key, message, how to mend it).
    pub fn faults(&self) -> Vec<(Vec<&'static str>, String, &'static str)> {
        let mut faults = Vec::new();
        let mut wrong = |path: &[&'static str], message: String, mend| faults.push((path.to_vec(), message, mend));
        if self.nodes_min == 0 {
            wrong(&["nodes_min"], "nodes_min is zero: without nodes nothing is measured".into(), "write 1 or more");
        }
        if !(self.nodes_min..=NODES_MAX).contains(&self.nodes_max) {
            let message = format!(
                "nodes_max must be from nodes_min ({}) to {NODES_MAX}, but is {}",
                self.nodes_min, self.nodes_max
            );
            wrong(&["nodes_max"], message, "raise nodes_max or lower nodes_min");
        }
        let Target { cpu_mean, cpu_max, sessions, requests } = self.target;
        let targets = [
            ("cpu_mean", cpu_mean.map(Share::ratio)),
            ("cpu_max", cpu_max.map(Share::ratio)),
            ("sessions", sessions.map(Number::get)),
            ("requests", requests.map(Rate::per_second)),
        ];
        if self.schedule.is_none() && targets.iter().all(|(_, target)| target.is_none()) {
            let message = "the autoscaler has neither a target nor a schedule";
            wrong(&[], message.into(), "add target = { cpu_mean = \"70%\" }");
        }
        for (key, _) in targets.iter().filter(|(_, target)| *target == Some(0.0)) {
            let message = format!("{key} is zero: no number of nodes would be enough");
            wrong(&["target", key], message, "write what one node is to carry");
        }
        for (path, span) in
            [(&["sync"][..], self.sync), (&["up", "period"], self.up.period), (&["down", "period"], self.down.period)]
        {
            if span.is_zero() {
                let message = format!("{} is zero", path.join("."));
                wrong(path, message, "write a time such as \"15s\"");
            }
        }
        if self.up.nodes.unwrap_or(0) == 0 && self.up.share.is_none_or(|share| share.ratio() == 0.0) {
            let key = if self.up.nodes.is_some() { Some("nodes") } else { self.up.share.map(|_| "share") };
            if let Some(key) = key {
                wrong(&["up", key], "no node could ever be added".into(), "write 1 or more, or leave it out");
            }
        }
        if self.down.evict.is_some_and(|rate| rate.per_second() == 0.0) {
            let message = "evict is zero: nobody would ever be asked to leave".into();
            wrong(&["down", "evict"], message, "write a rate such as \"20/s\", or leave it out: then nobody is asked");
        }
        let steps = self.schedule.iter().flat_map(|schedule| &schedule.steps);
        if let Some(most) = steps.map(|step| step.nodes).max().filter(|&most| most > self.nodes_max) {
            let message = format!("the schedule asks for {most} nodes, but nodes_max is {}", self.nodes_max);
            wrong(&["schedule", "steps"], message, "raise nodes_max or lower the step");
        }
        for (key, message, mend) in self.schedule.iter().flat_map(Schedule::faults) {
            wrong(&["schedule", key], message, mend);
        }
        faults
    }

    fn rules(&self) -> Rules {
        let (up, down) = (&self.up, &self.down);
        let is_limited = up.nodes.is_some() || up.share.is_some();
        let ratio = |share: Option<Share>| share.map(Share::ratio);
        Rules {
            min: self.nodes_min,
            max: self.nodes_max,
            up: Limits {
                window: up.window,
                cooldown: up.cooldown,
                period: up.period,
                nodes: if is_limited { up.nodes } else { Some(4) },
                share: if is_limited { ratio(up.share) } else { Some(1.0) },
            },
            down: Limits {
                window: down.window,
                cooldown: down.cooldown,
                period: down.period,
                nodes: down.nodes,
                share: if down.nodes.is_none() && down.share.is_none() { Some(1.0) } else { ratio(down.share) },
            },
        }
    }
}

/// What a node's meter showed at the last look.
#[derive(Clone, Copy, Debug, Default)]
struct Meter {
    busy: u128,
    // The process that was up, counted from 1; 0 for none.
    life: u32,
}

/// What the autoscaler knows, and what it is about.
#[derive(Debug, Default)]
pub struct Autoscaler {
    due: Instant,
    looks: u64,
    history: History,
    // By node:
    meters: Vec<Meter>,
    attempts: u64,
    // Nodes whose processes will be started then.
    coming: Vec<(NodeId, Instant)>,
    // Nodes that are gone when they are empty, or then.
    leaving: Vec<(NodeId, Instant)>,
    // Nodes that are gone, and will come back as new ones when nothing is wrong with them any more.
    resting: Vec<NodeId>,
}

impl Sim<'_> {
    /// The first look is one interval after the start.
    pub(super) fn begin_autoscaling(&mut self) {
        let Some(params) = &self.plan.autoscaler else { return };
        self.autoscaler.due = Instant::START + params.sync;
        self.autoscaler.meters = vec![Meter::default(); self.plan.nodes.len()];
        self.read_meters(Instant::START);
        self.queue.at(self.autoscaler.due, event::autoscale());
    }

    /// The controller looks, or goes on with what it has decided.
    pub(super) fn on_autoscale(&mut self, now: Instant) {
        let plan = self.plan;
        let Some(params) = &plan.autoscaler else { return };
        self.see_off(now);
        if self.autoscaler.due <= now {
            self.look_at_load(now, params);
            self.autoscaler.due = now + params.sync;
        }
        self.bring_up(now);
        let mut next = self.autoscaler.due;
        for &(_, start) in &self.autoscaler.coming {
            next = next.min(start);
        }
        for &(_, until) in &self.autoscaler.leaving {
            next = next.min(until.min(now + LOOKS_EVERY));
        }
        if next < self.plan.end {
            self.queue.at(next, event::autoscale());
        }
    }

    fn look_at_load(&mut self, now: Instant, params: &Params) {
        let there: Vec<NodeId> = self.fleet.ids().filter(|&node| self.belongs(node)).collect();
        let current = there.len().saturating_sub(self.surplus_of_all()) as u32;
        let proposals = self.proposals(now, params, (&there, current));
        self.autoscaler.looks += 1;
        let wanted = proposals.into_iter().max().unwrap_or(current);
        let next = self.autoscaler.history.settle(now, current, wanted, &params.rules());
        if next > current {
            self.add_nodes(now, params, next - current);
        } else if next < current {
            self.dismiss_nodes(now, params, (current - next) as usize);
        }
    }

    /// The number of nodes that each metric, and the schedule, asks for.
    fn proposals(&mut self, now: Instant, params: &Params, (there, current): (&[NodeId], u32)) -> Vec<u32> {
        let (busy, attempts) = self.read_meters(now);
        let tolerance = params.tolerance.ratio();
        let read = |of: &dyn Fn(NodeId) -> Option<f64>, fallback| {
            let values: Vec<f64> = there.iter().filter_map(|&node| of(node)).collect();
            let is_missing = |node: NodeId| {
                let host = self.fleet.get(node);
                !self.fleet.is_up(node) && !host.is_new() && !host.is_coming()
            };
            let missing = there.iter().filter(|&&node| is_missing(node)).count();
            Readings { unready: there.len() - values.len() - missing, values, missing, fallback }
        };
        let cpu = read(&|node| busy[node.index()], 1.0);
        let Target { cpu_mean, cpu_max, sessions, requests } = params.target;
        let by_cpu = cpu_mean.map(|target| by_mean(current, &cpu, target.ratio(), tolerance));
        let peak = cpu.values.iter().copied().fold(0.0, f64::max);
        let by_peak = cpu_max.map(|target| by_value(current, cpu.values.len(), peak, target.ratio(), tolerance));
        let by_sessions = sessions.map(|target| {
            let bound = |node: NodeId| self.fleet.is_up(node).then(|| f64::from(self.bound_to[node.index()]));
            by_mean(current, &read(&bound, target.get()), target.get(), tolerance)
        });
        let rate = attempts as f64 * 1e9 / params.sync.as_nanos() as f64;
        let by_requests = requests.map(|target| by_total(current, rate, target.per_second(), tolerance));
        let by_clock = params.schedule.as_ref().and_then(|schedule| schedule.nodes(now));
        [by_cpu, by_peak, by_sessions, by_requests, by_clock].into_iter().flatten().collect()
    }

    /// By node, the busy share of its slots since the last look, if its process has been up since then; and the attempts
    /// since then.
    fn read_meters(&mut self, now: Instant) -> (Vec<Option<f64>>, u64) {
        let span = self.plan.autoscaler.as_ref().map_or(1, |params| params.sync.as_nanos()) as f64;
        let mut shares = Vec::with_capacity(self.plan.nodes.len());
        for node in self.fleet.ids() {
            let busy = self.recorder.busy_so_far(now, node);
            let life = if self.fleet.is_up(node) { self.fleet.get(node).lives } else { 0 };
            let before = std::mem::replace(&mut self.autoscaler.meters[node.index()], Meter { busy, life });
            let slots = f64::from(self.plan.nodes[node.index()].spec.concurrency);
            let was_up_since = life > 0 && before.life == life;
            shares.push(was_up_since.then(|| (busy - before.busy) as f64 / (slots * span)));
        }
        let attempts = self.recorder.attempts_so_far();
        let since = attempts - std::mem::replace(&mut self.autoscaler.attempts, attempts);
        (shares, since)
    }

    /// As many nodes more, or as many as there are to spare.
    fn add_nodes(&mut self, now: Instant, params: &Params, count: u32) {
        let mut is_new = false;
        for _ in 0..count {
            let Some(node) = self.spares.pop_front() else { break };
            self.want(now, node, true);
            self.autoscaler.coming.push((node, now + params.start));
            is_new = true;
        }
        if is_new {
            self.recorder.note(now, Fact::Scaled { out: true });
        }
    }

    fn bring_up(&mut self, now: Instant) {
        let mut coming = std::mem::take(&mut self.autoscaler.coming);
        coming.retain(|&(node, start)| {
            // Something else may have taken it away before it came.
            if start <= now && self.is_wanted(node) {
                self.begin_node(now, node);
            }
            start > now
        });
        self.autoscaler.coming = coming;
    }

    /// As many nodes less. Whoever a change has in hand is left to it.
    fn dismiss_nodes(&mut self, now: Instant, params: &Params, count: usize) {
        let mut victims = self.victims(&params.down.victim, ("autoscaler", self.autoscaler.looks));
        victims.retain(|&node| !self.rolls.iter().any(|roll| roll.holds(node)));
        victims.truncate(count);
        if !victims.is_empty() {
            self.recorder.note(now, Fact::Scaled { out: false });
        }
        for node in victims {
            self.want(now, node, false);
            let before = self.autoscaler.coming.len();
            self.autoscaler.coming.retain(|&(coming, _)| coming != node);
            if self.autoscaler.coming.len() < before {
                self.spares.push_back(node);
                continue;
            }
            self.begin_drain(now, node, params.down.evict);
            self.autoscaler.leaving.push((node, now + params.down.drain_timeout));
        }
        self.see_off(now);
    }

    /// Who is empty, or out of time, is gone.
    fn see_off(&mut self, now: Instant) {
        let mut leaving = std::mem::take(&mut self.autoscaler.leaving);
        leaving.retain(|&(node, until)| {
            let is_over = self.ends_drain(now, node, until);
            if is_over {
                self.take_away(now, node, Cause::ScaleIn);
                self.autoscaler.resting.push(node);
            }
            !is_over
        });
        self.autoscaler.leaving = leaving;
        let mut resting = std::mem::take(&mut self.autoscaler.resting);
        resting.retain(|&node| {
            let is_to_spare = self.fleet.get(node).is_to_spare();
            if is_to_spare {
                self.fleet.node(node).renew();
                self.spares.push_back(node);
            }
            !is_to_spare
        });
        self.autoscaler.resting = resting;
    }
}
