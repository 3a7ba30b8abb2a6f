//! How long does a client wait before it tries again?
//!
//! The exponent starts at zero: the first wait is drawn from `base`, the k-th from min(cap, base · 2^(k−1)).
//! Jitter names and formulas as in Brooker, *Exponential Backoff and Jitter*, AWS Architecture Blog (2015).
//!
//! `decorrelated_jitter` draws from the wait before. No client keeps that: all its waits in a row are drawn again,
//! each from its own draw, so a rule is told how to get at the draws of earlier waits.

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
    /// Uniform from `base` to three times the wait before, at most `cap`.
    DecorrelatedJitter(Exponential),
    /// Uniform within a window, the same for every try.
    Uniform(UniformWait),
}

/// A chain of waits is followed back so far; what lay before counts as a wait of `cap`. Hardly anybody can tell:
/// a chain forgets what was before each time it meets the cap, which happens every few waits.
const CHAIN_MAX: u32 = 100;

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
        ("decorrelated_jitter", "uniform from `base` to three times the wait before, at most `cap`"),
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

    /// min(cap, U(base, 3 · the wait before)), where the wait before the first is `base`.
    fn decorrelated(&self, k: u32, draws: impl Fn(u32) -> Draw) -> Duration {
        let (first, mut wait) = if k > CHAIN_MAX { (CHAIN_MAX, self.cap) } else { (k, self.base) };
        for back in (0..first).rev() {
            wait = (self.base + up_to(wait * 3 - self.base, &mut draws(back))).min(self.cap);
        }
        wait
    }
}

impl Backoff {
    /// What contradicts itself in its parameters.
    pub fn contradiction(&self) -> Option<String> {
        match self {
            Backoff::NoJitter(rule)
            | Backoff::EqualJitter(rule)
            | Backoff::FullJitter(rule)
            | Backoff::DecorrelatedJitter(rule) => {
                (rule.cap < rule.base).then(|| format!("cap ({}) is below base ({})", rule.cap, rule.base))
            }
            Backoff::Uniform(window) => {
                (window.max < window.min).then(|| format!("max ({}) is below min ({})", window.max, window.min))
            }
            Backoff::Fixed(_) => None,
        }
    }

    /// The wait before the `k`-th try in a row, k ≥ 1. `draws(i)` are the draws of the wait i tries before this
    /// one, for i < k.
    pub fn wait(&self, k: u32, draws: impl Fn(u32) -> Draw) -> Duration {
        let draw = &mut draws(0);
        match self {
            Backoff::Fixed(fixed) => fixed.delay,
            Backoff::NoJitter(rule) => rule.bound(k),
            Backoff::EqualJitter(rule) => {
                let half = Duration::from_nanos(rule.bound(k).as_nanos() / 2);
                half + up_to(rule.bound(k) - half, draw)
            }
            Backoff::FullJitter(rule) => up_to(rule.bound(k), draw),
            Backoff::DecorrelatedJitter(rule) => rule.decorrelated(k, draws),
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

    /// The first waits of a client.
    fn waits_of(rule: &Backoff, who: u64, n: u32) -> Vec<f64> {
        let stream = Stream::new(1, "test", "");
        let wait = |k: u32| rule.wait(k, |back| stream.at(who, u64::from(k - back)));
        (1..=n).map(|k| wait(k).as_secs_f64()).collect()
    }

    fn waits_s(rule: Backoff) -> Vec<f64> {
        waits_of(&rule, 7, 8)
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
    fn a_decorrelated_wait_is_drawn_from_the_one_that_was_waited_before() {
        let rule = Exponential { base: Duration::from_secs(1), cap: Duration::from_secs(20) };
        let mut at_the_cap = 0;
        for who in 0..1_000 {
            let mut before = 1.0;
            for wait in waits_of(&Backoff::DecorrelatedJitter(rule), who, 300) {
                assert!((1.0..=20f64.min(3.0 * before)).contains(&wait), "{wait} after {before}");
                at_the_cap += u32::from(wait == 20.0);
                before = wait;
            }
        }
        assert!(at_the_cap > 60_000, "{at_the_cap} of 300,000 waits are the longest");
    }

    #[test]
    fn decorrelated_waits_grow_by_half_as_much_again() {
        // With no cap, w(k) = (base + 3·w(k − 1))/2 in the mean: 2, 3.5, 5.75, 9.125 times the base.
        let rule = Exponential { base: Duration::from_secs(1), cap: Duration::from_secs(1_000_000) };
        let mut sums = [0.0; 4];
        for who in 0..200_000 {
            let waits = waits_of(&Backoff::DecorrelatedJitter(rule), who, 4);
            sums.iter_mut().zip(waits).for_each(|(sum, wait)| *sum += wait / 2e5);
        }
        for (mean, exact) in sums.into_iter().zip([2.0, 3.5, 5.75, 9.125]) {
            assert!((mean / exact - 1.0).abs() < 0.01, "{mean} for {exact}");
        }
    }

    #[test]
    fn a_very_late_try_does_not_overflow() {
        let rule = Exponential::default();
        assert_eq!(rule.bound(1_000_000), rule.cap);
    }
}
