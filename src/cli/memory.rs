//! Do the runs fit into memory? Known before the first begins: fewer at once if need be, none if not even one fits.

use super::{Amount, End, say};
use crate::base::units::Bytes;
use crate::experiment::Cell;
use std::num::NonZeroUsize;

const MIB: f64 = 1_048_576.0;

impl Amount {
    /// How many threads may work on these cells at once. That not even one run fits is told, and ends the command.
    pub(super) fn threads_that_fit(&self, cells: &[Cell], quiet: bool) -> Result<NonZeroUsize, End> {
        let threads = self.threads();
        let Some(limit) = self.memory.map(Bytes::get).or_else(available) else { return Ok(threads) };
        let Some(largest) = cells.iter().max_by_key(|cell| cell.plan.memory_estimate()) else { return Ok(threads) };
        let each = largest.plan.memory_estimate().max(1);
        let fit = usize::try_from(limit / each).unwrap_or(usize::MAX);
        let (needs, has) = (each as f64 / MIB, limit as f64 / MIB);
        let Some(fit) = NonZeroUsize::new(fit) else {
            return Err(End::Failed(format!(
                "a run of `{}` needs about {needs:.0} MiB, and there are {has:.0}\n\
                 hint: fewer sessions or a longer tick need less; `--memory SIZE` overrides what the system says",
                largest.variant
            )));
        };
        if fit < threads && !quiet {
            say(&format!("{fit} instead of {threads} runs at once: each needs about {needs:.0} MiB of {has:.0}"));
        }
        Ok(fit.min(threads))
    }
}

/// What the system can give without swapping, and its container lets it have; `None` where neither says so.
fn available() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let free = read("/proc/meminfo").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:").map(str::to_owned))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1_024)
    });
    let number = |path: &str| read(path)?.trim().parse::<u64>().ok();
    let group = number("/sys/fs/cgroup/memory.max")
        .map(|most| most.saturating_sub(number("/sys/fs/cgroup/memory.current").unwrap_or(0)));
    free.into_iter().chain(group).min()
}
