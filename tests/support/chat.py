"""Chats over real workers, and a reader that knows nothing but the events: what it holds is what people see."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from messaging.reading import START
from messaging.stream import EventStream
from orchestration.chat.chats import Chats
from orchestration.chat.reading import Conversations
from orchestration.engine.runs import StartedRun
from orchestration.errors import StoreUnavailable
from orchestration.store.database import Database
from schemas.chat import ChatAnswer, ChatRequest
from schemas.statuses import RunStatus
from tests.support import chat_filters as _filters  # noqa: F401 - declares them here as in the workers
from tests.support.engine import ALICE
from tests.support.model_peer import ModelServer
from tests.support.workers import Fleet, wait_until

_numbers = itertools.count(1)


@dataclass
class Shown:
    """What a reader of a run's events holds of one step. It applies the one rule: `text = text[:offset] + piece`."""

    text: str = ""
    attempt: int = 0
    pieces: int = 0
    editions: list[tuple[int, int]] = field(default_factory=list)

    def take(self, event: dict[str, Any]) -> None:
        # What comes late of an attempt that was taken over is nobody's text any more.
        if event["attempt"] < self.attempt:
            return
        self.attempt = event["attempt"]
        if event["type"] == "text":
            assert event["offset"] <= len(self.text), f"a hole: {event} behind {len(self.text)} characters"
            self.text = self.text[: event["offset"]] + event["text"]
            self.pieces += 1
            edition = (event["attempt"], event["edition"])
            if edition not in self.editions:
                self.editions.append(edition)


def events_of(stream: EventStream, run_id: str) -> list[dict[str, Any]]:
    """All that was published of a run so far, in order."""
    found: list[dict[str, Any]] = []
    place = START
    while True:
        batch = stream.read(run_id, place)
        assert not batch.truncated
        if not batch.entries:
            return found
        found += [json.loads(entry.text) for entry in batch.entries]
        place = batch.position


def shown(events: Sequence[dict[str, Any]], key: str = "answer") -> Shown:
    """What a reader of these events holds of a step."""
    reader = Shown()
    for event in events:
        if event["type"] in ("text", "step") and event["key"] == key:
            reader.take(event)
    return reader


def providers(server: ModelServer) -> dict[str, Any]:
    """Providers that are all the one stand-in: each test that opens a breaker has one of its own."""
    plain = {"base_url": server.base_url, "idle_s": 1.0, "first_token_s": 20.0}
    names = ("plain", "other", "failing", "limited", "cut", "hanging", "malformed", "refusing", "mixed")
    return {
        **dict.fromkeys(names, plain),
        "resumes": plain | {"continues": "vllm"},
        "garbled": plain | {"continues": "vllm"},
        "keyed": plain | {"secret": "standin"},
    }


class ChatFleet(Fleet):
    """Workers that write answers, the use cases that ask for them, and the events that readers get."""

    def __init__(
        self, database_url: str, redis_url: str, directory: Path, server: ModelServer | None = None, **settings: str
    ) -> None:
        if server is not None:
            settings = {"model_providers": json.dumps(providers(server))} | settings
        settings = {"actions": "tests.support.fault_actions,tests.support.chat_filters"} | settings
        super().__init__(database_url, redis_url, directory, **settings)
        self.stream = EventStream(redis_url)
        self.chats = Chats(
            self.database,
            self.runs.starts,
            self.stream,
            check_model=lambda _name: None,
            mixtures={},
            default_model="demo/fast",
        )
        self.conversations = Conversations(self.database)
        self.actor = ALICE

    def ask(self, model: str, text: str = "Say something.", **fields: Any) -> ChatAnswer:
        """Ask a model in a conversation of its own, or with `mixture` or `battle`."""
        number = next(_numbers)
        provider, _, name = model.partition("/")
        chosen = {"chatModel": {"provider": provider, "model": name}} if model else {}
        body = {"id": f"talk-{number}", "message": {"parts": [{"type": "text", "text": text}]}} | chosen | fields
        return self.chats.say(ChatRequest.model_validate(body), ALICE)

    def message(self, message_id: str) -> dict[str, Any]:
        """A message as it is stored."""
        return self.conversations.message(message_id)

    def run_of(self, answer: ChatAnswer) -> StartedRun:
        """The run that answers."""
        return StartedRun(answer.taskId, True, RunStatus.RUNNING, 0)

    def stop(self, answer: ChatAnswer) -> None:
        """Stop an answer, as the stop button does."""
        self.runs.stop(answer.taskId, ALICE)

    def wait_text(self, answer: ChatAnswer, characters: int, key: str = "answer", timeout_s: float = 60) -> None:
        """Wait until readers of the events hold so much of the text."""

        def enough() -> bool:
            return len(shown(events_of(self.stream, answer.taskId), key).text) >= characters

        wait_until(enough, timeout_s, lambda: self._why(self.run_of(answer)))

    def wait_stored(self, answer: ChatAnswer, characters: int, timeout_s: float = 60) -> None:
        """Wait until so much of the text is in PostgreSQL, while it is being written."""

        def enough() -> bool:
            return len(self.message(answer.id)["text"]) >= characters

        wait_until(enough, timeout_s, lambda: self._why(self.run_of(answer)))

    def wait_ended(self, answer: ChatAnswer, *statuses: str, timeout_s: float = 60) -> dict[str, Any]:
        """The answer once it is not being written any more; `statuses` are those it may have then."""
        message = self.wait_ended_one(answer.id, timeout_s=timeout_s)
        assert message["status"] in (statuses or ("completed",)), (message, self._why(self.run_of(answer)))
        return message

    def wait_ended_one(self, message_id: str, timeout_s: float = 60) -> dict[str, Any]:
        """A message once it is not being written any more."""
        wait_until(
            lambda: self._status(message_id) not in ("writing", "unknown"), timeout_s, lambda: self.message(message_id)
        )
        return self.message(message_id)

    def wait_asked(self, server: ModelServer, model: str, times: int = 1) -> None:
        """Wait until the server was asked so often for a model, and has dealt with it."""
        wait_until(
            lambda: len([one for one in server.seen(model) if one.ended]) >= times, 60, lambda: server.seen(model)
        )

    def wait_told(self, answer: ChatAnswer) -> list[dict[str, Any]]:
        """All events of the run, once its end was told."""

        def told() -> bool:
            return any(
                e["type"] == "run" and e["status"] != "cancelling" for e in events_of(self.stream, answer.taskId)
            )

        wait_until(told, 30, lambda: events_of(self.stream, answer.taskId)[-5:])
        return events_of(self.stream, answer.taskId)

    def check_shown(self, answer: ChatAnswer, text: str, key: str = "answer", timeout_s: float = 20) -> Shown:
        """Wait for the last events; what a reader of all of them holds is `text`, character by character."""
        deadline = time.monotonic() + timeout_s
        while True:
            reader = shown(events_of(self.stream, answer.taskId), key)
            if reader.text == text or time.monotonic() > deadline:
                assert reader.text == text
                return reader
            time.sleep(0.02)

    def _status(self, message_id: str) -> str:
        try:
            return str(self.message(message_id)["status"])
        except StoreUnavailable:
            return "unknown"


def stored_text(database: Database, run_id: str, position: int = 0) -> str | None:
    """What `save_text` has stored of a step."""
    found: str | None = database.call(
        "SELECT t.text FROM texts t JOIN runs r ON r.id = t.run_id WHERE r.public_id = %s AND t.position = %s",
        run_id,
        position,
    )
    return found
