"""The words for where a run and a step stand, the same in SQL, Python, JSON and on the screen."""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """Where a run stands. `cancelling` lasts until the work is confirmed stopped."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_finished(self) -> bool:
        """Whether nothing can change any more, short of a retry."""
        return self in FINISHED_RUN


class StepStatus(StrEnum):
    """Where a step stands. `waiting` always has a reason, see `WaitReason`."""

    PENDING = "pending"
    READY = "ready"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def is_ended(self) -> bool:
        """Whether the step has an outcome."""
        return self in ENDED_STEP


class WaitReason(StrEnum):
    """What a waiting step waits for."""

    RETRY = "retry"
    DELAY = "delay"
    LOCK = "lock"
    RATE_LIMIT = "rate_limit"
    BREAKER = "breaker"
    THROTTLED = "throttled"
    SIGNAL = "signal"


class RunKind(StrEnum):
    """What a run is for. Background and agent runs give way to people's work, and have limits where a run has none."""

    WORKFLOW = "workflow"
    INTERACTIVE = "interactive"
    BACKGROUND = "background"
    AGENT = "agent"

    @property
    def is_background(self) -> bool:
        """Whether nobody sits and waits for it."""
        return self in (RunKind.BACKGROUND, RunKind.AGENT)


class AttemptOutcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    WAITING = "waiting"
    LOST = "lost"
    HANDED_BACK = "handed_back"


class Role(StrEnum):
    """What a signed-in user may do; each includes the one before."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Whether this role may do all that `other` may."""
        return ROLE_ORDER.index(self) >= ROLE_ORDER.index(other)


ROLE_ORDER = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
FINISHED_RUN = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})
ENDED_STEP = frozenset({StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.CANCELLED})
