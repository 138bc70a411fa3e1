"""Traces from the request to the action, as a real collector gets them over OTLP/HTTP."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.services import build_services
from logs import trace_id_of
from orchestration.store.accounts import add_token, new_secret
from schemas.statuses import Role
from settings import load_settings
from tests.conftest import Eventually
from tests.support.collector import Collector, Seen
from tests.support.workers import Fleet
from tracing_otel import Tracing

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(120)]

ACTIONS = "tests.support.fault_actions,tests.support.traced_actions"
KEY = "correct-horse-battery"
CALLER = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
TRACEPARENT = {"traceparent": f"00-{CALLER[0]}-{CALLER[1]}-01"}

FleetOf = Callable[[str], Fleet]


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture
def fleet_of(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[FleetOf]:
    made: list[Fleet] = []

    def make(endpoint: str) -> Fleet:
        made.append(Fleet(database_url, redis_url, tmp_path, actions=ACTIONS, otel_endpoint=endpoint, secret_door=KEY))
        return made[-1]

    yield make
    for fleet in made:
        fleet.close()


@pytest.fixture
def client_of(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Callable[[str], FlaskClient]]:
    """An operator at a web process whose traces go to an endpoint."""
    closing: list[Callable[[], object]] = []

    def make(endpoint: str) -> FlaskClient:
        settings = load_settings(
            attach=False, database_url=database_url, redis_url=redis_url, data_dir=tmp_path, actions=ACTIONS
        )
        services = build_services(settings, Tracing(endpoint, "web"))
        closing.append(services.database.close)
        secret = new_secret("perdure_")
        assert add_token(services.database, name="t", user_name="op", role=Role.ADMIN, secret=secret)
        client = create_app(services).test_client(use_cookies=False)
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
        return client

    yield make
    for close in closing:
        close()


def start(client: FlaskClient, *steps: dict[str, Any], headers: dict[str, str] | None = None) -> str:
    answer = client.post("/workflow/start", json={"name": "traced", "steps": steps}, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.get_json()["workflow_id"])


def status(fleet: Fleet, run_id: str) -> str:
    return str(fleet.database.call("SELECT status FROM runs WHERE public_id = %s", run_id))


def attempts(spans: list[Seen]) -> list[Seen]:
    found = [span for span in spans if "perdure.attempt" in span.values]
    return sorted(found, key=lambda span: span.message.start_time_unix_nano)


@pytest.mark.parametrize(("pool", "end"), [("threads", ""), ("prefork", "_killable")])
def test_a_run_is_one_trace_from_the_request_to_the_action(
    collector: Collector,
    fleet_of: FleetOf,
    client_of: Callable[[str], FlaskClient],
    eventually: Eventually,
    pool: str,
    end: str,
) -> None:
    fleet = fleet_of(collector.url)
    worker = fleet.worker("w", pool)
    plain = {"": "t.work", "_killable": "t.killable"}[end]
    run_id = start(
        client_of(collector.url),
        {"key": "a", "action": f"t.flaky{end}", "params": {"key": {"secret": "door"}}},
        {"key": "b", "action": plain},
        headers=TRACEPARENT,
    )
    eventually(lambda: status(fleet, run_id) == "completed")
    # The request, its start, three attempts with two spans of the action's own, and messages for each attempt.
    eventually(lambda: len(attempts(collector.spans())) == 3 and any(s.name == "start" for s in collector.spans()))
    eventually(lambda: sum(span.name.startswith("send ") for span in collector.spans()) >= 3)
    spans = collector.spans()

    assert {span.trace_id for span in spans} == {trace_id_of(run_id)}
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans)
    (root,) = [span for span in spans if not span.parent]
    assert all(span.parent in by_id for span in spans if span is not root)
    assert (root.service, root.name, root.message.kind) == ("perdure-web", "POST /workflow/start", 2)
    assert (root.values["http.response.status_code"], root.links) == (200, [CALLER])
    (started,) = [span for span in spans if span.name == "start"]
    assert by_id[started.parent] is root

    first, second, last = attempts(spans)
    told = ("perdure.step", "perdure.attempt", "perdure.outcome", "perdure.action")
    assert [tuple(span.values[name] for name in told) for span in (first, second, last)] == [
        ("a", 1, "failed", f"t.flaky{end}"),
        ("a", 2, "completed", f"t.flaky{end}"),
        ("b", 1, "completed", plain),
    ]
    assert {(span.service, span.parent) for span in (first, second, last)} == {("perdure-worker", started.span_id)}
    queue = "killable" if end else "default"
    assert {span.values["messaging.destination.name"] for span in (first, second, last)} == {queue}
    assert [span.is_error for span in (first, second, last)] == [True, False, False]
    assert [name for name, _ in first.events] == ["exception", "step waits"]
    assert first.events[0][1]["exception.message"] == "the door does not open with [redacted]"
    assert first.events[1][1]["reason"] == "retry"
    own = [span for span in spans if span.name == "opens the door"]
    assert {span.parent for span in own} == {first.span_id, second.span_id}
    # The message for the second step is sent by the attempt that made it ready.
    assert any(span.parent == second.span_id for span in spans if span.name.startswith("send "))

    assert not any(KEY.encode() in body for body in collector.bodies)
    assert KEY not in worker.log.read_text()


def test_a_wait_at_a_gate_says_what_for(
    collector: Collector, fleet_of: FleetOf, client_of: Callable[[str], FlaskClient], eventually: Eventually
) -> None:
    fleet = fleet_of(collector.url)
    fleet.worker("w", "threads")
    alone = {"action": "t.work", "params": {"seconds": 0.5}, "needs": [], "locks": [{"name": "door"}]}
    run_id = start(client_of(collector.url), {"key": "a", **alone}, {"key": "b", **alone})
    eventually(lambda: status(fleet, run_id) == "completed")
    eventually(lambda: len(attempts(collector.spans())) == 3)
    waited = next(span for span in attempts(collector.spans()) if span.values["perdure.outcome"] == "waiting")
    assert [(name, values["reason"], values["on"]) for name, values in waited.events] == [
        ("step waits", "lock", "lock:door")
    ]
    assert not waited.is_error
    again = [s for s in attempts(collector.spans()) if s.values["perdure.step"] == waited.values["perdure.step"]]
    assert again[-1].values["perdure.waited_on"] == "lock:door"


def test_runs_that_are_started_together_are_traces_of_their_own_linked_to_the_request(
    collector: Collector, client_of: Callable[[str], FlaskClient], eventually: Eventually
) -> None:
    client = client_of(collector.url)
    runs = [{"steps": [{"key": "a", "action": "t.work"}]}] * 2
    answer = client.post("/workflow/start/many", json={"runs": runs}, headers=TRACEPARENT)
    ids = [run["workflow_id"] for run in answer.get_json()["runs"]]
    eventually(lambda: len([span for span in collector.spans() if span.name == "start"]) == 2)
    eventually(lambda: any(span.values.get("perdure.runs") == 2 for span in collector.spans()))
    (request,) = [span for span in collector.spans() if span.values.get("perdure.runs") == 2]
    starts = [span for span in collector.spans() if span.name == "start"]
    assert (request.trace_id, request.parent) == CALLER
    assert {span.trace_id for span in starts} == {trace_id_of(run_id) for run_id in ids}
    assert {(span.parent, tuple(span.links)) for span in starts} == {("", ((request.trace_id, request.span_id),))}


def test_a_start_that_is_sent_again_is_told_once(
    collector: Collector, client_of: Callable[[str], FlaskClient], eventually: Eventually
) -> None:
    client = client_of(collector.url)
    body = {"workflow_id": "once", "steps": [{"key": "a", "action": "t.work"}]}
    assert [client.post("/workflow/start", json=body).get_json()["created"] for _ in range(2)] == [True, False]
    start(client, {"key": "z", "action": "t.work"})
    # What was told in between came before.
    eventually(lambda: len({span.trace_id for span in collector.spans() if span.name == "start"}) == 2)
    assert len([s for s in collector.spans() if s.trace_id == trace_id_of("once") and not s.parent]) == 1


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_a_collector_that_is_away_costs_no_step(
    collector: Collector,
    fleet_of: FleetOf,
    client_of: Callable[[str], FlaskClient],
    eventually: Eventually,
    how: str,
) -> None:
    endpoint = collector.url
    if how == "hangs":
        collector.answers.clear()
    else:
        with socket.create_server(("127.0.0.1", 0)) as free:
            endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    fleet = fleet_of(endpoint)
    worker = fleet.worker("w", "threads")
    run_id = start(client_of(endpoint), *({"key": f"s{n}", "action": "t.work"} for n in range(30)))
    eventually(lambda: status(fleet, run_id) == "completed")
    took = fleet.database.call(
        "SELECT extract(epoch FROM ended_at - created_at)::float8 FROM runs WHERE public_id = %s", run_id
    )
    # One export that somebody waited for takes 5 s.
    assert took < 4.5
    eventually(lambda: "the trace collector takes no spans, they are dropped" in worker.log.read_text())
    assert not collector.bodies
