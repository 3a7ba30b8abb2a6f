//! How sure is "k of n"? Intervals for shares of seeds or incidents.
//!
//! Nothing in n is not "never": the upper bound is then 3/n, the rule of three.

use super::interval::Interval;

/// The 0.975 quantile of the normal law.
const Z: f64 = 1.959_963_984_540_054;

/// Wilson's 95 % interval of a share of `hits` in `n` (Wilson 1927); `None` for n = 0.
///
/// (p + z²/2n ± z·√(p(1 − p)/n + z²/4n²)) / (1 + z²/n), with p = hits/n.
pub fn wilson(hits: u64, n: u64) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let (size, share) = (n as f64, hits as f64 / n as f64);
    let (square, below) = (Z * Z / size, 1.0 + Z * Z / size);
    let half = Z * (share * (1.0 - share) / size + square / (4.0 * size)).sqrt();
    // At the ends the terms cancel but for rounding.
    let low = if hits == 0 { 0.0 } else { (share + square / 2.0 - half) / below };
    let high = if hits >= n { 1.0 } else { (share + square / 2.0 + half) / below };
    Some(Interval { low, high })
}

/// The 95 % upper bound of the share of something that happened in none of `n`: 3/n, at most 1.
///
/// (1 − p)ⁿ = 0.05 gives p ≈ 3/n (Hanley and Lippman-Hand 1983).
pub fn upper_of_none(n: u64) -> f64 {
    if n <= 3 { 1.0 } else { 3.0 / n as f64 }
}

/// One-sided bounds of a share of `hits` in `n`, each with this confidence in (0, 1) (Clopper and Pearson 1934).
///
/// Low: the p at which at least `hits` have the chance 1 − confidence; high: at which at most `hits` have it. All of
/// n gives low = (1 − confidence)^(1/n): 20 of 20 prove 86 %, 59 of 59 prove 95 %, at 95 % confidence.
pub fn clopper_pearson(hits: u32, n: u32, confidence: f64) -> Interval {
    let chance = 1.0 - confidence;
    let low = if hits == 0 { 0.0 } else { 1.0 - share_of_at_most(n - hits, n, chance) };
    let high = if hits >= n { 1.0 } else { share_of_at_most(hits, n, chance) };
    Interval { low, high }
}

/// The p at which at most `hits` of `n`, fewer than all, have this chance, to twelve decimals.
fn share_of_at_most(hits: u32, n: u32, chance: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if at_most(hits, n, middle) > chance { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The chance of at most `hits` in `n` when each has the chance p in (0, 1).
pub(super) fn at_most(hits: u32, n: u32, p: f64) -> f64 {
    let factorial = |k: u32| libm::lgamma(f64::from(k) + 1.0);
    let (is, is_not) = (libm::log(p), libm::log1p(-p));
    let term = |k: u32| {
        let ways = factorial(n) - factorial(k) - factorial(n - k);
        libm::exp(ways + f64::from(k) * is + f64::from(n - k) * is_not)
    };
    (0..=hits).map(term).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn clean_seeds_prove_what_the_closed_form_says() {
        for (n, share) in [(20, 0.8609), (29, 0.9019), (59, 0.9505), (299, 0.9900)] {
            let bounds = clopper_pearson(n, n, 0.95);
            assert!((bounds.low - share).abs() < 5e-5 && bounds.high == 1.0, "{n}: {bounds:?}");
        }
    }

    #[test]
    fn clopper_and_pearson_agree_with_published_values() {
        // Two-sided 95 % is one-sided 97.5 % twice. Newcombe 1998, table I, method 5: (k, n, low, high).
        let table =
            [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)];
        for (hits, n, low, high) in table {
            let found = clopper_pearson(hits, n, 0.975);
            assert!((found.low - low).abs() < 5e-5 && (found.high - high).abs() < 5e-5, "{hits}/{n}: {found:?}");
        }
    }

    #[test]
    fn wilson_agrees_with_published_values() {
        // Newcombe, Statistics in Medicine 17 (1998), table I, method 3: (k, n, low, high).
        let table =
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)];
        for (hits, n, low, high) in table {
            let found = wilson(hits, n).unwrap();
            assert!((found.low - low).abs() < 5e-5 && (found.high - high).abs() < 5e-5, "{hits}/{n}: {found:?}");
        }
        assert_eq!(wilson(0, 0), None);
    }

    #[test]
    fn no_loss_in_twenty_crashes_means_less_than_15_percent() {
        assert_eq!(upper_of_none(20), 0.15);
        assert_eq!(upper_of_none(0), 1.0);
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_share_and_mirrors(n in 1..500u64, hits in 0..500u64) {
            let hits = hits.min(n);
            let found = wilson(hits, n).unwrap();
            let share = hits as f64 / n as f64;
            prop_assert!(0.0 <= found.low && found.low <= share && share <= found.high && found.high <= 1.0);
            let mirrored = wilson(n - hits, n).unwrap();
            prop_assert!((found.low - (1.0 - mirrored.high)).abs() < 1e-12);
        }
    }
}
