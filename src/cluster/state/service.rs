//! What stands beside the nodes and is visited on the path of a request: session stores, and services that make
//! missing state anew. Each has slots and a line of its own, shared by all who visit it.

use crate::base::dist::Sampler;
use crate::base::time::Duration;
use crate::cluster::store::Rules;

/// A service beside the nodes, ready to run.
#[derive(Clone, Debug)]
pub struct Service {
    /// What it does.
    pub does: Does,
    /// Visits that it works on at once.
    pub concurrency: u32,
    /// Visits that may wait.
    pub queue_max: u32,
    /// Whether requests hold their slot on the node meanwhile.
    pub holds_slot: bool,
    /// How a store fails and comes back; `None` for one that never fails.
    pub rules: Option<Box<Rules>>,
    /// The place in the plan of the replicas that answer reads instead of it; `None` where it does so itself.
    pub reads_at: Option<usize>,
    /// Of replicas: how far they are behind their primary; `None` for everything else.
    pub behind: Option<Duration>,
}

impl Service {
    /// How many visits it works on at once; `None` for any number.
    pub fn slots(&self) -> Option<u32> {
        Some(self.concurrency).filter(|_| self.is_limited())
    }

    /// Whether it works on so many visits at once and no more.
    #[inline]
    pub fn is_limited(&self) -> bool {
        self.concurrency < u32::MAX
    }

    /// How many instances of it there are: a store has replicas.
    pub fn instances(&self) -> u32 {
        self.rules.as_ref().map_or(1, |rules| rules.instances())
    }
}

/// What a service does, and how long that takes.
#[derive(Clone, Debug)]
pub enum Does {
    /// It keeps state.
    Store {
        /// Time of a read.
        read: Sampler,
        /// Time of a write.
        write: Sampler,
    },
    /// It makes state anew.
    Rebuild {
        /// Time of a rebuild.
        time: Sampler,
    },
}
