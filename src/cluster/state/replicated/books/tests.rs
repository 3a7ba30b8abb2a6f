//! Do the books of replicated state agree with what can be told of each version by hand?

use super::*;
use crate::base::dist::Law;
use crate::base::time::Duration;
use crate::cluster::state::tests::visit;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;

fn at(secs: u64) -> Instant {
    Instant::START + Duration::from_secs(secs)
}

fn rules(copies: usize, lag: u64, rebalance: u64) -> Rules {
    let rebalance = Law::constant(Duration::from_secs(rebalance)).compile(Path::new("")).expect("a constant");
    Rules { copies, lag: Duration::from_secs(lag), rebalance }
}

/// Books of so many nodes that were always there.
fn books(rules: &Rules, nodes: u32) -> Replicated {
    let mut books = Replicated::new(rules, 1, "web");
    (0..nodes).for_each(|node| books.node_listens(Instant::START, NodeId(node)));
    books
}

fn owners(books: &Replicated, session: u32) -> Vec<NodeId> {
    let mut owners = Vec::new();
    books.holders(SessionId(session), &mut owners);
    owners
}

fn write(books: &mut Replicated, secs: u64, session: u32) {
    books.keep(&Visit { now: at(secs), writes: true, ..visit(session, 0) });
}

fn kill(books: &mut Replicated, secs: u64, node: NodeId) -> Toll {
    let mut toll = Toll::default();
    books.forget_node(at(secs), node, Gone::Process, &mut toll);
    toll
}

#[test]
fn a_session_outlives_one_owner_and_not_the_second_before_the_rebalance() {
    for (second, lost) in [(9, 1), (11, 0)] {
        let mut books = books(&rules(2, 0, 10), 4);
        books.keep(&visit(7, 0));
        let pair = owners(&books, 7);
        assert!(kill(&mut books, 0, pair[0]).lost.is_empty());
        assert_eq!((owners(&books, 7), books.thin()), (vec![pair[1]], 1));
        let mut toll = Toll::default();
        books.pass(at(second), &mut toll);
        assert_eq!(toll.copied, u64::from(lost == 0));
        assert_eq!(kill(&mut books, second, pair[1]).lost.len(), lost);
        let look = books.look(&visit(7, pair[0].0));
        assert_eq!(look, if lost == 1 { Look::Missing } else { Look::Fetch });
    }
}

#[test]
fn others_are_behind_for_the_lag_and_lose_what_they_have_not_had() {
    for (secs, behind) in [(12, true), (13, false)] {
        let mut books = books(&rules(2, 3, 60), 3);
        write(&mut books, 1, 7);
        write(&mut books, 10, 7);
        let pair = owners(&books, 7);
        let look = |books: &mut Replicated, node: NodeId| books.look(&Visit { now: at(secs), ..visit(7, node.0) });
        assert_eq!(look(&mut books, pair[0]), Look::Here);
        assert_eq!(look(&mut books, pair[1]), if behind { Look::Stale } else { Look::Here });
        let toll = kill(&mut books, secs, pair[0]);
        assert_eq!((toll.lost.len(), toll.writes_lost.len()), (0, usize::from(behind)));
        assert_eq!(look(&mut books, pair[1]), Look::Here, "nobody knows better any more");
    }
}

#[test]
fn state_that_was_made_within_the_lag_is_lost_with_the_first_owner_only() {
    for first in [true, false] {
        let mut books = books(&rules(2, 3, 60), 3);
        write(&mut books, 10, 7);
        let pair = owners(&books, 7);
        let toll = kill(&mut books, 11, pair[usize::from(!first)]);
        assert_eq!((toll.lost.len(), toll.writes_lost.len()), (usize::from(first), usize::from(first)));
        assert_eq!([0, 1, 2].map(|node| books.copies(NodeId(node))).iter().sum::<usize>(), usize::from(!first));
    }
}

#[test]
fn a_newcomer_takes_its_share_from_all_and_nothing_else_moves() {
    let mut books = books(&rules(2, 0, 10), 4);
    (0..3_000).for_each(|session| books.keep(&visit(session, 0)));
    let before: Vec<_> = (0..3_000).map(|session| owners(&books, session)).collect();
    books.node_listens(at(1), NodeId(4));
    assert_eq!(books.copies(NodeId(4)), 0);
    let mut toll = Toll::default();
    books.pass(at(11), &mut toll);
    // Two of five: 1,200 of 3,000, with a standard deviation of 27.
    assert!(toll.copied.abs_diff(1_200) < 4 * 27, "{} copies", toll.copied);
    assert_eq!(books.copies(NodeId(4)) as u64, toll.copied);
    for (session, old) in (0..).zip(before) {
        let new = owners(&books, session);
        let came: Vec<_> = new.iter().filter(|node| !old.contains(node)).collect();
        assert!(came.is_empty() || came == [&NodeId(4)], "{old:?} became {new:?}");
        assert_eq!(new.len(), 2);
    }
}

#[test]
fn the_next_user_of_a_slot_starts_anew_and_gets_no_copies_of_the_last() {
    let mut books = books(&rules(2, 0, 10), 4);
    books.keep(&visit(7, 0));
    let pair = owners(&books, 7);
    kill(&mut books, 0, pair[0]);
    books.end(SessionId(7));
    assert_eq!((books.look(&visit(7, 0)), books.thin()), (Look::New, 0));
    let mut toll = Toll::default();
    books.pass(at(10), &mut toll);
    assert_eq!((toll.copied, books.due()), (0, Instant::NEVER));
}

/// The same as a naive tale of versions: every copy has a number, every write makes a higher one, and messages bring it
/// to the others later.
#[derive(Default)]
struct Tale {
    copies: usize,
    lag: u64,
    rebalance: u64,
    up: BTreeSet<NodeId>,
    // By session: who is there, and how many of its writes each has. None is as if it had never been.
    have: BTreeMap<u32, BTreeMap<NodeId, usize>>,
    // (arrival, session, node, version)
    messages: Vec<(u64, u32, NodeId, usize)>,
    // (due, what)
    plans: Vec<(u64, Plan)>,
}

#[derive(Clone)]
enum Plan {
    Replace(Vec<u32>),
    Share(NodeId),
}

type Ranks<'a> = &'a dyn Fn(u32, NodeId) -> u64;

impl Tale {
    fn deliver(&mut self, now: u64) {
        let (arrived, under_way) = self.messages.drain(..).partition(|message| message.0 <= now);
        self.messages = under_way;
        for (_, session, node, version) in arrived as Vec<(u64, u32, NodeId, usize)> {
            if let Some(has) = self.have.get_mut(&session).and_then(|copies| copies.get_mut(&node)) {
                *has = version.max(*has);
            }
        }
    }

    fn first(&self, session: u32, ranks: Ranks) -> Option<NodeId> {
        self.have.get(&session)?.keys().copied().max_by_key(|&node| ranks(session, node))
    }

    fn best(&self, session: u32, ranks: Ranks) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = self.up.iter().copied().collect();
        nodes.sort_by_key(|&node| std::cmp::Reverse(ranks(session, node)));
        nodes.truncate(self.copies);
        nodes
    }

    fn write(&mut self, now: u64, session: u32, ranks: Ranks) {
        self.deliver(now);
        if !self.have.contains_key(&session) && !self.up.is_empty() {
            let owners = self.best(session, ranks).into_iter().map(|node| (node, 0)).collect();
            self.have.insert(session, owners);
        }
        let Some(first) = self.first(session, ranks) else { return };
        let copies = self.have.get_mut(&session).expect("it has a first");
        *copies.get_mut(&first).expect("it is one") += 1;
        let version = copies[&first];
        for &node in copies.keys().filter(|&&node| node != first) {
            self.messages.push((now + self.lag, session, node, version));
        }
        // To a copy that nobody ever has, by which the last one's writes are told from those that had the time to leave it.
        self.messages.push((now + self.lag, session, NodeId::NONE, version));
        self.deliver(now);
    }

    /// Sessions and writes that are lost.
    fn die(&mut self, now: u64, node: NodeId, ranks: Ranks) -> (Vec<u32>, usize) {
        self.deliver(now);
        self.up.remove(&node);
        let (mut lost, mut writes, mut thinner) = (Vec::new(), 0, Vec::new());
        for session in self.have.keys().copied().collect::<Vec<u32>>() {
            let was_first = self.first(session, ranks) == Some(node);
            let copies = self.have.get_mut(&session).expect("it is there");
            if copies.remove(&node).is_none() {
                continue;
            }
            if was_first {
                let of_one = |message: &&(u64, u32, NodeId, usize)| message.1 == session && message.2 == NodeId::NONE;
                writes += self.messages.iter().filter(of_one).count() * usize::from(self.copies > 1);
                self.messages.retain(|message| message.1 != session);
                copies.retain(|_, &mut has| has > 0);
            }
            if copies.is_empty() {
                self.have.remove(&session);
                lost.push(session);
            } else {
                thinner.push(session);
            }
        }
        if !thinner.is_empty() {
            self.plans.push((now + self.rebalance, Plan::Replace(thinner)));
        }
        self.plans.retain(|(_, plan)| !matches!(plan, Plan::Share(other) if *other == node));
        (lost, writes)
    }

    fn join(&mut self, now: u64, node: NodeId) {
        self.up.insert(node);
        self.plans.push((now + self.rebalance, Plan::Share(node)));
    }

    fn give(&mut self, session: u32, node: NodeId, ranks: Ranks) {
        let first = self.first(session, ranks).expect("somebody has it");
        let copies = self.have.get_mut(&session).expect("somebody has it");
        let version = copies[&first];
        copies.insert(node, 0);
        copies.values_mut().for_each(|has| *has = version);
        if copies.len() > self.copies {
            let last = copies.keys().copied().min_by_key(|&node| ranks(session, node)).expect("there are some");
            copies.remove(&last);
        }
        self.messages.retain(|message| message.1 != session);
    }

    fn pass(&mut self, now: u64, ranks: Ranks) {
        self.deliver(now);
        self.plans.sort_by_key(|plan| plan.0);
        while self.plans.first().is_some_and(|plan| plan.0 <= now) {
            match self.plans.remove(0).1 {
                Plan::Replace(sessions) => {
                    for session in sessions {
                        let Some(copies) = self.have.get(&session).filter(|copies| copies.len() < self.copies) else {
                            continue;
                        };
                        let free = self.up.iter().copied().filter(|node| !copies.contains_key(node));
                        if let Some(node) = free.max_by_key(|&node| ranks(session, node)) {
                            self.give(session, node, ranks);
                        }
                    }
                }
                Plan::Share(node) => {
                    for session in self.have.keys().copied().collect::<Vec<u32>>() {
                        if self.best(session, ranks).contains(&node) && !self.have[&session].contains_key(&node) {
                            self.give(session, node, ranks);
                        }
                    }
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn the_books_agree_with_a_naive_tale_of_versions(
        (copies, nodes, lag, rebalance) in (1usize..4, 1u32..6, 0u64..5, 0u64..30),
        steps in prop::collection::vec((0u64..6, 0u32..10, 0u32..6), 1..120),
    ) {
        let lag = if copies == 1 { 0 } else { lag };
        let mut books = books(&rules(copies, lag, rebalance), nodes);
        let names = books.ranks;
        let keys: Vec<u64> = (0..8).map(|who| names.at(who, 0).next_u64()).collect();
        let drawn: Vec<u64> = (0..6).map(|node| names.at(node, 1).next_u64()).collect();
        let ranks = |session: u32, node: NodeId| mix(keys[session as usize] ^ drawn[node.index()]);
        let up = (0..nodes).map(NodeId).collect();
        let mut tale = Tale { copies, lag, rebalance, up, ..Tale::default() };
        let mut now = 1;
        for (wait, what, which) in steps {
            // As the simulator does: what is due comes before what is later, and after what is at the same instant.
            let next = now + wait;
            for due in now..next {
                let mut toll = Toll::default();
                books.pass(at(due), &mut toll);
                tale.pass(due, &ranks);
            }
            now = next;
            let node = NodeId(which % nodes);
            match what {
                0 | 1 if tale.up.contains(&node) => {
                    let toll = kill(&mut books, now, node);
                    let (lost, writes) = tale.die(now, node, &ranks);
                    prop_assert_eq!(toll.lost, lost);
                    prop_assert_eq!(toll.writes_lost.len(), writes);
                }
                0..=2 if !tale.up.contains(&node) => {
                    books.node_listens(at(now), node);
                    tale.join(now, node);
                }
                9 => {
                    books.end(SessionId(which));
                    tale.have.remove(&which);
                    tale.messages.retain(|message| message.1 != which);
                }
                _ => {
                    write(&mut books, now, which);
                    tale.write(now, which, &ranks);
                }
            }
            for session in 0..6 {
                let have = tale.have.get(&session).cloned().unwrap_or_default();
                let nodes: BTreeSet<NodeId> = have.keys().copied().collect();
                prop_assert_eq!(owners(&books, session).into_iter().collect::<BTreeSet<_>>(), nodes);
                tale.deliver(now);
                let latest = have.values().copied().max().unwrap_or(0);
                for (&node, &has) in &tale.have.get(&session).cloned().unwrap_or_default() {
                    let look = books.look(&Visit { now: at(now), ..visit(session, node.0) });
                    prop_assert_eq!(look, if has == latest { Look::Here } else { Look::Stale });
                }
            }
            let thin = tale.have.values().filter(|have| have.len() < copies).count();
            prop_assert_eq!(books.thin(), thin as u64);
            for node in (0..nodes).map(NodeId) {
                let held = tale.have.values().filter(|have| have.contains_key(&node)).count();
                prop_assert_eq!(books.copies(node), held);
            }
        }
        // When nothing happens any more, all is as if it had always been so.
        books.pass(at(now + rebalance), &mut Toll::default());
        for &session in tale.have.keys() {
            prop_assert_eq!(owners(&books, session), tale.best(session, &ranks));
        }
    }
}
