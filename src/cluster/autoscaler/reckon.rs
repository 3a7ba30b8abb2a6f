//! How many nodes does a metric ask for, and how many of that are had at once? The arithmetic alone.
//!
//! It is that of Kubernetes' HorizontalPodAutoscaler (documentation, *Horizontal Pod Autoscaling*: algorithm details and
//! scaling policies; pkg/controller/podautoscaler, `replica_calculator.go` and `horizontal.go`), in exact ratios: that
//! rounds utilisation down to whole percents.

use crate::base::time::{Duration, Instant};
use std::collections::VecDeque;

/// Forgives the rounding of a product such as 1.4 · 5.
const MARGIN: f64 = 1e-9;

/// What a metric says of the nodes that the cluster should have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readings {
    /// Of those that have been up for long enough to be measured.
    pub values: Vec<f64>,
    /// How many have not, or are starting.
    pub unready: usize,
    /// How many were up and are not: nobody measures them.
    pub missing: usize,
    /// What one of these is taken to carry when the others carry too little.
    pub fallback: f64,
}

/// What keeps a change small, by direction.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most cautious proposal of so long counts.
    pub window: Duration,
    /// Nothing changes in this direction for so long after any change.
    pub cooldown: Duration,
    /// What may change within this.
    pub period: Duration,
    /// So many nodes, if that is a limit.
    pub nodes: Option<u32>,
    /// Such a share of the nodes, if that is one; of two limits the wider counts.
    pub share: Option<f64>,
}

/// What keeps the number of nodes within bounds.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Nodes at least.
    pub min: u32,
    /// Nodes at most.
    pub max: u32,
    /// When there are to be more.
    pub up: Limits,
    /// When there are to be fewer.
    pub down: Limits,
}

fn up(nodes: f64) -> u32 {
    (nodes - MARGIN).ceil().clamp(0.0, f64::from(u32::MAX)) as u32
}

fn is_within(tolerance: f64, ratio: f64) -> bool {
    (1.0 - ratio).abs() <= tolerance + MARGIN
}

/// Of a metric of each node, whose mean is to be `target`: ⌈nodes · mean ÷ target⌉.
///
/// Nodes without a reading are set aside at first. If the others carry too much, they are counted as carrying nothing;
/// if too little, those that are down are counted with `fallback`. Whatever turns the direction round changes nothing.
pub fn by_mean(current: u32, readings: &Readings, target: f64, tolerance: f64) -> u32 {
    let Readings { values, unready, missing, fallback } = readings;
    if values.is_empty() {
        return current;
    }
    let (sum, count) = (values.iter().sum::<f64>(), values.len() as f64);
    let ratio = sum / (count * target);
    let is_high = ratio > 1.0;
    if *missing == 0 && (*unready == 0 || !is_high) {
        return if is_within(tolerance, ratio) { current } else { up(sum / target) };
    }
    let (sum, count) = match is_high {
        true => (sum, count + (missing + unready) as f64),
        false => (sum + *missing as f64 * fallback, count + *missing as f64),
    };
    let again = sum / (count * target);
    let wanted = up(sum / target);
    let turns = is_high != (again > 1.0) || (again > 1.0 && wanted < current) || (again < 1.0 && wanted > current);
    if is_within(tolerance, again) || turns { current } else { wanted }
}

/// Of a metric of the cluster that is to be `target` on each node: ⌈total ÷ target⌉.
pub fn by_total(current: u32, total: f64, target: f64, tolerance: f64) -> u32 {
    let ratio = total / (target * f64::from(current.max(1)));
    if is_within(tolerance, ratio) { current } else { up(total / target) }
}

/// Of a metric of the cluster that is to be `target` in itself: ⌈ready nodes · value ÷ target⌉.
pub fn by_value(current: u32, ready: usize, value: f64, target: f64, tolerance: f64) -> u32 {
    let ratio = value / target;
    if ready == 0 || is_within(tolerance, ratio) { current } else { up(ready as f64 * ratio) }
}

/// What has been proposed and what has been done, as far back as it matters.
#[derive(Debug, Default)]
pub struct History {
    proposals: VecDeque<(Instant, u32)>,
    // When so many nodes were added or taken away.
    done: VecDeque<(Instant, i64)>,
}

impl History {
    /// The number of nodes from now on, when there are `current` and `wanted` are proposed.
    pub fn settle(&mut self, now: Instant, current: u32, wanted: u32, rules: &Rules) -> u32 {
        let Rules { min, max, up, down } = *rules;
        if self.proposals.is_empty() {
            self.proposals.push_back((now, current));
        }
        let calm = self.calmed(now, current, wanted, rules);
        self.proposals.push_back((now, wanted));
        forget(&mut self.proposals, now, up.window.max(down.window));
        // Who is out of bounds comes back at once.
        let next = match current {
            _ if current > max => max,
            _ if current < min => min,
            _ if calm > current => calm.min(self.ceiling(now, current, &up)).min(max).max(current),
            _ => calm.max(self.floor(now, current, &down)).max(min).min(current),
        };
        if next != current {
            self.done.push_back((now, i64::from(next) - i64::from(current)));
        }
        let memory = [up.period, down.period, up.cooldown, down.cooldown].into_iter().max();
        forget(&mut self.done, now, memory.unwrap_or_default());
        next
    }

    /// The proposal nearest to `current` of those within the window of its direction.
    fn calmed(&self, now: Instant, current: u32, wanted: u32, rules: &Rules) -> u32 {
        let within =
            |window: Duration| self.proposals.iter().filter(move |(at, _)| now.since(*at) < window).map(|&(_, n)| n);
        let least = within(rules.up.window).fold(wanted, u32::min);
        let most = within(rules.down.window).fold(wanted, u32::max);
        current.max(least).min(most)
    }

    /// Nodes at the beginning of the period that ends now.
    fn before(&self, now: Instant, current: u32, period: Duration) -> f64 {
        let changes: i64 = self.done.iter().filter(|(at, _)| now.since(*at) < period).map(|(_, by)| by).sum();
        (i64::from(current) - changes) as f64
    }

    fn is_cooling(&self, now: Instant, limits: &Limits) -> bool {
        self.done.back().is_some_and(|(at, _)| now.since(*at) < limits.cooldown)
    }

    fn ceiling(&self, now: Instant, current: u32, limits: &Limits) -> u32 {
        if self.is_cooling(now, limits) {
            return current;
        }
        let before = self.before(now, current, limits.period);
        let by_number = limits.nodes.map(|nodes| before + f64::from(nodes));
        let by_share = limits.share.map(|share| (before * (1.0 + share) - MARGIN).ceil());
        by_number.into_iter().chain(by_share).fold(0.0, f64::max) as u32
    }

    fn floor(&self, now: Instant, current: u32, limits: &Limits) -> u32 {
        if self.is_cooling(now, limits) {
            return current;
        }
        let before = self.before(now, current, limits.period);
        let by_number = limits.nodes.map(|nodes| before - f64::from(nodes));
        let by_share = limits.share.map(|share| (before * (1.0 - share) + MARGIN).floor());
        by_number.into_iter().chain(by_share).fold(f64::INFINITY, f64::min).max(0.0) as u32
    }
}

fn forget<T>(list: &mut VecDeque<(Instant, T)>, now: Instant, after: Duration) {
    // The last is kept: it says that there was one.
    while list.len() > 1 && list.front().is_some_and(|(at, _)| now.since(*at) >= after) {
        list.pop_front();
    }
}

#[cfg(test)]
mod tests;
