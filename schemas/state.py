"""The state document of a run, as `GET /workflow/state` gives it, and how older stored documents become one.

The words are those of the wire: a run that is being stopped reads `running` with `stopping`, a step that is ready or
waiting reads `pending`, with `ready` or `waiting_for` beside it. Times are ISO 8601 in UTC. At most 256 KiB.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.json import Json, JsonObject
from schemas.progress import Progress
from schemas.statuses import WaitReason
from schemas.workflow import SshTarget

SCHEMA_VERSION = "1.0"
MAX_STATE_BYTES = 256 * 1024
WINDOW_STEPS = 200

WireRunStatus = Literal["pending", "running", "paused", "completed", "failed", "cancelled"]
WireStepStatus = Literal["pending", "in_progress", "completed", "failed", "skipped", "cancelled"]


class StateModel(BaseModel):
    """Base of the parts. Fields that a later version adds are let through."""

    model_config = ConfigDict(frozen=True, extra="allow")


class StepResult(StateModel):
    """How a step ended. `clipped`: the whole of it is at `/workflow/steps?step=<key>`."""

    success: bool
    message: str | None = None
    error: str | None = None
    details: JsonObject = Field(default_factory=dict)
    clipped: bool = False


class ErrorShown(StateModel):
    """Why a step or a run failed; `step` is the key of the step a run failed at."""

    code: str = "error"
    message: str = ""
    details: JsonObject = Field(default_factory=dict)
    step: str | None = None


class StepProgress(Progress):
    """Progress as stored; `clipped`: without its lists, which were too large to be shown."""

    model_config = ConfigDict(frozen=True, extra="allow")
    clipped: bool = False
    items_total: int | None = None


class Holder(StateModel):
    """Who holds the lock or the place that a step waits for; `for_run`: until its run has ended."""

    workflow_id: str
    step: str
    since: datetime
    for_run: bool = False


class StepState(StateModel):
    """One step. `until` is when a wait ends, `waiting_on` what it waits for (`lock:file:/x`, `rate:openai`,
    `breaker:openai`, `throttle:host-a`), `held_by` the first holders of that lock; `why` says why it waits, where that
    is not clear by itself; `attempt` counts all tries, `failures` those that failed.
    """

    index: int
    key: str
    action: str
    label: str
    status: WireStepStatus
    ready: bool = False
    waiting_for: WaitReason | None = None
    until: datetime | None = None
    waiting_on: str | None = None
    held_by: tuple[Holder, ...] | None = None
    why: str | None = None
    stopping: bool = False
    attempt: int = 0
    failures: int = 0
    max_attempts: int | None = None
    needs: tuple[str, ...] = ()
    needs_total: int = 0
    made_by: int | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    duration_ms: int | None = None
    result: StepResult | None = None
    error: ErrorShown | None = None
    progress: StepProgress | None = None


class Counts(StateModel):
    """Steps by status; `pending` holds those that are ready or waiting too."""

    total: int = 0
    pending: int = 0
    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    skipped: int = 0
    cancelled: int = 0


class State(StateModel):
    """A run. `steps_truncated`: only steps around the one in hand are here, the rest at `/workflow/steps`."""

    schema_version: Literal["1.0"]
    workflow_id: str
    name: str = "workflow"
    status: WireRunStatus
    active: bool
    stopping: bool = False
    version: int = 0
    position: str | None = Field(None, description="place in the event stream before which all is in this document")
    current_step: int | None = Field(None, description="0-based index of the step in hand")
    total_steps: int
    counts: Counts
    steps: tuple[StepState, ...]
    steps_truncated: bool = False
    ssh_connection: str | None = Field(None, description="the host as an ssh command line, without secrets")
    ssh: SshTarget | None = None
    template_id: str | None = None
    forked_from: str | None = None
    started_by: str = ""
    priority: int = 5
    start_time: datetime
    last_update: datetime
    end_time: datetime | None = None
    error: ErrorShown | None = None
    params: JsonObject | None = None
    params_truncated: bool = False
    metadata: JsonObject = Field(default_factory=dict)


def read_state(document: Mapping[str, Any]) -> State:
    """A stored state document of this or an older version, checked.

    Raises: ValueError when it is no state document, or of a version that is not known here.
    """
    current = dict(document)
    version = current.get("schema_version")
    while version != SCHEMA_VERSION:
        upgrade = UPGRADES.get(version)
        if upgrade is None:
            raise ValueError(f"a state document of version {version!r}; this program reads up to {SCHEMA_VERSION}")
        current = upgrade(current)
        version = current["schema_version"]
    return State.model_validate(_completed(current))


def _from_unversioned(document: JsonObject) -> JsonObject:
    """Documents from before there was a version: epoch seconds for times, `name` and `state` for action and status."""
    steps = [
        {"action": step.get("name"), "status": step.get("state", "pending"), **step}
        for step in document.get("steps", ())
        if isinstance(step, dict)
    ]
    return {**document, "schema_version": SCHEMA_VERSION, "steps": steps}


# From a version to a document of a later one. `None` stands for a document without a version.
UPGRADES: dict[Any, Callable[[JsonObject], JsonObject]] = {None: _from_unversioned}


def _completed(document: JsonObject) -> JsonObject:
    """Fill in what documents of version 1.0 from other writers leave out, and drop what may not be kept."""
    steps = [_completed_step(index, step) for index, step in enumerate(document.get("steps") or ())]
    status = document.get("status", "pending")
    counts = {name: sum(step["status"] == name for step in steps) for name in Counts.model_fields if name != "total"}
    start = _time(document.get("start_time"))
    return {
        "active": status in ("pending", "running", "paused"),
        "total_steps": len(steps),
        "counts": {"total": len(steps), **counts},
        **document,
        "status": status,
        "steps": steps,
        "start_time": start,
        "last_update": _time(document.get("last_update")) or start,
        "end_time": _time(document.get("end_time")),
        "ssh_connection": _without_password(document.get("ssh_connection")),
    }


def _completed_step(index: int, step: JsonObject) -> JsonObject:
    action = str(step.get("action") or "unknown")
    result = step.get("result")
    return {
        "index": index,
        "key": f"{re.sub(r'[^A-Za-z0-9_-]', '_', action)}_{index}",
        "label": action,
        **step,
        "action": action,
        "start_time": _time(step.get("start_time")),
        "end_time": _time(step.get("end_time")),
        "result": {"success": result} if isinstance(result, bool) else result,
        "error": {"message": step["error"]} if isinstance(step.get("error"), str) else step.get("error"),
    }


def _time(value: Json) -> Json:
    """ISO 8601, or seconds or milliseconds since 1970; a time without a zone is UTC."""
    if isinstance(value, str) and value:
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
    return value or None


def _without_password(value: Json) -> Json:
    """`ssh user:password@host` without the password."""
    return re.sub(r"([^\s:@/]+):[^\s@]*@", r"\1@", value) if isinstance(value, str) else None
