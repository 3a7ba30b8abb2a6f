//! What does a merged table mean? Sections are read, references resolved, laws prepared, contradictions found.
//!
//! Everything that is wrong is reported at once, each problem at its own place in the text.

use super::file::{Balancer, Clients, Cluster, Root};
use super::words::{mend, nearest};
use super::{Problem, Problems, Table, lookup_span_of, read_each, read_node, read_table};
use crate::base::choice::Choice;
use crate::base::dist::{Law, Sampler};
use crate::base::time::Instant;
use crate::base::units::Unit;
use crate::cluster::balancer;
use crate::cluster::client::{self, Population};
use crate::cluster::fate::{Aim, Fault, Written};
use crate::cluster::plan::{NodeSpec, Plan};
use crate::cluster::state::{Kind as StateKind, Location, OnMissing, Place, Rebuild, StoreSpec};
use crate::observe::recovery::Limits;
use crate::observe::slo::Limit;
use std::path::Path;

const NODES_MAX: u32 = 100_000;
const TICKS_MAX: u64 = 10_000_000;
/// More replications are a mistake.
pub const SEEDS_MAX: u32 = 1_000_000;
const RETRIES_MAX: u32 = 100;

/// One variant at one point, as meant.
#[derive(Debug)]
pub struct Compiled {
    /// Its name, if the file gives one.
    pub name: Option<String>,
    /// Replications.
    pub seeds: u32,
    /// Limits that must hold.
    pub slo: Vec<Limit>,
    /// What to simulate.
    pub plan: Plan,
}

/// Reads and checks a merged table; `base_dir` is where relative files are looked for.
pub fn compile(table: &Table, base_dir: &Path, problems: &mut Problems) -> Option<Compiled> {
    let mut reading = Reading { table, base_dir, problems };
    let root: Option<Root> = read_table(table, reading.problems, "");
    let cluster: Option<Cluster> = reading.section("cluster");
    let balancer = reading.balancer();
    let state = reading.state();
    let written = reading.clients();
    let faults = reading.each_fault(cluster.as_ref());
    let slo = super::slo::read(table, reading.problems);
    if let Some(root) = &root {
        reading.check_root(root);
        reading.check_faults(root, &faults);
    }
    let node = cluster.as_ref().and_then(|cluster| reading.node(cluster));
    let mut stores = Vec::new();
    let shared = reading.place(state, &["state"], &mut stores);
    let mut populations = Vec::new();
    for (name, clients) in written {
        let shared_affinity = balancer.as_ref().map(|balancer| &balancer.affinity);
        populations.extend(reading.population(&name, &clients, shared_affinity, &shared, &mut stores));
    }
    let (root, cluster, balancer) = (root?, cluster?, balancer?);
    // By name, so that the order of the text changes nothing.
    populations.sort_by(|a, b| a.name.cmp(&b.name));
    let plan = Plan {
        end: Instant::START + root.duration,
        warmup: Instant::START + root.warmup,
        tick: root.tick,
        nodes: (1..=cluster.nodes).map(|n| format!("n{n}")).collect(),
        node: node?,
        populations,
        balancer: balancer::Spec {
            algorithm: balancer.balance.0,
            redispatch: balancer.redispatch,
            retries: balancer.retries,
            retry_pause: balancer.retry_pause,
            health: balancer.health,
        },
        stores,
        faults,
        limits: recovery_limits(&slo),
        hold: root.recovery_hold,
    };
    reading.warn(&plan);
    (!problems.has_errors()).then_some(Compiled { name: root.name, seeds: root.seeds, slo, plan })
}

/// An SLO on error ratio or p99 says what "recovered" means.
fn recovery_limits(slo: &[Limit]) -> Limits {
    let bound = |name: &str| slo.iter().find(|limit| limit.column.name == name).map(|limit| limit.bound);
    Limits { error_ratio: bound("requests_failed_ratio"), p99_ms: bound("response_time_ms_p99") }
}

pub(super) struct Reading<'a> {
    table: &'a Table,
    base_dir: &'a Path,
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

    fn section<T: serde::de::DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        read_node(self.table.get(name)?, self.problems, name)
    }

    fn check_root(&mut self, root: &Root) {
        if root.duration.is_zero() {
            self.wrong(&["duration"], "duration is zero", "write how much time to simulate, such as \"20m\"");
        }
        if root.tick.is_zero() {
            self.wrong(&["tick"], "tick is zero", "write the length of a tick, such as \"1s\"");
            return;
        }
        if root.warmup >= root.duration && !root.duration.is_zero() {
            let message = format!("warmup ({}) leaves nothing of duration ({})", root.warmup, root.duration);
            self.wrong(&["warmup"], message, "shorten warmup or lengthen duration");
        }
        for (name, span) in [("duration", root.duration), ("warmup", root.warmup)] {
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
        if let Some(name) = &root.name
            && (name.is_empty() || name.contains(['/', '\\', '\0']) || name.starts_with('.'))
        {
            let message = format!("`{name}` cannot name a result folder");
            self.wrong(&["name"], message, "use letters, digits, - and _");
        }
    }

    fn balancer(&mut self) -> Option<Balancer> {
        let Some(node) = self.table.get("balancer") else { return Some(Balancer::default()) };
        let balancer: Balancer = read_node(node, self.problems, "balancer")?;
        for (key, message) in balancer.balance.0.faults() {
            self.wrong(&["balancer", "balance", key], message, "correct it or leave it out");
        }
        let health = balancer.health;
        for (key, interval) in [("interval", Some(health.interval)), ("fast_interval", health.fast_interval)] {
            if interval.is_some_and(|interval| interval.is_zero()) {
                let message = format!("health.{key} is zero: checks would never end");
                self.wrong(&["balancer", "health", key], message, "write a time such as \"2s\"");
            }
        }
        for (key, number) in [("rise", health.rise), ("fall", health.fall)] {
            if number == 0 {
                let message = format!("health.{key} is zero, but a verdict needs at least one check");
                self.wrong(&["balancer", "health", key], message, "write 1 or more");
            }
        }
        if balancer.retries > RETRIES_MAX {
            let message = format!("retries must be from 0 to {RETRIES_MAX}, but is {}", balancer.retries);
            self.wrong(&["balancer", "retries"], message, "3 is the default");
        }
        if !balancer.redispatch && balancer.retries > 0 && balancer.retry_pause.is_zero() {
            let message = "retry_pause is zero: the same dead node would be tried at the same instant";
            self.wrong(&["balancer", "retry_pause"], message, "write a pause such as \"1s\", or retries = 0");
        }
        Some(balancer)
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

    fn node(&mut self, cluster: &Cluster) -> Option<NodeSpec> {
        if !(1..=NODES_MAX).contains(&cluster.nodes) {
            let message = format!("nodes must be from 1 to {NODES_MAX}, but is {}", cluster.nodes);
            self.wrong(&["cluster", "nodes"], message, "a cluster has at least one node");
            return None;
        }
        let node = &cluster.node;
        if node.concurrency == 0 {
            let message = "concurrency is zero: no request would ever be served";
            self.wrong(&["cluster", "node", "concurrency"], message, "write 1 or more");
            return None;
        }
        let handshake = match &node.handshake {
            Some(law) => Some(self.law(law, &["cluster", "node", "handshake"])?),
            None => None,
        };
        Some(NodeSpec {
            concurrency: node.concurrency,
            discipline: node.discipline,
            queue_max: node.queue_max.unwrap_or(u32::MAX),
            handshake,
            accept_max: node.accept_max,
        })
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

    pub(super) fn place(&mut self, location: Location, path: &[&str], stores: &mut Vec<StoreSpec>) -> Option<Place> {
        let below =
            |name: &'static str, key: &'static str| -> Vec<&str> { path.iter().copied().chain([name, key]).collect() };
        match location {
            Location::None(_) => Some(Place::nothing()),
            Location::Memory(params) => {
                let rebuild = self.rebuild(&params.rebuild, &below("memory", "rebuild"))?;
                let (kind, rebuild) = (StateKind::Memory, Some(rebuild));
                Some(Place { kind, rebuild, on_missing: params.on_missing, store: None })
            }
            Location::Cache(params) => {
                let rebuild = self.rebuild(&params.rebuild, &below("cache", "rebuild"))?;
                let (kind, rebuild) = (StateKind::Cache, Some(rebuild));
                Some(Place { kind, rebuild, on_missing: OnMissing::Rebuild, store: None })
            }
            Location::Store(params) => {
                let read = self.law(&params.read, &below("store", "read"));
                let write = self.law(&params.write, &below("store", "write"));
                stores.push(StoreSpec {
                    read: read?,
                    write: write?,
                    concurrency: params.concurrency.map_or(u32::MAX, std::num::NonZeroU32::get),
                    queue_max: params.queue_max.unwrap_or(u32::MAX),
                    holds_slot: params.holds_slot,
                });
                let (kind, store) = (StateKind::Store, Some(stores.len() - 1));
                Some(Place { kind, rebuild: None, on_missing: OnMissing::Rebuild, store })
            }
        }
    }

    fn rebuild(&mut self, rebuild: &Rebuild, path: &[&str]) -> Option<Sampler> {
        let path: Vec<&str> = path.iter().copied().chain(["service"]).collect();
        self.law(&rebuild.service, &path)
    }

    fn each_fault(&mut self, cluster: Option<&Cluster>) -> Vec<Fault> {
        let Some(node) = self.table.get("fault") else { return Vec::new() };
        let written: Vec<(String, Written)> = read_each(node, self.problems, "fault");
        let mut faults = Vec::new();
        for (name, fault) in written {
            let mut kinds = fault.kinds();
            if kinds.len() != 1 {
                let message = match kinds.len() {
                    0 => format!("fault.{name} does not say what goes wrong"),
                    n => format!("fault.{name} says {n} things that go wrong; it takes one"),
                };
                self.wrong(&["fault", &name], message, "add kill = { nodes = 1, lasts = \"3m\" }");
                continue;
            }
            let kind = kinds.remove(0);
            if let Some(cluster) = cluster {
                self.check_aim(&name, kind.aim(), cluster.nodes);
            }
            if kind.lasts().is_some_and(|span| span.is_zero()) {
                let message = format!("fault.{name} lasts no time at all");
                self.wrong(&["fault", &name], message, "write how long, or leave `lasts` out for good");
            }
            faults.push(Fault { name, at: Instant::START + fault.at, kind });
        }
        // By name, so that the order of the text changes nothing.
        faults.sort_by(|a, b| a.name.cmp(&b.name));
        faults
    }

    fn check_aim(&mut self, name: &str, aim: &Aim, nodes: u32) {
        let path = ["fault", name, "kill", "nodes"];
        match aim {
            Aim::Count(0) => self.wrong(&path, "a fault that hits no node", "write 1 or more"),
            Aim::Count(count) if *count > nodes => {
                let message = format!("fault.{name} hits {count} nodes, but the cluster has {nodes}");
                self.wrong(&path, message, "hit fewer nodes or add some");
            }
            Aim::Count(_) => {}
            Aim::Names(wanted) if wanted.is_empty() => self.wrong(&path, "a fault that hits no node", "name one"),
            Aim::Names(wanted) => {
                for unknown in wanted.iter().filter(|wanted| !is_node(wanted, nodes)) {
                    let known: Vec<String> = (1..=nodes.min(1_000)).map(|n| format!("n{n}")).collect();
                    let near = nearest(unknown, &known).map(|near| format!("did you mean `{near}`? "));
                    let message = format!("fault.{name}: there is no node `{unknown}`");
                    let hint = format!("{}the nodes are n1 to n{nodes}", near.unwrap_or_default());
                    self.wrong(&path, message, hint);
                }
            }
        }
    }

    fn check_faults(&mut self, root: &Root, faults: &[Fault]) {
        let end = Instant::START + root.duration;
        for fault in faults {
            let path = ["fault", fault.name.as_str(), "at"];
            let at = fault.at.since(Instant::START);
            if fault.at >= end {
                let message = format!("fault.{} comes at {at}, when the run is over ({})", fault.name, root.duration);
                self.wrong(&path, message, "let it come earlier or lengthen duration");
            } else if fault.at < Instant::START + root.warmup {
                let message =
                    format!("fault.{} comes at {at}, before the warm-up is over ({})", fault.name, root.warmup);
                self.warning(&path, message, "its figures start from a state that is not steady");
            } else if fault.at + root.recovery_hold > end {
                let message = format!("the run ends {} after fault.{}", end.since(fault.at), fault.name);
                let hint = format!("recovery is confirmed after {}: lengthen duration", root.recovery_hold);
                self.warning(&path, message, hint);
            }
        }
    }

    /// What is not wrong but will surprise.
    fn warn(&mut self, plan: &Plan) {
        let slots = f64::from(plan.node.concurrency) * plan.nodes.len() as f64;
        let offered: f64 = plan.populations.iter().map(|people| offered(people, plan)).sum();
        if offered >= slots {
            let message = format!("the clients ask for {offered:.1} busy slots, and there are {slots}");
            self.warning(&["cluster"], message, "the queues will grow for as long as that lasts");
        }
    }
}

/// Mean number of slots that a population keeps busy when nothing makes it wait.
fn offered(people: &Population, plan: &Plan) -> f64 {
    let store = people.state.store.map(|store| &plan.stores[store]);
    let store =
        store.map_or((0.0, 0.0), |s| (s.read.mean() + people.write_ratio * s.write.mean(), f64::from(s.holds_slot)));
    let held = people.service.mean() + store.0 * store.1;
    let cycle = people.think.mean() + people.service.mean() + store.0;
    match &people.length {
        client::Length::Requests(law) => people.rate * law.mean() * held / 1e9,
        _ => people.initial as f64 * held / cycle,
    }
}

fn is_node(name: &str, nodes: u32) -> bool {
    let number = name.strip_prefix('n').and_then(|number| number.parse::<u32>().ok());
    number.is_some_and(|number| (1..=nodes).contains(&number) && name == format!("n{number}"))
}
