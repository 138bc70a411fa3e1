"""Read runs: the state, the list, steps, logs, the trace."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from flask import Response, jsonify, request, stream_with_context
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from api.audit import audited
from api.auth.rights import requires
from api.errors import problem_fields
from api.runs_of_request import find_run, run_of, step_of, stream_position, summary_of
from api.services import current_services
from api.wire import run_statuses, state_answer
from orchestration.engine.queries import Page
from orchestration.engine.queries_runs import RunFilter
from orchestration.errors import UnknownRun
from schemas.answers.history import LogsAnswer, TraceAnswer
from schemas.answers.runs import (
    ArchivedAnswer,
    CountsAnswer,
    DefinitionAnswer,
    DurationsAnswer,
    RunsAnswer,
    StateAnswer,
    SummaryAnswer,
)
from schemas.answers.steps import StepsOrStep
from schemas.requests import ControlRequest, LogsQuery, RunQuery, RunsQuery, StateQuery, StepsQuery, TraceQuery
from schemas.statuses import Role

bp = APIBlueprint("runs", __name__, url_prefix="/workflow", abp_tags=[Tag(name="Runs")])
DOWNLOAD_BYTES = 256 * 1024


@bp.get("/state", responses={200: StateAnswer})
@requires(Role.VIEWER)
@problem_fields(active=False, state=None)
def state(query: StateQuery) -> Response:
    """Show the state document (schemas/state.py) with an ETag; 304 for one that is known."""
    run_id = find_run(query)
    if run_id is None:
        return jsonify(success=True, active=False, state=None)
    position = stream_position(run_id)
    found = current_services().queries.state(run_id, position=position, known=_known_tag(query.since))
    if found is None:
        raise UnknownRun(f"there is no run {run_id!r}", where="/workflow_id", mend="GET /workflow/runs lists the runs")
    if found.text is None:
        answer = Response(status=304)
    else:
        answer = Response(state_answer(found), mimetype="application/json")
    # Weak, because the stream position in the document may differ. Without `no-store` browsers may revalidate.
    answer.set_etag(found.etag, weak=True)
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer


@bp.get("/state/summary", responses={200: SummaryAnswer})
@requires(Role.VIEWER)
@problem_fields(summary={"active": False})
def summary(query: RunQuery) -> Response:
    """Show the run without its steps, but with the step in hand."""
    run_id = find_run(query)
    return jsonify(success=True, summary={"active": False} if run_id is None else summary_of(run_id))


@bp.delete("/state", responses={200: ArchivedAnswer})
@requires(Role.OPERATOR)
@audited("workflow.archive")
def clear(body: ControlRequest) -> Response:
    """Archive a finished run, so that it is no longer the current one; nothing is deleted. 409 on an active one."""
    run_id = find_run(body)
    if run_id is None:
        return jsonify(success=True, message="there was nothing to clear")
    current_services().runs.archive(run_id)
    return jsonify(success=True, message=f"workflow {run_id} was archived", workflow_id=run_id)


@bp.get("/runs", responses={200: RunsAnswer})
@requires(Role.VIEWER)
def runs(query: RunsQuery) -> Response:
    """List runs, newest first. A searched page may be short, or empty, and still have a `next`."""
    services = current_services()
    wanted = RunFilter(
        statuses=run_statuses(query.status),
        text=query.q,
        template_id=query.template_id,
        created_by=query.created_by,
        host=query.host,
        started_after=query.started_after,
        started_before=query.started_before,
    )
    limit = query.limit or services.settings.max_history
    page = services.queries.list_runs(wanted, before=query.cursor, limit=limit)
    answer = jsonify(success=True, runs=page.runs, next=page.next)
    # Pages ask again and again, and mostly nothing has changed.
    answer.set_etag(sha256(answer.get_data()).hexdigest()[:32], weak=True)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.make_conditional(request)
    return answer


@bp.get("/runs/counts", responses={200: CountsAnswer})
@requires(Role.VIEWER)
def counts() -> Response:
    """Count runs by status: the unfinished, and those that ended in the last day."""
    found = current_services().queries.count_runs()
    return jsonify(success=True, counts=found.counts, ended_within_s=found.within_s, at_most=found.at_most)


@bp.get("/durations", responses={200: DurationsAnswer})
@requires(Role.VIEWER)
def durations(query: RunQuery) -> Response:
    """Say how long runs like this one took: medians, in milliseconds, of the last ones that completed."""
    run_id = run_of(query)
    return jsonify(success=True, workflow_id=run_id, **current_services().queries.durations(run_id))


@bp.get("/definition", responses={200: DefinitionAnswer})
@requires(Role.VIEWER)
def definition(query: RunQuery) -> Response:
    """Show the workflow that a run was started with, to keep it as a template or start it from elsewhere."""
    services = current_services()
    run_id = run_of(query)
    workflow = services.runs.workflow(run_id).model_dump(mode="json", exclude_unset=True)
    return jsonify(success=True, workflow_id=run_id, workflow=services.redactor.json(workflow))


@bp.get("/steps", responses={200: StepsOrStep})
@requires(Role.VIEWER)
def steps(query: StepsQuery) -> Response:
    """List a run's steps; or show one with parameters, policy, whole result and attempts."""
    run_id = run_of(query)
    queries = current_services().queries
    if query.step is not None:
        return jsonify(success=True, workflow_id=run_id, step=queries.step(run_id, query.step))
    page = queries.steps(run_id, cursor=query.cursor, limit=query.limit, attempts=query.attempts)
    return _page(run_id, "steps", page)


@bp.get("/logs", responses={200: LogsAnswer})
@requires(Role.VIEWER)
def logs(query: LogsQuery) -> Response:
    """Show a piece of a step's log, or all of it as a text file."""
    run_id = run_of(query)
    step = step_of(run_id, query.step)
    page = current_services().queries.logs(
        run_id, step, attempt=query.attempt, after=query.after, limit_bytes=query.limit
    )
    if query.download:
        return _download(run_id, step, page.attempt, query.after)
    return jsonify(
        success=True, workflow_id=run_id, step=step, attempt=page.attempt, pieces=page.pieces, next=page.next
    )


@bp.get("/trace", responses={200: TraceAnswer})
@requires(Role.VIEWER)
def trace(query: TraceQuery) -> Response:
    """Show what happened to a run, oldest first."""
    run_id = run_of(query)
    page = current_services().queries.trace(run_id, after=query.after, limit=query.limit)
    return jsonify(success=True, workflow_id=run_id, trace=page.rows, omitted=page.omitted, next=page.next)


def _page(run_id: str, name: str, page: Page) -> Response:
    return jsonify({"success": True, "workflow_id": run_id, name: page.rows, "next": page.next})


def _known_tag(since: str | None) -> str | None:
    if since is not None:
        return since.removeprefix("W/").strip('"')
    tags = request.if_none_match.as_set(include_weak=True)
    return tags.pop() if len(tags) == 1 else None


def _download(run_id: str, step: str, attempt: int, after: int) -> Response:
    queries = current_services().queries

    def pieces() -> Iterator[str]:
        place = after
        while True:
            page = queries.logs(run_id, step, attempt=attempt, after=place, limit_bytes=DOWNLOAD_BYTES)
            if not page.pieces:
                return
            yield "".join(piece["text"] for piece in page.pieces)
            place = page.next

    answer = Response(stream_with_context(pieces()), mimetype="text/plain")
    # Logs are untrusted text: never shown in the page's own origin. Ids and keys hold no quotation marks.
    name = f"{run_id}-{step}-{attempt}.log".replace(":", "_")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
