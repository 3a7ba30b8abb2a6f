//! A stretch of time and everything that can be said of it: the row behind every table.
//!
//! A tick, an incident and a whole run are all windows; they differ only in length.

use super::cost::Bill;
use super::histogram::Quantiles;
use super::imbalance::{LOADS, Spread};
use super::incident::Shock;
use super::lines::LineFigures;
use super::nodes::Failures;
use super::services::ServiceFigures;
use super::steady::Steadiness;
use super::totals::Totals;
use crate::base::time::{Duration, Instant};

/// What one population (or all of them) did between two instants.
#[derive(Clone, Debug)]
pub struct Window {
    /// Its beginning, included.
    pub from: Instant,
    /// Its end, not included.
    pub to: Instant,
    /// What was counted within it.
    pub totals: Totals,
    /// Sessions live at its end.
    pub live: u64,
    /// Sessions cut off at its end.
    pub disconnected: u64,
    /// Requests under way at its end.
    pub in_flight: u64,
    /// Sessions at its end whose last answer came from a version other than the first.
    pub on_new: u64,
    /// Quantiles of the response times of the requests answered within it.
    pub response: Option<Quantiles>,
    /// Which figures apply.
    pub traits: Traits,
    /// What concerns the cluster as a whole; only for all populations together.
    pub cluster: Option<ClusterFigures>,
    /// Only for a window that follows a fault or change.
    pub shock: Option<Shock>,
    /// What was paid for; only for all populations together, and a whole run.
    pub bill: Option<Bill>,
    /// Whether the run had settled before anything happened; only for all populations together, and a whole run.
    pub steadiness: Option<Steadiness>,
}

/// What a population is like, as far as figures depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// Whether anything binds a session to a node: without it nothing can move.
    pub binds: bool,
    /// Whether sessions have state that can be lost.
    pub stateful: bool,
    /// Whether a rebuild service makes it anew.
    pub visits: bool,
    /// Whether reads and writes take different ways.
    pub splits: bool,
    /// Whether there is state of which copies may be behind, or lose what was written.
    pub copies: bool,
    /// Whether state is in a store.
    pub stores: bool,
    /// Whether several nodes hold copies of it.
    pub replicas: bool,
    /// Whether nodes keep what they have read from a store.
    pub near: bool,
    /// Whether connections may be ended for their age.
    pub ages: bool,
    /// Whether sessions may be asked to leave.
    pub evicts: bool,
    /// Whether a node may be told to go before balancers hear of it.
    pub races: bool,
    /// Whether any change installs a version.
    pub installs: bool,
}

impl Traits {
    /// What applies to one of the two applies to both together.
    pub fn or(self, other: &Traits) -> Traits {
        Traits {
            binds: self.binds | other.binds,
            stateful: self.stateful | other.stateful,
            visits: self.visits | other.visits,
            splits: self.splits | other.splits,
            copies: self.copies | other.copies,
            stores: self.stores | other.stores,
            replicas: self.replicas | other.replicas,
            near: self.near | other.near,
            ages: self.ages | other.ages,
            evicts: self.evicts | other.evicts,
            races: self.races | other.races,
            installs: self.installs | other.installs,
        }
    }
}

impl Window {
    /// How long it is.
    pub fn length(&self) -> Duration {
        self.to.since(self.from)
    }
}

/// What the nodes and stores did within a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClusterFigures {
    /// Ready nodes, time average.
    pub ready_mean: f64,
    /// The fewest ready nodes at any instant.
    pub ready_min: f64,
    /// Share of slots busy, mean over nodes ready at the end (a tick) or over the ticks (longer windows).
    pub utilisation_mean: Option<f64>,
    /// The same of the busiest node; in longer windows the largest tick.
    pub utilisation_max: Option<f64>,
    /// Memory ÷ limit of the node that is nearest to it; in longer windows the largest tick. Empty without a limit.
    pub memory_ratio_max: Option<f64>,
    /// Processes that were started again.
    pub restarts: u64,
    /// Processes that were killed for their memory; empty where no memory is modelled.
    pub oom_kills: Option<u64>,
    /// What faults have struck.
    pub failures: Failures,
    /// Nodes that the cluster should have, time average.
    pub wanted_mean: f64,
    /// Decisions to have more nodes, and decisions to have fewer.
    pub scalings: [u64; 2],
    /// How uneven each load was, by `Load`; in longer windows the mean over the ticks. Empty for sessions where
    /// nothing binds, and for memory where none is modelled.
    pub spreads: [Spread; LOADS],
    /// Of the lines at the balancers; `None` where there are none. In longer windows as utilisation.
    pub lines: Option<LineFigures>,
    /// Of the rebuild services; `None` when there is none. In longer windows as utilisation.
    pub rebuilders: Option<ServiceFigures>,
    /// Quantiles of the visits that they answered.
    pub rebuild_times: Option<Quantiles>,
    /// Of the stores whose operations at once are limited; `None` when there is none. In longer windows as utilisation.
    pub stores: Option<ServiceFigures>,
    /// Quantiles of the operations that stores answered.
    pub store_times: Option<Quantiles>,
    /// Time of nodes that are paid for, summed (ns).
    pub node_time: u128,
    /// That part of it in which processes of more than one version ran (ns).
    pub mixed_time: u128,
    /// Bytes in the stores whose memory is limited, time average; `None` when there is none.
    pub store_memory: Option<f64>,
}
