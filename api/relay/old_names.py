"""Notices under the names that clients of chats knew them by, beside `workflow_event`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from messaging.reading import Entry
from schemas.events import EventType

# How an event begins that is a notice, see schemas/events.py.
NOTICE = f'{{"type":"{EventType.NOTICE}"'
STATUS, ERROR = "status", "chat:message:error"

AnswerOf = Callable[[str], str | None]
"""The id of the message that a run answers with; None when it answers none, or that cannot be read."""


def old_events(run_id: str, entries: Sequence[Entry], answer_of: AnswerOf) -> list[tuple[str, str]]:
    """Names and JSON texts of what is told of these events besides."""
    found = []
    for entry in entries:
        if entry.text.startswith(NOTICE):
            event = json.loads(entry.text)
            told = {"message_id": answer_of(run_id), "workflow_id": run_id}
            if event["error"]:
                name, told = (
                    ERROR,
                    told | {"content": event["message"], "error": event["message"], "step": event["key"]},
                )
            else:
                name, told = STATUS, {"action": event["notice"], "description": event["message"]} | told
            found.append((name, json.dumps(told, ensure_ascii=False, separators=(",", ":"))))
    return found
