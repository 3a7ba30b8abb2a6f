//! How old may a connection become? The node says goodbye when it has its age (gRPC `MAX_CONNECTION_AGE`).
//!
//! Each connection draws its own age, uniform within ± `jitter` of `age` (gRPC proposal A9). What was opened
//! together comes back spread by 2 · jitter · age, the n-th time by n times that at most, so that the echo of a storm
//! fades; without jitter it never does.

use super::{Record, event};
use crate::base::cause::Cause;
use crate::base::draw::Draw;
use crate::base::id::{NodeId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::base::units::Share;
use crate::cluster::Sim;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The age at which a node ends a connection.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaxAge {
    /// How old it becomes on average; above zero.
    pub age: Duration,
    /// Each connection's own age lies within this share of `age` on either side; below 100%, default 10% (gRPC A9).
    #[serde(default = "a_tenth")]
    pub jitter: Share,
    /// After its age, what is under way on it is waited for so long and then cut; for ever unless given (gRPC A9).
    pub grace: Option<Duration>,
    /// Whether it ends at the next whole multiple of `age` since the start of the run, whenever it was opened, as
    /// with a credential that all renew on the hour; default no.
    #[serde(default)]
    pub on_the_clock: bool,
}

fn a_tenth() -> Share {
    Share::new(0.1)
}

impl MaxAge {
    /// When a connection that is opened now has its age.
    pub fn due(&self, now: Instant, draw: &mut Draw) -> Instant {
        let age = self.age.as_nanos();
        let spread = (age as f64 * self.jitter.ratio()).round() as u64;
        let drawn = draw.random_range(age - spread..=age + spread);
        if !self.on_the_clock {
            return now + Duration::from_nanos(drawn);
        }
        // One that is opened within the jitter before a multiple has been renewed for it already.
        let multiple = (now.as_nanos() + spread) / age * age;
        Instant::from_nanos(multiple) + Duration::from_nanos(drawn)
    }
}

impl Sim<'_> {
    /// A connection to `node` is open from now on: its age is drawn.
    pub(in crate::cluster) fn begin_to_age(&mut self, now: Instant, id: SessionId, node: NodeId) {
        let Some(max) = self.plan.nodes[node.index()].spec.connection_max_age else { return };
        let session = &self.sessions[id];
        let stream = self.streams[session.population.index()].age;
        let record = self.farewells.record(id);
        let due = max.due(now, &mut stream.at(session.who, u64::from(record.aged)));
        record.aged = record.aged.wrapping_add(1);
        if due < self.plan.end {
            record.timer.set(due, event::farewell(id), &mut self.queue);
        }
    }

    /// A connection may have its age, or its grace may be over.
    pub(in crate::cluster) fn on_farewell(&mut self, now: Instant, id: SessionId) {
        if self.farewells.record(id).timer.fires(now, event::farewell(id), &mut self.queue) {
            self.come_of_age(now, id);
        }
    }

    fn come_of_age(&mut self, now: Instant, id: SessionId) {
        let Some(node) = self.linked.node(id.0) else { return };
        let host = self.fleet.get(node);
        if !self.fleet.is_up(node) || self.sessions[id].incarnation != host.incarnation {
            return; // The process that would say it is no more.
        }
        if host.ills.is_frozen {
            self.farewells.record(id).is_overdue = true;
            return;
        }
        let Record { told, .. } = self.farewells.of(id);
        if let Some(cause) = told {
            return self.part_from(now, id, node, cause);
        }
        let grace = self.plan.nodes[node.index()].spec.connection_max_age.and_then(|max| max.grace);
        self.say_goodbye(now, id, node, Cause::MaxAge, grace);
    }

    /// A process that stood still says what it would have said meanwhile.
    pub(in crate::cluster) fn say_overdue(&mut self, now: Instant, node: NodeId) {
        let mut linked = Vec::new();
        self.linked.list(node, &mut linked);
        for id in linked.into_iter().map(SessionId) {
            if std::mem::replace(&mut self.farewells.record(id).is_overdue, false) {
                self.come_of_age(now, id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::draw::Stream;

    fn dues(max: MaxAge, now: u64) -> Vec<f64> {
        let stream = Stream::new(1, "test", "");
        let due = |who| max.due(Instant::START + Duration::from_secs(now), &mut stream.at(who, 0)).as_secs_f64();
        (0..1_000).map(due).collect()
    }

    fn max(jitter: f64, on_the_clock: bool) -> MaxAge {
        MaxAge { age: Duration::from_secs(600), jitter: Share::new(jitter), grace: None, on_the_clock }
    }

    #[test]
    fn ages_fill_the_jitter_on_both_sides_and_nothing_else() {
        let ages = dues(max(0.1, false), 50);
        assert!(ages.iter().all(|due| (590.0..=710.0).contains(due)));
        assert!(ages.iter().any(|&due| due < 592.0) && ages.iter().any(|&due| due > 708.0));
        assert_eq!(dues(max(0.0, false), 50), [650.0; 1_000]);
    }

    #[test]
    fn on_the_clock_all_end_together_whenever_they_were_opened() {
        for opened in [0, 50, 599] {
            assert_eq!(dues(max(0.0, true), opened), [600.0; 1_000]);
        }
        assert_eq!(dues(max(0.0, true), 600), [1_200.0; 1_000], "the multiple itself is over");
        let around = |opened, multiple: f64| {
            dues(max(0.1, true), opened).iter().all(|due| (multiple - 60.0..=multiple + 60.0).contains(due))
        };
        assert!(around(539, 600.0) && around(541, 1_200.0), "one renewed early is not renewed again at once");
        assert!(around(659, 1_200.0), "nor one that is renewed late");
    }
}
