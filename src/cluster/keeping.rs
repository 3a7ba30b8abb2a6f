//! What dealing with session state costs, and what becomes of it when nobody asks for it: with a node, or with a store.

use super::Sim;
use super::request::Attempt;
use super::state::{Gone, Keep, Toll};
use crate::base::cause::Cause;
use crate::base::dist::Sampler;
use crate::base::draw::Stream;
use crate::base::id::{AttemptId, NodeId, PopulationId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::observe::Fact;

impl Sim<'_> {
    /// Session state goes over the network with an attempt.
    pub(super) fn carry(&mut self, now: Instant, id: AttemptId) {
        let Attempt { population, writes, .. } = self.attempts[id];
        let bytes = self.plan.populations[population.index()].state.carried(writes);
        if bytes > 0 {
            self.recorder.note(now, Fact::Carried { population, bytes });
        }
    }

    /// What dealing with the state of its session costs, beside the request itself.
    #[inline(never)]
    pub(super) fn care(&self, id: AttemptId) -> Duration {
        let Attempt { who, request, population, writes, is_near, .. } = self.attempts[id];
        let Some(care) = &self.plan.populations[population.index()].state.care else { return Duration::ZERO };
        let streams = &self.streams[population.index()];
        let costs = |law: &Option<Sampler>, stream: Stream| {
            law.as_ref().map_or(Duration::ZERO, |law| law.duration(&mut stream.at(who, u64::from(request))))
        };
        // What is near is an object already.
        let reads = if is_near { Duration::ZERO } else { costs(&care.read, streams.state_read) };
        if writes { reads + costs(&care.write, streams.state_write) } else { reads }
    }

    /// A node's process has ended: what it alone had in its memory, or on its host, is lost.
    pub(super) fn lose_memory(&mut self, now: Instant, node: NodeId, cause: Cause) {
        let gone = if cause == Cause::HostLoss { Gone::Host } else { Gone::Process };
        self.each_keeper(now, cause, |keeper, toll| keeper.forget_node(now, node, gone, toll));
    }

    /// A node has been taken away for good.
    pub(super) fn lose_host(&mut self, now: Instant, node: NodeId, cause: Cause) {
        self.each_keeper(now, cause, |keeper, toll| keeper.node_leaves(now, node, toll));
    }

    fn each_keeper(&mut self, now: Instant, cause: Cause, mut change: impl FnMut(&mut dyn Keep, &mut Toll)) {
        for index in 0..self.keepers.len() {
            self.change_keeper(now, index, cause, &mut change);
        }
    }

    /// Lets one population's state change, and counts what that costs: losses are put down to `cause`.
    pub(super) fn change_keeper(
        &mut self,
        now: Instant,
        index: usize,
        cause: Cause,
        change: impl FnOnce(&mut dyn Keep, &mut Toll),
    ) {
        let population = PopulationId(index as u16);
        let mut toll = std::mem::take(&mut self.toll);
        change(self.keepers[index].as_mut(), &mut toll);
        for session in toll.lost.drain(..).map(SessionId) {
            self.recorder.note(now, Fact::Lost { population, session, cause });
        }
        for (_, cause) in toll.writes_lost.drain(..) {
            self.recorder.note(now, Fact::WriteLost { population, cause });
        }
        self.toll = toll;
    }
}
