//! What will be needed soon? Records are fetched before the event comes that looks at them.
//!
//! With many sessions or many nodes a request meets a score of records that are in no cache. Which, is known some events
//! ahead: first the record of the event itself, then those that it names, then those that these name.
//! None of this changes a result.

use super::check::checked;
use super::request::Attempt;
use super::{Sim, event, probing};
use crate::base::id::{AttemptId, NodeId, SessionId};
use crate::base::prefetch::prefetch;
use crate::base::time::Instant;
use crate::engine::{Ahead, Event};

/// So many nodes are always in some cache.
const FEW: usize = 256;

impl Sim<'_> {
    /// Takes the next event, and has fetched what the events after it will need.
    #[inline]
    pub(super) fn next_event(&mut self) -> Option<(Instant, Event)> {
        let Sim { queue, sessions, keepers, fleet, attempts, at_node, recorder, balancers, jar, checks, .. } = self;
        let fetch_node = |node: NodeId| {
            if fleet.count() > FEW {
                fleet.fetch(node);
                at_node.fetch_node(node);
                recorder.fetch(node);
                balancers.fetch(node);
            }
        };
        queue.pop_hinting(|event, ahead| match (event.kind(), ahead) {
            (event::SESSION, Ahead::Far) => sessions.fetch(SessionId(event.index())),
            (event::SESSION, Ahead::Near) => {
                let id = SessionId(event.index());
                let session = &sessions[id];
                keepers[session.population.index()].fetch(id);
                jar.fetch(id);
                fetch_node(session.bound);
            }
            (event::WORK, Ahead::Far) => fetch_node(NodeId(event.index())),
            (event::WORK, Ahead::Near) => {
                // Who will be answered, and whose turn is then.
                let work = &fleet.get(NodeId(event.index())).work;
                let jobs = [work.soonest(), work.next_in_line()].into_iter().flatten().map(AttemptId);
                for job in jobs.filter(|&job| !probing::is_probe(job)) {
                    let Attempt { session, population, .. } = attempts[job];
                    sessions.fetch(session);
                    keepers[population.index()].fetch(session);
                }
            }
            (event::PROBE, Ahead::Far) => {
                let index = event.index() as usize;
                prefetch(checks, index);
                fetch_node(checked(index, fleet.count()).1);
            }
            _ => {}
        })
    }
}
