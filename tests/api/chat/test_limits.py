"""How much one caller may ask for."""

from __future__ import annotations

import json

import pytest

from settings import Settings
from tests.api.chat.conftest import Chat


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"chat_rate_limit": "3/minute"})


def test_answers_are_limited_by_a_rate_of_their_own(chat: Chat) -> None:
    said = chat.say()
    chat.say()
    chat.post(f"/messages/{said['id']}/regenerate")
    refused = chat.client.post(
        "/api/chat", json={"id": "talk-1", "message": {"parts": [{"type": "text", "text": "more"}]}}
    )
    assert (refused.status_code, json.loads(refused.text)["code"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) >= 1
    chat.post(f"/messages/{said['id']}/stop")
    started = chat.client.post("/workflow/start", json={"steps": [{"key": "a", "action": "noop"}]})
    assert started.status_code == 200, "starts of workflows have a limit of their own"
