//! What must be known of a service before its first scenario can be written, and which scenario is that?
//!
//! A handful of questions, each with a default, so that no answer is needed. What comes out is a text for people: two
//! designs, a crash, a rolling deploy and limits, every line with its meaning.

mod questions;
mod text;

pub use questions::{QUESTIONS, Question};
pub use text::text;

use super::presets::Preset;
use crate::base::time::Duration;

/// How clients talk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Talk {
    /// Short HTTP.
    Http,
    /// HTTP over connections that are used again.
    Keepalive,
    /// WebSocket, server-sent events, gRPC streams.
    Websocket,
}

/// Where session state lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Home {
    /// In the memory of a node.
    Memory,
    /// On the disk of a host.
    Disk,
    /// In the memory of several nodes.
    Replicated,
    /// In a cache of a node, which can be filled again.
    Cache,
    /// In a shared store.
    Store,
    /// In a token that the client brings.
    Token,
    /// Nowhere.
    None,
}

impl Home {
    /// Whether a session should come back to its node.
    pub fn sticks(self) -> bool {
        matches!(self, Home::Memory | Home::Disk | Home::Replicated | Home::Cache)
    }
}

/// The answers.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Users online at once; ≥ 1.
    pub users: u64,
    /// How long a visit lasts on average.
    pub session: Duration,
    /// From a reply to the user's next request, on average.
    pub think: Duration,
    /// Work of a request on a node, on average.
    pub service: Duration,
    /// Work of making lost state anew.
    pub rebuild: Duration,
    /// Nodes; `None` for as many as are 60 % busy, at least three.
    pub nodes: Option<u32>,
    /// Requests that a node works on at once.
    pub workers: u32,
    /// How clients talk.
    pub talk: Talk,
    /// Where state lives.
    pub home: Home,
    /// The client library, if it is one that is known.
    pub client: Option<&'static Preset>,
    /// The balancer, if it is one that is known.
    pub balancer: Option<&'static Preset>,
    /// The store, if it is one that is known.
    pub store: Option<&'static Preset>,
    /// The 99th percentile of response time that was agreed on.
    pub limit: Duration,
    /// How long a node that is deployed waits for its sessions.
    pub drain: Duration,
    /// Nodes that a deploy takes away at once; `None` for so many that it takes at most eight turns.
    pub at_once: Option<u32>,
}

impl Default for Draft {
    fn default() -> Draft {
        let second = Duration::from_secs(1);
        Draft {
            users: 2_000,
            session: second * 1_200,
            think: second * 10,
            service: Duration::from_nanos_f64(20e6),
            rebuild: Duration::from_nanos_f64(50e6),
            nodes: None,
            workers: 8,
            talk: Talk::Http,
            home: Home::Memory,
            client: None,
            balancer: None,
            store: None,
            limit: Duration::from_nanos_f64(250e6),
            drain: second * 30,
            at_once: None,
        }
    }
}

/// Nodes are to be so busy, where their number is not given.
const BUSY: f64 = 0.6;
/// A deploy takes so many turns at most, unless told otherwise.
const TURNS: u32 = 8;
/// Requests that all runs together should not exceed by far: some fifteen seconds of work.
const REQUESTS: f64 = 12e6;

impl Draft {
    /// Requests per second of all users.
    pub fn rate(&self) -> f64 {
        self.users as f64 / (self.think.as_secs_f64() + self.service.as_secs_f64())
    }

    /// Slots that they keep busy.
    pub fn busy(&self) -> f64 {
        self.rate() * self.service.as_secs_f64()
    }

    /// How many nodes.
    pub fn node_count(&self) -> u32 {
        self.nodes.unwrap_or_else(|| (self.busy() / f64::from(self.workers) / BUSY).ceil().max(3.0) as u32)
    }

    /// Busy share of their slots.
    pub fn utilisation(&self) -> f64 {
        self.busy() / (f64::from(self.node_count()) * f64::from(self.workers))
    }

    /// How many nodes a deploy takes away at once.
    pub fn outs(&self) -> u32 {
        self.at_once.unwrap_or_else(|| self.node_count().div_ceil(TURNS))
    }

    /// How long a run lasts: a crash after 3 min, a deploy after 7, a minute to come to rest.
    fn duration(&self) -> Duration {
        let turns = self.node_count().div_ceil(self.outs().max(1));
        let roll = (self.drain + Duration::from_secs(10)) * u64::from(turns);
        let all = Duration::from_secs(480) + roll;
        let minute = Duration::from_secs(60);
        minute * all.as_nanos().div_ceil(minute.as_nanos())
    }

    /// How many seeds: 20, fewer where a run is long, and at least five.
    fn seeds(&self) -> u32 {
        let of_run = self.rate() * self.duration().as_secs_f64() * 2.0;
        (REQUESTS / of_run).clamp(5.0, 20.0) as u32
    }

    /// Whether any of the two designs has a store.
    pub fn has_store(&self) -> bool {
        self.home.sticks() || self.home == Home::Store
    }

    /// What does not go together: (the flag, what is wrong, how to mend it).
    pub fn faults(&self) -> Vec<(&'static str, String, String)> {
        let mut faults = Vec::new();
        if let Some(client) = self.client {
            let streams = client.name != "aws-sdk";
            let (is_wrong, mend) = match streams {
                true => (self.talk != Talk::Websocket, "write --protocol websocket, or leave --client out"),
                false => (self.talk == Talk::Websocket, "write --protocol keepalive, or leave --client out"),
            };
            if is_wrong {
                let how = if streams { "keeps a stream open" } else { "opens no streams" };
                faults.push((
                    "client",
                    format!("{} {how}, and these clients do not talk so", client.name),
                    mend.into(),
                ));
            }
        }
        if self.store.is_some() && !self.has_store() {
            let message = "neither of the two designs has a store when state is in a token or nowhere";
            faults.push(("store", message.into(), "leave --store out, or write --state store or memory".into()));
        }
        let (nodes, outs) = (self.node_count(), self.outs());
        if outs >= nodes {
            let message = format!("a deploy that takes {outs} of {nodes} nodes away at once leaves nobody");
            faults.push(("at-once", message, format!("write --at-once {}, or fewer", nodes - 1)));
        }
        let slots = f64::from(nodes) * f64::from(self.workers);
        if self.busy() >= slots {
            let enough = Draft { nodes: None, ..self.clone() }.node_count();
            let message = format!("these users keep {:.1} slots busy, and there are {slots}", self.busy());
            faults.push(("nodes", message, format!("write --nodes {enough}, more --workers, or leave --nodes out")));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_as_many_as_are_sixty_percent_busy_unless_given() {
        // 6,000 users ÷ 10.02 s · 20 ms = 11.98 slots; ÷ 8 ÷ 0.6 = 2.5 nodes.
        let draft = Draft { users: 6_000, ..Draft::default() };
        assert_eq!(draft.node_count(), 3);
        assert_eq!(Draft { users: 60_000, ..Draft::default() }.node_count(), 25);
        assert_eq!(Draft { users: 1, ..Draft::default() }.node_count(), 3);
    }

    #[test]
    fn a_deploy_takes_at_most_eight_turns() {
        for nodes in 2..200 {
            let draft = Draft { nodes: Some(nodes), ..Draft::default() };
            assert!(nodes.div_ceil(draft.outs()) <= 8 && draft.outs() < nodes);
        }
    }

    #[test]
    fn everything_that_does_not_go_together_is_told_at_once() {
        let mut draft =
            Draft { users: 100_000, nodes: Some(2), at_once: Some(2), home: Home::Token, ..Draft::default() };
        draft.client = super::super::presets::CLIENTS.first();
        draft.store = super::super::presets::STORES.first();
        let flags: Vec<&str> = draft.faults().into_iter().map(|(flag, ..)| flag).collect();
        assert_eq!(flags, ["client", "store", "at-once", "nodes"]);
    }
}
