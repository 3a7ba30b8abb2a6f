//! W4 on simul: a node is an agent whose queue is its line and whose sleep is its service; a message is a request.
//!
//! Who thinks is a message on its way: nobody but the nodes need be an agent then, of which a hundred thousand would be
//! looked through at each tick. A tick is a nanosecond, since quiet ticks cost nothing. Of a request that a node begins
//! its end is known, so one callback does for both; those under way when the run ends, a hundred at most, count as done.

use peers::{Draw, NODES};
use simul::agent::{Agent, AgentContext, AgentId, AgentInitializer};
use simul::message::Message;
use simul::{DiscreteTime, Halt, Simulation};

/// A request, first asked at that tick.
type Asked = DiscreteTime;

fn ticks(seconds: f64) -> DiscreteTime {
    // What is sent arrives a tick later at the earliest.
    ((seconds * 1e9) as DiscreteTime).max(1)
}

fn id(node: usize) -> AgentId {
    AgentId::new(node as u32)
}

#[derive(Clone, Debug)]
struct Node {
    draw: Draw,
    dies: DiscreteTime,
    done: u64,
    time: DiscreteTime,
}

impl Agent<Asked> for Node {
    fn on_message(&mut self, ctx: &mut AgentContext<'_, Asked>, request: &Message<Asked>) {
        let (now, asked) = (ctx.time(), request.payload);
        if now >= self.dies {
            // Who comes to a dead node, or still stands in its line, goes to another and stays there.
            ctx.send_to(id(self.draw.survivor()), asked);
            return;
        }
        let leaves = now + ticks(self.draw.work());
        if leaves > self.dies {
            ctx.sleep_for(self.dies - now);
            ctx.send_after(self.dies - now, id(self.draw.survivor()), asked);
            return;
        }
        self.done += 1;
        self.time += leaves - asked;
        ctx.sleep_for(leaves - now);
        let asks = leaves + ticks(self.draw.think());
        ctx.send_after(asks - now, ctx.id(), asks);
    }
}

/// Sends everybody off to think, once.
#[derive(Clone, Debug)]
struct Start {
    draw: Draw,
    sessions: usize,
}

impl Agent<Asked> for Start {
    fn on_tick(&mut self, ctx: &mut AgentContext<'_, Asked>) {
        for _ in 0..self.sessions {
            let think = ticks(self.draw.think());
            ctx.send_after(think, id(self.draw.node()), think);
        }
        ctx.sleep_for(DiscreteTime::MAX - ctx.time());
    }
}

fn main() {
    let (sessions, end) = peers::arguments();
    let node = |node: usize| {
        let dies = if node == 0 { ticks(end / 2.0) } else { DiscreteTime::MAX };
        let draw = Draw::new(sessions, 1 + node as u64);
        AgentInitializer::reactive(format!("node-{node}"), Node { draw, dies, done: 0, time: 0 })
    };
    let start = AgentInitializer::proactive("start", Start { draw: Draw::new(sessions, 0), sessions });
    let mut sim = Simulation::builder(Halt::AtTime(ticks(end)))
        .agents((0..NODES).map(node))
        .agent(start)
        .build()
        .expect("the names differ");
    sim.run_until(1);
    let began = std::time::Instant::now();
    sim.run();
    let seconds = began.elapsed().as_secs_f64();
    let nodes = || sim.agents().iter().filter_map(|agent| agent.downcast_ref::<Node>());
    let done = nodes().map(|node| node.done).sum();
    let time = nodes().map(|node| node.time as f64 * 1e-9).sum();
    peers::tell("simul", sessions, done, time, seconds);
}
