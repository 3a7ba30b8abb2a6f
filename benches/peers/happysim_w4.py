# /// script
# requires-python = ">=3.13"
# dependencies = ["happysim"]
# ///
"""W4 in happysim: nodes are entities with a line each, sessions travel between them; prints requests per second.

    python benches/peers/happysim_w4.py [SESSIONS] [SECONDS]

Plain events, as its generators and its ready-made server make several of each request, and its own crash drops requests
where W4 asks for a retry. The end is given, so that the run takes its fast loop.
"""

import random
import sys
import time
from collections import deque

from happysimulator import Entity, Event, Instant, Simulation

NODES = 100
THINK = 10.0


class Node(Entity):
    """One server and its line; a request is what its events carry: its session's context."""

    def __init__(self, name, service, survivors):
        super().__init__(name)
        self.service = service
        self.survivors = survivors
        self.line = deque()
        self.is_up = True
        self.done = 0
        self.time = 0

    def handle_event(self, event):
        return self.asks(event) if event.event_type == "asks" else self.leaves(event)

    def asks(self, event):
        session = event.context
        session["asked"] = event.time
        if not self.is_up:
            return self.redirect(session, event.time)
        return self.join(session, event.time)

    def redirect(self, session, now):
        session["node"] = random.choice(self.survivors)
        return session["node"].join(session, now)

    def join(self, session, now):
        self.line.append(session)
        return self.begin(session, now) if len(self.line) == 1 else None

    def begin(self, session, now):
        return Event(now + random.expovariate(1 / self.service), "leaves", self, context=session)

    def leaves(self, event):
        if not self.is_up:
            return None
        session = self.line.popleft()
        self.done += 1
        self.time += event.time.nanoseconds - session["asked"].nanoseconds
        events = [think(session, event.time)]
        if self.line:
            events.append(self.begin(self.line[0], event.time))
        return events

    def crash(self, event):
        self.is_up = False
        line, self.line = self.line, deque()
        return [begun for session in line if (begun := self.redirect(session, event.time))]


def think(session, now):
    return Event(now + random.expovariate(1 / THINK), "asks", session["node"], context=session)


def main(sessions: int, horizon: float) -> None:
    random.seed(1)
    survivors = []
    nodes = [Node(f"node-{number}", THINK * NODES * 0.7 / sessions, survivors) for number in range(NODES)]
    survivors += nodes[1:]
    sim = Simulation(end_time=Instant.from_seconds(horizon), entities=nodes)
    start = Instant.from_seconds(0.0)
    for _ in range(sessions):
        sim.schedule(think({"node": random.choice(nodes)}, start))
    sim.schedule(Event.once(Instant.from_seconds(horizon / 2), "crash", nodes[0].crash))
    began = time.perf_counter()
    sim.run()
    seconds = time.perf_counter() - began
    done = sum(node.done for node in nodes)
    mean = sum(node.time for node in nodes) / done
    print(f"happysim w4 {sessions} {done / seconds:.0f} requests/s, mean response {mean / 1e6:.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, float(sys.argv[2]) if len(sys.argv) > 2 else 4.0)
