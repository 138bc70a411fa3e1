"""What is answered of what happened in a run: logs and the trace."""

from __future__ import annotations

from datetime import datetime

from schemas.answers.parts import Answer, Part
from schemas.json import JsonObject
from schemas.state import WireRunStatus


class LogPiece(Part):
    """A piece of a log. `offset` counts characters of the attempt's log before it."""

    offset: int
    level: str
    time: datetime
    text: str


class LogsAnswer(Answer):
    """Pieces of the log of one attempt; `next` is the offset behind them."""

    workflow_id: str
    step: str
    attempt: int
    pieces: list[LogPiece]
    next: int


class TraceEntry(Part):
    """One thing that happened to a run."""

    seq: int
    time: datetime
    kind: str
    index: int | None
    key: str | None
    attempt: int | None
    status: WireRunStatus | None
    detail: JsonObject | None
    omitted: int


class TraceAnswer(Answer):
    """A page of what happened, oldest first; `next` is the last `seq` given."""

    workflow_id: str
    trace: list[TraceEntry]
    omitted: int
    next: int | None
