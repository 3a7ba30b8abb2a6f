//! How evenly do hashes spread keys? Oracle O8 for every algorithm that binds keys to nodes: as unevenly as throwing
//! them at random, as a ring of so many points must, and no more than a bound allows.

use super::tests::{ask, member};
use super::{Algorithm, Balance};
use crate::base::id::NodeId;

/// Ten nodes whose names no other set has.
fn ten(json: &str, set: u32) -> Box<dyn Balance> {
    let algorithm: Algorithm = serde_json::from_str(json).expect(json);
    let mut balance = algorithm.start(1, "lb1");
    (0..10).for_each(|n| balance.joined(member(10 * set + n)));
    balance
}

/// How many of so many keys of its own a set's nodes get.
fn thrown(json: &str, set: u32, keys: u64) -> [u64; 10] {
    let mut balance = ten(json, set);
    let mut counts = [0; 10];
    for key in 0..keys {
        counts[balance.pick(&ask(u64::from(set) * keys + key)).unwrap().index() - 10 * set as usize] += 1;
    }
    counts
}

#[test]
fn a_hash_without_a_ring_is_as_even_as_chance() {
    // Oracle O8(b): the fullest of 10 nodes with 2,000 sessions. Where a table is filled in turns the nodes' shares are
    // equal, too; a mean of 300 has a standard error of 0.5.
    for json in [
        r#"{"hash": {}}"#,
        r#"{"source": {}}"#,
        r#"{"rendezvous": {}}"#,
        r#"{"jump": {}}"#,
        r#"{"maglev": {"table_size": 65537}}"#,
        r#"{"haproxy_hash": {"key": "address"}}"#,
        r#"{"nginx_hash": {}}"#,
        r#"{"envoy_maglev": {}}"#,
    ] {
        let sets = if json.contains("maglev") { 40 } else { 300 };
        let peaks = (0..sets).map(|set| *thrown(json, set, 2_000).iter().max().unwrap() as f64);
        let peak = peaks.sum::<f64>() / f64::from(sets);
        let error = 8.5 / libm::sqrt(f64::from(sets));
        assert!((peak - 222.04).abs() < 4.0 * error, "{json}: {peak}");
    }
}

#[test]
fn a_ring_is_as_uneven_as_its_points_make_it() {
    // Oracle O8(a): of n nodes with v points each, a node's share varies by √((n − 1)/(n·v + 1)), 0.0948 at v = 100;
    // K keys add (n − 1)/K. NGINX has 160 points per server, Envoy 1,024 or a few more for all. HAProxy has 16, but a key
    // goes to the nearest on either side: a point has half of each gap beside it, which halves the variance.
    for (json, points) in [
        (r#"{"ring": {"points": 100}}"#, 100.0),
        (r#"{"haproxy_hash": {"type": "consistent"}}"#, 2.0 * 16.0),
        (r#"{"nginx_hash": {"consistent": true}}"#, 160.0),
        (r#"{"envoy_ring_hash": {}}"#, 102.9),
    ] {
        let (sets, keys) = (100, 10_000);
        let square =
            |count: &u64| (*count as f64 * 10.0 / keys as f64 - 1.0) * (*count as f64 * 10.0 / keys as f64 - 1.0);
        let squares = (0..sets).map(|set| thrown(json, set, keys).iter().map(square).sum::<f64>() / 10.0);
        let found = libm::sqrt(squares.sum::<f64>() / f64::from(sets));
        let exact = libm::sqrt(9.0 / (10.0 * points + 1.0) + 9.0 / keys as f64);
        assert!((found / exact - 1.0).abs() < 0.1, "{json}: {found}, not {exact}");
    }
}

#[test]
fn whatever_is_bounded_keeps_its_bound() {
    // Oracle O8(c): 10,000 keys that stay, at most 5 % above the mean; somebody else has those to come in hand.
    for json in [
        r#"{"ring": {"points": 100, "balance_factor": 105}}"#,
        r#"{"rendezvous": {"balance_factor": 105}}"#,
        r#"{"haproxy_hash": {"type": "consistent", "balance_factor": 105}}"#,
        r#"{"haproxy_random": {"balance_factor": 105}}"#,
    ] {
        let mut balance = ten(json, 0);
        let mut loads = [0; 10];
        for key in 0..10_000 {
            balance.load(NodeId(10), 9_999 - key);
            let node = balance.pick(&ask(u64::from(key))).unwrap();
            loads[node.index()] += 1;
            balance.load(node, loads[node.index()]);
        }
        assert!(loads.iter().all(|&load| load <= 1_050), "{json}: {loads:?}");
    }
}
