"""A connection to PostgreSQL that explains all it runs, statements inside functions included."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from orchestration.store.database import open_connection
from schemas.json import JsonObject

_SETTINGS = {
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_format": "json",
    "auto_explain.log_parameter_max_length": "0",
    "client_min_messages": "log",
}


class Explained:
    """One connection. `plan_cache_mode` is PostgreSQL's setting of that name."""

    def __init__(self, url: str, *, plan_cache_mode: str) -> None:
        self._connection = open_connection(url, name="explained")
        self._notices = _Notices()
        self._connection.notices = self._notices  # type: ignore[assignment]
        with self._connection.cursor() as cursor:
            cursor.execute("LOAD 'auto_explain'")
            cursor.execute(f"SET plan_cache_mode = {plan_cache_mode}")
            for name, value in _SETTINGS.items():
                cursor.execute(f"SET {name} = {value}")

    def rows(self, sql: str, *values: Any) -> Sequence[tuple[Any, ...]]:
        """Run one statement and keep its plans."""
        self._notices.texts.clear()
        with self._connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall() if cursor.description is not None else []

    def plans(self) -> list[JsonObject]:
        """The plans of the last call, once. That of the call itself comes last; its pages count those inside it."""
        told, self._notices.texts = self._notices.texts, []
        return [json.loads(text[text.index("{") :])["Plan"] for text in told if "plan:" in text]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def nodes(plan: JsonObject) -> Iterator[JsonObject]:
    """A plan's nodes, itself first."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


class _Notices:
    """psycopg2 cuts a list to the last 50."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def append(self, notice: str) -> None:
        self.texts.append(notice)
