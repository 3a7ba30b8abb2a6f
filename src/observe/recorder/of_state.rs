//! The facts of session state: where it was found, what was made anew, what went over the network.

use super::{Counter, Duration, Fact, Harm, Recorder};

impl Recorder {
    pub(super) fn note_of_state(&mut self, left: Duration, fact: Fact) {
        match fact {
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
                self.nodes.rebuilders.answered(after);
            }
            Fact::AtRebuilder { service, waiting, busy } => {
                self.nodes.rebuilders.set(usize::from(service), waiting, busy, left);
            }
            Fact::StoreMemory { bytes } => self.nodes.set_store_memory(bytes, left),
            _ => unreachable!("a frequent fact is noted where it comes in"),
        }
    }
}
