//! What does a pending event cost? The hold model: pop the next event, push one a gap later, n pending.
//!
//! The engine's queue against std's binary heap over the same entries, with four kinds of gaps. One iteration
//! is one pop and one push. `STICKYSIM_BENCH_LARGE=1` adds 10⁷ pending events (half a GiB).
//!
//!     cargo bench --bench queue

use divan::Bencher;
use divan::counter::ItemsCount;
use rand::RngExt;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use stickysim::base::draw::Stream;
use stickysim::base::time::{Duration, Instant};
use stickysim::engine::{Event, Queue};

fn main() {
    divan::main();
}

/// Numbers of pending events.
fn pending() -> Vec<usize> {
    let mut sizes = vec![1_000, 10_000, 100_000, 1_000_000];
    if std::env::var_os("STICKYSIM_BENCH_LARGE").is_some() {
        sizes.push(10_000_000);
    }
    sizes
}

/// So many gaps are drawn beforehand, so that no draw is timed; a power of two.
const GAPS: usize = 1 << 16;
/// Pops and pushes per sample.
const HOLDS: usize = 1 << 18;
const SECOND: f64 = 1e9;

/// A kind of gap between an event and the one that it causes.
trait Gap {
    /// Whether events start at the end of their gap, and so together; otherwise somewhere within it.
    const IS_SHARED: bool = false;
    /// One gap [ns], from a uniform number in (0, 1].
    fn of(u: f64) -> f64;
}

/// Memoryless, 1 s on average: open arrivals, think times.
struct Exponential;
/// Exactly 1 s: timeouts, health checks.
struct Constant;
/// 9 of 10 about 7 ms, the others about 30 min: services beside lives.
struct Bimodal;
/// Whole seconds, so that crowds of events share their time: clients that come back all at once.
struct Herd;

impl Gap for Exponential {
    fn of(u: f64) -> f64 {
        -libm::log(u) * SECOND
    }
}
impl Gap for Constant {
    fn of(_: f64) -> f64 {
        SECOND
    }
}
impl Gap for Bimodal {
    fn of(u: f64) -> f64 {
        if u < 0.9 { (0.5 + u) * 7e-3 * SECOND } else { u * 1_800.0 * SECOND }
    }
}
impl Gap for Herd {
    const IS_SHARED: bool = true;
    fn of(u: f64) -> f64 {
        (u * 10.0).ceil() * SECOND
    }
}

/// Gaps, and starting times that are spread nearly as in the long run.
fn gaps<G: Gap>(pending: usize) -> (Vec<Duration>, Vec<Instant>) {
    let mut draw = Stream::new(1, "queue bench", "gaps").sequence();
    let mut gap = || Duration::from_nanos(G::of(1.0 - draw.random::<f64>()) as u64);
    let gaps: Vec<Duration> = (0..GAPS).map(|_| gap()).collect();
    let mut spread = Stream::new(1, "queue bench", "starts").sequence();
    let mut start = |i: usize| {
        let gap = gaps[i % GAPS].as_nanos();
        Instant::START + Duration::from_nanos(if G::IS_SHARED { gap } else { spread.random_range(0..=gap) })
    };
    let starts = (0..pending).map(&mut start).collect();
    (gaps, starts)
}

#[divan::bench(types = [Exponential, Constant, Bimodal, Herd], args = pending(), sample_count = 10, sample_size = 1)]
fn levels<G: Gap>(bencher: Bencher, pending: usize) {
    let (gaps, starts) = gaps::<G>(pending);
    let mut queue = Queue::new();
    for (i, &at) in starts.iter().enumerate() {
        queue.at(at, Event::new(0, i as u32));
    }
    let mut hold = || {
        for i in 0..HOLDS {
            let Some((now, event)) = queue.pop() else { return };
            queue.at(now + gaps[(i + event.index() as usize) % GAPS], event);
        }
    };
    // Until the buckets have grown and the times are mixed.
    (0..=pending / HOLDS).for_each(|_| hold());
    bencher.counter(ItemsCount::new(HOLDS)).bench_local(hold);
}

#[divan::bench(types = [Exponential, Constant, Bimodal, Herd], args = pending(), sample_count = 10, sample_size = 1)]
fn binary_heap<G: Gap>(bencher: Bencher, pending: usize) {
    let (gaps, starts) = gaps::<G>(pending);
    let mut heap: BinaryHeap<Reverse<(Instant, Event)>> =
        starts.iter().enumerate().map(|(i, &at)| Reverse((at, Event::new(0, i as u32)))).collect();
    let mut hold = || {
        for i in 0..HOLDS {
            let Some(Reverse((now, event))) = heap.pop() else { return };
            heap.push(Reverse((now + gaps[(i + event.index() as usize) % GAPS], event)));
        }
    };
    (0..=pending / HOLDS).for_each(|_| hold());
    bencher.counter(ItemsCount::new(HOLDS)).bench_local(hold);
}
