"""What clients are told before they begin."""

from __future__ import annotations

from importlib.metadata import version
from urllib.parse import urlsplit

from flask import Response, jsonify, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from api.auth.rights import requires
from api.services import current_services
from schemas.answers.server import ConfigAnswer
from schemas.state import MAX_STATE_BYTES, SCHEMA_VERSION, WINDOW_STEPS
from schemas.statuses import Role

bp = APIBlueprint("config", __name__, url_prefix="/config", abp_tags=[Tag(name="Settings")])


@bp.get("/workflow", responses={200: ConfigAnswer})
@requires(Role.VIEWER)
def workflow() -> Response:
    """Show the settings of clients; times in seconds."""
    settings = current_services().settings
    return jsonify(
        success=True,
        workflow_step_delay=settings.workflow_step_delay_s,
        poll_interval=settings.poll_interval_s,
        max_history=settings.max_history,
        cleanup_delay=settings.cleanup_delay_s,
        max_steps=settings.max_steps,
        schema_version=SCHEMA_VERSION,
        state={"max_bytes": MAX_STATE_BYTES, "window_steps": WINDOW_STEPS},
        relay={"url": _relay_url(), "port": settings.relay_port},
        version=version("perdure"),
    )


def _relay_url() -> str:
    """The relay as this client reaches it; empty: the same origin, behind a proxy that leads there."""
    settings = current_services().settings
    if settings.trusted_proxies:
        return ""
    here = urlsplit(request.host_url)
    host = f"[{here.hostname}]" if ":" in (here.hostname or "") else here.hostname
    return f"{here.scheme}://{host}:{settings.relay_port}"
