from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.blueprints import ssh as ssh_views
from api.services import Services
from orchestration.core.decide import Failed, StepError, Succeeded
from tests.api.workflow.conftest import SSH, Worker
from tests.api.workflow.test_start import document, state_of

WORKFLOW: dict[str, Any] = {"name": "Two steps", "steps": [{"key": "a", "action": "work", "params": {"size": 3}}]}


def test_a_template_is_kept_shown_replaced_and_listed(operator: FlaskClient, viewer: FlaskClient) -> None:
    for name in ("b", "a", "c"):
        assert operator.put(f"/workflow/templates/{name}", json=WORKFLOW).status_code == 200
    kept = document(viewer.get("/workflow/templates/a"))["template"]
    assert kept["workflow"] == WORKFLOW
    assert (kept["name"], kept["updated_by"]) == ("Two steps", "operator")
    operator.put("/workflow/templates/a", json={**WORKFLOW, "name": "Other"})
    page = document(viewer.get("/workflow/templates?limit=2"))
    assert [(t["template_id"], t["name"], t["total_steps"]) for t in page["templates"]] == [
        ("a", "Other", 1),
        ("b", "Two steps", 1),
    ]
    rest = document(viewer.get(f"/workflow/templates?cursor={page['next']}"))
    assert ([t["template_id"] for t in rest["templates"]], rest["next"]) == (["c"], None)


def test_a_template_needs_no_host_and_takes_short_names(operator: FlaskClient) -> None:
    answer = operator.put("/workflow/templates/t", json={"steps": [{"key": "a", "action": "test_ssh"}]})
    assert document(answer)["template"]["workflow"]["steps"][0]["action"] == "ssh.test_ssh"


@pytest.mark.parametrize(
    ("sent", "status", "where"),
    [
        ({}, 400, "/steps"),
        ({"steps": []}, 400, "/steps"),
        ({"steps": [{"key": "a", "action": "fly"}]}, 400, "/steps/0/action"),
        ({"steps": [{"key": "a", "action": "work", "params": {"size": "x"}}]}, 400, "/steps/0/params/size"),
        ({"steps": [{"key": "a", "action": "work", "needs": ["z"]}]}, 400, "/steps"),
        ({"steps": [{"key": "a", "action": "rooted"}]}, 403, "/steps/0/action"),
        ({"steps": [{"key": "a", "action": "work", "params": {"note": "correct-horse-battery"}}]}, 400, "/steps"),
        ({"steps": [{"key": "a", "action": "work", "params": {"note": "u:[redacted]@host"}}]}, 400, "/steps"),
        ({"steps": [{"key": "a", "action": "work"}], "password": "x"}, 400, "/password"),
    ],
)
def test_a_bad_template_is_refused(
    sent: dict[str, Any], status: int, where: str, operator: FlaskClient, services: Services
) -> None:
    answer = operator.put("/workflow/templates/t", json=sent)
    assert (answer.status_code, document(answer)["where"][: len(where)]) == (status, where), answer.text
    assert services.database.call("SELECT count(*) FROM templates") == 0


def test_an_unknown_template_and_a_viewer_who_writes_are_refused(viewer: FlaskClient) -> None:
    assert viewer.get("/workflow/templates/none").status_code == 404
    assert viewer.put("/workflow/templates/t", json=WORKFLOW).status_code == 403


def worker_for(services: Services, worker: Worker, run_id: str, outcome: Any = None) -> threading.Thread:
    def work() -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            lease = worker.attempts.claim(run_id, 0, "w1")
            if lease is not None:
                return worker.finish(lease, outcome)
            time.sleep(0.02)
        return None

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("path", ["test-ssh", "test_ssh"])
def test_an_ssh_action_waits_for_its_result(
    path: str, operator: FlaskClient, services: Services, worker: Worker
) -> None:
    done = Succeeded({"message": "connected", "details": {"hostname": "gpu"}})
    thread = worker_for(services, worker, "one", done)
    answer = operator.post(f"/ssh/{path}", json={"ssh_connection": SSH, "workflow_id": "one", "other": 1})
    thread.join()
    body = document(answer)
    assert answer.status_code == 200
    assert (body["success"], body["message"], body["details"]) == (True, "connected", {"hostname": "gpu"})
    assert (body["workflow_id"], body["status"]) == ("one", "completed")


def test_a_failed_ssh_action_says_why(operator: FlaskClient, services: Services, worker: Worker) -> None:
    broken = Failed(StepError("refused", "connection refused"), permanent=True)
    thread = worker_for(services, worker, "one", broken)
    body = document(operator.post("/ssh/test-ssh", json={"ssh_connection": SSH, "workflow_id": "one"}))
    thread.join()
    assert (body["success"], body["message"], body["error"]["code"]) == (False, "connection refused", "refused")


def test_an_ssh_action_that_takes_longer_is_202_with_the_id(operator: FlaskClient) -> None:
    answer = operator.post("/ssh/test-ssh", json={"ssh_connection": SSH, "wait": 0.1})
    body = document(answer)
    assert (answer.status_code, body["success"], body["status"]) == (202, True, "running")
    assert state_of(operator, body["workflow_id"])["total_steps"] == 1


def test_when_many_wait_the_next_is_answered_at_once(
    app: Flask, operator: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_views, "WAITING", threading.BoundedSemaphore(1))
    ssh_views.WAITING.acquire()
    begun = time.monotonic()
    assert operator.post("/ssh/test-ssh", json={"ssh_connection": SSH}).status_code == 202
    assert time.monotonic() - begun < 5


def test_parameters_of_an_ssh_action_stand_in_params_or_beside(operator: FlaskClient, services: Services) -> None:
    sent = {"ssh_connection": SSH, "wait": 0, "repositories": [], "params": {"directory": "d"}, "workflow_id": "one"}
    assert operator.post("/ssh/install-custom-nodes", json=sent).status_code == 202
    step = services.queries.step("one", "install_custom_nodes")
    assert step["params"] == {"repositories": [], "directory": "d"}


@pytest.mark.parametrize(
    ("path", "sent", "status", "where"),
    [
        ("fly", {"ssh_connection": SSH}, 404, "action"),
        ("work", {"ssh_connection": SSH}, 404, "action"),
        ("test-ssh", {}, 400, "/ssh"),
        ("test-ssh", {"ssh_connection": "root:hunter22@h"}, 400, "/ssh_connection"),
        ("test-ssh", {"ssh_connection": SSH, "password": "hunter22"}, 400, "/password"),
        ("test-ssh", {"ssh_connection": SSH, "wait": 121}, 400, "/wait"),
        ("install-custom-nodes", {"ssh_connection": SSH}, 400, "/steps/0/params"),
    ],
)
def test_a_bad_ssh_request_is_refused(
    path: str, sent: dict[str, Any], status: int, where: str, operator: FlaskClient, services: Services
) -> None:
    answer = operator.post(f"/ssh/{path}", json=sent)
    assert (answer.status_code, document(answer)["where"]) == (status, where), answer.text
    assert "hunter22" not in answer.text
    assert services.database.call("SELECT count(*) FROM runs") == 0


def test_a_step_of_a_run_can_be_started_alone_on_the_same_host(operator: FlaskClient, worker: Worker) -> None:
    steps = [
        {"key": "nodes", "action": "ssh.install_custom_nodes", "label": "Nodes",
         "params": {"repositories": ["https://example.com/a"], "directory": "{{ params.dir }}"}},
        {"key": "after", "action": "work"},
    ]  # fmt: skip
    sent = {"workflow_id": "whole", "steps": steps, "ssh": SSH, "params": {"dir": "/opt"}}
    assert operator.post("/workflow/start", json=sent).status_code == 200
    step = document(operator.get("/workflow/steps?workflow_id=whole&step=nodes"))["step"]
    state = document(operator.get("/workflow/state?workflow_id=whole"))["state"]
    alone = {
        "workflow_id": "alone", "name": "Nodes, alone", "ssh": state["ssh"], "params": state["params"],
        "steps": [{name: step[name] for name in ("key", "action", "label", "params")}],
    }  # fmt: skip
    busy = operator.post("/workflow/start", json=alone)
    assert (busy.status_code, document(busy)["code"]) == (409, "run_active")
    operator.post("/workflow/stop", json={"workflow_id": "whole"})
    assert operator.post("/workflow/start", json=alone).status_code == 200
    lease = worker.claim("alone")
    assert (lease.action, lease.params["directory"], lease.run_params) == (
        "ssh.install_custom_nodes", "{{ params.dir }}", {"dir": "/opt"},
    )  # fmt: skip


def test_a_step_that_reads_another_cannot_be_started_alone_and_is_told_which(operator: FlaskClient) -> None:
    step = {"key": "report", "action": "work", "params": {"note": "{{ steps.scan.result.files }}"}}
    answer = operator.post("/workflow/start", json={"name": "alone", "steps": [step]})
    assert answer.status_code == 400
    assert "'scan'" in document(answer)["message"]
