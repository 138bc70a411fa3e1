"""What each operation of `/api/chat` answers is what `/openapi.json` says of it."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from schemas.statuses import Role
from tests.api.chat.conftest import Worker
from tests.api.workflow.test_answers import Asking, operations


@pytest.fixture
def ask(app: Flask, token_of) -> Asking:
    asking = Asking(app)
    asking.sign_in(token_of(Role.ADMIN))
    return asking


def message(text: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"type": "text", "text": text}]}


def test_every_answer_is_as_described(ask: Asking, worker: Worker) -> None:
    mixture = {"proposers": ["demo/plain", "demo/fast"], "aggregator": "demo/slow"}
    said = ask("post", "/api/chat", 202, id="talk-1", message=message("One"), mixture=mixture)
    place = "/api/chat/messages/{message_id}"
    ask("get", place, at=said["id"])
    ask("post", f"{place}/stop", 202, at=f"{said['id']}/stop")
    ask("get", place, at=said["id"])
    ask("post", f"{place}/retry", 202, at=f"{said['id']}/retry")
    again = ask("post", f"{place}/regenerate", 202, at=f"{said['id']}/regenerate")
    ask("post", f"{place}/stop", 202, at=f"{again['id']}/stop")

    fought = ask("post", "/api/chat", 202, id="talk-2", message=message("Two"), battle=["demo/plain", "demo/fast"])
    for position in range(2):
        worker.answer(fought["taskId"], f"Answer {position}", position)
    battle = "/api/chat/battles/{battle_id}/vote"
    ask("post", battle, at=f"{fought['battle']}/vote", verdict="winner", winner=fought["answers"][0])
    ask("get", "/api/chat/ratings")
    ask("get", place, at=fought["id"])

    ask("get", "/api/chat/models")
    assert ask("get", "/api/chat/conversations", query={"limit": 1})["next"]
    conversation = "/api/chat/conversations/{conversation_id}"
    ask("get", conversation, at="talk-2")
    ask("patch", conversation, at="talk-1", title="Another title")
    ask("delete", conversation, at="talk-1")

    assert ask.asked == {(method, path) for method, path, _ in operations(ask.document) if path.startswith("/api/chat")}
    assert ask.left_out == set()
