"""What clients may ask for, checked before anything is looked up."""

from __future__ import annotations

from typing import Any

from api.refusal import Refusal
from schemas.events import Position
from schemas.workflow import is_public_id


def workflow_id(value: Any) -> str:
    """The public id of a run. Raises: Refusal."""
    if value is None or value == "":
        raise _invalid("workflow_id is missing", "/workflow_id", "name the run, as /workflow/start answered it")
    if not isinstance(value, str) or not is_public_id(value):
        raise _invalid("workflow_id is not the id of a run", "/workflow_id", "send it as /workflow/start answered it")
    return value


def position(value: Any) -> Position | None:
    """A place in a run's stream; None when none is given. Raises: Refusal."""
    if value is None or value == "":
        return None
    try:
        if not isinstance(value, str):
            raise ValueError("not text")
        return Position.parse(value)
    except ValueError as error:
        raise _invalid(
            "'after' is not a position", "/after", "send a position as events carry it, or 0-0 for the beginning"
        ) from error


def place(value: Any, where: str) -> Position | int | None:
    """How far somebody has read a text: a place in its run's stream, or so many characters. Raises: Refusal."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 16:
        return int(value)
    try:
        return None if not value else Position.parse(value)
    except ValueError as error:
        raise _invalid(
            f"{where!r} is neither a position nor a number of characters",
            f"/{where}",
            "send the `position` of the message as it was read, or the id of the last event",
        ) from error


def message_id(value: str) -> str:
    """The public id of a message. Raises: Refusal."""
    if not is_public_id(value):
        raise _invalid("this is not the id of a message", "/message", "send it as POST /api/chat answered it")
    return value


def seconds(value: str | None, *, most: float) -> float:
    """A time to wait, cut to `most`; 0 when none is given. Raises: Refusal."""
    if value is None or value == "":
        return 0.0
    try:
        wait_s = float(value)
    except ValueError:
        wait_s = -1.0
    if not 0 <= wait_s < float("inf"):
        raise _invalid("'wait' is not a number of seconds", "/wait", f"send a number from 0 to {most:g}")
    return min(wait_s, most)


def etag(value: str | None) -> str | None:
    """An ETag as sent in `since` or If-None-Match, without quotes."""
    if value is None:
        return None
    return value.strip().removeprefix("W/").strip('"') or None


def _invalid(detail: str, where: str, mend: str) -> Refusal:
    return Refusal(400, "invalid_request", detail, where=where, mend=mend)
