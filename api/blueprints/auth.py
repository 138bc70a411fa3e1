"""Signing in and out, tokens, and the audit record."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Response, jsonify, render_template, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.audit import audit_actor, audit_target, audited
from api.auth import signing
from api.auth.rights import current_actor, public, requires
from api.security import own_path
from api.services import current_services
from orchestration.store import accounts
from schemas.answers.accounts import AuditAnswer, CodeAnswer, CreatedToken, MeAnswer, TokensAnswer
from schemas.answers.parts import Answer
from schemas.requests import Query
from schemas.statuses import Role

bp = APIBlueprint("auth", __name__, abp_tags=[Tag(name="Sign-in")])


class Body(BaseModel):
    """Base of the bodies here."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Exchange(Body):
    """Either a single-use code from a sign-in link, or a token."""

    code: str | None = Field(None, min_length=1, max_length=200)
    token: str | None = Field(None, min_length=1, max_length=200)

    @model_validator(mode="after")
    def _one_of(self) -> Exchange:
        if (self.code is None) == (self.token is None):
            raise ValueError("give either 'code' or 'token'")
        return self


class NewToken(Body):
    """A token to be made."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    user_name: str | None = Field(None, min_length=1, max_length=100, description="unset: the same as `name`")
    role: Role = Role.OPERATOR
    days: float | None = Field(None, gt=0, le=3650, description="unset: valid until it is deleted")


class TokenPath(BaseModel):
    """Which token."""

    name: str = Field(max_length=100)


class AuditQuery(Query):
    """A page of the audit record."""

    limit: int = Field(50, ge=1, le=200)
    cursor: int | None = Field(None, ge=1, le=2**62, description="`next` of the page before")


@bp.get("/sign-in", doc_ui=False)
@public
def sign_in_page() -> str:
    """Show the sign-in page; its script exchanges the code in the address's fragment."""
    return render_template("sign_in.html", go_on_at=own_path(request.args.get("next", "")))


@bp.post("/auth/exchange", responses={200: MeAnswer})
@public
@audited("auth.sign_in")
def exchange(body: Exchange) -> Response:
    """Exchange a sign-in code or a token for a session cookie."""
    services = current_services()
    signed_in = signing.sign_in(services, code=body.code, token=body.token)
    audit_actor(signed_in.actor)
    answer = jsonify(success=True, name=signed_in.actor.name, role=signed_in.actor.role)
    signing.set_cookie(answer, services.settings, signed_in.session)
    return answer


@bp.post("/auth/sign-out", responses={200: Answer})
@requires(Role.VIEWER)
@audited("auth.sign_out")
def sign_out() -> Response:
    """End this session."""
    answer = jsonify(success=True)
    signing.end_session(answer, current_services())
    return answer


@bp.get("/auth/me", responses={200: MeAnswer})
@requires(Role.VIEWER)
def me() -> Response:
    """Say who you are and what you may do."""
    actor = current_actor()
    return jsonify(success=True, name=actor.name, role=actor.role)


@bp.post("/auth/code", responses={200: CodeAnswer})
@requires(Role.VIEWER)
@audited("auth.code")
def code() -> Response:
    """Make a single-use sign-in code for the holder of the bearer token; valid 10 minutes."""
    made = signing.make_code(current_services(), request.headers.get("Authorization"))
    return jsonify(success=True, code=made, expires_in_s=int(accounts.CODE_LENGTH.total_seconds()))


@bp.get("/auth/tokens", responses={200: TokensAnswer})
@requires(Role.ADMIN)
def list_tokens() -> Response:
    """List the tokens, without their secrets."""
    tokens = accounts.list_tokens(current_services().database)
    return jsonify(
        success=True,
        tokens=[
            {
                "name": token.name,
                "user_name": token.user_name,
                "role": token.role,
                "created_at": token.created_at.isoformat(),
                "expires_at": _time(token.expires_at),
                "last_used_at": _time(token.last_used_at),
            }
            for token in tokens
        ],
    )


@bp.post("/auth/tokens", responses={201: CreatedToken})
@requires(Role.ADMIN)
@audited("token.create")
def create_token(body: NewToken) -> Response:
    """Make a token. Its secret is in this answer and nowhere else."""
    audit_target(body.name)
    secret = signing.create_token(
        current_services().database,
        name=body.name,
        user_name=body.user_name or body.name,
        role=body.role,
        length=timedelta(days=body.days) if body.days else None,
    )
    answer = jsonify(success=True, name=body.name, role=body.role, token=secret)
    answer.status_code = 201
    return answer


@bp.delete("/auth/tokens/<name>", responses={200: Answer})
@requires(Role.ADMIN)
@audited("token.delete")
def delete_token(path: TokenPath) -> Response:
    """Delete a token; its sessions end at once."""
    audit_target(path.name)
    signing.delete_token(current_services().database, path.name)
    return jsonify(success=True)


@bp.get("/audit", responses={200: AuditAnswer})
@requires(Role.ADMIN)
def audit(query: AuditQuery) -> Response:
    """List who did what, newest first."""
    records = accounts.list_audit(current_services().database, before=query.cursor, limit=query.limit)
    return jsonify(
        success=True,
        records=[
            {
                "id": record.id,
                "at": record.at.isoformat(),
                "actor": record.actor,
                "role": record.role,
                "action": record.action,
                "target": record.target,
                "address": record.address,
                "outcome": record.outcome,
                "detail": record.detail,
            }
            for record in records
        ],
        next=records[-1].id if len(records) == query.limit else None,
    )


def _time(value: datetime | None) -> str | None:
    return value.isoformat() if value else None
