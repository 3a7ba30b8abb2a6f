//! W4 on nexosim: one model that schedules events on itself, as one message costs less than two between models.
//!
//! One thread: events never fall on the same nanosecond here, and only those of one instant can share the work.

use nexosim::model::{schedulable, BuildContext, Context, Model, ProtoModel};
use nexosim::ports::EventSource;
use nexosim::simulation::{Mailbox, SimInit, SimulationError};
use nexosim::time::MonotonicTime;
use peers::W4;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Its state is in its environment, which need not be serializable.
#[derive(Serialize, Deserialize)]
struct Cluster {
    end: f64,
}

/// Nothing can be scheduled for now itself.
fn after(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds).max(Duration::from_nanos(1))
}

fn now(cx: &Context<Cluster>) -> f64 {
    cx.time().duration_since(MonotonicTime::EPOCH).as_secs_f64()
}

#[Model(type Env=W4)]
impl Cluster {
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>, w4: &mut W4) {
        for session in 0..w4.sessions() as u32 {
            Self::think(session, cx, w4);
        }
        cx.schedule_event(after(self.end / 2.0), schedulable!(Self::crash), ()).expect("it lies ahead");
    }

    #[nexosim(schedulable)]
    fn asks(&mut self, session: u32, cx: &Context<Self>, w4: &mut W4) {
        if let Some(node) = w4.ask(session, now(cx)) {
            Self::begin(node as u32, cx, w4);
        }
    }

    #[nexosim(schedulable)]
    fn leaves(&mut self, node: u32, cx: &Context<Self>, w4: &mut W4) {
        let Some((session, goes_on)) = w4.leave(node as usize, now(cx)) else { return };
        Self::think(session, cx, w4);
        if goes_on {
            Self::begin(node, cx, w4);
        }
    }

    #[nexosim(schedulable)]
    fn crash(&mut self, _: (), cx: &Context<Self>, w4: &mut W4) {
        for node in w4.crash() {
            Self::begin(node as u32, cx, w4);
        }
    }

    fn tell(&mut self, seconds: f64, _: &Context<Self>, w4: &mut W4) {
        w4.tell("nexosim", seconds);
    }

    fn think(session: u32, cx: &Context<Self>, w4: &mut W4) {
        cx.schedule_event(after(w4.think()), schedulable!(Self::asks), session).expect("it lies ahead");
    }

    fn begin(node: u32, cx: &Context<Self>, w4: &mut W4) {
        cx.schedule_event(after(w4.work()), schedulable!(Self::leaves), node).expect("it lies ahead");
    }
}

struct Plan {
    sessions: usize,
    end: f64,
}

impl ProtoModel for Plan {
    type Model = Cluster;

    fn build(self, _: &mut BuildContext<Self>) -> (Cluster, W4) {
        (Cluster { end: self.end }, W4::new(self.sessions))
    }
}

fn main() -> Result<(), SimulationError> {
    let (sessions, end) = peers::arguments();
    let mailbox = Mailbox::new();
    let mut bench = SimInit::with_num_threads(1);
    let tell = EventSource::new().connect(Cluster::tell, &mailbox).register(&mut bench);
    let mut sim = bench.add_model(Plan { sessions, end }, mailbox, "cluster").init(MonotonicTime::EPOCH)?;
    let began = Instant::now();
    sim.step_until(Duration::from_secs_f64(end))?;
    Ok(sim.process_event(&tell, began.elapsed().as_secs_f64())?)
}
