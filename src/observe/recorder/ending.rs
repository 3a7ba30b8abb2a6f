//! What a run amounts to when it is over, and what it has cost.

use super::{Books, Recorder, Recording, Window};
use crate::observe::cost::Bill;

impl Recorder {
    /// Closes the books; the last tick must have been closed at the end of the run.
    pub fn finish(mut self) -> Recording {
        let end = self.setup.end;
        self.close_incident(end);
        let cluster = self.nodes.run_figures();
        let all = self.books.len() - 1;
        for i in 0..=all {
            let books = &self.books[i];
            let totals = &books.totals - &books.at_warmup;
            let span = (self.setup.warmup, end);
            let response = books.run_response.quantiles();
            let mut window = self.window(i, span, totals, response, cluster.filter(|_| i == all));
            window.bill = self.bill(&window);
            self.recording.runs.push((self.scope(i), window));
        }
        self.recording.nodes = self.nodes.kept.take().unwrap_or_default();
        self.recording.trace = self.trace.finish();
        self.recording
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
