"""ENABLE_SERVER_SIDE_ORCHESTRATION=false: answers are handed on from the provider, and nothing is kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import api.plain_chat
from orchestration.models import pipes
from orchestration.models.demo import answer_text
from orchestration.models.pipes import chat_pipe
from orchestration.models.port import ModelRequest
from schemas.chat import ChatRole, ContextMessage
from settings import Settings
from tests.api.chat.conftest import Chat

PIPE = {"provider": "pipe", "model": "p"}
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


@pytest.fixture
def own_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "_pipes", {})


@pytest.mark.usefixtures("own_pipes")
def test_a_pipe_that_raises_is_a_problem_at_first_and_an_error_event_later(chat: Chat) -> None:
    @chat_pipe("p")
    def raises(request: ModelRequest) -> Iterator[str]:
        if request.messages[-1].content == "Hello":
            yield "one "
        raise KeyError("the words of its author")

    problem = chat.say("Good morning", 503, chatModel=PIPE)
    assert problem["code"] == "model.failed"
    answer = chat.client.post("/api/chat", json={"id": "c", "message": HELLO, "chatModel": PIPE})
    assert [name for name, _ in events_of(answer.text)] == ["start", "delta", "error"]
    assert events_of(answer.text)[-1][1]["code"] == "model.failed"
    assert "author" not in answer.text


@pytest.mark.usefixtures("own_pipes")
def test_halves_of_a_character_are_joined(chat: Chat) -> None:
    chat_pipe("p")(lambda request: iter(["a\ud83d", "\ude00b", "\ude00"]))
    answer = chat.client.post("/api/chat", json={"id": "c", "message": HELLO, "chatModel": PIPE})
    name, done = events_of(answer.text)[-1]
    assert (name, done["content"]) == ("done", "a\U0001f600b\ufffd")


@pytest.mark.usefixtures("own_pipes")
def test_who_leaves_before_the_first_token_ends_it_at_the_provider_and_makes_room(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.plain_chat, "_free", threading.BoundedSemaphore(1))
    monkeypatch.setattr(api.plain_chat, "FIRST_S", 0.01)
    monkeypatch.setattr(api.plain_chat, "BEAT_S", 0.01)
    closed = threading.Event()

    @chat_pipe("p")
    def thinks(request: ModelRequest, on_close: Callable[[Callable[[], None]], None]) -> Iterator[str]:
        on_close(closed.set)
        closed.wait(10)
        yield "too late"

    body = {"id": "c", "message": HELLO, "chatModel": PIPE}
    open_one = chat.client.post("/api/chat", json=body, buffered=False)
    pieces: Iterator[Any] = iter(open_one.response)
    assert next(pieces).startswith(b"event: start")
    assert next(pieces) == b": still here\n\n"
    assert chat.client.post("/api/chat", json=body).status_code == 503
    assert not closed.is_set()
    open_one.close()
    assert closed.is_set()
    assert chat.client.post("/api/chat", json={**body, "chatModel": FAST}).status_code == 200
