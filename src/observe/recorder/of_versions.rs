//! The facts of versions: who met which, and how each did.

use super::{Counter, Duration, Fact, Recorder};

impl Recorder {
    pub(super) fn note_of_versions(&mut self, left: Duration, fact: Fact) {
        match fact {
            Fact::Served { population, version, failed, response } => {
                let is_new = version != 0;
                let totals = &mut self.books[population.index()].totals;
                totals[Counter::Served] += 1;
                totals[Counter::ServedByNew] += u64::from(is_new);
                totals[Counter::FailedAtNode] += u64::from(failed);
                totals[Counter::FailedByNew] += u64::from(failed && is_new);
                self.count_version(version, failed, response);
            }
            Fact::Exposed { population } => self.count(population, Counter::Exposed, 1),
            Fact::OnNew { population, by } => self.books[population.index()].on_new.change(i64::from(by), left),
            _ => unreachable!("a fact is noted where it comes in"),
        }
    }
}
