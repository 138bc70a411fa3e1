"""What waits at a breaker when it closes is done within seconds: real workers, and nobody who is told to wake it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from messaging.breakers import ValkeyBreakers
from orchestration.engine.runs import StartedRun
from orchestration.gates.breaker import BreakerState, Passed
from schemas.flow import BreakerSpec
from tests.conftest import Eventually
from tests.support.engine import ALICE
from tests.support.workers import Fleet

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(120)]
STEPS = 16
# By their own times the last of them would go on an hour or more later.
RECOVERY_S = 600.0
SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "one at a time": ({"concurrency": {"key": "place", "limit": 1}}, {}),
    "a rate": ({"rate_limits": [{"name": "rate", "limit": 4, "per_s": 1}]}, {}),
    "background": ({}, {"kind": "background"}),
    "an answer that refuses": ({"action": "t.fails", "on_failure": "continue"}, {}),
}


@pytest.fixture
def fleet(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(database_url, redis_url, tmp_path) as fleet:
        yield fleet


@pytest.fixture
def breakers(redis_url: str) -> ValkeyBreakers:
    return ValkeyBreakers(redis_url)


def start(fleet: Fleet, step: dict[str, Any], *, recovery_s: float = RECOVERY_S, **fields: Any) -> StartedRun:
    breaker = {"name": "nlp", "recovery_s": recovery_s, "failure_threshold": 1}
    steps = [{"key": f"s{n}", "action": "t.work", "needs": [], "breaker": breaker} | step for n in range(STEPS)]
    return fleet.start(*steps, **fields)


def all_parked(fleet: Fleet, run: StartedRun) -> bool:
    return {(step["status"], step["waiting_on"]) for step in fleet.steps(run)} == {("waiting", "breaker:nlp")}


@pytest.mark.parametrize("shape", SHAPES)
def test_all_that_waited_are_done_within_seconds_whatever_other_gates_they_pass(
    fleet: Fleet, breakers: ValkeyBreakers, eventually: Eventually, shape: str
) -> None:
    fleet.worker("w", "threads")
    breakers.force("nlp", BreakerState.OPEN)
    step, fields = SHAPES[shape]
    run = start(fleet, step, **fields)
    eventually(lambda: all_parked(fleet, run))
    breakers.reset("nlp")
    fleet.wait_for(run, "completed", timeout_s=30)
    fleet.check(run)


def test_a_run_that_was_paused_meanwhile_goes_on_within_seconds_of_its_resuming(
    fleet: Fleet, breakers: ValkeyBreakers, eventually: Eventually
) -> None:
    fleet.worker("w", "threads")
    breakers.force("nlp", BreakerState.OPEN)
    run = start(fleet, {})
    eventually(lambda: all_parked(fleet, run))
    fleet.runs.pause(run.run_id, ALICE)
    breakers.reset("nlp")
    fleet.runs.resume(run.run_id, ALICE)
    fleet.wait_for(run, "completed", timeout_s=30)


def test_a_wipe_of_what_is_known_of_breakers_releases_whom_they_kept_out(
    fleet: Fleet, breakers: ValkeyBreakers, redis_url: str, eventually: Eventually
) -> None:
    fleet.worker("w", "threads")
    spec = BreakerSpec(name="nlp", recovery_s=RECOVERY_S, failure_threshold=1)
    passed = breakers.acquire(spec, probe_s=10)
    assert isinstance(passed, Passed)
    breakers.report(spec, passed.token, "failed", code="http_503")
    run = start(fleet, {})
    eventually(lambda: all_parked(fleet, run))
    with redis.Redis.from_url(redis_url) as broker:
        broker.flushdb()
    fleet.wait_for(run, "completed", timeout_s=30)


def test_a_worker_that_dies_right_after_it_closed_the_breaker_leaves_nobody_behind(
    fleet: Fleet, breakers: ValkeyBreakers, eventually: Eventually
) -> None:
    dies = fleet.directory / "dies"
    dies.touch()
    fleet.environment["PERDURE_TEST_DIES_ON_CLOSE"] = str(dies)
    fleet.environment["PERDURE_ACTIONS"] += ",tests.support.dies_on_close"
    spec = BreakerSpec(name="nlp", recovery_s=8, failure_threshold=1)
    passed = breakers.acquire(spec, probe_s=10)
    assert isinstance(passed, Passed)
    fleet.worker("w", "threads")
    breakers.report(spec, passed.token, "failed", code="http_503")
    run = start(fleet, {}, recovery_s=spec.recovery_s)
    eventually(lambda: all_parked(fleet, run))
    eventually(lambda: not dies.exists())
    fleet.wait_for(run, "completed", timeout_s=40)
    # The last of them would have come by itself after two minutes.
    assert spec.recovery_s * (STEPS - 1) > 2 * 40


def test_who_is_critical_does_not_wait_for_those_who_came_before(
    fleet: Fleet, breakers: ValkeyBreakers, eventually: Eventually
) -> None:
    fleet.worker("w", "threads")
    breakers.force("nlp", BreakerState.OPEN)
    low = start(fleet, {"params": {"seconds": 0.5}}, priority=1)
    eventually(lambda: all_parked(fleet, low))
    critical = start(fleet, {}, priority=20)
    eventually(lambda: all_parked(fleet, critical))
    breakers.reset("nlp")
    fleet.wait_for(low, "completed", timeout_s=30)
    ended = {run.run_id: sorted(step["ended_at"] for step in fleet.steps(run)) for run in (low, critical)}
    # Called first; that several run side by side may let one of the others end a moment sooner.
    assert ended[critical.run_id][-1] < ended[low.run_id][len(ended[low.run_id]) // 2]
