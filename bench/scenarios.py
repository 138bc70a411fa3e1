"""What is measured: what each peer is asked for, and what becomes of its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.peers.protocol import Answer
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
    # Scenarios that are started alike share one start of the peer.
    start: Mapping[str, Any] = field(default_factory=dict)
    flush_ms: float = 0.0
    # Only these peers; all if unset.
    peers: tuple[str, ...] | None = None
    # Repeated in so many rounds at most, and in none with --quick if 0 there.
    rounds: int = 1000
    quick_rounds: int = 1000


def per_step(arguments: Mapping[str, Any], answer: Answer, _: Counted) -> Values:
    """Milliseconds a step, without the work the step was told to do."""
    steps = arguments["steps"]
    return {"": (answer["seconds"] - steps * arguments.get("work_s", 0.0)) * 1000 / steps}


def rate(arguments: Mapping[str, Any], answer: Answer, _: Counted) -> Values:
    """Steps a second."""
    return {"": arguments["runs"] * arguments["steps"] / answer["seconds"]}


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


SCENARIOS = (
    Scenario("chain-100", "chain", {"steps": 100}, per_step),
    Scenario("chain-100-1kB", "chain", {"steps": 100, "payload_bytes": 1024}, per_step),
    Scenario("chain-20-50ms", "chain", {"steps": 20, "work_s": 0.05}, per_step),
    Scenario("throughput", "runs", {"runs": 300, "steps": 5}, rate),
    Scenario("fan-100", "fan", {"width": 100}, milliseconds),
    Scenario("fan-1000", "fan", {"width": 1000}, milliseconds, quick_rounds=0),
    Scenario("submit", "submit", {"count": 100, "steps": 5}, latency),
)
