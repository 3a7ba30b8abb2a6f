//! Is one variant better than another? Differences paired by seed, since every variant faces the same luck.
//!
//! A difference is resolved when its 95 % interval leaves zero out (Law, *Simulation Modeling and
//! Analysis*, §10.2: paired-t under common random numbers). Anything else is "not resolved", never "equal".
//! Who asks many figures at once is fooled by one in twenty: `holm` says which differences survive that.

use super::interval::{Estimate, estimate, half_width, mean};
use crate::observe::columns::Better;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// What the seeds say of a difference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The variant is better than the baseline.
    Better,
    /// It is worse.
    Worse,
    /// Every seed gave exactly the same.
    Same,
    /// The seeds do not tell.
    NotResolved,
}

impl Verdict {
    /// Its name in `compare.csv`.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            Verdict::Same => "same",
            Verdict::NotResolved => "not resolved",
        }
    }
}

/// A variant against a baseline, over the seeds in which both have a value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Paired {
    /// Mean of the baseline over those seeds.
    pub baseline_mean: f64,
    /// Variant − baseline; `n` is the number of pairs.
    pub difference: Estimate,
    /// Share of seeds in which the variant is better, ties counted half; `None` without a better direction.
    pub win_probability: Option<f64>,
    /// `None` without a better direction.
    pub verdict: Option<Verdict>,
    /// By what factor the interval is narrower than that of as many seeds that were not paired, √((s₁² + s₂²) ÷ s²) with s
    /// that of the differences; below one where common luck drives the two apart. `None` for one pair, or no spread.
    pub pairing_gain: Option<f64>,
    /// Two-sided p-value of the paired t: how often so large a difference comes where there is none. `None` for one pair.
    pub p_value: Option<f64>,
    /// Seeds it would take to resolve a difference of this size with this spread; only when not resolved.
    pub n_needed: Option<u64>,
}

/// Compares two series of values by seed; `None` when no seed has both.
pub fn paired(baseline: &[Option<f64>], variant: &[Option<f64>], better: Better) -> Option<Paired> {
    let pairs: Vec<(f64, f64)> = baseline.iter().zip(variant).filter_map(|(&a, &b)| a.zip(b)).collect();
    let baseline_mean = mean(&pairs.iter().map(|pair| pair.0).collect::<Vec<_>>())?;
    let differences: Vec<f64> = pairs.iter().map(|(a, b)| b - a).collect();
    let difference = estimate(&differences)?;
    let (pairing_gain, p_value) = (pairing_gain(&pairs, difference), p_value(difference));
    let sign = match better {
        Better::More => 1.0,
        Better::Less => -1.0,
        Better::Neither => {
            return Some(Paired {
                baseline_mean,
                difference,
                pairing_gain,
                p_value,
                win_probability: None,
                verdict: None,
                n_needed: None,
            });
        }
    };
    let gain = |x: &&f64| **x * sign > 0.0;
    let wins = differences.iter().filter(gain).count() as f64;
    let ties = differences.iter().filter(|x| **x == 0.0).count() as f64;
    let verdict = judge(&differences, difference, sign);
    Some(Paired {
        baseline_mean,
        difference,
        win_probability: Some((wins + ties / 2.0) / differences.len() as f64),
        verdict: Some(verdict),
        pairing_gain,
        p_value,
        n_needed: if verdict == Verdict::NotResolved { n_needed(difference) } else { None },
    })
}

fn pairing_gain(pairs: &[(f64, f64)], difference: Estimate) -> Option<f64> {
    let variance = |of: fn(&(f64, f64)) -> f64| {
        let sd = estimate(&pairs.iter().map(of).collect::<Vec<_>>())?.sd?;
        Some(sd * sd)
    };
    let (first, second, paired) = (variance(|pair| pair.0)?, variance(|pair| pair.1)?, difference.sd?);
    (paired > 0.0).then(|| (first + second).sqrt() / paired)
}

fn p_value(difference: Estimate) -> Option<f64> {
    let (sd, n) = (difference.sd?, difference.n);
    if sd == 0.0 {
        return Some(if difference.mean == 0.0 { 1.0 } else { 0.0 });
    }
    let t = difference.mean.abs() / (sd / (n as f64).sqrt());
    let law = StudentsT::new(0.0, 1.0, (n - 1) as f64).ok()?;
    // As the quantiles: past nine decimals machines could differ.
    Some((2.0 * law.sf(t) * 1e9).round() / 1e9)
}

/// P-values of several questions that are asked at once, each made as large as that demands; those absent stay absent
/// and count for nothing (Holm, *Scand. J. Statist.* 6, 1979).
pub fn holm(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<usize> = (0..p_values.len()).filter(|&i| p_values[i].is_some()).collect();
    order.sort_by(|&a, &b| p_values[a].unwrap_or(1.0).total_cmp(&p_values[b].unwrap_or(1.0)));
    let (mut adjusted, mut least) = (vec![None; p_values.len()], 0.0f64);
    for (rank, &i) in order.iter().enumerate() {
        let own = p_values[i].unwrap_or(1.0) * (order.len() - rank) as f64;
        least = least.max(own.min(1.0));
        adjusted[i] = Some(least);
    }
    adjusted
}

fn judge(differences: &[f64], difference: Estimate, sign: f64) -> Verdict {
    if differences.iter().all(|&x| x == 0.0) {
        return Verdict::Same;
    }
    match difference.interval {
        Some(interval) if interval.low > 0.0 || interval.high < 0.0 => {
            if difference.mean * sign > 0.0 {
                Verdict::Better
            } else {
                Verdict::Worse
            }
        }
        _ => Verdict::NotResolved,
    }
}

/// The smallest n whose interval would leave zero out, were mean and spread to stay as they are.
///
/// `None` when no number of seeds is known to suffice: a difference of zero, an unknown spread, or more
/// than a million seeds.
fn n_needed(difference: Estimate) -> Option<u64> {
    const MOST: f64 = 1e6;
    let (sd, size) = (difference.sd?, difference.mean.abs());
    // Student's t is never below the normal law's 1.95996: start there and go up.
    let ratio = 1.959_96 * sd / size;
    let least = ratio * ratio;
    if !least.is_finite() || least > MOST {
        return None;
    }
    let first = (least as usize).max(difference.n + 1);
    (first..).find(|&n| half_width(sd, n) < size).map(|n| n as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    #[test]
    fn the_textbook_paired_t_comes_out() {
        // Student's sleep data (1908): mean 1.58, t = 4.0621 with 9 degrees, 95 % interval 0.70 … 2.46.
        let drug_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let drug_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let found = paired(&some(&drug_1), &some(&drug_2), Better::More).unwrap();
        let interval = found.difference.interval.unwrap();
        assert!((found.difference.mean - 1.58).abs() < 1e-12);
        assert!((interval.low - 0.700_114_2).abs() < 1e-6 && (interval.high - 2.459_885_8).abs() < 1e-6);
        assert_eq!(found.verdict, Some(Verdict::Better));
        assert_eq!(found.win_probability, Some(0.95), "nine wins and a tie");
        assert!((found.p_value.unwrap() - 0.002_833).abs() < 1e-6, "{:?}", found.p_value);
        assert_eq!(paired(&some(&drug_1), &some(&drug_2), Better::Less).unwrap().verdict, Some(Verdict::Worse));
    }

    #[test]
    fn holm_steps_down_and_never_turns_the_order() {
        // The example of R's p.adjust(c(0.01, 0.02, 0.03, 0.04), "holm").
        let found = holm(&[Some(0.03), Some(0.01), None, Some(0.04), Some(0.02)]);
        let expected = [Some(0.06), Some(0.04), None, Some(0.06), Some(0.06)];
        assert!(found.iter().zip(expected).all(|(a, b)| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-12,
            (a, b) => a.is_none() && b.is_none(),
        }));
        assert_eq!(holm(&[Some(0.6), Some(0.7)]), [Some(1.0), Some(1.0)]);
    }

    #[test]
    fn luck_that_both_share_narrows_the_interval_and_luck_that_parts_them_widens_it() {
        let gain = |a: &[f64], b: &[f64]| paired(&some(a), &some(b), Better::Less).unwrap().pairing_gain;
        // Variances 1 and 1, of the differences 0.04 and 4.
        let together = gain(&[0.0, 1.0, 2.0], &[0.2, 1.0, 1.8]).unwrap();
        assert!((together - (1.0f64 + 0.64).sqrt() / 0.2).abs() < 1e-9, "{together}");
        let apart = gain(&[0.0, 1.0, 2.0], &[2.0, 1.0, 0.0]).unwrap();
        assert!((apart - 2f64.sqrt() / 2.0).abs() < 1e-9, "{apart}");
        assert_eq!(gain(&[1.0, 2.0], &[2.0, 3.0]), None, "no spread at all");
    }

    #[test]
    fn only_seeds_with_both_values_count() {
        let found = paired(&[Some(1.0), None, Some(3.0)], &[Some(2.0), Some(9.0), None], Better::Less).unwrap();
        assert_eq!((found.difference.n, found.baseline_mean, found.difference.mean), (1, 1.0, 1.0));
        assert_eq!((found.difference.interval, found.verdict), (None, Some(Verdict::NotResolved)));
        assert_eq!(paired(&[Some(1.0), None], &[None, Some(1.0)], Better::Less), None);
    }

    #[test]
    fn a_figure_without_a_direction_has_no_winner() {
        let found = paired(&some(&[1.0, 2.0]), &some(&[2.0, 3.0]), Better::Neither).unwrap();
        assert_eq!((found.win_probability, found.verdict, found.n_needed), (None, None, None));
    }

    #[test]
    fn the_number_of_seeds_needed_is_the_first_that_would_resolve() {
        let found = paired(&some(&[0.0; 4]), &some(&[3.0, -1.0, 2.0, 0.0]), Better::More).unwrap();
        let (sd, n) = (found.difference.sd.unwrap(), found.n_needed.unwrap() as usize);
        assert_eq!(found.verdict, Some(Verdict::NotResolved));
        assert!(half_width(sd, n) < 1.0 && half_width(sd, n - 1) >= 1.0, "{n}");
        let symmetric = paired(&some(&[0.0; 2]), &some(&[1.0, -1.0]), Better::More).unwrap();
        assert_eq!(symmetric.n_needed, None, "no number of seeds resolves a difference of zero");
    }

    proptest! {
        #[test]
        fn compared_with_itself_a_variant_differs_by_exactly_nothing(
            values in prop::collection::vec(prop::option::of(-1e9..1e9f64), 1..30),
        ) {
            prop_assume!(values.iter().any(Option::is_some));
            let found = paired(&values, &values, Better::Less).unwrap();
            prop_assert_eq!(found.difference.mean, 0.0);
            prop_assert!(found.difference.sd.is_none_or(|sd| sd == 0.0));
            prop_assert!(found.difference.interval.is_none_or(|i| i.low == 0.0 && i.high == 0.0));
            prop_assert_eq!(found.win_probability, Some(0.5));
            prop_assert_eq!(found.verdict, Some(Verdict::Same));
        }

        #[test]
        fn luck_that_both_share_changes_nothing(
            pairs in prop::collection::vec((-50..50i32, -50..50i32, -50..50i32), 2..20),
        ) {
            let of = |f: fn(&(i32, i32, i32)) -> i32| -> Vec<Option<f64>> {
                pairs.iter().map(|p| Some(f64::from(f(p)))).collect()
            };
            let plain = paired(&of(|p| p.0), &of(|p| p.1), Better::More).unwrap();
            let shifted = paired(&of(|p| p.0 + p.2), &of(|p| p.1 + p.2), Better::More).unwrap();
            prop_assert_eq!(plain.difference, shifted.difference);
            prop_assert_eq!(plain.verdict, shifted.verdict);
        }
    }
}
