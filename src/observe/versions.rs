//! How does each version do? What nodes answered and failed, by the version that they ran.

use super::histogram::ResponseTimes;
use super::recorder::Recorder;
use crate::base::cause::Harm;
use crate::base::time::Duration;

/// What had happened by some instant; of pairs, the first is the version that was there before, the second that which
/// is judged.
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

/// What each version has done so far, by its place in the plan.
#[derive(Debug, Default)]
pub(super) struct ByVersion {
    tallies: Vec<Tally>,
    // Whether somebody asks how long answers took.
    is_timed: bool,
}

#[derive(Debug, Default)]
struct Tally {
    served: u64,
    failed: u64,
    times: ResponseTimes,
}

impl ByVersion {
    pub(super) fn new(is_timed: bool) -> ByVersion {
        ByVersion { is_timed, ..ByVersion::default() }
    }
}

impl Recorder {
    /// What has happened so far to two versions: the one that was there before, and the one that is judged.
    pub fn sample(&self, sides: [u8; 2], with_times: bool) -> Sample {
        let side = |side: u8| self.versions.tallies.get(usize::from(side));
        let mut sample = Sample {
            served: sides.map(|of| side(of).map_or(0, |tally| tally.served)),
            failed: sides.map(|of| side(of).map_or(0, |tally| tally.failed)),
            ..Sample::default()
        };
        if with_times {
            let times = |of: u8| side(of).map(|tally| tally.times.clone()).unwrap_or_default();
            sample.times = Some(Box::new(sides.map(times)));
        }
        // Those of all are only summed up now and then.
        for books in self.books.split_last().map_or(&[][..], |(_, each)| each) {
            sample.dropped += books.totals.total(Harm::Dropped);
        }
        sample
    }

    /// A version answered or failed an attempt after this long.
    pub(super) fn count_version(&mut self, version: u8, failed: bool, response: Duration) {
        let is_timed = self.versions.is_timed;
        let tallies = &mut self.versions.tallies;
        let place = usize::from(version);
        if place >= tallies.len() {
            tallies.resize_with(place + 1, Tally::default);
        }
        let tally = &mut tallies[place];
        tally.served += 1;
        tally.failed += u64::from(failed);
        if is_timed && !failed {
            tally.times.add(response);
        }
    }
}
