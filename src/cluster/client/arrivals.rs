//! When do sessions come? Open arrivals: a Poisson process whose rate may change, or a list of starts.
//!
//! The n-th arrival comes when the area under the rate since the (n−1)-th has grown to a unit-rate exponential
//! gap that is keyed by n alone. So arrivals are the same in every variant, and a change of rate stretches time
//! without reshuffling luck (inversion; Çinlar, *Introduction to Stochastic Processes*, 1975, §4.7). Rates are
//! piecewise linear, so an area is a quadratic and its inverse needs one square root, which is exact on every
//! machine.
//!
//! Two things are approximated. `diurnal` is a cosine drawn with [`PIECES`] straight pieces per period: its
//! rate is off by at most 0.004 % of the mean, its sum over a period by nothing. A flash crowd that multiplies
//! a rate that itself changes is drawn with pieces of a 64th of its ramp.
//!
//! ```toml
//! arrivals = { open = { rate = "10/s" } }
//! arrivals = { open = { profile = [{ at = "0s", rate = "1/s" }, { at = "10m", rate = "9/s" }] } }
//! arrivals = { open = { diurnal = { mean = "10/s", amplitude = "50%", period = "24h", peak_at = "14h" } } }
//! arrivals = { open = { rate = "10/s", flash = { at = "5m", factor = 8, ramp = "20s", lasts = "2m" } } }
//! arrivals = { open = { trace = { file = "starts.csv" } } }
//! ```

use super::Streams;
use crate::base::time::{Duration, Instant};
use crate::base::units::{Number, Rate, Share};
use rand_distr::{Distribution, Exp1};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// Open arrivals as written: exactly one of `rate`, `profile`, `diurnal` and `trace`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Open {
    /// Sessions per time, always the same.
    pub rate: Option<Rate>,
    /// Rates at times, in order; straight lines between them, and the last one for ever.
    pub profile: Option<Vec<Corner>>,
    /// A cosine over the day.
    pub diurnal: Option<Diurnal>,
    /// A list of starts.
    pub trace: Option<Trace>,
    /// A crowd on top of `rate`, `profile` or `diurnal`.
    pub flash: Option<Flash>,
}

/// A corner of a profile.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Corner {
    /// Since the start of the run.
    pub at: Duration,
    /// Sessions per time then. Two corners at one time make a jump.
    pub rate: Rate,
}

/// mean · (1 + amplitude · cos(2π (t − peak_at) ÷ period)).
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Diurnal {
    /// Sessions per time on average.
    pub mean: Rate,
    /// How far the peak is above the mean, as a share of it.
    pub amplitude: Share,
    /// From peak to peak; default 24 h.
    #[serde(default = "one_day")]
    pub period: Duration,
    /// When it peaks; default 14 h.
    #[serde(default = "two_o_clock")]
    pub peak_at: Duration,
}

fn one_day() -> Duration {
    Duration::from_secs(86_400)
}
fn two_o_clock() -> Duration {
    Duration::from_secs(50_400)
}

/// Starts of sessions in a file: one duration since the start of the run per line, in order; a header, empty
/// lines and lines with `#` are skipped.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// Its path, from the folder of the scenario.
    pub file: PathBuf,
}

/// A crowd that comes, stays and goes: exactly one of `factor` and `rate`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flash {
    /// When it begins to come.
    pub at: Duration,
    /// At its height the rate is so many times what it would be.
    pub factor: Option<Number>,
    /// At its height so many more sessions come per time.
    pub rate: Option<Rate>,
    /// Time from nothing to its height, and again from its height to nothing; default none.
    #[serde(default)]
    pub ramp: Duration,
    /// Time at its height.
    pub lasts: Duration,
}

/// Straight pieces that stand for one period of a cosine.
pub const PIECES: usize = 360;

/// When sessions come of their own accord, ready to draw from.
#[derive(Clone, Debug)]
pub enum Arrivals {
    /// Nobody comes.
    Never,
    /// A Poisson process.
    Poisson(Curve),
    /// At these times (ns), in order.
    Trace(Arc<[u64]>),
}

/// A rate over time.
#[derive(Clone, Debug)]
pub struct Curve {
    // (time [ns], rate [1/s]) at the corners; the first at zero.
    corners: Arc<[(u64, f64)]>,
    // The corners repeat after this; never when zero.
    period: u64,
    crowd: Option<Crowd>,
}

/// What a flash crowd does to the rate.
#[derive(Clone, Debug)]
struct Crowd {
    // (time [ns], factor, or rate to be added [1/s]).
    corners: Arc<[(u64, f64)]>,
    multiplies: bool,
    // Longest stretch on which a product of two sloping lines is drawn as one [ns].
    step: u64,
}

/// A stretch on which the rate is a straight line.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Piece {
    until: u64,
    // Rates [1/s] at its beginning and end.
    from: f64,
    to: f64,
}

const FOREVER: u64 = u64::MAX;

impl Curve {
    /// The same rate (1/s) for ever.
    pub fn constant(rate: f64) -> Curve {
        Curve { corners: [(0, rate)].into(), period: 0, crowd: None }
    }

    /// Straight lines between corners in order; the first rate before them, the last after.
    pub fn profile(corners: &[Corner]) -> Curve {
        let corners: Vec<(u64, f64)> = corners.iter().map(|c| (c.at.as_nanos(), c.rate.per_second())).collect();
        Curve { corners: with_start(corners), period: 0, crowd: None }
    }

    /// A cosine in straight pieces.
    pub fn diurnal(law: &Diurnal) -> Curve {
        let (mean, period) = (law.mean.per_second(), law.period.as_nanos());
        let rate = |piece: usize| {
            let turn = piece as f64 / PIECES as f64 - (law.peak_at.as_nanos() % period) as f64 / period as f64;
            let rate = mean * (1.0 + law.amplitude.ratio() * libm::cos(2.0 * std::f64::consts::PI * turn));
            rate.max(0.0)
        };
        let at = |piece: usize| (u128::from(period) * piece as u128 / PIECES as u128) as u64;
        let corners = (0..=PIECES).map(|piece| (at(piece), rate(piece % PIECES))).collect();
        Curve { corners, period, crowd: None }
    }

    /// The same with a crowd on top.
    pub fn with_flash(self, flash: &Flash) -> Curve {
        let (factor, height) = match flash.rate {
            Some(rate) => (false, rate.per_second()),
            None => (true, flash.factor.map_or(1.0, Number::get)),
        };
        let nothing = if factor { 1.0 } else { 0.0 };
        let times = [Duration::ZERO, flash.ramp, flash.lasts, flash.ramp];
        let levels = [nothing, height, height, nothing];
        let mut at = flash.at;
        let corners = times.iter().zip(levels).map(|(&time, level)| {
            at += time;
            (at.as_nanos(), level)
        });
        let corners: Vec<(u64, f64)> = corners.collect();
        let (corners, step) = (with_start(corners), (flash.ramp.as_nanos() / 64).max(1));
        Curve { crowd: Some(Crowd { corners, multiplies: factor, step }), ..self }
    }

    /// The rate at the start of the run (1/s).
    pub fn initial_rate(&self) -> f64 {
        self.piece(0).from
    }

    /// The straight line on which `now` lies.
    fn piece(&self, now: u64) -> Piece {
        let base = match self.period {
            0 => line(&self.corners, now),
            period => {
                let phase = now % period;
                let piece = line(&self.corners, phase);
                Piece { until: (now - phase).saturating_add(piece.until), ..piece }
            }
        };
        let Some(Crowd { corners, multiplies, step }) = &self.crowd else { return base };
        let crowd = line(corners, now);
        let mut until = base.until.min(crowd.until);
        if *multiplies && base.from != base.to && crowd.from != crowd.to {
            // A product of two lines is none.
            until = until.min(now + step);
        }
        let (base, crowd) = (base.cut(now, until), crowd.cut(now, until));
        let both = |a: f64, b: f64| if *multiplies { a * b } else { a + b };
        Piece { until, from: both(base.from, crowd.from), to: both(base.to, crowd.to) }
    }

    /// When the area under the rate since `now` has grown to `gap`; `None` if never.
    fn after(&self, now: Instant, gap: f64) -> Option<Instant> {
        let (mut at, mut left) = (now.as_nanos(), gap);
        loop {
            let Piece { until, from, to } = self.piece(at);
            if from == to {
                let wait = left / from * 1e9;
                let reached = Instant::from_nanos(at) + Duration::from_nanos_f64(wait);
                if until == FOREVER || from > 0.0 && wait < (until - at) as f64 {
                    return (from > 0.0).then_some(reached);
                }
                left -= from * (until - at) as f64 / 1e9;
            } else {
                let span = (until - at) as f64 / 1e9;
                let area = (from + to) / 2.0 * span;
                if left < area {
                    // from·x + slope·x²/2 = left, in the form that does not cancel.
                    let slope = (to - from) / span;
                    let x = 2.0 * left / (from + (from * from + 2.0 * slope * left).max(0.0).sqrt());
                    let reached = Instant::from_nanos(at) + Duration::from_nanos_f64(x * 1e9);
                    return Some(reached.min(Instant::from_nanos(until)));
                }
                left -= area;
            }
            (at, left) = (until, left.max(0.0));
        }
    }
}

impl Piece {
    /// The part that begins at `now` and ends at `until`.
    fn cut(self, now: u64, until: u64) -> Piece {
        if self.from == self.to || until == self.until {
            return Piece { until, ..self };
        }
        let slope = (self.to - self.from) / (self.until - now) as f64;
        Piece { until, from: self.from, to: self.from + slope * (until - now) as f64 }
    }
}

/// The first corner holds from zero on.
fn with_start(mut corners: Vec<(u64, f64)>) -> Arc<[(u64, f64)]> {
    if let Some(&(at, level)) = corners.first()
        && at > 0
    {
        corners.insert(0, (0, level));
    }
    corners.into()
}

/// The line through `corners` on which `now` lies, from `now` on.
fn line(corners: &[(u64, f64)], now: u64) -> Piece {
    let next = corners.partition_point(|&(at, _)| at <= now);
    let (since, from) = corners[next - 1];
    let Some(&(until, to)) = corners.get(next) else {
        return Piece { until: FOREVER, from, to: from };
    };
    let here = if from == to { from } else { from + (to - from) * ((now - since) as f64 / (until - since) as f64) };
    Piece { until, from: here, to }
}

impl Arrivals {
    /// The first arrival after `now`, which is the one with this ordinal; `None` if there is none.
    pub fn next(&self, now: Instant, streams: &Streams, ordinal: u64) -> Option<Instant> {
        match self {
            Arrivals::Never => None,
            Arrivals::Poisson(curve) => {
                let gap: f64 = Exp1.sample(&mut streams.arrival.at(ordinal, 0));
                curve.after(now, gap)
            }
            Arrivals::Trace(starts) => starts.get(ordinal as usize).map(|&start| Instant::from_nanos(start)),
        }
    }

    /// Sessions per second at the start of the run; zero for a trace, whose rate nobody knows.
    pub fn initial_rate(&self) -> f64 {
        match self {
            Arrivals::Never | Arrivals::Trace(_) => 0.0,
            Arrivals::Poisson(curve) => curve.initial_rate(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secs(text: &str) -> Duration {
        text.parse().unwrap()
    }

    fn corner(at: &str, rate: &str) -> Corner {
        Corner { at: secs(at), rate: rate.parse().unwrap() }
    }

    fn starts(curve: Curve, seed: u64, end_s: f64) -> Vec<f64> {
        let (arrivals, streams) = (Arrivals::Poisson(curve), Streams::new(seed, "web"));
        let mut now = Instant::START;
        let mut starts = Vec::new();
        while let Some(next) = arrivals.next(now, &streams, starts.len() as u64) {
            if next.as_secs_f64() >= end_s {
                break;
            }
            now = next;
            starts.push(next.as_secs_f64());
        }
        starts
    }

    fn count(starts: &[f64], from: f64, to: f64) -> f64 {
        starts.iter().filter(|&&at| from <= at && at < to).count() as f64
    }

    /// Within five standard deviations of a Poisson number.
    fn near(counted: f64, mean: f64) {
        assert!((counted - mean).abs() <= 5.0 * mean.sqrt() + 1e-9, "{counted} for {mean}");
    }

    #[test]
    fn twice_the_rate_is_the_same_luck_in_half_the_time() {
        let (slow, fast) = (starts(Curve::constant(10.0), 1, 100.0), starts(Curve::constant(20.0), 1, 50.0));
        assert_eq!(slow.len(), fast.len());
        assert!(slow.iter().zip(&fast).all(|(slow, fast)| (slow - 2.0 * fast).abs() < 1e-5));
    }

    #[test]
    fn a_profile_rises_stays_jumps_and_stops() {
        let corners = [
            corner("0s", "0/s"),
            corner("100s", "40/s"),
            corner("200s", "40/s"),
            corner("200s", "10/s"),
            corner("300s", "0/s"),
        ];
        let starts = starts(Curve::profile(&corners), 1, 1e9);
        near(count(&starts, 0.0, 50.0), 500.0);
        near(count(&starts, 50.0, 100.0), 1_500.0);
        near(count(&starts, 100.0, 200.0), 4_000.0);
        near(count(&starts, 200.0, 300.0), 500.0);
        assert_eq!(count(&starts, 300.0, 1e9), 0.0);
    }

    #[test]
    fn a_day_has_its_mean_and_its_peak_at_the_right_hour() {
        let day = |amplitude| Diurnal {
            mean: Rate::new(1.0),
            amplitude: Share::new(amplitude),
            period: one_day(),
            peak_at: two_o_clock(),
        };
        let starts = starts(Curve::diurnal(&day(0.8)), 1, 2.0 * 86_400.0);
        near(count(&starts, 0.0, 86_400.0), 86_400.0);
        let hour = |h: f64| count(&starts, h * 3_600.0, (h + 1.0) * 3_600.0);
        near(hour(13.5), 3_600.0 * 1.8);
        near(hour(24.0 + 13.5), 3_600.0 * 1.8);
        near(hour(1.5), 3_600.0 * 0.2);
        let exact = |t: f64| 1.0 + 0.8 * libm::cos(2.0 * std::f64::consts::PI * (t - 50_400.0) / 86_400.0);
        let curve = Curve::diurnal(&day(0.8));
        let worst =
            (0..10_000).map(|i| f64::from(i) * 17.0).map(|t| (curve.piece((t * 1e9) as u64).from - exact(t)).abs());
        assert!(worst.fold(0.0, f64::max) < 4e-5);
    }

    #[test]
    fn a_flash_crowd_multiplies_or_adds() {
        let crowd = |factor: Option<f64>, rate: Option<f64>| Flash {
            at: secs("100s"),
            factor: factor.map(Number::new),
            rate: rate.map(Rate::new),
            ramp: secs("50s"),
            lasts: secs("100s"),
        };
        for flash in [crowd(Some(5.0), None), crowd(None, Some(40.0))] {
            let starts = starts(Curve::constant(10.0).with_flash(&flash), 1, 500.0);
            near(count(&starts, 0.0, 100.0), 1_000.0);
            near(count(&starts, 100.0, 150.0), 1_500.0);
            near(count(&starts, 150.0, 250.0), 5_000.0);
            near(count(&starts, 250.0, 300.0), 1_500.0);
            near(count(&starts, 300.0, 500.0), 2_000.0);
        }
        // Over a rate that rises from 10/s to 20/s during the ramp: ∫(10 + x/5)(1 + 4x/50) dx over 0…50.
        let rising = Curve::profile(&[corner("100s", "10/s"), corner("150s", "20/s")]);
        let many: f64 = (0..20)
            .map(|seed| count(&starts(rising.clone().with_flash(&crowd(Some(5.0), None)), seed, 150.0), 100.0, 150.0))
            .sum();
        let exact = 500.0 + 1_250.0 + 0.016 * 125_000.0 / 3.0;
        near(many, exact * 20.0);
    }

    #[test]
    fn a_trace_is_followed_to_the_nanosecond() {
        let (arrivals, streams) = (Arrivals::Trace([5, 5, 9].into()), Streams::new(1, "web"));
        let at = |ordinal| arrivals.next(Instant::from_nanos(5), &streams, ordinal).map(Instant::as_nanos);
        assert_eq!([0, 1, 2, 3].map(at), [Some(5), Some(5), Some(9), None]);
    }

    proptest! {
        #[test]
        fn the_area_between_two_arrivals_is_the_gap(
            levels in prop::collection::vec((1u64..50, 0u32..9), 1..8),
            from in 0u64..100,
            gap in 0.01f64..20.0,
        ) {
            let mut at = Duration::ZERO;
            let mut corners = Vec::new();
            for (length, rate) in levels {
                corners.push(Corner { at, rate: Rate::new(f64::from(rate)) });
                at += Duration::from_secs(length);
            }
            let curve = Curve::profile(&corners);
            let start = Instant::START + Duration::from_secs(from);
            let Some(reached) = curve.after(start, gap) else {
                prop_assert_eq!(corners.last().unwrap().rate.per_second(), 0.0);
                return Ok(());
            };
            let (mut area, mut now) = (0.0, start.as_nanos());
            while now < reached.as_nanos() {
                let piece = curve.piece(now);
                let until = piece.until.min(reached.as_nanos());
                let part = piece.cut(now, until);
                area += (part.from + part.to) / 2.0 * (until - now) as f64 / 1e9;
                now = until;
            }
            prop_assert!((area - gap).abs() < 1e-6, "{} for {}", area, gap);
        }
    }
}
