//! A node has not taken an attempt, or has failed it: is it tried again, where, and after what pause?
//!
//! The rules are HAProxy's, which contain those of the other products: up to `retries` further tries; one that
//! stays on its node waits `retry_pause` when the connection was refused (the same result is likely), and does not
//! wait when it had timed out; one that may leave goes at once, and waits only where nobody else is eligible.
//! Which may leave: with `redispatch`, the retries it names; every retry, where nothing binds the session and
//! `balance` is no hash (any node will do as well); and every retry of a node that is out of the view by now.
//! Sources: haproxy 2.6 `back_handle_st_cer` (`src/backend.c`), `stream_choose_redispatch`
//! (`include/haproxy/stream.h`); the waits were measured (E2 and E5b in `docs/fidelity.md`).
//!
//! NGINX (`proxy_next_upstream`): `redispatch = true`, `retry_avoid = "tried"`. Envoy (`retry_on`, `num_retries`):
//! `redispatch = true` and `retry_backoff`. ALB and kube-proxy: `retries = 0`.

use crate::base::cause::Cause;
use crate::base::id::NodeId;
use crate::base::time::Duration;
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which retries leave the node that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Redispatch {
    /// All of them (HAProxy `option redispatch 1`), or none.
    All(bool),
    /// Some, by name.
    Named(Named),
    /// Some, by number.
    Counted(Counted),
}

/// Retries by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// Only the last one (HAProxy's bare `option redispatch`).
    Last,
    /// Only those of attempts that nothing binds to the node (Traefik's retries pass the cookie by no less).
    Unbound,
}

/// Retries by number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Every so many retries (HAProxy `option redispatch 2`); ≥ 1.
    Every(u32),
    /// The retry so many before the end: 1 is the last one (HAProxy `option redispatch -2`); ≥ 1.
    Last(u32),
}

impl Default for Redispatch {
    fn default() -> Redispatch {
        Redispatch::All(false)
    }
}

impl Redispatch {
    /// Whether any retry may leave.
    pub fn is_on(self) -> bool {
        self != Redispatch::All(false)
    }

    /// Whether the `n`-th of at most `retries` leaves, 1 ≤ n ≤ retries, even where something binds the session.
    fn breaks(self, n: u32, retries: u32) -> bool {
        let last = |before: u32| (retries + 1).checked_sub(before).is_some_and(|every| n.is_multiple_of(every));
        match self {
            Redispatch::All(all) => all,
            Redispatch::Named(Named::Last) => last(1),
            Redispatch::Named(Named::Unbound) => false,
            Redispatch::Counted(Counted::Every(every)) => n.is_multiple_of(every),
            Redispatch::Counted(Counted::Last(before)) => last(before),
        }
    }
}

/// Both ways to count, of which one is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    every: Option<u32>,
    last: Option<u32>,
}

struct RedispatchVisitor;

impl<'de> Visitor<'de> for RedispatchVisitor {
    type Value = Redispatch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, \"last\", \"unbound\", { every = 2 } or { last = 2 }")
    }
    fn visit_bool<E: de::Error>(self, all: bool) -> Result<Redispatch, E> {
        Ok(Redispatch::All(all))
    }
    fn visit_str<E: de::Error>(self, name: &str) -> Result<Redispatch, E> {
        match name {
            "last" => Ok(Redispatch::Named(Named::Last)),
            "unbound" => Ok(Redispatch::Named(Named::Unbound)),
            other => Err(E::unknown_variant(other, &["last", "unbound"])),
        }
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Redispatch, A::Error> {
        let Numbers { every, last } = Numbers::deserialize(MapAccessDeserializer::new(map))?;
        match (every, last) {
            (Some(every), None) => Ok(Redispatch::Counted(Counted::Every(every))),
            (None, Some(last)) => Ok(Redispatch::Counted(Counted::Last(last))),
            _ => {
                Err(de::Error::custom("redispatch counts in one way\nhint: write either { every = 2 } or { last = 2 }"))
            }
        }
    }
}

// By hand, since an untagged enum would hide the place and the reason of an error.
impl<'de> Deserialize<'de> for Redispatch {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Redispatch, D::Error> {
        from.deserialize_any(RedispatchVisitor)
    }
}

/// What is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Failing {
    /// A connection that the node did not take: refused, timed out, or one too many.
    Connect,
    /// A request that the node had in hand when its process died.
    Reset,
    /// A request that was not answered within `server_timeout`.
    Timeout,
    /// An error that the node answers with (502, 503).
    Error,
}

impl Failing {
    /// What a failure with this cause is; `None` when it is nothing that a balancer tries again.
    pub fn of(cause: Cause) -> Option<Failing> {
        match cause {
            Cause::Refused | Cause::DeregistrationRace | Cause::ConnectTimeout | Cause::ConnectionLimit => {
                Some(Failing::Connect)
            }
            Cause::Reset | Cause::OutOfMemory | Cause::Restart | Cause::DrainTimeout | Cause::ScaleIn => {
                Some(Failing::Reset)
            }
            Cause::NoAnswer => Some(Failing::Timeout),
            Cause::BadAnswer
            | Cause::BadVersion
            | Cause::QueueFull
            | Cause::AcceptFull
            | Cause::StoreFull
            | Cause::RebuildFull => Some(Failing::Error),
            Cause::StoreDown | Cause::StoreTimeout | Cause::StoreMemory => Some(Failing::Error),
            _ => None,
        }
    }
}

/// Whom a retry that leaves does not meet again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Avoid {
    /// Nobody: the pick may fall on the same node (Envoy without a host predicate).
    None,
    /// The node that failed last, if there is another (HAProxy).
    #[default]
    Last,
    /// Every node that has failed the request; when all have, it fails (NGINX).
    Tried,
}

/// How an attempt has failed.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// Where.
    pub node: NodeId,
    /// For the how manyeth time, ≥ 1.
    pub n: u32,
    /// Why.
    pub cause: Cause,
    /// Whether something binds the session to that node.
    pub is_bound: bool,
}

/// What follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// The client is answered with an error.
    Fail,
    /// The same node is tried again after this pause; the attempt keeps its place there.
    Same(Duration),
    /// The attempt gives up its place, and a node is picked anew after this pause.
    Elsewhere(Duration),
}

/// What the rules depend on besides the failure.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Which retries leave.
    pub redispatch: Redispatch,
    /// How many there are.
    pub retries: u32,
    /// The pause before the same node is tried again.
    pub pause: Duration,
    /// Whether the choice of a node depends on the session alone.
    pub is_hash: bool,
    /// Whether more than one node is eligible.
    pub others: bool,
    /// Whether the node that failed is out of the view.
    pub is_down: bool,
    /// Whether it is not known any more.
    pub is_removed: bool,
}

impl Rules {
    /// What follows from a failure that is of a kind to be tried again.
    pub fn next(&self, failure: &Failure) -> Next {
        if failure.n > self.retries {
            return Next::Fail;
        }
        let any_will_do = !failure.is_bound && self.others && !self.is_hash;
        let breaks = self.redispatch.breaks(failure.n, self.retries);
        let leaves = self.is_removed || self.redispatch.is_on() && (self.is_down || breaks || any_will_do);
        // Whoever has waited for a timeout has waited enough.
        let pause = match failure.cause {
            Cause::Refused | Cause::DeregistrationRace | Cause::ConnectionLimit => self.pause,
            _ => Duration::ZERO,
        };
        match leaves {
            true if self.others => Next::Elsewhere(Duration::ZERO),
            true => Next::Elsewhere(pause),
            false => Next::Same(pause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What HAProxy does with refusals, one after the other, until it leaves or fails: its pauses.
    fn course(redispatch: &str, is_bound: bool, is_hash: bool, others: bool) -> Vec<Next> {
        let redispatch: Redispatch =
            toml::from_str::<toml::Table>(&format!("x = {redispatch}")).unwrap()["x"].clone().try_into().unwrap();
        let rules = Rules { redispatch, retries: 3, pause: SECOND, is_hash, others, is_down: false, is_removed: false };
        let mut course = Vec::new();
        for n in 1..=4 {
            let next = rules.next(&Failure { node: NodeId(0), n, cause: Cause::Refused, is_bound });
            course.push(next);
            if !matches!(next, Next::Same(_)) {
                break;
            }
        }
        course
    }

    const STAY: Next = Next::Same(SECOND);
    const LEAVE: Next = Next::Elsewhere(Duration::ZERO);

    #[test]
    fn a_refused_connection_stays_or_leaves_as_measured() {
        // Measured: 3.0 s then 503; 2.0 s then elsewhere; at once.
        assert_eq!(course("false", false, false, true), [STAY, STAY, STAY, Next::Fail]);
        assert_eq!(course("\"last\"", true, false, true), [STAY, STAY, LEAVE]);
        assert_eq!(course("\"last\"", false, true, true), [STAY, STAY, LEAVE]);
        assert_eq!(course("\"last\"", false, false, true), [LEAVE]);
        assert_eq!(course("{ every = 2 }", true, false, true), [STAY, LEAVE]);
        assert_eq!(course("{ last = 2 }", true, false, true), [STAY, LEAVE]);
        assert_eq!(course("true", true, true, true), [LEAVE]);
        assert_eq!(course("\"unbound\"", true, false, true), [STAY, STAY, STAY, Next::Fail]);
        assert_eq!(course("\"unbound\"", false, false, true), [LEAVE]);
    }

    #[test]
    fn where_nobody_else_is_it_waits_before_it_picks_anew() {
        assert_eq!(course("true", false, false, false), [Next::Elsewhere(SECOND)]);
        assert_eq!(course("\"last\"", false, false, false), [STAY, STAY, Next::Elsewhere(SECOND)]);
    }

    #[test]
    fn a_node_that_is_out_of_the_view_by_now_is_left_and_a_timeout_needs_no_pause() {
        let redispatch = Redispatch::Named(Named::Last);
        let rules = Rules {
            redispatch,
            retries: 3,
            pause: SECOND,
            is_hash: false,
            others: true,
            is_down: true,
            is_removed: false,
        };
        let failure = Failure { node: NodeId(0), n: 1, cause: Cause::Refused, is_bound: true };
        assert_eq!(rules.next(&failure), LEAVE);
        let rules = Rules { is_down: false, ..rules };
        assert_eq!(rules.next(&Failure { cause: Cause::ConnectTimeout, ..failure }), Next::Same(Duration::ZERO));
    }
}
