//! Do the rooms agree about who is where? Asked at the end of every run of a debug build, and so of every test.
//!
//! The same thing stands in several books: an attempt in its own record, on its node, in a station, at the
//! balancer. A place that is given back twice, or never, shows here whatever the scenario was.

use super::Sim;
use super::request::{Kind, Stage};
use super::station::Station;
use crate::base::id::{NodeId, SessionId};

impl Sim<'_> {
    /// What does not agree, if anything.
    pub(super) fn disagreement(&self) -> Option<String> {
        let nodes = self.fleet.ids().find_map(|node| self.disagreement_at(node));
        nodes
            .or_else(|| self.disagreement_of_services())
            .or_else(|| self.disagreement_of_sessions())
            .or_else(|| self.disagreement_of_stores())
            .or_else(|| self.exposure.disagreement())
    }

    fn disagreement_at(&self, node: NodeId) -> Option<String> {
        let (mut placed, mut waiting, mut entering) = (0, 0, 0);
        for (id, attempt) in self.attempts.iter() {
            let is_here = self.at_node.node(id.0) == Some(node);
            if is_here && (attempt.node != node || attempt.stage == Stage::Gone) {
                return Some(format!("{node:?} has {id:?}, which is {attempt:?}"));
            }
            placed += usize::from(attempt.placed && attempt.node == node && attempt.stage != Stage::Gone);
            let asked = match attempt.stage {
                Stage::Rebuild => self.plan.populations[attempt.population.index()].state.rebuild_at,
                _ => self.store_of(id),
            };
            let holds_slot =
                attempt.kind == Kind::Request && asked.is_some_and(|asked| self.plan.services[asked].holds_slot);
            if is_here {
                entering += usize::from(attempt.stage == Stage::Handshake);
                waiting += usize::from(match attempt.stage {
                    Stage::Wait | Stage::Work => true,
                    stage if stage.is_at_service() || matches!(stage, Stage::Written | Stage::Forsaken) => {
                        holds_slot && self.fleet.is_up(node)
                    }
                    _ => false,
                });
            }
        }
        let mut linked = Vec::new();
        self.linked.list(node, &mut linked);
        let host = self.fleet.get(node);
        let is_stale = |&&session: &&u32| self.sessions[SessionId(session)].incarnation != host.incarnation;
        let up = |station: &Station| if self.fleet.is_up(node) { station.present() } else { 0 };
        let [let_in, probed] = self.probes.at(node);
        let books = [
            ("places at the balancer", placed + linked.len(), self.balancers.in_flight(node) as usize),
            ("slots", waiting + probed, up(&host.work)),
            ("handshakes", entering + let_in, up(&host.accept)),
            ("stale connections", linked.iter().filter(is_stale).count(), host.stale as usize),
            ("sessions", self.bound_to(node), self.bound_to[node.index()] as usize),
            ("bytes of memory", self.taken(node) as usize, host.memory as usize),
        ];
        let wrong = books.into_iter().find(|(_, counted, kept)| counted != kept);
        // A host that is silent has not begun its next life: what hangs on it is not stale yet.
        wrong.map(|(what, counted, kept)| format!("{node:?}: {counted} {what}, but {kept} in the books"))
    }

    fn bound_to(&self, node: NodeId) -> usize {
        self.sessions.iter().filter(|session| session.is_live() && session.bound == node).count()
    }

    fn disagreement_of_services(&self) -> Option<String> {
        // An orphan's record does not say which service still has it.
        let asks = |stage: Stage| stage.is_at_service() || stage == Stage::Orphaned;
        let asking = self.attempts.iter().filter(|(_, attempt)| asks(attempt.stage)).count();
        let served: usize = self.services.iter().map(Station::present).sum();
        let present = served + self.stores.iter().map(|store| store.unanswered.len()).sum::<usize>();
        (asking != present).then(|| format!("{asking} ask a service, but all services have {present}"))
    }

    fn disagreement_of_sessions(&self) -> Option<String> {
        let waiting = self.attempts.iter().filter(|(_, attempt)| attempt.stage == Stage::InLine).count();
        if waiting != self.balancers.in_line() {
            return Some(format!("{waiting} wait in line, but all lines have {}", self.balancers.in_line()));
        }
        for (index, session) in self.sessions.iter().enumerate() {
            let mut next = session.attempt.some().filter(|_| session.is_live());
            while let Some(id) = next {
                if self.attempts[id].session.index() != index {
                    return Some(format!("session {index} waits for {:?}", self.attempts[id]));
                }
                next = self.attempts[id].sibling.some();
            }
        }
        None
    }
}
