//! What a run has cost when it is over.

use super::{Books, Recorder, Window};
use crate::observe::cost::Bill;

impl Recorder {
    /// What a whole run cost; `None` for one population.
    pub(super) fn bill(&self, run: &Window) -> Option<Bill> {
        const HOUR: f64 = 3.6e12;
        let node_hours = run.cluster?.node_time as f64 / HOUR;
        let live = |books: &Books| (books.totals.live_time - books.at_warmup.live_time) as f64 / HOUR;
        let held = self.books.iter().zip(&self.setup.tariff.held).map(|(books, &bytes)| live(books) * bytes as f64);
        Some(self.setup.tariff.bill(run.length().as_nanos() as f64 / HOUR, node_hours, &run.totals, held.sum()))
    }
}
