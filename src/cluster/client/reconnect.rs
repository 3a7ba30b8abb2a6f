//! How long does a client wait before it tries again?
//!
//! The exponent starts at zero: the first wait is drawn from `base`, the k-th from min(cap, base · factor^(k−1)).
//! Jitter names and formulas as in Brooker, *Exponential Backoff and Jitter*, AWS Architecture Blog (2015); what
//! products do besides is `ratio_jitter` (gRPC, Action Cable), `backo2` (socket.io) and `schedule` (SignalR,
//! Phoenix).
//!
//! `decorrelated_jitter` draws from the wait before. No client keeps that: all its waits in a row are drawn again,
//! each from its own draw, so a rule is told how to get at the draws of earlier waits.

use crate::base::choice::Alternatives;
use crate::base::draw::Draw;
use crate::base::time::Duration;
use crate::base::units::{Number, Share};
use rand::RngExt;
use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A rule for the wait before the k-th try in a row.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Always the same wait.
    Fixed(Fixed),
    /// min(cap, base · factor^(k−1)), exactly.
    NoJitter(Exponential),
    /// Half of it certain, half of it uniform.
    EqualJitter(Exponential),
    /// Uniform from zero to it.
    FullJitter(Exponential),
    /// Uniform from a share less than it to a share more.
    RatioJitter(RatioJitter),
    /// As socket.io: a share less or more, by bands, and the cap last.
    Backo2(Backo2),
    /// Uniform from `base` to three times the wait before, at most `cap`.
    DecorrelatedJitter(Decorrelated),
    /// Uniform within a window, the same for every try.
    Uniform(UniformWait),
    /// One wait after the other from a list, the last again and again.
    Schedule(Schedule),
}

/// A chain of waits is followed back so far; what lay before counts as a wait of `cap`. Hardly anybody can tell:
/// a chain forgets what was before each time it meets the cap, which happens every few waits.
const CHAIN_MAX: u32 = 100;

/// Waits are not let grow beyond this (ns, 127 years), so that a share more of one is still a duration.
const GROWN_MAX: f64 = 4e18;

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
    /// How many times the bound before each further one is; ≥ 1, default 2.
    pub factor: Number,
    /// The largest bound; default 30 s.
    pub cap: Duration,
}

/// Parameters of `ratio_jitter`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RatioJitter {
    /// The first wait without jitter; default 1 s.
    pub base: Duration,
    /// How many times the wait before each further one is; ≥ 1, default 2.
    pub factor: Number,
    /// The longest wait; default 30 s.
    pub cap: Duration,
    /// How much shorter a wait may turn out; default 20%.
    pub down: Share,
    /// How much longer a wait may turn out; default 20%.
    pub up: Share,
    /// Whether `cap` also cuts off what jitter has added, which leaves none to waits that have grown long enough;
    /// default no: the cap first, then the jitter.
    pub cap_last: bool,
    /// The first wait, if it is none of these.
    pub first: Option<Wait>,
}

/// Parameters of `backo2`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Backo2 {
    /// `reconnectionDelay`; default 1 s.
    pub base: Duration,
    /// How many times the wait before each further one is; ≥ 1, default 2.
    pub factor: Number,
    /// `reconnectionDelayMax`; default 5 s.
    pub cap: Duration,
    /// `randomizationFactor`; default 50%.
    pub ratio: Share,
}

/// Parameters of `decorrelated_jitter`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Decorrelated {
    /// The shortest wait; default 1 s.
    pub base: Duration,
    /// The longest wait; default 30 s.
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

/// Parameters of `schedule`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// The waits, each a duration or `{ min = .., max = .. }`; whoever must wait more often waits as the last says.
    /// Default: 1 s.
    pub waits: Vec<Wait>,
}

/// One wait of a list: `"2s"`, or uniform within a window, `{ min = "6s", max = "12s" }`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Wait {
    /// So long.
    Exactly(Duration),
    /// Uniform within a window.
    Between(Between),
}

/// A window for one wait.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Between {
    /// The shortest wait.
    pub min: Duration,
    /// The longest wait.
    pub max: Duration,
}

struct WaitVisitor;

impl<'de> Visitor<'de> for WaitVisitor {
    type Value = Wait;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"2s\", or { min = \"6s\", max = \"12s\" }")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Wait, E> {
        Duration::deserialize(StrDeserializer::new(text)).map(Wait::Exactly)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Wait, A::Error> {
        Between::deserialize(MapAccessDeserializer::new(map)).map(Wait::Between)
    }
}

// By hand, since an untagged enum would hide the place and the reason of an error.
impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Wait, D::Error> {
        from.deserialize_any(WaitVisitor)
    }
}

impl Wait {
    fn window(&self) -> (Duration, Duration) {
        match *self {
            Wait::Exactly(wait) => (wait, wait),
            Wait::Between(Between { min, max }) => (min, max),
        }
    }

    fn drawn(&self, draw: &mut Draw) -> Duration {
        let (min, max) = self.window();
        within(min, max, draw)
    }
}

impl Default for Fixed {
    fn default() -> Fixed {
        Fixed { delay: Duration::from_secs(1) }
    }
}

impl Default for Exponential {
    fn default() -> Exponential {
        Exponential { base: Duration::from_secs(1), factor: Number::new(2.0), cap: Duration::from_secs(30) }
    }
}

impl Default for RatioJitter {
    fn default() -> RatioJitter {
        let Exponential { base, factor, cap } = Exponential::default();
        RatioJitter { base, factor, cap, down: Share::new(0.2), up: Share::new(0.2), cap_last: false, first: None }
    }
}

impl Default for Backo2 {
    fn default() -> Backo2 {
        let Exponential { base, factor, .. } = Exponential::default();
        Backo2 { base, factor, cap: Duration::from_secs(5), ratio: Share::new(0.5) }
    }
}

impl Default for Decorrelated {
    fn default() -> Decorrelated {
        let Exponential { base, cap, .. } = Exponential::default();
        Decorrelated { base, cap }
    }
}

impl Default for UniformWait {
    fn default() -> UniformWait {
        UniformWait { min: Duration::ZERO, max: Duration::from_secs(30) }
    }
}

impl Default for Schedule {
    fn default() -> Schedule {
        Schedule { waits: vec![Wait::Exactly(Duration::from_secs(1))] }
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
        ("no_jitter", "exponential: min(cap, base · factor^(k−1))"),
        ("equal_jitter", "half of the exponential wait, plus a uniform part of the other half"),
        ("full_jitter", "uniform from zero to the exponential wait"),
        ("ratio_jitter", "uniform from a share less than the exponential wait to a share more"),
        ("backo2", "as socket.io: a share less or more than the exponential wait, by bands, and the cap last"),
        ("decorrelated_jitter", "uniform from `base` to three times the wait before, at most `cap`"),
        ("uniform", "uniform within a window"),
        ("schedule", "one after the other from a list, the last again and again"),
    ];
}

/// base · factor^(k−1) (ns), or the first of that row that is `enough`.
fn grown(base: Duration, factor: Number, k: u32, enough: f64) -> f64 {
    let mut wait = base.as_nanos() as f64;
    // Products one by one: `powi` may round differently from one machine to the next.
    for _ in 1..k {
        if wait >= enough.min(GROWN_MAX) || factor.get() <= 1.0 {
            break;
        }
        wait *= factor.get();
    }
    wait.min(GROWN_MAX)
}

impl Exponential {
    /// min(cap, base · factor^(k−1)) for the k-th try, k ≥ 1.
    fn bound(&self, k: u32) -> Duration {
        Duration::from_nanos_f64(grown(self.base, self.factor, k, self.cap.as_nanos() as f64)).min(self.cap)
    }
}

impl RatioJitter {
    fn wait(&self, k: u32, draw: &mut Draw) -> Duration {
        if let (1, Some(first)) = (k, &self.first) {
            return first.drawn(draw);
        }
        let (cap, shorter) = (self.cap.as_nanos() as f64, 1.0 - self.down.ratio());
        // Beyond this jitter reaches below the cap no more.
        let enough = if self.cap_last { cap / shorter } else { cap };
        let grown = grown(self.base, self.factor, k, enough);
        let wait = if self.cap_last { grown } else { grown.min(cap) };
        let [min, max] = [wait * shorter, wait * (1.0 + self.up.ratio())].map(Duration::from_nanos_f64);
        let wait = within(min, max, draw);
        if self.cap_last { wait.min(self.cap) } else { wait }
    }
}

impl Backo2 {
    /// backo2's `duration`, in whole milliseconds: one random number decides both how far a wait is from the
    /// exponential one and, by the parity of its first decimal, on which side.
    fn wait(&self, k: u32, draw: &mut Draw) -> Duration {
        let (cap, ratio) = (self.cap.as_nanos() as f64, self.ratio.ratio());
        let exponential = grown(self.base, self.factor, k, cap / (1.0 - ratio)) / 1e6;
        let random: f64 = draw.random();
        let deviation = (random * ratio * exponential).floor();
        let is_less = ((random * 10.0) as u32).is_multiple_of(2);
        let wait = if is_less { exponential - deviation } else { exponential + deviation };
        Duration::from_millis(wait.min(cap / 1e6) as u64)
    }
}

impl Decorrelated {
    /// min(cap, U(base, 3 · the wait before)), where the wait before the first is `base`.
    fn wait(&self, k: u32, draws: impl Fn(u32) -> Draw) -> Duration {
        let (first, mut wait) = if k > CHAIN_MAX { (CHAIN_MAX, self.cap) } else { (k, self.base) };
        for back in (0..first).rev() {
            wait = within(self.base, wait * 3, &mut draws(back)).min(self.cap);
        }
        wait
    }
}

impl Schedule {
    fn wait(&self, k: u32, draw: &mut Draw) -> Duration {
        let last = self.waits.len() - 1; // Bound fixed at compile(): there is one.
        self.waits[last.min(k as usize - 1)].drawn(draw)
    }
}

impl Backoff {
    /// Base, factor and cap of a rule that grows.
    fn growth(&self) -> Option<(Duration, Number, Duration)> {
        match *self {
            Backoff::NoJitter(rule) | Backoff::EqualJitter(rule) | Backoff::FullJitter(rule) => {
                Some((rule.base, rule.factor, rule.cap))
            }
            Backoff::RatioJitter(rule) => Some((rule.base, rule.factor, rule.cap)),
            Backoff::Backo2(rule) => Some((rule.base, rule.factor, rule.cap)),
            Backoff::DecorrelatedJitter(rule) => Some((rule.base, Number::new(3.0), rule.cap)),
            Backoff::Fixed(_) | Backoff::Uniform(_) | Backoff::Schedule(_) => None,
        }
    }

    /// What contradicts itself in its parameters, and how to mend it.
    pub fn contradiction(&self) -> Option<(String, &'static str)> {
        const SWAP: &str = "swap them";
        let upside_down =
            |min: Duration, max: Duration| (max < min).then(|| (format!("max ({max}) is below min ({min})"), SWAP));
        if let Some((base, factor, cap)) = self.growth() {
            if cap < base {
                return Some((format!("cap ({cap}) is below base ({base})"), SWAP));
            }
            if factor.get() < 1.0 {
                return Some((format!("factor is {}: waits would shrink", factor.get()), "write 1 or more"));
            }
        }
        match self {
            Backoff::Uniform(window) => upside_down(window.min, window.max),
            Backoff::RatioJitter(RatioJitter { first: Some(first), .. }) => {
                let (min, max) = first.window();
                upside_down(min, max)
            }
            Backoff::Schedule(list) if list.waits.is_empty() => {
                Some(("the list of waits is empty".to_owned(), "write one wait or more, such as waits = [\"1s\"]"))
            }
            Backoff::Schedule(list) => list.waits.iter().map(Wait::window).find_map(|(min, max)| upside_down(min, max)),
            _ => None,
        }
    }

    /// Which parameter lets a client try again for ever without any time passing.
    pub fn stands_still(&self) -> Option<&'static str> {
        match self {
            Backoff::Fixed(fixed) => fixed.delay.is_zero().then_some("delay is zero"),
            Backoff::Uniform(window) => window.max.is_zero().then_some("max is zero"),
            Backoff::Schedule(list) => {
                list.waits.last().is_some_and(|last| last.window().1.is_zero()).then_some("the last wait is zero")
            }
            Backoff::Backo2(rule) => (rule.base < Duration::from_millis(1)).then_some("base is below 1ms"),
            _ => self.growth()?.0.is_zero().then_some("base is zero"),
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
                within(half, rule.bound(k), draw)
            }
            Backoff::FullJitter(rule) => within(Duration::ZERO, rule.bound(k), draw),
            Backoff::RatioJitter(rule) => rule.wait(k, draw),
            Backoff::Backo2(rule) => rule.wait(k, draw),
            Backoff::DecorrelatedJitter(rule) => rule.wait(k, draws),
            Backoff::Uniform(window) => within(window.min, window.max, draw),
            Backoff::Schedule(list) => list.wait(k, draw),
        }
    }
}

/// Uniform from `min` to `max`, both included.
fn within(min: Duration, max: Duration, draw: &mut Draw) -> Duration {
    min + Duration::from_nanos(draw.random_range(0..=(max - min).as_nanos()))
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
        let rule = Exponential { cap: Duration::from_secs(32), ..Exponential::default() };
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
        let rule = Decorrelated { base: Duration::from_secs(1), cap: Duration::from_secs(20) };
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
        let rule = Decorrelated { base: Duration::from_secs(1), cap: Duration::from_secs(1_000_000) };
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
