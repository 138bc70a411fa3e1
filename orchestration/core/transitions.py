"""The state machine: which event may happen in which status, and where it leads. The SQL functions follow it."""

from __future__ import annotations

from enum import StrEnum

from schemas.statuses import RunStatus as R
from schemas.statuses import StepStatus as S


class RunEvent(StrEnum):
    """What can happen to a run."""

    BEGIN = "begin"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    STEP_FAILED = "step_failed"
    LAST_STEP_ENDED = "last_step_ended"
    RETRY = "retry"


class StepEvent(StrEnum):
    """What can happen to a step."""

    RELEASE = "release"
    DELAY = "delay"
    BECOME_DUE = "become_due"
    SIGNAL = "signal"
    CLAIM = "claim"
    COMPLETE = "complete"
    SKIP = "skip"
    FAIL = "fail"
    RETRY_LATER = "retry_later"
    WAIT = "wait"
    HAND_BACK = "hand_back"
    CANCEL = "cancel"
    RESET = "reset"


# Where more than one status is possible, the counters decide: `cancelling` only while work is in progress.
RUN_TRANSITIONS: dict[tuple[R, RunEvent], frozenset[R]] = {
    (R.PENDING, RunEvent.BEGIN): frozenset({R.RUNNING, R.COMPLETED}),
    (R.PENDING, RunEvent.STOP): frozenset({R.CANCELLED}),
    (R.RUNNING, RunEvent.PAUSE): frozenset({R.PAUSED}),
    (R.RUNNING, RunEvent.STOP): frozenset({R.CANCELLING, R.CANCELLED}),
    (R.RUNNING, RunEvent.STEP_FAILED): frozenset({R.CANCELLING, R.FAILED}),
    (R.RUNNING, RunEvent.LAST_STEP_ENDED): frozenset({R.COMPLETED}),
    (R.PAUSED, RunEvent.RESUME): frozenset({R.RUNNING}),
    (R.PAUSED, RunEvent.STOP): frozenset({R.CANCELLING, R.CANCELLED}),
    (R.PAUSED, RunEvent.STEP_FAILED): frozenset({R.CANCELLING, R.FAILED}),
    (R.PAUSED, RunEvent.LAST_STEP_ENDED): frozenset({R.COMPLETED}),
    (R.CANCELLING, RunEvent.STOP): frozenset({R.CANCELLING}),
    (R.CANCELLING, RunEvent.STEP_FAILED): frozenset({R.CANCELLING, R.FAILED, R.CANCELLED}),
    (R.CANCELLING, RunEvent.LAST_STEP_ENDED): frozenset({R.FAILED, R.CANCELLED}),
    (R.COMPLETED, RunEvent.RETRY): frozenset({R.RUNNING}),
    (R.FAILED, RunEvent.RETRY): frozenset({R.RUNNING, R.COMPLETED}),
    (R.CANCELLED, RunEvent.RETRY): frozenset({R.RUNNING, R.COMPLETED}),
}

_ENDS: dict[StepEvent, S] = {
    StepEvent.COMPLETE: S.COMPLETED,
    StepEvent.SKIP: S.SKIPPED,
    StepEvent.FAIL: S.FAILED,
    StepEvent.RETRY_LATER: S.WAITING,
    StepEvent.WAIT: S.WAITING,
    StepEvent.HAND_BACK: S.READY,
    StepEvent.CANCEL: S.CANCELLED,
}

STEP_TRANSITIONS: dict[tuple[S, StepEvent], S] = {
    (S.PENDING, StepEvent.RELEASE): S.READY,
    (S.PENDING, StepEvent.DELAY): S.WAITING,
    (S.READY, StepEvent.CLAIM): S.IN_PROGRESS,
    (S.WAITING, StepEvent.BECOME_DUE): S.READY,
    (S.WAITING, StepEvent.SIGNAL): S.READY,
    **{(S.IN_PROGRESS, event): status for event, status in _ENDS.items()},
    **{(status, StepEvent.CANCEL): S.CANCELLED for status in (S.PENDING, S.READY, S.WAITING)},
    **{(status, StepEvent.SKIP): S.SKIPPED for status in (S.PENDING, S.READY, S.WAITING, S.FAILED, S.CANCELLED)},
    **{(status, StepEvent.RESET): S.PENDING for status in (S.COMPLETED, S.FAILED, S.SKIPPED, S.CANCELLED)},
}


def next_run_statuses(status: R, event: RunEvent) -> frozenset[R]:
    """The statuses a run may have after `event`; empty when the event is refused."""
    return RUN_TRANSITIONS.get((status, event), frozenset())


def next_step_status(status: S, event: StepEvent) -> S | None:
    """The status of a step after `event`; None when the event is refused."""
    return STEP_TRANSITIONS.get((status, event))


def controls(status: R) -> frozenset[RunEvent]:
    """The controls a person may use on a run in this status."""
    offered = (RunEvent.PAUSE, RunEvent.RESUME, RunEvent.STOP, RunEvent.RETRY)
    return frozenset(event for event in offered if (status, event) in RUN_TRANSITIONS)
