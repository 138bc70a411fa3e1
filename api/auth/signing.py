"""The use cases of signing in: codes, sessions, tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from flask import Response, request

from api.auth.identity import bearer_token, identify, session_cookie_name
from api.refusal import Refusal
from api.security import check_sign_in_origin
from api.services import Services
from orchestration.ports import Actor
from orchestration.store import accounts
from orchestration.store.database import Database
from schemas.statuses import Role
from settings import Settings

TOKEN_PREFIX = "perdure_"
MAX_USER_AGENT = 300


@dataclass(frozen=True)
class SignedIn:
    """A new session and whose it is. `session` is the secret of its cookie."""

    session: str
    actor: Actor


def sign_in(services: Services, *, code: str | None, token: str | None) -> SignedIn:
    """Open a session for a single-use code or a token.

    Raises: Refusal: 403 from a foreign page, 429 after too many attempts, 401 when the secret is not valid.
    """
    check_sign_in_origin(services.settings)
    address = request.remote_addr or ""
    services.limiter.hit("sign_in", address)
    browser = accounts.Browser(_user_agent(), address)
    if code is not None:
        session = accounts.exchange_code(services.database, code, browser)
    else:
        session = accounts.exchange_token(services.database, token or "", browser)
    actor = identify(services.database, bearer=None, session=session)
    if session is None or actor is None:
        services.limiter.refusals.note("signing in was", address)
        raise Refusal(
            401,
            "sign_in_failed",
            "the code or token is not valid; a code works once, for 10 minutes",
            mend="print a new link with 'perdure open'",
        )
    return SignedIn(session, replace(actor, address=address))


def _user_agent() -> str | None:
    """What the browser calls itself, to be told from others; anybody may send anything."""
    named = "".join(char for char in request.headers.get("User-Agent", "") if char.isprintable())
    return named[:MAX_USER_AGENT] or None


def set_cookie(answer: Response, settings: Settings, session: str) -> None:
    """Give the browser its session: not readable by scripts, sent over TLS only where TLS is spoken."""
    answer.set_cookie(
        session_cookie_name(settings),
        session,
        max_age=accounts.SESSION_LENGTH,
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )


def end_session(answer: Response, services: Services) -> None:
    """End the session of this request's cookie, if it has one."""
    name = session_cookie_name(services.settings)
    session = request.cookies.get(name)
    if session:
        accounts.delete_session(services.database, session)
    answer.delete_cookie(name, secure=request.is_secure, httponly=True, samesite="Lax")


def make_code(services: Services, authorization: str | None) -> str:
    """A sign-in code for the token of this header.

    Raises: Refusal: 400 without a bearer token, since a session may not multiply itself.
    """
    token = bearer_token(authorization)
    made = accounts.add_sign_in_code(services.database, token) if token else None
    if made is None:
        raise Refusal(400, "token_needed", "a code is made for a token", mend="send the token as a bearer token")
    return made


def create_token(database: Database, *, name: str, user_name: str, role: Role, length: timedelta | None) -> str:
    """The secret of a new token. Raises: Refusal (409) when the name is taken."""
    secret = accounts.new_secret(TOKEN_PREFIX)
    if not accounts.add_token(database, name=name, user_name=user_name, role=role, secret=secret, length=length):
        raise Refusal(409, "token_exists", f"there is a token {name!r}", where="/name", mend="use another name")
    return secret


def delete_token(database: Database, name: str) -> None:
    """Delete a token and end its sessions. Raises: Refusal (404) when there is none of this name."""
    if not accounts.delete_token(database, name):
        raise Refusal(404, "unknown_token", f"there is no token {name!r}", where="/name", mend="GET /auth/tokens")
