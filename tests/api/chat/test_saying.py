"""`POST /api/chat`: a message is accepted, a run answers it, and the message tells how far it is."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from orchestration.core.decide import Cancelled
from schemas.statuses import Role
from tests.api.chat.conftest import REFUSED, Chat, Worker
from tests.api.conftest import ClientOf


def test_a_message_is_accepted_and_its_answer_is_written_by_a_run(chat: Chat, worker: Worker) -> None:
    said = chat.say("Hello", chatModel={"provider": "demo", "model": "fast"})
    assert {"success": True, "role": "assistant", "content": "", "orchestrated": True}.items() <= said.items()
    assert said["answers"] == [said["id"]]
    assert said["conversation_id"] == "talk-1"

    waiting = chat.message(said["id"])
    assert (waiting["status"], waiting["text"], waiting["model"]) == ("writing", "", "demo/fast")
    assert waiting["run_id"] == said["taskId"]
    assert waiting["parent"] == said["message_id"]

    lease = worker.claim(said["taskId"])
    assert worker.told(said["taskId"])["messages"] == [{"role": "user", "content": "Hello"}]
    worker.write(lease, "Hi the")
    writing = chat.message(said["id"])
    assert (writing["status"], writing["text"], writing["step"]["status"]) == ("writing", "Hi the", "in_progress")

    worker.finish(lease, REFUSED)
    failed = chat.message(said["id"])
    assert (failed["status"], failed["text"], failed["finish_reason"]) == ("failed", "Hi the", "error")
    assert failed["error"]["code"] == "model.refused"


def test_a_finished_answer_has_its_usage_and_timings(chat: Chat, worker: Worker) -> None:
    said = chat.say()
    worker.answer(said["taskId"], "Hi there")
    done = chat.message(said["id"])
    assert (done["status"], done["text"], done["finish_reason"]) == ("completed", "Hi there", "stop")
    assert done["usage"]["completion_tokens"] == 5
    assert done["timings"]["first_token_ms"] == 12.5
    assert done["ended_at"] is not None
    assert done["position"] is None


def test_the_same_message_sent_again_is_answered_the_same(chat: Chat) -> None:
    first = chat.say("Hello", message_id="m-1")
    assert first["message_id"] == "m-1"
    assert chat.say("Hello", message_id="m-1") == first
    other = chat.say("Something else", 409, message_id="m-1")
    assert (other["code"], other["where"]) == ("run_exists", "/message/id")
    assert chat.conversation()["total"] == 2


def test_what_follows_is_told_all_that_was_said_before(chat: Chat, worker: Worker) -> None:
    first = chat.say("One", system="Be brief.")
    worker.answer(first["taskId"], "Answer one")
    second = chat.say("Two")
    assert worker.told(second["taskId"])["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": "Answer one"},
        {"role": "user", "content": "Two"},
    ]


def test_an_edit_is_a_branch_beside_what_it_replaces(chat: Chat, worker: Worker) -> None:
    first = chat.say("One")
    worker.answer(first["taskId"], "Answer one")
    second = chat.say("Two")
    worker.answer(second["taskId"], "Answer two")
    edited = chat.say("Two, edited", parent=first["id"])
    assert worker.told(edited["taskId"])["messages"][-1]["content"] == "Two, edited"
    found = chat.conversation()
    children = [one["id"] for one in found["messages"] if one["parent"] == first["id"]]
    assert children == [second["message_id"], edited["message_id"]]
    assert found["leaf"] == edited["id"]
    assert found["writing"] == 1

    anew = chat.say("Quite another beginning", parent=None)
    assert worker.told(anew["taskId"])["messages"] == [{"role": "user", "content": "Quite another beginning"}]


def test_regenerate_writes_another_answer_beside(chat: Chat, worker: Worker) -> None:
    first = chat.say("One", parameters={"temperature": 0.5})
    worker.answer(first["taskId"], "Answer one")
    again = chat.post(f"/messages/{first['id']}/regenerate", chatModel={"provider": "demo", "model": "slow"})
    request = worker.told(again["taskId"])
    assert request["messages"] == [{"role": "user", "content": "One"}]
    assert request["parameters"] == {"temperature": 0.5}
    found = chat.message(again["id"])
    assert (found["parent"], found["model"]) == (first["message_id"], "demo/slow")
    assert chat.post(f"/messages/{first['message_id']}/regenerate", 409)["code"] == "illegal_control"


def test_stop_keeps_what_is_written_and_stops_that_answer_alone(chat: Chat, worker: Worker) -> None:
    first, second = chat.say("One"), chat.say("Two")
    lease = worker.claim(first["taskId"])
    worker.write(lease, "Half of an ans")
    stopped = chat.post(f"/messages/{first['id']}/stop")
    assert (stopped["workflow_id"], stopped["stopping"]) == (first["taskId"], True)
    worker.finish(lease, Cancelled())
    found = chat.message(first["id"])
    assert (found["status"], found["text"], found["finish_reason"]) == ("stopped", "Half of an ans", "stopped")
    assert chat.message(second["id"])["status"] == "writing"
    again = chat.post(f"/messages/{first['id']}/stop", 409)
    assert (again["code"], again["where"]) == ("illegal_control", "/message_id")
    assert chat.post(f"/messages/{first['message_id']}/stop", 409)["where"] == "/message_id"


def test_a_failed_answer_is_retried_in_its_place(chat: Chat, worker: Worker) -> None:
    said = chat.say()
    lease = worker.claim(said["taskId"])
    worker.write(lease, "Half")
    worker.finish(lease, REFUSED)
    chat.post(f"/messages/{said['id']}/retry")
    again = chat.message(said["id"])
    assert (again["status"], again["text"], again["error"]) == ("writing", "", None)
    worker.answer(said["taskId"], "Whole")
    assert chat.message(said["id"])["text"] == "Whole"
    assert "regenerate" in chat.post(f"/messages/{said['id']}/retry", 409)["mend"]


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        ({}, 400, "/id"),
        ({"id": "c", "message": {"parts": []}}, 400, "/message/parts"),
        ({"id": "c", "message": {"parts": [{"type": "image", "text": "x"}]}}, 400, "/message/parts/0/type"),
        ({"id": "c", "message": {"parts": [{"type": "text", "text": "  "}]}}, 400, "/message/parts"),
        ({"id": "a b", "message": {"parts": [{"type": "text", "text": "x"}]}}, 400, "/id"),
        ({"id": "c", "message": {"parts": [{"type": "text", "text": "x" * 200_001}]}}, 400, "/message/parts/0/text"),
        (
            {"id": "c", "message": {"parts": [{"type": "text", "text": "x"}]}, "parent": "nowhere"},
            404,
            "/parent",
        ),
    ],
)
def test_what_does_not_fit_is_a_problem_with_its_place(
    chat: Chat, body: dict[str, Any], status: int, where: str
) -> None:
    problem = chat.post("", status, **body)
    assert problem["success"] is False
    assert problem["where"] == where
    assert problem["mend"]


def test_a_model_that_nobody_offers_is_a_problem(chat: Chat) -> None:
    problem = chat.say("x", 400, chatModel={"provider": "demo", "model": "unheard-of"})
    assert problem["code"] == "invalid_chat"
    assert problem["mend"]
    problem = chat.say("x", 400, chatModel={"provider": "mixture", "model": "nobody"})
    assert "team" in problem["mend"]
    assert chat.get("/conversations")["conversations"] == []


def test_a_context_that_is_too_large_is_refused(chat: Chat) -> None:
    problem = chat.client.post(
        "/api/chat",
        json={"id": "c", "message": {"parts": [{"type": "text", "text": "x" * 190_000}] * 2}},
    )
    assert problem.status_code == 413
    assert problem.get_json()["code"] == "too_large"


def test_viewers_read_and_do_not_write(chat: Chat, viewer: FlaskClient, client_of: ClientOf) -> None:
    said = chat.say()
    for path in ("/models", "/ratings", "/conversations", "/conversations/talk-1", f"/messages/{said['id']}"):
        assert viewer.get(f"/api/chat{path}").status_code == 200
    refused = [
        viewer.post("/api/chat", json={}),
        viewer.post(f"/api/chat/messages/{said['id']}/stop", json={}),
        viewer.post(f"/api/chat/messages/{said['id']}/regenerate", json={}),
        viewer.post(f"/api/chat/messages/{said['id']}/retry", json={}),
        viewer.patch("/api/chat/conversations/talk-1", json={"title": "Mine"}),
        viewer.delete("/api/chat/conversations/talk-1", json={}),
        viewer.post("/api/chat/battles/b/vote", json={"verdict": "tie"}),
    ]
    assert {answer.status_code for answer in refused} == {403}
    assert client_of(Role.ADMIN).get("/api/chat/conversations/talk-1").status_code == 200


def test_what_is_said_and_stopped_is_in_the_audit_record(chat: Chat, admin: FlaskClient) -> None:
    said = chat.say()
    chat.post(f"/messages/{said['id']}/stop")
    chat.say("x", 400, chatModel={"provider": "demo", "model": "unheard-of"})
    found = [(e["action"], e["target"], e["outcome"]) for e in admin.get("/audit?limit=10").get_json()["records"]]
    assert ("chat.say", said["taskId"], "done") in found
    assert ("chat.stop", said["taskId"], "done") in found
    assert ("chat.say", "", "refused") in found


def test_the_models_are_listed_with_their_labels(chat: Chat) -> None:
    found = chat.get("/models")
    kinds = {one["name"]: one["kind"] for one in found["models"]}
    assert kinds["demo/plain"] == "model"
    assert kinds["mixture/team"] == "mixture"
    assert found["default"] == "demo/plain"
    assert found["orchestrated"] is True
    assert all(one["label"] for one in found["models"])
