//! How long does a client wait before it tries again?
//!
//! The exponent starts at zero: the first wait is drawn from `base`, the k-th from min(cap, base · 2^(k−1)).
//! Jitter names and formulas as in Brooker, *Exponential Backoff and Jitter*, AWS Architecture Blog (2015).

use crate::base::choice::Alternatives;
use crate::base::draw::Draw;
use crate::base::time::Duration;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A rule for the wait before the k-th try in a row.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Always the same wait.
    Fixed(Fixed),
    /// min(cap, base · 2^(k−1)), exactly.
    NoJitter(Exponential),
    /// Half of it certain, half of it uniform.
    EqualJitter(Exponential),
    /// Uniform from zero to it.
    FullJitter(Exponential),
    /// Uniform within a window, the same for every try.
    Uniform(UniformWait),
}

/// Parameters of `fixed`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fixed {
    /// The wait; default 1 s.
    pub delay: Duration,
}

/// Parameters of the exponential rules.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Exponential {
    /// The bound of the first wait; default 1 s.
    pub base: Duration,
    /// The largest bound; default 30 s.
    pub cap: Duration,
}

/// Parameters of `uniform`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UniformWait {
    /// The shortest wait; default 0 s.
    pub min: Duration,
    /// The longest wait; default 30 s.
    pub max: Duration,
}

impl Default for Fixed {
    fn default() -> Fixed {
        Fixed { delay: Duration::from_secs(1) }
    }
}

impl Default for Exponential {
    fn default() -> Exponential {
        Exponential { base: Duration::from_secs(1), cap: Duration::from_secs(30) }
    }
}

impl Default for UniformWait {
    fn default() -> UniformWait {
        UniformWait { min: Duration::ZERO, max: Duration::from_secs(30) }
    }
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff::FullJitter(Exponential::default())
    }
}

impl Alternatives for Backoff {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("fixed", "always the same wait"),
        ("no_jitter", "exponential: min(cap, base · 2^(k−1))"),
        ("equal_jitter", "half of the exponential wait, plus a uniform part of the other half"),
        ("full_jitter", "uniform from zero to the exponential wait"),
        ("uniform", "uniform within a window"),
    ];
}

impl Exponential {
    /// min(cap, base · 2^(k−1)) for the k-th try, k ≥ 1.
    fn bound(&self, k: u32) -> Duration {
        // Past 63 doublings any positive base is beyond any cap.
        let times = 1u64.checked_shl(k - 1).unwrap_or(u64::MAX);
        (self.base * times).min(self.cap)
    }
}

impl Backoff {
    /// The wait before the `k`-th try in a row, k ≥ 1.
    pub fn wait(&self, k: u32, draw: &mut Draw) -> Duration {
        match self {
            Backoff::Fixed(fixed) => fixed.delay,
            Backoff::NoJitter(rule) => rule.bound(k),
            Backoff::EqualJitter(rule) => {
                let half = Duration::from_nanos(rule.bound(k).as_nanos() / 2);
                half + up_to(rule.bound(k) - half, draw)
            }
            Backoff::FullJitter(rule) => up_to(rule.bound(k), draw),
            Backoff::Uniform(window) => window.min + up_to(window.max - window.min, draw),
        }
    }
}

/// Uniform from zero to `span`, both included.
fn up_to(span: Duration, draw: &mut Draw) -> Duration {
    Duration::from_nanos(draw.random_range(0..=span.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::draw::Stream;

    fn waits_s(rule: Backoff) -> Vec<f64> {
        let mut draw = Stream::new(1, "test", "").sequence();
        (1..=8).map(|k| rule.wait(k, &mut draw).as_secs_f64()).collect()
    }

    #[test]
    fn without_jitter_the_wait_doubles_up_to_the_cap() {
        let rule = Exponential { base: Duration::from_secs(1), cap: Duration::from_secs(32) };
        assert_eq!(waits_s(Backoff::NoJitter(rule)), [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 32.0, 32.0]);
    }

    #[test]
    fn jitter_stays_within_its_bounds() {
        let rule = Exponential::default();
        for (k, (full, equal)) in
            waits_s(Backoff::FullJitter(rule)).into_iter().zip(waits_s(Backoff::EqualJitter(rule))).enumerate()
        {
            let bound = 30f64.min((1u64 << k) as f64);
            assert!((0.0..=bound).contains(&full));
            assert!((bound / 2.0..=bound).contains(&equal));
        }
    }

    #[test]
    fn a_very_late_try_does_not_overflow() {
        let rule = Exponential::default();
        assert_eq!(rule.bound(1_000_000), rule.cap);
    }
}
