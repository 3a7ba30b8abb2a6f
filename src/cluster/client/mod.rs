//! Who are the clients? Populations: how they arrive, how long they stay, what they ask for, when they leave.
//!
//! Everything a client decides is drawn from a stream keyed by what it is for, the population's name and the
//! session's ordinal, so that every variant faces the same people.

pub mod reconnect;

use super::balancer::affinity::Affinity;
use super::state::Place;
use crate::base::dist::Sampler;
use crate::base::draw::{Draw, Stream};
use crate::base::time::Duration;
use rand_distr::{Distribution, Exp1};
use reconnect::Backoff;

/// A class of clients, ready to run.
#[derive(Clone, Debug)]
pub struct Population {
    /// Its name in the scenario.
    pub name: String,
    /// Sessions that arrive (1/s); zero for none.
    pub rate: f64,
    /// Sessions present at the start.
    pub initial: u64,
    /// How long a visit lasts.
    pub length: Length,
    /// Gap between a reply and the next request.
    pub think: Sampler,
    /// Service demand of a request.
    pub service: Sampler,
    /// Share of requests that write the session's state; in [0, 1].
    pub write_ratio: f64,
    /// How long a client waits for a reply; `None` for ever.
    pub request_timeout: Option<Duration>,
    /// Further attempts of a failed request, each after its wait.
    pub retry: Option<Retry>,
    /// Spaces further requests of a session that was cut off.
    pub reconnect: Backoff,
    /// Failed requests in a row after which a client gives up; `None` for never.
    pub give_up_after: Option<u32>,
    /// Whether a node stops working for a client that has left.
    pub cancels: bool,
    /// What binds its sessions to nodes.
    pub affinity: Affinity,
    /// Where its sessions' state lives.
    pub state: Place,
}

/// When a visit is over.
#[derive(Clone, Debug)]
pub enum Length {
    /// Never within the run.
    Forever,
    /// After this time.
    Time(Sampler),
    /// After this many requests (rounded, at least one).
    Requests(Sampler),
}

/// Further attempts of the same request.
#[derive(Clone, PartialEq, Debug)]
pub struct Retry {
    /// How many, beyond the first.
    pub attempts: u32,
    /// The wait before each.
    pub backoff: Backoff,
}

/// The streams of one population under one seed.
#[derive(Clone, Debug)]
pub struct Streams {
    /// Gaps between arrivals, by ordinal.
    pub arrival: Stream,
    /// Length of the visit.
    pub length: Stream,
    /// Gaps before requests.
    pub think: Stream,
    /// Service demands.
    pub service: Stream,
    /// Whether a request writes.
    pub write: Stream,
    /// Waits before coming back.
    pub reconnect: Stream,
    /// Waits between attempts.
    pub retry: Stream,
    /// Service demand of rebuilds.
    pub rebuild: Stream,
    /// Store reads.
    pub store_read: Stream,
    /// Store writes.
    pub store_write: Stream,
    /// Service demand of being let in.
    pub handshake: Stream,
    /// Keys that hashing sees.
    pub key: Stream,
}

impl Streams {
    /// The streams of the population called `name`.
    pub fn new(seed: u64, name: &str) -> Streams {
        let stream = |purpose| Stream::new(seed, purpose, name);
        Streams {
            arrival: stream("arrival"),
            length: stream("length"),
            think: stream("think"),
            service: stream("service"),
            write: stream("write"),
            reconnect: stream("reconnect"),
            retry: stream("retry"),
            rebuild: stream("rebuild"),
            store_read: stream("store read"),
            store_write: stream("store write"),
            handshake: stream("handshake"),
            key: stream("key"),
        }
    }
}

/// Sessions that were there from the start have ordinals of their own, so that their number does not shift
/// the draws of those that arrive.
pub const INITIAL_BIT: u64 = 1 << 63;

/// The gap before the arrival with this ordinal, of a Poisson process of `rate` per second.
pub fn arrival_gap(rate: f64, streams: &Streams, ordinal: u64) -> Duration {
    let unit: f64 = Exp1.sample(&mut streams.arrival.at(ordinal, 0));
    Duration::from_nanos_f64(unit / rate * 1e9)
}

/// A draw's uniform value decides a yes or no question.
pub fn happens(probability: f64, draw: &mut Draw) -> bool {
    use rand::RngExt;
    probability >= 1.0 || draw.random::<f64>() < probability
}
