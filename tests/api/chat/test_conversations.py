"""Conversations: listed, renamed, read branch by branch, deleted."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from api.services import Services
from orchestration.core.decide import Cancelled
from tests.api.chat.conftest import Chat, Worker


def test_conversations_are_listed_page_by_page_the_last_changed_first(chat: Chat, worker: Worker) -> None:
    for number in range(5):
        chat.say(f"Question {number}", id=f"talk-{number}")
    worker.answer(chat.say("More", id="talk-1")["taskId"], "Done")
    seen: list[Any] = []
    query: Any = {"limit": 2}
    while query:
        page = chat.get("/conversations", **query)
        seen += page["conversations"]
        query = {"limit": 2} | page["next"] if page["next"] else None
    assert [one["id"] for one in seen] == ["talk-1", "talk-4", "talk-3", "talk-2", "talk-0"]
    assert [one["writing"] for one in seen] == [1, 1, 1, 1, 1]
    assert seen[0]["title"] == "Question 1"


def test_a_list_that_has_not_changed_is_not_sent_again(chat: Chat) -> None:
    chat.say()
    for path in ("/api/chat/conversations", "/api/chat/conversations/talk-1"):
        first = chat.client.get(path)
        again = chat.client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
    chat.say("More")
    assert chat.client.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_a_conversation_is_read_page_by_page_the_last_messages_first(chat: Chat, worker: Worker) -> None:
    for number in range(5):
        worker.answer(chat.say(f"Question {number}")["taskId"], f"Answer {number}")
    whole = chat.conversation()
    assert (len(whole["messages"]), whole["older"], whole["total"]) == (10, None, 10)
    pages: list[list[str]] = []
    query: Any = {"limit": 4}
    while query:
        page = chat.get("/conversations/talk-1", **query)
        pages.insert(0, [one["text"] for one in page["messages"]])
        assert page["total"] == 10
        query = {"limit": 4, "before": page["older"]} if page["older"] else None
    assert [len(page) for page in pages] == [2, 4, 4]
    assert [text for page in pages for text in page] == [one["text"] for one in whole["messages"]]
    missing = chat.get("/conversations/talk-1", 404, before="nowhere")
    assert missing["where"] == "/before"
    other = chat.say("Elsewhere", id="talk-2")
    chat.get("/conversations/talk-1", 404, before=other["id"])
    chat.get("/conversations/talk-1", 400, limit=501)


def test_the_branch_that_is_read_is_on_the_first_page_however_many_others_are_newer(chat: Chat, worker: Worker) -> None:
    first = chat.say("One")
    worker.answer(first["taskId"], "Answer one")
    second = chat.say("Two")
    worker.answer(second["taskId"], "Answer two")
    for number in range(5):
        worker.answer(chat.post(f"/messages/{first['id']}/regenerate")["taskId"], f"Another {number}")
    chat.client.patch("/api/chat/conversations/talk-1", json={"leaf": second["id"]})
    page = chat.get("/conversations/talk-1", limit=3)
    assert [one["text"] for one in page["messages"]] == [
        "Answer one",
        "Two",
        "Answer two",
        "Another 2",
        "Another 3",
        "Another 4",
    ]
    older = chat.get("/conversations/talk-1", limit=3, before=page["older"])
    assert [one["text"] for one in older["messages"]] == ["Answer two", "Another 0", "Another 1"]


def test_a_page_of_long_messages_has_fewer_of_them(chat: Chat) -> None:
    for number in range(8):
        chat.say(f"{number} " + "x" * 199_990, parent=None)
    page = chat.conversation()
    questions = [one["text"][0] for one in page["messages"] if one["role"] == "user"]
    assert questions == ["3", "4", "5", "6", "7"], "a million characters"
    older = chat.get("/conversations/talk-1", before=page["older"])
    assert [one["text"][0] for one in older["messages"] if one["role"] == "user"] == ["0", "1", "2"]
    assert older["older"] is None


def test_a_conversation_is_renamed_and_read_by_another_branch(chat: Chat, worker: Worker) -> None:
    first = chat.say("One")
    worker.answer(first["taskId"], "Answer one")
    again = chat.post(f"/messages/{first['id']}/regenerate")
    worker.answer(again["taskId"], "Answer two")
    assert chat.conversation()["leaf"] == again["id"]
    changed = chat.client.patch(
        "/api/chat/conversations/talk-1", json={"title": "Mine", "leaf": first["id"]}
    ).get_json()
    assert (changed["title"], changed["leaf"]) == ("Mine", first["id"])
    said = chat.say("Two")
    assert [one["content"] for one in worker.told(said["taskId"])["messages"]] == ["One", "Answer one", "Two"]


def test_a_leaf_of_another_conversation_is_refused(chat: Chat) -> None:
    chat.say("One")
    other = chat.say("Two", id="talk-2")
    answer = chat.client.patch("/api/chat/conversations/talk-1", json={"leaf": other["id"]})
    assert (answer.status_code, answer.get_json()["where"]) == (404, "/leaf")
    assert chat.client.patch("/api/chat/conversations/nowhere", json={"title": "x"}).status_code == 404
    assert chat.client.patch("/api/chat/conversations/talk-1", json={"titel": "x"}).status_code == 400
    missing = chat.say("x", 404, id="talk-1", parent=other["id"])
    assert missing["code"] == "unknown_message"


def test_a_deleted_conversation_is_gone_and_what_was_written_in_it_is_stopped(
    chat: Chat, worker: Worker, services: Services
) -> None:
    done = chat.say("One")
    worker.answer(done["taskId"], "Answer one")
    said = chat.say("Two")
    lease = worker.claim(said["taskId"])
    deleted = chat.client.delete("/api/chat/conversations/talk-1", json={})
    assert deleted.status_code == 200
    sql = "SELECT status FROM runs WHERE public_id = %s"
    assert services.database.call(sql, said["taskId"]) == "cancelling"
    worker.finish(lease, Cancelled())
    assert chat.get("/conversations/talk-1", 404)["code"] == "unknown_conversation"
    assert chat.get(f"/messages/{said['id']}", 404)["code"] == "unknown_message"
    assert chat.client.delete("/api/chat/conversations/talk-1", json={}).status_code == 404
    anew = chat.say("A new one under the old id")
    assert len(worker.told(anew["taskId"])["messages"]) == 1


def test_two_tabs_that_say_something_at_once_make_two_branches(chat: Chat, worker: Worker) -> None:
    first = chat.say("One")
    worker.answer(first["taskId"], "Answer one")
    left, right = chat.say("Left", parent=first["id"]), chat.say("Right", parent=first["id"])
    for said, text in ((left, "Left"), (right, "Right")):
        assert worker.told(said["taskId"])["messages"][-1]["content"] == text
    assert chat.conversation()["writing"] == 2


def test_only_json_objects_with_known_fields_change_a_conversation(chat: Chat, anonymous: FlaskClient) -> None:
    chat.say()
    assert anonymous.get("/api/chat/conversations").status_code == 401
    assert chat.client.patch("/api/chat/conversations/talk-1", json={"title": ""}).status_code == 400
    assert chat.client.get("/api/chat/conversations?limit=0").status_code == 400
    assert chat.client.get("/api/chat/conversations?before=yesterday").status_code == 400
