"""The time limit of a breaker's calls, with real workers: it holds beside the step's own, and no two probes overlap."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from messaging.breakers import ValkeyBreakers
from orchestration.gates.breaker import Passed
from schemas.flow import BreakerSpec
from tests.support.workers import Fleet

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

ONCE = {"max_attempts": 1}


@pytest.fixture
def make_fleet(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Callable[..., Fleet]]:
    made: list[Fleet] = []

    def make(**settings: str) -> Fleet:
        made.append(Fleet(database_url, redis_url, tmp_path, **settings))
        return made[-1]

    yield make
    for fleet in made:
        fleet.close()


def test_a_breakers_time_limit_holds_wherever_it_was_set_and_never_makes_the_steps_longer(
    make_fleet: Callable[..., Fleet],
) -> None:
    fleet = make_fleet(breakers=json.dumps({"of-settings": {"timeout_s": 0.5}}))
    fleet.worker("w", "threads")
    slow: dict[str, Any] = {"action": "t.work", "params": {"seconds": 40}, "retry": ONCE, "on_failure": "continue"}
    run = fleet.start(
        slow | {"key": "own", "timeout_s": 60, "breaker": {"name": "own", "timeout_s": 0.5}, "needs": []},
        slow | {"key": "set", "timeout_s": 60, "breaker": {"name": "of-settings"}, "needs": []},
        slow | {"key": "step", "timeout_s": 0.5, "breaker": {"name": "longer", "timeout_s": 60}, "needs": []},
    )
    fleet.wait_for(run, "completed", "failed", timeout_s=30)
    assert [attempt["error"]["code"] for attempt in fleet.attempts(run)] == ["timeout"] * 3
    assert fleet.effects("effect", run).total() == 0


def test_there_is_never_a_second_probe_while_one_that_obeys_nobody_still_runs(
    make_fleet: Callable[..., Fleet], redis_url: str
) -> None:
    breaker = {"name": "agent", "failure_threshold": 1, "recovery_s": 0.5, "timeout_s": 1.0}
    fleet = make_fleet(stop_grace_s="7")
    open_it(redis_url, BreakerSpec.model_validate(breaker))
    fleet.worker("w", "prefork")
    # Deaf for longer than limit and lease: were it not killed, the next probe would fly beside it.
    deaf = {"action": "t.deaf_killable", "params": {"seconds": 30}, "timeout_s": 60, "retry": ONCE, "breaker": breaker}
    run = fleet.start(*({"key": key, "needs": [], "on_failure": "continue"} | deaf for key in "ab"))
    fleet.wait_for(run, "completed", "failed", timeout_s=90)
    assert fleet.effects("begin", run).total() == 2
    (_, ended), (began, _) = sorted(
        (datetime.fromisoformat(attempt["started_at"]), datetime.fromisoformat(attempt["ended_at"]))
        for attempt in fleet.attempts(run)
        if attempt["outcome"] == "failed"
    )
    assert began >= ended


def open_it(redis_url: str, spec: BreakerSpec) -> None:
    store = ValkeyBreakers(redis_url)
    passed = store.acquire(spec, probe_s=1)
    assert isinstance(passed, Passed)
    change = store.report(spec, passed.token, "failed", code="down")
    assert change is not None
