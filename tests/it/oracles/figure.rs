//! How a figure is read off a run: a column of the whole run, or something that takes more words.

use crate::lab;
use serde::Deserialize;
use std::collections::BTreeMap;
use stickysim::base::cause::{Cause, Harm};
use stickysim::cluster::plan::Plan;
use stickysim::observe::columns;
use stickysim::observe::recorder::{NodeTick, Recording, State};
use stickysim::observe::trace::{Happening, Who};
use stickysim::observe::window::Window;

/// A figure of a run.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Figure {
    /// A column of the whole run.
    Column(String),
    /// Anything else.
    Reading(Box<Reading>),
}

/// Times are seconds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// A column; `harm/cause`; of nodes `sessions`, `connections`, `utilisation` or
    /// `nodes_up`; or, of the trace, `moved_times` and
    /// `fewest_found_up`.
    of: String,
    /// In the window of the incident of this number, from 1.
    incident: Option<usize>,
    /// In the tick that ends then.
    at: Option<f64>,
    /// In the ticks between these two.
    from: Option<f64>,
    to: Option<f64>,
    /// How ticks become one value: their sum if they are counts, or their mean.
    #[serde(default)]
    max: bool,
    /// The end of the first tick with at least so much.
    first: Option<f64>,
    /// The end of the last tick with more.
    last: Option<f64>,
    /// The share of ticks with at least so much.
    share: Option<f64>,
    /// What the times above, and those that come out, count from.
    #[serde(default)]
    since: Since,
    /// Of these nodes, their mean; or of the `fullest` or the `emptiest`.
    #[serde(default)]
    node: Vec<String>,
    /// In shares of so many nodes; in sessions or connections when not given.
    fair: Option<f64>,
    /// This quantile over nodes and ticks.
    quantile: Option<f64>,
    /// How often, for `moved_times`.
    times: Option<usize>,
    /// A column that is taken away, tick by tick.
    less: Option<String>,
    /// What it is divided by: another figure; then a number is taken away, and it is divided by a number.
    per: Option<Figure>,
    #[serde(default)]
    minus: f64,
    over: Option<f64>,
    /// Whether its square is meant.
    #[serde(default)]
    squared: bool,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Since {
    #[default]
    Start,
    /// When the first incident began.
    Incident,
    /// When its change was complete.
    Completed,
}

/// A run to read from.
pub struct Run<'p> {
    pub plan: &'p Plan,
    pub recording: Recording,
}

impl Figure {
    /// How it reads in short.
    pub fn label(&self) -> String {
        let name = match self {
            Figure::Column(name) => name,
            Figure::Reading(reading) => &reading.of,
        };
        format!("`{name}`")
    }

    /// Its value in one run.
    pub fn read(&self, run: &Run) -> f64 {
        match self {
            Figure::Column(name) => value(lab::whole(&run.recording), name).unwrap_or(f64::NAN),
            Figure::Reading(reading) => reading.read(run),
        }
    }

    /// The name of a column or a measure.
    pub fn of(&self) -> &str {
        match self {
            Figure::Column(name) => name,
            Figure::Reading(reading) => &reading.of,
        }
    }

    /// Whether it looks at single nodes, and whether at the trace.
    pub fn needs(&self) -> [bool; 2] {
        let Figure::Reading(reading) = self else { return [false, false] };
        let other = reading.per.as_ref().map_or([false, false], Figure::needs);
        let of_nodes = ["sessions", "connections", "utilisation", "nodes_up"].contains(&reading.of.as_str());
        let of_trace = ["moved_times", "fewest_found_up"].contains(&reading.of.as_str());
        [of_nodes || other[0], of_trace || other[1]]
    }
}

/// A column, or how often a cause did a harm, in a window.
fn value(window: &Window, name: &str) -> Option<f64> {
    let Some((harm, cause)) = name.split_once('/') else {
        let column = columns::named(name).unwrap_or_else(|| panic!("there is no column {name}"));
        return (column.get)(window);
    };
    let cause =
        Cause::ALL.into_iter().find(|known| known.name() == cause).unwrap_or_else(|| panic!("no cause {cause}"));
    let harms = [Harm::Failed, Harm::Dropped, Harm::Moved, Harm::Lost];
    let harm = harms.into_iter().find(|known| known.name() == harm).unwrap_or_else(|| panic!("no harm {harm}"));
    Some(window.totals.of(harm, cause) as f64)
}

impl Reading {
    fn read(&self, run: &Run) -> f64 {
        let raw = match (self.of.as_str(), self.incident) {
            ("moved_times", _) => run.moved_times(self.times.expect("how often")),
            ("fewest_found_up", _) => run.fewest_found_up(),
            (name, Some(nth)) => value(run.incident(nth), name).unwrap_or(f64::NAN),
            _ if self.quantile.is_some() => self.quantile_of_nodes(run),
            _ => self.of_ticks(run),
        };
        let ratio = self.per.as_ref().map_or(raw, |per| raw / per.read(run));
        let figure = (ratio - self.minus) / self.over.unwrap_or(1.0);
        if self.squared { figure * figure } else { figure }
    }

    fn zero(&self, run: &Run) -> f64 {
        let began = || run.incident(1).from.as_secs_f64();
        match self.since {
            Since::Start => 0.0,
            Since::Incident => began(),
            Since::Completed => began() + lab::figure(run.incident(1), "rollout_time_s"),
        }
    }

    /// From a series of ticks.
    fn of_ticks(&self, run: &Run) -> f64 {
        const NOW: f64 = 1e-6;
        let zero = self.zero(run);
        let (from, to) = (zero + self.from.unwrap_or(-1e18), zero + self.to.unwrap_or(1e18));
        let all = run.recording.ticks.chunks(run.recording.runs.len()).enumerate();
        let mut ticks = all.map(|(tick, windows)| (tick, windows.last().expect("one of all")));
        if let Some(at) = self.at.map(|at| zero + at) {
            let (tick, window) =
                ticks.find(|(_, window)| window.to.as_secs_f64() >= at - NOW).expect("a tick that ends then");
            return self.in_tick(run, tick, window).unwrap_or(f64::NAN);
        }
        let within = |window: &Window| window.from.as_secs_f64() >= from - NOW && window.to.as_secs_f64() <= to + NOW;
        let series: Vec<(f64, f64)> = ticks
            .filter(|(_, window)| within(window))
            .filter_map(|(tick, window)| Some((window.to.as_secs_f64() - zero, self.in_tick(run, tick, window)?)))
            .collect();
        let (n, sum) = (series.len() as f64, series.iter().map(|(_, x)| x).sum::<f64>());
        if let Some(least) = self.first {
            series.iter().find(|(_, x)| *x >= least).map_or(f64::INFINITY, |(end, _)| *end)
        } else if let Some(least) = self.last {
            series.iter().rev().find(|(_, x)| *x > least).map_or(0.0, |(end, _)| *end)
        } else if let Some(least) = self.share {
            series.iter().filter(|(_, x)| *x >= least).count() as f64 / n
        } else if self.max {
            series.iter().map(|(_, x)| *x).fold(f64::NEG_INFINITY, f64::max)
        } else if self.of.ends_with("_total") || self.of.contains('/') {
            sum
        } else {
            sum / n
        }
    }

    fn in_tick(&self, run: &Run, tick: usize, window: &Window) -> Option<f64> {
        if !self.node.is_empty() || self.of == "nodes_up" {
            return Some(self.of_nodes(run, run.nodes_in(tick)));
        }
        let less = self.less.as_ref().map_or(Some(0.0), |name| value(window, name));
        Some(value(window, &self.of)? - less?)
    }

    fn carried(&self, node: &NodeTick) -> f64 {
        match self.of.as_str() {
            "sessions" => node.sessions,
            "connections" => node.connections,
            "utilisation" => node.utilisation,
            "nodes_up" => f64::from(u8::from(node.state != State::Down)),
            other => panic!("nodes have no {other}"),
        }
    }

    fn of_nodes(&self, run: &Run, nodes: &[NodeTick]) -> f64 {
        let all: f64 = nodes.iter().map(|node| self.carried(node)).sum();
        if self.of == "nodes_up" {
            return all;
        }
        let held = match self.node[0].as_str() {
            "fullest" => nodes.iter().map(|node| self.carried(node)).fold(0.0, f64::max),
            "emptiest" => nodes.iter().map(|node| self.carried(node)).fold(f64::INFINITY, f64::min),
            _ => {
                self.node.iter().map(|name| self.carried(&nodes[run.index(name)])).sum::<f64>() / self.node.len() as f64
            }
        };
        self.fair.map_or(held, |fair| held / (all / fair))
    }

    /// Rounded: a short tick's average of a whole number that changed within it.
    fn quantile_of_nodes(&self, run: &Run) -> f64 {
        let from = self.from.unwrap_or(0.0);
        let rows = run.recording.nodes.iter().filter(|row| row.from.as_secs_f64() >= from);
        let mut held: Vec<f64> = rows.map(|row| self.carried(row).round()).collect();
        held.sort_by(f64::total_cmp);
        held[(held.len() as f64 * self.quantile.expect("asked for")) as usize]
    }
}

impl Run<'_> {
    fn incident(&self, nth: usize) -> &Window {
        let all = self.recording.runs.last().expect("a run has a window").0;
        let mut incidents = self.recording.incidents.iter().filter(|(scope, _)| *scope == all);
        &incidents.nth(nth - 1).unwrap_or_else(|| panic!("there was no incident {nth}")).1
    }

    fn index(&self, name: &str) -> usize {
        let place = self.plan.nodes.iter().position(|node| node.name == name);
        place.unwrap_or_else(|| panic!("there is no node {name}"))
    }

    fn nodes_in(&self, tick: usize) -> &[NodeTick] {
        let n = self.plan.nodes.len();
        &self.recording.nodes[tick * n..][..n]
    }

    /// The share of sessions that were opened once more than so often.
    fn moved_times(&self, times: usize) -> f64 {
        let mut opened: BTreeMap<Who, usize> = BTreeMap::new();
        for (_, happening) in &self.recording.trace {
            if let Happening::Opened { who, .. } = *happening {
                *opened.entry(who).or_default() += 1;
            }
        }
        opened.values().filter(|&&n| n == times + 1).count() as f64 / opened.len() as f64
    }

    /// The fewest nodes that checks found up at once.
    fn fewest_found_up(&self) -> f64 {
        let mut up = vec![true; self.plan.nodes.len()];
        let mut fewest = up.len();
        for (_, happening) in &self.recording.trace {
            if let Happening::Marked { node, up: is_up } = *happening {
                up[node.index()] = is_up;
                fewest = fewest.min(up.iter().filter(|&&up| up).count());
            }
        }
        fewest as f64
    }
}
