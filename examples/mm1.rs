//! An M/M/1 queue on the bare engine: mean response time against its closed form, 1 ÷ (μ − λ).
//!
//! Run with `cargo run --release --example mm1`. The engine is used without the cluster model.

use rand_distr::{Distribution, Exp1};
use std::collections::VecDeque;
use stickysim::base::draw::{Draw, Stream};
use stickysim::base::time::{Duration, Instant};
use stickysim::engine::{Event, Queue};

const DEPARTURE: Event = Event::new(0, 0);
const ARRIVAL: Event = Event::new(1, 0);

/// An exponential duration with the given mean.
fn exponential(mean_ns: f64, draw: &mut Draw) -> Duration {
    let unit: f64 = Exp1.sample(draw);
    Duration::from_nanos_f64(mean_ns * unit)
}

fn main() {
    let (between_ns, service_ns, customers) = (1e9 / 90.0, 1e9 / 100.0, 2_000_000);
    let mut gaps = Stream::new(1, "gaps", "mm1").sequence();
    let mut services = Stream::new(1, "services", "mm1").sequence();
    let (mut queue, mut line, mut served, mut total_s) = (Queue::new(), VecDeque::<Instant>::new(), 0, 0.0);

    queue.at(Instant::START, ARRIVAL);
    while let Some((now, event)) = queue.pop() {
        if event == ARRIVAL {
            line.push_back(now);
            queue.at(now + exponential(between_ns, &mut gaps), ARRIVAL);
        } else if let Some(arrived) = line.pop_front() {
            served += 1;
            total_s += now.since(arrived).as_secs_f64();
        }
        let starts = if event == ARRIVAL { line.len() == 1 } else { !line.is_empty() };
        if starts {
            queue.at(now + exponential(service_ns, &mut services), DEPARTURE);
        }
        if served == customers {
            break;
        }
    }
    let (mean_s, exact_s) = (total_s / f64::from(served), 1.0 / (100.0 - 90.0));
    println!("mean response time: {mean_s:.4} s; closed form: {exact_s:.4} s");
    assert!((mean_s / exact_s - 1.0).abs() < 0.05);
}
