//! Do the algorithms do what HAProxy did? Replays a measured rolling restart, connection by connection.

use super::balance::tests::{ask, member};
use super::balance::{Algorithm, Ask, Balance};
use crate::base::choice::Choice;
use crate::base::id::NodeId;
use std::collections::BTreeMap;

const STEPS: &str = include_str!("../../../tests/data/reality/e4_steps.csv");

/// Ten servers with long connections.
struct Servers {
    balance: Box<dyn Balance>,
    connections: [u32; 10],
}

impl Servers {
    fn change(&mut self, node: NodeId, connections: u32) {
        self.connections[node.index()] = connections;
        self.balance.load(node, connections);
    }

    fn connect(&mut self, avoid: Option<NodeId>) -> NodeId {
        let node = self.balance.pick(&Ask { avoid, ..ask(0) }).unwrap();
        self.change(node, self.connections[node.index()] + 1);
        node
    }

    /// Restarts a server whose clients all come back at once.
    fn restart(&mut self, node: NodeId, crash: bool) {
        let cut = std::mem::take(&mut self.connections[node.index()]);
        self.balance.load(node, 0);
        if crash {
            // It is not yet known to be down: some try it, are refused, and are sent elsewhere.
            let refused = (0..cut).filter(|_| self.connect(None) == node).count();
            self.change(node, 0);
            (0..refused).for_each(|_| assert_ne!(self.connect(Some(node)), node));
            self.balance.left(node);
        } else {
            self.balance.left(node);
            (0..cut).for_each(|_| assert_ne!(self.connect(None), node));
        }
        self.balance.joined(member(node.0));
    }
}

#[test]
fn a_rolling_restart_leaves_the_connections_that_haproxy_left_at_every_step() {
    let mut recorded: BTreeMap<(&str, &str), Vec<Vec<u32>>> = BTreeMap::new();
    for line in STEPS.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let counts = fields[3..].iter().map(|count| count.parse().unwrap()).collect();
        recorded.entry((fields[0], fields[1])).or_default().push(counts);
    }
    assert_eq!(recorded.len(), 4);
    for ((name, mode), steps) in recorded {
        let algorithm: Choice<Algorithm> = serde_json::from_value(name.into()).unwrap();
        let mut servers = Servers { balance: algorithm.0.start(1, "lb1"), connections: [0; 10] };
        (0..10).for_each(|n| servers.balance.joined(member(n)));
        (0..800).for_each(|_| _ = servers.connect(None));
        assert_eq!(servers.connections[..], steps[0], "{name}, {mode}, before");
        for (n, counts) in (0..).zip(&steps[1..]) {
            servers.restart(NodeId(n), mode == "crash");
            assert_eq!(servers.connections[..], counts[..], "{name}, {mode}, after the restart of server {}", n + 1);
        }
    }
}

#[test]
fn sessions_pinned_at_random_are_as_uneven_as_they_must_be() {
    // Oracle O8(b): the fullest of 10 nodes with 2,000 sessions, over 1,000 pinnings.
    let algorithm: Algorithm = serde_json::from_value(serde_json::json!({"random": {"draws": 1}})).unwrap();
    let mut peaks = 0.0;
    for seed in 0..1_000 {
        let mut balance = algorithm.start(seed, "lb1");
        (0..10).for_each(|n| balance.joined(member(n)));
        let mut sessions = [0; 10];
        (0..2_000).for_each(|_| sessions[balance.pick(&ask(0)).unwrap().index()] += 1);
        peaks += f64::from(sessions.into_iter().max().unwrap()) / 1_000.0;
    }
    assert!((peaks - 222.04).abs() < 1.2, "{peaks}");
}

#[test]
fn sessions_that_choose_the_lesser_of_two_nodes_spread_evenly() {
    // Oracle O8(d): 50 sessions per node on 500 nodes; one ends at random, the next takes its place.
    use crate::base::draw::Stream;
    use rand::RngExt;
    for (draws, deviation) in [(1, 7.071), (2, 1.745)] {
        let algorithm: Algorithm = serde_json::from_value(serde_json::json!({"random": {"draws": draws}})).unwrap();
        let mut balance = algorithm.start(1, "lb1");
        (0..500).for_each(|n| balance.joined(member(n)));
        let (mut loads, mut homes) = (vec![0u32; 500], Vec::new());
        let mut luck = Stream::new(1, "test", "who ends").sequence();
        let (mut squares, mut looks) = (0.0, 0.0);
        for step in 0..400_000 {
            let ends = (homes.len() == 25_000).then(|| homes.swap_remove(luck.random_range(0..25_000)));
            let begins = |load: &mut u32, by: i64| {
                *load = (i64::from(*load) + by) as u32;
                *load
            };
            if let Some(node) = ends {
                let load = begins(&mut loads[NodeId::index(node)], -1);
                balance.load(node, load);
            }
            let node = balance.pick(&ask(0)).unwrap();
            let load = begins(&mut loads[node.index()], 1);
            balance.load(node, load);
            homes.push(node);
            if step > 200_000 && step % 5_000 == 0 {
                squares += loads.iter().map(|&load| (f64::from(load) - 50.0) * (f64::from(load) - 50.0)).sum::<f64>();
                looks += 500.0;
            }
        }
        let measured = f64::sqrt(squares / looks);
        assert!((measured / deviation - 1.0).abs() < 0.04, "{draws} draws: {measured}");
    }
}
