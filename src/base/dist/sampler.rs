//! A law made ready to draw from.
//!
//! Values are floats in base units, never negative. Three draws: a fresh value (`sample`); one as met
//! by an observer at a random moment, who meets long ones more often (`sample_length_biased`, density
//! x·f(x)/mean); and what is then left of it (`sample_residual`, density (1 − F(x))/mean: a uniform
//! share of the length-biased one). Source: Cox, *Renewal Theory*, ch. 5.
//!
//! Logarithms and powers come from `libm`, not from the platform, so the bits are the same everywhere.

use std::sync::Arc;

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp1, Gamma, StandardNormal};

use crate::base::time::Duration;

/// A law made ready to draw from; cheap to clone.
#[derive(Clone, Debug)]
pub struct Sampler {
    kind: Kind,
    mean: f64,
    scv: f64,
}

/// The laws in the parameters that drawing needs; base units.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Constant(f64),
    Uniform {
        min: f64,
        max: f64,
    },
    Exponential {
        mean: f64,
    },
    /// Erlang too. The fresh law, and its length-biased form with shape + 1.
    Gamma {
        shape: f64,
        scale: f64,
        fresh: Gamma<f64>,
        biased: Gamma<f64>,
    },
    /// ln x is normal with mean `mu` and deviation `sigma`.
    Lognormal {
        mu: f64,
        sigma: f64,
    },
    /// x = scale·E^power with E exponential, power = 1/shape; length-biased E is gamma(1 + power).
    Weibull {
        scale: f64,
        power: f64,
        biased: Gamma<f64>,
    },
    /// The fresh law, and its length-biased form with alpha − 1.
    Pareto(PowerLaw, PowerLaw),
    /// Exponential with mean `long` with probability `rare`, else with mean `short`.
    Hyperexponential {
        rare: f64,
        short: f64,
        long: f64,
    },
    /// The values, and their running sums for the length-biased draw.
    Empirical(Arc<[f64]>, Arc<[f64]>),
}

impl Kind {
    pub(super) fn uniform(min: f64, max: f64) -> Kind {
        if min == max { Kind::Constant(min) } else { Kind::Uniform { min, max } }
    }

    pub(super) fn gamma(shape: f64, scale: f64) -> Kind {
        match (Gamma::new(shape, scale), Gamma::new(shape + 1.0, scale)) {
            (Ok(fresh), Ok(biased)) => Kind::Gamma { shape, scale, fresh, biased },
            _ => Kind::INVALID,
        }
    }

    pub(super) fn weibull(scale: f64, shape: f64) -> Kind {
        let power = 1.0 / shape;
        match Gamma::new(1.0 + power, 1.0) {
            Ok(biased) => Kind::Weibull { scale, power, biased },
            Err(_) => Kind::INVALID,
        }
    }

    pub(super) fn empirical(values: Vec<f64>) -> Kind {
        let sum = |sum: &mut f64, value: &f64| {
            *sum += value;
            Some(*sum)
        };
        let sums = values.iter().scan(0.0, sum).collect();
        Kind::Empirical(values.into(), sums)
    }

    /// Stands for parameters that no law can have; its mean is not a number, so it never compiles.
    const INVALID: Kind = Kind::Constant(f64::NAN);

    /// Mean and squared coefficient of variation.
    fn moments(&self) -> (f64, f64) {
        match self {
            Kind::Constant(value) => (*value, 0.0),
            Kind::Uniform { min, max } => {
                let mean = (min + max) / 2.0;
                let spread = (max - min) / mean;
                (mean, spread * spread / 12.0)
            }
            Kind::Exponential { mean } => (*mean, 1.0),
            Kind::Gamma { shape, scale, .. } => (shape * scale, 1.0 / shape),
            Kind::Lognormal { mu, sigma } => {
                let variance = sigma * sigma;
                (libm::exp(mu + variance / 2.0), libm::expm1(variance))
            }
            Kind::Weibull { scale, power, .. } => {
                // mean = scale·Γ(1 + 1/k), E[x²] = scale²·Γ(1 + 2/k).
                let (first, second) = (libm::lgamma(1.0 + power), libm::lgamma(1.0 + 2.0 * power));
                (scale * libm::tgamma(1.0 + power), libm::expm1(second - 2.0 * first))
            }
            Kind::Pareto(law, _) => {
                let (first, second) = (law.raw_moment(1.0), law.raw_moment(2.0));
                (law.min * first, (second / (first * first) - 1.0).max(0.0))
            }
            Kind::Hyperexponential { rare, short, long } => {
                let mean = (1.0 - rare) * short + rare * long;
                let second =
                    2.0 * ((1.0 - rare) * (short / mean) * (short / mean) + rare * (long / mean) * (long / mean));
                (mean, second - 1.0)
            }
            Kind::Empirical(values, sums) => {
                let count = values.len() as f64;
                let mean = sums.last().copied().unwrap_or(f64::NAN) / count;
                if mean == 0.0 {
                    return (0.0, 0.0);
                }
                let square = |value: f64| (value / mean - 1.0) * (value / mean - 1.0);
                (mean, values.iter().map(|v| square(*v)).sum::<f64>() / count)
            }
        }
    }
}

impl Sampler {
    pub(super) fn new(kind: Kind) -> Sampler {
        let (mean, scv) = kind.moments();
        Sampler { kind, mean, scv }
    }

    /// A fresh value, in base units.
    #[inline]
    pub fn sample(&self, rng: &mut impl Rng) -> f64 {
        match &self.kind {
            Kind::Constant(value) => *value,
            Kind::Uniform { min, max } => min + (max - min) * rng.random::<f64>(),
            Kind::Exponential { mean } => mean * exponential(rng),
            Kind::Gamma { fresh, .. } => fresh.sample(rng),
            Kind::Lognormal { mu, sigma } => lognormal(*mu, *sigma, rng),
            Kind::Weibull { scale, power, .. } => scale * libm::pow(exponential(rng), *power),
            Kind::Pareto(law, _) => law.sample(rng),
            Kind::Hyperexponential { rare, short, long } => {
                let mean = if rng.random::<f64>() < *rare { long } else { short };
                mean * exponential(rng)
            }
            Kind::Empirical(values, _) => {
                // The upper half of a 64×64-bit product: an index without division, equal on 32-bit machines.
                values[((u128::from(rng.next_u64()) * values.len() as u128) >> 64) as usize]
            }
        }
    }

    /// A value as met by an observer at a random moment, in base units: density x·f(x)/mean.
    pub fn sample_length_biased(&self, rng: &mut impl Rng) -> f64 {
        match &self.kind {
            Kind::Constant(value) => *value,
            Kind::Uniform { min, max } => {
                let ratio = (min / max) * (min / max);
                max * (ratio + (1.0 - ratio) * rng.random::<f64>()).sqrt()
            }
            Kind::Exponential { mean } => mean * (exponential(rng) + exponential(rng)),
            Kind::Gamma { biased, .. } => biased.sample(rng),
            Kind::Lognormal { mu, sigma } => lognormal(mu + sigma * sigma, *sigma, rng),
            Kind::Weibull { scale, power, biased } => scale * libm::pow(biased.sample(rng), *power),
            Kind::Pareto(_, law) => law.sample(rng),
            Kind::Hyperexponential { short, long, .. } => {
                // With balanced means each branch carries half of all time.
                let mean = if rng.random::<bool>() { long } else { short };
                mean * (exponential(rng) + exponential(rng))
            }
            Kind::Empirical(values, sums) => {
                let total = sums.last().copied().unwrap_or(0.0);
                let target = total * rng.random::<f64>();
                // All zeros have no weight anywhere: then any of them will do.
                values[sums.partition_point(|sum| *sum <= target).min(values.len() - 1)]
            }
        }
    }

    /// What is left of a value met at a random moment, in base units: density (1 − F(x))/mean.
    pub fn sample_residual(&self, rng: &mut impl Rng) -> f64 {
        rng.random::<f64>() * self.sample_length_biased(rng)
    }

    /// A fresh value of a law of durations, to the nearest nanosecond.
    #[inline]
    pub fn duration(&self, rng: &mut impl Rng) -> Duration {
        Duration::from_nanos_f64(self.sample(rng))
    }

    /// The mean of the law, in base units; exact, not sampled.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The squared coefficient of variation, variance/mean²; 0 for a law that is always zero.
    pub fn scv(&self) -> f64 {
        self.scv
    }
}

#[inline]
fn exponential(rng: &mut impl Rng) -> f64 {
    Exp1.sample(rng)
}

#[inline]
fn lognormal(mu: f64, sigma: f64, rng: &mut impl Rng) -> f64 {
    let z: f64 = StandardNormal.sample(rng);
    libm::exp(mu + sigma * z)
}

/// Density ∝ x^(−alpha−1) on [min, max], for any real alpha: bounded Pareto and its length-biased form.
#[derive(Clone, Copy, Debug)]
pub(super) struct PowerLaw {
    min: f64,
    max: f64,
    alpha: f64,
    /// ln(max/min).
    width: f64,
    /// 1 − (min/max)^alpha: the mass below max of the unbounded law; negative when alpha is.
    mass: f64,
}

impl PowerLaw {
    /// Below this |alpha|·width the power law is log-uniform to within one part in a million, and its
    /// own inverse would lose digits.
    const FLAT: f64 = 1e-6;

    pub(super) fn new(min: f64, max: f64, alpha: f64) -> PowerLaw {
        let width = libm::log(max / min);
        PowerLaw { min, max, alpha, width, mass: -libm::expm1(-alpha * width) }
    }

    /// Inverse of F(x) = (1 − (min/x)^alpha)/mass.
    fn sample(&self, rng: &mut impl Rng) -> f64 {
        let u = rng.random::<f64>();
        let ratio = if (self.alpha * self.width).abs() < Self::FLAT {
            libm::exp(u * self.width)
        } else {
            libm::pow(1.0 - u * self.mass, -1.0 / self.alpha)
        };
        // Rounding may step over either end.
        (self.min * ratio).clamp(self.min, self.max)
    }

    /// E[x^r]/min^r = g(alpha − r)/g(alpha), where g(a) = ∫₀^width e^(−a·y) dy.
    fn raw_moment(&self, r: f64) -> f64 {
        let g = |a: f64| if (a * self.width).abs() < 1e-12 { self.width } else { -libm::expm1(-a * self.width) / a };
        if self.width == 0.0 { 1.0 } else { g(self.alpha - r) / g(self.alpha) }
    }
}
