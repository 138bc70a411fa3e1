"""`/v1` is answered by the relay, which holds open connections; here it is said where that is."""

from __future__ import annotations

from flask import Blueprint, Response

from api.auth.rights import requires
from api.errors import problem
from api.services import current_services
from schemas.statuses import Role

bp = Blueprint("v1", __name__)


@bp.route("/v1/", defaults={"path": ""}, methods=["GET", "POST"])
@bp.route("/v1/<path:path>", methods=["GET", "POST"])
@requires(Role.VIEWER)
def elsewhere(path: str) -> Response:
    """Say where OpenAI's interface is, also in its own shape."""
    del path
    detail = f"OpenAI's interface is served by the relay: use {current_services().settings.relay_url}/v1"
    return problem(
        421,
        "at_the_relay",
        detail,
        mend="name the relay as the client's base URL; a proxy sends /v1 there (deploy/nginx.conf)",
        error={"message": detail, "type": "invalid_request_error", "param": None, "code": "at_the_relay"},
    )
