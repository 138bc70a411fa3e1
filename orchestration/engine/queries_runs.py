"""The list of runs: filtered, searched, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestration.store.database import Database
from schemas.json import JsonObject
from schemas.statuses import RunStatus

# A search looks at this many runs at a time; what is rare must not make one request read the whole history.
SEARCHED = 5000
# Runs of a status are counted up to this many, and those that ended in a day.
COUNTED = 10_000
LATELY_S = 86_400.0
_SHOWN = "shown_run(r, d) || jsonb_build_object('step', shown_step_in_hand(r, d))"


@dataclass(frozen=True)
class RunFilter:
    """Which runs are wanted; what is unset does not matter.

    `text` is looked for in id, name, host and template. `host` is a name or `user@host:port`. A run that started at
    `started_after` is wanted, one that did at `started_before` is not.
    """

    statuses: Sequence[RunStatus] = ()
    text: str | None = None
    template_id: str | None = None
    created_by: str | None = None
    host: str | None = None
    started_after: datetime | None = None
    started_before: datetime | None = None


@dataclass(frozen=True)
class RunPage:
    """Runs, newest first. `next` continues the list, None at its end."""

    runs: list[JsonObject]
    next: int | None


@dataclass(frozen=True)
class RunCounts:
    """Runs by status in the words of the wire: the unfinished, and those that ended within `within_s` seconds.

    None is counted beyond `at_most`; where more ended in a day, `within_s` is the time in which the newest of them did.
    """

    counts: JsonObject
    within_s: float
    at_most: int


def count_runs(database: Database) -> RunCounts:
    """How many runs have each status."""
    counts, within_s = database.rows("SELECT counts, within_s FROM count_runs(%s, %s)", LATELY_S, COUNTED)[0]
    return RunCounts(counts, within_s, COUNTED)


def find_runs(database: Database, wanted: RunFilter, before: int | None, limit: int) -> RunPage:
    """A page of runs. With a search it may be short, or empty, and still have a `next`."""
    if _is_search(wanted):
        return _search(database, wanted, before, limit)
    below, place = _within("id", wanted, before)
    page = f"SELECT id FROM runs WHERE {below} ORDER BY id DESC LIMIT %s"
    values = [*place, limit + 1]
    if wanted.statuses:
        # Each status along its own index: where all runs of a status are old, a look through the newest finds none.
        of_one = f"SELECT id FROM runs WHERE status = w.status AND {below} ORDER BY id DESC LIMIT %s"
        page = f"SELECT x.id FROM unnest(%s) w(status), LATERAL ({of_one}) x ORDER BY x.id DESC LIMIT %s"
        values = [[str(status) for status in wanted.statuses], *values, limit + 1]
    rows = database.rows(
        f"SELECT r.id, {_SHOWN} FROM ({page}) page JOIN runs r ON r.id = page.id "
        "JOIN run_documents d ON d.run_id = page.id ORDER BY r.id DESC",
        *values,
    )
    return RunPage(_placed(rows[:limit]), rows[limit - 1][0] if len(rows) > limit else None)


def _search(database: Database, wanted: RunFilter, before: int | None, limit: int) -> RunPage:
    """Look at the next runs one by one until the page is full. Joined freely, all of the history may be read."""
    ids, looked_at, place = _looked_at(wanted, before)
    where, values = _conditions(wanted)
    rows = database.rows(
        f"WITH reach AS (SELECT min(id) AS id, count(*) AS seen FROM ({ids}) x), hits AS ("
        f"SELECT r.id FROM ({looked_at}) r, LATERAL (SELECT * FROM run_documents WHERE run_id = r.id OFFSET 0) d "
        f"WHERE {where} ORDER BY r.id DESC LIMIT %s) "
        "SELECT reach.id, reach.seen, hit.id, hit.run FROM reach LEFT JOIN ("
        f"SELECT r.id, {_SHOWN} AS run FROM hits JOIN runs r ON r.id = hits.id "
        "JOIN run_documents d ON d.run_id = hits.id) hit ON true ORDER BY hit.id DESC",
        *place,
        *place,
        *values,
        limit + 1,
    )
    reach, seen = rows[0][0], rows[0][1]
    hits = [(id_, run) for _, _, id_, run in rows if id_ is not None]
    if len(hits) > limit:
        return RunPage(_placed(hits[:limit]), hits[limit - 1][0])
    return RunPage(_placed(hits), reach if seen == SEARCHED else None)


def _placed(rows: Sequence[Sequence[Any]]) -> list[JsonObject]:
    """Runs with their place in the list, so that a client can put a page that it read again where it belongs."""
    return [{**run, "cursor": place} for place, run in rows]


def _looked_at(wanted: RunFilter, before: int | None) -> tuple[str, str, list[Any]]:
    """The runs that one search looks at, newest first: their ids, and what of them is compared; and the values.

    A person's own are found along an index, however rare they are.
    """
    if wanted.created_by is None:
        below, values = _within("id", wanted, before)
        end = f"FROM runs WHERE {below} ORDER BY id DESC LIMIT {SEARCHED}"
        return f"SELECT id {end}", f"SELECT id, status, public_id {end}", values
    below, values = _within("run_id", wanted, before)
    ids = f"SELECT run_id AS id FROM run_documents WHERE created_by = %s AND {below} "
    ids += f"ORDER BY run_id DESC LIMIT {SEARCHED}"
    each = "LATERAL (SELECT status, public_id FROM runs WHERE id = x.id OFFSET 0) y"
    return ids, f"SELECT x.id, y.status, y.public_id FROM ({ids}) x, {each}", [wanted.created_by, *values]


def _within(column: str, wanted: RunFilter, before: int | None) -> tuple[str, list[Any]]:
    """The ids that are looked at: below a place, and of runs that started in the time that is wanted."""
    conditions: list[str] = ["true"]
    values: list[Any] = []
    if before is not None:
        conditions.append(f"{column} < %s")
        values.append(before)
    # Asked for once, as a query of its own: a function would be compared with every row, not looked up.
    if wanted.started_after is not None:
        conditions.append(f"{column} >= (SELECT first_run_since(%s))")
        values.append(wanted.started_after)
    if wanted.started_before is not None:
        conditions.append(f"{column} < (SELECT first_run_since(%s))")
        values.append(wanted.started_before)
    return " AND ".join(conditions), values


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
