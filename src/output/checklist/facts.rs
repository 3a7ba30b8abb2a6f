//! From the files of the runs to the figures of a checklist.

use super::book::{Book, Page};
use super::experiments::{DEATH, Design};
use crate::experiment::Failure;
use crate::experiment::rows::{ALL, Table};
use crate::observe::columns::File;
use crate::observe::slo::{Limit, Reading, came_beside};
use crate::output::figures::{self, CellFigures};
use crate::output::manifest::Manifest;
use crate::output::warnings::{self, WarningRow};
use crate::statistics::shares::{clopper_pearson, wilson};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The busiest node may be so busy, in the rule for headroom.
pub const BUSY_MAX: f64 = 0.85;
/// How sure a claim about all seeds is.
pub const CONFIDENCE: f64 = 0.95;
/// Errors are counted over so long (s), or a tick where that is longer.
const LOOK_S: f64 = 60.0;

/// Figures of the time after a death, or after nodes have left.
const AFTER: &[&str] = &[
    "sessions_dropped_ratio",
    "sessions_lost_ratio",
    "sessions_moved_ratio",
    "disconnects_peak_per_s",
    "requests_failed_ratio",
    "response_time_ms_p99",
    "node_utilisation_ratio_max",
    "reconnect_time_s",
    "reconnected_ratio",
    "recovery_time_s",
    "recovered_ratio",
];

/// Figures of the time in which nothing happens.
const HEALTHY: &[&str] = &["node_utilisation_ratio_mean", "node_utilisation_ratio_max", "busy_peak_to_mean"];

/// What shares a node may hold: the figure's name, and the column of nodes.csv.
const HELD: [&str; 3] = ["sessions_held_ratio", "connections_held_ratio", "requests_held_ratio"];

/// The cells of a folder of results.
fn cells(folder: &Path) -> Result<Vec<CellFigures>, Failure> {
    figures::read(folder, &Manifest::read(folder)?)
}

/// The values of a figure of all populations together, by seed.
fn values(cell: &CellFigures, incident: &str, name: &str) -> Vec<Option<f64>> {
    let scope = cell.find(ALL, incident);
    let found = scope.and_then(|scope| scope.figures().find(|(column, _)| column.name == name));
    found.map_or_else(Vec::new, |(_, values)| values)
}

/// What one node holds, and what its death does.
pub fn of_death(book: &mut Book, design: &Design, out: &Path) -> Result<(), Failure> {
    let page =
        |folder: &'static str, variant: &str| Page { question: 1, folder, variant: variant.into(), ..Page::default() };
    let (held, dead) = (out.join(design.held.folder), out.join(design.death.folder));
    for cell in cells(&held)? {
        let page = page(design.held.folder, &cell.variant);
        HEALTHY.iter().for_each(|name| book.mean(&page, name, &values(&cell, "", name)));
        add_headroom(book, design, &page);
    }
    let path = held.join(Table::Nodes.file());
    add_held(book, design, &path).map_err(Failure::to("read", &path))?;
    for cell in cells(&dead)? {
        let page = page(design.death.folder, &cell.variant);
        AFTER.iter().for_each(|name| book.mean(&page, name, &values(&cell, DEATH, name)));
        add_spreading(book, design, &page, &cell);
    }
    let path = dead.join(Table::Causes.file());
    add_causes(book, design, &path).map_err(Failure::to("read", &path))
}

/// How busy the nodes may be on average, so that without one of them the busiest is still below [`BUSY_MAX`].
fn add_headroom(book: &mut Book, design: &Design, page: &Page) {
    let find = |metric: &str| book.find(1, &page.variant, "", metric, "mean").and_then(|figure| figure.value);
    let nodes = design.nodes as f64;
    let safe = find("busy_peak_to_mean").map(|skew| BUSY_MAX * (nodes - 1.0) / nodes / skew);
    book.add(page, "utilisation_safe_max", "mean", 1, safe);
}

/// Shares of what all nodes hold, by node, tick and seed, after the warm-up.
fn add_held(book: &mut Book, design: &Design, path: &Path) -> io::Result<()> {
    type Row = (String, String, u64, f64, String, String, Option<f64>, Option<f64>, Option<f64>, f64, Option<f64>);
    // By variant, then by what is held: the shares, and what the nodes of the tick under way hold.
    let mut held: BTreeMap<String, [Vec<f64>; 3]> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    let mut tick: (String, u64, f64) = Default::default();
    let mut now: [Vec<f64>; 3] = Default::default();
    let mut close = |variant: &str, now: &mut [Vec<f64>; 3]| {
        let shares = held.entry(variant.to_owned()).or_default();
        for (own, values) in shares.iter_mut().zip(now) {
            let all: f64 = values.iter().sum();
            own.extend(values.drain(..).filter(|_| all > 0.0).map(|value| value / all));
        }
    };
    for row in csv::Reader::from_path(path)?.deserialize() {
        let (variant, _, seed, at, _, _, sessions, connections, requests, _, _): Row = row?;
        if at < design.warmup.as_secs_f64() {
            continue;
        }
        if tick != (variant.clone(), seed, at) {
            close(&tick.0, &mut now);
            if tick.0 != variant {
                order.push(variant.clone());
            }
            tick = (variant, seed, at);
        }
        let holds = [sessions, connections, requests];
        now.iter_mut().zip(holds).for_each(|(own, value)| own.extend(value));
    }
    close(&tick.0, &mut now);
    for variant in order {
        let shares = held.remove(&variant).unwrap_or_default();
        // What is bound to a node falls with it; where nothing is, what hangs on it, or what it has in hand.
        let Some((name, own)) = HELD.iter().zip(shares).find(|(_, own)| !own.is_empty()) else { continue };
        let page = Page { question: 1, folder: design.held.folder, variant, ..Page::default() };
        book.spread(&page, name, own, &[("p50", 0.5), ("p95", 0.95), ("max", 1.0)]);
    }
    Ok(())
}

/// How far the harm goes beyond the node that died.
fn add_spreading(book: &mut Book, design: &Design, page: &Page, cell: &CellFigures) {
    let find = |metric: &str, statistic: &str| book.find(1, &page.variant, "", metric, statistic)?.value;
    let held = HELD.iter().find_map(|name| find(name, "p50"));
    let dropped = find("sessions_dropped_ratio", "mean");
    let ratio = held.zip(dropped).map(|(held, dropped)| dropped / held);
    book.add(page, "dropped_to_held", "mean", 1, ratio);
    let ready: Vec<f64> = values(cell, DEATH, "nodes_ready_min").into_iter().flatten().collect();
    let further = ready.iter().filter(|&&ready| ready < design.nodes as f64 - 1.0).count();
    let between = wilson(further as u64, ready.len() as u64).map(|interval| (interval.low, interval.high));
    let share = (!ready.is_empty()).then(|| further as f64 / ready.len() as f64);
    book.add_between(page, "further_nodes_down", "share", ready.len(), share, between);
}

/// Why sessions were dropped and lost after the death: their number per run, by cause.
fn add_causes(book: &mut Book, design: &Design, path: &Path) -> io::Result<()> {
    type Row = (String, String, u64, f64, String, String, String, f64);
    let seeds =
        book.0.iter().filter(|figure| figure.metric == "sessions_dropped_ratio").map(|f| f.n).max().unwrap_or(1);
    let mut counts: BTreeMap<(String, String, String), f64> = BTreeMap::new();
    for row in csv::Reader::from_path(path)?.deserialize() {
        let (variant, _, _, at, population, harm, cause, count): Row = row?;
        let is_meant = population == ALL && at >= design.died_at.as_secs_f64() && (harm == "dropped" || harm == "lost");
        if is_meant {
            *counts.entry((variant, harm, cause)).or_default() += count;
        }
    }
    for ((variant, harm, cause), count) in counts {
        let page = Page { question: 1, folder: design.death.folder, variant, ..Page::default() };
        book.add(&page, &format!("{harm}_by_{cause}"), "mean", seeds, Some(count / seeds as f64));
    }
    Ok(())
}

/// Which signals warn of the death.
pub fn of_signals(book: &mut Book, design: &Design, out: &Path) -> Result<Vec<WarningRow>, Failure> {
    let rows = warnings::read(&out.join(design.death.folder))?;
    for row in rows.iter().filter(|row| row.incident == DEATH) {
        let variant = row.variant.clone();
        let page = Page { question: 2, folder: design.death.folder, variant, ..Page::default() };
        let (name, n) = (row.signal.name, row.n as usize);
        let share = |hits: u64| (n > 0).then(|| hits as f64 / n as f64);
        let alarmed = wilson(row.alarmed, row.n).map(|interval| (interval.low, interval.high));
        book.add_between(&page, name, "alarmed", n, share(row.alarmed), alarmed);
        book.add(&page, name, "first", n, share(row.first));
        book.add(&page, name, "alarm_s_p50", row.alarmed as usize, row.alarm_s);
        let lead = row.lead_interval.map(|interval| (interval.low, interval.high));
        book.add_between(&page, name, "lead_s_p50", row.alarmed as usize, row.lead_s, lead);
        let rate = row.false_interval.map(|interval| (interval.low, interval.high));
        book.add_between(&page, name, "false_alarms_per_h", n, Some(row.false_per_h), rate);
    }
    Ok(rows)
}

/// How the limits fare when so many nodes leave at once.
pub fn of_leave(book: &mut Book, design: &Design, limits: &[Limit], out: &Path) -> Result<(), Failure> {
    let Some(leave) = &design.leave else { return Ok(()) };
    for cell in cells(&out.join(leave.folder))? {
        let setting = cell.point.rsplit('=').next().unwrap_or_default().to_owned();
        let page = Page { question: 3, folder: leave.folder, variant: cell.variant.clone(), setting };
        let after = AFTER.iter().filter(|name| !name.contains("reco"));
        after.for_each(|name| book.mean(&page, name, &values(&cell, &design.deploy, name)));
        let judged: Vec<Vec<bool>> = limits.iter().map(|limit| kept(&cell, design, limit)).collect();
        let seeds = judged.iter().map(Vec::len).max().unwrap_or(0);
        let clean =
            (0..seeds).filter(|&seed| judged.iter().all(|kept| kept.get(seed).copied().unwrap_or(true))).count();
        let bounds = clopper_pearson(clean as u32, seeds as u32, CONFIDENCE);
        let share = (seeds > 0).then(|| clean as f64 / seeds as f64);
        book.add_between(&page, "limits_kept", "share", seeds, share, Some((bounds.low, bounds.high)));
        for (limit, kept) in limits.iter().zip(&judged) {
            let broken = kept.iter().filter(|kept| !**kept).count();
            book.add(&page, &format!("{}_broken", limit.column.name), "count", kept.len(), Some(broken as f64));
        }
    }
    Ok(())
}

/// Whether a limit holds, by seed: from when the nodes leave to the end of the run, or over the whole run where only that
/// has the figure.
fn kept(cell: &CellFigures, design: &Design, limit: &Limit) -> Vec<bool> {
    let incident = if limit.column.files.contains(&File::Incidents) { design.deploy.as_str() } else { "" };
    let own = values(cell, incident, limit.column.name);
    let came = came_beside(limit.column.name).map(|name| values(cell, incident, name));
    let failed = values(cell, incident, "requests_failed_ratio");
    let at = |values: &[Option<f64>], seed: usize| values.get(seed).copied().flatten();
    let reading = |seed: usize| match own[seed] {
        Some(value) => Reading::Value(value),
        None if came.as_ref().is_some_and(|came| at(came, seed) == Some(0.0)) => Reading::Never,
        None if limit.column.name.starts_with("response_time") && at(&failed, seed).is_some() => Reading::Never,
        None => Reading::Nothing,
    };
    (0..own.len()).map(|seed| limit.holds(reading(seed))).collect()
}

/// What a healthy deploy looks like at its worst, and whether a bad one looks worse.
pub fn of_deploys(book: &mut Book, design: &Design, out: &Path) -> Result<(), Failure> {
    let Some([healthy, bad]) = &design.deploys else { return Ok(()) };
    let mut highest: BTreeMap<(String, &str), f64> = BTreeMap::new();
    for experiment in [healthy, bad] {
        let folder = out.join(experiment.folder);
        let path = folder.join(Table::Ticks.file());
        let errors = error_peaks(&path, design).map_err(Failure::to("read", &path))?;
        for cell in cells(&folder)? {
            let page =
                Page { question: 4, folder: experiment.folder, variant: cell.variant.clone(), ..Page::default() };
            let drops = values(&cell, &design.deploy, "disconnects_peak_per_s").into_iter().flatten().collect();
            let errors = errors.get(&cell.variant).cloned().unwrap_or_default();
            for (metric, peaks) in [("disconnects_peak_per_s", drops), ("requests_failed_ratio_peak", errors)] {
                let key = (cell.variant.clone(), metric);
                match highest.get(&key) {
                    // The healthy deploys come first.
                    Some(&limit) => add_seen(book, &page, metric, &peaks, limit),
                    None => {
                        let most = peaks.iter().copied().fold(0.0, f64::max);
                        book.spread(&page, metric, peaks, &[("p50", 0.5), ("max", 1.0)]);
                        highest.insert(key, most);
                    }
                }
            }
        }
    }
    Ok(())
}

/// In how many seeds a bad deploy looks worse than the worst healthy one.
fn add_seen(book: &mut Book, page: &Page, metric: &str, peaks: &[f64], limit: f64) {
    let seen = peaks.iter().filter(|&&peak| peak > limit).count();
    let between = wilson(seen as u64, peaks.len() as u64).map(|interval| (interval.low, interval.high));
    let share = (!peaks.is_empty()).then(|| seen as f64 / peaks.len() as f64);
    book.spread(page, metric, peaks.to_vec(), &[("p50", 0.5), ("max", 1.0)]);
    book.add_between(page, metric, "seen", peaks.len(), share, between);
}

/// The largest share of failed requests within any look from the deploy on, by variant and then seed.
fn error_peaks(path: &Path, design: &Design) -> io::Result<BTreeMap<String, Vec<f64>>> {
    type Key = (String, u64);
    let mut csv = csv::Reader::from_path(path)?;
    let heads = csv.headers()?.clone();
    let place = |name: &str| heads.iter().position(|head| head == name).unwrap_or(usize::MAX);
    let wanted =
        ["variant", "seed", "tick_s", "population", "requests_failed_total", "requests_succeeded_total"].map(place);
    let ticks = look_ticks(design);
    // Failed and succeeded requests by tick, of each variant and seed.
    let mut series: Vec<(Key, Vec<(f64, f64)>)> = Vec::new();
    for record in csv.records() {
        let record = record?;
        let [variant, seed, at, population, failed, succeeded] = wanted.map(|place| record.get(place).unwrap_or(""));
        let number = |text: &str| text.parse::<f64>().map_err(io::Error::other);
        if population != ALL || number(at)? < design.deployed_at.as_secs_f64() {
            continue;
        }
        let key = (variant.to_owned(), seed.parse::<u64>().map_err(io::Error::other)?);
        if series.last().is_none_or(|(last, _)| *last != key) {
            series.push((key, Vec::new()));
        }
        if let Some((_, own)) = series.last_mut() {
            own.push((number(failed)?, number(succeeded)?));
        }
    }
    let mut peaks: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for ((variant, _), own) in series {
        let ratio = |window: &[(f64, f64)]| {
            let (failed, succeeded) = window.iter().fold((0.0, 0.0), |sum, tick| (sum.0 + tick.0, sum.1 + tick.1));
            if failed > 0.0 { failed / (failed + succeeded) } else { 0.0 }
        };
        let peak = own.windows(ticks.min(own.len()).max(1)).map(ratio).fold(0.0, f64::max);
        peaks.entry(variant).or_default().push(peak);
    }
    Ok(peaks)
}

/// Over how many ticks errors are counted.
fn look_ticks(design: &Design) -> usize {
    ((LOOK_S / design.tick.as_secs_f64()) as usize).max(1)
}

/// Over how long errors are counted (s).
pub fn look_s(design: &Design) -> f64 {
    look_ticks(design) as f64 * design.tick.as_secs_f64()
}
