//! How much may a store hold, and what if that is not enough?
//!
//! With `memory_max` it holds so many bytes of session state, `size` of the population for each entry and nothing on
//! top. An entry goes when its session ends, and when the store loses it. A write that would add one beyond the limit
//! fails under `noeviction`; under `lru` the sessions used least recently are thrown out for it, and are lost. To use is
//! to read or to write; what a near cache answers does not reach the store. Sources: redis.io, *Key eviction*
//! (`maxmemory`, `maxmemory-policy`, default `noeviction`); memcached(1), `-m` (64 megabytes) and `-M`. Redis takes the
//! least recently used of five at random and memcached one of a segment; this is the exact order.

use super::Rules;
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId, PopulationId, SessionId};
use crate::base::time::Instant;
use crate::cluster::Sim;
use crate::cluster::state::Lru;
use crate::observe::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a store does when its memory is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Eviction {
    /// It refuses what would add to it.
    #[default]
    Noeviction,
    /// It throws out what was used least recently.
    Lru,
}

/// How much a store may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// In bytes.
    pub max: u64,
    /// What becomes of more.
    pub eviction: Eviction,
}

impl Rules {
    /// What the store holds, if that is limited: the sessions, by the slots of their records. Nothing yet.
    pub fn holds(&self) -> Option<Lru<()>> {
        self.memory.map(|memory| Lru::new(memory.max))
    }
}

impl Sim<'_> {
    /// A store is about to write what an attempt brings; `false` when it has no room for it.
    #[inline]
    pub(in crate::cluster) fn takes_in(&mut self, now: Instant, id: AttemptId, store: usize) -> bool {
        if self.stores[store].held.is_none() {
            return true;
        }
        let population = self.attempts[id].population;
        self.whose(id).some().is_none_or(|session| self.makes_room(now, population, session, store))
    }

    #[inline(never)]
    fn makes_room(&mut self, now: Instant, population: PopulationId, session: SessionId, store: usize) -> bool {
        let size = self.plan.populations[population.index()].state.size;
        let Some((memory, held)) = self.memory_of(store) else { return true };
        if memory.eviction == Eviction::Noeviction && held.get(session.0).is_none() && !held.fits(size) {
            return false;
        }
        let mut evicted = Vec::new();
        held.put(session.0, size, (), |session| evicted.push(SessionId(session)));
        for session in evicted {
            let population = self.sessions[session].population;
            if self.keepers[population.index()].expire(session) {
                self.recorder.note(now, Fact::Lost { population, session, cause: Cause::StoreEvicted });
            }
        }
        self.note_store_memory(now);
        true
    }

    /// A session that was there before the run began has written its state to its store, if it has one, and been served by
    /// `node`. As many as fit are there; under `noeviction` the others have never been, under `lru` they were lost before.
    pub(in crate::cluster) fn write_at_first(&mut self, population: PopulationId, session: SessionId, node: NodeId) {
        let fits = self.has_room_at_first(population, session);
        let store = self.plan.populations[population.index()].state.store;
        let evicts = store.and_then(|store| Some(self.memory_of(store)?.0.eviction == Eviction::Lru));
        if fits || evicts == Some(true) {
            self.keepers[population.index()].written(Instant::START, session);
        }
        if !fits {
            self.keepers[population.index()].expire(session);
        } else if self.plan.populations[population.index()].state.is_near() {
            self.fill_near(Instant::START, (population, session), node, false);
        }
    }

    fn has_room_at_first(&mut self, population: PopulationId, session: SessionId) -> bool {
        let state = &self.plan.populations[population.index()].state;
        let Some((_, held)) = state.store.and_then(|store| self.memory_of(store)) else { return true };
        if !held.fits(state.size) {
            return false;
        }
        held.put(session.0, state.size, (), |_| {});
        self.note_store_memory(Instant::START);
        true
    }

    fn memory_of(&mut self, store: usize) -> Option<(Memory, &mut Lru<()>)> {
        let memory = self.plan.services[store].rules.as_ref()?.memory?;
        Some((memory, self.stores[store].held.as_mut()?))
    }

    /// A store has read a session's state, or looked for it.
    #[inline]
    pub(in crate::cluster) fn used_in_store(&mut self, session: SessionId, store: usize) {
        if let Some(held) = &mut self.stores[store].held {
            held.touch(session.0);
        }
    }

    /// A session's state is gone from the store: it is over, or was lost.
    #[inline]
    pub(in crate::cluster) fn gone_from_store(&mut self, now: Instant, population: PopulationId, session: SessionId) {
        if let Some(store) = self.plan.populations[population.index()].state.store
            && let Some(held) = &mut self.stores[store].held
        {
            held.remove(session.0);
            self.note_store_memory(now);
        }
    }

    pub(in crate::cluster) fn note_store_memory(&mut self, now: Instant) {
        let bytes = self.stores.iter().filter_map(|store| store.held.as_ref()).map(Lru::taken).sum();
        self.recorder.note(now, Fact::StoreMemory { bytes });
    }

    /// Whether what stores hold by their books on memory is what they hold by those on state.
    pub(in crate::cluster) fn disagreement_of_stores(&self) -> Option<String> {
        let limited = self.stores.iter().enumerate().filter_map(|(store, state)| Some((store, state.held.as_ref()?)));
        limited.into_iter().find_map(|(store, held)| {
            let (mut entries, mut bytes) = (0, 0);
            for (session, record) in (0..).map(SessionId).zip(self.sessions.iter()) {
                let state = &self.plan.populations[record.population.index()].state;
                let keeper = &self.keepers[record.population.index()];
                if record.is_live() && state.store == Some(store) && keeper.has(session) {
                    (entries, bytes) = (entries + 1, bytes + state.size);
                }
            }
            let kept = (held.count(), held.taken());
            (kept != (entries, bytes))
                .then(|| format!("store {store} holds {entries} of {bytes}, by its books {kept:?}"))
        })
    }
}
