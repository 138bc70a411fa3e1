"""The actions that steps may name."""

from __future__ import annotations

from functools import cache

from flask import Response, jsonify
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel

from api.auth.rights import requires
from api.services import current_services
from orchestration.actions.declaration import ActionDeclaration
from schemas.answers import ActionsAnswer
from schemas.json import JsonObject
from schemas.statuses import Role

bp = APIBlueprint("actions", __name__, url_prefix="/workflow", abp_tags=[Tag(name="Actions")])


@bp.get("/actions", responses={200: ActionsAnswer})
@requires(Role.VIEWER)
def actions() -> Response:
    """List the actions, each with the JSON schema of its parameters."""
    known = current_services().actions
    return jsonify(success=True, actions=[_shown(known[name]) for name in sorted(known)])


def _shown(declared: ActionDeclaration) -> JsonObject:
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
    }


@cache
def _schema(model: type[BaseModel]) -> JsonObject:
    return model.model_json_schema()
