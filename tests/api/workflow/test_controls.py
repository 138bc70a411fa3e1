from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from api.services import Services
from orchestration.core.decide import Cancelled, Failed, Snoozed, StepError
from orchestration.store.accounts import list_audit
from schemas.statuses import WaitReason
from tests.api.workflow.conftest import Worker
from tests.api.workflow.test_start import document, state_of

BROKEN = Failed(StepError("broken", "it broke"), permanent=True)
CONTROLS = ("stop", "pause", "resume", "retry", "restart", "skip", "signal")


def start(client: FlaskClient, *keys: str, **fields: Any) -> str:
    steps = [{"key": key, "action": "wait_for_signal" if key == "approve" else "work"} for key in keys or ("a", "b")]
    return str(document(client.post("/workflow/start", json={"steps": steps, **fields}))["workflow_id"])


def test_stop_cancels_at_once_what_has_not_begun(operator: FlaskClient) -> None:
    run_id = start(operator)
    answer = operator.post("/workflow/stop", json={"workflow_id": run_id})
    body = document(answer)
    assert (answer.status_code, body["success"], body["status"]) == (200, True, "cancelled")
    assert state_of(operator, run_id)["status"] == "cancelled"


def test_stop_reads_stopping_until_the_work_has_stopped(operator: FlaskClient, worker: Worker) -> None:
    run_id = start(operator)
    lease = worker.claim(run_id)
    body = document(operator.post("/workflow/stop"))
    assert (body["status"], body["stopping"], body["active"]) == ("running", True, True)
    worker.finish(lease, Cancelled())
    assert state_of(operator, run_id)["status"] == "cancelled"


def test_stop_is_404_when_nothing_is_active(operator: FlaskClient) -> None:
    answer = operator.post("/workflow/stop")
    assert (answer.status_code, document(answer)["success"]) == (404, False)
    run_id = start(operator)
    operator.post("/workflow/stop")
    assert operator.post("/workflow/stop", json={"workflow_id": run_id}).status_code == 404
    assert operator.post("/workflow/stop").status_code == 404


@pytest.mark.parametrize("control", CONTROLS)
def test_an_empty_body_means_the_current_run_and_none_is_404(control: str, operator: FlaskClient) -> None:
    bodies: list[dict[str, Any]] = [{}, {"data": ""}, {"json": {}}, {"content_type": "application/json"}]
    for sent in bodies:
        answer = operator.post(f"/workflow/{control}", **sent)
        assert (answer.status_code, document(answer)["success"]) == (404, False)


@pytest.mark.parametrize("control", [*CONTROLS, "fork"])
def test_an_unknown_run_is_404(control: str, operator: FlaskClient) -> None:
    answer = operator.post(f"/workflow/{control}", json={"workflow_id": "nobody", "step": "a"})
    body = document(answer)
    assert (answer.status_code, body["code"], body["where"]) == (404, "unknown_run", "/workflow_id")
    assert body["mend"]


def test_pause_and_resume_say_whether_it_was_possible(operator: FlaskClient) -> None:
    run_id = start(operator)
    assert document(operator.post("/workflow/pause"))["status"] == "paused"
    again = operator.post("/workflow/pause", json={"workflow_id": run_id})
    assert (again.status_code, document(again)["success"]) == (409, False)
    assert "paused" in document(again)["message"]
    assert state_of(operator, run_id)["active"] is True
    assert document(operator.post("/workflow/resume"))["status"] == "running"
    assert operator.post("/workflow/resume").status_code == 409


def test_a_finished_run_cannot_be_paused(operator: FlaskClient, worker: Worker) -> None:
    run_id = start(operator, "a")
    worker.run(run_id)
    answer = operator.post("/workflow/pause", json={"workflow_id": run_id})
    assert (answer.status_code, document(answer)["code"]) == (409, "illegal_control")


def test_retry_runs_what_failed_again(operator: FlaskClient, worker: Worker) -> None:
    run_id = start(operator)
    worker.run(run_id, 0)
    worker.run(run_id, 1, BROKEN)
    assert document(operator.post("/workflow/retry"))["status"] == "running"
    state = state_of(operator, run_id)
    assert [step["status"] for step in state["steps"]] == ["completed", "pending"]


@pytest.mark.parametrize("step", ["a", 0])
def test_retry_from_a_step_by_key_or_index(step: str | int, operator: FlaskClient, worker: Worker) -> None:
    run_id = start(operator)
    worker.run(run_id, 0)
    worker.run(run_id, 1)
    answer = operator.post("/workflow/retry", json={"workflow_id": run_id, "step": step})
    assert answer.status_code == 200
    assert [s["status"] for s in state_of(operator, run_id)["steps"]] == ["pending", "pending"]


@pytest.mark.parametrize("step", ["zzz", 7])
def test_an_unknown_step_is_404(step: str | int, operator: FlaskClient, worker: Worker) -> None:
    run_id = start(operator, "a")
    worker.run(run_id)
    answer = operator.post("/workflow/retry", json={"workflow_id": run_id, "step": step})
    assert (answer.status_code, document(answer)["code"]) == (404, "unknown_step")


def test_restart_begins_anew_as_another_run(operator: FlaskClient, worker: Worker) -> None:
    run_id = start(operator, "a")
    worker.run(run_id)
    body = document(operator.post("/workflow/restart", json={"workflow_id": run_id, "new_workflow_id": "again"}))
    assert body["workflow_id"] == "again"
    assert state_of(operator, "again")["forked_from"] == run_id
    assert state_of(operator, run_id)["status"] == "completed"


def test_fork_keeps_what_came_before(operator: FlaskClient, worker: Worker, services: Services) -> None:
    run_id = start(operator)
    worker.run(run_id, 0)
    worker.run(run_id, 1)
    body = document(operator.post("/workflow/fork", json={"workflow_id": run_id, "step": "b", "params": {"size": 9}}))
    forked = body["workflow_id"]
    assert [step["status"] for step in state_of(operator, forked)["steps"]] == ["completed", "pending"]
    assert services.queries.step(forked, "b")["params"] == {"size": 9}


def test_fork_needs_a_step(operator: FlaskClient) -> None:
    run_id = start(operator)
    answer = operator.post("/workflow/fork", json={"workflow_id": run_id})
    assert (answer.status_code, document(answer)["where"]) == (400, "/step")


def test_fork_with_bad_parameters_makes_no_run(operator: FlaskClient, worker: Worker, services: Services) -> None:
    run_id = start(operator, "a")
    worker.run(run_id)
    answer = operator.post("/workflow/fork", json={"workflow_id": run_id, "step": "a", "params": {"size": "x"}})
    assert (answer.status_code, document(answer)["code"]) == (400, "invalid_workflow")
    assert services.database.call("SELECT count(*) FROM runs") == 1


def test_skip_takes_the_step_in_hand_unless_one_is_named(operator: FlaskClient) -> None:
    run_id = start(operator, "a", "b", "c")
    operator.post("/workflow/skip", json={"step": "b"})
    operator.post("/workflow/skip")
    assert [step["status"] for step in state_of(operator, run_id)["steps"]] == ["skipped", "skipped", "pending"]


def test_a_failed_step_can_be_skipped_by_an_empty_body(operator: FlaskClient, worker: Worker) -> None:
    run_id = start(operator)
    worker.run(run_id, 0, BROKEN)
    assert document(operator.post("/workflow/skip"))["status"] == "running"
    assert [step["status"] for step in state_of(operator, run_id)["steps"]] == ["skipped", "pending"]


def test_a_signal_reaches_the_step_that_waits_for_it_once(operator: FlaskClient, worker: Worker) -> None:
    run_id = start(operator, "approve")
    worker.run(run_id, 0, Snoozed(WaitReason.SIGNAL, None))
    assert operator.post("/workflow/signal", json={"payload": {"approved": True}}).status_code == 200
    assert worker.claim(run_id).signal == {"approved": True}
    again = operator.post("/workflow/signal", json={"step": "approve"})
    assert (again.status_code, document(again)["code"]) == (409, "illegal_control")


def test_a_step_that_takes_no_signal_refuses_one(operator: FlaskClient) -> None:
    start(operator, "a")
    answer = operator.post("/workflow/signal", json={"step": "a"})
    assert 400 <= answer.status_code < 500
    assert document(answer)["mend"]


def test_a_viewer_may_not_control(viewer: FlaskClient, operator: FlaskClient) -> None:
    run_id = start(operator)
    for control in (*CONTROLS, "fork"):
        answer = viewer.post(f"/workflow/{control}", json={"workflow_id": run_id, "step": "a"})
        assert answer.status_code == 403
    assert state_of(viewer, run_id)["status"] == "running"


def test_controls_are_recorded_with_run_and_outcome(operator: FlaskClient, services: Services) -> None:
    run_id = start(operator)
    operator.post("/workflow/pause")
    operator.post("/workflow/pause")
    found = [(r.action, r.target, r.outcome) for r in list_audit(services.database)]
    # The second pause names nothing, and means the paused run: it is still the current one.
    assert found[0][0::2] == ("workflow.pause", "refused")
    assert found[1:] == [("workflow.pause", run_id, "done"), ("workflow.start", run_id, "done")]


def test_delete_state_archives_a_finished_run_only(operator: FlaskClient, worker: Worker) -> None:
    assert operator.delete("/workflow/state").status_code == 200
    run_id = start(operator, "a")
    refused = operator.delete("/workflow/state")
    assert (refused.status_code, document(refused)["code"]) == (409, "run_active")
    worker.run(run_id)
    assert document(operator.get("/workflow/state"))["state"]["workflow_id"] == run_id
    assert operator.delete("/workflow/state").status_code == 200
    assert document(operator.get("/workflow/state"))["state"] is None
    assert state_of(operator, run_id)["status"] == "completed"
