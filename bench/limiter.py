"""`python -m bench.limiter [--seconds 60] [--processes 4]`: how well the fleet's rate limiter holds its rates.

Each process plays workers whose steps never end: it asks, comes back when it was told to, and asks for the next step as
soon as one was let through. Exits with 1 when a rate is off by more than 2 %.
"""

from __future__ import annotations

import argparse
import heapq
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

from bench.machine import machine
from cli.servers import EmbeddedValkey
from messaging.rate_limits import ValkeyRateLimits
from orchestration.gates import Admit, GateRequest, RateLimitGate, Wait
from orchestration.gates.rate_limit import pace_of
from schemas.flow import RateLimitSpec

CASES = (
    RateLimitSpec(name="fifty", limit=50, per_s=1),
    RateLimitSpec(name="ten", limit=10, per_s=1),
    RateLimitSpec(name="minute", limit=120, per_s=60),
)
ALLOWED = 0.02
# Steps that wait at a time, over all processes, for each attempt in a second.
DEMAND = 2


@dataclass(frozen=True)
class Held:
    """What came of one limit: the times at which attempts began, in order, from the beginning on."""

    spec: RateLimitSpec
    seconds: float
    times: Sequence[float]

    @property
    def expected(self) -> float:
        return self.seconds * (self.spec.limit or 0) / self.spec.per_s

    @property
    def deviation(self) -> float:
        """Share by which there were more attempts than the rate says, the first bucket included."""
        return len(self.times) / self.expected - 1

    @property
    def steady_deviation(self) -> float:
        """The same without the first bucket."""
        return (len(self.times) - pace_of(self.spec).burst) / self.expected - 1

    @property
    def busiest_second(self) -> int:
        return max(sum(at <= other < at + 1 for other in self.times) for at in self.times)


def measure(url: str, specs: Sequence[RateLimitSpec], *, processes: int, seconds: float) -> list[Held]:
    """Keep every limit busy from all processes for so long."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(processes)]
    players = [
        context.Process(target=_play, args=(url, specs, processes, number, seconds, there), daemon=True)
        for number, (_, there) in enumerate(pipes)
    ]
    for player in players:
        player.start()
    for here, _ in pipes:
        here.recv()  # it has begun
    began = time.time() + 0.1
    for here, _ in pipes:
        here.send(began)
    found: list[dict[str, list[float]]] = [here.recv() for here, _ in pipes]
    for player in players:
        player.join()
    return [
        Held(spec, seconds, sorted(at - began for each in found for at in each[spec.name] if at < began + seconds))
        for spec in specs
    ]


def _play(
    url: str, specs: Sequence[RateLimitSpec], processes: int, number: int, seconds: float, pipe: Connection
) -> None:
    gate = RateLimitGate(ValkeyRateLimits(url))
    gate.admit(GateRequest("warm", 5, timeout_s=1, rate_limits=(RateLimitSpec(name="warm", limit=1000),)))
    names = count()
    times: dict[str, list[float]] = {spec.name: [] for spec in specs}
    pipe.send(None)
    began: float = pipe.recv()
    line = [
        (began, f"{number}/{next(names)}", spec.name)
        for spec in specs
        for _ in range(max(2, int(DEMAND * (spec.limit or 0) / spec.per_s / processes)))
    ]
    heapq.heapify(line)
    by_name = {spec.name: spec for spec in specs}
    while line[0][0] < began + seconds:
        due, asker, name = heapq.heappop(line)
        time.sleep(max(0.0, due - time.time()))
        verdict = gate.admit(GateRequest(asker, 5, timeout_s=60, rate_limits=(by_name[name],)))
        now = time.time()
        if isinstance(verdict, Wait):
            heapq.heappush(line, (now + verdict.seconds, asker, name))
        elif isinstance(verdict, Admit):
            times[name].append(now)
            heapq.heappush(line, (now, f"{number}/{next(names)}", name))
    pipe.send(times)


def main(arguments: Sequence[str]) -> int:
    """Measure and print; whether all rates held."""
    parser = argparse.ArgumentParser(prog="bench.limiter")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--processes", type=int, default=4)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="perdure-bench-") as directory:
        Path(directory).chmod(0o711)  # the server may run under an account of its own
        server = EmbeddedValkey(Path(directory) / "valkey", fsync=False)
        server.start()
        try:
            found = measure(server.url, CASES, processes=chosen.processes, seconds=chosen.seconds)
        finally:
            server.stop()
    print(", ".join(f"{name}: {value}" for name, value in machine().items()))
    print(f"{chosen.processes} processes, {chosen.seconds:g} s")
    for held in found:
        print(
            f"{held.spec.limit} per {held.spec.per_s:g} s: {len(held.times)} attempts, {held.expected:g} by the rate "
            f"({held.deviation:+.2%}; {held.steady_deviation:+.2%} without the first bucket of "
            f"{pace_of(held.spec).burst}), {held.busiest_second} in the busiest second"
        )
    return int(any(abs(held.deviation) > ALLOWED for held in found))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
