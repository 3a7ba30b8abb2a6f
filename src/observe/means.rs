//! Time means over ticks of the cluster's figures, for windows longer than a tick.

use super::histogram::Quantiles;
use super::imbalance::{Imbalance, LOADS, Spread};
use super::lines::LineFigures;
use super::nodes::Failures;
use super::services::ServiceFigures;
use super::window::ClusterFigures;

/// Sums over ticks of what a longer window shows the mean of.
#[derive(Clone, Debug, Default)]
pub struct Means {
    ticks: f64,
    ready: f64,
    ready_min: Option<f64>,
    utilisation: (f64, f64),
    utilisation_max: Option<f64>,
    memory_ratio_max: Option<f64>,
    restarts: u64,
    oom_kills: Option<u64>,
    failures: Failures,
    wanted: f64,
    scalings: [u64; 2],
    spreads: [SpreadMeans; LOADS],
    // A sum, and the longest line.
    lines: Option<LineFigures>,
    // Sums, and the longest line.
    rebuilders: Option<ServiceFigures>,
    stores: Option<ServiceFigures>,
    node_time: u128,
    mixed_time: u128,
    // A sum.
    store_memory: Option<f64>,
}

#[derive(Clone, Debug, Default)]
struct SpreadMeans {
    sums: [f64; 4],
    n: f64,
    max: Option<f64>,
}

impl Means {
    /// Adds a tick.
    pub fn add(&mut self, tick: &ClusterFigures) {
        self.ticks += 1.0;
        self.ready += tick.ready_mean;
        self.ready_min = Some(self.ready_min.map_or(tick.ready_min, |least| least.min(tick.ready_min)));
        if let Some(utilisation) = tick.utilisation_mean {
            self.utilisation = (self.utilisation.0 + utilisation, self.utilisation.1 + 1.0);
        }
        self.utilisation_max = larger(self.utilisation_max, tick.utilisation_max);
        if let Some(figures) = tick.lines {
            let sums = self.lines.get_or_insert_default();
            sums.mean += figures.mean;
            sums.max = sums.max.max(figures.max);
        }
        add_services(&mut self.rebuilders, tick.rebuilders);
        add_services(&mut self.stores, tick.stores);
        self.node_time += tick.node_time;
        self.mixed_time += tick.mixed_time;
        self.memory_ratio_max = larger(self.memory_ratio_max, tick.memory_ratio_max);
        self.store_memory = tick.store_memory.map(|bytes| self.store_memory.unwrap_or(0.0) + bytes);
        self.restarts += tick.restarts;
        self.oom_kills = tick.oom_kills.map(|kills| self.oom_kills.unwrap_or(0) + kills);
        self.failures += tick.failures;
        self.wanted += tick.wanted_mean;
        self.scalings.iter_mut().zip(tick.scalings).for_each(|(sum, of_tick)| *sum += of_tick);
        for (means, spread) in self.spreads.iter_mut().zip(tick.spreads) {
            if let Some(measured) = spread.mean {
                let measures = [measured.peak_to_mean, measured.cv, measured.jain, measured.peak_to_fair];
                means.sums.iter_mut().zip(measures).for_each(|(sum, x)| *sum += x);
                means.n += 1.0;
                means.max = larger(means.max, spread.peak_to_fair_max);
            }
        }
    }

    /// The means so far; the Gini coefficient of each load, and the times of rebuild services and of stores.
    pub fn figures(
        &self,
        ginis: [Option<f64>; LOADS],
        [rebuild_times, store_times]: [Option<Quantiles>; 2],
    ) -> Option<ClusterFigures> {
        let spread = |load: usize| {
            let means = &self.spreads[load];
            let [peak_to_mean, cv, jain, peak_to_fair] = means.sums.map(|sum| sum / means.n);
            let measured = Imbalance { peak_to_mean, cv, jain, peak_to_fair };
            Spread {
                mean: (means.n > 0.0).then_some(measured),
                peak_to_fair_max: means.max,
                gini: ginis[load].filter(|_| means.n > 0.0),
            }
        };
        (self.ticks > 0.0).then(|| ClusterFigures {
            ready_mean: self.ready / self.ticks,
            ready_min: self.ready_min.unwrap_or(0.0),
            utilisation_mean: (self.utilisation.1 > 0.0).then(|| self.utilisation.0 / self.utilisation.1),
            utilisation_max: self.utilisation_max,
            memory_ratio_max: self.memory_ratio_max,
            restarts: self.restarts,
            oom_kills: self.oom_kills,
            failures: self.failures,
            wanted_mean: self.wanted / self.ticks,
            scalings: self.scalings,
            spreads: std::array::from_fn(spread),
            lines: self.lines.map(|sums| LineFigures { mean: sums.mean / self.ticks, ..sums }),
            rebuilders: self.rebuilders.map(|sums| self.mean_of_services(sums)),
            rebuild_times,
            stores: self.stores.map(|sums| self.mean_of_services(sums)),
            store_times,
            node_time: self.node_time,
            mixed_time: self.mixed_time,
            store_memory: self.store_memory.map(|sum| sum / self.ticks),
        })
    }

    fn mean_of_services(&self, sums: ServiceFigures) -> ServiceFigures {
        let ServiceFigures { waiting_mean, utilisation, waiting_max } = sums;
        ServiceFigures { waiting_mean: waiting_mean / self.ticks, utilisation: utilisation / self.ticks, waiting_max }
    }
}

fn add_services(sums: &mut Option<ServiceFigures>, tick: Option<ServiceFigures>) {
    if let Some(figures) = tick {
        let sums = sums.get_or_insert_default();
        sums.waiting_mean += figures.waiting_mean;
        sums.utilisation += figures.utilisation;
        sums.waiting_max = sums.waiting_max.max(figures.waiting_max);
    }
}

fn larger(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}
