//! What the page draws: bands over time, and nodes over time, thinned out to what a screen can show.
//!
//! Where ticks are too many, some become one: of a figure of which less is better the largest is kept, of others the
//! smallest, so that no shock is smoothed away.

use super::super::bands::{text, value};
use crate::experiment::{Failure, Outline};
use crate::observe::columns::{Better, named};
use csv::ByteRecord;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The figures that are drawn, from `ticks.csv`.
const DRAWN: &[&str] = &[
    "sessions_dropped_total",
    "sessions_disconnected_mean",
    "requests_failed_ratio",
    "response_time_ms_p99",
    "goodput_rps",
    "sessions_lost_total",
    "sessions_peak_to_fair",
    "node_utilisation_ratio_max",
    "connects_total",
];

/// Points of a sweep that are drawn.
const POINTS_MAX: usize = 8;
/// Numbers that the page may hold for each of its two parts: some 5 bytes each.
const NUMBERS_MAX: usize = 400_000;
/// A screen shows no more.
const STEPS_MAX: usize = 1_200;

/// What the scripts of the page read.
pub(super) struct Data {
    /// As JSON.
    pub json: String,
    /// Whether there are bands.
    pub has_curves: bool,
    /// Whether there are nodes.
    pub has_nodes: bool,
    /// Ticks that became one.
    pub thinned: usize,
}

#[derive(Serialize)]
struct Drawn {
    variants: Vec<String>,
    curves: Vec<Curves>,
    nodes: Vec<NodesOf>,
}

#[derive(Serialize)]
struct Curves {
    point: String,
    t: Vec<f64>,
    incidents: Vec<Mark>,
    metrics: Vec<Metric>,
}

#[derive(Serialize, PartialEq)]
struct Mark {
    name: String,
    at: f64,
}

#[derive(Serialize)]
struct Metric {
    label: String,
    bands: Vec<Band>,
    #[serde(skip)]
    name: &'static str,
    #[serde(skip)]
    is_count: bool,
    #[serde(skip)]
    scale: f64,
}

#[derive(Clone, Serialize)]
struct Band {
    p5: Vec<Option<f64>>,
    p50: Vec<Option<f64>>,
    p95: Vec<Option<f64>>,
}

#[derive(Serialize)]
struct NodesOf {
    variant: String,
    t: Vec<f64>,
    states: Vec<String>,
    nodes: Vec<NodeOf>,
}

#[derive(Serialize)]
struct NodeOf {
    name: String,
    sessions: Vec<f64>,
    busy: Vec<f64>,
    states: Vec<usize>,
}

/// Reads what is drawn.
pub(super) fn data(out: &Path, outline: &Outline) -> Result<Data, Failure> {
    let variants: Vec<String> = outline.variants().into_iter().map(String::from).collect();
    let points: Vec<&str> = outline.points().into_iter().take(POINTS_MAX).collect();
    let read = |file: &str| {
        let path = out.join(file);
        path.exists().then_some(path)
    };
    let (mut curves, mut thinned) = (Vec::new(), 1);
    if let Some(path) = read("bands.csv") {
        let (found, by) = bands(&path, &variants, &points).map_err(Failure::to("read", &path))?;
        (curves, thinned) = (found, by);
        if let Some(path) = read("incidents.csv") {
            marks(&path, &mut curves).map_err(Failure::to("read", &path))?;
        }
    }
    let nodes = match read("nodes.csv") {
        Some(path) => nodes(&path, points.first().copied().unwrap_or("")).map_err(Failure::to("read", &path))?,
        None => Vec::new(),
    };
    let (has_curves, has_nodes) = (!curves.is_empty(), !nodes.is_empty());
    let json = serde_json::to_string(&Drawn { variants, curves, nodes }).unwrap_or_default();
    Ok(Data { json, has_curves, has_nodes, thinned })
}

/// A table, record by record, by the names of the columns that are wanted.
fn each(path: &Path, names: &[&str], mut take: impl FnMut(&[&[u8]]) -> io::Result<()>) -> io::Result<()> {
    let mut csv = csv::Reader::from_path(path)?;
    let mut place = |name: &&str| {
        let missing = || io::Error::new(io::ErrorKind::InvalidData, format!("it has no column `{name}`"));
        csv.headers()?.iter().position(|head| head == *name).ok_or_else(missing)
    };
    let places = names.iter().map(&mut place).collect::<io::Result<Vec<usize>>>()?;
    let mut record = ByteRecord::new();
    while csv.read_byte_record(&mut record)? {
        let cells: Vec<&[u8]> = places.iter().map(|&place| record.get(place).unwrap_or_default()).collect();
        take(&cells)?;
    }
    Ok(())
}

fn metrics(variants: usize, steps: usize) -> Vec<Metric> {
    let none = Band { p5: vec![None; steps], p50: vec![None; steps], p95: vec![None; steps] };
    let metric = |name: &&'static str| {
        let column = named(name)?;
        let is_count = name.ends_with("_total");
        let label = if is_count { format!("{} per second", column.label()) } else { column.label() };
        let scale = if column.unit.is_empty() && name.contains("_ratio") { 100.0 } else { 1.0 };
        Some(Metric { label, bands: vec![none.clone(); variants], name, is_count, scale })
    };
    DRAWN.iter().filter_map(metric).collect()
}

/// The ticks that a file has, in order.
fn ticks(path: &Path) -> io::Result<Vec<f64>> {
    let mut found: Vec<f64> = Vec::new();
    each(path, &["tick_s"], |cells| {
        let tick = value(cells[0])?.unwrap_or(0.0);
        // The first cell has them all; later ones begin anew.
        if found.last().is_none_or(|&last| tick > last) {
            found.push(tick);
        }
        Ok(())
    })?;
    Ok(found)
}

/// How long the ticks of each cell are: a variant may have its own.
fn tick_lengths(path: &Path) -> io::Result<BTreeMap<(String, String), f64>> {
    let mut firsts: BTreeMap<(String, String), f64> = BTreeMap::new();
    let mut lengths = BTreeMap::new();
    each(path, &["variant", "point", "tick_s"], |cells| {
        let cell = (text(cells[0])?.to_owned(), text(cells[1])?.to_owned());
        let tick = value(cells[2])?.unwrap_or(0.0);
        let first = *firsts.entry(cell.clone()).or_insert(tick);
        if tick > first {
            lengths.entry(cell).or_insert(tick - first);
        }
        Ok(())
    })?;
    Ok(lengths)
}

fn bands(path: &Path, variants: &[String], points: &[&str]) -> io::Result<(Vec<Curves>, usize)> {
    let ticks = ticks(path)?;
    let lengths = tick_lengths(path)?;
    let room = NUMBERS_MAX / (3 * DRAWN.len() * variants.len() * points.len()).max(1);
    let steps_max = room.clamp(50, STEPS_MAX);
    let by = ticks.len().div_ceil(steps_max).max(1);
    let t: Vec<f64> = ticks.iter().step_by(by).copied().collect();
    let mut curves: Vec<Curves> = points
        .iter()
        .map(|point| Curves {
            point: (*point).to_owned(),
            t: t.clone(),
            incidents: Vec::new(),
            metrics: metrics(variants.len(), t.len()),
        })
        .collect();
    let names = ["variant", "point", "tick_s", "metric", "p5", "p50", "p95"];
    each(path, &names, |cells| {
        let (variant, point, name) = (text(cells[0])?, text(cells[1])?, text(cells[3])?);
        let tick_s = lengths.get(&(variant.to_owned(), point.to_owned())).copied().unwrap_or(1.0);
        let at = curves.iter_mut().find(|curves| curves.point == point);
        let variant = variants.iter().position(|known| known == variant);
        let (Some(at), Some(variant)) = (at, variant) else { return Ok(()) };
        let Some(metric) = at.metrics.iter_mut().find(|metric| metric.name == name) else { return Ok(()) };
        let tick = value(cells[2])?.unwrap_or(0.0);
        let step = ticks.partition_point(|&other| other < tick) / by;
        let more_is_better = named(name).is_some_and(|column| column.better == Better::More);
        let scale = if metric.is_count { 1.0 / tick_s } else { metric.scale };
        let band = &mut metric.bands[variant];
        for (series, cell) in [(&mut band.p5, cells[4]), (&mut band.p50, cells[5]), (&mut band.p95, cells[6])] {
            let Some(value) = value(cell)? else { continue };
            let value = rounded(value * scale);
            let slot = &mut series[step];
            let worst = if more_is_better { f64::min } else { f64::max };
            *slot = Some(slot.map_or(value, |so_far| worst(so_far, value)));
        }
        Ok(())
    })?;
    for curves in &mut curves {
        // What no variant has, or is zero throughout, is no picture.
        let says = |values: &[Option<f64>]| values.iter().flatten().any(|&value| value != 0.0);
        curves.metrics.retain(|metric| metric.bands.iter().any(|band| says(&band.p95)));
    }
    Ok((curves, by))
}

/// Three digits are more than a screen shows, and keep the page small.
fn rounded(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

fn marks(path: &Path, curves: &mut [Curves]) -> io::Result<()> {
    each(path, &["point", "incident", "at_s"], |cells| {
        let (point, name) = (text(cells[0])?, text(cells[1])?);
        let Some(at) = value(cells[2])? else { return Ok(()) };
        let mark = Mark { name: name.to_owned(), at };
        if let Some(curves) = curves.iter_mut().find(|curves| curves.point == point)
            && !curves.incidents.contains(&mark)
        {
            curves.incidents.push(mark);
        }
        Ok(())
    })
}

/// Sums over seeds of one node, and its state under the first.
#[derive(Default)]
struct Gathered {
    sessions: Vec<f64>,
    busy: Vec<f64>,
    states: Vec<usize>,
    rows: Vec<f64>,
}

fn nodes(path: &Path, point: &str) -> io::Result<Vec<NodesOf>> {
    let ticks = ticks(path)?;
    let mut names: Vec<String> = Vec::new();
    let mut states: Vec<String> = Vec::new();
    let mut found: Vec<(String, Vec<Gathered>)> = Vec::new();
    let columns = ["variant", "point", "tick_s", "node", "state", "sessions_mean", "utilisation_ratio"];
    // As many steps as there is room for, when all nodes of all variants are known: a first look at the names.
    each(path, &["variant", "node"], |cells| {
        let (variant, node) = (text(cells[0])?, text(cells[1])?);
        if found.last().is_none_or(|(last, _)| last != variant) && !found.iter().any(|(known, _)| known == variant) {
            found.push((variant.to_owned(), Vec::new()));
        }
        if names.last().is_none_or(|last| last != node) && !names.iter().any(|known| known == node) {
            names.push(node.to_owned());
        }
        Ok(())
    })?;
    let room = NUMBERS_MAX / (3 * names.len() * found.len()).max(1);
    let by = ticks.len().div_ceil(room.clamp(10, STEPS_MAX)).max(1);
    let steps = ticks.len().div_ceil(by);
    for (_, nodes) in &mut found {
        nodes.extend(names.iter().map(|_| Gathered {
            sessions: vec![0.0; steps],
            busy: vec![0.0; steps],
            states: vec![0; steps],
            rows: vec![0.0; steps],
        }));
    }
    let places: BTreeMap<String, usize> = names.iter().cloned().zip(0..).collect();
    each(path, &columns, |cells| {
        if text(cells[1])? != point {
            return Ok(());
        }
        let variant = text(cells[0])?;
        let Some((_, nodes)) = found.iter_mut().find(|(known, _)| known == variant) else { return Ok(()) };
        let node = &mut nodes[places[text(cells[3])?]];
        let tick = value(cells[2])?.unwrap_or(0.0);
        let step = ticks.partition_point(|&other| other < tick) / by;
        let state = text(cells[4])?;
        let state = states.iter().position(|known| known == state).unwrap_or_else(|| {
            states.push(state.to_owned());
            states.len() - 1
        });
        if node.rows[step] == 0.0 {
            node.states[step] = state;
        }
        node.sessions[step] += value(cells[5])?.unwrap_or(0.0);
        node.busy[step] += value(cells[6])?.unwrap_or(0.0);
        node.rows[step] += 1.0;
        Ok(())
    })?;
    let t: Vec<f64> = ticks.iter().step_by(by).copied().collect();
    let mean = |sums: &[f64], rows: &[f64]| sums.iter().zip(rows).map(|(sum, n)| rounded(sum / n.max(1.0))).collect();
    let of_node = |(name, own): (&String, Gathered)| NodeOf {
        name: name.clone(),
        sessions: mean(&own.sessions, &own.rows),
        busy: mean(&own.busy, &own.rows),
        states: own.states,
    };
    let of_variant = |(variant, nodes): (String, Vec<Gathered>)| NodesOf {
        variant,
        t: t.clone(),
        states: states.clone(),
        // Nodes of other variants and points have no row here.
        nodes: names.iter().zip(nodes).filter(|(_, own)| own.rows.iter().any(|&n| n > 0.0)).map(of_node).collect(),
    };
    Ok(found.into_iter().map(of_variant).collect())
}
