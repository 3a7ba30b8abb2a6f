//! How well is a quantile known? Between which two of the values, counted from the smallest, it lies.
//!
//! How many of n values fall below the p-quantile of their law is binomial, whatever the law is. So the l-th and the u-th
//! smallest hold it with at least 95 %, when at most 2.5 % are lost on either side (David and Nagaraja, *Order
//! Statistics*, §7.1). Few values do not have such a pair: a median needs six.

use super::interval::Interval;
use super::shares::at_most;

/// The 95 % interval of the p-quantile, p in (0, 1), from values in ascending order; `None` where they are too few.
pub fn quantile_interval(sorted: &[f64], p: f64) -> Option<Interval> {
    let n = sorted.len() as u32;
    // The lower end is the l-th smallest: all but 2.5 % of the time at least l values are below the quantile.
    let low = (1..=n).take_while(|&l| at_most(l - 1, n, p) <= 0.025).last()?;
    let high = (low + 1..=n).find(|&u| at_most(u - 1, n, p) >= 0.975)?;
    Some(Interval { low: sorted[low as usize - 1], high: sorted[high as usize - 1] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranks(n: u32, p: f64) -> Option<(f64, f64)> {
        let values: Vec<f64> = (1..=n).map(f64::from).collect();
        quantile_interval(&values, p).map(|interval| (interval.low, interval.high))
    }

    #[test]
    fn the_ranks_of_the_printed_tables_come_out() {
        // Conover, *Practical Nonparametric Statistics*, table A3: medians.
        for (n, low, high) in [(6, 1.0, 6.0), (10, 2.0, 9.0), (20, 6.0, 15.0), (50, 18.0, 33.0)] {
            assert_eq!(ranks(n, 0.5), Some((low, high)), "{n}");
        }
        assert_eq!(ranks(5, 0.5), None, "the least and the most of five hold it in 94 %");
        assert_eq!(ranks(20, 0.95), None);
    }
}
