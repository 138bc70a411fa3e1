"""What readers have heard of a text whose attempt was lost: what is stored, and the events behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.events import EventType
from schemas.json import JsonObject

Edition = tuple[int, int]
"""Which attempt wrote a text, and how often it had begun anew by then."""


def heard_text(stored: str, stored_by: Edition, key: str, events: Iterable[JsonObject]) -> str:
    """`stored`, gone on with by what the same attempt told readers of the step `key` besides.

    `events` of the run, the newest first; no more are read than are needed. Where they do not lead to what is stored,
    or to the beginning of another text that the attempt wrote since, it is what is stored.
    """
    later: list[tuple[int, str]] = []
    newest: Edition | None = None
    for event in events:
        if event["type"] != EventType.TEXT or event["key"] != key or event["attempt"] != stored_by[0]:
            continue
        edition = (event["attempt"], event.get("edition", 0))
        newest = newest or edition
        if edition < stored_by or edition != newest:
            return stored
        later.append((event["offset"], event["text"]))
        if edition == stored_by and event["offset"] <= len(stored):
            return max(_joined(stored, later), stored, key=len)
        if event["offset"] == 0:
            return _joined("", later)
    return stored


def _joined(text: str, later: Sequence[tuple[int, str]]) -> str:
    for offset, piece in reversed(later):
        if offset > len(text):  # some were dropped before they were sent
            break
        text = text[:offset] + piece
    return text
