//! Closed populations: a fixed number of clients, each of whom begins a new visit a gap after its last ended.
//!
//! A visit is named (client, number), so its draws do not depend on how fast the others come and go. At the
//! start the population is in equilibrium: a client is in the middle of a visit with probability
//! visit ÷ (visit + gap), connected and with its state in place, as an initial session is; else it is in the
//! middle of a gap and has the rest of it to wait. For visits counted in requests the mean visit is taken as
//! requests × (think + service), or requests × pace, without waiting; visits that never end are all under way.
//!
//! ```toml
//! arrivals = { closed = { clients = 40, gap = { exponential = { mean = "30s" } } } }
//! ```

use super::person::{INITIAL_BIT, client_of, visit};
use super::{Length, Population};
use crate::base::dist::{Law, Sampler};
use crate::base::id::PopulationId;
use crate::base::time::{Duration, Instant};
use crate::cluster::{Sim, event};
use crate::engine::Timer;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A closed population as written.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Closed")]
pub struct Written {
    /// How many clients; ≥ 1.
    pub clients: u32,
    /// From the end of a visit to the beginning of the client's next.
    pub gap: Law<Duration>,
}

/// A closed population, ready to run.
#[derive(Clone, Debug)]
pub struct Closed {
    /// How many clients.
    pub clients: u32,
    /// From the end of a visit to the beginning of the client's next; its mean is above zero.
    pub gap: Sampler,
}

/// The clients between two visits, soonest first.
#[derive(Debug, Default)]
pub struct Away {
    due: BinaryHeap<Reverse<(Instant, u32, u32)>>,
    timer: Timer,
}

impl Population {
    /// Share of time that a closed client spends in visits.
    pub fn visiting_ratio(&self, gap: &Sampler) -> f64 {
        let visit = match &self.length {
            Length::Forever => return 1.0,
            Length::Time(law) => law.mean(),
            Length::Requests(_) if self.gap().is_none() => return 1.0,
            Length::Requests(law) => law.mean() * self.mean_cycle(),
        };
        visit / (visit + gap.mean())
    }
}

impl Sim<'_> {
    /// Puts the clients of a closed population where they are at time zero.
    pub(in crate::cluster) fn begin_closed(&mut self, population: PopulationId) {
        let people = &self.plan.populations[population.index()];
        let Some(closed) = &people.closed else { return };
        let visiting = people.visiting_ratio(&closed.gap);
        let gaps = self.streams[population.index()].gap;
        for client in 0..closed.clients {
            let mut draw = gaps.at(visit(client, 0), 0);
            if draw.random::<f64>() < visiting {
                self.install(population, visit(client, 0) | INITIAL_BIT);
            } else {
                let rest = Duration::from_nanos_f64(closed.gap.sample_residual(&mut draw));
                self.stay_away(population, Instant::START + rest, client, 0);
            }
        }
    }

    /// A visit is over: if it was one of a closed population, its client comes back after a gap.
    pub(in crate::cluster) fn go_away(&mut self, now: Instant, population: PopulationId, who: u64) {
        let Some((client, number)) = client_of(who) else { return };
        let Some(closed) = &self.plan.populations[population.index()].closed else { return };
        let next = number.wrapping_add(1);
        let gap = closed.gap.duration(&mut self.streams[population.index()].gap.at(visit(client, next), 0));
        self.stay_away(population, now + gap, client, next);
    }

    fn stay_away(&mut self, population: PopulationId, until: Instant, client: u32, number: u32) {
        // Beyond the end of the run nothing happens.
        if until >= self.plan.end {
            return;
        }
        let away = &mut self.away[population.index()];
        away.due.push(Reverse((until, client, number)));
        if until < away.timer.due() {
            away.timer.set(until, event::visit(population), &mut self.queue);
        }
    }

    /// The clients whose gap is over begin their next visit.
    pub(in crate::cluster) fn on_visit(&mut self, now: Instant, population: PopulationId) {
        let event = event::visit(population);
        if !self.away[population.index()].timer.fires(now, event, &mut self.queue) {
            return;
        }
        while let Some(&Reverse((due, client, number))) = self.away[population.index()].due.peek() {
            if due > now {
                return self.away[population.index()].timer.set(due, event, &mut self.queue);
            }
            self.away[population.index()].due.pop();
            self.begin_visit(now, population, visit(client, number));
        }
    }
}
