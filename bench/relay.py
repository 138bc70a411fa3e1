"""Fan-out of the relay: how late clients see events."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.http_stack import Stack
from bench.relay_clients import Seen, Watch
from bench.relay_publisher import Publication

# One is not the bottleneck up to 50,000 events a second; more would take the servers' time.
CLIENT_PROCESSES = 1
ROOM_FOR_END_S = 3.0


@dataclass(frozen=True)
class FanOut:
    """So many clients spread over so many runs, each event going to all clients of its run."""

    name: str
    clients: int
    runs: int
    deliveries_per_s: int
    most_p99_ms: float

    @property
    def title(self) -> str:
        return f"{self.clients:,} clients of {self.runs} runs, {self.deliveries_per_s:,} deliveries/s"


FAN_OUTS = (
    FanOut("relay_many", clients=2000, runs=200, deliveries_per_s=2000, most_p99_ms=5),
    FanOut("relay_busy", clients=500, runs=10, deliveries_per_s=50_000, most_p99_ms=50),
)


@dataclass(frozen=True)
class Delivered:
    """Latencies of all deliveries of one round in ms, how many a second there were, and who was how busy."""

    latencies: list[float]
    per_second: float
    clients_busy: float
    publisher_busy: float


def measure(stack: Stack, wanted: FanOut, runs: Sequence[str], seconds: float) -> Delivered:
    """One round, on runs that nobody else watches."""
    each = wanted.clients // CLIENT_PROCESSES
    watchers = [
        _start("bench.relay_clients", Watch(stack.relay_port, stack.token, list(runs), each, seconds))
        for _ in range(CLIENT_PROCESSES)
    ]
    for watcher in watchers:
        assert watcher.stdout is not None
        if watcher.stdout.readline().strip() != "ready":
            raise SystemExit(f"clients did not connect: {_errors(watcher)}")
    events = wanted.deliveries_per_s / (wanted.clients / len(runs))
    publisher = _start(
        "bench.relay_publisher", Publication(stack.redis_url, list(runs), events, seconds + ROOM_FOR_END_S)
    )
    seen = [Seen(**_finish(watcher)) for watcher in watchers]
    published = _finish(publisher)
    return Delivered(
        latencies=sorted(latency for one in seen for latency in one.latencies),
        per_second=sum(one.deliveries / one.seconds for one in seen),
        clients_busy=max(one.busy for one in seen),
        publisher_busy=published["busy"],
    )


def _start(module: str, job: Watch | Publication) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    json.dump(asdict(job), process.stdin)
    process.stdin.close()
    return process


def _finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    said = process.stdout.read()
    if process.wait() != 0:
        raise SystemExit(f"a process of the benchmark failed: {_errors(process)}")
    answer: dict[str, Any] = json.loads(said)
    return answer


def _errors(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    process.wait(30)
    return process.stderr.read()[-2000:]
