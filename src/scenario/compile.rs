//! What does a merged table mean? Sections are read, references resolved, laws prepared, contradictions found.
//!
//! Everything that is wrong is reported at once, each problem at its own place in the text.

use super::Budget;
use super::events::add_spares;
use super::file::{Clients, Root};
use super::words::mend;
use super::{Problem, Problems, Table, lookup_span_of, read_each, read_node, read_table};
use crate::base::choice::Choice;
use crate::base::dist::{Law, Sampler};
use crate::base::time::Instant;
use crate::base::units::Unit;
use crate::cluster::change::Change;
use crate::cluster::client::closed::Closed;
use crate::cluster::client::{self, Population};
use crate::cluster::fate::Fault;
use crate::cluster::plan::Plan;
use crate::cluster::state::{Does, Location, Service};
use crate::observe::goal::Goal;
use crate::observe::recovery::Limits;
use crate::observe::slo::Limit;
use std::path::Path;

const TICKS_MAX: u64 = 10_000_000;
/// More replications are a mistake.
pub const SEEDS_MAX: u32 = 1_000_000;

/// One variant at one point, as meant.
#[derive(Debug)]
pub struct Compiled {
    /// Its name, if the file gives one.
    pub name: Option<String>,
    /// Replications.
    pub seeds: u32,
    /// Limits that must hold.
    pub slo: Vec<Limit>,
    /// How well figures must be known, and within how many seeds.
    pub precision: (Vec<Goal>, u32),
    /// Whether its warm-up is to be found by pilot runs.
    pub finds_warmup: bool,
    /// How often what happens, and what may be lost.
    pub budget: Budget,
    /// What to simulate.
    pub plan: Plan,
}

/// Reads and checks a merged table; `base_dir` is where relative files are looked for.
pub fn compile(table: &Table, base_dir: &Path, problems: &mut Problems) -> Option<Compiled> {
    let mut reading = Reading { table, base_dir, problems };
    let root: Option<Root> = read_table(table, reading.problems, "");
    let cluster = reading.cluster();
    let nodes = cluster.as_ref().map(|(nodes, zones, _)| (nodes.as_slice(), zones.as_slice()));
    let balancer = reading.balancer();
    let state = reading.state();
    let written = reading.clients();
    let versions = reading.versions();
    let changes = reading.each_change(nodes, &versions);
    let faults = reading.each_fault(nodes, &changes);
    let instances = balancer.as_ref().map_or(1, |(balancer, _)| balancer.instances);
    reading.check_reloads(&changes, instances);
    reading.check_canaries(&changes, balancer.as_ref().map(|(balancer, _)| balancer));
    reading.check_leaks(&versions, nodes.map_or(&[], |(nodes, _)| nodes));
    reading.check_own_instances(&written, instances);
    let slo = super::slo::read(table, reading.problems);
    let goals = super::goals::read(table, reading.problems);
    root.iter().for_each(|root| reading.check_times(root, &faults, &changes));
    let (prices, budget) = (reading.prices(), reading.budget());
    let mut services = reading.rebuilders();
    reading.stores(&mut services);
    reading.check_stores(&faults, &services);
    let shared = reading.place(state, &["state"], &mut services);
    let mut populations = Vec::new();
    for (name, clients) in written {
        let shared_affinity = balancer.as_ref().map(|(balancer, _)| &balancer.affinity);
        populations.extend(reading.population(&name, &clients, shared_affinity, &shared, &mut services));
    }
    reading.check_store_memory(&populations, &services);
    let (root, (mut nodes, zones, controllers), (balancer, [propagation, check_service])) =
        (root?, cluster?, balancer?);
    let (rebalance, autoscaler, disruption_budget) = controllers;
    let spares = add_spares(&mut nodes, &changes, autoscaler.as_ref().map_or(0, |params| params.nodes_max as usize));
    reading.check_addresses(&nodes);
    // By name, so that the order of the text changes nothing.
    populations.sort_by(|a, b| a.name.cmp(&b.name));
    let plan = Plan {
        end: Instant::START + root.duration,
        warmup: Instant::START + root.warmup.given(),
        tick: root.tick,
        nodes,
        zones,
        populations,
        propagation,
        check_service,
        balancer,
        services: services.ready,
        faults,
        changes,
        versions: versions.ready,
        rebalance,
        autoscaler,
        disruption_budget,
        spares,
        prices,
        limits: recovery_limits(&slo),
        hold: root.recovery_hold,
    };
    reading.warn(&plan);
    (!problems.has_errors()).then_some(Compiled {
        name: root.name,
        seeds: root.seeds,
        slo,
        precision: (goals, root.seeds_max),
        finds_warmup: root.warmup == super::warmup::Warmup::Auto,
        budget,
        plan,
    })
}

/// An SLO on error ratio or p99 says what "recovered" means.
fn recovery_limits(slo: &[Limit]) -> Limits {
    let bound = |name: &str| slo.iter().find(|limit| limit.column.name == name).map(|limit| limit.bound);
    Limits { error_ratio: bound("requests_failed_ratio"), p99_ms: bound("response_time_ms_p99") }
}

pub(super) struct Reading<'a> {
    pub(super) table: &'a Table,
    pub(super) base_dir: &'a Path,
    pub(super) problems: &'a mut Problems,
}

impl Reading<'_> {
    /// Notes a problem at a path.
    pub(super) fn wrong(&mut self, path: &[&str], message: impl Into<String>, hint: impl Into<String>) {
        let place = lookup_span_of(self.table, path);
        self.problems.push(Problem::error(message).at(place).hint(hint));
    }

    pub(super) fn warning(&mut self, path: &[&str], message: impl Into<String>, hint: impl Into<String>) {
        let place = lookup_span_of(self.table, path);
        self.problems.push(Problem::warning(message).at(place).hint(hint));
    }

    /// Checks all that is about time as a whole.
    fn check_times(&mut self, root: &Root, faults: &[Fault], changes: &[Change]) {
        self.check_root(root);
        self.check_faults(root, faults);
        self.check_changes(root, changes);
        self.check_instants(faults, changes);
    }

    fn check_root(&mut self, root: &Root) {
        if root.duration.is_zero() {
            self.wrong(&["duration"], "duration is zero", "write how much time to simulate, such as \"20m\"");
        }
        if root.tick.is_zero() {
            self.wrong(&["tick"], "tick is zero", "write the length of a tick, such as \"1s\"");
            return;
        }
        let warmup = root.warmup.given();
        if warmup >= root.duration && !root.duration.is_zero() {
            let message = format!("warmup ({warmup}) leaves nothing of duration ({})", root.duration);
            self.wrong(&["warmup"], message, "shorten warmup or lengthen duration");
        }
        for (name, span) in [("duration", root.duration), ("warmup", warmup)] {
            if span.as_nanos() % root.tick.as_nanos() != 0 {
                let message = format!("{name} ({span}) is not a whole number of ticks ({})", root.tick);
                self.wrong(&[name], message, "make it a multiple of tick, or shorten tick");
            }
        }
        let ticks = root.duration.as_nanos() / root.tick.as_nanos();
        if ticks > TICKS_MAX {
            let message = format!("duration ÷ tick gives {ticks} ticks; at most {TICKS_MAX} are kept");
            self.wrong(&["tick"], message, "lengthen tick");
        }
        if !(1..=SEEDS_MAX).contains(&root.seeds) {
            let message = format!("seeds must be from 1 to {SEEDS_MAX}, but is {}", root.seeds);
            self.wrong(&["seeds"], message, "20 seeds are a good beginning");
        }
        if root.precision.is_some() && !(root.seeds..=SEEDS_MAX).contains(&root.seeds_max) {
            let message = format!("seeds_max must be from {} to {SEEDS_MAX}, but is {}", root.seeds, root.seeds_max);
            self.wrong(&["seeds_max"], message, "200 is the default");
        }
        if let Some(name) = &root.name
            && (name.is_empty() || name.contains(['/', '\\', '\0']) || name.starts_with('.'))
        {
            let message = format!("`{name}` cannot name a result folder");
            self.wrong(&["name"], message, "use letters, digits, - and _");
        }
    }

    fn state(&mut self) -> Location {
        let Some(node) = self.table.get("state") else { return Location::default() };
        let choice: Option<Choice<Location>> = read_node(node, self.problems, "state");
        choice.map_or_else(Location::default, |choice| choice.0)
    }

    fn clients(&mut self) -> Vec<(String, Clients)> {
        let Some(node) = self.table.get("clients") else { return Vec::new() };
        let written: Vec<(String, Clients)> = read_each(node, self.problems, "clients");
        if node.get_ref().as_table().is_some_and(|table| table.is_empty()) {
            self.wrong(&["clients"], "there are no clients", "add a population, such as [clients.web]");
        }
        for (name, _) in &written {
            if name == "all" || name.is_empty() || name.chars().any(char::is_control) {
                let message = format!("a population cannot be called `{name}`");
                self.wrong(&["clients", name], message, "`all` means all of them in results; choose another name");
            }
        }
        written
    }

    pub(super) fn law<U: Unit>(&mut self, law: &Law<U>, path: &[&str]) -> Option<Sampler> {
        match law.compile(self.base_dir) {
            Ok(sampler) => Some(sampler),
            Err(faults) => {
                for fault in faults {
                    let full: Vec<&str> = path.iter().copied().chain(fault.path.iter().copied()).collect();
                    let place = lookup_span_of(self.table, &full);
                    let (wrong, mend) = mend(&fault.message);
                    let one_of = wrong.contains("exactly one of").then_some("write one of them");
                    let problem = Problem::error(format!("{}: {wrong}", path.join("."))).at(place);
                    self.problems.push(problem.hint(mend.or(one_of).unwrap_or("correct this value")));
                }
                None
            }
        }
    }

    /// What is not wrong but will surprise.
    fn warn(&mut self, plan: &Plan) {
        let most = plan.autoscaler.as_ref().map_or(0, |params| params.nodes_max as usize).max(plan.desired());
        let slots: f64 = plan.nodes[..most].iter().map(|node| f64::from(node.spec.concurrency) * node.speed).sum();
        let offered: f64 = plan.populations.iter().map(|people| offered(people, plan)).sum();
        if offered >= slots {
            let message = format!("the clients ask for {offered:.1} busy slots, and there are {slots}");
            self.warning(&["cluster"], message, "the queues will grow for as long as that lasts");
        }
        self.warn_of_no_nodes(plan);
        self.warn_of_memory(plan);
        self.warn_of_idle_keys(plan);
    }

    /// Whether those who are there from the start fit, if they are spread evenly.
    fn warn_of_memory(&mut self, plan: &Plan) {
        let each = |copies: &dyn Fn(&Population) -> usize| {
            let all: u64 = plan.populations.iter().map(|people| people.present() * copies(people) as u64).sum();
            all / plan.desired() as u64
        };
        let copies = |people: &Population| people.state.copies().min(plan.desired()) as u64;
        let on_node = |people: &Population| people.present() * copies(people) / plan.desired() as u64;
        let sessions = plan.populations.iter().map(|people| people.state.fills_node(on_node(people))).sum();
        let connections = each(&|people| usize::from(plan.hangs(people)));
        let memories = plan.nodes[..plan.desired()].iter().filter_map(|node| node.spec.memory);
        let needed = memories.filter_map(|memory| Some((memory.limit?, memory.taken(sessions, connections, 0))));
        if let Some((limit, bytes)) = needed.into_iter().find(|(limit, bytes)| *bytes > limit.get()) {
            let mib = bytes >> 20;
            let message =
                format!("those who are there at the start take {mib} MiB of each node, whose limit is {limit}");
            self.warning(&["cluster"], message, "processes will be killed for their memory from the beginning");
        }
    }
}

/// Mean number of slots that a population keeps busy when nothing makes it wait.
fn offered(people: &Population, plan: &Plan) -> f64 {
    let store = people.state.store.map_or((0.0, 0.0), |store| match &plan.services[store] {
        Service { does: Does::Store { read, write }, holds_slot, .. } => {
            (read.mean() + people.write_ratio * write.mean(), f64::from(*holds_slot))
        }
        _ => (0.0, 0.0),
    });
    let cared = people.state.care.as_ref().map_or(0.0, |care| {
        let mean = |law: &Option<Sampler>| law.as_ref().map_or(0.0, Sampler::mean);
        // Owners are chosen by a hash, so that whoever serves is one of them by chance.
        let elsewhere = 1.0 - (people.state.copies() as f64 / plan.desired() as f64).min(1.0);
        mean(&care.read) + people.write_ratio * mean(&care.write) + elsewhere * mean(&care.fetch)
    });
    let works = people.service.mean() + cared;
    let held = works + store.0 * store.1;
    let Some(gap) = people.gap() else { return 0.0 };
    let waits = if people.pace.is_some() { 0.0 } else { works + store.0 };
    let cycle = gap.mean() + waits;
    let visiting = |closed: &Closed| f64::from(closed.clients) * people.visiting_ratio(&closed.gap);
    let again = people.closed.as_ref().map_or(0.0, visiting) * held / cycle;
    match &people.length {
        client::Length::Requests(law) => people.arrivals.initial_rate() * law.mean() * held / 1e9 + again,
        _ => people.initial as f64 * held / cycle + again,
    }
}
