"""From a token or a session to an actor. Knows no Flask: the relay asks the same way."""

from __future__ import annotations

from secrets import compare_digest

from orchestration.ports import Actor
from orchestration.store.accounts import find_by_session, find_by_token
from orchestration.store.database import Database
from settings import Settings


def session_cookie_name(settings: Settings) -> str:
    """The name holds the port, because browsers send a host's cookies to all its ports."""
    return f"perdure_session_{settings.port}"


def identify(database: Database, *, bearer: str | None, session: str | None) -> Actor | None:
    """Who holds this token or session now, with the role of now. None: nobody, or no longer.

    A bearer token that is given but unknown is not made up for by a session.
    Raises: StoreUnavailable.
    """
    if bearer is not None:
        return find_by_token(database, bearer)
    if session is not None:
        return find_by_session(database, session)
    return None


def is_metrics_token(settings: Settings, bearer: str) -> bool:
    """Whether this is the token that reads figures and nothing else."""
    return bool(settings.metrics_token) and compare_digest(bearer.encode(), settings.metrics_token.encode())


def bearer_token(header: str | None) -> str | None:
    """The token of an `Authorization: Bearer ...` header; None when there is none."""
    scheme, _, token = (header or "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
