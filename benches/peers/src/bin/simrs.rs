//! W4 on simrs.

use peers::W4;
use simrs::{Component, ComponentId, Executor, Key, Scheduler, Simulation, State};
use std::time::Duration;

#[derive(Debug)]
enum Happens {
    Asks(u32),
    Leaves(usize),
    Crash,
}

struct Cluster {
    w4: Key<W4>,
}

fn after(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

impl Component for Cluster {
    type Event = Happens;

    fn process_event(&self, own: ComponentId<Happens>, event: &Happens, scheduler: &mut Scheduler, state: &mut State) {
        let now = scheduler.time().as_secs_f64();
        let w4 = state.get_mut(self.w4).expect("it was put there");
        let mut begin = |w4: &mut W4, node: usize| scheduler.schedule(after(w4.work()), own, Happens::Leaves(node));
        match *event {
            Happens::Asks(session) => {
                if let Some(node) = w4.ask(session, now) {
                    begin(w4, node);
                }
            }
            Happens::Leaves(node) => {
                let Some((session, goes_on)) = w4.leave(node, now) else { return };
                if goes_on {
                    begin(w4, node);
                }
                let think = w4.think();
                scheduler.schedule(after(think), own, Happens::Asks(session));
            }
            Happens::Crash => {
                for node in w4.crash() {
                    begin(w4, node);
                }
            }
        }
    }
}

fn main() {
    let (sessions, end) = peers::arguments();
    let mut sim = Simulation::default();
    let w4 = sim.state.insert(W4::new(sessions));
    let cluster = sim.add_component(Cluster { w4 });
    for session in 0..sessions as u32 {
        let think = sim.state.get_mut(w4).expect("it was put there").think();
        sim.schedule(after(think), cluster, Happens::Asks(session));
    }
    sim.schedule(after(end / 2.0), cluster, Happens::Crash);
    let began = std::time::Instant::now();
    sim.execute(Executor::timed(after(end)));
    sim.state.get(w4).expect("it was put there").tell("simrs", began.elapsed().as_secs_f64());
}
