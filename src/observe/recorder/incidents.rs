//! Incidents: opened by a fault or a change, closed by the next one or the end of the run.

use super::{Distinct, Duration, Instant, OpenIncident, Peak, PopulationId, Recorder, ResponseTimes, Shock};
use crate::observe::recovery::{rebalance, recovery};

impl Recorder {
    /// Applies `change` to the open incident of the population and to that of all.
    pub(super) fn each_incident(&mut self, population: PopulationId, change: impl Fn(&mut OpenIncident)) {
        if self.incident == 0 {
            return;
        }
        let all = self.books.len() - 1;
        for i in [population.index(), all] {
            if let Some(incident) = &mut self.books[i].incident {
                change(incident);
            }
        }
    }

    /// The windows of the incident at this place in the plan, if it is under way.
    pub(super) fn open_incidents(&mut self, index: u16) -> impl Iterator<Item = &mut OpenIncident> {
        let open = self.books.iter_mut().filter_map(|books| books.incident.as_mut());
        open.filter(move |incident| incident.index == index)
    }

    pub(super) fn open_incident(&mut self, now: Instant, left: Duration, index: u16, cleared: Instant) {
        self.close_incident(now);
        self.sum_up(left);
        self.incident += 1;
        // Only a change that goes on has no end yet.
        if cleared == Instant::NEVER {
            self.rollouts.begin(now, index, self.setup.judged.contains(&index));
        }
        self.nodes.begin_incident();
        let scopes = self.books.len();
        for i in 0..scopes {
            let before = self.totals_at(i, left);
            let not_ours = self.tick_response_of(i);
            self.books[i].incident = Some(OpenIncident {
                index,
                from: now,
                cleared,
                live_before: before.live(),
                before,
                response: ResponseTimes::default(),
                not_ours,
                distinct: Distinct::default(),
                drops: Peak::default(),
                connects: Peak::default(),
            });
        }
    }

    pub(super) fn close_incident(&mut self, now: Instant) {
        let left = self.tick_end.since(now);
        self.sum_up(left);
        let all = self.books.len() - 1;
        let cluster = self.nodes.incident_figures();
        for i in 0..=all {
            let Some(open) = self.books[i].incident.take() else { continue };
            let totals = &self.totals_at(i, left) - &open.before;
            let mut response = open.response;
            let mut partial = self.tick_response_of(i);
            partial.subtract(&open.not_ours);
            response.merge(&partial);
            let span = (open.from, now);
            let mut window = self.window(i, span, totals, response.quantiles(), cluster.filter(|_| i == all));
            let (warmup, hold) = (self.setup.warmup, self.setup.hold);
            let rebalance = || rebalance(&self.nodes.peak_to_mean, warmup, open.from, open.cleared, now, hold);
            window.shock = Some(Shock {
                index: open.index,
                live_before: open.live_before,
                dropped: open.distinct.dropped,
                moved: open.distinct.moved,
                lost: open.distinct.lost,
                gave_up: open.distinct.gave_up,
                drops_peak: open.drops.max(),
                connects_peak: open.connects.max(),
                reconnect: open.distinct.reconnect(open.from),
                rollout: None,
                is_given_up: false,
                rollback: None,
                recovery: recovery(&self.books[i].verdicts, warmup, open.from, now, self.setup.limits, hold),
                rebalance: if i == all { rebalance() } else { None },
            });
            self.recording.incidents.push((self.scope(i), window));
        }
    }
}
