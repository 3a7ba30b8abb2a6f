//! How well is a mean known? Mean, sample standard deviation and Student's 95 % interval.
//!
//! Low − t·s/√n … mean + t·s/√n, with t the 0.975 quantile of Student's t with n − 1 degrees of freedom
//! (Law, *Simulation Modeling and Analysis*, §4.5). One value has no interval.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// A range, both ends included.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// A mean and how well it is known.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Estimate {
    /// How many values.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Sample standard deviation (n − 1 below the line); `None` for one value.
    pub sd: Option<f64>,
    /// The 95 % interval of the mean; `None` for one value.
    pub interval: Option<Interval>,
}

/// The estimate from values in seed order; `None` without any.
pub fn estimate(values: &[f64]) -> Option<Estimate> {
    let n = values.len();
    let mean = mean(values)?;
    if n == 1 {
        return Some(Estimate { n, mean, sd: None, interval: None });
    }
    let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    let sd = (squares / (n - 1) as f64).sqrt();
    let half = half_width(sd, n);
    Some(Estimate { n, mean, sd: Some(sd), interval: Some(Interval { low: mean - half, high: mean + half }) })
}

/// The mean of values in seed order; `None` without any.
pub fn mean(values: &[f64]) -> Option<f64> {
    // Relative to the first, so that the mean of equal values is exactly that value.
    let first = *values.first()?;
    Some(first + values.iter().map(|x| x - first).sum::<f64>() / values.len() as f64)
}

/// Half the width of the 95 % interval of a mean of `n` ≥ 2 values with standard deviation `sd`.
pub fn half_width(sd: f64, n: usize) -> f64 {
    student(n - 1) * sd / (n as f64).sqrt()
}

/// The 0.975 quantile of Student's t with so many degrees of freedom, to nine decimals.
pub fn student(freedom: usize) -> f64 {
    let exact = || StudentsT::new(0.0, 1.0, freedom as f64).map(|law| law.inverse_cdf(0.975));
    let quantile = if freedom > EXACT { expansion(freedom as f64) } else { exact().unwrap_or(f64::INFINITY) };
    // statrs may reach the platform's logarithm; past nine decimals it could differ between machines.
    (quantile * 1e9).round() / 1e9
}

/// Up to here statrs inverts Student's law; far above it, it does not converge (1.95985 for a million).
const EXACT: usize = 200;

/// The same for many degrees of freedom n: z + g₁/n + … + g₄/n⁴ (Abramowitz and Stegun 26.7.5).
fn expansion(n: f64) -> f64 {
    let z = 1.959_963_984_540_054;
    let s = z * z;
    let g1 = z * (s + 1.0) / 4.0;
    let g2 = z * ((5.0 * s + 16.0) * s + 3.0) / 96.0;
    let g3 = z * (((3.0 * s + 19.0) * s + 17.0) * s - 15.0) / 384.0;
    let g4 = z * ((((79.0 * s + 776.0) * s + 1482.0) * s - 1920.0) * s - 945.0) / 92_160.0;
    z + (g1 + (g2 + (g3 + g4 / n) / n) / n) / n
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance, "{a} is not {b}");
    }

    #[test]
    fn student_agrees_with_the_printed_tables() {
        let table = [(1, 12.706_205), (2, 4.302_653), (4, 2.776_445), (9, 2.262_157), (19, 2.093_024), (99, 1.984_217)];
        for (freedom, quantile) in table {
            close(student(freedom), quantile, 5e-7);
        }
        close(student(1_000_000), 1.959_966, 1e-6);
    }

    #[test]
    fn the_expansion_takes_over_without_a_step() {
        for freedom in [100, 150, EXACT] {
            close(expansion(freedom as f64), student(freedom), 2e-9);
        }
        assert!(student(EXACT + 1) < student(EXACT));
    }

    #[test]
    fn the_textbook_example_comes_out() {
        // Law, *Simulation Modeling and Analysis*, example 4.26: mean 1.34, variance 0.17.
        let values = [1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09];
        let found = estimate(&values).unwrap();
        close(found.mean, 1.343, 1e-12);
        close(found.sd.unwrap() * found.sd.unwrap(), 0.17, 0.005);
        close(found.interval.unwrap().high - found.mean, 2.262_157 * found.sd.unwrap() / 10f64.sqrt(), 1e-6);
    }

    #[test]
    fn few_or_equal_values_are_no_special_trouble() {
        assert_eq!(estimate(&[]), None);
        assert_eq!(estimate(&[3.5]), Some(Estimate { n: 1, mean: 3.5, sd: None, interval: None }));
        let found = estimate(&[0.1; 7]).unwrap();
        assert_eq!((found.mean, found.sd), (0.1, Some(0.0)));
        assert_eq!(found.interval, Some(Interval { low: 0.1, high: 0.1 }));
    }

    proptest! {
        #[test]
        fn shifting_and_scaling_the_values_shifts_and_scales_the_interval(
            values in prop::collection::vec(-1e3..1e3f64, 2..30), shift in -1e3..1e3f64, scale in 0.1..10.0f64,
        ) {
            let before = estimate(&values).unwrap();
            let changed: Vec<f64> = values.iter().map(|x| x * scale + shift).collect();
            let after = estimate(&changed).unwrap();
            let tolerance = 1e-8 * (1.0 + after.sd.unwrap());
            prop_assert!((after.mean - (before.mean * scale + shift)).abs() < tolerance);
            prop_assert!((after.sd.unwrap() - before.sd.unwrap() * scale).abs() < tolerance);
            let (before, after) = (before.interval.unwrap(), after.interval.unwrap());
            prop_assert!((after.low - (before.low * scale + shift)).abs() < 20.0 * tolerance);
            prop_assert!(after.low <= after.high);
        }
    }
}
