"""Who works, on what, and what waits."""

from __future__ import annotations

from functools import cache

from flask import Response, jsonify
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from api.auth.rights import requires
from api.flower import flower_port
from api.services import current_services
from messaging.queues import QueueLengths
from orchestration.engine.queries_workers import read_workers
from schemas.answers.workers import WorkersAnswer
from schemas.statuses import Role

bp = APIBlueprint("workers", __name__, url_prefix="/workflow/workers", abp_tags=[Tag(name="Workers")])
_IDLE = {"ready": 0, "in_progress": 0, "oldest_s": None}


@bp.get("", responses={200: WorkersAnswer})
@requires(Role.VIEWER)
def workers() -> Response:
    """List the workers with the steps they have in hand, the queues, and how many steps wait for what."""
    services = current_services()
    found = read_workers(services.database, resend_s=services.settings.resend_s)
    consumed = {queue for worker in found.workers for queue in worker["queues"] or ()}
    names = sorted({*found.queues, *consumed})
    messages = _lengths(services.redis_url).ask(names)
    return jsonify(
        success=True,
        workers=found.workers,
        queues=[
            {"name": name}
            | _IDLE
            | found.queues.get(name, {})
            | {"messages": None if messages is None else messages[name]}
            for name in names
        ],
        waiting=found.waiting,
        at_most=found.at_most,
        flower_port=flower_port(services.settings.flower_port),
    )


@cache
def _lengths(redis_url: str) -> QueueLengths:
    return QueueLengths(redis_url, name="perdure-web-queues")
