"""Answers that are written by this process as workers write them, and readers of them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from messaging.dispatcher import NullDispatcher
from orchestration.actions.registry import load_actions
from orchestration.chat.chats import Chats
from orchestration.core.decide import Failed, Lost, StepError, Succeeded
from orchestration.engine.attempts import Attempts
from orchestration.engine.runs import Runs
from orchestration.redaction import Redactor
from schemas.chat import ChatAnswer, ChatRequest
from tests.integration.relay.conftest import Relay, World
from tests.support.engine import ALICE, LEASE_S, RESEND_S
from workers.texts import Text, TextPace

MODEL = {"provider": "demo", "model": "story"}
# Stored only when the attempt says so.
NEVER = TextPace(seconds=1e9, pieces=1_000_000_000)


class ChatWorld:
    """A world with conversations."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.stream = world.stream
        self.database = world.database
        actions = load_actions(())
        parts = (world.database, NullDispatcher(), world.stream)
        self.runs = Runs(*parts, actions, resend_s=RESEND_S)
        self.attempts = Attempts(*parts, lease_s=LEASE_S, resend_s=RESEND_S)
        self.chats = Chats(
            world.database,
            self.runs.starts,
            world.stream,
            check_model=lambda name: None,
            mixtures={},
            default_model="demo/story",
        )

    def ask(self, text: str = "Tell me a story", **more: Any) -> ChatAnswer:
        body = {"id": f"conv-{time.monotonic_ns()}", "message": {"parts": [{"type": "text", "text": text}]}}
        if not more:
            more = {"chatModel": MODEL}
        return self.chats.say(ChatRequest.model_validate(body | more), ALICE)

    def write(self, answer: ChatAnswer, position: int = 0) -> Writing:
        return Writing(self, answer.taskId, position)

    def stored(self, message_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.database.call("SELECT read_message(%s)", message_id)
        return found


class Writing:
    """An attempt at an answer."""

    def __init__(self, world: ChatWorld, run_id: str, position: int) -> None:
        self.world = world
        self.run_id = run_id
        lease = world.attempts.claim(run_id, position, "w1")
        assert lease is not None
        self.lease = lease
        self._text = Text(lease, world.attempts, world.stream, Redactor(()), NEVER)
        self.text = lease.written

    def write(self, *pieces: str) -> None:
        for piece in pieces:
            self._text.write(piece)
            self.text += piece
        assert self.world.stream.flush(10)

    def rewrite(self, text: str) -> None:
        self._text.rewrite(text)
        self.text = text
        assert self.world.stream.flush(10)

    def save(self) -> None:
        self._text.save()

    def finish(self) -> None:
        self._text.end()
        self.save()
        details: dict[str, Any] = {"text": self.text, "model": "demo/story", "finish_reason": "stop"}
        details["usage"] = {"prompt_tokens": 3, "completion_tokens": len(self.text.split()), "estimated": False}
        details["timings"] = {"first_token_ms": 1.0, "total_ms": 2.0, "tokens_per_s": 9.0}
        self.world.attempts.finish(self.lease, Succeeded({"message": self.text[:50], "details": details}))
        assert self.world.stream.flush(10)

    def fail(self) -> None:
        self.save()
        self.world.attempts.finish(self.lease, Failed(StepError("model.unknown", "no such model"), permanent=True))
        assert self.world.stream.flush(10)

    def lose(self) -> None:
        """As when its worker dies: what was not stored is lost, and the step is ready again."""
        self.world.attempts.finish(self.lease, Lost(counted=False))
        assert self.world.stream.flush(10)


class MessageEvents:
    """A reader of a message's server-sent events, who keeps to the one rule."""

    def __init__(self, relay: Relay, message_id: str, after: str | None = None, *, query: str = "") -> None:
        headers = {"Last-Event-ID": after} if after else {}
        path = f"/api/chat/messages/{message_id}/events?{query}"
        self.response = relay.get(path, headers=headers, stream=True)
        assert self.response.status_code == 200, self.response.text
        self._lines = self.response.iter_lines(chunk_size=1, decode_unicode=True)
        self.last_id = after

    def read(self) -> tuple[str, dict[str, Any]]:
        """Name and data of the next event."""
        message: dict[str, str] = {}
        for line in self._lines:
            if not line and "data" in message:
                self.last_id = message.get("id", self.last_id)
                return message["event"], json.loads(message["data"])
            name, _, value = line.partition(": ")
            message[name] = value
        raise AssertionError("the stream has ended")

    def close(self) -> None:
        self.response.close()


class Follower:
    """A reader of a message to its end, in a thread, who comes back to where it was when its connection is lost."""

    def __init__(self, relay: Relay, message_id: str, *, cut_after: int = 0) -> None:
        """`cut_after`: it loses its connection after so many events, each time."""
        self.relay = relay
        self.message_id = message_id
        self.text = ""
        self.connects = 0
        self.snapshots = 0
        self.pieces: list[tuple[int, str]] = []
        self.done: dict[str, Any] = {}
        self.failed: BaseException | None = None
        self._cut_after = cut_after
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def join(self, timeout_s: float = 60) -> None:
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), f"no end in sight after {len(self.text)} characters"
        if self.failed is not None:
            raise self.failed

    def _run(self) -> None:
        after = None
        try:
            while not self.done:
                try:
                    after = self._read(after)
                except (requests.RequestException, AssertionError):
                    time.sleep(0.05)  # the relay is away
        except BaseException as error:
            self.failed = error

    def _read(self, after: str | None) -> str | None:
        self.connects += 1
        reader = MessageEvents(self.relay, self.message_id, after)
        try:
            count = 0
            while not (self._cut_after and count >= self._cut_after):
                name, data = reader.read()
                count += 1
                self._take(name, data)
                if name == "done":
                    break
        finally:
            reader.close()
        return reader.last_id

    def _take(self, name: str, data: dict[str, Any]) -> None:
        if name == "snapshot":
            self.snapshots += 1
            self.text = data["text"]
        elif name == "delta":
            if data["offset"] > len(self.text):
                raise ValueError(f"a hole from {len(self.text)} to {data['offset']}")
            self.pieces.append((data["offset"], data["text"]))
            self.text = self.text[: data["offset"]] + data["text"]
        elif name == "done":
            self.done = data


@contextmanager
def reading(relay: Relay, message_id: str, after: str | None = None, *, query: str = "") -> Iterator[MessageEvents]:
    reader = MessageEvents(relay, message_id, after, query=query)
    try:
        yield reader
    finally:
        reader.close()
