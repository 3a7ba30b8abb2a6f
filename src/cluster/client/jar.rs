//! What does a client hold in its hand? Cookies of which more must be known than the node that served the session
//! last: how long they are good, and whom they name if replies do not rewrite them.
//!
//! A side table by session slot, which stays empty where cookies are plain.

use crate::base::id::{NodeId, SessionId};
use crate::base::prefetch::prefetch;
use crate::base::time::Instant;
use crate::cluster::balancer::affinity::cookie::Params;

#[derive(Clone, Copy, Debug)]
struct Cookie {
    node: NodeId,
    // It is heeded before this, whatever is done with it.
    ends: Instant,
    // It is heeded before this, unless it is used until then.
    until: Instant,
}

const NO_COOKIE: Cookie = Cookie { node: NodeId::NONE, ends: Instant::START, until: Instant::START };

/// The cookies of all sessions.
#[derive(Debug, Default)]
pub struct Jar(Vec<Cookie>);

impl Jar {
    /// Hints that a session's will be needed soon.
    #[inline]
    pub fn fetch(&self, session: SessionId) {
        prefetch(&self.0, session.index());
    }

    /// A session begins without one.
    pub fn empty(&mut self, session: SessionId) {
        *self.slot(session) = NO_COOKIE;
    }

    /// A session has one that names `node` and ends then.
    pub fn put(&mut self, now: Instant, session: SessionId, node: NodeId, ends: Instant, rules: &Params) {
        *self.slot(session) = Cookie { node, ends, until: rules.idle_until(now).min(ends) };
    }

    /// The node in the cookie, if it is still heeded.
    pub fn shown(&self, now: Instant, session: SessionId) -> Option<NodeId> {
        let cookie = self.0.get(session.index()).filter(|cookie| now < cookie.until)?;
        cookie.node.some()
    }

    /// `node` has answered a request that was sent then.
    pub fn answered(&mut self, now: Instant, session: SessionId, node: NodeId, sent: Instant, rules: &Params) {
        match self.shown(sent, session) {
            Some(named) if named == node || !rules.rewrite => {
                let ends = self.0[session.index()].ends;
                self.put(now, session, named, ends, rules);
            }
            _ => self.put(now, session, node, rules.ends(now), rules),
        }
    }

    fn slot(&mut self, session: SessionId) -> &mut Cookie {
        if session.index() >= self.0.len() {
            self.0.resize(session.index() + 1, NO_COOKIE);
        }
        &mut self.0[session.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Duration;

    const ME: SessionId = SessionId(3);
    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);

    fn at(secs: u64) -> Instant {
        Instant::START + Duration::from_secs(secs)
    }

    /// Shows the cookie at these times; `node` answers at once.
    fn shown(rules: &Params, node: impl Fn(u64) -> NodeId, times: &[u64]) -> Vec<Option<NodeId>> {
        let mut jar = Jar::default();
        jar.empty(ME);
        let ask = |&secs: &u64| {
            let cookie = jar.shown(at(secs), ME);
            jar.answered(at(secs), ME, node(secs), at(secs), rules);
            cookie
        };
        times.iter().map(ask).collect()
    }

    fn secs(secs: u64) -> Option<Duration> {
        Some(Duration::from_secs(secs))
    }

    #[test]
    fn an_absolute_life_is_not_prolonged_by_use() {
        let rules = Params { life_max: secs(10), ..Params::default() };
        let seen = shown(&rules, |_| A, &[0, 5, 9, 10, 19, 20]);
        assert_eq!(seen, [None, Some(A), Some(A), None, Some(A), None]);
    }

    #[test]
    fn a_sliding_one_is_and_ends_when_it_is_not_used() {
        let rules = Params { idle_max: secs(10), ..Params::default() };
        let seen = shown(&rules, |_| A, &[0, 9, 18, 27, 37]);
        assert_eq!(seen, [None, Some(A), Some(A), Some(A), None]);
    }

    #[test]
    fn with_both_the_earlier_counts() {
        let rules = Params { life_max: secs(25), idle_max: secs(10), ..Params::default() };
        let seen = shown(&rules, |_| A, &[0, 9, 18, 24, 25]);
        assert_eq!(seen, [None, Some(A), Some(A), Some(A), None]);
    }

    #[test]
    fn another_node_rewrites_it_or_does_not() {
        // B stands in for A at 5 s.
        let node = |secs| if secs == 5 { B } else { A };
        let rewritten = Params { life_max: secs(10), ..Params::default() };
        assert_eq!(shown(&rewritten, node, &[0, 5, 14]), [None, Some(A), Some(B)], "and lives for ten seconds more");
        let kept = Params { rewrite: false, ..rewritten };
        assert_eq!(shown(&kept, node, &[0, 5, 9, 10]), [None, Some(A), Some(A), None]);
    }

    #[test]
    fn one_that_was_good_when_the_request_was_sent_is_not_set_anew() {
        let rules = Params { life_max: secs(10), ..Params::default() };
        let mut jar = Jar::default();
        jar.answered(at(0), ME, A, at(0), &rules);
        jar.answered(at(12), ME, A, at(9), &rules);
        assert_eq!(jar.shown(at(12), ME), None);
    }
}
