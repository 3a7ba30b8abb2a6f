//! How fast could a simulator of W4 be at most? A loop of two events per request, and nothing else.
//!
//! The engine's own queue, one keyed exponential draw and one 64-byte record per event, the record fetched ahead: no nodes, no
//! balancer, no figures. What `benches/scenarios.rs` says of `w4.toml` is to be read against it.
//!
//!     cargo bench --bench ideal [-- SESSIONS …]

use rand_distr::{Distribution, Exp1};
use std::hint::black_box;
use stickysim::base::draw::Stream;
use stickysim::base::prefetch::prefetch;
use stickysim::base::time::{Duration, Instant};
use stickysim::engine::{Event, Queue};

const THINKS: u8 = 0;
const WORKS: u8 = 1;
/// As in `benches/scenarios/w4.toml` (ns).
const THINK: f64 = 10e9;
const REQUESTS: u64 = 3_000_000;

/// What a session has: a cache line.
#[derive(Clone, Default)]
#[repr(align(64))]
struct Record {
    asked: u32,
    changed: Instant,
    time: u64,
}

fn main() {
    let sizes: Vec<u32> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![10_000, 100_000, 1_000_000] } else { sizes };
    println!("{:<32} {:>12} {:>8}", "ideal loop of W4, sessions", "requests/s", "ns/req");
    for sessions in sizes {
        let seconds = run(sessions);
        println!("{sessions:<32} {:>12.0} {:>8.1}", REQUESTS as f64 / seconds, seconds * 1e9 / REQUESTS as f64);
    }
}

/// Seconds for [`REQUESTS`] requests of so many sessions.
#[expect(clippy::disallowed_methods, reason = "a benchmark needs a wall clock; no result depends on it")]
fn run(sessions: u32) -> f64 {
    let (thinks, works) = (Stream::new(1, "think", "web"), Stream::new(1, "service", "web"));
    // 70 % of a hundred nodes, whatever the number of sessions.
    let service = THINK * 100.0 * 0.7 / f64::from(sessions);
    let mut records = vec![Record::default(); sessions as usize];
    let mut queue = Queue::new();
    let law = |stream: Stream, who: u32, nth: u32, mean: f64| {
        let unit: f64 = Exp1.sample(&mut stream.at(u64::from(who), u64::from(nth)));
        Duration::from_nanos_f64(mean * unit)
    };
    for who in 0..sessions {
        queue.at(Instant::START + law(thinks, who, 0, THINK), Event::new(THINKS, who));
    }
    let (mut left, began) = (REQUESTS, std::time::Instant::now());
    while left > 0 {
        let next = queue.pop_hinting(|event, _| prefetch(&records, event.index() as usize));
        let Some((now, event)) = next else { break };
        let who = event.index();
        let record = &mut records[who as usize];
        record.time += now.since(record.changed).as_nanos();
        record.changed = now;
        if event.kind() == THINKS {
            record.asked += 1;
            queue.at(now + law(works, who, record.asked, service), Event::new(WORKS, who));
        } else {
            left -= 1;
            queue.at(now + law(thinks, who, record.asked, THINK), Event::new(THINKS, who));
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    black_box(&records);
    seconds
}
