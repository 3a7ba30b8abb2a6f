//! How far do the seeds spread? Mean and quantiles over seeds.
//!
//! Quantiles interpolate linearly between order statistics: type 7 of Hyndman and Fan (1996), which R,
//! NumPy and pandas use unless told otherwise. Below 59 seeds p5 … p95 is a range, not a tolerance band.

use super::interval::mean;

/// The spread of one figure over seeds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Band {
    /// How many seeds have a value.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// 5th percentile.
    pub p5: f64,
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
}

/// The band of values given in seed order, which are left sorted; `None` without any.
pub fn band(values: &mut [f64]) -> Option<Band> {
    let mean = mean(values)?;
    values.sort_by(f64::total_cmp);
    let at = |p| quantile(values, p);
    Some(Band { n: values.len(), mean, p5: at(0.05)?, p50: at(0.5)?, p95: at(0.95)? })
}

/// The `p`-quantile of sorted values, `p` in [0, 1]: x₍ₖ₎ + f·(x₍ₖ₊₁₎ − x₍ₖ₎) with (n − 1)·p = k + f.
pub fn quantile(sorted: &[f64], p: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = last as f64 * p;
    let below = (place as usize).min(last);
    let above = (below + 1).min(last);
    Some(sorted[below] + (place - below as f64) * (sorted[above] - sorted[below]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy.quantile([1, 2, 4, 8, 16], [0, .05, .25, .5, .95, 1]).
        let values = [1.0, 2.0, 4.0, 8.0, 16.0];
        for (p, expected) in [(0.0, 1.0), (0.05, 1.2), (0.25, 2.0), (0.5, 4.0), (0.95, 14.4), (1.0, 16.0)] {
            assert!((quantile(&values, p).unwrap() - expected).abs() < 1e-12, "{p}");
        }
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn one_value_is_its_own_band() {
        assert_eq!(band(&mut [7.0]), Some(Band { n: 1, mean: 7.0, p5: 7.0, p50: 7.0, p95: 7.0 }));
        assert_eq!(band(&mut []), None);
    }

    proptest! {
        #[test]
        fn a_band_lies_within_the_values_and_in_order(mut values in prop::collection::vec(-1e6..1e6f64, 1..40)) {
            let found = band(&mut values).unwrap();
            let (least, most) = (values[0], values[values.len() - 1]);
            prop_assert!(least <= found.p5 && found.p5 <= found.p50 && found.p50 <= found.p95 && found.p95 <= most);
        }
    }
}
