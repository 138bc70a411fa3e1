"""One control of many runs: each for itself, what befalls one stops no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from api.audit import record_each
from api.errors import AWAY
from api.services import Services
from api.wire import run_status
from orchestration.engine.runs import Controlled, Runs
from orchestration.errors import PerdureError, StoreUnavailable
from orchestration.ports import Actor
from schemas.answers import ControlledRun

_CONTROLS: Mapping[str, Callable[[Runs, str, Actor], Controlled]] = {
    "stop": lambda runs, run_id, actor: runs.stop(run_id, actor),
    "pause": lambda runs, run_id, actor: runs.pause(run_id, actor),
    "resume": lambda runs, run_id, actor: runs.resume(run_id, actor),
    "retry": lambda runs, run_id, actor: runs.retry(run_id, actor),
}
_DONE = {"stop": "stopping", "pause": "paused", "resume": "resumed", "retry": "retrying"}
_OUTCOMES = {True: "done", False: "refused"}


def control_each(services: Services, actor: Actor, control: str, run_ids: Sequence[str]) -> list[ControlledRun]:
    """What became of each run, in order; all of it is on the audit record.

    Once the database is away the rest is not tried: each try would wait for it.
    """
    done: list[ControlledRun] = []
    away: StoreUnavailable | None = None
    for run_id in dict.fromkeys(run_ids):
        if away is not None:
            done.append(_refused(run_id, away, "not tried: the database cannot be reached just now"))
            continue
        try:
            done.append(_controlled(control, _CONTROLS[control](services.runs, run_id, actor)))
        except StoreUnavailable as error:
            away = error
            done.append(_refused(run_id, error, AWAY[StoreUnavailable][0]))
        except PerdureError as error:
            done.append(_refused(run_id, error, services.redactor.text(error.message)))
    record_each(
        f"workflow.{control}",
        [
            (run.workflow_id, _OUTCOMES[run.success], {"of": len(run_ids)} | ({"code": run.code} if run.code else {}))
            for run in done
        ],
    )
    return done


def _controlled(control: str, run: Controlled) -> ControlledRun:
    message = "stopped" if control == "stop" and run.status.is_finished else _DONE[control]
    return ControlledRun(
        workflow_id=run.run_id,
        success=True,
        message=f"workflow {run.run_id}: {message}",
        status=run_status(run.status),
    )


def _refused(run_id: str, error: PerdureError, message: str) -> ControlledRun:
    return ControlledRun(workflow_id=run_id, success=False, message=message, code=error.code)
