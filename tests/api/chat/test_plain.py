"""ENABLE_SERVER_SIDE_ORCHESTRATION=false: answers are handed on from the provider, and nothing is kept."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

import api.plain_chat
from orchestration.models.demo import answer_text
from schemas.chat import ChatRole, ContextMessage
from settings import Settings
from tests.api.chat.conftest import Chat

FAST = {"provider": "demo", "model": "fast"}
HELLO = {"role": "user", "parts": [{"type": "text", "text": "Hello"}]}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"server_side_orchestration": False})


def events_of(text: str) -> list[tuple[str, Any]]:
    found = []
    for block in text.split("\n\n"):
        if block:
            name, data = block.split("\n", 1)
            found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_an_answer_is_streamed_and_marked_as_not_orchestrated(chat: Chat) -> None:
    answer = chat.client.post("/api/chat", json={"id": "c", "message": HELLO, "chatModel": FAST})
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    events = events_of(answer.text)
    assert events[0][0] == "start"
    assert events[0][1]["orchestrated"] is False
    text = ""
    for name, data in events[1:-1]:
        assert name == "delta"
        assert data["offset"] == len(text)
        text += data["text"]
    assert text == answer_text("fast", [ContextMessage(role=ChatRole.USER, content="Hello")])
    name, done = events[-1]
    assert (name, done["content"], done["finish_reason"]) == ("done", text, "stop")
    assert done["usage"]["completion_tokens"] == len(events) - 2
    assert chat.get("/conversations")["conversations"] == []
    assert chat.get("/models")["orchestrated"] is False


def test_a_provider_that_refuses_is_a_problem_before_anything_is_streamed(chat: Chat) -> None:
    problem = chat.say("Hello", 502, chatModel={"provider": "demo", "model": "failing"})
    assert problem["code"] == "model.refused"
    assert problem["mend"]


def test_an_answer_that_breaks_off_says_so(chat: Chat) -> None:
    answer = chat.client.post(
        "/api/chat", json={"id": "c", "message": HELLO, "chatModel": {"provider": "demo", "model": "flaky"}}
    )
    name, data = events_of(answer.text)[-1]
    assert (name, data["code"]) == ("error", "model.cut_off")


def test_what_needs_runs_is_refused(chat: Chat) -> None:
    assert chat.say("Hello", 400, battle=["demo/plain", "demo/fast"])["where"] == "/battle"
    mixture = {"proposers": ["demo/plain"], "aggregator": "demo/fast"}
    assert chat.say("Hello", 400, mixture=mixture)["where"] == "/mixture"
    assert chat.say("Hello", 400, chatModel={"provider": "demo", "model": "unheard-of"})["code"] == "invalid_chat"


def test_only_so_many_are_streamed_at_once_and_one_that_is_left_makes_room(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.plain_chat, "_free", threading.BoundedSemaphore(1))
    body = {"id": "c", "message": HELLO, "chatModel": FAST}
    open_one = chat.client.post("/api/chat", json=body, buffered=False)
    busy = chat.client.post("/api/chat", json=body)
    assert (busy.status_code, json.loads(busy.text)["code"]) == (503, "busy")
    assert busy.headers["Retry-After"]
    open_one.close()
    again = chat.client.post("/api/chat", json=body)
    assert again.status_code == 200
    assert events_of(again.text)[-1][0] == "done"
    again.close()  # as a server does behind the last piece
    assert chat.client.post("/api/chat", json=body).status_code == 200, "one that was read to its end makes room too"
