"""Chat completions without runs: what comes of keys, halves of characters, models that raise, and silence."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any, Self

import pytest
from flask import Response

import api.relay.openai_plain
from api.refusal import Refusal
from api.relay.openai_plain import complete_plainly
from orchestration.models.chat_completions import SecretOf, no_secrets
from orchestration.models.port import Delta, ModelRequest, OnClose
from orchestration.redaction import MASK
from schemas.chat import ChatContext, ChatRole, ContextMessage
from settings import load_settings
from tests.support.scripted_model import Piece, ScriptedModel

KEY = "plain-key-5f3b9c2e7a"
CONTEXT = ChatContext(messages=(ContextMessage(role=ChatRole.USER, content="hi"),))


class Model(ScriptedModel):
    """Reads its key, says what it is told to say, and ends."""

    secret_of: SecretOf = staticmethod(no_secrets)

    def __init__(self, *said: Piece) -> None:
        super().__init__(*said, Delta(finish_reason="stop"))

    def find(self, name: str, secret_of: SecretOf) -> tuple[Self, str]:
        """As the registry does."""
        self.secret_of = secret_of
        return super().find(name, secret_of)

    def stream(self, request: ModelRequest, on_close: OnClose) -> Iterator[Delta]:
        self.secret_of("openai", host="api.example.com")
        yield from super().stream(request, on_close)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERDURE_SECRET_OPENAI", KEY)


def asked(model: Model, *, stream: bool) -> Response:
    work: Any = SimpleNamespace(settings=load_settings(attach=False), models=model)
    return complete_plainly(work, CONTEXT, "t/m", ExitStack(), stream=stream, with_usage=False)


def said_by(model: Model, *, stream: bool) -> str:
    """The text of the answer, read to its end as a client does."""
    answer = asked(model, stream=stream)
    if not stream:
        return str(json.loads(answer.get_data())["choices"][0]["message"]["content"])
    lines = [line.removeprefix("data: ") for line in answer.get_data(as_text=True).split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return "".join(json.loads(line)["choices"][0]["delta"].get("content") or "" for line in lines)


@pytest.mark.parametrize("stream", [False, True])
def test_the_key_is_masked_wherever_its_pieces_break(stream: bool) -> None:
    assert said_by(Model("it is ", KEY[:7], KEY[7:], "!"), stream=stream) == f"it is {MASK}!"


@pytest.mark.parametrize("stream", [False, True])
def test_halves_of_a_character_are_joined(stream: bool) -> None:
    assert said_by(Model("a\ud83d", "\ude00b", "\ude00"), stream=stream) == "a\U0001f600b\ufffd"


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_raises_at_once_is_an_error_with_a_status(stream: bool) -> None:
    with pytest.raises(Refusal) as refused:
        asked(Model(KeyError("the words of its author")), stream=stream)
    assert (refused.value.status, refused.value.code) == (503, "model.failed")


def test_a_model_that_raises_later_ends_the_stream_with_an_error() -> None:
    text = asked(Model("one", KeyError("the words of its author")), stream=True).get_data(as_text=True)
    last = json.loads(text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert last["error"]["code"] == "model.failed"
    assert "author" not in text


def test_before_the_first_token_there_are_signs_of_life_and_who_leaves_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.relay.openai_plain, "FIRST_S", 0.01)
    monkeypatch.setattr(api.relay.openai_plain, "BEAT_S", 0.01)
    closed = threading.Event()
    answer = asked(Model(closed, "too late"), stream=True)
    pieces = iter(answer.response)
    assert "assistant" in str(next(pieces))
    assert next(pieces) == ": still here\n\n"
    assert not closed.is_set()
    answer.close()
    assert closed.is_set()
