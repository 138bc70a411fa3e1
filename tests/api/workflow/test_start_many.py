"""Many runs in one request: all or nothing, in one statement, by the rules of a single start."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.limits import Limiter
from api.services import Services
from orchestration.store.accounts import list_audit
from schemas.workflow import MAX_STEPS
from tests.api.workflow.conftest import SSH, Worker
from tests.api.workflow.test_reading import Statements
from tests.api.workflow.test_start import NEW, document, run_count, state_of
from tests.support.engine import Recorder

ONE = {"steps": [{"key": "a", "action": "work"}]}
HOST = {"steps": [{"key": "a", "action": "ssh.test_ssh"}], "ssh": SSH}


def many(client: FlaskClient, *runs: Any, **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/workflow/start/many", json={"runs": list(runs)}, headers=sent)


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [run["workflow_id"] for run in document(answer)["runs"]]


@pytest.fixture
def services(services: Services) -> Services:
    """Many runs a minute."""
    return replace(services, limiter=Limiter(services.redis_url, {"start": "5000/minute"}))


def test_each_run_is_as_one_that_was_started_alone(
    operator: FlaskClient, worker: Worker, services: Services, recorder: Recorder
) -> None:
    assert operator.put("/workflow/templates/kept", json={"name": "kept", **ONE}).status_code == 200
    answer = many(operator, {"workflow_id": "first", **NEW}, NEW, {"template_id": "kept", "name": "mine"}, HOST)
    started = ids(answer)
    assert started[0] == "first"
    assert len(set(started)) == 4
    assert all(run["created"] and run["status"] == "running" for run in document(answer)["runs"])
    # The first steps were sent, in one call.
    assert [(step.run_id, step.position) for step in recorder.sent] == [(run_id, 0) for run_id in started]
    for run_id, name in zip(started, ("two", "two", "mine", "workflow"), strict=True):
        assert state_of(operator, run_id)["name"] == name
    for position in (0, 1):
        worker.run("first", position)
    assert state_of(operator, "first")["status"] == "completed"
    assert {run["workflow_id"] for run in document(operator.get("/workflow/runs"))["runs"]} == set(started)


def test_a_single_start_and_many_are_one_statement_and_one_audit_record_each(
    operator: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        counted = Statements(patch)
        operator.post("/workflow/start", json=NEW)
        # Who asks, the note that the token was used, and the start with its audit record.
        assert [sql.split("(")[0] for sql in counted.seen] == [
            "caller",
            "UPDATE tokens SET last_used_at = clock_now",
            "start_runs",
        ]
    with monkeypatch.context() as patch:
        counted = Statements(patch)
        many(operator, *[NEW] * 50)
        assert [sql.split("(")[0] for sql in counted.seen] == [
            "caller",
            "start_runs",
        ]
    batch, single = list_audit(services.database)
    assert (single.action, single.outcome, single.address) == ("workflow.start", "done", "127.0.0.1")
    assert single.target.startswith("workflow_")
    assert (batch.action, batch.outcome, batch.detail) == ("workflow.start_many", "done", {"status": 200, "runs": 50})


@pytest.mark.parametrize(
    ("bad", "status", "where"),
    [
        ({"steps": [{"key": "a", "action": "nope"}]}, 400, "/runs/2/steps/0/action"),
        ({"steps": [{"key": "a", "action": "rooted"}]}, 403, "/runs/2/steps/0/action"),
        ({"steps": [{"key": "a"}]}, 400, "/runs/2/steps/0/action"),
        ({"workflow_id": "a b", **ONE}, 400, "/runs/2/workflow_id"),
        ({"template_id": "missing"}, 404, "/runs/2/template_id"),
        ({"workflow_id": "first", **ONE}, 400, "/runs/2/workflow_id"),
        ({"workflow_id": "taken", **NEW}, 409, "/runs/2/workflow_id"),
        ({**HOST, "ssh": "ssh -p 22 root@busy"}, 409, "/runs/2/ssh_connection"),
        ({**HOST, "ssh": "ssh -p 22 root@twice"}, 409, "/runs/2"),
        ({"password": "x", **ONE}, 400, "/runs/2/password"),
        ({"params": {"a": "x" * 300_000}, **ONE}, 413, "/runs/2/params"),
        ("text", 400, "/runs/2"),
    ],
)
def test_one_bad_run_refuses_all_and_is_named(
    bad: Any, status: int, where: str, operator: FlaskClient, services: Services, recorder: Recorder
) -> None:
    operator.post("/workflow/start", json={"workflow_id": "taken", **ONE})
    operator.post("/workflow/start", json={**HOST, "ssh": "ssh -p 22 root@busy"})
    before, sent = run_count(services), len(recorder.sent)
    good = {"workflow_id": "first", **ONE}
    answer = many(operator, good, {**HOST, "ssh": "ssh -p 22 root@twice"}, bad, Idempotency_Key="k")
    assert (answer.status_code, document(answer).get("where")) == (status, where)
    assert (run_count(services), len(recorder.sent)) == (before, sent)
    # The key was not used up.
    assert ids(many(operator, good, Idempotency_Key="k")) == ["first"]


def test_the_same_request_again_answers_the_same_runs(operator: FlaskClient, services: Services) -> None:
    first = ids(many(operator, NEW, {"workflow_id": "named", **NEW}, ONE, Idempotency_Key="k"))
    again = many(operator, NEW, {"workflow_id": "named", **NEW}, ONE, Idempotency_Key="k")
    assert ids(again) == first
    assert not any(run["created"] for run in document(again)["runs"])
    assert run_count(services) == 3
    other = many(operator, NEW, Idempotency_Key="k")
    assert (other.status_code, document(other)["where"]) == (409, "/idempotency_key")


def test_runs_with_ids_are_each_started_once(operator: FlaskClient, services: Services, recorder: Recorder) -> None:
    operator.post("/workflow/start", json={"workflow_id": "b", **NEW})
    sent = len(recorder.sent)
    answer = many(operator, *({"workflow_id": run_id, **NEW} for run_id in "abc"))
    assert [run["created"] for run in document(answer)["runs"]] == [True, False, True]
    assert run_count(services) == 3
    assert [step.run_id for step in recorder.sent[sent:]] == ["a", "c"]
    alone = operator.post("/workflow/start", json={"workflow_id": "a", **NEW})
    assert (alone.status_code, document(alone)["created"]) == (200, False)


def test_two_requests_for_the_same_runs_in_another_order_both_succeed(
    services: Services, operator: FlaskClient
) -> None:
    names = [f"run{n}" for n in range(100)]

    def send(order: list[str]) -> int:
        runs = [{"workflow_id": name, **ONE} for name in order]
        return int(many(operator.application.test_client(), *runs, Authorization=token).status_code)

    token = operator.environ_base["HTTP_AUTHORIZATION"]
    with ThreadPoolExecutor(4) as pool:
        for round_ in range(5):
            services.database.execute("TRUNCATE runs, run_documents, steps, step_documents, trace")
            orders = [names, names[::-1], names[round_:] + names[:round_], names]
            assert list(pool.map(send, orders)) == [200] * 4
            assert run_count(services) == len(names)


def test_as_many_runs_and_steps_as_are_allowed(operator: FlaskClient, services: Services) -> None:
    steps = [{"key": f"s{n}", "action": "work"} for n in range(MAX_STEPS // 1000)]
    assert len(ids(many(operator, *[{"steps": steps}] * 1000))) == 1000
    assert services.database.call("SELECT count(*) FROM steps") == MAX_STEPS
    for runs, status in (([{"steps": [*steps, {"key": "one", "action": "work"}]}] * 1000, 413), ([ONE] * 1001, 400)):
        answer = many(operator, *runs)
        assert (answer.status_code, document(answer)["where"]) == (status, "/runs")
    assert many(operator).status_code == 400
    assert run_count(services) == 1000


def test_the_limit_counts_runs(operator: FlaskClient, services: Services) -> None:
    limited = replace(services, limiter=Limiter(services.redis_url, {"start": "10/hour"}))
    operator.application.extensions["perdure"] = limited
    never = many(operator, *[ONE] * 11)
    assert (never.status_code, "Retry-After" in never.headers) == (429, False)
    assert len(ids(many(operator, *[ONE] * 7))) == 7
    later = many(operator, *[ONE] * 4)
    assert (later.status_code, "Retry-After" in later.headers) == (429, True)
    # What was refused did not count.
    assert len(ids(many(operator, *[ONE] * 3))) == 3
    assert operator.post("/workflow/start", json=ONE).status_code == 429
