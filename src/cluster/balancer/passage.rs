//! How does an attempt get past the balancer: to a node, into a line, or nowhere?

use super::balance::Ask;
use super::line::Queue;
use super::persist::honours;
use super::retry::{Avoid, Failing, Failure, Next, Rules};
use super::view::Admin;
use super::{Balancer, Route};
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId};

impl Balancer {
    /// The route of a new attempt, for which affinity proposes a node or does not.
    #[inline(always)]
    pub fn route(&mut self, ask: &Ask, proposal: Option<NodeId>) -> Route {
        match proposal {
            Some(node) if !self.honours(node) && self.is_strict_about(node) => Route::Refuse(Cause::NodeDown),
            Some(node) if !self.honours(node) => self.decide(ask),
            Some(node) if self.room.is_full(node) => self.route_to_full(ask, node),
            Some(node) => Route::To(node),
            None => self.decide(ask),
        }
    }

    /// Whether a session that is bound to `node` fails where it is not sent there; one whose node is not known any more
    /// is bound to nothing.
    fn is_strict_about(&self, node: NodeId) -> bool {
        self.spec.strict && self.view.admin(node) != Admin::Removed
    }

    /// Whether a session that is bound to `node` is sent there.
    #[inline(always)]
    fn honours(&self, node: NodeId) -> bool {
        let (admin, weight) = (self.view.admin(node), self.members[node.index()].weight);
        if self.view.takes_bound(node) {
            return admin == Admin::Ready && weight > 0 || honours(&self.spec.persist, admin, weight, true);
        }
        let is_up = admin == Admin::Maint && self.view.is_up(node);
        honours(&self.spec.persist, admin, weight, is_up)
    }

    /// The route of a session that is bound to `node`, all of whose places are taken.
    #[cold]
    fn route_to_full(&mut self, ask: &Ask, node: NodeId) -> Route {
        if self.spec.strict && self.spec.wait().is_none() {
            return Route::Refuse(Cause::NoRoom);
        }
        if self.spec.wait().is_none() {
            return self.decide(ask);
        }
        match self.line_up(node) {
            // HAProxy leaves the node then only where it may leave a node at all.
            Route::Refuse(_) if self.spec.redispatch.is_on() => self.decide(ask),
            route => route,
        }
    }

    fn line_up(&self, node: NodeId) -> Route {
        if self.room.is_line_full(node) { Route::Refuse(Cause::NoRoom) } else { Route::Wait(node) }
    }

    fn decide(&mut self, ask: &Ask) -> Route {
        if !self.room.is_limited() {
            return self.balance.pick(ask).map_or(Route::Refuse(Cause::NoNode), Route::To);
        }
        let line_tells = self.spec.balance.0.passes_over_full() && self.lines.head(NodeId::NONE).is_some();
        if line_tells && self.eligible > 0 {
            return Route::Wait(NodeId::NONE);
        }
        match self.balance.pick(&Ask { room: Some(&self.room), ..*ask }) {
            Some(node) if self.room.is_full(node) && self.spec.wait().is_some() => self.line_up(node),
            Some(node) => Route::To(node),
            None if self.eligible > 0 => Route::Wait(NodeId::NONE),
            None => Route::Refuse(self.why_nobody()),
        }
    }

    /// Why no node is eligible.
    fn why_nobody(&self) -> Cause {
        let is_passed_over = |node| self.view.takes_new(node) && self.is_passed_over(node);
        let any = self.members.iter().any(|member| is_passed_over(member.id));
        if any { Cause::NoRoom } else { Cause::NoNode }
    }

    /// Whether `node` is passed over since all its places are taken.
    #[inline]
    pub(super) fn is_passed_over(&self, node: NodeId) -> bool {
        self.room.is_limited() && self.room.is_taken(node) && matches!(self.spec.queue.0, Queue::None(_))
    }

    /// What follows from a failure of an attempt that has a place at its node.
    pub fn next(&self, failure: &Failure) -> Next {
        let is_tried = Failing::of(failure.cause).is_some_and(|what| self.spec.retry_on.contains(&what));
        if !is_tried {
            return Next::Fail;
        }
        let rules = Rules {
            redispatch: self.spec.redispatch,
            retries: self.spec.retries,
            pause: self.spec.retry_pause.min(self.spec.connect_timeout),
            is_hash: self.spec.balance.0.binds(),
            others: self.eligible > 1,
            is_down: !self.view.takes_bound(failure.node),
            is_removed: self.view.admin(failure.node) == Admin::Removed,
        };
        rules.next(failure)
    }

    /// The route of an attempt that leaves the nodes which have `failed` it, the last of them for `cause`.
    pub fn route_elsewhere(&mut self, ask: &Ask, failed: &[NodeId], cause: Cause) -> Route {
        match self.spec.retry_avoid {
            Avoid::None => self.decide(ask),
            Avoid::Last => self.decide(&Ask { avoid: failed.last().copied(), ..*ask }),
            Avoid::Tried => self.route_without(ask, failed, cause),
        }
    }

    /// The route to a node that is none of `failed`, however often others would have to be asked.
    fn route_without(&mut self, ask: &Ask, failed: &[NodeId], cause: Cause) -> Route {
        let out: Vec<NodeId> = failed.iter().copied().filter(|&node| self.is_eligible(node)).collect();
        // To avoid one is what every algorithm can, and leaves turns and tables as they are.
        if let &[one] = &out[..]
            && self.eligible > 1
            && !self.room.is_limited()
            && let Route::To(other) = self.decide(&Ask { avoid: Some(one), ..*ask })
            && other != one
        {
            return Route::To(other);
        }
        out.iter().for_each(|&node| self.balance.left(node));
        let eligible = self.eligible;
        self.eligible -= out.len() as u32;
        let route = self.decide(ask);
        self.eligible = eligible;
        out.iter().for_each(|&node| self.balance.joined(self.member(node)));
        match route {
            Route::Refuse(_) => Route::Refuse(cause),
            route => route,
        }
    }

    /// How many attempts and connections it believes to have at `node`.
    pub fn in_flight(&self, node: NodeId) -> u32 {
        self.room.at(node)
    }

    /// How many attempts stand in its lines.
    pub fn in_line(&self) -> usize {
        self.lines.len()
    }

    /// An attempt takes a place at `node`.
    #[inline(always)]
    pub fn sent(&mut self, node: NodeId) {
        self.room.enter(node);
        self.balance.load(node, self.room.load(node));
        if self.room.is_limited() {
            self.shift(node);
        }
    }

    /// An attempt gives up its place at `node`.
    #[inline(always)]
    pub fn done(&mut self, node: NodeId) {
        self.room.leave(node);
        self.balance.load(node, self.room.load(node));
        if self.room.is_limited() {
            self.shift(node);
        }
        self.stir(node);
    }

    /// Those in line will be looked at on account of `node`.
    #[inline]
    pub(super) fn stir(&mut self, node: NodeId) {
        if !self.lines.is_empty() {
            self.stirred.push_back(node);
        }
    }

    /// The next node on whose account those in line are to be looked at.
    pub fn stirred(&mut self) -> Option<NodeId> {
        self.stirred.pop_front()
    }

    /// `attempt` joins the line of `node`, or the common one when it is none.
    pub fn join_line(&mut self, attempt: AttemptId, node: NodeId) {
        self.lines.join(attempt, node, &mut self.room);
        self.reload(node);
    }

    /// `attempt` leaves the line that it stands in.
    pub fn leave_line(&mut self, attempt: AttemptId) {
        if let Some(node) = self.lines.leave(attempt, &mut self.room) {
            self.reload(node);
        }
    }

    /// Those in a node's line count for the algorithm as if they were there (haproxy `src/lb_fwlc.c`).
    fn reload(&mut self, node: NodeId) {
        if let Some(node) = node.some() {
            self.balance.load(node, self.room.load(node));
        }
    }

    /// The next of those in line that has no reason to wait any longer: its node is out of the view and will not
    /// be insisted on, or nobody is eligible. It is to be routed anew.
    pub fn next_astray(&self, node: NodeId) -> Option<AttemptId> {
        let own = || self.lines.head(node).filter(|_| self.turns_away(node));
        let common = || self.lines.head(NodeId::NONE).filter(|_| self.eligible == 0);
        own().or_else(common).map(|(_, attempt)| attempt)
    }

    /// Whether those in the line of `node` are balanced anew (haproxy `pendconn_redistribute`): in maintenance
    /// always, when it is down if they may leave it and nothing insists on it.
    fn turns_away(&self, node: NodeId) -> bool {
        let insists = self.spec.persist.contains(&super::persist::Persist::Down);
        let leaves = self.spec.redispatch.is_on() && !insists;
        let admin = self.view.admin(node);
        let is_out = !self.view.takes_bound(node) && !self.view.takes_new(node);
        matches!(admin, Admin::Maint | Admin::Removed) || leaves && is_out
    }

    /// The next of those in line for which `node` has a place.
    pub fn next_in_line(&self, node: NodeId) -> Option<AttemptId> {
        if self.room.is_taken(node) {
            return None;
        }
        self.lines.next(node, self.is_eligible(node))
    }
}

#[cfg(test)]
mod tests {
    use super::super::balance::tests::{ask, member};
    use super::super::balance::{self, Algorithm};
    use super::super::pools::Pools;
    use super::super::view::Word;
    use super::super::view::active::Outcome;
    use super::super::{Spec, retry};
    use super::*;
    use crate::base::choice::Choice;
    use crate::base::time::Instant;

    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);
    const NOBODY: NodeId = NodeId::NONE;

    /// Two nodes behind a balancer with these keys.
    fn balancer(keys: &str) -> Balancer {
        let spec: Spec = toml::from_str(keys).expect(keys);
        Balancer::new(&spec, vec![member(0), member(1)], &[], 1, "lb1")
    }

    /// An operator's word on A.
    fn hear(balancer: &mut Balancer, word: Word) {
        balancer.say(Instant::START, A, word);
        balancer.pass(Instant::START);
    }

    /// The same, and the first of the nodes is down.
    fn without_a(keys: &str) -> Balancer {
        let mut balancer = balancer(keys);
        (0..3).for_each(|_| _ = balancer.checked(Instant::START, A, Outcome::Failed));
        balancer
    }

    #[test]
    fn a_session_whose_node_is_down_is_balanced_anew_unless_told_otherwise() {
        assert_eq!(without_a("").route(&ask(0), Some(A)), Route::To(B));
        assert_eq!(without_a("redispatch = true").route(&ask(0), Some(A)), Route::To(B));
        assert_eq!(without_a("persist = [\"down\"]").route(&ask(0), Some(A)), Route::To(A));
        assert_eq!(without_a("strict = true").route(&ask(0), Some(A)), Route::Refuse(Cause::NodeDown));
    }

    #[test]
    fn an_operators_word_is_heeded_for_those_that_are_bound_as_far_as_persist_says() {
        for (keys, drained, zero, maint) in
            [("", A, A, B), ("persist = []", B, B, B), ("persist = [\"drained\", \"maint\"]", A, A, A)]
        {
            let mut balancer = balancer(keys);
            hear(&mut balancer, Word::Admin(Admin::Drain));
            assert_eq!(balancer.route(&ask(0), Some(A)), Route::To(drained), "{keys}");
            hear(&mut balancer, Word::Admin(Admin::Maint));
            assert_eq!(balancer.route(&ask(0), Some(A)), Route::To(maint), "{keys}");
            hear(&mut balancer, Word::Admin(Admin::Ready));
            hear(&mut balancer, Word::Weight(0));
            assert_eq!(balancer.route(&ask(0), Some(A)), Route::To(zero), "{keys}");
            assert!((0..9).all(|key| balancer.route(&ask(key), None) == Route::To(B)), "nobody new");
            hear(&mut balancer, Word::Weight(3));
            let new = (0..40).filter(|&key| balancer.route(&ask(key), None) == Route::To(A)).count();
            assert_eq!(new, 30, "three in four by weight");
        }
    }

    #[test]
    fn a_node_that_is_down_keeps_its_place_and_one_that_is_taken_away_does_not() {
        let spec: Spec = toml::from_str("balance = \"nginx_hash\"").unwrap();
        let moved = |leave: fn(&mut Balancer)| {
            let mut balancer = Balancer::new(&spec, (0..10).map(member).collect(), &[], 1, "lb1");
            let homes = |balancer: &mut Balancer| -> Vec<Route> {
                (0..1_000).map(|key| balancer.route(&ask(key), None)).collect()
            };
            let before = homes(&mut balancer);
            leave(&mut balancer);
            before.iter().zip(homes(&mut balancer)).filter(|(was, is)| *was != is).count()
        };
        let down = moved(|balancer| hear(balancer, Word::Admin(Admin::Maint)));
        assert!((60..140).contains(&down), "its own tenth: {down} of 1,000");
        let drained: fn(&mut Balancer) = |balancer| {
            hear(balancer, Word::Admin(Admin::Drain));
            hear(balancer, Word::Admin(Admin::Removed));
        };
        for away in [drained, |balancer| hear(balancer, Word::Admin(Admin::Removed)), |balancer| balancer.hold_back(A)]
        {
            let moved = moved(away);
            assert!((850..950).contains(&moved), "nine of ten: {moved} of 1,000");
        }
    }

    #[test]
    fn a_node_that_is_taken_away_binds_nobody_and_is_left_at_once() {
        let mut balancer = balancer("strict = true\npersist = [\"drained\", \"maint\", \"down\"]");
        hear(&mut balancer, Word::Admin(Admin::Removed));
        assert_eq!(balancer.route(&ask(0), Some(A)), Route::To(B));
        let failure = Failure { node: A, n: 1, cause: Cause::Refused, is_bound: true };
        assert!(matches!(balancer.next(&failure), Next::Elsewhere(_)));
    }

    #[test]
    fn a_retry_that_leaves_avoids_the_last_or_all_or_nobody() {
        let cause = Cause::Refused;
        let mut last = balancer("redispatch = true\nbalance = \"first\"");
        assert_eq!(last.route_elsewhere(&ask(0), &[A], cause), Route::To(B));
        assert_eq!(last.route_elsewhere(&ask(0), &[A, B], cause), Route::To(A));
        let mut tried = balancer("redispatch = true\nbalance = \"first\"\nretry_avoid = \"tried\"");
        assert_eq!(tried.route_elsewhere(&ask(0), &[A], cause), Route::To(B));
        assert_eq!(tried.route_elsewhere(&ask(0), &[A, B], cause), Route::Refuse(cause));
        assert_eq!(tried.route(&ask(0), None), Route::To(A), "the others are as before");
        let mut none = balancer("redispatch = true\nbalance = \"first\"\nretry_avoid = \"none\"");
        assert_eq!(none.route_elsewhere(&ask(0), &[A], cause), Route::To(A));
    }

    #[test]
    fn a_retry_leaves_the_turns_of_whom_it_avoids_as_they_were() {
        // A refuses everybody and is not taken out. Of all turns, those of retries included, a quarter is its own.
        for avoid in ["last", "tried"] {
            let spec: Spec = toml::from_str(&format!("redispatch = true\nretry_avoid = \"{avoid}\"")).expect(avoid);
            let mut balancer = Balancer::new(&spec, (0..4).map(member).collect(), &[], 1, "lb1");
            let mut refused = 0;
            for _ in 0..300 {
                if balancer.route(&ask(0), None) == Route::To(A) {
                    refused += 1;
                    assert_ne!(balancer.route_elsewhere(&ask(0), &[A], Cause::Refused), Route::To(A));
                }
            }
            assert!((99..=101).contains(&refused), "{avoid}: {refused} of 400");
        }
    }

    #[test]
    fn only_what_retry_on_names_is_tried_again() {
        let failure = |cause| Failure { node: A, n: 1, cause, is_bound: false };
        let next = |keys: &str, cause| balancer(keys).next(&failure(cause));
        assert_eq!(next("", Cause::Reset), retry::Next::Fail);
        assert_ne!(next("retry_on = [\"reset\"]", Cause::Reset), retry::Next::Fail);
        assert_eq!(next("retry_on = [\"reset\"]", Cause::Refused), retry::Next::Fail);
        assert_eq!(next("retry_on = [\"error\"]", Cause::SessionUnknown), retry::Next::Fail);
        for (what, causes) in [
            ("connect", &[Cause::Refused, Cause::ConnectTimeout, Cause::ConnectionLimit] as &[Cause]),
            ("reset", &[Cause::Reset, Cause::OutOfMemory, Cause::Restart, Cause::DrainTimeout, Cause::ScaleIn]),
            ("timeout", &[Cause::NoAnswer]),
            (
                "error",
                &[
                    Cause::BadAnswer,
                    Cause::BadVersion,
                    Cause::QueueFull,
                    Cause::AcceptFull,
                    Cause::StoreFull,
                    Cause::RebuildFull,
                ],
            ),
            ("error", &[Cause::StoreDown, Cause::StoreTimeout, Cause::StoreMemory]),
        ] {
            let keys = format!("retry_on = [\"{what}\"]");
            causes.iter().for_each(|&cause| assert_ne!(next(&keys, cause), retry::Next::Fail, "{what}: {cause:?}"));
        }
    }

    /// One place per node, both taken.
    fn full(keys: &str) -> Balancer {
        let mut balancer = balancer(&format!("in_flight_max = 1\n{keys}"));
        [A, B].into_iter().for_each(|node| balancer.sent(node));
        balancer
    }

    #[test]
    fn where_all_places_are_taken_the_bound_wait_for_their_node_and_the_others_for_any() {
        for (name, algorithm) in balance::tests::every() {
            let mut balancer = full("");
            balancer.balance = Pools::new(&algorithm, 1, "lb1");
            for (node, n) in [(A, 0), (B, 1)] {
                balancer.balance.joined(member(n));
                balancer.balance.load(node, 1);
            }
            balancer.spec.balance = Choice(algorithm.clone());
            assert_eq!(balancer.route(&ask(0), Some(A)), Route::Wait(A), "{name}");
            let new = balancer.route(&ask(0), None);
            let is_own = matches!(new, Route::Wait(A | B));
            assert!(if Algorithm::binds(&algorithm) { is_own } else { new == Route::Wait(NOBODY) }, "{name}: {new:?}");
        }
    }

    #[test]
    fn a_full_line_is_left_with_redispatch_and_fails_without() {
        let bound = |keys: &str| full(keys).route(&ask(0), Some(A));
        assert_eq!(bound("queue = { wait = { max = 0 } }"), Route::Refuse(Cause::NoRoom));
        assert_eq!(bound("queue = { wait = { max = 0 } }\nredispatch = \"last\""), Route::Wait(NOBODY));
    }

    #[test]
    fn without_a_queue_full_nodes_are_passed_over_and_nobody_waits() {
        let mut balancer = balancer("in_flight_max = 1\nqueue = \"none\"");
        balancer.sent(A);
        assert_eq!(balancer.route(&ask(0), Some(A)), Route::To(B));
        assert_eq!(balancer.route(&ask(0), None), Route::To(B));
        balancer.sent(B);
        assert_eq!(balancer.route(&ask(0), None), Route::Refuse(Cause::NoRoom));
        balancer.done(A);
        assert_eq!(balancer.route(&ask(0), Some(B)), Route::To(A));
    }

    #[test]
    fn those_in_line_leave_a_node_that_is_out_if_they_may() {
        for (keys, leaves) in [("", false), ("redispatch = \"last\"", true)] {
            let mut balancer = full(keys);
            balancer.join_line(AttemptId(5), A);
            assert_eq!(balancer.next_astray(A), None);
            (0..3).for_each(|_| _ = balancer.checked(Instant::START, A, Outcome::Failed));
            assert_eq!(balancer.next_astray(A).is_some(), leaves, "{keys}");
            hear(&mut balancer, Word::Admin(Admin::Maint));
            assert_eq!(balancer.next_astray(A), Some(AttemptId(5)), "maintenance turns everybody away");
        }
    }

    #[test]
    fn a_node_that_takes_nobody_new_serves_its_own_line_only() {
        let mut balancer = full("");
        balancer.join_line(AttemptId(1), NOBODY);
        balancer.join_line(AttemptId(2), A);
        hear(&mut balancer, Word::Admin(Admin::Drain));
        balancer.done(A);
        assert_eq!(balancer.next_in_line(A), Some(AttemptId(2)));
        balancer.leave_line(AttemptId(2));
        assert_eq!(balancer.next_in_line(A), None);
        hear(&mut balancer, Word::Admin(Admin::Ready));
        assert_eq!(balancer.next_in_line(A), Some(AttemptId(1)));
    }
}
