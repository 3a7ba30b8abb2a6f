//! A study small enough for unit tests: two variants at two points, two populations, one crash.

use super::{Cell, Failure, Keeps, Progress, Report, Study, Unit, run};
use crate::base::choice::Choice;
use crate::base::dist::{Law, LawShape, Sampler};
use crate::base::time::{Duration, Instant};
use crate::cluster::balancer;
use crate::cluster::balancer::affinity::Affinity;
use crate::cluster::balancer::balance::Algorithm;
use crate::cluster::client::addresses::Addresses;
use crate::cluster::client::arrivals::{Arrivals, Curve};
use crate::cluster::client::{From, Length, Population, Protocol, Reads, reconnect::Backoff};
use crate::cluster::door::Waiting;
use crate::cluster::fate::{Fault, When, Written};
use crate::cluster::life::Restart;
use crate::cluster::plan::{Node, NodeSpec, Plan};
use crate::cluster::state::{self, OnMissing, Place};
use crate::cluster::station::{Discipline, Order};
use crate::cluster::version::Version;
use crate::observe::recovery::Limits;
use serde_json::json;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// Two variants at two points under so many seeds.
pub(crate) fn study(seeds: u32) -> Study {
    let mut cells = Vec::new();
    for nodes in [2, 3] {
        for variant in ["sticky, in memory", "stateless"] {
            let (point, plan) = (format!("nodes={nodes}"), plan(nodes, variant != "stateless"));
            let settings = vec![("nodes".into(), nodes.to_string())];
            cells.push(Cell { variant: variant.into(), point, settings, plan });
        }
    }
    Study {
        name: "tiny".into(),
        cells,
        seeds,
        scenario_text: "name = \"tiny\"\n".into(),
        scenario_name: "tiny.toml".into(),
        overrides: vec!["seeds=2".into()],
        keeps: Keeps { ticks: true, nodes: false },
        slo: Vec::new(),
        precision: Vec::new(),
        seeds_first: seeds,
    }
}

/// Runs every unit that is not finished yet.
pub(crate) fn run_all(
    study: &Study,
    out: &Path,
    jobs: NonZeroUsize,
    stop: &AtomicBool,
    told: &dyn Progress,
) -> Result<Report, Failure> {
    run(study, &study.outline(), &|_| true, out, jobs, stop, told)
}

fn law(shape: LawShape<Duration>) -> Sampler {
    Law(shape).compile(Path::new(".")).unwrap()
}

fn population(name: &str, sticky: bool) -> Population {
    let (kind, on_missing) = (state::Kind::Memory, OnMissing::Rebuild);
    let place = Place { kind, on_missing, ..Place::nothing() };
    Population {
        name: name.into(),
        arrivals: Arrivals::Poisson(Curve::constant(0.5)),
        closed: None,
        initial: 5,
        length: Length::Time(law(LawShape::Constant(Duration::from_secs(20)))),
        protocol: Protocol::default(),
        think: Some(law(LawShape::Exponential { mean: Duration::from_secs(1) })),
        pace: None,
        activity: None,
        addresses: Addresses::default(),
        service: law(LawShape::Constant(Duration::from_millis(20))),
        write_ratio: 1.0,
        reads: Reads::Affinity,
        instance: None,
        connect_timeout: None,
        request_timeout: Some(Duration::from_secs(1)),
        retry: None,
        reconnect: Backoff::default(),
        reconnect_at_once: false,
        reconnect_from: From::End,
        retry_first_open: true,
        heeds_retry_after: true,
        give_up_after: None,
        cancels: false,
        own_affinity: true,
        affinity: if sticky { serde_json::from_value(json!({"cookie": {}})).unwrap() } else { Affinity::default() },
        state: if sticky { place } else { Place::nothing() },
    }
}

fn node(number: usize) -> Node {
    let spec = NodeSpec {
        concurrency: 4,
        discipline: Discipline::Fifo,
        queue: Waiting { max: 50, order: Order::Fifo, deadline: None },
        retry_after: None,
        handshake: None,
        accept: Waiting { max: 10, order: Order::Fifo, deadline: None },
        accept_rate: None,
        connections_max: u32::MAX,
        connection_max_age: None,
        start: None,
        warm_up: None,
        memory: None,
        restart: Restart::default(),
    };
    Node { name: format!("n{number}"), group: None, zone: 0, weight: 1, speed: 1.0, spec: spec.into(), address: None }
}

fn plan(nodes: usize, sticky: bool) -> Plan {
    let algorithm: Algorithm = serde_json::from_value(json!({"leastconn": {}})).unwrap();
    let kill: Written = serde_json::from_value(json!({"at": "30s", "kill": {"nodes": 1}})).unwrap();
    let at = |secs| Instant::START + Duration::from_secs(secs);
    Plan {
        end: at(60),
        warmup: at(10),
        tick: Duration::from_secs(1),
        nodes: (1..=nodes).map(node).collect(),
        zones: vec!["z1".into()],
        populations: vec![population("api", sticky), population("web", sticky)],
        propagation: None,
        check_service: None,
        balancer: balancer::Spec {
            balance: Choice(algorithm),
            redispatch: balancer::retry::Redispatch::All(true),
            retries: 1,
            retry_pause: Duration::from_millis(100),
            ..balancer::Spec::default()
        },
        services: Vec::new(),
        versions: vec![Version::first()],
        faults: vec![Fault { name: "crash".into(), when: When::At(at(30)), kind: kill.kinds().remove(0) }],
        changes: Vec::new(),
        spares: 0,
        rebalance: None,
        autoscaler: None,
        disruption_budget: None,
        prices: None,
        limits: Limits::default(),
        hold: Duration::from_secs(5),
    }
}

/// Sets `stop` once so many units are finished.
pub(crate) struct StopAfter {
    pub stop: AtomicBool,
    left: AtomicUsize,
}

impl StopAfter {
    pub fn new(units: usize) -> StopAfter {
        StopAfter { stop: AtomicBool::new(false), left: AtomicUsize::new(units) }
    }
}

impl Progress for StopAfter {
    fn finished(&self, _: Unit, _: u64) {
        if self.left.fetch_sub(1, Relaxed) == 1 {
            self.stop.store(true, Relaxed);
        }
    }
}
