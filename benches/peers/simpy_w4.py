# /// script
# requires-python = ">=3.9"
# dependencies = ["simpy"]
# ///
"""W4 in SimPy: sessions pinned to single-server nodes, one of which dies at half time; prints requests per second.

    python benches/peers/simpy_w4.py [SESSIONS] [SECONDS]
"""

import random
import sys
import time

import simpy


def main(sessions: int, horizon: float) -> None:
    nodes_count = 100
    service = 10.0 * nodes_count * 0.7 / sessions
    draw = random.Random(1)
    env = simpy.Environment()
    nodes = [simpy.Resource(env, capacity=1) for _ in range(nodes_count)]
    is_up = [True] * nodes_count
    done = [0, 0.0]

    def session():
        node = draw.randrange(nodes_count)
        while True:
            yield env.timeout(draw.expovariate(0.1))
            asked = env.now
            while True:
                if not is_up[node]:
                    node = draw.randrange(nodes_count - 1) + 1
                with nodes[node].request() as turn:
                    yield turn
                    if not is_up[node]:
                        continue
                    yield env.timeout(draw.expovariate(1.0 / service))
                if is_up[node]:
                    break
            done[0] += 1
            done[1] += env.now - asked

    def crash():
        yield env.timeout(horizon / 2)
        is_up[0] = False

    for _ in range(sessions):
        env.process(session())
    env.process(crash())
    began = time.perf_counter()
    env.run(until=horizon)
    seconds = time.perf_counter() - began
    print(f"simpy w4 {sessions} {done[0] / seconds:.0f} requests/s, mean response {1e3 * done[1] / done[0]:.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, float(sys.argv[2]) if len(sys.argv) > 2 else 30.0)
