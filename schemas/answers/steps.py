"""What is answered of the steps of a run."""

from __future__ import annotations

from datetime import datetime

from pydantic import RootModel

from schemas.answers.parts import Answer, Part
from schemas.json import JsonObject
from schemas.state import ErrorShown, StepState
from schemas.statuses import AttemptOutcome


class AttemptShown(Part):
    """How one attempt went. Times in UTC; `worker` is who ran it."""

    attempt: int
    outcome: AttemptOutcome
    worker: str | None
    start_time: datetime | None
    end_time: datetime
    duration_ms: int | None
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
