"""What a fork keeps of the run it comes from: results of steps that need not run again. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schemas.json import Json, JsonObject


def keys_behind(rows: Sequence[JsonObject], key: str) -> set[str]:
    """The keys of a step and of all that depend on it."""
    start = next(row["position"] for row in rows if row["key"] == key)
    seen, todo = {start}, [start]
    while todo:
        for dependent in rows[todo.pop()]["dependents"]:
            if dependent not in seen:
                seen.add(dependent)
                todo.append(dependent)
    return {rows[position]["key"] for position in seen}


def with_results(rows: list[JsonObject], preset: Mapping[str, Json]) -> list[JsonObject]:
    """Rows in which the steps of `preset` are completed and their dependents counted down."""
    done = {row["position"] for row in rows if row["key"] in preset}
    changed = []
    for row in rows:
        # Counted for every row: what is released later counts down those that are done as well.
        blocked = sum(1 for n in row["needs"] if n not in done and rows[n]["status"] != "skipped")
        if row["position"] in done:
            row = row | {"status": "completed", "result": preset[row["key"]]}
        elif row["status"] == "pending" and not blocked:
            row = row | {"status": "waiting" if row["delay_s"] > 0 else "ready"}
        changed.append(row | {"blocked_by": blocked})
    return changed
