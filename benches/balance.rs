//! What does a choice cost, and a change of the members? Every balance algorithm, at four sizes.
//!
//! `choice` is one pick for one of many keys, and the two reports of its load that come with a request, while every
//! node has one other in hand on average, which end in the order in which they began. `change` is one
//! node that leaves or returns, and the first pick after it. `newcomer` is a node never seen before that joins and is
//! taken out of the configuration again. Defaults unless the name says more; `weighted` gives the nodes weights from 1
//! to 4 in turn.
//!
//!     cargo bench --bench balance

use divan::Bencher;
use divan::counter::ItemsCount;
use serde_json::{Value, json};
use std::collections::VecDeque;
use stickysim::base::choice::Alternatives;
use stickysim::base::draw::{mix, name_key};
use stickysim::base::id::NodeId;
use stickysim::cluster::balancer::balance::{Algorithm, Ask, Asker, Balance, Key, Member, WHOLE};
use stickysim::cluster::plan::default_address;

fn main() {
    divan::main();
}

const SIZES: [u32; 4] = [10, 100, 1_000, 10_000];

/// Choices per sample; a power of two.
const PICKS: usize = 1 << 14;

/// What these names begin with looks at every node for every choice, by definition or in the product.
const SCANS: [&str; 3] = ["rendezvous", "nginx_least_conn", "roundrobin, nginx"];

/// One algorithm with its parameters.
struct Case {
    name: String,
    algorithm: Algorithm,
    weighted: bool,
    scans: bool,
}

impl Case {
    fn new(name: &str, algorithm: Value) -> Case {
        let weighted = name.ends_with("weighted");
        let algorithm = serde_json::from_value(algorithm).expect("a case is sound");
        let scans = SCANS.iter().any(|scans| name.starts_with(scans));
        Case { name: name.to_owned(), algorithm, weighted, scans }
    }

    fn member(&self, index: u32) -> Member {
        let weight = if self.weighted { 1 + index % 4 } else { 1 };
        let name = name_key(&format!("n{}", index + 1));
        Member { id: NodeId(index), weight, name, address: default_address(index), share: WHOLE }
    }

    fn start(&self, nodes: u32) -> Box<dyn Balance> {
        let mut balance = self.algorithm.start(1, "lb1");
        (0..nodes).for_each(|index| balance.joined(self.member(index)));
        balance.pick(&Client::new(0).ask());
        balance
    }
}

/// Every algorithm with its defaults, and the ways of those that have several.
fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Algorithm::NAMES.iter().map(|(name, _)| Case::new(name, json!({ *name: {} }))).collect();
    cases.extend([
        Case::new("roundrobin, envoy", json!({"roundrobin": {"order": "envoy"}})),
        Case::new("roundrobin, nginx", json!({"roundrobin": {"order": "nginx"}})),
        Case::new("ring, bounded", json!({"ring": {"balance_factor": 125}})),
        Case::new("haproxy_hash, wt6", json!({"haproxy_hash": {"function": "wt6"}})),
        Case::new("haproxy_hash, consistent", json!({"haproxy_hash": {"type": "consistent"}})),
        Case::new("haproxy_hash, source consistent", json!({"haproxy_hash": {"key": "address", "type": "consistent"}})),
        Case::new("haproxy_hash, bounded", json!({"haproxy_hash": {"type": "consistent", "balance_factor": 125}})),
        Case::new("nginx_hash, consistent", json!({"nginx_hash": {"consistent": true}})),
        Case::new("nginx_hash, remote_addr", json!({"nginx_hash": {"key": "address", "consistent": true}})),
        Case::new("envoy_ring_hash, bounded", json!({"envoy_ring_hash": {"balance_factor": 125}})),
    ]);
    // Weights make a difference to how these keep their nodes.
    for name in [
        "leastconn",
        "roundrobin",
        "random",
        "haproxy_random",
        "hash",
        "haproxy_hash",
        "nginx_hash",
        "ring",
        "maglev",
        "envoy_ring_hash",
        "envoy_maglev",
        "rendezvous",
        "nginx_least_conn",
        "envoy_least_request",
    ] {
        cases.push(Case::new(&format!("{name}, weighted"), json!({ name: {} })));
    }
    cases.push(Case::new("roundrobin, envoy, weighted", json!({"roundrobin": {"order": "envoy"}})));
    cases.push(Case::new("haproxy_hash, consistent, weighted", json!({"haproxy_hash": {"type": "consistent"}})));
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// A client whose session, address and header are these hashes.
struct Client([u64; 3]);

impl Client {
    fn new(key: u64) -> Client {
        Client([mix(key), mix(key ^ 1 << 40), mix(key ^ 2 << 40)])
    }

    fn ask(&self) -> Ask<'_> {
        Ask { asker: self, avoid: None, room: None, is_canary: false }
    }
}

impl Asker for Client {
    fn hash_of(&self, key: Key) -> u64 {
        self.0[key as usize]
    }
}

#[divan::bench(args = cases(), consts = SIZES, sample_count = 15, sample_size = 1)]
fn choice<const N: u32>(bencher: Bencher, case: &Case) {
    let mut balance = case.start(N);
    let clients: Vec<Client> = (0..PICKS as u64).map(Client::new).collect();
    let mut loads = vec![0_u32; N as usize];
    let mut busy = VecDeque::new();
    let mut send = |balance: &mut Box<dyn Balance>, client: &Client| {
        let node = balance.pick(&client.ask()).expect("somebody is eligible");
        loads[node.index()] += 1;
        balance.load(node, loads[node.index()]);
        busy.push_back(node);
        // So many attempts are in hand as there are nodes.
        if busy.len() > N as usize {
            let node: NodeId = busy.pop_front().expect("not empty");
            loads[node.index()] -= 1;
            balance.load(node, loads[node.index()]);
        }
    };
    // Algorithms that look at every node get fewer choices, so that this ends.
    let picks = if case.scans && N >= 1_000 { PICKS / 64 } else { PICKS };
    clients.iter().cycle().take(if case.scans { picks } else { 2 * N as usize }).for_each(|c| send(&mut balance, c));
    bencher.counter(ItemsCount::new(picks)).bench_local(|| {
        clients[..picks].iter().for_each(|client| send(&mut balance, client));
    });
}

#[divan::bench(args = cases(), consts = SIZES, sample_count = 16, sample_size = 1)]
fn change<const N: u32>(bencher: Bencher, case: &Case) {
    let mut balance = case.start(N);
    let (mut step, mut out) = (0_u32, None);
    bencher.bench_local(|| {
        step += 1;
        match out.take() {
            Some(index) => balance.joined(case.member(index)),
            None => {
                let index = step * 7_919 % N;
                balance.left(NodeId(index));
                out = Some(index);
            }
        }
        balance.pick(&Client::new(u64::from(step)).ask())
    });
}

#[divan::bench(args = cases(), consts = SIZES, sample_count = 16, sample_size = 1)]
fn newcomer<const N: u32>(bencher: Bencher, case: &Case) {
    let mut balance = case.start(N);
    let (mut step, mut is_in) = (0, false);
    bencher.bench_local(|| {
        step += 1;
        if is_in {
            balance.left(NodeId(N));
            balance.gone(NodeId(N));
        } else {
            balance.joined(case.member(N));
        }
        is_in = !is_in;
        balance.pick(&Client::new(step).ask())
    });
}
