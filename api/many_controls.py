"""One control of many runs: each for itself, what befalls one stops no other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from api.audit import record_each
from api.errors import AWAY
from api.services import Services
from api.wire import run_status
from orchestration.engine.runs import Controlled, Runs
from orchestration.errors import PerdureError, StoreUnavailable
from orchestration.ports import Actor
from schemas.answers.controls import ControlledRun
from schemas.json import JsonObject

log = logging.getLogger(__name__)

_CONTROLS: Mapping[str, Callable[[Runs, str, Actor], Controlled]] = {
    "stop": lambda runs, run_id, actor: runs.stop(run_id, actor),
    "pause": lambda runs, run_id, actor: runs.pause(run_id, actor),
    "resume": lambda runs, run_id, actor: runs.resume(run_id, actor),
    "retry": lambda runs, run_id, actor: runs.retry(run_id, actor),
}
_DONE = {"stop": "stopping", "pause": "paused", "resume": "resumed", "retry": "retrying"}
FAILED = "internal_error"
MOST_SILENT = 2


def control_each(services: Services, actor: Actor, control: str, run_ids: Sequence[str]) -> list[ControlledRun]:
    """What became of each run, in order; all of it is on the audit record, whatever happens.

    When the database did not answer for two in a row, the rest is not tried: each try would wait for it.
    """
    wanted = list(dict.fromkeys(run_ids))
    done: list[ControlledRun] = []
    silent = 0
    try:
        for run_id in wanted:
            if silent == MOST_SILENT:
                done.append(_refused(run_id, StoreUnavailable.code, "not tried: the database did not answer just now"))
                continue
            one = _control(services, actor, control, run_id)
            silent = silent + 1 if one.code == StoreUnavailable.code else 0
            done.append(one)
    finally:
        if done:
            record_each(f"workflow.{control}", [(run.workflow_id, *_outcome(run, len(wanted))) for run in done])
    return done


def _control(services: Services, actor: Actor, control: str, run_id: str) -> ControlledRun:
    try:
        return _controlled(control, _CONTROLS[control](services.runs, run_id, actor))
    except StoreUnavailable as error:
        return _refused(run_id, error.code, AWAY[StoreUnavailable][0])
    except PerdureError as error:
        return _refused(run_id, error.code, services.redactor.text(error.message))
    except Exception:
        # Of this run alone, so that what was done to others before it is told.
        log.exception("%s of one of many runs failed", control, extra={"run_id": run_id})
        return _refused(run_id, FAILED, "an error inside; it is not known whether a change was made")


def _outcome(run: ControlledRun, of: int) -> tuple[str, JsonObject]:
    """What the audit record says of one run, and the details."""
    detail: JsonObject = {"of": of} | ({"code": run.code} if run.code else {})
    if run.success:
        return "done", detail
    return ("failed" if run.code in (FAILED, StoreUnavailable.code) else "refused"), detail


def _controlled(control: str, run: Controlled) -> ControlledRun:
    message = "stopped" if control == "stop" and run.status.is_finished else _DONE[control]
    return ControlledRun(
        workflow_id=run.run_id,
        success=True,
        message=f"workflow {run.run_id}: {message}",
        status=run_status(run.status),
    )


def _refused(run_id: str, code: str, message: str) -> ControlledRun:
    return ControlledRun(workflow_id=run_id, success=False, message=message, code=code)
