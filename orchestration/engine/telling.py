"""What a commit makes known: the steps to send messages for, and the events for whoever watches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestration.core.decide import Decision
from orchestration.engine.leases import Lease
from orchestration.ports import ReadyStep
from schemas.events import Event, NoticeEvent, RunEvent, StepEvent
from schemas.json import JsonObject
from schemas.statuses import StepStatus, WaitReason

MAX_EVENTS_A_FINISH = 50


def claim_event(lease: Lease) -> StepEvent:
    """The step as its claim left it."""
    return StepEvent(
        version=lease.version,
        index=lease.position,
        key=lease.key,
        status=StepStatus.IN_PROGRESS,
        attempt=lease.attempt,
    )


def ready_steps(run_id: str, rows: Sequence[Sequence[Any]], priority: int) -> list[ReadyStep]:
    """From `[position, action, queue]` rows to what the dispatcher takes."""
    return [ReadyStep(run_id, position, action, queue, priority) for position, action, queue in rows]


def finish_events(
    position: int,
    key: str,
    attempt: int,
    answer: JsonObject,
    decision: Decision,
    notice: JsonObject | None = None,
) -> list[Event]:
    """What a finished attempt tells: the step, those it made ready, the run. Large fan-outs tell only the run.

    notice: what to say as well should the step have failed for good.
    """
    version = answer["version"]
    waiting = answer["step_status"] == "waiting"
    message = decision.result.get("message") if isinstance(decision.result, dict) else None
    events: list[Event] = [
        StepEvent(
            version=version,
            index=position,
            key=key,
            status=answer["step_status"],
            attempt=attempt,
            waiting_for=decision.reason if waiting else None,
            due_at=answer["due_at"] if waiting else None,
            message=message if isinstance(message, str) else None,
            error=decision.error.as_json() if decision.error else None,
        )
    ]
    if notice is not None and answer["step_status"] == StepStatus.FAILED:
        said = {"notice": notice["notice"], "message": notice["message"]}
        events.append(NoticeEvent(index=position, key=key, error=True, **said))
    for index, name, status, tries, waiting_for, due_at in answer["changed"][:MAX_EVENTS_A_FINISH]:
        events.append(
            StepEvent(
                version=version,
                index=index,
                key=name,
                status=status,
                attempt=tries,
                waiting_for=WaitReason(waiting_for) if waiting_for else None,
                due_at=due_at if waiting_for else None,
            )
        )
    events.append(run_event(answer))
    return events


def run_event(answer: JsonObject) -> RunEvent:
    """The run as a transition left it."""
    return RunEvent(
        version=answer["version"],
        status=answer["run_status"],
        total=answer["total"],
        completed=answer["completed"],
        failed=answer["failed"],
        skipped=answer["skipped"],
    )
