//! How does each version do? What nodes answered and failed, by whether they ran the first version or another.

use super::histogram::ResponseTimes;
use super::recorder::Recorder;
use super::totals::Counter;
use crate::base::cause::Harm;
use crate::base::time::Duration;

/// What had happened by some instant; of pairs, the first is the first version's, the second that of all others.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Attempts that nodes have answered or failed.
    pub served: [u64; 2],
    /// Those that they have failed.
    pub failed: [u64; 2],
    /// Times that sessions were cut off, whatever their version.
    pub dropped: u64,
    // How long the answers took; only where somebody asks for that.
    times: Option<Box<[ResponseTimes; 2]>>,
}

impl Sample {
    /// The 99th percentile of the answers of a side since an earlier sample (ms); `None` without any.
    pub fn p99_ms_since(&self, earlier: &Sample, side: usize) -> Option<f64> {
        let mut times = self.times.as_ref()?[side].clone();
        times.subtract(&earlier.times.as_ref()?[side]);
        times.quantiles().map(|quantiles| quantiles.p99)
    }
}

impl Recorder {
    /// What has happened so far.
    pub fn sample(&self, with_times: bool) -> Sample {
        let mut sample = Sample { times: self.times_of_versions.clone().filter(|_| with_times), ..Sample::default() };
        // Those of all are only summed up now and then.
        for books in self.books.split_last().map_or(&[][..], |(_, each)| each) {
            let totals = &books.totals;
            let (served, new) = (totals[Counter::Served], totals[Counter::ServedByNew]);
            let (failed, failed_new) = (totals[Counter::FailedAtNode], totals[Counter::FailedByNew]);
            sample.served = [sample.served[0] + served - new, sample.served[1] + new];
            sample.failed = [sample.failed[0] + failed - failed_new, sample.failed[1] + failed_new];
            sample.dropped += totals.total(Harm::Dropped);
        }
        sample
    }

    /// A version answered after this long.
    pub(super) fn time_version(&mut self, is_new: bool, response: Duration) {
        if let Some(times) = &mut self.times_of_versions {
            times[usize::from(is_new)].add(response);
        }
    }
}
