"""Whether the process lives and can serve. Public; a status word, nothing else."""

from __future__ import annotations

from flask import Response, jsonify
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from api.auth.rights import public
from api.services import current_services
from schemas.answers.server import LivenessAnswer, ReadinessAnswer

bp = APIBlueprint("health", __name__, abp_tags=[Tag(name="Health")])


@bp.get("/healthz", responses={200: LivenessAnswer})
@public
def healthz() -> Response:
    """Say that the process lives."""
    return jsonify(status="ok")


@bp.get("/readyz", responses={200: ReadinessAnswer, 503: ReadinessAnswer})
@public
def readyz() -> Response:
    """Say whether requests can be served: 200 for ready or degraded (Valkey is away), else 503."""
    found = current_services().readiness.look()
    answer = jsonify(status=str(found))
    answer.status_code = 200 if found.serves else 503
    return answer
