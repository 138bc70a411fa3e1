"""The names and units of what is measured, in the order of the table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A row of the table."""

    title: str
    unit: str
    higher_is_better: bool = False


GROWTH = (10, 100, 1000, 3000, 10_000)

MEASURES = {
    "chain-100": Measure("chain of 100 no-op steps", "ms/step"),
    "chain-100-1kB": Measure("the same, 1 kB passed on from step to step", "ms/step"),
    "chain-20-50ms": Measure("chain of 20 steps of 50 ms: beyond the 50 ms", "ms/step"),
    "throughput": Measure("300 runs of 5 steps", "steps/s", higher_is_better=True),
    "fan-100": Measure("fan-out of 100 and its join", "ms"),
    "fan-1000": Measure("fan-out of 1,000 and its join", "ms"),
    "submit": Measure("accepting a run of 5 steps, median", "ms"),
    "submit.p99": Measure("accepting a run of 5 steps, 99th percentile", "ms"),
    "flush-chain-100": Measure("with a modelled flush of 1 ms: chain of 100 no-op steps", "ms/step"),
    "flush-throughput": Measure("with a modelled flush of 1 ms: 300 runs of 5 steps", "steps/s", higher_is_better=True),
    **{f"growth-{steps}": Measure(f"chain of {steps:,} no-op steps", "ms/step") for steps in GROWTH},
    **{f"growth-{steps}.broker": Measure(f"chain of {steps:,}: sent to the broker", "bytes/step") for steps in GROWTH},
    **{f"growth-{steps}.wal": Measure(f"chain of {steps:,}: write-ahead log", "bytes/step") for steps in GROWTH},
    "wide.one": Measure("modelled flush of 5 ms: 1,000 parallel steps of one run", "steps/s", higher_is_better=True),
    "wide.many": Measure("modelled flush of 5 ms: 1,000 runs of one step", "steps/s", higher_is_better=True),
    "wide.share": Measure("the first by the second", "share", higher_is_better=True),
    "due": Measure("a step to begin after 1 s: how late it began", "ms"),
    "idle.workers": Measure("idle: worker, keeper and janitor", "% of a core"),
    "idle.servers": Measure("idle: PostgreSQL and Valkey", "% of a core"),
    "memory.start": Measure("memory of a worker after 1,000 steps", "MiB"),
    "memory.end": Measure("memory of a worker after 100,000 steps", "MiB"),
    "memory.added": Measure("the one more than the other", "MiB"),
    "recovery-child": Measure("SIGKILL of the process that acts: the next step finished after", "s"),
    "recovery-worker": Measure("SIGKILL of the worker that acts, a spare one there: the next step finished after", "s"),
    "recovery-valkey": Measure("SIGKILL of Valkey: the next step finished after it was back", "s"),
    "recovery-postgres": Measure("SIGKILL of PostgreSQL: the next step finished after it was back", "s"),
}
