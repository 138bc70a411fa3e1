"""What readers are shown of runs: the state, its tag, the summary, lists, logs and the trace. All of it is bounded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from orchestration.engine.queries_runs import RunCounts, RunFilter, RunPage, count_runs, find_runs
from orchestration.errors import UnknownRun, UnknownStep
from orchestration.redaction import Redactor
from orchestration.store.database import Database
from schemas.json import JsonObject

MAX_PAGE = 200
MAX_TRACE_PAGE = 1000
MAX_LOG_BYTES = 1024 * 1024


@dataclass(frozen=True)
class State:
    """A run's state document as JSON text. `text` is None when the reader already has the version `etag`."""

    etag: str
    active: bool
    text: str | None


@dataclass(frozen=True)
class Page:
    """Some rows of a list; `next` continues it, None at its end."""

    rows: list[JsonObject]
    next: int | None


@dataclass(frozen=True)
class TracePage(Page):
    """Entries of a run's trace. `omitted`: how many more belong behind some of them and were only counted."""

    omitted: int


@dataclass(frozen=True)
class LogPage:
    """Pieces of one attempt's log. `next` is the offset behind them, in characters; `attempt` 0: it has none."""

    attempt: int
    pieces: list[JsonObject]
    next: int


class Queries:
    """Reads of one database. Every method is one statement; nothing is read step by step."""

    def __init__(self, database: Database, *, redactor: Redactor | None = None) -> None:
        self.database = database
        self.redactor = redactor or Redactor()
        # What clients wrote does not change while a run goes on, and the state is asked for again and again.
        self._clean = lru_cache(maxsize=256)(self._redacted)

    def version(self, run_id: str) -> str | None:
        """The tag of a run's state, cheaply; it changes whenever the state does. None when there is no such run."""
        found: str | None = self.database.call("SELECT run_version(%s)", run_id)
        return found

    def state(self, run_id: str, *, position: str | None = None, known: str | None = None) -> State | None:
        """The state document, or only its tag when that is `known`. None when there is no such run.

        `position` is the place in the run's event stream; take it before this call, so that no event is missed.
        """
        rows = self.database.rows(
            "SELECT etag, active, state, free, on_disk FROM run_state(%s, %s, %s)", run_id, position, known
        )
        if not rows:
            return None
        etag, active, *document = rows[0]
        return State(etag, active, None if document[0] is None else self.completed(*document))

    def state_text(self, run_id: str, position: str | None = None) -> tuple[str, str] | None:
        """`(tag, document)` of a run's state; None when there is no such run."""
        found = self.state(run_id, position=position)
        return None if found is None or found.text is None else (found.etag, found.text)

    def summary(self, run_id: str) -> JsonObject | None:
        """The run without its steps, but with the step in hand; at most a few KiB. None when there is no such run."""
        found: JsonObject | None = self.database.call("SELECT run_summary(%s)", run_id)
        return found

    def current_run(self, user: str, cleanup_delay_s: float) -> str | None:
        """The caller's newest unfinished run, else the last that ended within the delay and was not archived."""
        found: str | None = self.database.call("SELECT current_run(%s, %s)", user, cleanup_delay_s)
        return found

    def list_runs(self, wanted: RunFilter, *, before: int | None = None, limit: int = 50) -> RunPage:
        """A page of runs, newest first. A searched page may be short, or empty, and still have a `next`."""
        return find_runs(self.database, wanted, before, min(limit, MAX_PAGE))

    def count_runs(self) -> RunCounts:
        """How many runs have each status: all unfinished ones, and those that ended lately."""
        return count_runs(self.database)

    def durations(self, run_id: str) -> JsonObject:
        """Medians of how long runs like this one took, and their steps. Raises: UnknownRun."""
        found: JsonObject | None = self.database.call("SELECT run_durations(%s)", run_id)
        if found is None:
            raise _unknown_run(run_id)
        return found

    def steps(self, run_id: str, *, cursor: int = 0, limit: int = 50, attempts: bool = False) -> Page:
        """A page of a run's steps, in order. Raises: UnknownRun."""
        limit = min(limit, MAX_PAGE)
        rows = self.database.rows("SELECT * FROM list_steps(%s, %s, %s, %s)", run_id, cursor, limit + 1, attempts)
        if not rows:
            self._check_run(run_id)
        return _page([(position, document) for position, document in rows], limit, first_left_out=True)

    def step(self, run_id: str, key: str) -> JsonObject:
        """One step with parameters, policy, whole result and attempts; secrets taken out.

        Raises: UnknownRun, UnknownStep.
        """
        found = self.database.call("SELECT whole_step(%s, %s)", run_id, key)
        if found is None:
            self._check_run(run_id)
            raise _unknown_step(run_id, key)
        shown: JsonObject = self.redactor.json(found)
        return shown

    def step_key(self, run_id: str, index: int) -> str:
        """The key of the step at a position. Raises: UnknownRun, UnknownStep."""
        rows = self.database.rows(
            "SELECT s.key FROM steps s JOIN runs r ON r.id = s.run_id WHERE r.public_id = %s AND s.position = %s",
            run_id,
            index,
        )
        if not rows:
            self._check_run(run_id)
            raise _unknown_step(run_id, index)
        return str(rows[0][0])

    def logs(
        self, run_id: str, step: str, *, attempt: int | None = None, after: int = 0, limit_bytes: int = 65_536
    ) -> LogPage:
        """The log of one attempt (unset: the latest) from the character `after` on; at least one piece if there is any.

        Raises: UnknownRun, UnknownStep.
        """
        rows = self.database.rows(
            "SELECT * FROM read_log(%s, %s, %s, %s, %s)", run_id, step, attempt, after, min(limit_bytes, MAX_LOG_BYTES)
        )
        if not rows:
            return LogPage(attempt or self._attempt(run_id, step), [], after)
        pieces = [
            {"offset": offset, "level": level, "time": at, "text": self.redactor.text(text)}
            for _, offset, level, at, text in rows
        ]
        return LogPage(rows[0][0], pieces, rows[-1][1] + len(rows[-1][4]))

    def trace(self, run_id: str, *, after: int = 0, limit: int = 200) -> TracePage:
        """A page of what happened to a run, oldest first; `next` is the last `seq` given. Raises: UnknownRun."""
        limit = min(limit, MAX_TRACE_PAGE)
        rows = self.database.rows("SELECT seq, document FROM read_trace(%s, %s, %s)", run_id, after, limit + 1)
        if not rows:
            self._check_run(run_id)
        page = _page([(seq, document) for seq, document in rows], limit, first_left_out=False)
        omitted = sum(entry["omitted"] for entry in page.rows)
        return TracePage(self.redactor.json(page.rows), page.next, omitted)

    def run_status(self, run_id: str) -> tuple[str, bool]:
        """The run's status in the words of the wire, and whether it is active. Raises: UnknownRun."""
        rows = self.database.rows(
            "SELECT wire_run_status(status), ended_at IS NULL FROM runs WHERE public_id = %s", run_id
        )
        if not rows:
            raise _unknown_run(run_id)
        return rows[0][0], rows[0][1]

    def completed(self, text: str, free: str, on_disk: bool) -> str:
        """A state document with what clients wrote put into it, without secrets.

        One that is not on disk yet is waited for: after a crash of PostgreSQL another might have its tag.
        """
        if not on_disk:
            self.database.await_flush()
        return f"{text[:-1]}, {self._clean(free)[1:]}"

    def _redacted(self, free: str) -> str:
        parts: JsonObject = self.redactor.json(json.loads(free))
        return json.dumps(parts, ensure_ascii=False)

    def _attempt(self, run_id: str, step: str) -> int:
        rows = self.database.rows(
            "SELECT s.attempt FROM steps s JOIN runs r ON r.id = s.run_id WHERE r.public_id = %s AND s.key = %s",
            run_id,
            step,
        )
        if not rows:
            self._check_run(run_id)
            raise _unknown_step(run_id, step)
        return int(rows[0][0])

    def _check_run(self, run_id: str) -> None:
        if self.database.call("SELECT 1 FROM runs WHERE public_id = %s", run_id) is None:
            raise _unknown_run(run_id)


def _page(rows: Sequence[tuple[int, JsonObject]], limit: int, *, first_left_out: bool) -> Page:
    """A page out of one row more than it shows. `next` is the first row left out, or the last one shown."""
    shown = [document for _, document in rows[:limit]]
    if len(rows) <= limit:
        return Page(shown, None)
    return Page(shown, rows[limit if first_left_out else limit - 1][0])


def _unknown_run(run_id: str) -> UnknownRun:
    return UnknownRun(f"there is no run {run_id!r}", where="/workflow_id", mend="GET /workflow/runs lists the runs")


def _unknown_step(run_id: str, step: str | int) -> UnknownStep:
    return UnknownStep(
        f"run {run_id} has no step {step!r}", where="/step", mend="GET /workflow/steps lists the run's steps"
    )
