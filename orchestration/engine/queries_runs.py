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
    if _is_search(wanted):
        return _search(database, wanted, before, limit)
    below, place = _below("id", before)
    page = f"SELECT id FROM runs WHERE {below} ORDER BY id DESC LIMIT %s"
    values = [*place, limit + 1]
    if wanted.statuses:
        # Each status along its own index: where all runs of a status are old, a look through the newest finds none.
        of_one = f"SELECT id FROM runs WHERE status = w.status AND {below} ORDER BY id DESC LIMIT %s"
        page = f"SELECT x.id FROM unnest(%s) w(status), LATERAL ({of_one}) x ORDER BY x.id DESC LIMIT %s"
        values = [[str(status) for status in wanted.statuses], *values, limit + 1]
    rows = database.rows(
        f"SELECT r.id, shown_run(r, d) FROM ({page}) page JOIN runs r ON r.id = page.id "
        "JOIN run_documents d ON d.run_id = page.id ORDER BY r.id DESC",
        *values,
    )
    return RunPage([run for _, run in rows[:limit]], rows[limit - 1][0] if len(rows) > limit else None)


def _search(database: Database, wanted: RunFilter, before: int | None, limit: int) -> RunPage:
    """Look at the next runs one by one until the page is full. Joined freely, all of the history may be read."""
    ids, looked_at, place = _looked_at(wanted, before)
    where, values = _conditions(wanted)
    rows = database.rows(
        f"WITH reach AS (SELECT min(id) AS id, count(*) AS seen FROM ({ids}) x), hits AS ("
        f"SELECT r.id FROM ({looked_at}) r, LATERAL (SELECT * FROM run_documents WHERE run_id = r.id OFFSET 0) d "
        f"WHERE {where} ORDER BY r.id DESC LIMIT %s) "
        "SELECT reach.id, reach.seen, hit.id, hit.run FROM reach LEFT JOIN ("
        "SELECT r.id, shown_run(r, d) AS run FROM hits JOIN runs r ON r.id = hits.id "
        "JOIN run_documents d ON d.run_id = hits.id) hit ON true ORDER BY hit.id DESC",
        *place,
        *place,
        *values,
        limit + 1,
    )
    reach, seen = rows[0][0], rows[0][1]
    hits = [(id_, run) for _, _, id_, run in rows if id_ is not None]
    if len(hits) > limit:
        return RunPage([run for _, run in hits[:limit]], hits[limit - 1][0])
    return RunPage([run for _, run in hits], reach if seen == SEARCHED else None)


def _looked_at(wanted: RunFilter, before: int | None) -> tuple[str, str, list[Any]]:
    """The runs that one search looks at, newest first: their ids, and what of them is compared; and the values.

    A person's own are found along an index, however rare they are.
    """
    if wanted.created_by is None:
        below, values = _below("id", before)
        end = f"FROM runs WHERE {below} ORDER BY id DESC LIMIT {SEARCHED}"
        return f"SELECT id {end}", f"SELECT id, status, public_id {end}", values
    below, values = _below("run_id", before)
    ids = f"SELECT run_id AS id FROM run_documents WHERE created_by = %s AND {below} "
    ids += f"ORDER BY run_id DESC LIMIT {SEARCHED}"
    each = "LATERAL (SELECT status, public_id FROM runs WHERE id = x.id OFFSET 0) y"
    return ids, f"SELECT x.id, y.status, y.public_id FROM ({ids}) x, {each}", [wanted.created_by, *values]


def _below(column: str, before: int | None) -> tuple[str, list[Any]]:
    return ("true", []) if before is None else (f"{column} < %s", [before])


def _is_search(wanted: RunFilter) -> bool:
    return any(value is not None for value in (wanted.text, wanted.template_id, wanted.created_by, wanted.host))


def _conditions(wanted: RunFilter) -> tuple[str, list[Any]]:
    conditions: list[str] = ["true"]
    values: list[Any] = []

    def add(condition: str, *arguments: Any) -> None:
        conditions.append(condition)
        values.extend(arguments)

    if wanted.statuses:
        add("r.status = ANY(%s)", [str(status) for status in wanted.statuses])
    if wanted.template_id is not None:
        add("d.template_id = %s", wanted.template_id)
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
    return " AND ".join(conditions), values


def _escaped(text: str) -> str:
    """Text that LIKE takes literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
