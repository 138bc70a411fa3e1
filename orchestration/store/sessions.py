"""SQL of the sessions that are shown and ended by name. They are opened in accounts.py, from a code or a token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from orchestration.store.accounts import secret_hash
from orchestration.store.database import Database

# More than anybody has browsers; the newest are shown.
MOST = 500
_COLUMNS = (
    "s.id::text, t.name, t.user_name, s.created_at, least(s.expires_at, t.expires_at), s.user_agent, s.address, "
    "s.hash = %s"
)


@dataclass(frozen=True)
class Session:
    """A signed-in browser. `token` is the name of the token it was signed in with; `is_current`: of who asks."""

    id: str
    token: str
    user_name: str
    created_at: datetime
    expires_at: datetime
    user_agent: str | None
    address: str | None
    is_current: bool


def list_sessions(database: Database, *, user: str | None, current: str | None) -> Sequence[Session]:
    """Sessions that hold now, newest first; of one user, or of everybody. `current` is the secret of who asks."""
    rows = database.rows(
        f"SELECT {_COLUMNS} FROM sessions s JOIN tokens t ON t.id = s.token_id "
        "WHERE s.expires_at > clock_now() AND (t.expires_at IS NULL OR t.expires_at > clock_now()) "
        "AND (%s::text IS NULL OR t.user_name = %s) ORDER BY s.created_at DESC, s.id LIMIT %s",
        secret_hash(current or ""),
        user,
        user,
        MOST,
    )
    return [Session(*row) for row in rows]


def end_session(database: Database, session: UUID, *, user: str | None, current: str | None) -> Session | None:
    """The session that was ended; None when there is none of this id, or it is of another than `user`."""
    rows = database.rows(
        "DELETE FROM sessions s USING tokens t WHERE t.id = s.token_id AND s.id = %s "
        f"AND (%s::text IS NULL OR t.user_name = %s) RETURNING {_COLUMNS}",
        str(session),
        user,
        user,
        secret_hash(current or ""),
    )
    return Session(*rows[0]) if rows else None
