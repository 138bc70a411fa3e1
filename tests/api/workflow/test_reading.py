from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.services import Services
from messaging.stream import EventStream
from orchestration.engine import queries_runs
from orchestration.store.database import Database
from schemas.events import RunEvent
from schemas.state import read_state
from schemas.statuses import Role, RunStatus
from tests.api.workflow.conftest import SSH, Worker
from tests.api.workflow.test_controls import start
from tests.api.workflow.test_start import document


class Statements:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[str] = []
        monkeypatch.setattr(Database, "rows", self._counting(Database.rows))
        monkeypatch.setattr(Database, "execute", self._counting(Database.execute))
        monkeypatch.setattr(Database, "function_rows", self._counting(Database.function_rows))

    def _counting(self, inner: Any) -> Any:
        def call(database: Database, sql: str, *values: Any) -> Any:
            self.seen.append(sql)
            return inner(database, sql, *values)

        return call


def test_without_any_run_the_state_is_null(operator: FlaskClient) -> None:
    assert document(operator.get("/workflow/state")) == {"success": True, "active": False, "state": None}
    assert document(operator.get("/workflow/state/summary")) == {"success": True, "summary": {"active": False}}


def test_the_state_is_a_valid_document_and_active_until_it_ends(operator: FlaskClient, worker: Worker) -> None:
    run_id = start(operator, "a")
    body = document(operator.get("/workflow/state"))
    assert (body["success"], body["active"]) == (True, True)
    assert read_state(body["state"]).workflow_id == run_id
    worker.run(run_id)
    body = document(operator.get("/workflow/state"))
    assert (body["active"], body["state"]["status"]) == (False, "completed")


@pytest.mark.parametrize("path", ["state", "state/summary"])
def test_errors_have_the_shape_of_the_answer(path: str, operator: FlaskClient) -> None:
    for query, status in (("workflow_id=nobody", 404), ("workflow_id=a%20b", 400)):
        answer = operator.get(f"/workflow/{path}?{query}")
        body = document(answer)
        assert (answer.status_code, body["success"]) == (status, False)
        assert (body["summary"] if "summary" in path else body)["active"] is False
        assert "summary" in path or body["state"] is None


def test_a_known_state_is_304_until_something_changes(operator: FlaskClient, worker: Worker) -> None:
    run_id = start(operator)
    tag = operator.get("/workflow/state").headers["ETag"]
    for headers, query in (({"If-None-Match": tag}, ""), ({}, f"&since={tag[3:-1]}"), ({}, f"&since={tag}&wait=30")):
        known = operator.get(f"/workflow/state?workflow_id={run_id}{query}", headers=headers)
        assert (known.status_code, known.data, known.headers["ETag"]) == (304, b"", tag)
    lease = worker.claim(run_id)
    changed = operator.get("/workflow/state", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    worker.attempts.save_progress(lease, {"type": "percentage", "percent": 50})
    after = operator.get("/workflow/state", headers={"If-None-Match": changed.headers["ETag"]})
    assert document(after)["state"]["steps"][0]["progress"]["percent"] == 50


def test_the_state_carries_the_place_in_the_event_stream(
    operator: FlaskClient, services: Services, eventually: Any
) -> None:
    run_id = start(operator)
    assert document(operator.get("/workflow/state"))["state"]["position"] == "0-0"
    event = RunEvent(version=2, status=RunStatus.RUNNING, total=2, completed=0, failed=0, skipped=0)
    stream = EventStream(services.redis_url)
    stream.publish(run_id, [event])
    # Events are appended in the background.
    assert eventually(lambda: document(operator.get("/workflow/state"))["state"]["position"].endswith("-1"))
    stream.close()


def test_a_read_is_who_asks_and_one_statement_whatever_the_steps(
    operator: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = start(operator, *[f"k{n}" for n in range(150)])
    for query, statements in (
        ("state", 3),  # which run is the current one, too
        ("state/summary?workflow_id={run}", 2),
        ("steps?workflow_id={run}&attempts=true&limit=150", 2),
        ("steps?workflow_id={run}&step=k7", 2),
        ("trace?workflow_id={run}", 2),
        ("runs?limit=50", 2),
    ):
        with monkeypatch.context() as patch:
            counted = Statements(patch)
            assert operator.get(f"/workflow/{query.replace('{run}', run_id)}").status_code == 200
            assert len(counted.seen) == statements, query


def test_the_summary_holds_no_steps(operator: FlaskClient) -> None:
    run_id = start(operator)
    summary = document(operator.get(f"/workflow/state/summary?workflow_id={run_id}"))["summary"]
    assert (summary["active"], summary["total_steps"], summary["current_step"]) == (True, 2, 0)
    assert summary["step"]["key"] == "a"
    assert "steps" not in summary


def test_runs_are_listed_newest_first_in_pages(operator: FlaskClient) -> None:
    ids = [start(operator, workflow_id=f"run{n}") for n in range(5)]
    seen, cursor = [], ""
    while True:
        page = document(operator.get(f"/workflow/runs?limit=2{cursor}"))
        seen += [run["workflow_id"] for run in page["runs"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == ids[::-1]


def test_runs_are_filtered_and_searched(operator: FlaskClient, worker: Worker) -> None:
    start(operator, "a", workflow_id="done-1", name="Nightly 100%", template_id="night")
    operator.post("/workflow/start", json={
        "workflow_id": "gpu-1", "steps": [{"key": "a", "action": "test_ssh"}], "ssh": SSH})  # fmt: skip
    start(operator, "a", workflow_id="stopping-1")
    worker.run("done-1")
    worker.claim("stopping-1")
    operator.post("/workflow/stop", json={"workflow_id": "stopping-1"})

    def found(query: str) -> list[str]:
        return [run["workflow_id"] for run in document(operator.get(f"/workflow/runs?{query}"))["runs"]]

    assert found("status=completed") == ["done-1"]
    assert found("status=running") == ["stopping-1", "gpu-1"]
    assert found("status=completed&status=active") == ["stopping-1", "gpu-1", "done-1"]
    assert found("q=night") == ["done-1"]
    assert found("q=100%25") == ["done-1"]
    assert found("q=_") == []
    assert found("q=10.1.2") == ["gpu-1"]
    assert found("q=stopping&status=completed") == []
    assert found("template_id=night") == ["done-1"]
    assert found("host=10.1.2.3") == found("host=root@10.1.2.3:2838") == ["gpu-1"]
    assert found("created_by=operator") == ["stopping-1", "gpu-1", "done-1"]
    assert found("created_by=nobody") == []
    assert operator.get("/workflow/runs?status=flying").status_code == 400
    assert operator.get("/workflow/runs?limit=0").status_code == 400


def test_steps_come_in_pages_and_one_comes_whole(operator: FlaskClient, worker: Worker) -> None:
    run_id = start(operator, "a", "b", "c")
    worker.run(run_id)
    page = document(operator.get(f"/workflow/steps?workflow_id={run_id}&limit=2&attempts=1"))
    assert ([step["key"] for step in page["steps"]], page["next"]) == (["a", "b"], 2)
    assert page["steps"][0]["attempts"][0]["outcome"] == "completed"
    rest = document(operator.get(f"/workflow/steps?workflow_id={run_id}&cursor=2"))
    assert ([step["key"] for step in rest["steps"]], rest["next"]) == (["c"], None)
    one = document(operator.get(f"/workflow/steps?workflow_id={run_id}&step=a"))["step"]
    assert (one["params"], one["policy"]["on_failure"], one["attempts"][0]["worker"]) == ({}, "fail", "w1")
    assert operator.get(f"/workflow/steps?workflow_id={run_id}&step=z").status_code == 404


def test_the_definition_of_a_run_starts_the_same_again(operator: FlaskClient) -> None:
    sent = {
        "name": "Scan",
        "steps": [
            {"key": "a", "action": "work"},
            {"key": "b", "action": "work", "needs": ["a"], "delay_s": 3, "retry": {"max_attempts": 2}},
        ],
        "priority": 7,
    }
    run_id = document(operator.post("/workflow/start", json=sent))["workflow_id"]
    workflow = document(operator.get(f"/workflow/definition?workflow_id={run_id}"))["workflow"]
    assert {name: workflow[name] for name in sent} == sent
    again = document(operator.post("/workflow/start", json=workflow))["workflow_id"]
    assert document(operator.get(f"/workflow/definition?workflow_id={again}"))["workflow"]["steps"] == sent["steps"]
    assert operator.get("/workflow/definition?workflow_id=nobody").status_code == 404


def test_the_definition_of_a_run_shows_no_secret(operator: FlaskClient) -> None:
    sent = {"steps": [{"key": "a", "action": "work"}], "params": {"password": "hunter2-and-more"}}
    run_id = document(operator.post("/workflow/start", json=sent))["workflow_id"]
    answer = operator.get(f"/workflow/definition?workflow_id={run_id}")
    assert answer.status_code == 200
    assert "hunter2" not in answer.text


def test_logs_come_in_pieces_without_gaps(operator: FlaskClient, worker: Worker) -> None:
    run_id = start(operator, "a")
    lease = worker.claim(run_id)
    text = "".join(f"line {n} ünïcode\n" for n in range(40))
    pieces = [(at, "info", text[at : at + 50]) for at in range(0, len(text), 50)]
    worker.attempts.save_log(lease, pieces)
    read, after = "", 0
    while True:
        page = document(operator.get(f"/workflow/logs?workflow_id={run_id}&step=a&after={after}&limit=120"))
        if not page["pieces"]:
            break
        assert page["pieces"][0]["offset"] == after == len(read)
        read += "".join(piece["text"] for piece in page["pieces"])
        after = page["next"]
    assert read == text
    middle = document(operator.get(f"/workflow/logs?workflow_id={run_id}&after=77&limit=1"))
    assert middle["pieces"][0]["text"] == text[77:100]
    assert middle["next"] == 100


def test_a_log_downloads_as_a_text_attachment(operator: FlaskClient, worker: Worker) -> None:
    run_id = start(operator, "a")
    worker.attempts.save_log(worker.claim(run_id), [(0, "info", "<script>1</script>\n"), (19, "info", "\x1b[1mend")])
    answer = operator.get(f"/workflow/logs?workflow_id={run_id}&step=a&download=true")
    assert answer.text == "<script>1</script>\n\x1b[1mend"
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{run_id}-a-1.log"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_secret_never_leaves_in_a_log(operator: FlaskClient, worker: Worker) -> None:
    run_id = start(operator, "a")
    worker.attempts.save_log(worker.claim(run_id), [(0, "info", "token correct-horse-battery\n")])
    for query in ("", "&download=true"):
        answer = operator.get(f"/workflow/logs?workflow_id={run_id}{query}")
        assert "correct-horse" not in answer.text
    assert document(operator.get(f"/workflow/logs?workflow_id={run_id}"))["next"] == 28


def test_the_log_of_an_unknown_step_is_404_and_of_one_that_was_silent_empty(operator: FlaskClient) -> None:
    run_id = start(operator, "a")
    assert operator.get(f"/workflow/logs?workflow_id={run_id}&step=z").status_code == 404
    body = document(operator.get(f"/workflow/logs?workflow_id={run_id}&step=a"))
    assert (body["pieces"], body["next"], body["attempt"]) == ([], 0, 0)


def test_the_trace_tells_what_happened_in_order(operator: FlaskClient, worker: Worker) -> None:
    run_id = start(operator, "a")
    worker.run(run_id)
    page = document(operator.get(f"/workflow/trace?workflow_id={run_id}&limit=2"))
    assert [entry["kind"] for entry in page["trace"]] == ["started", "claimed"]
    rest = document(operator.get(f"/workflow/trace?workflow_id={run_id}&after={page['next']}"))
    assert [(e["kind"], e["key"], e["status"]) for e in rest["trace"]] == [("completed", "a", "completed")]
    assert rest["next"] is None


@pytest.mark.parametrize("path", ["steps", "logs", "trace"])
def test_an_unknown_run_is_404(path: str, operator: FlaskClient) -> None:
    answer = operator.get(f"/workflow/{path}?workflow_id=nobody&step=a")
    assert (answer.status_code, document(answer)["code"]) == (404, "unknown_run")


def test_the_settings_of_clients(viewer: FlaskClient) -> None:
    body = document(viewer.get("/config/workflow", headers={"Host": "box:8400"}))
    assert (body["workflow_step_delay"], body["poll_interval"], body["max_history"], body["cleanup_delay"]) == (
        5,
        2,
        50,
        30,
    )
    assert body["relay"] == {"url": "http://box:8401", "port": 8401}


def test_the_actions_have_a_schema_of_their_parameters(viewer: FlaskClient) -> None:
    listed = {entry["name"]: entry for entry in document(viewer.get("/workflow/actions"))["actions"]}
    nodes = listed["ssh.install_custom_nodes"]
    assert (nodes["role"], nodes["needs_host"], nodes["idempotent"], nodes["queue"]) == (
        "operator",
        True,
        True,
        "default",
    )
    assert nodes["parameters"]["required"] == ["repositories", "directory"]
    assert nodes["summary"]


def test_the_actions_name_what_the_settings_fill_in_but_not_with_what(
    services: Services, token_of: Callable[[Role], str]
) -> None:
    settings = services.settings.model_copy(
        update={"action_defaults": {"install_custom_nodes": {"repositories": ["https://private"], "directory": "~"}}}
    )
    client = create_app(replace(services, settings=settings)).test_client()
    answer = client.get("/workflow/actions", headers={"Authorization": f"Bearer {token_of(Role.VIEWER)}"})
    preset = {entry["name"]: entry["preset"] for entry in document(answer)["actions"]}
    assert preset["ssh.install_custom_nodes"] == ["directory", "repositories"]
    assert preset["work"] == []
    assert "private" not in answer.text


def test_every_view_is_described(app: Flask, viewer: FlaskClient) -> None:
    paths = document(viewer.get("/openapi.json"))["paths"]
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(("/workflow", "/config", "/ssh")):
            described = paths[rule.rule.replace("<", "{").replace(">", "}")]
            assert all(operation["summary"] for operation in described.values())


def test_a_search_reads_a_bounded_part_of_the_history_at_a_time(
    operator: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries_runs, "SEARCHED", 2)
    for number in range(5):
        start(operator, "a", workflow_id=f"run{number}", name="rare" if number in (0, 4) else "other")
    seen, sizes, cursor = [], [], ""
    while True:
        page = document(operator.get(f"/workflow/runs?q=rare{cursor}"))
        seen += [run["workflow_id"] for run in page["runs"]]
        sizes.append(len(page["runs"]))
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == ["run4", "run0"]
    assert sizes == [1, 0, 1]


def test_large_answers_are_compressed_for_clients_that_take_gzip(operator: FlaskClient) -> None:
    steps = [{"key": f"s{n}", "action": "work"} for n in range(40)]
    operator.post("/workflow/start", json={"workflow_id": "big", "steps": steps})
    plain = operator.get("/workflow/state?workflow_id=big")
    small = operator.get("/workflow/state?workflow_id=big", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in small.headers["Vary"]
    assert len(small.data) < len(plain.data) / 3
    assert json.loads(gzip.decompress(small.data))["state"]["total_steps"] == 40
