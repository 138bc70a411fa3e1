"""Locks over workers that are killed and frozen while they hold them; and what a long line costs."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable

import pytest

from orchestration.engine.runs import StartedRun
from tests.support.engine import ALICE
from tests.support.workers import Fleet, WorkerProcess, wait_until

pytestmark = pytest.mark.fault

PAIR = {"w1": "threads", "w2": "threads"}
RUNS = 8


def locked(fleet: Fleet, key: str, *, seconds: float = 0.3, **fields: object) -> StartedRun:
    """A run whose only step works while it holds the lock `x`."""
    step = {"key": key, "action": "t.work", "params": {"seconds": seconds}, "locks": [{"name": "x"}]}
    return fleet.start(step, **fields)


def overlaps(fleet: Fleet) -> list[tuple[str, str]]:
    """Attempts that worked beside one another. Those that were lost held the lock no longer than they were believed."""
    lost = {
        (run_id, attempt)
        for run_id, attempt in fleet.database.rows(
            "SELECT r.public_id, a.attempt FROM attempts a JOIN runs r ON r.id = a.run_id WHERE a.outcome = 'lost'"
        )
    }
    begun: dict[tuple[str, int], float] = {}
    spans: list[tuple[float, float, str]] = []
    for run_id, key, attempt, what, at, _pid in fleet.lines():
        if (run_id, int(attempt)) in lost:
            continue
        if what == "begin":
            begun[run_id, int(attempt)] = float(at)
        elif what == "effect":
            spans.append((begun[run_id, int(attempt)], float(at), key))
    spans.sort()
    return [(one[2], other[2]) for one, other in itertools.pairwise(spans) if other[0] < one[1]]


def holder_of(fleet: Fleet, lock: str) -> list[WorkerProcess]:
    """The worker that holds a lock just now, if any does."""
    rows = fleet.database.rows(
        "SELECT s.owner FROM lock_requests q JOIN steps s USING (run_id, position) WHERE q.key = %s AND q.held", lock
    )
    return [worker for worker in fleet.workers if rows and str(rows[0][0]).startswith(f"{worker.name}@")]


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lock_excludes_and_outlives_no_holder_that_is_killed_or_frozen(
    make_fleet: Callable[..., Fleet], fault: signal.Signals
) -> None:
    fleet = make_fleet(lease_s="2", heartbeat_s="0.3")
    fleet.start_workers(PAIR)
    runs = [locked(fleet, f"s{n}") for n in range(RUNS)]
    wait_until(lambda: fleet.effects().total() > 0, 60, fleet.lines)
    holders: list[WorkerProcess] = []
    wait_until(lambda: holders.extend(holder_of(fleet, "lock:x")) or holders, 60, fleet.lines)
    victim = holders[0]
    victim.signal_all(fault)
    for run in runs:
        fleet.wait_for(run, "completed")
    victim.signal_all(signal.SIGCONT)
    assert overlaps(fleet) == []
    assert fleet.database.call("SELECT count(*) FROM lock_requests") == 0
    fleet.check(*runs)


def test_a_thousand_that_wait_cost_no_worker_and_are_not_asked_again(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet()
    fleet.start_workers({"w1": "threads"})
    holder = locked(fleet, "holder", seconds=600)
    fleet.wait_for_line("holder", "begin")
    fan = [
        {"key": f"s{n}", "action": "t.work", "needs": [], "locks": [{"name": "x"}], "params": {"seconds": 600}}
        for n in range(1000)
    ]
    waiting = fleet.start(*fan)
    count = "SELECT count(*) FROM steps WHERE waiting_for = 'lock'"
    wait_until(lambda: fleet.database.call(count) == 1000, 120, lambda: fleet.database.call(count))
    attempts = "SELECT sum(attempt) FROM steps"
    asked = fleet.database.call(attempts)
    # All threads of the worker but one are free for other steps.
    others = [fleet.start(*({"key": f"o{n}", "action": "t.work"} for n in range(20))) for _ in range(5)]
    for other in others:
        fleet.wait_for(other, "completed")
    assert fleet.database.call(attempts) == asked + 100
    fleet.runs.stop(holder.run_id, ALICE)
    wait_until(lambda: len(fleet.effects("begin", waiting)) == 1, 60, fleet.lines)
    assert fleet.database.call(count) == 999, "more than one was woken"
    assert fleet.database.call(attempts) == asked + 101
    fleet.runs.stop(waiting.run_id, ALICE)
    fleet.wait_for(waiting, "cancelled")
    fleet.check(waiting)
