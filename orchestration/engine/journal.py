"""What the log tells of the life of runs: one line each for a start, a control, a loss, a failure and an end.

The record is the trace in PostgreSQL; these lines are for those who watch the processes.
"""

from __future__ import annotations

import logging

from orchestration.core.decide import Decision, StepError, Verb
from schemas.json import JsonObject
from schemas.statuses import AttemptOutcome, RunStatus

log = logging.getLogger("perdure.runs")

MAX_ERROR = 300
_CONTROLLED = {
    "stop": "run is stopped",
    "pause": "run paused",
    "resume": "run resumed",
    "retry": "run retried",
    "skip": "step skipped",
    "signal": "step was given its signal",
}


def started(run_id: str, *, name: str, actor: str, kind: str, forked_from: str | None) -> None:
    """A run was accepted."""
    extra = {"run_id": run_id, "workflow": name, "by": actor, "kind": kind}
    log.info("run started", extra=extra | ({"forked_from": forked_from} if forked_from else {}))


def controlled(control: str, run_id: str, *, status: RunStatus, actor: str, step: str | None) -> None:
    """A control took effect; `status` is the run's since then."""
    extra = {"run_id": run_id, "status": status.value, "by": actor}
    log.info(_CONTROLLED[control], extra=extra | ({"step": step} if step else {}))
    if status.is_finished:
        log.info("run %s", status.value, extra={"run_id": run_id})


def ended(run_id: str, step: str, attempt: int, answer: JsonObject, decision: Decision) -> None:
    """An attempt ended; says nothing of one that went well, but for the end of its run."""
    extra: dict[str, object] = {"run_id": run_id, "step": step, "attempt": attempt}
    if decision.outcome is AttemptOutcome.LOST:
        log.info("attempt lost", extra=extra | _error(decision.error) | {"then": decision.verb.value})
    elif decision.verb is Verb.RETRY and answer["step_status"] == "waiting":
        log.info("attempt failed", extra=extra | _error(decision.error) | {"again_in_s": decision.delay_s})
    if answer["step_status"] == "failed":
        log.info("step failed", extra=extra | _error(decision.error))
    status = RunStatus(answer["run_status"])
    if status.is_finished:
        counts = {name: answer[name] for name in ("total", "completed", "failed", "skipped")}
        # Where others were still under way when a step failed, that was said when it did.
        why = _error(decision.error) if answer["step_status"] == "failed" else {}
        log.info("run %s", status.value, extra=extra | counts | why)


def _error(error: StepError | None) -> dict[str, object]:
    return {} if error is None else {"code": error.code, "error": error.message[:MAX_ERROR]}
