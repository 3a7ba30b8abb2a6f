//! Does the simulator agree with the product? One verdict per cell and figure.
//!
//! Where the product leaves something to chance, the mean of its r runs must lie within the simulator's 99 %
//! prediction interval for a mean of r runs: m ± t·s·√(1/r + 1/n), with m and s of n seeds and t the 0.995
//! quantile of Student's law with n − 1 degrees of freedom (Law, *Simulation Modeling and Analysis*, §4.5; Hahn
//! and Meeker, *Statistical Intervals*, §4.7), and never narrower than what the measurement can tell. Where it
//! leaves nothing to chance, all runs and all seeds must be equal.

use super::family::Figure;
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, StudentsT};

/// One figure of one cell, measured and simulated.
pub struct Comparison {
    /// Its name.
    pub name: String,
    /// What the runs gave, and what the seeds gave.
    pub measured: Vec<Option<Vec<f64>>>,
    /// The same of the simulator.
    pub simulated: Vec<Option<Vec<f64>>>,
    /// Ends of the interval; none where all must be equal, or near.
    pub interval: Option<(f64, f64)>,
    /// What the numbers of a list may be off by.
    pub near: Option<f64>,
    /// Whether they agree.
    pub agrees: bool,
}

impl Comparison {
    /// Compares a figure; `exact` when the product leaves nothing to chance.
    pub fn new(figure: &Figure, exact: bool, measured: &[Option<Vec<f64>>], simulated: Vec<Option<Vec<f64>>>) -> Self {
        let (name, measured) = (figure.name.clone(), measured.to_vec());
        if measured.is_empty() {
            // Every run was spoilt: there is nothing to agree with.
            return Comparison { name, measured, simulated, interval: None, near: None, agrees: true };
        }
        let never = measured.iter().all(Option::is_none);
        let near = figure.near.filter(|_| !never && !exact);
        let (interval, agrees) = if never || exact {
            (None, measured.iter().chain(&simulated).all(|value| *value == measured[0]))
        } else if let Some(near) = near {
            let (real, runs) = (means(&measured), means(&simulated));
            (None, real.len() == runs.len() && real.iter().zip(&runs).all(|(a, b)| (a - b).abs() <= near))
        } else {
            let (real, runs) = (scalars(&measured), scalars(&simulated));
            let interval = predict(&runs, real.len(), figure.floor);
            let within = |(low, high)| (low..=high).contains(&mean(&real));
            (interval, interval.is_some_and(within) && mostly(&measured) == mostly(&simulated))
        };
        Comparison { name, measured, simulated, interval, near, agrees }
    }
}

impl Comparison {
    /// Whether the simulator leaves something to chance in it.
    pub fn has_luck(&self) -> bool {
        self.interval.is_some() && self.simulated.iter().any(|value| *value != self.simulated[0])
    }
}

/// The numbers among them.
pub fn scalars(values: &[Option<Vec<f64>>]) -> Vec<f64> {
    let one = |value: &Vec<f64>| {
        assert!(value.len() == 1, "only single numbers have an interval: {value:?}");
        value[0]
    };
    values.iter().flatten().map(one).collect()
}

/// The mean of each number of a list; none when lists are of different lengths.
fn means(values: &[Option<Vec<f64>>]) -> Vec<f64> {
    let lists: Vec<&Vec<f64>> = values.iter().flatten().collect();
    let length = lists.first().map_or(0, |list| list.len());
    if lists.iter().any(|list| list.len() != length) {
        return Vec::new();
    }
    (0..length).map(|place| mean(&lists.iter().map(|list| list[place]).collect::<Vec<f64>>())).collect()
}

/// Whether most of them have a value: what never came in the one must not come in the other.
fn mostly(values: &[Option<Vec<f64>>]) -> bool {
    2 * values.iter().flatten().count() > values.len()
}

/// The mean.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The prediction interval for the mean of `runs` values; none from fewer than two seeds that have one.
fn predict(seeds: &[f64], runs: usize, floor: f64) -> Option<(f64, f64)> {
    let (n, r) = (seeds.len() as f64, runs as f64);
    let m = mean(seeds);
    let sd = (seeds.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / (n - 1.0)).sqrt();
    let t = StudentsT::new(0.0, 1.0, n - 1.0).ok()?.inverse_cdf(0.995);
    let half = (t * sd * (1.0 / r + 1.0 / n).sqrt()).max(floor);
    Some((m - half, m + half))
}

/// So many of `intervals` with luck in them may miss: more would do so less than once in a hundred times.
pub fn may_miss(intervals: usize) -> u64 {
    let law = Binomial::new(0.01, intervals as u64).expect("a share");
    (0..).find(|&misses| law.cdf(misses) >= 0.99).expect("all of them at most")
}

#[test]
fn an_interval_is_for_a_mean_of_as_many_runs() {
    // Mean 3 and standard deviation √2.5 of five seeds; t with 4 degrees of freedom is 4.604 at 0.995.
    let (low, high) = predict(&[1.0, 2.0, 3.0, 4.0, 5.0], 4, 0.0).unwrap();
    let half = 4.604 * f64::sqrt(2.5 * (1.0 / 4.0 + 1.0 / 5.0));
    assert!((low - (3.0 - half)).abs() < 1e-3 && (high - (3.0 + half)).abs() < 1e-3, "{low} … {high}");
    assert_eq!(predict(&[2.0, 2.0], 4, 0.1), Some((1.9, 2.1)));
    assert_eq!(predict(&[2.0], 4, 0.1), None);
}

#[test]
fn so_many_may_miss_of_so_many() {
    // Of 100 fair intervals more than 4 miss with probability 0.0034, more than 3 with 0.0184.
    assert_eq!((may_miss(0), may_miss(1), may_miss(100)), (0, 0, 4));
}
