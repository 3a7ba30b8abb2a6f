//! Who is asking? What keys a client's draws, and what follows from its name alone: how busy it is, its
//! address, the hashes that a balancer sees.

use super::{Population, Streams};
use crate::base::time::{Duration, Instant};
use crate::cluster::balancer::affinity::cookie;
use crate::cluster::balancer::balance::{Ask, Asker, Key};
use crate::cluster::session::Session;
use rand::{Rng, RngExt};

/// Sessions that were there from the start have names of their own, so that their number does not shift the
/// draws of those that arrive.
pub const INITIAL_BIT: u64 = 1 << 63;

/// Visits of a closed population are named by client and number.
pub const CLOSED_BIT: u64 = 1 << 62;

/// The name of a visit in a closed population; `client` < 2³⁰.
pub const fn visit(client: u32, number: u32) -> u64 {
    CLOSED_BIT | (client as u64) << 32 | number as u64
}

/// Client and number of a visit; `None` when `who` is not one of a closed population.
pub const fn client_of(who: u64) -> Option<(u32, u32)> {
    if who & CLOSED_BIT == 0 {
        return None;
    }
    Some(((who >> 32) as u32 & 0x3fff_ffff, who as u32))
}

/// A session's place in the order in which they come: those of a closed client one after the other.
pub const fn turn(who: u64) -> u64 {
    match client_of(who) {
        Some((client, number)) => client as u64 + number as u64,
        None => who & !INITIAL_BIT,
    }
}

/// What names the client: the session itself, or in a closed population whatever its visits share.
const fn person(who: u64) -> u64 {
    match client_of(who) {
        Some((client, _)) => visit(client, 0),
        None => who,
    }
}

/// One session of a population, as the balancer is told of it.
pub struct Caller<'a> {
    /// Its population.
    pub people: &'a Population,
    /// The draws of the population.
    pub streams: &'a Streams,
    /// Its name.
    pub who: u64,
}

impl<'a> Caller<'a> {
    /// On behalf of `session`.
    #[inline]
    pub fn new(people: &'a [Population], streams: &'a [Streams], session: &Session) -> Caller<'a> {
        let population = session.population.index();
        Caller { people: &people[population], streams: &streams[population], who: session.who }
    }

    /// When the cookie of a session that was there from the start ends: as if it had been set at any time that
    /// lets it be good now, so that those of all sessions do not end together.
    pub fn cookie_ends(&self, rules: &cookie::Params) -> Instant {
        let Some(life) = rules.life_max else { return Instant::NEVER };
        let left = self.streams.cookie.at(self.who, 0).random_range(1..=life.as_nanos());
        Instant::START + Duration::from_nanos(left)
    }

    /// What an algorithm is asked.
    pub fn ask(&'a self) -> Ask<'a> {
        Ask { asker: self, avoid: None, room: None, is_canary: false }
    }
}

impl Asker for Caller<'_> {
    fn hash_of(&self, key: Key) -> u64 {
        let Caller { people, streams, who } = *self;
        match key {
            Key::Session => streams.key.at(who, 0).next_u64(),
            Key::Address => people.addresses.of(streams, person(who)),
            Key::Header => streams.header.at(who, 0).next_u64(),
        }
    }
}

impl Population {
    /// The gap after a session's `nth` request, or after its reply; `None` when it asks nothing.
    #[inline(always)]
    pub fn pause(&self, streams: &Streams, who: u64, nth: u32) -> Option<Duration> {
        let gap = self.gap()?;
        let mut draw = streams.think.at(who, u64::from(nth));
        Some(match &self.activity {
            None => gap.duration(&mut draw),
            Some(_) => Duration::from_nanos_f64(gap.sample(&mut draw) / self.activity_of(streams, who)),
        })
    }

    /// What is left of the gap that a session is in at a random moment; `None` when it asks nothing.
    pub fn rest_of_pause(&self, streams: &Streams, who: u64) -> Option<Duration> {
        let rest = self.gap()?.sample_residual(&mut streams.think.at(who, 0));
        Some(Duration::from_nanos_f64(rest / self.activity_of(streams, who)))
    }

    /// How often a client asks, relative to the others: its gaps are divided by it. Mean 1.
    fn activity_of(&self, streams: &Streams, who: u64) -> f64 {
        self.activity.as_ref().map_or(1.0, |law| law.sample(&mut streams.activity.at(person(who), 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_is_named_by_client_and_number() {
        for who in [visit(0, 0), visit(7, 3), visit((1 << 30) - 1, u32::MAX)] {
            let (client, number) = client_of(who).unwrap();
            assert_eq!(visit(client, number), who);
            assert_eq!(client_of(who | INITIAL_BIT), Some((client, number)));
            assert_eq!(person(who | INITIAL_BIT), visit(client, 0));
        }
        assert_eq!(client_of(5), None);
        assert_eq!(person(5 | INITIAL_BIT), 5 | INITIAL_BIT);
    }
}
