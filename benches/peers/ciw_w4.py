# /// script
# requires-python = ">=3.9"
# dependencies = ["ciw"]
# ///
"""W4 in Ciw: lines and servers are Ciw's own nodes; prints requests per second.

    python benches/peers/ciw_w4.py [SESSIONS] [SECONDS]

A node of Ciw with a server for everybody would be the place to think, but it looks at each who is in it at each event.
So who thinks has left the network, and comes back by a heap in the place of arrivals. Records of each service are not
kept.
"""

import heapq
import random
import sys
import time

import ciw

NODES = 100
THINK = 10.0


class Thinking(ciw.ArrivalNode):
    """Brings each session back to its node when it has thought."""

    def initialise(self):
        self.asks = []
        self.next_event_date = float("inf")

    def think(self, session):
        asks = self.simulation.current_time + random.expovariate(1 / THINK)
        # The number decides between equals: sessions themselves cannot be compared.
        heapq.heappush(self.asks, (asks, session.id_number, session))
        self.next_event_date = self.asks[0][0]

    def have_event(self):
        asked, _, session = heapq.heappop(self.asks)
        self.next_event_date = self.asks[0][0] if self.asks else float("inf")
        session.asked = asked
        self.simulation.nodes[session.pin].accept(session)


class Leaving(ciw.ExitNode):
    """Sends who leaves off to think."""

    def accept(self, session, completed=True):
        session.simulation.nodes[0].think(session)


class Counting(ciw.Node):
    """Counts where Ciw would write a record."""

    done, time = 0, 0.0

    def write_individual_record(self, session):
        self.done += 1
        self.time += self.now - session.asked

    def write_interruption_record(self, session, destination=None):
        pass


class Mortal(Counting):
    """Sends its line elsewhere when its shift ends; Ciw itself does so with who is served."""

    def change_shift(self):
        super().change_shift()
        if self.c > 0:
            return
        line, self.individuals[0] = self.individuals[0], []
        self.number_of_individuals = 0
        for session in line:
            self.next_node_for_rerouting(session).accept(session)
        for _, _, session in self.simulation.nodes[0].asks:
            # Not at its next request, as elsewhere: that would be a question at each.
            if session.pin == self.id_number:
                self.next_node_for_rerouting(session)


class Pinned(ciw.routing.NetworkRouting):
    """Out after service, and to a survivor, to stay there, if the node dies."""

    def __init__(self):
        super().__init__([])

    def next_node(self, session, node_id):
        return self.simulation.nodes[-1]

    def next_node_for_rerouting(self, session, node_id):
        session.pin = random.randrange(2, NODES + 1)
        return self.simulation.nodes[session.pin]


def main(sessions: int, horizon: float) -> None:
    ciw.seed(1)
    # The second shift, of nobody, outlasts the run.
    mortal = ciw.Schedule(numbers_of_servers=[1, 0], shift_end_dates=[horizon / 2, 10 * horizon], preemption="reroute")
    network = ciw.create_network(
        arrival_distributions=[None] * NODES,
        service_distributions=[ciw.dists.Exponential(sessions / (THINK * NODES * 0.7))] * NODES,
        number_of_servers=[mortal] + [1] * (NODES - 1),
        routing=Pinned(),
    )
    sim = ciw.Simulation(
        network, arrival_node_class=Thinking, exit_node_class=Leaving, node_class=[Mortal] + [Counting] * (NODES - 1)
    )
    for number in range(sessions):
        session = ciw.Individual(number, simulation=sim)
        session.pin = random.randrange(NODES) + 1
        sim.nodes[0].think(session)
    began = time.perf_counter()
    sim.simulate_until_max_time(horizon)
    seconds = time.perf_counter() - began
    done = sum(node.done for node in sim.transitive_nodes)
    mean = sum(node.time for node in sim.transitive_nodes) / done
    print(f"ciw w4 {sessions} {done / seconds:.0f} requests/s, mean response {1e3 * mean:.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, float(sys.argv[2]) if len(sys.argv) > 2 else 4.0)
