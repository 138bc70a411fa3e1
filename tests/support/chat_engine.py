"""Chatting on a real database, with recorders where messages and events would go, and a worker's hands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestration.actions.declaration import ActionDeclaration
from orchestration.chat.battles import Battles
from orchestration.chat.chats import Chats
from orchestration.chat.plans import ACTION
from orchestration.chat.reading import Conversations
from orchestration.core.decide import Succeeded
from orchestration.engine.leases import Lease
from orchestration.engine.runs import Runs, StartedRun
from schemas.chat import ChatAnswer, ChatRequest
from schemas.json import JsonObject
from schemas.statuses import RunStatus
from tests.support.engine import ACTIONS, ALICE, RESEND_S, Harness, declare

CHAT_ACTIONS: dict[str, ActionDeclaration] = ACTIONS | {ACTION: declare(ACTION)}


class Talk(Harness):
    """One process in which people chat and steps are worked on, as far as the database can tell."""

    def __init__(self, url: str, *, size: int = 5) -> None:
        super().__init__(url, size=size)
        self.runs = Runs(self.database, self.recorder, self.recorder, CHAT_ACTIONS, resend_s=RESEND_S)
        self.chats = Chats(
            self.database,
            self.runs.starts,
            self.recorder,
            check_model=lambda _name: None,
            mixtures={},
            default_model="demo/plain",
        )
        self.conversations = Conversations(self.database)
        self.battles = Battles(self.database)

    def say(self, text: str = "Hello", *, id: str = "talk", **fields: Any) -> ChatAnswer:
        """Say something as Alice; `message_id` is the message's own."""
        message: JsonObject = {"parts": [{"type": "text", "text": text}]}
        if "message_id" in fields:
            message["id"] = fields.pop("message_id")
        return self.chats.say(ChatRequest.model_validate({"id": id, "message": message} | fields), ALICE)

    def run_of(self, answer: ChatAnswer) -> StartedRun:
        """The run that answers."""
        return StartedRun(answer.taskId, True, RunStatus.RUNNING, 0)

    def take(self, answer: ChatAnswer, position: int = 0) -> Lease:
        """Claim a step of the run that answers."""
        return self.claim(self.run_of(answer), position)

    def answer(self, said: ChatAnswer, text: str, position: int = 0) -> None:
        """Write an answer to its end."""
        self.finish(self.take(said, position), answered(text))

    def message(self, message_id: str) -> JsonObject:
        """A message as it is stored."""
        return self.conversations.message(message_id)

    def counts(self) -> dict[str, int]:
        """How many rows there are."""
        tables = ("runs", "conversations", "messages", "battles")
        return {table: int(self.database.call(f"SELECT count(*) FROM {table}")) for table in tables}


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


def said_in(branch: Sequence[JsonObject]) -> list[str]:
    """The texts of a branch."""
    return [one["text"] for one in branch]
