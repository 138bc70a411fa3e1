"""`/ssh/<action>`: one action on a host, as a run of one step."""

from __future__ import annotations

import time
from threading import BoundedSemaphore

from flask import Response, jsonify
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from api.audit import audited
from api.auth.rights import current_actor, requires
from api.blueprints.workflow import request_metadata
from api.refusal import Refusal
from api.services import current_services
from api.start_body import Defaults, full_name, workflow_of
from api.wire import run_status
from orchestration.actions.declaration import ActionDeclaration
from schemas.answers.actions import SshActionAnswer
from schemas.json import JsonObject
from schemas.requests import ActionPath, SshRequest
from schemas.statuses import Role, RunStatus

bp = APIBlueprint("ssh", __name__, url_prefix="/ssh", abp_tags=[Tag(name="SSH")])

# Requests that wait at once in this process; more are answered 202 immediately, so that threads stay free for others.
WAITING = BoundedSemaphore(8)
FIRST_LOOK_S, LONGEST_PAUSE_S = 0.25, 1.0


@bp.post("/<action>", responses={200: SshActionAnswer, 202: SshActionAnswer})
@requires(Role.OPERATOR)
@audited("ssh.run")
def run_action(path: ActionPath, body: SshRequest) -> Response:
    """Run one SSH action and wait for its result; 202 with the id when it takes longer than `wait`."""
    services, actor = current_services(), current_actor()
    services.limiter.hit("start", actor.name)
    declared = _declared(path.action)
    defaults = Defaults(services.actions, services.settings.action_defaults)
    sent = body.model_dump(exclude_unset=True, exclude={"wait"})
    workflow = workflow_of(_start_body(sent, declared), defaults, request_metadata(sent))
    started = services.runs.start(workflow, actor, run_id=body.workflow_id, body={"ssh_action": declared.name, **sent})
    if not _wait_for_end(started.run_id, body.wait):
        answer = jsonify(
            success=True,
            message="the action goes on; ask GET /workflow/state for it",
            workflow_id=started.run_id,
            status=run_status(RunStatus.RUNNING),
        )
        answer.status_code = 202
        return answer
    return _outcome(started.run_id, declared)


def _declared(action: str) -> ActionDeclaration:
    actions = current_services().actions
    name = full_name(action, actions)
    if not name.startswith("ssh.") or name not in actions:
        known = ", ".join(sorted(n.removeprefix("ssh.") for n in actions if n.startswith("ssh.")))
        raise Refusal(404, "unknown_action", f"there is no SSH action {action!r}", where="action", mend=f"use {known}")
    return actions[name]


def _start_body(sent: JsonObject, declared: ActionDeclaration) -> JsonObject:
    """The body of a start of one step. Parameters may stand beside `params`; other fields are ignored."""
    beside = {name: value for name, value in sent.items() if name in declared.params.model_fields}
    kept = {name: value for name, value in sent.items() if name in ("ssh", "ssh_connection", "workflow_id")}
    others = {name: value for name, value in sent.items() if name not in {*beside, *kept, "params"}}
    step = {
        "key": declared.name.rpartition(".")[2],
        "action": declared.name,
        "label": declared.summary[:200],
        "params": {**beside, **sent.get("params", {})},
    }
    # What is ignored is still looked through for passwords; the old form drops it afterwards.
    return {**others, **kept, "ssh_connection": sent.get("ssh_connection", sent.get("ssh")), "step_delay": 0,
            "name": declared.name, "steps": [step]}  # fmt: skip


def _wait_for_end(run_id: str, wait_s: float) -> bool:
    """Whether the run ended in time. Looks at one row, less and less often."""
    queries = current_services().queries
    if not WAITING.acquire(blocking=False):
        return not queries.run_status(run_id)[1]
    try:
        deadline, pause = time.monotonic() + wait_s, FIRST_LOOK_S
        while queries.run_status(run_id)[1]:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_PAUSE_S)
        return True
    finally:
        WAITING.release()


def _outcome(run_id: str, declared: ActionDeclaration) -> Response:
    queries = current_services().queries
    step = queries.step(run_id, declared.name.rpartition(".")[2])
    result = step["result"] or {"success": False, "message": f"the action was {step['status']}", "details": {}}
    return jsonify(
        success=result["success"],
        message=result["message"] or f"{declared.name}: {step['status']}",
        workflow_id=run_id,
        status=queries.run_status(run_id)[0],
        details=result["details"],
        result=result,
        error=step["error"],
    )
