"""What is answered of runs as a whole: lists, counts, states, and what runs were started with."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from schemas.answers.parts import Answer, Done, Part
from schemas.json import JsonObject
from schemas.state import Counts, ErrorShown, State, StepState, WireRunStatus, WireStepStatus
from schemas.statuses import WaitReason


class ArchivedAnswer(Done):
    """A run was archived; without an id: there was none to archive."""

    workflow_id: str | None = None


class StateAnswer(Answer):
    """The state; null when no run is meant."""

    active: bool
    state: State | None


class RunHead(Part):
    """One run as a line of a list."""

    workflow_id: str
    name: str
    status: WireRunStatus
    active: bool
    stopping: bool
    version: int
    total_steps: int
    counts: Counts
    percent: int
    priority: int
    host: str | None = Field(description="user@host:port")
    template_id: str | None
    started_by: str
    forked_from: str | None
    start_time: datetime
    last_update: datetime
    end_time: datetime | None
    duration_ms: int | None
    archived: bool
    error: ErrorShown | None


class StepInHand(Part):
    """The step a run is at, as a line of a list shows it; `waiting_on` as in `schemas.state.StepState`."""

    index: int
    key: str
    label: str
    status: WireStepStatus
    waiting_for: WaitReason | None
    until: datetime | None
    waiting_on: str | None = None
    percent: float | None


class RunShown(RunHead):
    """One run of the list, with the step in hand."""

    cursor: int = Field(description="its place in the list: a page asked for with it begins below this run")
    step: StepInHand | None = None


class RunsAnswer(Answer):
    """A page of runs, newest first. A searched page may be short and still have a `next`."""

    runs: list[RunShown]
    next: int | None


class RunCounts(Part):
    """How many runs have each status."""

    pending: int = 0
    running: int = 0
    paused: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0


class CountsAnswer(Answer):
    """Runs by status: the unfinished, and those that ended within `ended_within_s`; none counts beyond `at_most`."""

    counts: RunCounts
    ended_within_s: float
    at_most: int


class SummaryStep(StepState):
    """The step in hand."""


class Summary(RunHead):
    """The run without its steps."""

    current_step: int | None
    step: SummaryStep | None


class NoSummary(Part):
    """No run is meant."""

    active: Literal[False] = False


class SummaryAnswer(Answer):
    """The run without its steps but with the step in hand."""

    summary: Summary | NoSummary


class DurationsAnswer(Answer):
    """How long steps took: medians over `samples` completed runs of the same template or name."""

    workflow_id: str
    samples: int
    run_ms: int | None
    steps: dict[str, int] = Field(description="milliseconds by the key of the step")


class DefinitionAnswer(Answer):
    """The workflow that a run was started with, in the new form of a start; secrets taken out."""

    workflow_id: str
    workflow: JsonObject


class ReadAnswer(Answer):
    """A workflow that was read from a text, as it would be sent to start it; not checked yet."""

    workflow: JsonObject
