"""What is answered of the steps of a run."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import RootModel

from schemas.answers.parts import Answer, Part
from schemas.json import JsonObject
from schemas.state import ErrorShown, StepState
from schemas.statuses import AttemptOutcome


class Resources(Part):
    """What an attempt used; memory is that of its whole process at its most.

    of: `process` where the attempt had one to itself (prefork); its processor time is with that of the programs it ran.
    `thread` where others ran beside it: the time is that of its thread alone, and the memory an estimate.
    `sent_bytes` and `received_bytes` go over the network, `prompt_tokens` and `completion_tokens` are what models read
    and wrote; left out where the action counted none. `agent`: what it depended on, by the name of its breaker.
    """

    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    sent_bytes: int | None = None
    received_bytes: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    agent: str | None = None
    of: Literal["process", "thread"]
    estimated: bool


class AttemptShown(Part):
    """How one attempt went. Times in UTC; `worker` is who ran it. `resources`: null for one of a few milliseconds."""

    attempt: int
    outcome: AttemptOutcome
    worker: str | None
    start_time: datetime | None
    end_time: datetime
    duration_ms: int | None
    resources: Resources | None
    error: ErrorShown | None


class StepOfPage(StepState):
    """One step; with its newest ten attempts when they were asked for."""

    attempts: list[AttemptShown] | None = None


class StepsAnswer(Answer):
    """A page of a run's steps, in order."""

    workflow_id: str
    steps: list[StepOfPage]
    next: int | None


class WholeStep(StepState):
    """All that is kept of a step, with its newest hundred attempts."""

    params: JsonObject
    policy: JsonObject
    queue: str
    worker: str | None
    attempts: list[AttemptShown]


class StepAnswer(Answer):
    """One step."""

    workflow_id: str
    step: WholeStep


class StepsOrStep(RootModel[StepsAnswer | StepAnswer]):
    """A page of steps, or one step where one was asked for."""
