"""The SSH hosts whose keys were pinned on first use."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Response, jsonify
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, Field

from api.audit import audit_target, audited
from api.auth.rights import requires
from api.refusal import Refusal
from api.services import current_services
from orchestration.actions.ssh.hostkeys import forget_host, known_hosts
from schemas.answers.hosts import HostsAnswer
from schemas.answers.parts import Done
from schemas.statuses import Role

bp = APIBlueprint("hosts", __name__, url_prefix="/hosts", abp_tags=[Tag(name="Hosts")])
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")


class HostPath(BaseModel):
    """Which host."""

    address: str = Field(max_length=300, description="`host:port`, an IPv6 address in brackets")


@bp.get("", responses={200: HostsAnswer})
@requires(Role.VIEWER)
def hosts() -> Response:
    """List the hosts with a pinned key, and its fingerprint."""
    return jsonify(
        success=True,
        hosts=[{"host": name, "type": key.type, "fingerprint": key.fingerprint} for name, key in known_hosts(_store())],
    )


@bp.delete("/<address>", responses={200: Done})
@requires(Role.OPERATOR)
@audited("hosts.forget")
def forget(path: HostPath) -> Response:
    """Forget a host's key: the next connection pins the one it is offered."""
    audit_target(path.address)
    found = _ADDRESS.fullmatch(path.address)
    if found is None or not 0 < int(found["port"]) <= 65_535:
        raise Refusal(
            400, "invalid_request", "this is not host:port", where="address", mend="write it as GET /hosts does"
        )
    if not forget_host(_store(), found["host"], int(found["port"])):
        raise Refusal(
            404, "unknown_host", f"no key is pinned for {path.address}", where="address", mend="GET /hosts lists them"
        )
    return jsonify(success=True, message=f"the key of {path.address} was forgotten; the next connection pins anew")


def _store() -> Path:
    return current_services().settings.data_dir / "known_hosts"
