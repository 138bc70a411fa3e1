"""The read that is made most: who asks and a run's state or its tag, in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestration.engine.queries import Queries, State
from orchestration.store.accounts import note_use, secret_hash
from orchestration.store.database import Database


@dataclass(frozen=True)
class Caller:
    """What a client shows: a token, or a session where it shows none."""

    token: str | None = field(default=None, repr=False)
    session: str | None = field(default=None, repr=False)


class Polls:
    """Reads for clients that ask again and again. Every role may read."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._queries = queries

    def version(self, caller: Caller, run_id: str) -> str | None:
        """The tag of the run's state; None when the caller is nobody, or there is no such run."""
        row = self._ask(caller, run_id, None, whole=False)
        return None if row is None else row[2]

    def state(self, caller: Caller, run_id: str, position: str | None) -> State | None:
        """The run's state, as `Queries.state`; None when the caller is nobody, or there is no such run."""
        row = self._ask(caller, run_id, position, whole=True)
        return None if row is None else State(row[2], row[3], self._queries.completed(*row[4:]))

    def _ask(self, caller: Caller, run_id: str, position: str | None, *, whole: bool) -> Sequence[Any] | None:
        token = None if caller.token is None else secret_hash(caller.token)
        session = None if caller.token is not None or caller.session is None else secret_hash(caller.session)
        rows = self._database.function_rows(
            "poll_state", "bytea, bytea, text, text, boolean", token, session, run_id, position, whole
        )
        if not rows or rows[0][2] is None:
            return None
        if token is not None and rows[0][1]:
            note_use(self._database, token)
        return rows[0]
