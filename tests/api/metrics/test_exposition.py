"""`/metrics` as Prometheus reads it: of the web process and the fleet; and of a relay."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from api.fleet_figures import WORKER_COUNTERS, WORKER_GAUGES
from api.services import Services
from cli.servers.ports import free_port
from messaging.breakers import ValkeyBreakers
from messaging.process_figures import ProcessFigures
from orchestration.core.decide import Failed, Snoozed, StepError
from orchestration.engine.metrics import Metrics
from orchestration.gates.breaker import BreakerState
from orchestration.store.database import Database, as_jsonb
from schemas.answers.metrics import MetricsAnswer
from schemas.statuses import WaitReason
from tests.api.workflow.conftest import Worker
from tests.api.workflow.test_controls import start
from tests.support.engine import TestClock


def scrape(client: FlaskClient) -> dict[str, Metric]:
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.content_type.startswith("text/plain")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(found: dict[str, Metric], sample: str, **labels: str) -> float:
    (one,) = [s for family in found.values() for s in family.samples if s.name == sample and s.labels == labels]
    return one.value


@pytest.fixture
def clock(services: Services) -> TestClock:
    return TestClock(services.database)


@pytest.fixture
def with_metrics_token(app: Flask, services: Services) -> str:
    token = "scrape-me"
    app.extensions["perdure"] = replace(
        services, settings=services.settings.model_copy(update={"metrics_token": token})
    )
    return token


def test_the_fleet_is_one_target(
    viewer: FlaskClient, operator: FlaskClient, services: Services, worker: Worker, clock: TestClock
) -> None:
    for n in range(3):
        outcome = None if n else Failed(StepError("broken", "it broke"), permanent=True)
        worker.run(start(operator, "a"), 0, outcome)
    worker.run(start(operator, "a"), 0, Snoozed(WaitReason.RATE_LIMIT, datetime.now(UTC) + timedelta(days=1), "rate:x"))
    start(operator, "a")
    ValkeyBreakers(services.redis_url).force("openai", BreakerState.OPEN)
    clock.advance(2)
    Metrics(services.database).fold()
    found = scrape(viewer)
    assert value(found, "perdure_steps_total", action="work", outcome="completed") == 2
    assert value(found, "perdure_steps_total", action="work", outcome="failed") == 1
    assert value(found, "perdure_runs_total", kind="workflow", outcome="completed") == 2
    assert value(found, "perdure_step_duration_seconds_count", action="work") == 3
    assert value(found, "perdure_step_duration_seconds_bucket", action="work", le="+Inf") == 3
    buckets = [s for s in found["perdure_step_duration_seconds"].samples if s.name.endswith("_bucket")]
    assert [b.value for b in buckets] == sorted(b.value for b in buckets), "each bucket holds the ones before"
    assert value(found, "perdure_steps_waiting", reason="rate_limit") == 1
    assert value(found, "perdure_steps_ready", queue="default") == 1
    assert value(found, "perdure_queue_workers", queue="default") == 0
    assert value(found, "perdure_queue_length", queue="default") == 0
    assert value(found, "perdure_waits_total", reason="rate_limit") == 1
    assert value(found, "perdure_breaker_state", breaker="openai") == 2
    assert value(found, "perdure_runs_unfinished", status="running") == 2
    assert value(found, "perdure_database_up") == value(found, "perdure_valkey_up") == 1
    assert value(found, "perdure_health_score") < 100
    assert {"perdure_workers", "perdure_rate_limit_hits", "perdure_relay_connections"} <= set(found)


def test_what_attempts_used_is_told_by_action_and_by_agent(
    viewer: FlaskClient, operator: FlaskClient, services: Services, worker: Worker, clock: TestClock
) -> None:
    worker.run(start(operator, "a"))
    used = {"cpu_s": 1.5, "peak_memory_bytes": 1000, "sent_bytes": 10, "received_bytes": 300, "agent": "openai"}
    used |= {"prompt_tokens": 50, "completion_tokens": 7}
    services.database.execute("UPDATE attempts SET resources = %s", as_jsonb(used))
    clock.advance(2)
    Metrics(services.database).fold()
    found = scrape(viewer)
    for word, label in (("step", {"action": "work"}), ("agent", {"agent": "openai"})):
        assert value(found, f"perdure_{word}_cpu_seconds_total", **label) == 1.5
        assert value(found, f"perdure_{word}_sent_bytes_total", **label) == 10
        assert value(found, f"perdure_{word}_received_bytes_total", **label) == 300
        assert value(found, f"perdure_{word}_prompt_tokens_total", **label) == 50
        assert value(found, f"perdure_{word}_completion_tokens_total", **label) == 7
    answer = viewer.get("/api/orchestration/metrics?window=1h")
    (agent,) = MetricsAnswer.model_validate_json(answer.data, extra="forbid", strict=True).agents
    assert (agent.name, agent.measured, agent.cpu_ms, agent.received_bytes) == ("openai", 1, 1500.0, 300)
    assert answer.json is not None
    assert answer.json["actions"][0]["sentBytes"] == 10


def test_totals_only_grow(
    viewer: FlaskClient, operator: FlaskClient, services: Services, worker: Worker, clock: TestClock
) -> None:
    worker.run(start(operator, "a"))
    clock.advance(2)
    metrics = Metrics(services.database)
    metrics.fold()
    clock.advance(100 * 86_400)
    metrics.trim()
    assert value(scrape(viewer), "perdure_steps_total", action="work", outcome="completed") == 1


def test_requests_are_counted_by_rule_and_status(viewer: FlaskClient, operator: FlaskClient) -> None:
    run_id = start(operator, "a")
    for _ in range(3):
        viewer.get(f"/workflow/state?workflow_id={run_id}")
    viewer.get("/workflow/templates/nobody")
    viewer.get("/no/such/place")
    found = scrape(viewer)
    assert value(found, "perdure_http_requests_total", method="GET", route="/workflow/state", status="200") == 3
    named = {"method": "GET", "route": "/workflow/templates/<template_id>", "status": "404"}
    assert value(found, "perdure_http_requests_total", **named) == 1
    assert value(found, "perdure_http_requests_total", method="GET", route="none", status="404") == 1
    assert value(found, "perdure_http_request_seconds_count", route="/workflow/state") == 3


def test_figures_are_for_those_with_a_token(
    anonymous: FlaskClient, viewer: FlaskClient, with_metrics_token: str
) -> None:
    assert anonymous.get("/metrics").status_code == 401
    wrong = {"Authorization": "Bearer scrape-you"}
    assert anonymous.get("/metrics", headers=wrong).status_code == 401
    right = {"Authorization": f"Bearer {with_metrics_token}"}
    assert anonymous.get("/metrics", headers=right).status_code == 200
    assert anonymous.get("/workflow/runs", headers=right).status_code == 401, "it reads figures and nothing else"
    assert viewer.get("/metrics").status_code == 200


def test_an_empty_setting_is_no_token(anonymous: FlaskClient) -> None:
    assert anonymous.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401


def test_with_postgresql_away_the_process_is_still_seen(app: Flask, anonymous: FlaskClient, services: Services) -> None:
    gone = Database(f"postgresql://nobody@127.0.0.1:{free_port()}/x", name="gone")
    token = services.settings.model_copy(update={"metrics_token": "scrape-me"})
    app.extensions["perdure"] = replace(services, database=gone, settings=token)
    answer = anonymous.get("/metrics", headers={"Authorization": "Bearer scrape-me"})
    assert answer.status_code == 200
    assert "perdure_database_up 0.0" in answer.text
    assert "process_cpu_seconds_total" in answer.text


def test_workers_are_told_as_processes(viewer: FlaskClient, services: Services) -> None:
    figures = dict.fromkeys((*WORKER_GAUGES, *WORKER_COUNTERS), 7)
    ProcessFigures(services.redis_url, "worker").publish("io@box", figures)
    found = scrape(viewer)
    assert {value(found, f"perdure_worker_{field}", worker="io@box") for field in WORKER_GAUGES} == {7}
    assert {value(found, f"perdure_worker_{field}_total", worker="io@box") for field in WORKER_COUNTERS} == {7}
