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
/// With less a shock of a minute cannot be seen in a quarter of an hour.
const STEPS_MIN: usize = 50;
/// A slider with fewer stops tells nothing. Variants beyond that are not shown node by node.
const NODE_STEPS_MIN: usize = 10;
/// Variants at points that are drawn: as many as have room for the least steps.
const CELLS_MAX: usize = NUMBERS_MAX / (3 * DRAWN.len() * STEPS_MIN);

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
    /// Variants that are drawn.
    pub variants: usize,
    /// Points that are drawn.
    pub points: usize,
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
    more_is_better: bool,
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
    let variants: Vec<String> = outline.variants().into_iter().take(CELLS_MAX).map(String::from).collect();
    let points_max = (CELLS_MAX / variants.len().max(1)).clamp(1, POINTS_MAX);
    let points: Vec<&str> = outline.points().into_iter().take(points_max).collect();
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
    let (drawn_variants, drawn_points) = (variants.len(), points.len());
    let json = serde_json::to_string(&Drawn { variants, curves, nodes }).unwrap_or_default();
    Ok(Data { json, has_curves, has_nodes, thinned, variants: drawn_variants, points: drawn_points })
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
        let column = named(name).expect("what is drawn is a column");
        let is_count = name.ends_with("_total");
        let label = if is_count { format!("{} per second", column.label()) } else { column.label() };
        let scale = if column.unit.is_empty() && name.contains("_ratio") { 100.0 } else { 1.0 };
        let more_is_better = column.better == Better::More;
        Metric { label, bands: vec![none.clone(); variants], more_is_better, is_count, scale }
    };
    DRAWN.iter().map(metric).collect()
}

/// What one variant at one point has of the figures that are drawn, as it stands in `bands.csv`.
#[derive(Default)]
struct Cell {
    ticks: Vec<f64>,
    rows: Vec<Row>,
}

/// One figure at one tick.
struct Row {
    // Places within the cell's ticks, and within `DRAWN`.
    tick: usize,
    metric: usize,
    p5_p50_p95: [Option<f64>; 3],
}

impl Cell {
    /// How long its ticks are: a variant may have its own.
    fn tick_s(&self) -> f64 {
        if let [first, second, ..] = self.ticks[..] { second - first } else { 1.0 }
    }
}

/// The cells that are drawn: by point, then by variant.
fn cells(path: &Path, variants: &[String], points: &[&str]) -> io::Result<Vec<Vec<Cell>>> {
    let mut cells: Vec<Vec<Cell>> = points.iter().map(|_| variants.iter().map(|_| Cell::default()).collect()).collect();
    let names = ["variant", "point", "tick_s", "metric", "p5", "p50", "p95"];
    // Rows of one cell stand together.
    let (mut last, mut place) = ((Vec::new(), Vec::new()), None);
    each(path, &names, |row| {
        if last.0 != row[0] || last.1 != row[1] {
            let (variant, point) = (text(row[0])?, text(row[1])?);
            let at = points.iter().position(|known| *known == point);
            place = at.zip(variants.iter().position(|known| known == variant));
            last = (row[0].to_owned(), row[1].to_owned());
        }
        let Some((point, variant)) = place else { return Ok(()) };
        let name = text(row[3])?;
        let cell = &mut cells[point][variant];
        let tick = value(row[2])?.unwrap_or(0.0);
        if cell.ticks.last() != Some(&tick) {
            cell.ticks.push(tick);
        }
        if let Some(metric) = DRAWN.iter().position(|drawn| *drawn == name) {
            let p5_p50_p95 = [value(row[4])?, value(row[5])?, value(row[6])?];
            cell.rows.push(Row { tick: cell.ticks.len() - 1, metric, p5_p50_p95 });
        }
        Ok(())
    })?;
    Ok(cells)
}

/// The curves, and how many ticks became one step.
fn bands(path: &Path, variants: &[String], points: &[&str]) -> io::Result<(Vec<Curves>, usize)> {
    let cells = cells(path, variants, points)?;
    // The finest there is.
    let ticks = cells.iter().flatten().map(|cell| &cell.ticks).max_by_key(|ticks| ticks.len());
    let ticks: &[f64] = ticks.map_or(&[], |ticks| ticks);
    let room = NUMBERS_MAX / (3 * DRAWN.len() * variants.len() * points.len()).max(1);
    let by = ticks.len().div_ceil(room.clamp(STEPS_MIN, STEPS_MAX)).max(1);
    let t: Vec<f64> = ticks.iter().step_by(by).copied().collect();
    let mut curves = Vec::new();
    for (point, cells) in points.iter().zip(&cells) {
        let mut metrics = metrics(variants.len(), t.len());
        for (variant, cell) in cells.iter().enumerate() {
            for row in &cell.rows {
                // A longer tick than the finest covers several.
                let (from, tick_s) = (cell.ticks[row.tick], cell.tick_s());
                let first = ticks.partition_point(|&tick| tick <= from).saturating_sub(1);
                let last = ticks.partition_point(|&tick| tick < from + 0.999 * tick_s).saturating_sub(1);
                for step in first / by..=last.max(first) / by {
                    metrics[row.metric].take(variant, step, row.p5_p50_p95, tick_s);
                }
            }
        }
        // What no variant has, or is zero throughout, is no picture.
        let says = |values: &[Option<f64>]| values.iter().flatten().any(|&value| value != 0.0);
        metrics.retain(|metric| metric.bands.iter().any(|band| says(&band.p95)));
        curves.push(Curves { point: (*point).to_owned(), t: t.clone(), incidents: Vec::new(), metrics });
    }
    Ok((curves, by))
}

impl Metric {
    /// Takes what a variant has at a tick, which is part of a step.
    fn take(&mut self, variant: usize, step: usize, p5_p50_p95: [Option<f64>; 3], tick_s: f64) {
        let scale = if self.is_count { 1.0 / tick_s } else { self.scale };
        let worst = if self.more_is_better { f64::min } else { f64::max };
        let band = &mut self.bands[variant];
        for (series, value) in [&mut band.p5, &mut band.p50, &mut band.p95].into_iter().zip(p5_p50_p95) {
            let Some(value) = value.map(|value| rounded(value * scale)) else { continue };
            let slot = &mut series[step];
            *slot = Some(slot.map_or(value, |so_far| worst(so_far, value)));
        }
    }
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
    })?;
    curves.iter_mut().for_each(|curves| curves.incidents.sort_by(|a, b| a.at.total_cmp(&b.at)));
    Ok(())
}

/// Sums over seeds of one node, and its state under the first.
#[derive(Default)]
struct Gathered {
    sessions: Vec<f64>,
    busy: Vec<f64>,
    states: Vec<usize>,
    rows: Vec<f64>,
}

/// What there is: ticks, names of nodes, variants.
type Seen = (Vec<f64>, Vec<String>, Vec<String>);

/// A first look: there are as many steps as there is room for, when all nodes of all variants are known.
fn seen(path: &Path) -> io::Result<Seen> {
    let (mut ticks, mut names, mut variants): Seen = Seen::default();
    each(path, &["variant", "node", "tick_s"], |cells| {
        let (variant, node, tick) = (text(cells[0])?, text(cells[1])?, value(cells[2])?.unwrap_or(0.0));
        // The first cell has them all; later ones begin anew.
        if ticks.last().is_none_or(|&last| tick > last) {
            ticks.push(tick);
        }
        for (known, name) in [(&mut variants, variant), (&mut names, node)] {
            if known.last().is_none_or(|last| last != name) && !known.iter().any(|other| other == name) {
                known.push(name.to_owned());
            }
        }
        Ok(())
    })?;
    Ok((ticks, names, variants))
}

fn nodes(path: &Path, point: &str) -> io::Result<Vec<NodesOf>> {
    let mut states: Vec<String> = Vec::new();
    let columns = ["variant", "point", "tick_s", "node", "state", "sessions_mean", "utilisation_ratio"];
    let (ticks, names, variants) = seen(path)?;
    let mut found: Vec<(String, Vec<Gathered>)> = variants.into_iter().map(|variant| (variant, Vec::new())).collect();
    found.truncate((NUMBERS_MAX / (3 * names.len() * NODE_STEPS_MIN).max(1)).max(1));
    let room = NUMBERS_MAX / (3 * names.len() * found.len()).max(1);
    let by = ticks.len().div_ceil(room.clamp(NODE_STEPS_MIN, STEPS_MAX)).max(1);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Keeps, Place};
    use std::fmt::Write;

    /// A folder whose bands have so many variants, points and ticks; every figure is another three-digit number.
    fn folder(variants: usize, points: usize, ticks: usize) -> (tempfile::TempDir, Outline) {
        let mut csv = String::from("variant,point,tick_s,metric,n,mean,p5,p50,p95\n");
        let mut cells = Vec::new();
        for p in 0..points {
            for v in 0..variants {
                let (variant, point) = (format!("v{v}"), format!("k={p}"));
                for tick in 0..ticks {
                    for (m, metric) in DRAWN.iter().enumerate() {
                        let value = 1.01 + ((v * 31 + tick * 7 + m * 13 + p) % 899) as f64 / 100.0;
                        let _ = writeln!(csv, "{variant},{point},{tick}.0,{metric},9,{value},{value},{value},{value}");
                    }
                }
                cells.push(Place { variant, point, settings: Vec::new() });
            }
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bands.csv"), csv).unwrap();
        let outline = Outline {
            plan_id: String::new(),
            name: "many".into(),
            cells,
            seeds: 9,
            scenario_text: String::new(),
            scenario_name: String::new(),
            overrides: Vec::new(),
            keeps: Keeps { ticks: true, nodes: false },
            slo: Vec::new(),
            precision: Vec::new(),
        };
        (folder, outline)
    }

    #[test]
    fn a_page_of_many_variants_and_points_stays_small() {
        for (variants, points, ticks, drawn) in
            [(50, 1, 600, (50, 1)), (50, 12, 60, (50, 5)), (400, 2, 60, (CELLS_MAX, 1))]
        {
            let (folder, outline) = folder(variants, points, ticks);
            let data = data(folder.path(), &outline).unwrap();
            assert_eq!((data.variants, data.points), drawn);
            let numbers = 3 * DRAWN.len() * data.variants * data.points * ticks.div_ceil(data.thinned);
            assert!((NUMBERS_MAX / 4..=NUMBERS_MAX).contains(&numbers), "the room is used and kept: {numbers}");
            assert!(
                data.json.len() < 3_000_000,
                "{} bytes for {variants} variants at {points} points",
                data.json.len()
            );
        }
    }

    #[test]
    fn of_ticks_that_become_one_the_worst_is_drawn_and_a_longer_tick_covers_several() {
        let (folder, outline) = folder(2, 1, 4);
        let path = folder.path().join("bands.csv");
        let mut csv = String::from("variant,point,tick_s,metric,p5,p50,p95\n");
        for (variant, tick, dropped, goodput) in
            [("v0", 0, 1, 5), ("v0", 1, 4, 2), ("v0", 2, 3, 7), ("v0", 3, 0, 8), ("v1", 0, 6, 9), ("v1", 2, 8, 9)]
        {
            let _ = writeln!(csv, "{variant},k=0,{tick}.0,sessions_dropped_total,0.0,{dropped}.0,{dropped}.0");
            let _ = writeln!(csv, "{variant},k=0,{tick}.0,goodput_rps,0.0,{goodput}.0,{goodput}.0");
        }
        std::fs::write(&path, csv).unwrap();
        let variants = outline.variants().into_iter().map(String::from).collect::<Vec<_>>();
        let (curves, by) = bands(&path, &variants, &["k=0"]).unwrap();
        assert_eq!((by, &curves[0].t[..]), (1, &[0.0, 1.0, 2.0, 3.0][..]));
        let dropped = &curves[0].metrics[0];
        assert_eq!(dropped.bands[0].p50, [1.0, 4.0, 3.0, 0.0].map(Some));
        // Per second, of ticks of two seconds.
        assert_eq!(dropped.bands[1].p50, [3.0, 3.0, 4.0, 4.0].map(Some));
        let mut metric = metrics(1, 1).swap_remove(4);
        assert!(metric.more_is_better);
        [5.0, 2.0, 7.0].into_iter().for_each(|value| metric.take(0, 0, [Some(value); 3], 1.0));
        assert_eq!(metric.bands[0].p50, [Some(2.0)]);
    }
}
