//! `outlier`: a node with errors in a row, or with clearly more of them than others, is ejected for a time that
//! grows with each ejection (Envoy outlier detection).
//!
//! * **In a row.** `errors` of any kind (Envoy `consecutive_5xx`; what a balancer finds out itself counts as one:
//!   refused 503, timeout 504), or `gateway_errors` that are not the application's own 500. A good answer, or an
//!   opened stream, ends the row.
//! * **Success rate**, looked at every `interval`: among nodes with `success_rate_requests` in the interval just
//!   over, if there are `success_rate_nodes` of them, those below mean − `success_rate_stdev` · sd (of the
//!   population).
//! * **Never too many**: a node is ejected only if it would be no more than `max_ejection` of all nodes that are
//!   ejected then, or, with `eject_one`, if it is the only one. Envoy has made the latter an option of its own
//!   (`always_eject_one_host`, off), so that with its defaults clusters of fewer than ten nodes eject nobody;
//!   before, and in gRPC (A50), one could always be ejected, which is the default here.
//! * **Back** after min(`base_ejection` · n, `longest_ejection`) plus a draw of up to `jitter`, at the next sweep.
//!   n counts ejections; each sweep takes one off a node that has been back for an interval. With
//!   `check_readmits` a passed health check brings a node back at once.
//!
//! Source: envoy `source/common/upstream/outlier_detection_impl.cc`, `outlier_detection.proto`. Sweeps of an
//! instance begin at a random phase. All balancer threads share one count here.

use super::{Act, Eject, Seen};
use crate::base::draw::Stream;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::base::units::Share;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list passive`.
pub const MEANING: &str = "errors in a row, or more than others have, eject a node for longer each time (Envoy)";

/// Parameters of `outlier`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "OutlierDetection")]
pub struct Params {
    /// Errors in a row that eject; ≥ 1, default 5 (`consecutive_5xx`).
    pub errors: u32,
    /// Errors in a row that are not the application's own; ≥ 1, not heeded unless given (Envoy counts 5 and
    /// enforces none).
    pub gateway_errors: Option<u32>,
    /// Time between two sweeps; default 10 s.
    pub interval: Duration,
    /// How long the first ejection takes, and each further one more; default 30 s.
    pub base_ejection: Duration,
    /// How long an ejection takes at most; ≥ `base_ejection`, default 300 s.
    pub longest_ejection: Duration,
    /// The largest share of nodes that may be ejected at once; default 10%.
    pub max_ejection: Share,
    /// Whether one node may be ejected whatever share it is; default yes.
    pub eject_one: bool,
    /// The largest delay, drawn for each ejection, that is added to it; default none.
    pub jitter: Duration,
    /// Whether a passed health check ends an ejection; default yes.
    pub check_readmits: bool,
    /// Nodes with enough requests that success rates need; ≥ 1, default 5.
    pub success_rate_nodes: u32,
    /// Requests within an interval that a node needs for a success rate; ≥ 1, default 100.
    pub success_rate_requests: u64,
    /// How many standard deviations below the mean eject; 0 for not at all, default 1.9.
    pub success_rate_stdev: f64,
}

impl Default for Params {
    fn default() -> Params {
        Params {
            errors: 5,
            gateway_errors: None,
            interval: Duration::from_secs(10),
            base_ejection: Duration::from_secs(30),
            longest_ejection: Duration::from_secs(300),
            max_ejection: Share::new(0.1),
            eject_one: true,
            jitter: Duration::ZERO,
            check_readmits: true,
            success_rate_nodes: 5,
            success_rate_requests: 100,
            success_rate_stdev: 1.9,
        }
    }
}

impl Params {
    /// What is wrong with the parameters.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut wrong = |key, message: String| faults.push((key, message));
        for (key, number) in [
            ("errors", u64::from(self.errors)),
            ("gateway_errors", self.gateway_errors.map_or(1, u64::from)),
            ("success_rate_nodes", u64::from(self.success_rate_nodes)),
            ("success_rate_requests", self.success_rate_requests),
        ] {
            if number == 0 {
                wrong(key, format!("{key} is zero, but it takes at least one"));
            }
        }
        if self.interval.is_zero() {
            wrong("interval", "interval is zero: sweeps would never end".to_owned());
        }
        if self.base_ejection.is_zero() {
            wrong("base_ejection", "base_ejection is zero: leave passive out for that".to_owned());
        }
        if self.longest_ejection < self.base_ejection {
            let (longest, base) = (self.longest_ejection, self.base_ejection);
            wrong("longest_ejection", format!("longest_ejection ({longest}) is shorter than base_ejection ({base})"));
        }
        if !(self.success_rate_stdev >= 0.0 && self.success_rate_stdev.is_finite()) {
            let message = format!("success_rate_stdev must be 0 or more, but is {}", self.success_rate_stdev);
            wrong("success_rate_stdev", message);
        }
        faults
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Host {
    belongs: bool,
    errors: u32,
    gateway_errors: u32,
    // Of the interval under way.
    good: u64,
    all: u64,
    ejected: Option<Instant>,
    returned: Option<Instant>,
    // How many base times the next ejection takes; and how many there have been.
    times: u64,
    ejections: u64,
    jitter: Duration,
}

/// Working state.
#[derive(Debug)]
pub struct Outlier {
    params: Params,
    hosts: Vec<Host>,
    belonging: u32,
    ejected: u32,
    sweep: Instant,
    jitter: Stream,
}

impl Outlier {
    /// Nobody has erred yet.
    pub fn new(params: &Params, nodes: usize, seed: u64, instance: &str) -> Outlier {
        let mut phase = Stream::new(seed, "sweep phase", instance).at(0, 0);
        let first = Duration::from_nanos(phase.random_range(1..=params.interval.as_nanos().max(1)));
        Outlier {
            params: *params,
            hosts: vec![Host::default(); nodes],
            belonging: 0,
            ejected: 0,
            sweep: Instant::START + first,
            jitter: Stream::new(seed, "ejection jitter", instance),
        }
    }

    /// Ejects a node, if not too many are.
    fn eject(&mut self, now: Instant, node: NodeId, acts: &mut Vec<Act>) {
        // In hundredths of a percent, so that no rounding decides at the edge.
        let most = (self.params.max_ejection.ratio() * 10_000.0 + 0.5) as u64 * u64::from(self.belonging);
        let may = u64::from(self.ejected + 1) * 10_000 <= most || self.params.eject_one && self.ejected == 0;
        let host = &mut self.hosts[node.index()];
        if !may || !host.belongs || host.ejected.is_some() {
            return;
        }
        self.ejected += 1;
        host.ejected = Some(now);
        let span = self.params.jitter.as_nanos();
        let drawn = self.jitter.at(u64::from(node.0), host.ejections).random_range(0..=span);
        (host.jitter, host.ejections) = (Duration::from_nanos(drawn), host.ejections + 1);
        let longest = self.params.longest_ejection + self.params.base_ejection;
        if self.params.base_ejection * host.times < longest {
            host.times += 1;
        }
        acts.push(Act::Eject(node));
    }

    fn readmit(&mut self, now: Instant, node: NodeId, acts: &mut Vec<Act>) {
        let host = &mut self.hosts[node.index()];
        (host.ejected, host.returned) = (None, Some(now));
        (host.errors, host.gateway_errors) = (0, 0);
        self.ejected -= 1;
        acts.push(Act::Readmit(node));
    }

    fn readmit_those_whose_time_is_over(&mut self, now: Instant, acts: &mut Vec<Act>) {
        for index in 0..self.hosts.len() {
            let Host { ejected, times, jitter, .. } = self.hosts[index];
            let lasts = (self.params.base_ejection * times).min(self.params.longest_ejection) + jitter;
            if ejected.is_some_and(|since| since + lasts <= now) {
                self.readmit(now, NodeId(index as u32), acts);
            }
        }
    }

    /// Those whose success rate in the interval just over stands out.
    fn failing(&mut self) -> Vec<NodeId> {
        let mut rates = Vec::new();
        for (index, host) in self.hosts.iter_mut().enumerate() {
            let (good, all) = (std::mem::take(&mut host.good), std::mem::take(&mut host.all));
            if host.belongs && host.ejected.is_none() && all >= self.params.success_rate_requests {
                rates.push((NodeId(index as u32), 100.0 * good as f64 / all as f64));
            }
        }
        if rates.len() < self.params.success_rate_nodes as usize || self.params.success_rate_stdev == 0.0 {
            return Vec::new();
        }
        let n = rates.len() as f64;
        let mean = rates.iter().map(|&(_, rate)| rate).sum::<f64>() / n;
        let variance = rates.iter().map(|&(_, rate)| (rate - mean) * (rate - mean)).sum::<f64>() / n;
        let least = mean - self.params.success_rate_stdev * libm::sqrt(variance);
        rates.into_iter().filter(|&(_, rate)| rate < least).map(|(node, _)| node).collect()
    }

    fn forgive(&mut self, now: Instant) {
        for host in self.hosts.iter_mut().filter(|host| host.ejected.is_none()) {
            if host.returned.is_some_and(|returned| returned + self.params.interval <= now) {
                host.times = host.times.saturating_sub(1);
            }
        }
    }
}

impl Eject for Outlier {
    fn counts(&mut self, node: NodeId, belongs: bool) {
        let host = &mut self.hosts[node.index()];
        if host.ejected.is_some() && !belongs {
            self.ejected -= 1;
        }
        *host = Host { belongs, ..Host::default() };
        self.belonging = if belongs { self.belonging + 1 } else { self.belonging.saturating_sub(1) };
    }

    fn saw(&mut self, now: Instant, node: NodeId, seen: Seen, acts: &mut Vec<Act>) {
        let host = &mut self.hosts[node.index()];
        let is_gateways = match seen {
            Seen::Answered | Seen::Opened => {
                (host.good, host.all) = (host.good + 1, host.all + 1);
                (host.errors, host.gateway_errors) = (0, 0);
                return;
            }
            Seen::Error => false,
            Seen::NotConnected | Seen::Reset | Seen::Unanswered | Seen::Overloaded => true,
            Seen::Tried | Seen::Connected | Seen::Closed => return,
        };
        host.all += 1;
        host.errors += 1;
        host.gateway_errors = if is_gateways { host.gateway_errors + 1 } else { 0 };
        let rows = [host.errors == self.params.errors, Some(host.gateway_errors) == self.params.gateway_errors];
        if rows[0] {
            host.errors = 0;
        }
        if rows[1] {
            host.gateway_errors = 0;
        }
        if rows.contains(&true) {
            self.eject(now, node, acts);
        }
    }

    fn passed_check(&mut self, now: Instant, node: NodeId, is_up: bool, acts: &mut Vec<Act>) {
        if is_up && self.params.check_readmits && self.hosts[node.index()].ejected.is_some() {
            self.readmit(now, node, acts);
        }
    }

    fn due(&self) -> Instant {
        self.sweep
    }

    fn woken(&mut self, now: Instant, acts: &mut Vec<Act>) {
        while self.sweep <= now {
            self.sweep += self.params.interval;
        }
        self.readmit_those_whose_time_is_over(now, acts);
        for node in self.failing() {
            self.eject(now, node, acts);
        }
        self.forgive(now);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{A, at, sees, wakes};
    use super::*;

    fn rule(params: Params, nodes: u32) -> Outlier {
        let mut rule = Outlier::new(&params, nodes as usize, 1, "lb1");
        (0..nodes).for_each(|n| rule.counts(NodeId(n), true));
        // Sweeps at 10 s, 20 s, 30 s …
        rule.sweep = at(10_000);
        rule
    }

    const EJECT: Act = Act::Eject(A);
    const READMIT: Act = Act::Readmit(A);

    #[test]
    fn five_errors_in_a_row_eject_and_each_ejection_is_longer() {
        let mut rule = rule(Params::default(), 10);
        assert_eq!(sees(&mut rule, 0, &[Seen::Error; 4]), []);
        assert_eq!(sees(&mut rule, 0, &[Seen::Answered, Seen::Error, Seen::NotConnected, Seen::Reset]), []);
        assert_eq!(sees(&mut rule, 1_000, &[Seen::Unanswered, Seen::Overloaded]), [EJECT]);
        // 30 s from 1 s: the sweep at 40 s. Then 60 s from 41 s: the sweep at 110 s.
        assert_eq!(wakes(&mut rule, 40_000), [(40.0, vec![READMIT])]);
        assert_eq!(sees(&mut rule, 41_000, &[Seen::Error; 5]), [EJECT]);
        assert_eq!(wakes(&mut rule, 110_000), [(110.0, vec![READMIT])]);
        // Two sweeps of peace, at 120 s and 130 s, take two off: the next is the first again.
        assert_eq!(wakes(&mut rule, 130_000), []);
        assert_eq!(sees(&mut rule, 131_000, &[Seen::Error; 5]), [EJECT]);
        assert_eq!(wakes(&mut rule, 170_000), [(170.0, vec![READMIT])]);
    }

    #[test]
    fn no_ejection_is_longer_than_the_longest() {
        let params = Params { longest_ejection: Duration::from_secs(70), ..Params::default() };
        let mut rule = rule(params, 10);
        let (mut lasted, mut now) = (Vec::new(), at(0));
        for _ in 0..5 {
            let mut acts = Vec::new();
            (0..5).for_each(|_| rule.saw(now, A, Seen::Error, &mut acts));
            let ejected = now;
            while !acts.contains(&READMIT) {
                now = rule.due();
                rule.woken(now, &mut acts);
            }
            lasted.push(now.since(ejected).as_secs_f64());
        }
        assert_eq!(lasted, [30.0, 60.0, 70.0, 70.0, 70.0]);
    }

    #[test]
    fn only_so_many_are_ejected_at_once_but_always_one() {
        let ejected = |nodes: u32, params: Params| {
            let mut rule = rule(params, nodes);
            let mut acts = Vec::new();
            (0..nodes).for_each(|n| (0..5).for_each(|_| rule.saw(at(0), NodeId(n), Seen::Error, &mut acts)));
            acts.len()
        };
        let strict = Params { eject_one: false, ..Params::default() };
        let half = Params { max_ejection: Share::new(0.5), ..strict };
        assert_eq!([3, 9, 10, 20, 25].map(|nodes| ejected(nodes, Params::default())), [1, 1, 1, 2, 2]);
        assert_eq!([3, 9, 10, 20].map(|nodes| ejected(nodes, strict)), [0, 0, 1, 2]);
        assert_eq!([1, 2, 3, 4].map(|nodes| ejected(nodes, half)), [0, 1, 1, 2]);
    }

    #[test]
    fn gateway_errors_are_a_row_of_their_own() {
        let mut rule = rule(Params { gateway_errors: Some(2), ..Params::default() }, 10);
        assert_eq!(sees(&mut rule, 0, &[Seen::Unanswered, Seen::Error, Seen::NotConnected]), []);
        assert_eq!(sees(&mut rule, 0, &[Seen::NotConnected]), [EJECT]);
    }

    #[test]
    fn a_passed_check_brings_a_node_back_if_it_may() {
        for (check_readmits, expected) in [(true, vec![READMIT]), (false, vec![])] {
            let mut rule = rule(Params { check_readmits, ..Params::default() }, 10);
            sees(&mut rule, 0, &[Seen::Error; 5]);
            let mut acts = Vec::new();
            rule.passed_check(at(1_000), A, false, &mut acts);
            assert_eq!(acts, [], "a check that does not bring it up does nothing");
            rule.passed_check(at(2_000), A, true, &mut acts);
            assert_eq!(acts, expected);
        }
    }

    #[test]
    fn the_success_rate_that_stands_out_ejects() {
        // Envoy's own example: rates 50, 100, 100, 100, 100 have mean 90, sd 20 and threshold 52.
        let judged = |bad: u64, requests: u64, stdev: f64| {
            let params = Params { success_rate_stdev: stdev, errors: 1_000, ..Params::default() };
            let mut rule = rule(params, 5);
            for (n, request) in (0..5).flat_map(|n| (0..requests).map(move |request| (n, request))) {
                let seen = if n == 0 && request < bad { Seen::Error } else { Seen::Answered };
                rule.saw(at(5_000), NodeId(n), seen, &mut Vec::new());
            }
            wakes(&mut rule, 10_000).into_iter().flat_map(|(_, acts)| acts).collect::<Vec<Act>>()
        };
        assert_eq!(judged(50, 100, 1.9), [EJECT]);
        assert_eq!(judged(50, 100, 2.0), [], "50 is not below 90 − 2 · 20");
        assert_eq!(judged(50, 99, 1.9), [], "too few requests");
        assert_eq!(judged(50, 100, 0.0), [], "switched off");
    }

    #[test]
    fn jitter_is_added_and_each_instance_sweeps_at_its_own_phase() {
        let params = Params { jitter: Duration::from_secs(60), ..Params::default() };
        let back = |instance: &str| {
            let mut rule = Outlier::new(&params, 10, 1, instance);
            (0..10).for_each(|n| rule.counts(NodeId(n), true));
            assert!(rule.sweep <= at(10_000));
            sees(&mut rule, 0, &[Seen::Error; 5]);
            wakes(&mut rule, 101_000)[0].0
        };
        let times = ["lb1", "lb2", "lb3"].map(back);
        assert!(times.iter().all(|time| (30.0..=100.0).contains(time)), "{times:?}");
        assert!(times[0] != times[1] && times[1] != times[2], "{times:?}");
    }
}
