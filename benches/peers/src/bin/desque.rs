//! W4 on desque.

use desque::serial::{Event, Simulation};
use desque::{Result, SimState, SimTime};
use peers::W4;
use std::cmp::Ordering;

#[derive(Copy, Clone, Debug, PartialEq, PartialOrd)]
struct Time(f64);

impl Eq for Time {}

impl Ord for Time {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl SimTime for Time {}

struct State {
    w4: W4,
    end: f64,
}

impl SimState<Time> for State {
    fn is_complete(&self, now: &Time) -> bool {
        now.0 >= self.end
    }
}

#[derive(Debug)]
enum Happens {
    Asks(u32),
    Leaves(usize),
    Crash,
}

impl Event<State, Time> for Happens {
    fn execute(&mut self, sim: &mut Simulation<State, Time>) -> Result {
        let now = sim.current_time().0;
        match *self {
            Happens::Asks(session) => {
                if let Some(node) = sim.state_mut().w4.ask(session, now) {
                    begin(sim, node, now)?;
                }
            }
            Happens::Leaves(node) => {
                let Some((session, goes_on)) = sim.state_mut().w4.leave(node, now) else { return Ok(()) };
                let think = sim.state_mut().w4.think();
                sim.schedule(Happens::Asks(session), Time(now + think))?;
                if goes_on {
                    begin(sim, node, now)?;
                }
            }
            Happens::Crash => {
                for node in sim.state_mut().w4.crash() {
                    begin(sim, node, now)?;
                }
            }
        }
        Ok(())
    }
}

fn begin(sim: &mut Simulation<State, Time>, node: usize, now: f64) -> Result {
    let work = sim.state_mut().w4.work();
    sim.schedule(Happens::Leaves(node), Time(now + work))
}

fn main() {
    let (sessions, end) = peers::arguments();
    let mut sim = Simulation::new(State { w4: W4::new(sessions), end }, Time(0.0));
    for session in 0..sessions as u32 {
        let think = sim.state_mut().w4.think();
        sim.schedule(Happens::Asks(session), Time(think)).expect("it lies ahead");
    }
    sim.schedule(Happens::Crash, Time(end / 2.0)).expect("it lies ahead");
    let began = std::time::Instant::now();
    sim.run().expect("nothing fails");
    sim.state().w4.tell("desque", began.elapsed().as_secs_f64());
}
