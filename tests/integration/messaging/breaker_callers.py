"""Processes that hammer one breaker: `python -m tests.integration.messaging.breaker_callers URL COUNT PROBES`.

What they call fails until the key `healthy` is set, and they go on until `stop` is. Each prints what it saw, as JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections import Counter
from typing import Any

import redis

from messaging.breakers import ValkeyBreakers
from orchestration.core.decide import Failed, StepError, Succeeded
from orchestration.gates import Admit, BreakerGate, GateRequest, Wait
from orchestration.gates.breaker import Change
from schemas.flow import BreakerSpec

RECOVERY_S = 0.2
CALL_S = 0.02


def spec(probes: int) -> BreakerSpec:
    return BreakerSpec(name="shared", failure_threshold=3, recovery_s=RECOVERY_S, probes=probes)


def hammer(url: str, probes: int) -> Counter[str]:
    seen: Counter[str] = Counter()

    def on_change(change: Change) -> None:
        seen[f"{change.before} to {change.after}"] += 1

    gate = BreakerGate(ValkeyBreakers(url), on_change)
    request = GateRequest("run/1", 5, timeout_s=30, breaker=spec(probes))
    with redis.Redis.from_url(url, decode_responses=True) as server:
        while not server.exists("stop"):
            match gate.admit(request):
                case Wait():
                    seen["waits"] += 1
                case Admit(settle):
                    _call(server, seen, settle)
    return seen


def _call(server: Any, seen: Counter[str], settle: Any) -> None:
    healthy = server.exists("healthy")
    seen["well" if healthy else "sick"] += 1
    if not healthy:
        seen["most at once"] = max(seen["most at once"], server.incr("in_flight"))
        time.sleep(CALL_S)  # how long the call takes, so that others would run beside it if they could
        server.decr("in_flight")
    settle(Succeeded(None) if healthy else Failed(StepError("timeout", "no answer")))


def run(url: str, probes: int, pipe: Any) -> None:
    pipe.send(hammer(url, probes))


if __name__ == "__main__":
    address, count, at_once = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe(duplex=False) for _ in range(count)]
    processes = [context.Process(target=run, args=(address, at_once, sender)) for _, sender in pipes]
    for process in processes:
        process.start()
    for receiver, _ in pipes:
        print(json.dumps(receiver.recv()))
    for process in processes:
        process.join()
