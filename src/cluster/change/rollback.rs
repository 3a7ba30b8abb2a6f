//! When is a change undone? A criterion on how the new version does, judged again and again while the change goes on.
//!
//! At every `every` what has happened within the last `window` is looked at: attempts that a node answered or failed,
//! by its version, as a router in front of it counts them. The old version is what the cluster ran when the change began. A look at fewer than `samples_min` attempts of the new
//! version says nothing. A look that finds a figure beyond its limit is a failed one, and the change is rolled back at
//! the `failures`-th of them, in a row or not (Argo Rollouts: `failureLimit` 0 means at the first; Flagger: `threshold`
//! failed checks of a 1 min `interval`). Kubernetes by itself never rolls back: `progressDeadlineSeconds` sets a
//! condition.
//!
//! With `against = "baseline"` a limit is how much worse the new version may be than the old one within the same
//! window, so that what befalls both is not held against it.
//!
//! A `canary` that is rolled back is aborted. A `rolling` begins again with the version that ran before, on those
//! nodes that run the new one; nodes whose process has not been started yet start the old one.

use super::{Step, roll};
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::base::units::{Rate, Share};
use crate::cluster::Sim;
use crate::observe::Fact;
use crate::observe::versions::Sample;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Looks that come closer say no more.
const EVERY_MIN: Duration = Duration::from_millis(100);
/// So many looks are remembered at most.
const LOOKS_MAX: u64 = 10_000;

/// When a change is rolled back.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Rollback")]
pub struct Criterion {
    /// More than this share of the new version's attempts fail; not looked at unless given.
    pub error_ratio: Option<Share>,
    /// The 99th percentile of the new version's response times is longer; not looked at unless given.
    pub p99: Option<Duration>,
    /// More sessions a second are cut off, whatever node they were on; not looked at unless given.
    pub drops: Option<Rate>,
    /// Whether a limit is meant `absolute` (default), or on top of what the old version has (`baseline`).
    pub against: Against,
    /// How far back a look goes; at most 10,000 times `every`, default 1 min.
    pub window: Duration,
    /// Time from one look to the next; at least 100 ms, default 1 min (Flagger's `interval`).
    pub every: Duration,
    /// A look at fewer attempts of the new version says nothing; default 1.
    pub samples_min: u32,
    /// At which failed look the change is rolled back; ≥ 1, default the first (Argo Rollouts).
    pub failures: u32,
    /// How long after a `rolling` is complete it is still looked at; default not at all. A `canary` has no way back then.
    pub watch: Duration,
}

impl Default for Criterion {
    fn default() -> Criterion {
        let minute = Duration::from_secs(60);
        Criterion {
            error_ratio: None,
            p99: None,
            drops: None,
            against: Against::Absolute,
            window: minute,
            every: minute,
            samples_min: 1,
            failures: 1,
            watch: Duration::ZERO,
        }
    }
}

/// What a limit is relative to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// Nothing.
    #[default]
    Absolute,
    /// The figure of the old version within the same window.
    Baseline,
}

impl Criterion {
    /// What is wrong with it: (key, message, how to mend it).
    pub fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut faults = Vec::new();
        let mut wrong = |key, message: &str, mend| faults.push((key, message.to_owned(), mend));
        if self.error_ratio.is_none() && self.p99.is_none() && self.drops.is_none() {
            wrong("", "it looks at nothing", "add error_ratio = \"2%\", p99 = \"500ms\" or drops = \"5/s\"");
        }
        if self.drops.is_some() && self.against == Against::Baseline {
            let message = "drops are those of the whole cluster: there is no old version to hold them against";
            wrong("drops", message, "leave it out, or write against = \"absolute\"");
        }
        for (key, span) in [("window", self.window), ("every", self.every)] {
            if span.is_zero() {
                wrong(key, &format!("{key} is zero"), "write a time such as \"1m\"");
            }
        }
        if !self.every.is_zero() && self.every < EVERY_MIN {
            wrong(
                "every",
                &format!("every is {}: too often to look", self.every),
                "write 100 ms or more, such as \"10s\"",
            );
        } else if !self.every.is_zero() && self.window.as_nanos() / self.every.as_nanos() > LOOKS_MAX {
            let message = format!("a window of {} goes back over more than {LOOKS_MAX} looks", self.window);
            wrong("window", &message, "shorten it, or look less often: a longer `every`");
        }
        if self.failures == 0 {
            wrong("failures", "no look needs to fail: the change would be undone whatever it does", "write 1 or more");
        }
        faults
    }

    /// Whether what happened between two looks is beyond a limit; `None` when too little did.
    fn is_beyond(&self, from: &Sample, to: &Sample, span: Duration) -> Option<bool> {
        if to.served[1] - from.served[1] < u64::from(self.samples_min) {
            return None;
        }
        let rise = |new: Option<f64>, old: Option<f64>| {
            let floor = if self.against == Against::Baseline { old } else { Some(0.0) };
            new.zip(floor).map(|(new, floor)| new - floor)
        };
        let ratio = |side: usize| {
            let served = to.served[side] - from.served[side];
            (served > 0).then(|| (to.failed[side] - from.failed[side]) as f64 / served as f64)
        };
        let p99 = |side: usize| to.p99_ms_since(from, side);
        let drops = (to.dropped - from.dropped) as f64 / span.as_secs_f64();
        let looks = [
            (rise(ratio(1), ratio(0)), self.error_ratio.map(Share::ratio)),
            (rise(p99(1), p99(0)), self.p99.map(Duration::as_millis_f64)),
            (Some(drops), self.drops.map(Rate::per_second)),
        ];
        Some(looks.into_iter().any(|(figure, limit)| figure.zip(limit).is_some_and(|(figure, limit)| figure > limit)))
    }
}

/// How the version of a change has done so far.
#[derive(Debug, Default)]
pub struct Trial {
    // What had happened at each look that still matters.
    samples: VecDeque<(Instant, Sample)>,
    failures: u32,
    /// When the change was complete.
    pub(super) completed: Option<Instant>,
    // Whether it has been rolled back.
    is_undone: bool,
    // What ran when it began.
    before: u8,
}

impl Trial {
    /// What had happened before the window that ends now, or when the change began.
    fn before(&mut self, opens: Instant) -> Option<&(Instant, Sample)> {
        while self.samples.get(1).is_some_and(|(at, _)| *at <= opens) {
            self.samples.pop_front();
        }
        self.samples.front()
    }
}

impl Sim<'_> {
    /// Looks at how the version of a change does, if it is time, and rolls the change back if that is too bad. When to
    /// look again, if ever.
    pub(super) fn judge_change(&mut self, now: Instant, index: usize) -> Option<Instant> {
        let change = &self.plan.changes[index];
        let criterion = change.rollback.as_ref()?;
        let sides = [self.exposure.trials[index].before, change.version?];
        let trial = &mut self.exposure.trials[index];
        if trial.is_undone || trial.completed.is_some_and(|at| at + criterion.watch <= now) {
            return None;
        }
        let sample = |recorder: &crate::observe::Recorder| recorder.sample(sides, criterion.p99.is_some());
        let Some(&(last, _)) = trial.samples.back() else {
            trial.samples.push_back((now, sample(&self.recorder)));
            return Some(now + criterion.every);
        };
        if last + criterion.every > now {
            return Some(last + criterion.every);
        }
        let latest = sample(&self.recorder);
        // What happened before the run is not there.
        let opens = Instant::START + (now.since(Instant::START) - criterion.window);
        let beyond = trial.before(opens).and_then(|(at, then)| criterion.is_beyond(then, &latest, now.since(*at)));
        trial.samples.push_back((now, latest));
        trial.failures += u32::from(beyond == Some(true));
        if trial.failures < criterion.failures {
            return Some(now + criterion.every);
        }
        if change.kind.roll_back(self, now, index) {
            let trial = &mut self.exposure.trials[index];
            (trial.is_undone, trial.completed) = (true, None);
            self.recorder.note(now, Fact::RolledBack { index: self.incident_of(index) });
        }
        None
    }

    /// The node of a turn that begins gets the version of its change, or the one before when that is rolled back.
    pub(super) fn install_version(&mut self, index: usize, node: NodeId) {
        if let Some((_, version)) = self.replaces(index) {
            self.fleet.node(node).next_version = Some(version);
        }
    }

    /// Whether the change at this place in the plan has been rolled back.
    pub(super) fn is_undone(&self, index: usize) -> bool {
        self.exposure.trials[index].is_undone
    }

    /// Whether it has nothing left to do.
    pub(super) fn is_complete(&self, index: usize) -> bool {
        self.exposure.trials[index].completed.is_some()
    }

    /// A change begins: what runs now is what its version is held against, and what it goes back to.
    pub(super) fn begin_trial(&mut self, index: usize) {
        self.exposure.trials[index].before = self.exposure.current;
    }

    /// The version that turns of this change replace, and the one that they bring; `None` without any.
    pub(super) fn replaces(&self, index: usize) -> Option<(u8, u8)> {
        let version = self.plan.changes[index].version?;
        let Trial { is_undone, before, .. } = self.exposure.trials[index];
        Some(if is_undone { (version, before) } else { (before, version) })
    }

    /// A roll that is complete has settled on its version, unless it was rolled back.
    pub(super) fn note_rolled(&mut self, index: usize) {
        if let Some(version) = self.plan.changes[index].version
            && !self.exposure.trials[index].is_undone
        {
            self.settle_on(index, version);
        }
    }

    /// A roll turns round: those who run its version are rolled again, and what was about to be started is not. Nodes
    /// that have begun to leave cannot be called back.
    pub(super) fn undo_roll(&mut self, now: Instant, index: usize, params: &roll::Params) {
        let (bad, before) = (self.plan.changes[index].version, self.exposure.trials[index].before);
        self.exposure.trials[index].is_undone = true;
        // A roll that was complete had settled on its version.
        self.settle_on(index, before);
        self.drop_lost(now, index, params);
        let surplus = self.surplus(index);
        let active = self.rolls[index].active.clone();
        let turned = active.into_iter().filter_map(|(node, step)| {
            let step = self.turn_round(now, (node, step), before, params)?;
            Some((node, step))
        });
        let turned: Vec<(NodeId, Step)> = turned.collect();
        let is_under_way = |node: NodeId| turned.iter().any(|&(other, _)| other == node);
        let idle = self.turns(index, &params.order).into_iter().filter(|&node| !is_under_way(node));
        let (again, still): (Vec<NodeId>, Vec<NodeId>) =
            idle.partition(|&node| Some(self.fleet.get(node).version) == bad);
        for &node in &still {
            // Whatever a switch has brought meanwhile stays.
            let next = &mut self.fleet.node(node).next_version;
            if *next == bad {
                *next = Some(before);
            }
        }
        let stay = turned.iter().filter(|&&(node, _)| self.is_wanted(node)).count();
        let size = (again.len() + still.len() + stay).saturating_sub(surplus);
        self.rolls[index].turn_round(now, (again, still), turned, size);
    }

    /// Where a node that was here is when its roll turns round; `None` when it has no turn any more, or not yet again.
    fn turn_round(
        &mut self,
        now: Instant,
        (node, step): (NodeId, Step),
        before: u8,
        params: &roll::Params,
    ) -> Option<Step> {
        match step {
            Step::Ordered(_) | Step::Joining => {
                self.call_off(now, node, step);
                return None;
            }
            Step::Done(_) => return None,
            // Its place is taken by another before it leaves.
            Step::Unseen | Step::Settling(_) if params.surges() => return None,
            _ => self.fleet.node(node).next_version = Some(before),
        }
        let runs = matches!(step, Step::Starting | Step::Unseen | Step::Settling(_));
        Some(if runs { self.begin_leaving(now, node, params) } else { step })
    }
}
