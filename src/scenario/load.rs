//! From a file and a command line to the cells of a study: variants × points, each compiled.
//!
//! Layers, later over earlier: defaults, a preset, the file, the variant, the sweep point, `--set`.

use super::compile::compile;
use super::presets::Shelf;
use super::sweep::{Sweeps, take_points};
use super::without::leave_out;
use super::{Budget, Choices, LayerId, Problem, Problems, Sources, Span, Table, merge, parse_set, set_path};
use crate::cluster::plan::Plan;
use crate::observe::goal::Goal;
use crate::observe::slo::Limit;
use std::path::Path;
use toml::de::DeValue;

/// Where naming another alternative replaces the first instead of adding to it.
pub const CHOICES: &[(&str, &[&[&str]])] = &[
    ("state", &[]),
    ("balancer.balance", &[]),
    ("balancer.affinity", &[]),
    ("balancer.passive", &[]),
    ("balancer.propagation", &[]),
    ("balancer.health.service", &[]),
    ("balancer.slow_start.shape", &[]),
    ("balancer.redispatch", &[]),
    ("balancer.retry_backoff", &[]),
    ("balancer.queue", &[]),
    ("clients.*.affinity", &[]),
    ("clients.*.arrivals.open", &[&["flash"]]),
    ("clients.*.arrivals.closed.gap", &[]),
    ("clients.*.activity", &[]),
    ("clients.*.addresses", &[]),
    ("clients.*.state", &[]),
    ("clients.*.length", &[]),
    ("clients.*.requests", &[]),
    ("clients.*.protocol", &[]),
    ("clients.*.think", &[]),
    ("clients.*.pace", &[]),
    ("clients.*.service", &[]),
    ("clients.*.reconnect", &[]),
    ("clients.*.retry.backoff", &[]),
    ("clients.*.retry.limit", &[]),
    ("clients.*.state.memory.rebuild.service", &[]),
    ("clients.*.state.cache.rebuild.service", &[]),
    ("clients.*.state.client.sign", &[]),
    ("clients.*.state.client.verify", &[]),
    ("clients.*.state.disk.read", &[]),
    ("clients.*.state.disk.rebuild.service", &[]),
    ("clients.*.state.disk.write", &[]),
    ("clients.*.state.store.read", &[]),
    ("clients.*.state.store.write", &[]),
    ("cluster.node.handshake", &[]),
    ("cluster.node.start", &[]),
    ("cluster.group.*.handshake", &[]),
    ("cluster.group.*.start", &[]),
    ("state.memory.rebuild.service", &[]),
    ("state.cache.rebuild.service", &[]),
    ("state.client.sign", &[]),
    ("state.client.verify", &[]),
    ("state.disk.read", &[]),
    ("state.disk.rebuild.service", &[]),
    ("state.disk.write", &[]),
    ("state.store.read", &[]),
    ("state.store.write", &[]),
    ("rebuild.*.service", &[]),
    ("store.*.read", &[]),
    ("store.*.write", &[]),
    ("store.*.detection", &[]),
    ("store.*.promotion", &[]),
    ("store.*.stall", &[]),
    ("state.store.rebuild.service", &[]),
    ("clients.*.state.store.rebuild.service", &[]),
    ("state.replicated.rebuild.service", &[]),
    ("state.replicated.write", &[]),
    ("state.replicated.fetch", &[]),
    ("state.replicated.rebalance", &[]),
    ("clients.*.state.replicated.rebuild.service", &[]),
    ("clients.*.state.replicated.write", &[]),
    ("clients.*.state.replicated.fetch", &[]),
    ("clients.*.state.replicated.rebalance", &[]),
    ("fault.*.*.inside", &[]),
    ("fault.*.*.stubborn", &[]),
    ("fault.*", &[&["at", "after", "random"]]),
    ("fault.*.random.up", &[]),
    ("fault.*.random.down", &[]),
    ("change.*", &[&["at"], &["rollback"]]),
    ("change.*.*.nodes", &[]),
    ("fault.*.*.nodes", &[]),
];

/// Points of a sweep × variants; more is a mistake.
const CELLS_MAX: usize = 100_000;

/// What the command line adds to a file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--set` patches, in order.
    pub sets: Vec<String>,
    /// Only these variants; all when empty.
    pub variants: Vec<String>,
    /// Keys of the file that are left out, `--without`.
    pub without: Vec<String>,
    /// What is swept besides.
    pub sweeps: Sweeps,
}

/// A variant at a point, ready to run.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The variant's name; `base` when the file has none.
    pub variant: String,
    /// The point's values, such as `cluster.nodes=3`; empty without a sweep.
    pub point: String,
    /// The point's keys and their values.
    pub settings: Vec<(String, String)>,
    /// What to simulate.
    pub plan: Plan,
}

/// A scenario with all its cells.
#[derive(Debug)]
pub struct Loaded {
    /// Its name: the file's stem unless it says so itself.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Replications.
    pub seeds: u32,
    /// Limits that must hold.
    pub slo: Vec<Limit>,
    /// How well figures must be known, and within how many seeds.
    pub precision: (Vec<Goal>, u32),
    /// Whether the warm-up of any cell is to be found by pilot runs.
    pub finds_warmup: bool,
    /// How often what happens, and what may be lost.
    pub budget: Budget,
    /// Point by point, the variants of each.
    pub cells: Vec<Cell>,
}

/// Reads, merges and compiles a scenario; what is wrong or surprising is in `problems`.
pub fn load(path: &Path, overrides: &Overrides, sources: &mut Sources, problems: &mut Problems) -> Option<Loaded> {
    let layer = sources.read_file(path, problems)?;
    load_layer(layer, path, overrides, sources, problems)
}

/// As [`load`], for a text that `sources` already holds; `path` names it and says where relative files are.
pub fn load_layer(
    layer: LayerId,
    path: &Path,
    overrides: &Overrides,
    sources: &mut Sources,
    problems: &mut Problems,
) -> Option<Loaded> {
    load_patched(layer, path, overrides, None, sources, problems)
}

/// As [`load_layer`], with a patch laid over everything else: the value that a search tries.
pub fn load_patched(
    layer: LayerId,
    path: &Path,
    overrides: &Overrides,
    patch: Option<Table>,
    sources: &mut Sources,
    problems: &mut Problems,
) -> Option<Loaded> {
    let parsed = sources.parse(layer, problems);
    let sets: Vec<Option<Table>> = overrides.sets.iter().map(|text| parse_set(sources, text, problems)).collect();
    let mut base = parsed?;
    leave_out(&mut base, &overrides.without, sources, problems);
    let choices = Choices::new(CHOICES);
    let sets: Vec<Table> = sets.into_iter().flatten().chain(patch).collect();
    let variants = take_variants(&mut base, &overrides.variants, problems);
    let points = take_points(&mut base, &overrides.sweeps, &sets, sources, problems);
    if points.len().saturating_mul(variants.len()) > CELLS_MAX {
        let message = format!("{} points × {} variants are too many", points.len(), variants.len());
        problems.push(Problem::error(message).hint("sweep fewer keys or fewer values"));
        return None;
    }
    let base_dir = path.parent().unwrap_or(Path::new(""));
    let mut loaded = Loaded {
        name: path.file_stem().map_or_else(|| "scenario".into(), |stem| stem.to_string_lossy().into_owned()),
        text: sources.text(layer).0.to_owned(),
        seeds: 0,
        slo: Vec::new(),
        precision: (Vec::new(), 0),
        finds_warmup: false,
        budget: Budget::default(),
        cells: Vec::new(),
    };
    let mut presets = Shelf::default();
    for point in &points {
        for (variant, patch) in &variants {
            let mut table = base.clone();
            merge(&mut table, patch.clone(), &choices);
            for (path, key, value) in &point.values {
                set_path(&mut table, path, key, value.clone(), &choices);
            }
            sets.iter().for_each(|set| merge(&mut table, set.clone(), &choices));
            let table = presets.lay_under(table, sources, problems, &choices);
            if let Some(compiled) = compile(&table, base_dir, problems) {
                loaded.cells.push(Cell {
                    variant: variant.clone(),
                    point: point.label.clone(),
                    settings: point.settings.clone(),
                    plan: compiled.plan,
                });
                loaded.finds_warmup |= compiled.finds_warmup;
                loaded.budget = compiled.budget;
                (loaded.seeds, loaded.slo, loaded.precision) = (compiled.seeds, compiled.slo, compiled.precision);
                loaded.name = compiled.name.unwrap_or(loaded.name);
            }
        }
        // The same mistake would be found again at every point.
        if problems.has_errors() {
            return None;
        }
    }
    (!loaded.cells.is_empty()).then_some(loaded)
}

/// The scenario as one table: the file, one of its variants (the named, else the first) and every `--set`. Neither
/// variants nor a sweep are left in it.
pub fn flatten(layer: LayerId, overrides: &Overrides, sources: &mut Sources, problems: &mut Problems) -> Option<Table> {
    let parsed = sources.parse(layer, problems);
    let sets: Vec<Option<Table>> = overrides.sets.iter().map(|text| parse_set(sources, text, problems)).collect();
    let mut table = parsed?;
    let choices = Choices::new(CHOICES);
    let variants = take_variants(&mut table, &overrides.variants, problems);
    if let Some((_, patch)) = variants.into_iter().next() {
        merge(&mut table, patch, &choices);
    }
    table.remove("sweep");
    sets.into_iter().flatten().for_each(|set| merge(&mut table, set, &choices));
    (!problems.has_errors()).then_some(table)
}

/// Takes `[variant]` out of the table; without it there is one variant, `base`.
fn take_variants(base: &mut Table, wanted: &[String], problems: &mut Problems) -> Vec<(String, Table)> {
    let mut variants = Vec::new();
    if let Some(node) = base.remove("variant") {
        let span = node.span();
        let DeValue::Table(named) = node.into_inner() else {
            let problem = Problem::error("`variant` must hold named tables").at(span);
            problems.push(problem.hint("write [variant.\"a name\"] and what differs below"));
            return variants;
        };
        let mut named: Vec<_> = named.into_iter().collect();
        // The map is sorted by name; the order of the text is the order of the columns.
        named.sort_by_key(|(key, _)| key.span().start);
        for (key, node) in named {
            let (name, span) = (key.get_ref().to_string(), node.span());
            match node.into_inner() {
                DeValue::Table(patch) => {
                    let whole = patch.keys().filter(|key| WHOLE.contains(&key.get_ref().as_ref()));
                    whole.for_each(|key| problems.push(varies(key.get_ref(), key.span())));
                    variants.push((name, patch));
                }
                _ => {
                    let problem = Problem::error(format!("variant `{name}` is not a table")).at(span);
                    problems.push(problem.hint(format!("write [variant.\"{name}\"] and what differs below")));
                }
            }
        }
    }
    if variants.is_empty() {
        variants.push(("base".to_owned(), Table::new()));
    }
    for name in wanted.iter().filter(|name| variants.iter().all(|(known, _)| known != *name)) {
        let known: Vec<String> = variants.iter().map(|(name, _)| format!("`{name}`")).collect();
        let problem = Problem::error(format!("there is no variant `{name}`"));
        problems.push(problem.hint(format!("the variants are {}", known.join(", "))));
    }
    if !wanted.is_empty() {
        variants.retain(|(name, _)| wanted.contains(name));
    }
    variants
}

/// Keys that are about the study as a whole: no variant or point can have its own.
pub(super) const WHOLE: &[&str] = &["name", "seeds", "seeds_max", "precision", "slo", "budget", "variant", "sweep"];

pub(super) fn varies(key: &str, place: Span) -> Problem {
    let problem = Problem::error(format!("`{key}` is the same for all variants and points")).at(place);
    problem.hint(format!("set {key} at the top of the file"))
}
