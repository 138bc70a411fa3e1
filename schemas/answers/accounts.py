"""What is answered of users: who is signed in, tokens, sessions, and the audit record."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from schemas.answers.parts import Answer, Part
from schemas.json import JsonObject
from schemas.statuses import Role


class MeAnswer(Answer):
    """Who is signed in."""

    name: str
    role: Role


class CodeAnswer(Answer):
    """A sign-in code, for the fragment of `/sign-in#code=...`."""

    code: str
    expires_in_s: int


class TokenShown(Part):
    """A token, without its secret."""

    name: str
    user_name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class TokensAnswer(Answer):
    """The tokens there are."""

    tokens: list[TokenShown]


class CreatedToken(Answer):
    """A token that was made."""

    name: str
    role: Role
    token: str = Field(description="the secret, shown this once")


class AuditEntry(Part):
    """Who did what, to what, from where, and what came of it."""

    id: int
    at: datetime
    actor: str
    role: Role
    action: str
    target: str
    address: str
    outcome: Literal["done", "refused", "failed"]
    detail: JsonObject


class AuditAnswer(Answer):
    """A page of the audit record, newest first; `next` is the `cursor` of the one after."""

    records: list[AuditEntry]
    next: int | None


class SessionShown(Part):
    """A signed-in browser of this user."""

    id: str
    token: str = Field(description="the name of the token it was signed in with")
    user_name: str
    created_at: datetime
    expires_at: datetime
    user_agent: str | None
    address: str | None
    current: bool


class SessionsAnswer(Answer):
    """The sessions of this user; of everyone for an admin."""

    sessions: list[SessionShown]
