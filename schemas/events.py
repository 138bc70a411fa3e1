"""What is published while a run goes on: one sequence per run, over all its steps.

An event assigns absolute values, so that replaying one twice changes nothing. Its position is `<epoch>-<seq>`:
`seq` counts from 1 without gaps; a new epoch means that the broker lost the stream and readers must read the state.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.json import Json, JsonObject
from schemas.statuses import RunStatus, StepStatus, WaitReason

# The stream that tells of alerts; the id of no run has a colon.
ALERTS = ":alerts"


class EventType(StrEnum):
    """Kinds of events."""

    RUN = "run"
    STEP = "step"
    PROGRESS = "progress"
    LOG = "log"
    TEXT = "text"
    ALERT = "alert"
    NOTICE = "notice"


class RunEvent(BaseModel):
    """The run changed."""

    model_config = ConfigDict(frozen=True)
    type: EventType = EventType.RUN
    version: int
    status: RunStatus
    total: int
    completed: int
    failed: int
    skipped: int


class StepEvent(BaseModel):
    """A step changed."""

    model_config = ConfigDict(frozen=True)
    type: EventType = EventType.STEP
    version: int
    index: int
    key: str
    status: StepStatus
    attempt: int
    waiting_for: WaitReason | None = None
    due_at: datetime | None = None
    message: str | None = None
    error: JsonObject | None = None


class ProgressEvent(BaseModel):
    """How far an attempt is; replaces the progress shown before."""

    model_config = ConfigDict(frozen=True)
    type: EventType = EventType.PROGRESS
    index: int
    key: str
    attempt: int
    progress: Json


class LogEvent(BaseModel):
    """A piece of a step's log. `offset` counts characters of the attempt's log before this piece."""

    model_config = ConfigDict(frozen=True)
    type: EventType = EventType.LOG
    index: int
    key: str
    attempt: int
    offset: int
    level: str
    text: str


class AlertEvent(BaseModel):
    """An alert changed, or somebody did to it what had been done: a hint to read the alerts."""

    model_config = ConfigDict(frozen=True)
    type: EventType = EventType.ALERT
    id: int
    change: Literal["opened", "acknowledged", "resolved"]
    severity: str
    rule: str


class TextEvent(BaseModel):
    """A piece of what a step writes: from `offset` characters on, its text is `text`, and there is no more of it yet.

    The first piece of an attempt has offset 0; one that goes on from what another wrote says that again with it.
    `edition` counts how often this attempt has put another text in place of what was written.
    """

    model_config = ConfigDict(frozen=True)
    type: EventType = EventType.TEXT
    index: int
    key: str
    attempt: int
    edition: int = 0
    offset: int
    text: str


class NoticeEvent(BaseModel):
    """Something that people who watch should be told at once; nothing in the state depends on it.

    `notice` names what kind, such as `agent_mixing`; `index` and `key` the step it is about, if it is about one.
    """

    model_config = ConfigDict(frozen=True)
    type: EventType = EventType.NOTICE
    notice: str
    message: str
    index: int | None = None
    key: str | None = None
    error: bool = False


Event = RunEvent | StepEvent | ProgressEvent | LogEvent | AlertEvent | TextEvent | NoticeEvent


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a run's event stream, both numbers from 0. `0-0` is before everything.

    No model, since one is made for each event that is read.
    """

    epoch: int = 0
    seq: int = 0

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read `<epoch>-<seq>`. Raises ValueError on anything else."""
        epoch, dash, seq = text.partition("-")
        if not dash or not epoch.isdecimal() or not seq.isdecimal() or len(text) > 40:
            raise ValueError(f"{text[:40]!r} is not a stream position such as '1763700000000-12'")
        return cls(epoch=int(epoch), seq=int(seq))

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"
