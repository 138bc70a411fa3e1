"""Settings of a conversation: kept with it, and what is said and asked for again in it goes by them."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.chat.conftest import Chat, Worker

BRIEF = {"role": "system", "content": "Be brief."}


def change(chat: Chat, status: int = 200, **settings: Any) -> Any:
    answer = chat.client.patch("/api/chat/conversations/talk-1", json={"settings": settings})
    assert answer.status_code == status, answer.text
    return answer.json


def test_what_a_conversation_begins_with_holds_for_all_that_follows(chat: Chat, worker: Worker) -> None:
    settings = {"system": "Be brief.", "parameters": {"temperature": 0.2, "stop": ["END"]}}
    first = chat.say("One", parent=None, settings=settings)
    worker.answer(first["taskId"], "Answer one")
    second = chat.say("Two")
    for said in (first, second):
        told = worker.told(said["taskId"])
        assert (told["messages"][0], told["parameters"]) == (BRIEF, settings["parameters"])
    shown = chat.conversation()
    assert shown["settings"]["system"] == "Be brief."
    assert shown["settings"]["parameters"]["temperature"] == 0.2
    # They are no message: one that begins it anew is told them too.
    assert [one["role"] for one in shown["messages"]] == ["user", "assistant"] * 2
    anew = chat.say("Quite another beginning", parent=None)
    assert [one["content"] for one in worker.told(anew["taskId"])["messages"]] == [
        "Be brief.",
        "Quite another beginning",
    ]


def test_settings_that_change_hold_from_then_on_and_for_answers_that_are_written_again(
    chat: Chat, worker: Worker
) -> None:
    first = chat.say("One", parameters={"temperature": 0.9})
    worker.answer(first["taskId"], "Answer one")
    changed = change(chat, system="Be brief.", parameters={"max_tokens": 50})
    assert changed["settings"]["parameters"]["max_tokens"] == 50
    again = worker.told(chat.post(f"/messages/{first['id']}/regenerate")["taskId"])
    assert (again["messages"][0], again["parameters"]) == (BRIEF, {"max_tokens": 50})
    # What a message says of its own goes first, and only there.
    own = worker.told(chat.say("Two", parameters={"temperature": 0.1})["taskId"])
    assert own["parameters"] == {"max_tokens": 50, "temperature": 0.1}
    assert worker.told(chat.say("Three")["taskId"])["parameters"] == {"max_tokens": 50}
    asked = chat.post(f"/messages/{first['id']}/regenerate", parameters={"seed": 7})
    assert worker.told(asked["taskId"])["parameters"] == {"seed": 7}
    # Renaming it leaves them.
    chat.client.patch("/api/chat/conversations/talk-1", json={"title": "Mine"})
    assert chat.conversation()["settings"]["system"] == "Be brief."


def test_without_settings_an_answer_is_written_again_as_it_was(chat: Chat, worker: Worker) -> None:
    first = chat.say("One", system="Be brief.", parameters={"temperature": 0.9})
    worker.answer(first["taskId"], "Answer one")
    change(chat, system=None)
    again = worker.told(chat.post(f"/messages/{first['id']}/regenerate")["taskId"])
    assert (again["messages"][0], again["parameters"]) == (BRIEF, {"temperature": 0.9})


@pytest.mark.parametrize(("system", "told"), [("Be long.", ["Be long.", "One"]), ("", ["One"]), (" ", ["One"])])
def test_instructions_take_the_place_of_those_it_began_with(
    chat: Chat, worker: Worker, system: str, told: list[str]
) -> None:
    first = chat.say("One", system="Be brief.")
    worker.answer(first["taskId"], "Answer one")
    change(chat, system=system)
    again = chat.post(f"/messages/{first['id']}/regenerate")
    assert [one["content"] for one in worker.told(again["taskId"])["messages"]] == told


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"parameters": {"temperature": 3}}, "/settings/parameters/temperature"),
        ({"parameters": {"max_tokens": 0}}, "/settings/parameters/max_tokens"),
        ({"parameters": {"stop": [""]}}, "/settings/parameters/stop/0"),
        ({"parameters": {"heat": 1}}, "/settings/parameters/heat"),
        ({"system": "x" * 200_001}, "/settings/system"),
    ],
)
def test_settings_that_cannot_be_are_a_problem_with_their_place(chat: Chat, given: dict[str, Any], where: str) -> None:
    chat.say("One")
    problem = change(chat, 400, **given)
    assert problem["where"] == where
    assert chat.conversation()["settings"] == {"system": None, "parameters": None}


def test_a_viewer_sees_them_and_changes_none(chat: Chat, viewer: FlaskClient) -> None:
    chat.say("One", settings={"system": "Be brief."})
    shown: Any = viewer.get("/api/chat/conversations/talk-1").json
    assert shown["settings"]["system"] == "Be brief."
    answer = viewer.patch("/api/chat/conversations/talk-1", json={"settings": {"system": "Be long."}})
    assert answer.status_code == 403
