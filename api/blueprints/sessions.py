"""The signed-in browsers, and ending their sessions."""

from __future__ import annotations

from uuid import UUID

from flask import Response, jsonify, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel

from api.audit import audit_target, audited
from api.auth import signing
from api.auth.identity import session_cookie_name
from api.auth.rights import current_actor, requires
from api.refusal import Refusal
from api.services import current_services
from orchestration.store.sessions import end_session, list_sessions
from schemas.answers.accounts import SessionsAnswer
from schemas.answers.parts import Done
from schemas.statuses import Role

bp = APIBlueprint("sessions", __name__, url_prefix="/auth/sessions", abp_tags=[Tag(name="Sign-in")])


class SessionPath(BaseModel):
    """Which session."""

    session_id: UUID


@bp.get("", responses={200: SessionsAnswer})
@requires(Role.VIEWER)
def sessions() -> Response:
    """List your signed-in browsers, newest first; those of everybody for an admin."""
    found = list_sessions(current_services().database, user=_whose(), current=_current())
    return jsonify(
        success=True,
        sessions=[
            {
                "id": session.id,
                "token": session.token,
                "user_name": session.user_name,
                "created_at": session.created_at.isoformat(),
                "expires_at": session.expires_at.isoformat(),
                "user_agent": session.user_agent,
                "address": session.address,
                "current": session.is_current,
            }
            for session in found
        ],
    )


@bp.delete("/<session_id>", responses={200: Done})
@requires(Role.VIEWER)
@audited("session.end")
def end(path: SessionPath) -> Response:
    """Sign a browser out: one of yours, anybody's for an admin. Its open connections end within 60 s."""
    audit_target(str(path.session_id))
    ended = end_session(current_services().database, path.session_id, user=_whose(), current=_current())
    if ended is None:
        raise Refusal(
            404, "unknown_session", "there is no such session of yours", where="session_id", mend="GET /auth/sessions"
        )
    audit_target(f"{ended.id} of {ended.user_name}")
    answer = jsonify(success=True, message=f"a browser of {ended.user_name} was signed out")
    if ended.is_current:
        signing.end_session(answer, current_services())
    return answer


def _whose() -> str | None:
    actor = current_actor()
    return None if actor.role.includes(Role.ADMIN) else actor.name


def _current() -> str | None:
    """The session that makes this request; a bearer token goes before it."""
    if "Authorization" in request.headers:
        return None
    return request.cookies.get(session_cookie_name(current_services().settings))
