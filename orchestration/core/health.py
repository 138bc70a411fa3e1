"""How well the system does, from 0 to 100, and what takes from it.

Each cause takes points from 100, in proportion between a value from which it is felt and one at which it takes all it
can. The weights say how much a person who is on duty should care: work that nobody does weighs most, a breaker that
does its job least. The table is in docs/operations.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Of fewer steps a share says nothing.
LEAST_STEPS = 10


@dataclass(frozen=True)
class Weight:
    """A cause takes nothing up to `felt_from` and `points` from `full_at` on."""

    points: int
    felt_from: float
    full_at: float


WEIGHTS = {
    "steps_fail": Weight(30, 0.02, 0.5),  # share of the steps that ended
    "attempts_lost": Weight(10, 0.0, 0.1),  # share of the attempts that ended
    "work_waits": Weight(25, 10.0, 300.0),  # seconds that the oldest ready step has waited
    "no_worker": Weight(40, 0.0, 1.0),  # queues with ready steps that no worker consumes
    "workers_lost": Weight(15, 0.0, 3.0),  # workers that nobody hears from
    "breakers_open": Weight(15, 0.0, 3.0),  # breakers that are not closed
    "hosts_loaded": Weight(15, 0.0, 2.0),  # hosts that are near their limits
    "locks_time_out": Weight(10, 0.0, 10.0),  # waits for locks that were given up in the window
    "valkey_away": Weight(25, 0.0, 1.0),  # 1: news and limits are out
    "clients_behind": Weight(5, 0.0, 10.0),  # live connections that do not keep up
    "metrics_behind": Weight(10, 60.0, 600.0),  # seconds that these counts are behind: no janitor sweeps
}


@dataclass(frozen=True)
class Signs:
    """What health is judged by. Counts are of the window, the rest is of now."""

    steps_ended: int = 0
    steps_failed: int = 0
    attempts_ended: int = 0
    attempts_lost: int = 0
    oldest_ready_s: float = 0.0
    queues_without_worker: tuple[str, ...] = ()
    workers_lost: int = 0
    breakers_open: tuple[str, ...] = ()
    hosts_loaded: tuple[str, ...] = ()
    lock_timeouts: int = 0
    valkey_away: bool = False
    clients_behind: int = 0
    metrics_behind_s: float = 0.0


@dataclass(frozen=True)
class Cause:
    """What takes how many points, and a sentence for people."""

    code: str
    points: int
    message: str


@dataclass(frozen=True)
class Health:
    """The score with its causes, the heaviest first. `status` is ok from 90 on, degraded from 60 on, else bad."""

    score: int
    status: str
    causes: tuple[Cause, ...]


def judge(signs: Signs) -> Health:
    """The score of these signs."""
    found = sorted((cause for cause in _causes(signs) if cause.points), key=lambda cause: (-cause.points, cause.code))
    score = max(0, 100 - sum(cause.points for cause in found))
    return Health(score, "ok" if score >= 90 else "degraded" if score >= 60 else "bad", tuple(found))


def _causes(signs: Signs) -> Iterable[Cause]:
    if signs.steps_ended >= LEAST_STEPS:
        share = signs.steps_failed / signs.steps_ended
        yield _cause("steps_fail", share, f"{signs.steps_failed} of {signs.steps_ended} steps failed ({share:.0%})")
    if signs.attempts_ended >= LEAST_STEPS:
        share = signs.attempts_lost / signs.attempts_ended
        yield _cause("attempts_lost", share, f"{signs.attempts_lost} of {signs.attempts_ended} attempts were lost")
    yield _cause("work_waits", signs.oldest_ready_s, f"a step has been ready for {signs.oldest_ready_s:.0f} s")
    queues = signs.queues_without_worker
    yield _cause("no_worker", len(queues), f"steps are ready that no worker takes: queue {_names(queues)}")
    yield _cause("workers_lost", signs.workers_lost, f"{signs.workers_lost} workers are not heard from")
    yield _cause("breakers_open", len(signs.breakers_open), f"breakers are not closed: {_names(signs.breakers_open)}")
    yield _cause("hosts_loaded", len(signs.hosts_loaded), f"hosts are near their limits: {_names(signs.hosts_loaded)}")
    yield _cause("locks_time_out", signs.lock_timeouts, f"{signs.lock_timeouts} waits for locks were given up")
    yield _cause("valkey_away", float(signs.valkey_away), "Valkey is away: no live events, limits and breakers rest")
    yield _cause("clients_behind", signs.clients_behind, f"{signs.clients_behind} live connections do not keep up")
    behind = signs.metrics_behind_s
    yield _cause("metrics_behind", behind, f"counts are {behind:.0f} s behind: no worker's janitor keeps up")


def _cause(code: str, value: float, message: str) -> Cause:
    weight = WEIGHTS[code]
    share = (value - weight.felt_from) / (weight.full_at - weight.felt_from)
    # What is felt at all takes a point.
    points = 0 if share <= 0 else max(1, round(weight.points * min(1.0, share)))
    return Cause(code, points, message)


def _names(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
