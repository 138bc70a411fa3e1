"""The words of `/workflow/*`, which existing clients know, for those used inside."""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.engine.queries import State
from schemas.statuses import RunStatus, StepStatus


def run_status(status: RunStatus) -> str:
    """A run's status on the wire; the SQL function `wire_run_status` says the same."""
    return "running" if status is RunStatus.CANCELLING else str(status)


def step_status(status: StepStatus) -> str:
    """A step's status on the wire; the SQL function `wire_step_status` says the same."""
    return "pending" if status in (StepStatus.READY, StepStatus.WAITING) else str(status)


def run_statuses(words: Sequence[str]) -> tuple[RunStatus, ...]:
    """What words of the wire stand for; `active` and `finished` stand for several. Raises: ValueError."""
    found: list[RunStatus] = []
    for word in words:
        match word:
            case "running":
                found += [RunStatus.RUNNING, RunStatus.CANCELLING]
            case "active":
                found += [status for status in RunStatus if not status.is_finished]
            case "finished":
                found += [status for status in RunStatus if status.is_finished]
            case _:
                found.append(RunStatus(word))
    return tuple(dict.fromkeys(found))


def state_answer(state: State) -> str:
    """The body that carries a state document."""
    active = "true" if state.active else "false"
    return f'{{"success": true, "active": {active}, "state": {state.text}}}\n'
