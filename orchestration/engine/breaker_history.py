"""When breakers changed, and why: written by whoever changed one, read by people. No step waits for it."""

from __future__ import annotations

from orchestration.gates.breaker import Change
from orchestration.store.database import Database
from schemas.json import JsonObject

MAX_PAGE = 200


class BreakerHistory:
    """The changes of breakers in one database, kept for 90 days."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def note(self, change: Change, *, actor: str | None = None) -> None:
        """Keep a change; `actor` made it by hand. Raises: StoreUnavailable."""
        self.database.call(
            "SELECT note_breaker_change(%s, %s, %s, %s, %s, %s)",
            change.name,
            change.before,
            change.after,
            change.at,
            change.why,
            actor,
        )

    def page(self, *, name: str | None = None, before: int | None = None, limit: int = 50) -> list[JsonObject]:
        """Changes before a number, newest first; of one breaker, or of all. Raises: StoreUnavailable."""
        where = "id < coalesce(%s, 9223372036854775807)" + (" AND name = %s" if name is not None else "")
        fields = ("id", "name", "before", "after", "at", "why", "actor")
        rows = self.database.rows(
            f"SELECT {', '.join(fields)} FROM breaker_changes WHERE {where} ORDER BY id DESC LIMIT %s",
            before,
            *([name] if name is not None else []),
            min(limit, MAX_PAGE),
        )
        return [dict(zip(fields, row, strict=True)) for row in rows]
