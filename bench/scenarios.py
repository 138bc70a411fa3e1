"""What is measured: what each peer is asked for, and what becomes of its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.peers.protocol import Answer
from bench.probes import Probe, idle, memory, recovery
from bench.samples import median, percentile
from bench.servers import Counted

Values = dict[str, float]
Judge = Callable[[Mapping[str, Any], Answer, Counted], Values]


@dataclass(frozen=True)
class Scenario:
    """One thing that peers are asked for. Its values are named `<name>` or `<name>.<part>`, see `Measure`."""

    name: str
    request: str
    arguments: Mapping[str, Any]
    values: Judge
    # Scenarios that are started alike share one start of the peer, unless `apart` names one of their own.
    start: Mapping[str, Any] = field(default_factory=dict)
    apart: str = ""
    probe: Probe | None = None
    flush_ms: float = 0.0
    # Only these peers; all if unset.
    peers: tuple[str, ...] | None = None
    # What is over in a moment is repeated within a round; the round's sample is the median.
    repeats: int = 1
    # Measured in so many rounds at most, and in none with --quick if 0 there.
    rounds: int = 1000
    quick_rounds: int = 1000


def per_step(arguments: Mapping[str, Any], answer: Answer, _: Counted) -> Values:
    """Milliseconds a step, without the work the step was told to do."""
    steps = answer.get("steps", arguments["steps"])
    return {"": (answer["seconds"] - steps * arguments.get("work_s", 0.0)) * 1000 / steps}


def rate(arguments: Mapping[str, Any], answer: Answer, _: Counted) -> Values:
    """Steps a second."""
    return {"": answer.get("runs", arguments["runs"]) * arguments["steps"] / answer["seconds"]}


def growth(arguments: Mapping[str, Any], answer: Answer, counted: Counted) -> Values:
    """Milliseconds and bytes a step."""
    steps = arguments["steps"]
    return {
        "": answer["seconds"] * 1000 / steps,
        "broker": counted.broker_bytes / steps,
        "wal": counted.wal_bytes / steps,
    }


def milliseconds(_: Mapping[str, Any], answer: Answer, __: Counted) -> Values:
    return {"": answer["seconds"] * 1000}


def latency(_: Mapping[str, Any], answer: Answer, __: Counted) -> Values:
    """Median and 99th percentile of one round."""
    samples = [1000 * sample for sample in answer["samples"]]
    return {"": median(samples), "p99": percentile(samples, 0.99)}


def wide(arguments: Mapping[str, Any], answer: Answer, _: Counted) -> Values:
    """Steps a second of one run, of as many runs, and the one by the other."""
    one, many = arguments["width"] / answer["one_run"], arguments["width"] / answer["many_runs"]
    return {"one": one, "many": many, "share": one / many}


def percent(_: Mapping[str, Any], answer: Answer, __: Counted) -> Values:
    """CPU time by time, of the workers and of the servers that wait with them."""
    return {part: 100 * answer[part] / answer["seconds"] for part in ("workers", "servers")}


def mebibytes(_: Mapping[str, Any], answer: Answer, __: Counted) -> Values:
    """Resident MiB of the worker's processes at the start and at the end, and what was added."""
    start, end = answer["start_bytes"] / 2**20, answer["end_bytes"] / 2**20
    return {"start": start, "end": end, "added": end - start}


def seconds(_: Mapping[str, Any], answer: Answer, __: Counted) -> Values:
    return {"": answer["seconds"]}


ENGINES = ("perdure", "perdure-handover")
DURABLE = (*ENGINES, "dbos", "procrastinate")
LONG_CHAINS = {10: 1000, 100: 1000, 1000: 2, 3000: 1, 10_000: 1}


def _growth() -> Iterator[Scenario]:
    for steps, rounds in LONG_CHAINS.items():
        # The first message of Celery's chain holds all of it: one of 10,000 would take minutes and gigabytes.
        peers = DURABLE if steps > 3000 else (*DURABLE, "celery")
        quick = 0 if steps > 1000 else 1
        yield Scenario(
            f"growth-{steps}",
            "chain",
            {"steps": steps},
            growth,
            repeats=3 if steps <= 100 else 1,
            peers=peers,
            rounds=rounds,
            quick_rounds=quick,
        )


def _recovery() -> Iterator[Scenario]:
    for what in ("child", "worker", "valkey", "postgres"):
        yield Scenario(
            f"recovery-{what}",
            "",
            {"what": what},
            seconds,
            start={"workers": 2},
            apart=what,
            probe=recovery,
            peers=(*ENGINES, "celery-late") if what in ("child", "worker", "valkey") else ENGINES,
            rounds=2,
            quick_rounds=1 if what == "worker" else 0,
        )


SCENARIOS = (
    Scenario("chain-100", "chain", {"steps": 100}, per_step, repeats=3),
    Scenario("chain-100-1kB", "chain", {"steps": 100, "payload_bytes": 1024}, per_step, repeats=3),
    Scenario("chain-20-50ms", "chain", {"steps": 20, "work_s": 0.05}, per_step),
    Scenario("throughput", "runs", {"runs": 300, "steps": 5}, rate),
    Scenario("fan-100", "fan", {"width": 100}, milliseconds, repeats=3),
    Scenario("fan-1000", "fan", {"width": 1000}, milliseconds, rounds=2, quick_rounds=0),
    Scenario("submit", "submit", {"count": 100, "steps": 5}, latency),
    Scenario("flush-chain-100", "chain", {"steps": 100}, per_step, flush_ms=1, peers=DURABLE),
    Scenario(
        "flush-throughput", "runs", {"runs": 300, "steps": 5}, rate, flush_ms=1, peers=DURABLE, rounds=3, quick_rounds=0
    ),
    Scenario("due", "due", {"delay_s": 1.0}, milliseconds, repeats=3, peers=ENGINES),
    *_growth(),
    Scenario(
        "wide",
        "wide",
        {"width": 1000},
        wide,
        flush_ms=5,
        start={"pool": "wide"},
        peers=ENGINES,
        rounds=2,
        quick_rounds=1,
    ),
    Scenario(
        "idle", "", {"seconds": 20}, percent, apart="idle", probe=idle, peers=ENGINES[:1], rounds=1, quick_rounds=0
    ),
    Scenario(
        "memory",
        "",
        {"steps": 100_000},
        mebibytes,
        apart="memory",
        probe=memory,
        peers=ENGINES[1:],
        rounds=1,
        quick_rounds=0,
    ),
    *_recovery(),
)
