"""The web app with the demo's models, and the hands of a worker that writes what it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.services import Services, build_services, make_chats
from orchestration.actions.registry import load_actions
from orchestration.chat.snapshots import Snapshots
from orchestration.core.decide import Failed, Outcome, StepError, Succeeded
from orchestration.engine.attempts import Attempts
from orchestration.engine.leases import Lease
from orchestration.engine.runs import Runs
from schemas.events import NoticeEvent, Position
from schemas.json import JsonObject
from settings import Settings
from tests.support.engine import Recorder

MIXTURES = {"team": {"proposers": ["demo/plain", "demo/fast"], "aggregator": "demo/slow"}}
REFUSED = Failed(StepError("model.refused", "demo/failing says no"), permanent=True)


class NoStream:
    """No events were ever published."""

    def tail_back(self, run_id: str, before: Position | None, count: int) -> tuple[()]:
        del run_id, before, count
        return ()


class Worker:
    """Claims, writes and ends steps as a worker does."""

    def __init__(self, services: Services, recorder: Recorder) -> None:
        self.services = services
        self.recorder = recorder
        self.attempts = Attempts(services.database, recorder, recorder, lease_s=15, resend_s=2, chance=lambda: 0.5)

    def claim(self, run_id: str, position: int = 0) -> Lease:
        lease = self.attempts.claim(run_id, position, "w1")
        assert lease is not None
        return lease

    def write(self, lease: Lease, text: str, offset: int = 0) -> None:
        self.attempts.save_text(lease, offset, text)

    def finish(self, lease: Lease, outcome: Outcome) -> None:
        self.attempts.finish(lease, outcome)

    def answer(self, run_id: str, text: str, position: int = 0) -> None:
        """Write an answer from its beginning to its end."""
        lease = self.claim(run_id, position)
        self.write(lease, text)
        self.finish(lease, answered(text))

    def told(self, run_id: str) -> JsonObject:
        """What the models of a run are told."""
        request: JsonObject = self.services.runs.workflow(run_id).params["request"]
        return request

    def notices(self, run_id: str) -> list[NoticeEvent]:
        return [event for run, event in self.recorder.events if run == run_id and isinstance(event, NoticeEvent)]


def answered(text: str) -> Succeeded:
    """What a step that asked a model comes to."""
    details: JsonObject = {
        "text": text,
        "model": "demo/plain",
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 3, "completion_tokens": 5, "estimated": False},
        "timings": {"first_token_ms": 12.5, "total_ms": 100.0, "tokens_per_s": 50.0},
    }
    return Succeeded({"message": text[:20], "details": details})


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"mixtures": MIXTURES, "default_model": "demo/plain"})


@pytest.fixture
def services(settings: Settings, recorder: Recorder) -> Iterator[Services]:
    built = build_services(settings)
    runs = Runs(built.database, recorder, recorder, load_actions([]), resend_s=2)
    yield replace(
        built,
        runs=runs,
        chats=make_chats(built.database, runs, recorder, built.models),
        snapshots=Snapshots(built.conversations, NoStream()),
    )
    built.database.close()


@pytest.fixture
def worker(services: Services, recorder: Recorder) -> Worker:
    return Worker(services, recorder)


class Chat:
    """One person who chats."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def say(self, text: str = "Hello", /, status: int = 202, *, id: str = "talk-1", **fields: Any) -> Any:
        """Say something; `message_id` is the message's."""
        message = {"role": "user", "parts": [{"type": "text", "text": text}]}
        if "message_id" in fields:
            message["id"] = fields.pop("message_id")
        return self.post("", status, id=id, message=message, **fields)

    def post(self, path: str, status: int = 202, /, **body: Any) -> Any:
        answer = self.client.post(f"/api/chat{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json

    def get(self, path: str, status: int = 200, /, **query: Any) -> Any:
        answer = self.client.get(f"/api/chat{path}", query_string=query)
        assert answer.status_code == status, answer.text
        return answer.json

    def message(self, message_id: str) -> Any:
        return self.get(f"/messages/{message_id}")

    def conversation(self, conversation_id: str = "talk-1") -> Any:
        return self.get(f"/conversations/{conversation_id}")


@pytest.fixture
def chat(operator: FlaskClient) -> Chat:
    return Chat(operator)
