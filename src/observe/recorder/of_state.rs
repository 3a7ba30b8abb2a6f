//! The facts of session state: where it was found, what was made anew, what went over the network.

use super::{Counter, Duration, Fact, Harm, Recorder};

impl Recorder {
    pub(super) fn note_of_state(&mut self, left: Duration, fact: Fact) {
        match fact {
            Fact::Fetched { population } => self.count(population, Counter::Fetches, 1),
            Fact::Thin { population, sessions } => {
                let thin = &mut self.books[population.index()].thin;
                thin.change(sessions as i64 - thin.value, left);
            }
            Fact::StaleRead { population, cause } => {
                self.books[population.index()].totals.suffer(Harm::StaleRead, cause);
            }
            Fact::WriteLost { population, cause } => {
                self.books[population.index()].totals.suffer(Harm::WriteLost, cause);
            }
            Fact::Wrote { population, failed } => {
                let counter = if failed { Counter::WritesFailed } else { Counter::WritesSucceeded };
                self.count(population, counter, 1);
            }
            Fact::Carried { population, bytes } => self.count(population, Counter::Carried, bytes),
            Fact::Rebuilt { population, work } => {
                self.count(population, Counter::Rebuilds, 1);
                self.count(population, Counter::RebuildTime, work.as_nanos());
            }
            Fact::RebuilderAnswered { population, after } => {
                self.count(population, Counter::RebuildVisits, 1);
                self.count(population, Counter::RebuildVisitTime, after.as_nanos());
                if let Some(times) = &mut self.nodes.rebuild_times {
                    times.add(after);
                }
            }
            Fact::StoreFailed { population } => self.count(population, Counter::StoreErrors, 1),
            Fact::AtService { service, waiting, busy } => {
                let service = usize::from(service);
                match service.checked_sub(self.setup.rebuilders.len()) {
                    None => self.nodes.rebuilders.set(service, waiting, busy, left),
                    Some(store) => self.nodes.stores.set(store, waiting, busy, left),
                }
            }
            Fact::StoreMemory { bytes } => self.nodes.set_store_memory(bytes, left),
            _ => unreachable!("a frequent fact is noted where it comes in"),
        }
    }
}
