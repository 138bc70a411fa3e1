"""The list of runs: filtered, searched, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.store.database import Database
from schemas.json import JsonObject
from schemas.statuses import RunStatus

# A search looks at this many runs at a time; what is rare must not make one request read the whole history.
SEARCHED = 5000


@dataclass(frozen=True)
class RunFilter:
    """Which runs are wanted; what is unset does not matter.

    `text` is looked for in id, name, host and template. `host` is a name or `user@host:port`.
    """

    statuses: Sequence[RunStatus] = ()
    text: str | None = None
    template_id: str | None = None
    created_by: str | None = None
    host: str | None = None


@dataclass(frozen=True)
class RunPage:
    """Runs, newest first. `next` continues the list, None at its end."""

    runs: list[JsonObject]
    next: int | None


def find_runs(database: Database, wanted: RunFilter, before: int | None, limit: int) -> RunPage:
    """A page of runs. With a search it may be short, or empty, and still have a `next`."""
    conditions, values = _conditions(wanted)
    if before is not None:
        conditions.append("r.id < %s")
        values.append(before)
    where = " AND ".join(conditions) or "true"
    if not _is_search(wanted):
        rows = database.rows(
            f"SELECT r.id, shown_run(r, d) FROM runs r JOIN run_documents d ON d.run_id = r.id WHERE {where} "
            "ORDER BY r.id DESC LIMIT %s",
            *values,
            limit + 1,
        )
        found = [(id_, run) for id_, run in rows]
        return RunPage([run for _, run in found[:limit]], found[limit - 1][0] if len(found) > limit else None)
    rows = database.rows(
        "WITH reach AS (SELECT min(x.id) AS id, count(*) AS seen FROM (SELECT id FROM runs WHERE %s::bigint IS NULL "
        "OR id < %s ORDER BY id DESC LIMIT %s) x) "
        "SELECT reach.id, reach.seen, hit.id, hit.run FROM reach LEFT JOIN LATERAL ("
        "SELECT r.id, shown_run(r, d) AS run FROM runs r JOIN run_documents d ON d.run_id = r.id "
        f"WHERE r.id >= reach.id AND {where} ORDER BY r.id DESC LIMIT %s) hit ON true",
        before,
        before,
        SEARCHED,
        *values,
        limit + 1,
    )
    reach, seen = rows[0][0], rows[0][1]
    hits = [(id_, run) for _, _, id_, run in rows if id_ is not None]
    if len(hits) > limit:
        return RunPage([run for _, run in hits[:limit]], hits[limit - 1][0])
    return RunPage([run for _, run in hits], reach if seen == SEARCHED else None)


def _is_search(wanted: RunFilter) -> bool:
    return any(value is not None for value in (wanted.text, wanted.template_id, wanted.created_by, wanted.host))


def _conditions(wanted: RunFilter) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []

    def add(condition: str, *arguments: Any) -> None:
        conditions.append(condition)
        values.extend(arguments)

    if wanted.statuses:
        add("r.status = ANY(%s)", [str(status) for status in wanted.statuses])
        if not any(status.is_finished for status in wanted.statuses):
            add("r.ended_at IS NULL")
    if wanted.template_id is not None:
        add("d.template_id = %s", wanted.template_id)
    if wanted.created_by is not None:
        add("d.created_by = %s", wanted.created_by)
    if wanted.host is not None:
        add(
            "%s IN (d.ssh ->> 'host', (d.ssh ->> 'user') || '@' || (d.ssh ->> 'host') || ':' || (d.ssh ->> 'port'))",
            wanted.host,
        )
    if wanted.text is not None:
        pattern = f"%{_escaped(wanted.text)}%"
        add(
            "(r.public_id ILIKE %s OR d.name ILIKE %s OR d.template_id ILIKE %s OR d.ssh ->> 'host' ILIKE %s)",
            *[pattern] * 4,
        )
    return conditions, values


def _escaped(text: str) -> str:
    """Text that LIKE takes literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
