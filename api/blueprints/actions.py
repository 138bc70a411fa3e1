"""The actions that steps may name."""

from __future__ import annotations

from functools import cache

from flask import Response, jsonify
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel

from api.auth.rights import requires
from api.services import current_services
from api.start_body import full_name
from orchestration.actions.declaration import ActionDeclaration
from schemas.answers.actions import ActionsAnswer
from schemas.json import JsonObject
from schemas.statuses import Role

bp = APIBlueprint("actions", __name__, url_prefix="/workflow", abp_tags=[Tag(name="Actions")])


@bp.get("/actions", responses={200: ActionsAnswer})
@requires(Role.VIEWER)
def actions() -> Response:
    """List the actions, each with the JSON schema of its parameters."""
    services = current_services()
    known = services.actions
    preset = {full_name(action, known): given for action, given in services.settings.action_defaults.items()}
    return jsonify(success=True, actions=[_shown(known[name], preset.get(name, {})) for name in sorted(known)])


def _shown(declared: ActionDeclaration, preset: JsonObject) -> JsonObject:
    return {
        "name": declared.name,
        "summary": declared.summary,
        "queue": declared.queue,
        "idempotent": declared.idempotent,
        "killable": declared.killable,
        "needs_host": declared.needs_host,
        "accepts_signal": declared.accepts_signal,
        "role": declared.role,
        "timeout_s": declared.timeout_s,
        "retry": declared.retry.model_dump(),
        "parameters": _schema(declared.params),
        # Their names only: the values may say more than everybody should read.
        "preset": sorted(preset),
    }


@cache
def _schema(model: type[BaseModel]) -> JsonObject:
    return model.model_json_schema()
