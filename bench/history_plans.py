"""The plans of what the engine really sends: a `Database` that explains each call, and what makes a plan bad."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.history_cases import Case, Engine
from bench.history_load import TABLES
from orchestration.store.database import Database, open_connection
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
_READ = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")


@dataclass(frozen=True)
class Plan:
    """What one call did, with all statements inside its functions.

    `buffers` are pages of 8 KiB, `rows` those that scans read, `scanned` the big tables that were read from end to end.
    """

    buffers: int
    rows: int
    scanned: frozenset[str]
    indexes: frozenset[str]

    def complaint(self, most_buffers: int) -> str | None:
        """Why the plan does not do for a long history; None when it does."""
        if self.scanned:
            return f"reads all of {', '.join(sorted(self.scanned))}"
        if self.buffers > most_buffers:
            return f"touches {self.buffers:,} pages, {most_buffers:,} should do"
        return None


class ExplainedDatabase(Database):
    """One connection that explains all it runs. Only for statements that one call needs one of.

    `generic` plans are those that a connection which lives long may end up with: they know nothing of the values.
    """

    def __init__(self, url: str, *, generic: bool) -> None:
        super().__init__(url, size=1)
        self._connection = open_connection(url, name="explained")
        self._notices = _Notices()
        self._connection.notices = self._notices  # type: ignore[assignment]
        with self._connection.cursor() as cursor:
            cursor.execute("LOAD 'auto_explain'")
            cursor.execute(f"SET plan_cache_mode = force_{'generic' if generic else 'custom'}_plan")
            for name, value in _SETTINGS.items():
                cursor.execute(f"SET {name} = {value}")

    def rows(self, sql: str, *values: Any) -> Sequence[tuple[Any, ...]]:
        """Run one statement and keep its plans."""
        self._notices.texts.clear()
        with self._connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall() if cursor.description is not None else []

    def last(self) -> Plan:
        """The plan of the last call."""
        plans = [json.loads(text[text.index("{") :])["Plan"] for text in self._notices.texts if "plan:" in text]
        nodes = [node for plan in plans for node in _nodes(plan)]
        # The statement itself is explained last; its pages count those of the statements inside it.
        return Plan(
            buffers=plans[-1]["Shared Hit Blocks"] + plans[-1]["Shared Read Blocks"],
            rows=round(sum(_rows_read(node) for node in nodes if "Relation Name" in node)),
            scanned=frozenset(
                node["Relation Name"]
                for node in nodes
                if node["Node Type"] == "Seq Scan" and node["Relation Name"] in TABLES
            ),
            indexes=frozenset(node["Index Name"] for node in nodes if "Index Name" in node),
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        super().close()


def explain(case: Case, engine: Engine, database: ExplainedDatabase) -> Plan:
    """The plan of an operation. The first calls of a connection read the catalogue as well, so they do not count."""
    for _ in range(min(case.warm_up, 2) + 1):
        case.act(engine)
    return database.last()


class _Notices:
    """psycopg2 cuts a list to the last 50."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def append(self, notice: str) -> None:
        self.texts.append(notice)


def _nodes(plan: JsonObject) -> Iterator[JsonObject]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _rows_read(node: JsonObject) -> float:
    loops = float(node.get("Actual Loops", 1))
    return loops * float(sum(node.get(name, 0) for name in _READ))
