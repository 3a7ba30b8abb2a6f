//! How evenly do algorithms that draw spread sessions? Against exact values, without a simulation around them.

use super::balance::Algorithm;
use super::balance::tests::{ask, member};
use crate::base::id::NodeId;

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
