//! Hashes alone: who goes where, and who moves, without a simulation around them.

use serde::Deserialize;
use stickysim::base::draw::{mix, name_key};
use stickysim::base::hash::jump::jump;
use stickysim::base::id::NodeId;
use stickysim::cluster::balancer::balance::{Algorithm, Ask, Asker, Balance, Key, Member, WHOLE};
use stickysim::cluster::plan::default_address;

/// An algorithm, nodes whose names no other seed has, and keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hashing {
    balance: Algorithm,
    nodes: u32,
    keys: u64,
    /// Whether the keys are the slots of its table, each once.
    #[serde(default)]
    slots: bool,
    /// The same algorithm with a bound, for those whom it displaces.
    bounded: Option<Algorithm>,
}

struct Same(u64);

impl Asker for Same {
    fn hash_of(&self, _: Key) -> u64 {
        self.0
    }
}

impl Hashing {
    /// A figure of one set of names.
    pub fn read(&self, of: &str, seed: u64) -> f64 {
        let last = NodeId(self.nodes - 1);
        match of {
            "moved_by_a_node_more" => self.join(seed, |was, is| was != is),
            "moved_elsewhere_by_a_node_more" => self.join(seed, |was, is| was != is && is.0 != self.nodes),
            "moved_by_a_node_less" => self.leave(seed, |was, is| was != is),
            "moved_needlessly_by_a_node_less" => self.leave(seed, |was, is| was != is && was != last),
            "moved_of_survivors" => {
                self.leave(seed, |was, is| was != is && was != last) / self.leave(seed, |was, _| was != last)
            }
            "fullest" => self.counts(seed).into_iter().fold(0.0, f64::max),
            "emptiest" => self.counts(seed).into_iter().fold(f64::INFINITY, f64::min),
            "cv_squared" => {
                let square = |x: f64| {
                    (x * f64::from(self.nodes) / self.keys as f64 - 1.0)
                        * (x * f64::from(self.nodes) / self.keys as f64 - 1.0)
                };
                self.counts(seed).into_iter().map(square).sum::<f64>() / f64::from(self.nodes)
            }
            "peak_to_mean" => self.read("fullest", seed) * f64::from(self.nodes) / self.keys as f64,
            "fullest_within_the_bound" => self.fill_within_the_bound(seed).0,
            "displaced_by_the_bound" => self.fill_within_the_bound(seed).1,
            "bucket_of_256_among_1024" => f64::from(jump(256, 1024)),
            other => panic!("hashes have no {other}"),
        }
    }

    fn start(&self, algorithm: &Algorithm, seed: u64) -> Box<dyn Balance> {
        let mut balance = algorithm.start(seed, "lb1");
        (0..self.nodes).for_each(|n| balance.joined(member(n, seed)));
        balance
    }

    fn home(&self, balance: &mut dyn Balance, seed: u64, key: u64) -> NodeId {
        let asker = Same(if self.slots { key } else { mix(mix(seed).wrapping_add(key)) });
        balance.pick(&Ask { asker: &asker, avoid: None, room: None, is_canary: false }).expect("there are nodes")
    }

    fn homes(&self, balance: &mut dyn Balance, seed: u64) -> Vec<NodeId> {
        (0..self.keys).map(|key| self.home(balance, seed, key)).collect()
    }

    fn counts(&self, seed: u64) -> Vec<f64> {
        let mut counts = vec![0.0; self.nodes as usize];
        let homes = self.homes(&mut *self.start(&self.balance, seed), seed);
        homes.into_iter().for_each(|node| counts[node.index()] += 1.0);
        counts
    }

    /// The share of keys of which this holds before and after another node has come.
    fn join(&self, seed: u64, holds: impl Fn(NodeId, NodeId) -> bool) -> f64 {
        let mut balance = self.start(&self.balance, seed);
        let before = self.homes(&mut *balance, seed);
        balance.joined(member(self.nodes, seed));
        share(&before, &self.homes(&mut *balance, seed), holds)
    }

    /// The same when the last has left for good.
    fn leave(&self, seed: u64, holds: impl Fn(NodeId, NodeId) -> bool) -> f64 {
        let mut balance = self.start(&self.balance, seed);
        let before = self.homes(&mut *balance, seed);
        let last = NodeId(self.nodes - 1);
        balance.left(last);
        balance.gone(last);
        share(&before, &self.homes(&mut *balance, seed), holds)
    }

    /// Keys that come one after another and stay: the fullest node, and the share of keys off their first node. The bound
    /// is that of all of them: those to come are in the hand of somebody else for now.
    fn fill_within_the_bound(&self, seed: u64) -> (f64, f64) {
        let mut free = self.start(&self.balance, seed);
        let mut bounded = self.start(self.bounded.as_ref().expect("a bounded algorithm"), seed);
        let (mut loads, mut displaced) = (vec![0; self.nodes as usize], 0.0);
        for key in 0..self.keys {
            bounded.load(NodeId(self.nodes), (self.keys - 1 - key) as u32);
            let node = self.home(&mut *bounded, seed, key);
            loads[node.index()] += 1;
            bounded.load(node, loads[node.index()]);
            displaced += f64::from(u8::from(self.home(&mut *free, seed, key) != node));
        }
        (f64::from(loads.into_iter().max().unwrap_or(0)), displaced / self.keys as f64)
    }
}

fn member(n: u32, seed: u64) -> Member {
    let name = name_key(&format!("{seed}-{n}"));
    Member {
        id: NodeId(n),
        weight: 1,
        name,
        address: default_address((seed as u32).wrapping_mul(97) + n),
        share: WHOLE,
    }
}

fn share(before: &[NodeId], after: &[NodeId], holds: impl Fn(NodeId, NodeId) -> bool) -> f64 {
    let pairs = before.iter().zip(after);
    pairs.filter(|&(&was, &is)| holds(was, is)).count() as f64 / before.len() as f64
}
