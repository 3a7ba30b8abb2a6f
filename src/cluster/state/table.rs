//! The books of a store that may forget: whose state it holds, since when, and when that was written last.

use super::{Keep, Look, Toll, Visit};
use crate::base::cause::Cause;
use crate::base::id::SessionId;
use crate::base::time::Instant;

#[derive(Clone, Copy, Debug, Default)]
enum Entry {
    /// Nothing was ever written.
    #[default]
    New,
    /// It is there.
    Held { made: Instant, written: Instant },
    /// It was there, and is lost.
    Lost,
    /// The same, and the client knows.
    Told,
}

/// By slot: a session's entry.
#[derive(Debug, Default)]
pub struct Table(Vec<Entry>);

impl Table {
    fn entry(&mut self, session: SessionId) -> &mut Entry {
        if session.index() >= self.0.len() {
            self.0.resize(session.index() + 1, Entry::New);
        }
        &mut self.0[session.index()]
    }
}

impl Keep for Table {
    fn look(&mut self, visit: &Visit) -> Look {
        match self.entry(visit.session) {
            Entry::New => Look::New,
            Entry::Held { .. } => Look::Here,
            Entry::Lost => Look::Missing,
            Entry::Told => Look::Told,
        }
    }

    /// Being served changes nothing: what counts is the store's word.
    fn keep(&mut self, _: &Visit) {}

    fn written(&mut self, now: Instant, session: SessionId) -> bool {
        let entry = self.entry(session);
        let made = if let Entry::Held { made, .. } = *entry { Some(made) } else { None };
        *entry = Entry::Held { made: made.unwrap_or(now), written: now };
        made.is_none()
    }

    fn last_written(&self, session: SessionId) -> Option<Instant> {
        match self.0.get(session.index()) {
            Some(Entry::Held { written, .. }) => Some(*written),
            _ => None,
        }
    }

    fn has(&self, session: SessionId) -> bool {
        matches!(self.0.get(session.index()), Some(Entry::Held { .. }))
    }

    fn tell(&mut self, session: SessionId) {
        *self.entry(session) = Entry::Told;
    }

    fn revert(&mut self, kept: Option<Instant>, toll: &mut Toll) {
        for (session, entry) in (0..).zip(&mut self.0) {
            let Entry::Held { made, written } = *entry else { continue };
            let is_newer = |at: Instant| kept.is_none_or(|kept| at > kept);
            if is_newer(written) {
                toll.writes_lost.push((session, Cause::StoreLost));
            }
            if is_newer(made) {
                toll.lost.push(session);
                *entry = Entry::Lost;
            }
        }
    }

    fn expire(&mut self, session: SessionId) -> bool {
        let entry = self.entry(session);
        let had = matches!(entry, Entry::Held { .. });
        if had {
            *entry = Entry::Lost;
        }
        had
    }

    fn end(&mut self, session: SessionId) {
        *self.entry(session) = Entry::New;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::visit;
    use super::*;
    use crate::base::time::Duration;

    fn at(secs: u64) -> Instant {
        Instant::START + Duration::from_secs(secs)
    }

    #[test]
    fn a_backup_saves_what_is_older_than_it() {
        let mut table = Table::default();
        for (session, secs) in [(0, 1), (1, 5), (0, 6), (2, 9)] {
            assert_eq!(table.written(at(secs), SessionId(session)), secs != 6);
        }
        let mut toll = Toll::default();
        table.revert(Some(at(5)), &mut toll);
        assert_eq!((toll.lost, toll.writes_lost.len()), (vec![2], 2));
        assert_eq!([0, 1, 2, 3].map(|n| table.look(&visit(n, 0))), [Look::Here, Look::Here, Look::Missing, Look::New]);
        let mut toll = Toll::default();
        table.revert(None, &mut toll);
        assert_eq!(toll.lost, [0, 1]);
    }
}
