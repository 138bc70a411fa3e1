"""SQL of tokens, sessions, sign-in codes and the audit record. Secrets come in plain and are stored as hashes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from orchestration.ports import Actor
from orchestration.store.database import Database, as_jsonb
from schemas.json import JsonObject
from schemas.statuses import Role

SESSION_LENGTH = timedelta(days=14)
CODE_LENGTH = timedelta(minutes=10)


@dataclass(frozen=True)
class Token:
    """A token as listed: never its secret."""

    name: str
    user_name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


# What an action was done to, what came of it, and more.
AuditEntry = tuple[str, str, JsonObject]


@dataclass(frozen=True)
class AuditRecord:
    """Who did what, to what, from where, and what came of it (`done`, `refused` or `failed`)."""

    id: int
    at: datetime
    actor: str
    role: str
    action: str
    target: str
    address: str
    outcome: str
    detail: JsonObject


def new_secret(prefix: str = "") -> str:
    """A random secret of 256 bits that is safe in a URL."""
    return prefix + secrets.token_urlsafe(32)


def find_by_token(database: Database, token: str) -> Actor | None:
    """Who holds this token; None when nobody does, or it has expired."""
    rows = database.function_rows("caller", "bytea, bytea", secret_hash(token), None)
    if rows and rows[0][2]:
        note_use(database, secret_hash(token))
    return _actor(rows)


def find_by_session(database: Database, session: str) -> Actor | None:
    """Who holds this session, with the role its token has now; None when it or its token is gone or has expired."""
    return _actor(database.function_rows("caller", "bytea, bytea", None, secret_hash(session)))


def note_use(database: Database, token_hash: bytes) -> None:
    """Note that a token was used. It is written once in five minutes, so that reading with a token is not a write."""
    database.execute("UPDATE tokens SET last_used_at = clock_now() WHERE hash = %s", token_hash)


def add_token(
    database: Database, *, name: str, user_name: str, role: Role, secret: str, length: timedelta | None = None
) -> bool:
    """Store a token that is valid for `length` (None: until it is deleted). False when the name is taken."""
    added = database.execute(
        "INSERT INTO tokens (name, user_name, role, hash, created_at, expires_at) "
        "VALUES (%s, %s, %s, %s, clock_now(), clock_now() + %s) ON CONFLICT (name) DO NOTHING",
        name,
        user_name,
        role,
        secret_hash(secret),
        length,
    )
    return added == 1


def set_token(database: Database, *, name: str, user_name: str, role: Role, secret: str) -> None:
    """Give the token of this name this secret; with another secret than before, its sessions end."""
    database.execute(
        "WITH ended AS (DELETE FROM sessions s USING tokens t "
        "  WHERE t.id = s.token_id AND t.name = %s AND t.hash <> %s) "
        "INSERT INTO tokens (name, user_name, role, hash, created_at) VALUES (%s, %s, %s, %s, clock_now()) "
        "ON CONFLICT (name) DO UPDATE SET user_name = excluded.user_name, role = excluded.role, hash = excluded.hash, "
        "  expires_at = NULL",
        name,
        secret_hash(secret),
        name,
        user_name,
        role,
        secret_hash(secret),
    )


def delete_token(database: Database, name: str) -> bool:
    """Delete a token, its sessions and its sign-in codes. False when there is none of this name."""
    return database.execute("DELETE FROM tokens WHERE name = %s", name) == 1


def list_tokens(database: Database) -> Sequence[Token]:
    """All tokens by name, without their secrets."""
    rows = database.rows("SELECT name, user_name, role, created_at, expires_at, last_used_at FROM tokens ORDER BY name")
    return [Token(name, user, Role(role), *times) for name, user, role, *times in rows]


def add_sign_in_code(database: Database, token: str) -> str | None:
    """A code that signs in once as the holder of `token`, within ten minutes. None when the token is not valid."""
    code = new_secret()
    added = database.execute(
        "WITH swept AS (DELETE FROM sign_in_codes WHERE expires_at < clock_now()) "
        "INSERT INTO sign_in_codes SELECT %s, id, clock_now() + %s FROM tokens "
        "WHERE hash = %s AND (expires_at IS NULL OR expires_at > clock_now())",
        secret_hash(code),
        CODE_LENGTH,
        secret_hash(token),
    )
    return code if added else None


@dataclass(frozen=True)
class Browser:
    """What signs in, as it says itself, and from where."""

    user_agent: str | None = None
    address: str | None = None


def exchange_code(database: Database, code: str, browser: Browser = Browser()) -> str | None:
    """A new session for a sign-in code, which is then used up. None when it is unknown, used or expired."""
    # Of two exchanges at once one deletes the row; the other finds none.
    return _add_session(
        database,
        "who AS (DELETE FROM sign_in_codes c USING tokens t WHERE c.hash = %s AND t.id = c.token_id "
        "  AND c.expires_at > clock_now() RETURNING t.id, t.expires_at)",
        code,
        browser,
    )


def exchange_token(database: Database, token: str, browser: Browser = Browser()) -> str | None:
    """A new session for a token. None when it is unknown or expired."""
    return _add_session(database, "who AS (SELECT id, expires_at FROM tokens WHERE hash = %s)", token, browser)


def delete_session(database: Database, session: str) -> None:
    """End a session."""
    database.execute("DELETE FROM sessions WHERE hash = %s", secret_hash(session))


def add_audit(database: Database, actor: Actor, *, action: str, target: str, outcome: str, detail: JsonObject) -> None:
    """Append to the audit record."""
    database.execute(
        "INSERT INTO audit (at, actor, role, action, target, address, outcome, detail) "
        "VALUES (clock_now(), %s, %s, %s, %s, %s, %s, %s)",
        actor.name,
        actor.role,
        action,
        target,
        actor.address,
        outcome,
        as_jsonb(detail),
    )


def add_audits(database: Database, actor: Actor, *, action: str, entries: Sequence[AuditEntry]) -> None:
    """Append many entries of one action to the audit record."""
    database.execute(
        "INSERT INTO audit (at, actor, role, action, target, address, outcome, detail) "
        "SELECT clock_now(), %s, %s, %s, e.target, %s, e.outcome, e.detail::jsonb "
        "FROM unnest(%s, %s, %s) AS e(target, outcome, detail)",
        actor.name,
        actor.role,
        action,
        actor.address,
        [target for target, _, _ in entries],
        [outcome for _, outcome, _ in entries],
        [as_jsonb(detail) for _, _, detail in entries],
    )


def list_audit(database: Database, *, before: int | None = None, limit: int = 50) -> Sequence[AuditRecord]:
    """The newest records first; `before` is the id of the last one seen."""
    rows = database.rows(
        "SELECT id, at, actor, role, action, target, address, outcome, detail FROM audit "
        "WHERE %s::bigint IS NULL OR id < %s ORDER BY id DESC LIMIT %s",
        before,
        before,
        limit,
    )
    return [AuditRecord(*row) for row in rows]


def _add_session(database: Database, who: str, secret: str, browser: Browser) -> str | None:
    """`who` is one of the two texts above: spending a code and opening its session is one statement."""
    session = new_secret()
    added = database.execute(
        f"WITH {who}, swept AS (DELETE FROM sessions WHERE expires_at < clock_now()) "
        "INSERT INTO sessions (hash, token_id, created_at, expires_at, user_agent, address) "
        "SELECT %s, id, clock_now(), clock_now() + %s, %s, %s FROM who "
        "WHERE expires_at IS NULL OR expires_at > clock_now()",
        secret_hash(secret),
        secret_hash(session),
        SESSION_LENGTH,
        browser.user_agent,
        browser.address,
    )
    return session if added else None


def _actor(rows: Sequence[tuple[Any, ...]]) -> Actor | None:
    return Actor(rows[0][0], Role(rows[0][1])) if rows else None


def secret_hash(secret: str) -> bytes:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
