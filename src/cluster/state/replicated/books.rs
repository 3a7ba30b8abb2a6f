//! Who owns which session, who has its latest writes, and which copies are still to be made?
//!
//! Every node draws a number for every session (rendezvous hashing: Thaler, Ravishankar, IEEE/ACM ToN 6, 1998), and the
//! `copies` highest of those that listen own it, the highest first. When one leaves, no session changes owners but its own.

use super::super::{Gone, Keep, Look, Toll, Visit};
use super::Rules;
use crate::base::cause::Cause;
use crate::base::draw::{Stream, mix};
use crate::base::id::{NodeId, SessionId};
use crate::base::time::Instant;
use rand::Rng;
use std::collections::{BTreeMap, VecDeque};

/// What one session's copies are like.
#[derive(Debug, Default)]
struct Entry {
    // What its ranks are drawn by; also tells it from another session in the same slot.
    key: u64,
    // Those that hold a copy, the highest rank first.
    owners: Vec<NodeId>,
    // When writes were acknowledged that the first owner has and others may not have.
    recent: VecDeque<Instant>,
    // The first of those made the state: whoever lacks it has nothing.
    is_young: bool,
    without: Without,
}

/// Why a session has no copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Without {
    /// It is new.
    #[default]
    New,
    /// It was lost.
    Lost,
    /// It was lost, and the client knows.
    Told,
}

#[derive(Clone, Copy, Debug, Default)]
struct Member {
    is_up: bool,
    // What its ranks are drawn by.
    key: u64,
    // How often it has come or gone: keys the times of rebalances, and tells one life from another.
    changes: u32,
    copies: usize,
}

/// Copies that are to be made.
#[derive(Debug)]
enum Task {
    /// One more for each of these (slot, key), which have lost one.
    Replace(Vec<(u32, u64)>),
    /// Those that this node should have, if this is still its life.
    Share(NodeId, u32),
}

/// Who owns which session.
#[derive(Debug)]
pub struct Replicated {
    rules: Rules,
    ranks: Stream,
    times: Stream,
    // By slot.
    entries: Vec<Entry>,
    members: Vec<Member>,
    // By when they are due, then by age.
    tasks: BTreeMap<(Instant, u64), Task>,
    tasks_ever: u64,
    // Sessions that have a copy, but fewer than they should.
    thin: u64,
}

impl Replicated {
    /// Nobody listens, and there are no sessions. `name` is the population's.
    pub fn new(rules: &Rules, seed: u64, name: &str) -> Replicated {
        Replicated {
            rules: rules.clone(),
            ranks: Stream::new(seed, "owners", name),
            times: Stream::new(seed, "rebalance", name),
            entries: Vec::new(),
            members: Vec::new(),
            tasks: BTreeMap::new(),
            tasks_ever: 0,
            thin: 0,
        }
    }

    fn entry(&mut self, session: SessionId) -> &mut Entry {
        if session.index() >= self.entries.len() {
            self.entries.resize_with(session.index() + 1, Entry::default);
        }
        &mut self.entries[session.index()]
    }

    fn rank(&self, key: u64, node: NodeId) -> (u64, NodeId) {
        (mix(key ^ self.members[node.index()].key), node)
    }

    fn up(&self) -> impl Iterator<Item = NodeId> {
        (0..).map(NodeId).zip(&self.members).filter(|(_, member)| member.is_up).map(|(node, _)| node)
    }

    /// Gives a session the owners that it should have now.
    fn place(&mut self, slot: usize) {
        let key = self.entries[slot].key;
        let mut ranked: Vec<_> = self.up().map(|node| self.rank(key, node)).collect();
        ranked.sort_unstable_by(|a, b| b.cmp(a));
        ranked.truncate(self.rules.copies);
        for &(_, node) in &ranked {
            self.members[node.index()].copies += 1;
        }
        self.change_owners(slot, |owners| owners.extend(ranked.iter().map(|&(_, node)| node)));
    }

    /// Changes a session's owners, and with them the number of those that have too few.
    fn change_owners(&mut self, slot: usize, change: impl FnOnce(&mut Vec<NodeId>)) {
        let copies = self.rules.copies;
        let is_thin = |owners: &[NodeId]| u64::from((1..copies).contains(&owners.len()));
        let owners = &mut self.entries[slot].owners;
        self.thin -= is_thin(owners);
        change(owners);
        self.thin += is_thin(owners);
    }

    /// Copies a session's state to `node`; whoever is one too many throws his copy away. All have its latest writes then.
    fn copy_to(&mut self, slot: usize, node: NodeId, toll: &mut Toll) {
        let entry = &self.entries[slot];
        let rank = self.rank(entry.key, node);
        let place = entry.owners.partition_point(|&owner| self.rank(entry.key, owner) > rank);
        let is_full = entry.owners.len() == self.rules.copies;
        let mut gone = None;
        self.change_owners(slot, |owners| {
            owners.insert(place, node);
            gone = owners.pop_if(|_| is_full);
        });
        self.members[node.index()].copies += 1;
        toll.touched.push(node);
        if let Some(gone) = gone {
            self.members[gone.index()].copies -= 1;
            toll.touched.push(gone);
        }
        toll.copied += 1;
        self.settle(slot);
    }

    /// Whoever holds a copy of a session has all of its writes.
    fn settle(&mut self, slot: usize) {
        let entry = &mut self.entries[slot];
        entry.recent.clear();
        entry.is_young = false;
    }

    /// The node that should hold a session's state, and has the highest rank of those that do not.
    fn next_owner(&self, slot: usize) -> Option<NodeId> {
        let Entry { key, owners, .. } = &self.entries[slot];
        self.up().filter(|node| !owners.contains(node)).max_by_key(|&node| self.rank(*key, node))
    }

    /// Whether `node` should own a session, and does not yet.
    fn is_due(&self, slot: usize, node: NodeId) -> bool {
        let Entry { key, owners, .. } = &self.entries[slot];
        let rank = self.rank(*key, node);
        let higher = self.up().filter(|&other| self.rank(*key, other) > rank).count();
        !owners.is_empty() && !owners.contains(&node) && higher < self.rules.copies
    }

    fn plan(&mut self, now: Instant, node: NodeId, task: Task) {
        let changes = u64::from(self.members[node.index()].changes);
        let takes = self.rules.rebalance.duration(&mut self.times.at(u64::from(node.0), changes));
        self.tasks.insert((now + takes, self.tasks_ever), task);
        self.tasks_ever += 1;
    }

    /// Forgets the writes that all owners have by now.
    fn catch_up(entry: &mut Entry, now: Instant, rules: &Rules) {
        while entry.recent.front().is_some_and(|&oldest| oldest + rules.lag <= now) {
            entry.recent.pop_front();
            entry.is_young = false;
        }
    }

    /// One owner of a session is gone: what was acknowledged and has not left it is lost.
    fn lose_copy(&mut self, now: Instant, slot: usize, place: usize, toll: &mut Toll) {
        let session = slot as u32;
        Replicated::catch_up(&mut self.entries[slot], now, &self.rules);
        self.change_owners(slot, |owners| {
            owners.remove(place);
        });
        if place == 0 {
            let entry = &self.entries[slot];
            toll.writes_lost.extend(entry.recent.iter().map(|_| (session, Cause::Lagging)));
            if entry.is_young {
                toll.touched.extend(&entry.owners);
                self.clear(slot);
            }
            self.settle(slot);
        }
        if self.entries[slot].owners.is_empty() {
            self.settle(slot);
            self.entries[slot].without = Without::Lost;
            toll.lost.push(session);
        }
    }

    /// All copies of a session are thrown away.
    fn clear(&mut self, slot: usize) {
        let mut gone = Vec::new();
        self.change_owners(slot, |owners| gone.append(owners));
        gone.iter().for_each(|node| self.members[node.index()].copies -= 1);
    }

    fn leave(&mut self, now: Instant, node: NodeId, toll: &mut Toll) {
        let Some(member) = self.members.get_mut(node.index()).filter(|member| member.is_up) else { return };
        (member.is_up, member.changes, member.copies) = (false, member.changes + 1, 0);
        let mut thinner = Vec::new();
        for slot in 0..self.entries.len() {
            let Some(place) = self.entries[slot].owners.iter().position(|&owner| owner == node) else { continue };
            self.lose_copy(now, slot, place, toll);
            let entry = &self.entries[slot];
            if !entry.owners.is_empty() {
                thinner.push((slot as u32, entry.key));
            }
        }
        if !thinner.is_empty() {
            self.plan(now, node, Task::Replace(thinner));
        }
    }
}

impl Keep for Replicated {
    fn look(&mut self, &Visit { now, session, node, .. }: &Visit) -> Look {
        let Some(entry) = self.entries.get_mut(session.index()) else { return Look::New };
        match entry.owners.iter().position(|&owner| owner == node) {
            None if entry.owners.is_empty() => match entry.without {
                Without::New => Look::New,
                Without::Lost => Look::Missing,
                Without::Told => Look::Told,
            },
            None => Look::Fetch,
            Some(0) => Look::Here,
            Some(_) => {
                Replicated::catch_up(entry, now, &self.rules);
                if entry.recent.is_empty() { Look::Here } else { Look::Stale }
            }
        }
    }

    /// Only a write changes anything. (A new session that comes with its state has had it for long.)
    fn keep(&mut self, &Visit { now, session, who, writes, .. }: &Visit) {
        let slot = session.index();
        let entry = self.entry(session);
        let (is_new, makes) = (entry.owners.is_empty(), writes || entry.without == Without::New);
        if is_new && makes {
            self.entries[slot].key = self.ranks.at(who, 0).next_u64();
            self.place(slot);
        }
        if writes && self.rules.copies > 1 && !self.rules.lag.is_zero() {
            let entry = &mut self.entries[slot];
            Replicated::catch_up(entry, now, &self.rules);
            // Where nobody listens there is nobody to have it.
            if !entry.owners.is_empty() {
                entry.recent.push_back(now);
                entry.is_young |= is_new;
            }
        }
    }

    fn tell(&mut self, session: SessionId) {
        self.entry(session).without = Without::Told;
    }

    fn forget_node(&mut self, now: Instant, node: NodeId, _: Gone, toll: &mut Toll) {
        self.leave(now, node, toll);
    }

    fn node_leaves(&mut self, now: Instant, node: NodeId, toll: &mut Toll) {
        self.leave(now, node, toll);
    }

    fn node_listens(&mut self, now: Instant, node: NodeId) {
        if node.index() >= self.members.len() {
            let names = self.ranks;
            let named = (self.members.len() as u64..=u64::from(node.0))
                .map(|id| Member { key: names.at(id, 1).next_u64(), ..Member::default() });
            self.members.extend(named);
        }
        let member = &mut self.members[node.index()];
        (member.is_up, member.changes) = (true, member.changes + 1);
        let changes = member.changes;
        if !self.entries.is_empty() {
            self.plan(now, node, Task::Share(node, changes));
        }
    }

    fn due(&self) -> Instant {
        self.tasks.first_key_value().map_or(Instant::NEVER, |(&(due, _), _)| due)
    }

    fn pass(&mut self, now: Instant, toll: &mut Toll) {
        while self.due() <= now {
            match self.tasks.pop_first().expect("one is due").1 {
                Task::Replace(sessions) => {
                    for (slot, key) in sessions.into_iter().map(|(slot, key)| (slot as usize, key)) {
                        let entry = &self.entries[slot];
                        let is_thin = (1..self.rules.copies).contains(&entry.owners.len());
                        let next = if entry.key == key && is_thin { self.next_owner(slot) } else { None };
                        if let Some(node) = next {
                            self.copy_to(slot, node, toll);
                        }
                    }
                }
                Task::Share(node, life) => {
                    let Member { is_up, changes, .. } = self.members[node.index()];
                    for slot in (0..self.entries.len()).filter(|_| is_up && changes == life) {
                        if self.is_due(slot, node) {
                            self.copy_to(slot, node, toll);
                        }
                    }
                }
            }
        }
        toll.touched.sort_unstable();
        toll.touched.dedup();
    }

    fn expire(&mut self, session: SessionId) -> bool {
        let had = !self.entry(session).owners.is_empty();
        if had {
            self.clear(session.index());
            self.settle(session.index());
            self.entries[session.index()].without = Without::Lost;
        }
        had
    }

    fn copies(&self, node: NodeId) -> usize {
        self.members.get(node.index()).map_or(0, |member| member.copies)
    }

    fn holders(&self, session: SessionId, nodes: &mut Vec<NodeId>) {
        nodes.extend(self.entries.get(session.index()).into_iter().flat_map(|entry| &entry.owners));
    }

    fn thin(&self) -> u64 {
        self.thin
    }

    fn end(&mut self, session: SessionId) {
        if session.index() < self.entries.len() {
            self.clear(session.index());
            self.settle(session.index());
            self.entries[session.index()].without = Without::New;
        }
    }
}

#[cfg(test)]
mod tests;
