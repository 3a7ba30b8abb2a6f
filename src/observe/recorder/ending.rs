//! What a run amounts to when it is over, and what it has cost.

use super::{Books, Recorder, Recording, Scope, Window};
use crate::base::time::Instant;
use crate::observe::batches;
use crate::observe::cost::Bill;
use crate::observe::recovery::noticed;
use crate::observe::signals::{self, Struck, Warning};
use crate::observe::steady::{self, Steadiness};

impl Recorder {
    /// Closes the books; the last tick must have been closed at the end of the run.
    pub fn finish(mut self) -> Recording {
        let end = self.setup.end;
        self.close_incident(end);
        let shocks = self.recording.incidents.iter_mut().filter_map(|(_, window)| window.shock.as_mut());
        shocks.for_each(|shock| self.rollouts.tell(shock));
        let cluster = self.nodes.run_figures();
        let steadiness = self.steadiness();
        let all = self.books.len() - 1;
        for i in 0..=all {
            let books = &self.books[i];
            let totals = &books.totals - &books.at_warmup;
            let span = (self.setup.warmup, end);
            let response = books.run_response.quantiles();
            let mut window = self.window(i, span, totals, response, cluster.filter(|_| i == all));
            window.bill = self.bill(&window);
            window.steadiness = steadiness.filter(|_| i == all);
            self.recording.runs.push((self.scope(i), window));
        }
        self.recording.warnings = self.warnings();
        if self.recording.incidents.is_empty() {
            self.recording.batches = batches::cut(&self.ticks_of_all(), self.setup.warmup);
        }
        self.recording.nodes = self.nodes.kept.take().unwrap_or_default();
        self.recording.trace = self.trace.finish();
        self.recording
    }

    /// The ticks of all populations together.
    fn ticks_of_all(&self) -> Vec<&Window> {
        let scopes = self.books.len();
        self.recording.ticks.iter().skip(scopes - 1).step_by(scopes).collect()
    }

    fn incidents_of_all(&self) -> impl Iterator<Item = &Window> {
        self.recording.incidents.iter().filter(|(scope, _)| *scope == Scope::All).map(|(_, window)| window)
    }

    fn warnings(&self) -> Vec<Warning> {
        let (warmup, limits) = (self.setup.warmup, self.setup.limits);
        let verdicts = self.books.last().map_or(&[][..], |books| &books.verdicts);
        let first = self.incidents_of_all().map(|window| window.from).min().unwrap_or(self.setup.end);
        let struck = |window: &Window| {
            let noticed = noticed(verdicts, warmup, first, window.from, window.to, limits);
            Some(Struck { index: window.shock?.index, from: window.from, to: window.to, noticed })
        };
        let incidents: Vec<Struck> = self.incidents_of_all().filter_map(struck).collect();
        signals::warnings(&self.ticks_of_all(), warmup, &incidents)
    }

    fn steadiness(&self) -> Option<Steadiness> {
        let first: Instant = self.incidents_of_all().map(|window| window.from).min().unwrap_or(self.setup.end);
        steady::look(&self.ticks_of_all(), self.setup.warmup, first)
    }

    /// What a whole run cost; `None` for one population.
    pub(super) fn bill(&self, run: &Window) -> Option<Bill> {
        const HOUR: f64 = 3.6e12;
        let node_hours = run.cluster?.node_time as f64 / HOUR;
        let live = |books: &Books| (books.totals.live_time - books.at_warmup.live_time) as f64 / HOUR;
        let held = self.books.iter().zip(&self.setup.tariff.held).map(|(books, &bytes)| live(books) * bytes as f64);
        Some(self.setup.tariff.bill(run.length().as_nanos() as f64 / HOUR, node_hours, &run.totals, held.sum()))
    }
}
