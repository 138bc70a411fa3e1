"""Retries of many steps of one dependency, through the gate and back: held to the budget, spread, and none lost."""

from __future__ import annotations

import pytest

from messaging.retry_budget import ValkeyRetryBudgets
from orchestration.actions.context import CancelToken
from orchestration.core.decide import Failed, StepError, Succeeded
from orchestration.engine.runs import StartedRun
from orchestration.gates.retry_budget import RATIO, RESERVE, RetryBudgetGate
from orchestration.redaction import Redactor
from tests.support.engine import ACTIONS, AnyParams, Harness, TestClock
from workers.gating import Gating, Parked

pytestmark = pytest.mark.integration

STEPS = 30


class Dependency:
    """What all the steps call. It is down, and then up; it counts the calls."""

    def __init__(self) -> None:
        self.is_up = False
        self.calls = 0

    def call(self) -> Succeeded | Failed:
        self.calls += 1
        return Succeeded(1) if self.is_up else Failed(StepError("http.503", "down"))


def take_all_ready(engine: Harness, run: StartedRun, gating: Gating, dependency: Dependency) -> None:
    ready = "SELECT position FROM steps s JOIN runs r ON r.id = s.run_id WHERE public_id = %s AND s.status = 'ready'"
    for (position,) in engine.database.rows(ready, run.run_id):
        lease = engine.claim(run, position)
        outcome = gating.outcome(lease, ACTIONS["work"], AnyParams(), {}, CancelToken(), Redactor(), dependency.call)
        assert not isinstance(outcome, Parked)
        engine.finish(lease, outcome)


def test_retries_beyond_the_budget_wait_in_line_and_all_come_through(
    engine: Harness, clock: TestClock, redis_url: str
) -> None:
    def now() -> float:
        return float(engine.database.call("SELECT extract(epoch FROM clock_now())"))

    # The budget's clock is the steps', so that minutes pass in no time.
    budgets = ValkeyRetryBudgets(redis_url, clock=now, process_clock=now)
    gating, dependency = Gating((RetryBudgetGate(budgets, chance=lambda: 0.5),)), Dependency()
    step = {"needs": [], "breaker": {"name": "dep"}, "retry": {"max_attempts": 3, "base_delay_s": 2, "jitter": 0}}
    run = engine.start(*({"key": f"s{n}"} | step for n in range(STEPS)))
    take_all_ready(engine, run, gating, dependency)
    assert dependency.calls == STEPS

    dependency.is_up = True
    waited_on: set[str | None] = set()
    calls = [dependency.calls]
    for _ in range(300):
        clock.advance(1)
        engine.sweep.due()
        take_all_ready(engine, run, gating, dependency)
        calls.append(dependency.calls)
        waited_on |= {engine.step(run, n)["waiting_on"] for n in range(0, STEPS, 10)}
        if engine.run_status(run) == "completed":
            break
    assert engine.run_status(run) == "completed"
    assert waited_on == {None, "budget:dep"}
    # In no minute were there more retries than the budget has, and each step was retried once.
    most = max(calls[second] - calls[max(0, second - 54)] for second in range(1, len(calls)))
    assert most <= RESERVE + RATIO * STEPS
    assert dependency.calls == 2 * STEPS
    # Each came back when there was something for it, or nearly: they did not ask again and again.
    attempts = sum(engine.step(run, n)["attempt"] for n in range(STEPS))
    assert attempts <= 4 * STEPS
    assert {engine.step(run, n)["failures"] for n in range(STEPS)} == {1}
