//! What does one long run know of its own averages? Their means over stretches of equal length.

use super::columns::{self, Column};
use super::totals::Totals;
use super::window::{ClusterFigures, Window};
use crate::base::time::Instant;

/// Into so many stretches a run is cut (Schmeiser, *Operations Research* 30, 1982: more than 30 gain nothing).
pub const BATCHES: usize = 20;

/// Fewer ticks in a stretch say nothing.
const TICKS_MIN: usize = 5;

/// Averages that follow from what is counted in a stretch.
const COUNTED: &[&str] = &[
    "sessions_live_mean",
    "sessions_disconnected_mean",
    "requests_failed_ratio",
    "goodput_rps",
    "response_time_ms_mean",
    "state_hit_ratio",
];

/// Averages of the cluster, which are means over ticks.
const OVER_TICKS: &[&str] = &["node_utilisation_ratio_mean", "sessions_peak_to_mean", "nodes_ready_mean"];

/// An average by stretch, in order.
#[derive(Clone, Debug)]
pub struct Batches {
    /// The figure.
    pub column: &'static Column,
    /// One value per stretch.
    pub means: Vec<f64>,
}

impl Batches {
    /// How a stretch goes with the next: the lag-1 correlation, −1 to 1; `None` when nothing varies.
    ///
    /// Near 0 the stretches are long enough to be taken as independent.
    pub fn correlation(&self) -> Option<f64> {
        let n = self.means.len() as f64;
        let mean = self.means.iter().sum::<f64>() / n;
        let square: f64 = self.means.iter().map(|x| (x - mean) * (x - mean)).sum();
        let next: f64 = self.means.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
        (square > 0.0).then(|| next / square)
    }
}

/// The averages of the ticks of all populations together, in order, from the warm-up on; none where they are too few, or
/// a figure is missing in a stretch.
pub fn cut(ticks: &[&Window], warmup: Instant) -> Vec<Batches> {
    let after: Vec<&Window> = ticks.iter().copied().filter(|tick| tick.from >= warmup).collect();
    let length = after.len() / BATCHES;
    if length < TICKS_MIN {
        return Vec::new();
    }
    // What is left over belongs to the beginning, which is nearest to the warm-up.
    let stretches: Vec<&[&Window]> = after[after.len() - length * BATCHES..].chunks_exact(length).collect();
    let joined: Vec<Window> = stretches.iter().map(|stretch| join(stretch)).collect();
    let counted = COUNTED.iter().filter_map(|name| {
        let column = columns::named(name)?;
        let means = joined.iter().map(|window| (column.get)(window)).collect::<Option<Vec<f64>>>()?;
        Some(Batches { column, means })
    });
    let over_ticks = OVER_TICKS.iter().filter_map(|name| {
        let column = columns::named(name)?;
        let means = stretches.iter().map(|stretch| mean(stretch, column)).collect::<Option<Vec<f64>>>()?;
        Some(Batches { column, means })
    });
    counted.chain(over_ticks).collect()
}

/// The ticks of a stretch as one window, as far as it follows from counts.
fn join(stretch: &[&Window]) -> Window {
    let (first, last) = (stretch[0], stretch[stretch.len() - 1]);
    let mut totals = Totals::default();
    stretch.iter().for_each(|tick| totals += &tick.totals);
    Window { from: first.from, totals, cluster: None::<ClusterFigures>, ..last.clone() }
}

fn mean(stretch: &[&Window], column: &Column) -> Option<f64> {
    let values: Vec<f64> = stretch.iter().filter_map(|tick| (column.get)(tick)).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(means: &[f64]) -> Batches {
        Batches { column: columns::named("goodput_rps").unwrap(), means: means.to_vec() }
    }

    #[test]
    fn neighbours_that_go_together_are_correlated() {
        let slow: Vec<f64> = (0..20).map(f64::from).collect();
        assert!(batches(&slow).correlation().unwrap() > 0.8);
        let turns: Vec<f64> = (0..20).map(|i| f64::from(i % 2)).collect();
        assert!(batches(&turns).correlation().unwrap() < -0.9);
        assert_eq!(batches(&[3.0; 20]).correlation(), None);
    }
}
