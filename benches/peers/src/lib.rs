//! Workload W4 without a simulator: who is pinned where, who waits, who is dead. Each peer brings its own events.

use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Exp1};
use rand_pcg::Pcg64;
use std::collections::VecDeque;

pub const NODES: usize = 100;
const THINK: f64 = 10.0;

/// Its random draws alone, for peers that keep lines of their own.
#[derive(Clone, Debug)]
pub struct Draw {
    service: f64,
    generator: Pcg64,
}

impl Draw {
    /// So many sessions at 70 % load.
    pub fn new(sessions: usize, seed: u64) -> Draw {
        Draw { service: THINK * NODES as f64 * 0.7 / sessions as f64, generator: Pcg64::seed_from_u64(seed) }
    }

    pub fn think(&mut self) -> f64 {
        let unit: f64 = Exp1.sample(&mut self.generator);
        THINK * unit
    }

    pub fn work(&mut self) -> f64 {
        let unit: f64 = Exp1.sample(&mut self.generator);
        self.service * unit
    }

    pub fn node(&mut self) -> usize {
        self.generator.random_range(0..NODES)
    }

    /// Any but the first, which dies.
    pub fn survivor(&mut self) -> usize {
        self.generator.random_range(1..NODES)
    }
}

/// The cluster.
pub struct W4 {
    draw: Draw,
    node_of: Vec<u16>,
    asked: Vec<f64>,
    lines: Vec<VecDeque<u32>>,
    dead: Option<usize>,
    pub done: u64,
    pub time: f64,
}

impl W4 {
    /// So many sessions at 70 % load, pinned at random.
    pub fn new(sessions: usize) -> W4 {
        let mut draw = Draw::new(sessions, 1);
        W4 {
            node_of: (0..sessions).map(|_| draw.node() as u16).collect(),
            asked: vec![0.0; sessions],
            lines: vec![VecDeque::new(); NODES],
            dead: None,
            draw,
            done: 0,
            time: 0.0,
        }
    }

    pub fn sessions(&self) -> usize {
        self.node_of.len()
    }

    pub fn think(&mut self) -> f64 {
        self.draw.think()
    }

    pub fn work(&mut self) -> f64 {
        self.draw.work()
    }

    /// A session asks; its node, if that begins to work on it at once.
    pub fn ask(&mut self, session: u32, now: f64) -> Option<usize> {
        self.asked[session as usize] = now;
        self.send(session)
    }

    fn send(&mut self, session: u32) -> Option<usize> {
        let mut node = self.node_of[session as usize] as usize;
        if self.dead == Some(node) {
            node = self.draw.survivor();
            self.node_of[session as usize] = node as u16;
        }
        self.lines[node].push_back(session);
        (self.lines[node].len() == 1).then_some(node)
    }

    /// A node is done with the first in its line: who that was, and whether it goes on; `None` for a dead node.
    pub fn leave(&mut self, node: usize, now: f64) -> Option<(u32, bool)> {
        if self.dead == Some(node) {
            return None;
        }
        let session = self.lines[node].pop_front()?;
        self.done += 1;
        self.time += now - self.asked[session as usize];
        Some((session, !self.lines[node].is_empty()))
    }

    /// The first node dies; the nodes that begin to work for those who were in its line.
    pub fn crash(&mut self) -> Vec<usize> {
        self.dead = Some(0);
        let line = std::mem::take(&mut self.lines[0]);
        line.into_iter().filter_map(|session| self.send(session)).collect()
    }

    /// Prints the rate.
    pub fn tell(&self, name: &str, seconds: f64) {
        tell(name, self.sessions(), self.done, self.time, seconds);
    }
}

/// Prints the rate of a peer that counts on its own.
pub fn tell(name: &str, sessions: usize, done: u64, time: f64, seconds: f64) {
    let mean = time / done as f64 * 1e3;
    println!("{name} w4 {sessions} {:.0} requests/s, mean response {mean:.1} ms", done as f64 / seconds);
}

/// Sessions and seconds, from the command line.
pub fn arguments() -> (usize, f64) {
    let mut words = std::env::args().skip(1);
    let sessions = words.next().and_then(|word| word.parse().ok()).unwrap_or(100_000);
    (sessions, words.next().and_then(|word| word.parse().ok()).unwrap_or(60.0))
}
