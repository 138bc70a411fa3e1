"""Which run and step a request is about: the ones it names, else the caller's current ones."""

from __future__ import annotations

from functools import cache

from flask import request

from api.auth.rights import current_actor
from api.refusal import Refusal
from api.services import current_services
from messaging.reading import StreamReader
from orchestration.errors import StreamUnavailable, UnknownRun
from schemas.json import JsonObject
from schemas.requests import ControlRequest, RunQuery
from schemas.workflow import is_public_id


def find_run(asked: ControlRequest | RunQuery) -> str | None:
    """The run that body or query name, else the caller's current one; None when there is none of these."""
    named = asked.workflow_id or request.args.get("workflow_id")
    if named is not None:
        if not is_public_id(named):
            raise Refusal(400, "invalid_request", "the workflow_id is malformed", where="/workflow_id", mend="check it")
        return named
    services = current_services()
    return services.queries.current_run(current_actor().name, services.settings.cleanup_delay_s)


def run_of(asked: ControlRequest | RunQuery) -> str:
    """As `find_run`. Raises: UnknownRun when nothing is named and the caller has no current run."""
    found = find_run(asked)
    if found is None:
        raise UnknownRun("no workflow is active", where="/workflow_id", mend="name a workflow_id, or start a workflow")
    return found


def active_run_of(asked: ControlRequest) -> str:
    """As `run_of`, but the run must not be finished. Raises: UnknownRun."""
    run_id = run_of(asked)
    status, active = current_services().queries.run_status(run_id)
    if not active:
        raise UnknownRun(
            f"workflow {run_id} is not active, it is {status}", where="/workflow_id", mend="name one that is active"
        )
    return run_id


def summary_of(run_id: str) -> JsonObject:
    """The run's summary. Raises: UnknownRun."""
    found = current_services().queries.summary(run_id)
    if found is None:
        raise UnknownRun(f"there is no run {run_id!r}", where="/workflow_id", mend="GET /workflow/runs lists the runs")
    return found


def step_of(run_id: str, step: str | int | None) -> str:
    """The key of a step given by key or index; unset: of the step in hand. Raises: UnknownRun, UnknownStep."""
    if isinstance(step, str):
        return step
    if isinstance(step, int):
        return current_services().queries.step_key(run_id, step)
    return str(summary_of(run_id)["step"]["key"])


def stream_position(run_id: str) -> str | None:
    """The place in the run's event stream now; None while the stream cannot be read."""
    return position_in(current_services().redis_url, run_id)


def position_in(redis_url: str, run_id: str) -> str | None:
    """As `stream_position`, for those who know where Valkey is."""
    try:
        return str(_reader(redis_url).position(run_id))
    except StreamUnavailable:
        return None


@cache
def _reader(redis_url: str) -> StreamReader:
    return StreamReader(redis_url, name="perdure-web")
