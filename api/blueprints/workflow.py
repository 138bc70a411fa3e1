"""Start and control workflows, in the words that existing clients know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Response, jsonify, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from api.audit import audit_done, audit_note, audited
from api.auth.rights import current_actor, requires
from api.batch_body import placed, read_runs
from api.many_controls import control_each
from api.refusal import Refusal
from api.runs_of_request import active_run_of, run_of, step_of
from api.services import current_services
from api.start_body import Defaults, is_old_form, workflow_of
from api.start_text import workflow_of_text
from api.wire import run_status
from orchestration.engine.queries_templates import Template, Templates
from orchestration.engine.runs import Controlled, StartedRun
from schemas.answers.controls import ControlledAnswer, ControlledManyAnswer, StartedAnswer, StartedManyAnswer
from schemas.answers.runs import ReadAnswer
from schemas.json import JsonObject
from schemas.requests import (
    ControlRequest,
    ForkRequest,
    ManyControlRequest,
    ReadRequest,
    RestartRequest,
    SignalRequest,
    StartManyRequest,
    StartRequest,
    StepRequest,
)
from schemas.statuses import Role, RunStatus

bp = APIBlueprint("workflow", __name__, url_prefix="/workflow", abp_tags=[Tag(name="Workflows")])
MAX_IDEMPOTENCY_KEY = 200


@bp.post("/start", responses={200: StartedAnswer})
@requires(Role.OPERATOR)
@audited("workflow.start")
def start(body: StartRequest) -> Response:
    """Start a workflow and return at once; the same id or Idempotency-Key with the same body answers the same run."""
    services, actor = current_services(), current_actor()
    services.limiter.hit("start", actor.name)
    sent = body.sent()
    started = services.runs.start(
        workflow_of(sent, _defaults(sent, _templates([body])), request_metadata(sent)),
        actor,
        run_id=body.workflow_id,
        idempotency_key=_idempotency_key(),
        body=sent,
        audit=audit_note("workflow.start"),
    )
    if started.created:
        audit_done()
    return answer_started(started)


@bp.post("/start/many", responses={200: StartedManyAnswer})
@requires(Role.OPERATOR)
@audited("workflow.start_many")
def start_many(body: StartManyRequest) -> Response:
    """Start many workflows, all or none; a fault is named with its place, such as `/runs/3/steps/0/action`."""
    services, actor = current_services(), current_actor()
    services.limiter.hit("start", actor.name, len(body.runs))
    requests = read_runs(body.runs)
    templates = _templates(requests)
    planned = []
    for place, one in enumerate(requests):
        with placed(where := f"/runs/{place}"):
            sent = one.sent()
            workflow = workflow_of(sent, _defaults(sent, templates), request_metadata(sent))
            planned.append(services.runs.starts.plan(workflow, actor, run_id=one.workflow_id, body=sent, where=where))
    started = services.runs.starts.start(
        planned,
        actor,
        idempotency_key=_idempotency_key(),
        audit=audit_note("workflow.start_many", runs=len(planned)),
    )
    if any(run.created for run in started):
        audit_done()
    return jsonify(
        success=True,
        message=f"{sum(run.created for run in started)} of {len(started)} workflows started",
        runs=[{"workflow_id": run.run_id, "status": run_status(run.status), "created": run.created} for run in started],
    )


@bp.post("/read", responses={200: ReadAnswer})
@requires(Role.OPERATOR)
def read(body: ReadRequest) -> Response:
    """Read a workflow in YAML or JSON, as `perdure start` does; starts nothing. A fault has its line and column."""
    return jsonify(success=True, workflow=workflow_of_text(body.text))


@bp.post("/stop", responses={200: ControlledAnswer})
@requires(Role.OPERATOR)
@audited("workflow.stop")
def stop(body: ControlRequest) -> Response:
    """Stop a workflow; it reads `stopping` until its work is confirmed stopped. 404 when nothing is active."""
    stopped = current_services().runs.stop(active_run_of(body), current_actor())
    return answer_controlled(stopped, "stopped" if stopped.status.is_finished else "stopping")


@bp.post("/pause", responses={200: ControlledAnswer})
@requires(Role.OPERATOR)
@audited("workflow.pause")
def pause(body: ControlRequest) -> Response:
    """Pause a running workflow: steps in flight end, nothing new begins. 409 when it is not running."""
    return answer_controlled(current_services().runs.pause(run_of(body), current_actor()), "paused")


@bp.post("/resume", responses={200: ControlledAnswer})
@requires(Role.OPERATOR)
@audited("workflow.resume")
def resume(body: ControlRequest) -> Response:
    """Go on with a paused workflow. 409 when it is not paused."""
    return answer_controlled(current_services().runs.resume(run_of(body), current_actor()), "resumed")


@bp.post("/retry", responses={200: ControlledAnswer})
@requires(Role.OPERATOR)
@audited("workflow.retry")
def retry(body: StepRequest) -> Response:
    """Run a finished workflow again from a step and all that depends on it; unset: from what failed."""
    run_id = run_of(body)
    step = None if body.step is None else step_of(run_id, body.step)
    return answer_controlled(current_services().runs.retry(run_id, current_actor(), step=step), "retrying")


@bp.post("/skip", responses={200: ControlledAnswer})
@requires(Role.OPERATOR)
@audited("workflow.skip")
def skip(body: StepRequest) -> Response:
    """Skip a step that has not begun, or one that failed; unset: the step in hand."""
    run_id = run_of(body)
    skipped = current_services().runs.skip(run_id, current_actor(), step=step_of(run_id, body.step))
    return answer_controlled(skipped, "step skipped")


@bp.post("/signal", responses={200: ControlledAnswer})
@requires(Role.OPERATOR)
@audited("workflow.signal")
def signal(body: SignalRequest) -> Response:
    """Give a step the input it waits for, once; unset: the step in hand. One that comes early is kept."""
    run_id = run_of(body)
    step = step_of(run_id, body.step)
    signalled = current_services().runs.signal(run_id, current_actor(), step=step, payload=body.payload)
    return answer_controlled(signalled, "signal sent")


@bp.post("/control/many", responses={200: ControlledManyAnswer})
@requires(Role.OPERATOR)
@audited("workflow.control_many")
def control_many(body: ManyControlRequest) -> Response:
    """Stop, pause, resume or retry many workflows, each for itself; the answer says what became of each."""
    runs = control_each(current_services(), current_actor(), body.control, body.workflow_ids)
    done = sum(run.success for run in runs)
    return jsonify(
        success=True,
        message=f"{body.control}: {done} of {len(runs)} workflows",
        runs=[run.model_dump(mode="json") for run in runs],
    )


@bp.post("/restart", responses={200: StartedAnswer})
@requires(Role.OPERATOR)
@audited("workflow.restart")
def restart(body: RestartRequest) -> Response:
    """Start the same workflow again from the beginning, as a new run."""
    services, actor = current_services(), current_actor()
    services.limiter.hit("start", actor.name)
    return answer_started(services.runs.restart(run_of(body), actor, new_id=body.new_workflow_id))


@bp.post("/fork", responses={200: StartedAnswer})
@requires(Role.OPERATOR)
@audited("workflow.fork")
def fork(body: ForkRequest) -> Response:
    """Start a new run that keeps the results before a step, which runs again, with other parameters if given."""
    services, actor = current_services(), current_actor()
    services.limiter.hit("start", actor.name)
    run_id = run_of(body)
    step = step_of(run_id, body.step)
    return answer_started(services.runs.fork(run_id, actor, step=step, params=body.params, new_id=body.new_workflow_id))


def request_metadata(sent: JsonObject) -> JsonObject:
    """Where a run was started from; a client's own word for it stands."""
    given = sent.get("metadata")
    named = given.get("initiated_from") if isinstance(given, dict) else None
    return {
        "user_agent": request.headers.get("User-Agent", "")[:300],
        "initiated_from": named if isinstance(named, str) else request.headers.get("Origin", "api")[:300],
    }


def answer_started(started: StartedRun) -> Response:
    """The answer to a start; the same for one that is repeated."""
    return jsonify(
        success=True,
        message="workflow started" if started.created else "this workflow was already started",
        workflow_id=started.run_id,
        status=run_status(started.status),
        created=started.created,
    )


def answer_controlled(controlled: Controlled, done: str, *, status: int = 200) -> Response:
    """The answer to a control: the run as it left it."""
    answer = jsonify(
        success=True,
        message=f"workflow {controlled.run_id}: {done}",
        workflow_id=controlled.run_id,
        status=run_status(controlled.status),
        active=not controlled.status.is_finished,
        stopping=controlled.status is RunStatus.CANCELLING,
        version=controlled.version,
    )
    answer.status_code = status
    return answer


def _templates(bodies: Sequence[StartRequest]) -> dict[str, Template]:
    """The templates that these bodies name, in one look."""
    return Templates(current_services().database).find_all(body.template_id for body in bodies if body.template_id)


def _defaults(sent: JsonObject, templates: Mapping[str, Template]) -> Defaults:
    services = current_services()
    template_id = sent.get("template_id")
    found = templates.get(template_id) if template_id else None
    # Clients of the old form send ids of templates of their own, which need not be known here.
    if found is None and template_id and not sent.get("steps") and not is_old_form(sent):
        raise Refusal(
            404,
            "unknown_template",
            f"there is no template {template_id!r}",
            where="/template_id",
            mend="GET /workflow/templates lists them; or give steps",
        )
    return Defaults(
        actions=services.actions,
        parameters=services.settings.action_defaults,
        template=found.workflow | {"name": found.name} if found else None,
        step_delay_s=services.settings.workflow_step_delay_s,
    )


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= MAX_IDEMPOTENCY_KEY and key.isascii() and key.isprintable()):
        raise Refusal(
            400,
            "invalid_request",
            "the Idempotency-Key is malformed",
            where="Idempotency-Key",
            mend=f"send 1 to {MAX_IDEMPOTENCY_KEY} printable ASCII characters",
        )
    return key
