"""The names and units of what is measured, in the order of the table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A row of the table."""

    title: str
    unit: str
    higher_is_better: bool = False


MEASURES = {
    "chain-100": Measure("chain of 100 no-op steps", "ms/step"),
    "chain-100-1kB": Measure("the same, 1 kB passed on from step to step", "ms/step"),
    "chain-20-50ms": Measure("chain of 20 steps of 50 ms: beyond the 50 ms", "ms/step"),
    "throughput": Measure("300 runs of 5 steps", "steps/s", higher_is_better=True),
    "fan-100": Measure("fan-out of 100 and its join", "ms"),
    "fan-1000": Measure("fan-out of 1,000 and its join", "ms"),
    "submit": Measure("accepting a run of 5 steps, median", "ms"),
    "submit.p99": Measure("accepting a run of 5 steps, 99th percentile", "ms"),
}
