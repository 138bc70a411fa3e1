"""The plans of what the engine really sends: a `Database` that explains each call, and what makes a plan bad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.explained import Explained, nodes
from bench.history_cases import Case, Engine
from bench.history_load import TABLES
from orchestration.store.database import Database
from schemas.json import JsonObject

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
        self._explained = Explained(url, plan_cache_mode=f"force_{'generic' if generic else 'custom'}_plan")

    def rows(self, sql: str, *values: Any) -> Sequence[tuple[Any, ...]]:
        """Run one statement and keep its plans."""
        return self._explained.rows(sql, *values)

    def function_rows(self, function: str, types: str, *values: Any) -> Sequence[tuple[Any, ...]]:
        """As `rows`: said in full, since a prepared call would go by another connection, unexplained."""
        return self.rows(f"SELECT * FROM {function}({', '.join(['%s'] * len(values))})", *values)

    def last(self) -> Plan:
        """The plan of the last call."""
        plans = self._explained.plans()
        found = [node for plan in plans for node in nodes(plan)]
        return Plan(
            buffers=plans[-1]["Shared Hit Blocks"] + plans[-1]["Shared Read Blocks"],
            rows=round(sum(_rows_read(node) for node in found if "Relation Name" in node)),
            scanned=frozenset(
                node["Relation Name"]
                for node in found
                if node["Node Type"] == "Seq Scan" and node["Relation Name"] in TABLES
            ),
            indexes=frozenset(node["Index Name"] for node in found if "Index Name" in node),
        )

    def close(self) -> None:
        """Close the connection."""
        self._explained.close()
        super().close()


def explain(case: Case, engine: Engine, database: ExplainedDatabase) -> Plan:
    """The plan of an operation. The first calls of a connection read the catalogue as well, so they do not count."""
    for _ in range(min(case.warm_up, 2) + 1):
        case.act(engine)
    return database.last()


def _rows_read(node: JsonObject) -> float:
    loops = float(node.get("Actual Loops", 1))
    return loops * float(sum(node.get(name, 0) for name in _READ))
