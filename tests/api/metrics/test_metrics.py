"""`GET /api/orchestration/metrics` and `/flow`: what is answered fits its model, and says what happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.services import Services
from cli.servers.ports import free_port
from messaging.breakers import ValkeyBreakers
from messaging.process_figures import ProcessFigures
from orchestration.core.decide import Failed, Snoozed, StepError
from orchestration.engine.locks import Locks
from orchestration.engine.metrics import WINDOWS, Metrics
from orchestration.engine.sweep import Sweep
from orchestration.gates.breaker import BreakerState
from orchestration.gates.gate import GateRequest
from schemas.answers.metrics import FlowAnswer, MetricsAnswer
from schemas.flow import LockSpec
from schemas.statuses import WaitReason
from tests.api.workflow.conftest import Worker
from tests.api.workflow.test_controls import start
from tests.support.engine import TestClock

METRICS = "/api/orchestration/metrics"
FLOW = "/api/orchestration/flow"


@pytest.fixture
def clock(services: Services) -> TestClock:
    return TestClock(services.database)


def read(client: FlaskClient, window: str = "1h") -> MetricsAnswer:
    answer = client.get(f"{METRICS}?window={window}")
    assert answer.status_code == 200, answer.text
    return MetricsAnswer.model_validate_json(answer.data, extra="forbid", strict=True)


def count(services: Services, clock: TestClock) -> None:
    clock.advance(2)
    Metrics(services.database).fold()


def test_an_empty_system_is_well_but_for_what_is_true(viewer: FlaskClient) -> None:
    for window in WINDOWS:
        found = read(viewer, window)
        assert (found.window, found.steps.ended, found.steps.completion_rate) == (window, 0, None)
        assert (found.health.score, found.health.status, found.health.causes) == (100, "ok", [])
        assert (found.actions, found.errors, found.hosts) == ([], [], [])


def test_what_ended_and_what_is_so_now(
    viewer: FlaskClient, operator: FlaskClient, services: Services, worker: Worker, clock: TestClock
) -> None:
    for n in range(12):
        outcome = Failed(StepError("broken", "it broke"), permanent=True) if n % 3 == 0 else None
        worker.run(start(operator, "a"), 0, outcome)
    worker.run(start(operator, "a"), 0, Snoozed(WaitReason.RATE_LIMIT, datetime.now(UTC) + timedelta(days=1), "rate:x"))
    start(operator, "a")
    count(services, clock)
    found = read(viewer)
    assert (found.steps.completed, found.steps.failed, found.steps.waiting) == (8, 4, 1)
    assert found.steps.failure_rate == pytest.approx(1 / 3, abs=1e-4)
    assert found.steps.average_ms is not None
    (action,) = found.actions
    assert (action.name, action.completed) == ("work", 8)
    assert [(run.name, run.completed, run.failed) for run in found.runs] == [("workflow", 8, 4)]
    assert found.current.ready == 1
    assert [(wait.reason, wait.steps) for wait in found.current.waiting] == [("rate_limit", 1)]
    assert found.rate_limits.hits == 1
    assert [(wait.name, wait.count) for wait in found.waits_on] == [("rate:x", 1)]
    (queue,) = found.queues
    assert (queue.name, queue.ready, queue.workers) == ("default", 1, 0)
    assert queue.figures is not None
    assert queue.figures.ended == 13
    codes = {cause.code for cause in found.health.causes}
    assert codes == {"steps_fail", "no_worker"}
    assert found.health.score < 60
    assert (found.errors[0].code, found.errors[0].count, found.errors[0].step) == ("broken", 4, "a")


def test_names_are_camel_case_and_times_milliseconds(viewer: FlaskClient) -> None:
    document = viewer.get(METRICS).json
    assert document is not None
    assert {"lengthMs", "behindMs", "rateLimits", "waitsOn", "success"} <= set(document)
    assert {"completionRate", "p95Ms", "perMinute", "handedBack"} <= set(document["steps"])

    def keys(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*map(keys, value.values()))
        return set().union(*map(keys, value)) if isinstance(value, list) else set()

    assert not {key for key in keys(document) if "_" in key}


def test_relays_and_breakers_are_shown(viewer: FlaskClient, services: Services) -> None:
    figures = dict.fromkeys(
        ("connections", "sockets", "subscriptions", "runs_watched", "behind", "fell_behind", "dropped"), 2
    )
    ProcessFigures(services.redis_url, "relay").publish("host:1", figures | {"started_at": "2026-01-01T00:00:00Z"})
    ValkeyBreakers(services.redis_url).force("openai", BreakerState.OPEN)
    found = read(viewer)
    assert found.live is not None
    assert (found.live.connections, [relay.name for relay in found.live.relays]) == (2, ["host:1"])
    assert found.breakers.breakers is not None
    assert [(b.name, b.state, b.forced) for b in found.breakers.breakers] == [("openai", "open", "open")]
    assert {cause.code for cause in found.health.causes} == {"breakers_open", "clients_behind"}


def test_hosts_are_shown_as_they_report(viewer: FlaskClient, services: Services) -> None:
    services.database.execute(
        "INSERT INTO hosts VALUES ('gpu-1', clock_now(), 'critical', 'memory', 0.5, 0.97, 0.2, 1.5, 4, 800, 10, 5)"
    )
    found = read(viewer)
    (host,) = found.hosts
    assert (host.host, host.memory, host.level, host.stale) == ("gpu-1", 0.97, "critical", False)
    assert [cause.code for cause in found.health.causes] == ["hosts_loaded"]


def test_without_valkey_the_rest_is_answered(viewer: FlaskClient, services: Services, app: Flask) -> None:
    from dataclasses import replace

    app.extensions["perdure"] = replace(services, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    found = read(viewer)
    assert (found.live, found.breakers.breakers, found.rate_limits.limits) == (None, None, None)
    assert "valkey_away" in {cause.code for cause in found.health.causes}


def test_an_unknown_window_is_refused(viewer: FlaskClient) -> None:
    assert viewer.get(f"{METRICS}?window=2h").status_code == 400


def test_flow_shows_who_holds_and_who_waits(
    viewer: FlaskClient, operator: FlaskClient, services: Services, worker: Worker
) -> None:
    request = GateRequest("step", 5, 60, locks=(LockSpec(name="file:/x"),))
    locks = Locks(worker.attempts)
    first, second = start(operator, "a"), start(operator, "a")
    for run_id in (first, second):
        locks.acquire(worker.claim(run_id), request)
    answer = viewer.get(FLOW)
    assert answer.status_code == 200, answer.text
    found = FlowAnswer.model_validate_json(answer.data, extra="forbid", strict=True)
    (lock,) = found.locks
    assert (lock.key, lock.mode, lock.held, lock.waiting) == ("lock:file:/x", "exclusive", 1, 1)
    assert [(each.workflow_id, each.step) for each in lock.holders] == [(first, "a")]
    assert [(each.workflow_id, each.step) for each in lock.waiters] == [(second, "a")]
    (on,) = found.waiting_on
    assert (on.waiting_on, on.reason, on.steps, on.next_due_at) == ("lock:file:/x", "lock", 1, None)
    assert on.oldest_since is not None


def test_a_step_says_what_it_waits_for_and_who_holds_that(
    viewer: FlaskClient, operator: FlaskClient, services: Services, worker: Worker
) -> None:
    request = GateRequest("step", 5, 60, locks=(LockSpec(name="file:/x"),))
    locks = Locks(worker.attempts)
    first, second, third = (start(operator, "a", "b") for _ in range(3))
    holder = worker.claim(first)
    locks.acquire(holder, request)
    for run_id in (second, third):
        locks.acquire(worker.claim(run_id), request)

    def state() -> tuple[dict[str, Any], str]:
        answer = viewer.get(f"/workflow/state?workflow_id={third}")
        assert answer.json is not None
        return answer.json["state"]["steps"], answer.headers["ETag"]

    (waits, pending), tag = state()
    assert (waits["waiting_for"], waits["waiting_on"]) == ("lock", "lock:file:/x")
    assert [(each["workflow_id"], each["step"], each["for_run"]) for each in waits["held_by"]] == [(first, "a", False)]
    assert (pending["waiting_on"], pending["held_by"]) == (None, None)
    # The lock goes to another, of which this run is told nothing; who asks with the tag of before hears of it.
    worker.finish(holder)
    Sweep(services.database, worker.recorder, worker.recorder, lease_s=15, resend_s=2).lines()
    locks.acquire(worker.claim(second), request)
    answer = viewer.get(f"/workflow/state?workflow_id={third}", headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert [each["workflow_id"] for each in (answer.json or {})["state"]["steps"][0]["held_by"]] == [second]
