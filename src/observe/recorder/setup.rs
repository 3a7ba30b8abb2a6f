//! What a recorder is told at the start.

use super::{Known, Limits, Traits};
use crate::base::time::{Duration, Instant};
use crate::observe::cost::Tariff;

/// What the recorder must know of a run before it starts.
#[derive(Clone, Debug)]
pub struct Setup {
    /// End of the part that whole-run figures leave out.
    pub warmup: Instant,
    /// End of the run.
    pub end: Instant,
    /// Length of a tick; divides both.
    pub tick: Duration,
    /// By population: which figures apply to it.
    pub populations: Vec<Traits>,
    /// By node: what its figures are relative to.
    pub nodes: Vec<Known>,
    /// By rebuild service: slots; `None` for unlimited.
    pub rebuilders: Vec<Option<u32>>,
    /// By store, which come after them in the plan: the same.
    pub stores: Vec<Option<u32>>,
    /// What is paid for beside the nodes.
    pub tariff: Tariff,
    /// Whether attempts may have to wait in line at the balancer.
    pub has_lines: bool,
    /// The incidents that are changes with a rollback criterion: places in the plan.
    pub judged: Vec<u16>,
    /// Whether any such criterion looks at response times.
    pub times_versions: bool,
    /// Whether any store may hold only so much.
    pub limits_stores: bool,
    /// Whether there are stores that may fail.
    pub has_stores: bool,
    /// What recovery means.
    pub limits: Limits,
    /// How long recovery must last.
    pub hold: Duration,
    /// Whether to keep a row per node and tick.
    pub keep_nodes: bool,
}
