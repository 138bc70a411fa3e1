"""The list of runs as pages poll it, the counts beside it, and how long runs take."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from api.services import Services
from orchestration.core.decide import Failed, Snoozed, StepError
from orchestration.engine import queries_runs
from orchestration.engine.locks import Locks
from orchestration.gates.gate import GateRequest
from schemas.answers.runs import CountsAnswer, DurationsAnswer, RunsAnswer
from schemas.flow import LockSpec
from schemas.statuses import WaitReason
from tests.api.workflow.conftest import Worker
from tests.api.workflow.test_controls import start
from tests.api.workflow.test_start import document


def listed(client: FlaskClient, query: str = "") -> list[Any]:
    body = document(client.get(f"/workflow/runs?{query}"))
    RunsAnswer.model_validate(body)
    runs: list[Any] = body["runs"]
    return runs


def move(services: Services, run_id: str, started: str, ended: str | None = None) -> None:
    services.database.execute(
        "UPDATE runs SET created_at = %s, ended_at = coalesce(%s, ended_at) WHERE public_id = %s",
        started,
        ended,
        run_id,
    )


def test_a_run_of_the_list_shows_its_step_in_hand_with_its_percent(operator: FlaskClient, worker: Worker) -> None:
    run_id = start(operator, "a", "b")
    assert listed(operator)[0]["step"] == {
        "index": 0, "key": "a", "label": "a", "status": "pending", "waiting_for": None, "until": None,
        "waiting_on": None, "percent": None,
    }  # fmt: skip
    worker.run(run_id)
    lease = worker.claim(run_id, 1)
    worker.attempts.save_progress(lease, {"type": "percentage", "percent": 42.5})
    step = listed(operator)[0]["step"]
    assert (step["key"], step["status"], step["percent"]) == ("b", "in_progress", 42.5)
    worker.finish(lease, Snoozed(WaitReason.SIGNAL, None))
    step = listed(operator)[0]["step"]
    assert (step["key"], step["status"], step["waiting_for"], step["percent"]) == ("b", "pending", "signal", None)


def test_a_run_of_the_list_names_what_it_waits_on(operator: FlaskClient, worker: Worker) -> None:
    holder, waiter = start(operator, "a"), start(operator, "a")
    request = GateRequest("step", 5, 60, locks=(LockSpec(name="file:/" + "x" * 250),))
    locks = Locks(worker.attempts)
    for run_id in (holder, waiter):
        locks.acquire(worker.claim(run_id), request)
    shown = {run["workflow_id"]: run["step"] for run in listed(operator)}
    assert (shown[holder]["waiting_for"], shown[holder]["waiting_on"]) == (None, None)
    assert (shown[waiter]["waiting_for"], shown[waiter]["waiting_on"][:15]) == ("lock", "lock:file:/xxxx")
    assert len(shown[waiter]["waiting_on"]) == 200


def test_a_finished_run_shows_only_the_step_it_failed_at(operator: FlaskClient, worker: Worker) -> None:
    good, bad = start(operator, "a"), start(operator, "x", "y")
    worker.run(good)
    worker.run(bad, 0, Failed(StepError("broken", "it broke")))
    shown = {run["workflow_id"]: run["step"] for run in listed(operator)}
    assert shown[good] is None
    assert (shown[bad]["key"], shown[bad]["status"]) == ("x", "failed")


def test_the_step_in_hand_of_a_long_run_is_found_behind_those_that_ended(
    operator: FlaskClient, services: Services, worker: Worker
) -> None:
    run_id = start(operator, *(f"s{n}" for n in range(700)))
    services.database.execute(
        "WITH ended AS (UPDATE steps SET status = 'completed', blocked_by = 0, released = true, due_at = NULL, "
        "ended_at = now() WHERE position < 600 RETURNING 1), next AS ("
        "UPDATE steps SET status = 'ready', blocked_by = 0, due_at = now() WHERE position = 600) "
        "UPDATE runs SET completed = 600, pending = 99"
    )
    assert listed(operator)[0]["step"]["key"] == "s600"
    worker.claim(run_id, 600)
    assert listed(operator)[0]["step"]["status"] == "in_progress"


def test_runs_are_found_by_the_time_of_their_start(operator: FlaskClient, services: Services) -> None:
    for day in range(1, 10):
        start(operator, "a", workflow_id=f"day{day}", template_id="odd" if day % 2 else "even")
        move(services, f"day{day}", f"2026-03-0{day}T12:00:00Z")

    def found(after: str = "", before: str = "", more: str = "") -> list[str]:
        times = "".join(
            f"&started_{name}={quote(value)}" for name, value in (("after", after), ("before", before)) if value
        )
        return [run["workflow_id"] for run in listed(operator, f"{more}{times}")]

    assert found("2026-03-08T12:00:00Z") == ["day9", "day8"]
    assert found("2026-03-08T12:00:00.001Z") == ["day9"]
    assert found("2026-03-10") == []
    assert found(before="2026-03-02T12:00:00Z") == ["day1"]
    assert found(before="2026-03-02T12:00:01") == ["day2", "day1"]
    assert found("2026-03-03T14:00:00+02:00", "2026-03-05T12:00:00+00:00") == ["day4", "day3"]
    assert found("2026-03-03", "2026-03-07", "status=running&status=completed") == ["day6", "day5", "day4", "day3"]
    assert found("2026-03-03", "2026-03-07", "template_id=odd") == ["day5", "day3"]
    assert found("2026-03-03", "2026-03-07", "created_by=operator&q=day4") == ["day4"]
    assert operator.get("/workflow/runs?started_after=noon").status_code == 400


def test_without_any_run_nothing_started_at_any_time(operator: FlaskClient) -> None:
    assert listed(operator, "started_after=2026-03-01&started_before=2026-04-01") == []


def test_a_list_that_is_known_is_304_until_something_changes(operator: FlaskClient, worker: Worker) -> None:
    run_id = start(operator, "a", "b")
    first = operator.get("/workflow/runs")
    again = operator.get("/workflow/runs", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    lease = worker.claim(run_id)
    tag = operator.get("/workflow/runs").headers["ETag"]
    assert tag != first.headers["ETag"]
    worker.attempts.save_progress(lease, {"type": "percentage", "percent": 7})
    changed = operator.get("/workflow/runs", headers={"If-None-Match": tag})
    assert document(changed)["runs"][0]["step"]["percent"] == 7


def test_runs_are_counted_by_status(operator: FlaskClient, services: Services, worker: Worker) -> None:
    for name in ("done", "old", "broken", "stopping", "waiting"):
        start(operator, "a", workflow_id=name)
    worker.run("done")
    worker.run("old")
    move(services, "old", "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z")
    worker.run("broken", 0, Failed(StepError("broken", "it broke")))
    worker.claim("stopping")
    operator.post("/workflow/stop", json={"workflow_id": "stopping"})
    operator.post("/workflow/pause", json={"workflow_id": "waiting"})
    counted = CountsAnswer.model_validate(document(operator.get("/workflow/runs/counts")))
    assert counted.counts.model_dump() == {
        "pending": 0, "running": 1, "paused": 1, "completed": 1, "failed": 1, "cancelled": 0,
    }  # fmt: skip
    assert (counted.ended_within_s, counted.at_most) == (86_400, 10_000)


def test_counts_that_are_bounded_say_over_which_time(
    operator: FlaskClient, services: Services, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries_runs, "COUNTED", 2)
    for number in range(3):
        start(operator, "a", workflow_id=f"open{number}")
        worker.run(start(operator, "a", workflow_id=f"done{number}"))
    hour_ago = datetime.now(UTC).timestamp() - 3600
    for number in range(3):
        ended = datetime.fromtimestamp(hour_ago + number * 60, UTC).isoformat()
        move(services, f"done{number}", ended, ended)
    counted = CountsAnswer.model_validate(document(operator.get("/workflow/runs/counts")))
    assert (counted.counts.running, counted.counts.completed) == (2, 2)
    assert counted.ended_within_s == pytest.approx(3540, abs=30)


def ran(services: Services, worker: Worker, client: FlaskClient, took_s: dict[str, int], **fields: Any) -> str:
    """A run that completed, with steps that took so long."""
    run_id = start(client, *took_s, **fields)
    for position, (key, seconds) in enumerate(took_s.items()):
        worker.run(run_id, position)
        services.database.execute(
            "UPDATE steps SET ended_at = started_at + make_interval(secs => %s) WHERE key = %s AND run_id = "
            "(SELECT id FROM runs WHERE public_id = %s)",
            seconds,
            key,
            run_id,
        )
    services.database.execute(
        "UPDATE runs SET ended_at = created_at + make_interval(secs => %s) WHERE public_id = %s",
        sum(took_s.values()),
        run_id,
    )
    return run_id


def test_durations_are_medians_of_runs_that_are_alike(
    operator: FlaskClient, services: Services, worker: Worker
) -> None:
    for seconds in (10, 20, 90):
        ran(services, worker, operator, {"a": seconds, "b": 1}, template_id="deploy")
    ran(services, worker, operator, {"a": 500, "b": 500}, template_id="other")
    failed = start(operator, "a", "b", template_id="deploy")
    worker.run(failed, 0, Failed(StepError("broken", "it broke")))
    run_id = start(operator, "a", "b", template_id="deploy")
    answer = document(operator.get(f"/workflow/durations?workflow_id={run_id}"))
    DurationsAnswer.model_validate(answer)
    assert answer == {
        "success": True, "workflow_id": run_id, "samples": 3, "run_ms": 21_000, "steps": {"a": 20_000, "b": 1_000},
    }  # fmt: skip


def test_without_a_template_runs_of_the_same_name_and_length_are_alike(
    operator: FlaskClient, services: Services, worker: Worker
) -> None:
    ran(services, worker, operator, {"a": 10}, name="Nightly")
    ran(services, worker, operator, {"a": 70, "b": 1}, name="Nightly")
    ran(services, worker, operator, {"a": 90}, name="Weekly")
    run_id = start(operator, "a", name="Nightly")
    answer = document(operator.get(f"/workflow/durations?workflow_id={run_id}"))
    assert (answer["samples"], answer["run_ms"], answer["steps"]) == (1, 10_000, {"a": 10_000})
    alone = document(operator.get(f"/workflow/durations?workflow_id={start(operator, 'a', name='First')}"))
    assert (alone["samples"], alone["run_ms"], alone["steps"]) == (0, None, {})
    assert operator.get("/workflow/durations?workflow_id=nobody").status_code == 404
