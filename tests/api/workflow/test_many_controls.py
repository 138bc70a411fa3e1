"""One control of many runs: each for itself."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from api.services import Services
from orchestration.core.decide import Failed, StepError
from orchestration.engine.runs import Runs
from orchestration.errors import StoreRefused, StoreUnavailable
from orchestration.store.accounts import list_audit
from schemas.answers.controls import ControlledManyAnswer, ControlledRun
from tests.api.workflow.conftest import Worker
from tests.api.workflow.test_controls import start
from tests.api.workflow.test_start import document, state_of


def control(client: FlaskClient, name: str, *run_ids: str) -> dict[str, ControlledRun]:
    body = document(client.post("/workflow/control/many", json={"control": name, "workflow_ids": run_ids}))
    return {run.workflow_id: run for run in ControlledManyAnswer.model_validate(body).runs}


def test_each_run_is_controlled_for_itself(operator: FlaskClient, worker: Worker) -> None:
    done, waiting, working = start(operator, "a"), start(operator, "a"), start(operator, "a")
    worker.run(done)
    worker.claim(working)
    runs = control(operator, "stop", done, "nobody", waiting, working)
    assert list(runs) == [done, "nobody", waiting, working]
    assert (runs[done].success, runs[done].code) == (False, "illegal_control")
    assert "completed" in runs[done].message
    assert (runs["nobody"].success, runs["nobody"].code) == (False, "unknown_run")
    assert (runs[waiting].success, runs[waiting].status) == (True, "cancelled")
    assert (runs[working].status, runs[working].message) == ("running", f"workflow {working}: stopping")
    assert state_of(operator, working)["stopping"]


def test_pause_resume_and_retry_of_many(operator: FlaskClient, worker: Worker) -> None:
    runs = [start(operator, "a") for _ in range(3)]
    assert {run.status for run in control(operator, "pause", *runs).values()} == {"paused"}
    assert {run.status for run in control(operator, "resume", *runs).values()} == {"running"}
    for run_id in runs:
        worker.run(run_id, 0, Failed(StepError("broken", "it broke")))
    assert {run.status for run in control(operator, "retry", *runs).values()} == {"running"}


def test_a_run_named_twice_is_controlled_once(operator: FlaskClient) -> None:
    run_id = start(operator, "a")
    runs = document(
        operator.post("/workflow/control/many", json={"control": "pause", "workflow_ids": [run_id, run_id]})
    )["runs"]
    assert [run["success"] for run in runs] == [True]


def test_each_run_is_on_the_audit_record(operator: FlaskClient, services: Services) -> None:
    run_id = start(operator, "a")
    control(operator, "pause", run_id, "nobody")
    records = {record.target: record for record in list_audit(services.database, limit=2)}
    assert (records[run_id].action, records[run_id].outcome, records[run_id].actor) == (
        "workflow.pause",
        "done",
        "operator",
    )
    assert (records["nobody"].outcome, records["nobody"].detail) == ("refused", {"of": 2, "code": "unknown_run"})


def raise_at(monkeypatch: pytest.MonkeyPatch, errors: dict[int, Exception]) -> list[str]:
    """Have pauses fail, counted from 1; answers the runs that were tried."""
    tried: list[str] = []
    original = Runs.pause

    def pause(runs: Runs, run_id: str, actor: Any) -> Any:
        tried.append(run_id)
        if len(tried) in errors:
            raise errors[len(tried)]
        return original(runs, run_id, actor)

    monkeypatch.setattr(Runs, "pause", pause)
    return tried


def test_when_the_database_is_away_the_rest_is_not_tried(
    operator: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_ids = [start(operator, "a") for _ in range(4)]
    away = StoreUnavailable("postgresql://user:secret@db is away")
    tried = raise_at(monkeypatch, {2: away, 3: away})
    runs = control(operator, "pause", *run_ids)
    assert tried == run_ids[:3]
    assert [run.success for run in runs.values()] == [True, False, False, False]
    assert "not known" in runs[run_ids[1]].message
    assert "not tried" in runs[run_ids[3]].message


def test_a_run_that_is_locked_or_broken_stops_no_other_and_all_are_recorded(
    operator: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_ids = [start(operator, "a") for _ in range(4)]
    raise_at(monkeypatch, {1: StoreUnavailable("lock timeout"), 3: StoreRefused("secret")})
    runs = control(operator, "pause", *run_ids)
    assert [run.success for run in runs.values()] == [False, True, False, True]
    assert "secret" not in runs[run_ids[2]].message
    recorded = {record.target: record.outcome for record in list_audit(services.database, limit=4)}
    assert [recorded[run_id] for run_id in run_ids] == ["failed", "done", "failed", "done"]


@pytest.mark.parametrize(
    "body",
    [
        {"control": "skip", "workflow_ids": ["a"]},
        {"control": "stop", "workflow_ids": []},
        {"control": "stop", "workflow_ids": [f"r{n}" for n in range(101)]},
        {"control": "stop", "workflow_ids": ["a b"]},
        {"control": "stop"},
    ],
)
def test_what_cannot_be_meant_is_refused_as_a_whole(body: dict[str, Any], operator: FlaskClient) -> None:
    assert operator.post("/workflow/control/many", json=body).status_code == 400


def test_a_viewer_controls_nothing(viewer: FlaskClient, operator: FlaskClient) -> None:
    run_id = start(operator, "a")
    answer = viewer.post("/workflow/control/many", json={"control": "stop", "workflow_ids": [run_id]})
    assert answer.status_code == 403
    assert state_of(operator, run_id)["status"] == "running"
