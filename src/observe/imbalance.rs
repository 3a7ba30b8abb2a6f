//! How unevenly is a load spread over the nodes?
//!
//! `x` is each ready node's time average, per unit of weight × speed; the truth, not a balancer's view.

/// What a node carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Load {
    /// Sessions bound to it.
    Sessions,
    /// Connections that hang on it.
    Connections,
    /// Attempts at it.
    InFlight,
    /// Slots that are busy.
    Busy,
    /// Memory of its process (bytes).
    Memory,
}

/// How many kinds of load there are.
pub const LOADS: usize = Load::Memory as usize + 1;

/// Measures of unevenness; all are 1 (or 0 for `cv`) when every node carries the same.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Imbalance {
    /// max(x) ÷ mean(x); from 1 to n.
    pub peak_to_mean: f64,
    /// Coefficient of variation: population standard deviation ÷ mean.
    pub cv: f64,
    /// Jain's fairness index (Σx)² ÷ (n Σx²) = 1 ÷ (1 + cv²); from 1/n to 1.
    /// Jain, Chiu, Hawe, DEC-TR-301 (1984).
    pub jain: f64,
    /// max(x) × desired nodes ÷ Σx: what `peak_to_mean` would be if the missing nodes counted with 0.
    pub peak_to_fair: f64,
}

/// Measures `loads`, one per ready node, in a cluster that wants `desired` nodes; `None` when nothing is
/// carried at all.
pub fn imbalance(loads: &[f64], desired: usize) -> Option<Imbalance> {
    let n = loads.len() as f64;
    let sum: f64 = loads.iter().sum();
    if sum <= 0.0 {
        return None;
    }
    let squares: f64 = loads.iter().map(|x| x * x).sum();
    let peak = loads.iter().copied().fold(0.0, f64::max);
    let mean = sum / n;
    let variance = (squares / n - mean * mean).max(0.0);
    Some(Imbalance {
        peak_to_mean: peak / mean,
        cv: variance.sqrt() / mean,
        jain: sum * sum / (n * squares),
        peak_to_fair: peak * desired as f64 / sum,
    })
}

/// The imbalance of one load over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Time mean of each measure; `None` where nothing was carried.
    pub mean: Option<Imbalance>,
    /// The largest `peak_to_fair` of any tick.
    pub peak_to_fair_max: Option<f64>,
    /// Gini coefficient of the nodes' averages; only for windows longer than a tick.
    pub gini: Option<f64>,
}

/// Gini coefficient of `loads`: 0 when all are equal, (n − 1) ÷ n when one carries everything.
pub fn gini(mut loads: Vec<f64>) -> Option<f64> {
    let sum: f64 = loads.iter().sum();
    if sum <= 0.0 {
        return None;
    }
    loads.sort_by(f64::total_cmp);
    let n = loads.len() as f64;
    let ranked: f64 = loads.iter().zip(1..).map(|(x, rank)| f64::from(rank) * x).sum();
    Some((2.0 * ranked / (n * sum) - (n + 1.0) / n).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_node_flatters_peak_to_mean_but_not_peak_to_fair() {
        let found = imbalance(&[36.0, 36.0], 3).unwrap();
        assert_eq!((found.peak_to_mean, found.peak_to_fair), (1.0, 1.5));
    }

    #[test]
    fn known_values() {
        let found = imbalance(&[1.0, 3.0], 2).unwrap();
        assert_eq!((found.peak_to_mean, found.cv, found.jain), (1.5, 0.5, 0.8));
        assert_eq!(gini(vec![3.0, 1.0]), Some(0.25));
        assert_eq!(gini(vec![0.0, 0.0, 5.0, 0.0]), Some(0.75));
    }

    #[test]
    fn nothing_carried_has_no_imbalance() {
        assert_eq!((imbalance(&[0.0, 0.0], 2), imbalance(&[], 2), gini(vec![])), (None, None, None));
    }
}
