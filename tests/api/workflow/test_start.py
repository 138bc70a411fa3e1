from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.services import Services
from tests.api.workflow.conftest import SSH, Worker

OLD: dict[str, Any] = {
    "workflow_id": "workflow_1763700000000_ab12",
    "steps": [
        {"index": 0, "action": "test_ssh", "label": "Test SSH", "status": "pending", "icon": "x"},
        {"index": 1, "action": "test_ssh", "label": "Again", "status": "pending", "enabled": False},
        {"index": 2, "action": "install_custom_nodes", "label": "Nodes", "status": "pending",
         "params": {"repositories": [], "directory": "nodes"}},
    ],
    "ssh_connection": SSH,
}  # fmt: skip
NEW: dict[str, Any] = {"name": "two", "steps": [{"key": "a", "action": "work"}, {"key": "b", "action": "work"}]}


def document(answer: TestResponse) -> dict[str, Any]:
    body = answer.get_json()
    assert isinstance(body, dict), answer.text
    return body


def state_of(client: FlaskClient, run_id: str) -> dict[str, Any]:
    state = document(client.get(f"/workflow/state?workflow_id={run_id}"))["state"]
    assert isinstance(state, dict)
    return state


def run_count(services: Services) -> int:
    return int(services.database.call("SELECT count(*) FROM runs"))


def test_an_old_body_starts_a_workflow(operator: FlaskClient) -> None:
    answer = operator.post("/workflow/start", json=OLD, headers={"User-Agent": "old-page/1"})
    assert answer.status_code == 200
    body = document(answer)
    assert (body["success"], body["workflow_id"]) == (True, OLD["workflow_id"])
    assert "message" in body
    state = state_of(operator, body["workflow_id"])
    assert [step["key"] for step in state["steps"]] == ["test_ssh", "test_ssh_2", "install_custom_nodes"]
    assert [step["status"] for step in state["steps"]] == ["pending", "skipped", "pending"]
    assert [step["label"] for step in state["steps"]] == ["Test SSH", "Again", "Nodes"]
    assert state["ssh_connection"] == SSH
    assert state["metadata"] == {"user_agent": "old-page/1", "initiated_from": "api"}


def test_steps_of_an_old_body_wait_five_seconds_in_between(operator: FlaskClient, worker: Worker) -> None:
    operator.post("/workflow/start", json={**OLD, "steps": OLD["steps"][::2]})
    worker.run(OLD["workflow_id"])
    step = state_of(operator, OLD["workflow_id"])["steps"][1]
    assert (step["status"], step["waiting_for"]) == ("pending", "delay")


def test_an_old_body_may_choose_its_delay(operator: FlaskClient, worker: Worker) -> None:
    operator.post("/workflow/start", json={**OLD, "steps": OLD["steps"][::2], "step_delay": 0})
    worker.run(OLD["workflow_id"])
    assert state_of(operator, OLD["workflow_id"])["steps"][1]["ready"] is True


def test_a_new_body_starts_without_delay_and_makes_an_id(operator: FlaskClient, worker: Worker) -> None:
    run_id = document(operator.post("/workflow/start", json=NEW))["workflow_id"]
    assert run_id.startswith("workflow_")
    worker.run(run_id)
    assert state_of(operator, run_id)["steps"][1]["ready"] is True


def test_the_host_may_be_a_text_or_an_object(operator: FlaskClient) -> None:
    step = {"key": "a", "action": "test_ssh"}
    for number, ssh in enumerate(("root@10.1.2.4:22", {"host": "10.1.2.5", "port": 2222, "key": "gpu"})):
        answer = operator.post("/workflow/start", json={"workflow_id": f"run{number}", "steps": [step], "ssh": ssh})
        assert answer.status_code == 200, answer.text
    assert state_of(operator, "run0")["ssh_connection"] == "ssh -p 22 root@10.1.2.4"
    assert state_of(operator, "run1")["ssh_connection"] == "ssh -p 2222 -i gpu root@10.1.2.5"


def test_the_same_start_again_answers_the_same_run(operator: FlaskClient, services: Services) -> None:
    first = document(operator.post("/workflow/start", json=OLD, headers={"User-Agent": "phone"}))
    again = operator.post("/workflow/start", json=OLD, headers={"User-Agent": "laptop"})
    assert again.status_code == 200
    assert document(again)["workflow_id"] == first["workflow_id"]
    assert document(again)["created"] is False
    assert run_count(services) == 1


def test_an_idempotency_key_answers_the_same_run(operator: FlaskClient, services: Services) -> None:
    ids = {
        document(operator.post("/workflow/start", json=NEW, headers={"Idempotency-Key": "k1"}))["workflow_id"]
        for _ in range(3)
    }
    assert len(ids) == run_count(services) == 1
    other = operator.post("/workflow/start", json={**NEW, "name": "other"}, headers={"Idempotency-Key": "k1"})
    assert (other.status_code, document(other)["code"]) == (409, "run_exists")


def test_an_id_with_another_body_is_refused(operator: FlaskClient, services: Services) -> None:
    operator.post("/workflow/start", json=OLD)
    answer = operator.post("/workflow/start", json={**OLD, "step_delay": 1})
    body = document(answer)
    assert (answer.status_code, body["success"], body["where"]) == (409, False, "/workflow_id")
    assert run_count(services) == 1


def test_a_second_run_on_the_same_host_is_refused_until_the_first_ends(operator: FlaskClient, worker: Worker) -> None:
    one = {"steps": [{"key": "a", "action": "test_ssh"}], "ssh": SSH}
    operator.post("/workflow/start", json={**one, "workflow_id": "first"})
    busy = operator.post("/workflow/start", json={**one, "workflow_id": "second"})
    assert (busy.status_code, document(busy)["code"]) == (409, "run_active")
    assert "first" in document(busy)["message"]
    worker.run("first")
    assert operator.post("/workflow/start", json={**one, "workflow_id": "second"}).status_code == 200


def test_an_unused_step_may_lack_parameters(operator: FlaskClient) -> None:
    steps = [OLD["steps"][0], {"index": 1, "action": "install_custom_nodes", "enabled": False}]
    assert operator.post("/workflow/start", json={**OLD, "steps": steps}).status_code == 200


def test_runs_without_a_host_go_on_side_by_side(operator: FlaskClient) -> None:
    assert [operator.post("/workflow/start", json=NEW).status_code for _ in range(3)] == [200] * 3


def test_missing_parameters_come_from_the_template(operator: FlaskClient, services: Services) -> None:
    nodes = {
        "key": "nodes",
        "action": "install_custom_nodes",
        "params": {"repositories": ["https://x/y"], "directory": "d"},
    }
    assert operator.put("/workflow/templates/gpu", json={"steps": [nodes]}).status_code == 200
    body = {**OLD, "template_id": "gpu", "steps": [{"index": 0, "action": "install_custom_nodes"}]}
    assert operator.post("/workflow/start", json=body).status_code == 200
    step = services.queries.step(OLD["workflow_id"], "install_custom_nodes")
    assert step["params"] == {"repositories": ["https://x/y"], "directory": "d"}


def test_a_template_alone_can_be_started(operator: FlaskClient) -> None:
    operator.put("/workflow/templates/two", json=NEW)
    run_id = document(operator.post("/workflow/start", json={"template_id": "two", "params": {"n": 1}}))["workflow_id"]
    state = state_of(operator, run_id)
    assert (state["name"], state["total_steps"], state["template_id"], state["params"]) == ("two", 2, "two", {"n": 1})


def test_missing_parameters_are_all_named(operator: FlaskClient, services: Services) -> None:
    steps = [{"index": 0, "action": "install_custom_nodes"}, {"index": 1, "action": "install_custom_nodes"}]
    answer = operator.post("/workflow/start", json={**OLD, "steps": steps})
    body = document(answer)
    assert answer.status_code == 400
    assert body["where"] == "/steps/0/params"
    assert body["message"].count("repositories, directory") == 2
    assert run_count(services) == 0


NODES = {"key": "a", "action": "ssh.install_custom_nodes"}
WORK = {"key": "a", "action": "work"}
BAD: dict[str, tuple[dict[str, Any], int, str]] = {
    "no steps": ({}, 400, "/steps"),
    "an empty list": ({"steps": []}, 400, "/steps"),
    "steps that are no list": ({"steps": "all"}, 400, "/steps"),
    "a step that is no object": ({"steps": ["a"]}, 400, "/steps/0"),
    "unknown action": ({"steps": [{"key": "a", "action": "fly"}]}, 400, "/steps/0/action"),
    "unknown action, old form": ({"steps": [{"index": 0, "action": "fly"}]}, 400, "/steps/0/action"),
    "a step without action": ({"steps": [{"index": 0}], "ssh_connection": SSH}, 400, "/steps/0/action"),
    "a step without key": ({"steps": [{"action": "work"}]}, 400, "/steps/0/key"),
    "an unknown field of a step": ({"steps": [{**WORK, "retrys": 3}]}, 400, "/steps/0/retrys"),
    "a key used twice": ({"steps": [WORK, WORK]}, 400, "/steps"),
    "a cycle": ({"steps": [{**WORK, "needs": ["b"]}, {**WORK, "key": "b", "needs": ["a"]}]}, 400, "/steps"),
    "a missing need": ({"steps": [{**WORK, "needs": ["z"]}]}, 400, "/steps"),
    "a bad reference": ({"steps": [{**WORK, "params": {"note": "{{ steps.z.result }}"}}]}, 400, "/steps"),
    "a wrong parameter type": ({"steps": [{**WORK, "params": {"size": "many"}}]}, 400, "/steps/0/params/size"),
    "an unknown parameter": ({"steps": [{**WORK, "params": {"siz": 1}}]}, 400, "/steps/0/params/siz"),
    "a missing parameter": ({"steps": [NODES], "ssh": SSH}, 400, "/steps/0/params"),
    "no enabled step": ({"steps": [{**WORK, "enabled": False}]}, 400, "/steps"),
    "a host that is needed": ({"steps": [{"key": "a", "action": "test_ssh"}]}, 400, "/ssh"),
    "a bad SSH string": ({"steps": [WORK], "ssh_connection": "ssh -o ProxyCommand=x host"}, 400, "/ssh_connection"),
    "an empty SSH string": ({"steps": [WORK], "ssh_connection": ""}, 400, "/ssh_connection"),
    "a bad SSH object": ({"steps": [WORK], "ssh": {"host": "-oProxyCommand=x"}}, 400, ""),
    "a password in the string": ({"steps": [WORK], "ssh_connection": "root:hunter22@h"}, 400, "/ssh_connection"),
    "a password beside it": ({"steps": [WORK], "ssh": SSH, "ssh_password": "hunter22"}, 400, "/ssh_password"),
    "a password in the object": ({"steps": [WORK], "ssh": {"host": "h", "password": "hunter22"}}, 400, "/ssh/password"),
    "a password in a step": ({"steps": [{**WORK, "index": 0, "password": "hunter22"}]}, 400, "/steps/0/password"),
    "a malformed id": ({"steps": [WORK], "workflow_id": "a b"}, 400, "/workflow_id"),
    "a negative delay": ({"steps": [WORK], "step_delay": -1}, 400, "/step_delay"),
    "an unknown template": ({"template_id": "none"}, 404, "/template_id"),
    "an action for admins": ({"steps": [{"key": "a", "action": "rooted"}]}, 403, "/steps/0/action"),
    "too many steps": ({"steps": [{"key": f"k{n}", "action": "work"} for n in range(10_001)]}, 400, "/steps"),
    "parameters over their size": ({"steps": [{**WORK, "params": {"note": "x" * 300_000}}]}, 413, "/steps/0/params"),
    "run parameters over their size": ({"steps": [WORK], "params": {"x": "x" * 300_000}}, 413, "/params"),
    "more steps than max_steps": ({"steps": [WORK, {**WORK, "key": "b"}], "max_steps": 1}, 400, "/max_steps"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_start_is_refused_with_place_and_mend_and_writes_nothing(
    name: str, operator: FlaskClient, services: Services
) -> None:
    sent, status, where = BAD[name]
    answer = operator.post("/workflow/start", json=sent)
    body = document(answer)
    assert answer.status_code == status, body
    assert body["success"] is False
    assert body["message"]
    assert body["mend"]
    assert body["where"].startswith(where), body["where"]
    assert "hunter22" not in answer.text
    assert run_count(services) == 0
    assert services.database.call("SELECT count(*) FROM steps") == 0
    assert services.database.call("SELECT count(*) FROM idempotency_keys") == 0


def test_malformed_json_is_refused_with_its_place(operator: FlaskClient, services: Services) -> None:
    answer = operator.post("/workflow/start", data='{"steps": [', content_type="application/json")
    body = document(answer)
    assert (answer.status_code, body["success"]) == (400, False)
    assert "line 1" in body["message"]
    assert run_count(services) == 0


def test_a_malformed_idempotency_key_is_refused(operator: FlaskClient) -> None:
    answer = operator.post("/workflow/start", json=NEW, headers={"Idempotency-Key": "x" * 201})
    assert (answer.status_code, document(answer)["where"]) == (400, "Idempotency-Key")


def test_a_viewer_may_not_start(viewer: FlaskClient, services: Services) -> None:
    assert viewer.post("/workflow/start", json=NEW).status_code == 403
    assert run_count(services) == 0


def test_starts_are_limited(operator: FlaskClient) -> None:
    answers = [operator.post("/workflow/start", json=NEW).status_code for _ in range(61)]
    assert answers == [200] * 60 + [429]


@pytest.mark.parametrize(
    "path", ["start", "stop", "pause", "resume", "retry", "restart", "fork", "skip", "signal", "state", "runs"]
)
def test_options_answers_204(path: str, anonymous: FlaskClient) -> None:
    assert anonymous.options(f"/workflow/{path}").status_code == 204
