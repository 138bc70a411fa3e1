"""The connection to PostgreSQL: autocommitted calls, one round trip each, with limits on every wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extensions

from orchestration.core.storable import json_text
from orchestration.errors import StoreRefused, StoreUnavailable
from orchestration.store.pool import Connection, Lent, Pool

# The transition functions live in a schema named by their version, so that old and new processes can run side by side
# during a rolling upgrade. A change of a function's signature or meaning raises the number.
FUNCTIONS_SCHEMA = "engine_v2"

# What a call meets while a migration replaces the functions, and "cache lookup failed" as an internal error.
_REPLACED = (psycopg2.errors.UndefinedFunction, psycopg2.errors.InvalidSchemaName)
# What says nothing of the statement, so that another try may succeed: a lost connection, a server that starts or stops,
# a lock or a time that ran out, a full disk, a primary that has become a standby, functions that are being replaced.
_UNAVAILABLE = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    psycopg2.InternalError,
    *_REPLACED,
)
# Of these PostgreSQL says that the connection is as good as before.
_KEEPS_CONNECTION = (
    psycopg2.errors.QueryCanceled,
    psycopg2.errors.LockNotAvailable,
    psycopg2.extensions.TransactionRollbackError,
)


def connect_options(*, lock_timeout_ms: int = 10_000, statement_timeout_ms: int = 60_000) -> dict[str, Any]:
    """Arguments for psycopg2 that bound every wait of a connection."""
    return {
        "options": (
            f"-c search_path={FUNCTIONS_SCHEMA},public -c lock_timeout={lock_timeout_ms} "
            f"-c statement_timeout={statement_timeout_ms} -c idle_in_transaction_session_timeout=10000"
        ),
        "connect_timeout": 5,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        # Keepalives are not sent while something is unacknowledged: without this a link that went dead in the middle of
        # a call is noticed after a quarter of an hour. A dead link must be replaced before a lease runs out.
        "tcp_user_timeout": 6_000,
    }


# Prepared on another connection of the server (there is a pooler between us), or for functions that were replaced.
_CANNOT_PREPARE = (
    psycopg2.errors.InvalidSqlStatementName,
    psycopg2.errors.DuplicatePreparedStatement,
    psycopg2.errors.FeatureNotSupported,
)


class _Connection(psycopg2.extensions.connection):
    """Knows which statements were prepared on it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.prepared: set[str] = set()


def open_connection(url: str, *, name: str) -> Connection:
    """A plain autocommitting connection of its own, for work that shares nothing with others.

    Raises: StoreUnavailable.
    """
    try:
        connection: Connection = psycopg2.connect(
            url, application_name=name, connection_factory=_Connection, **connect_options()
        )
    except psycopg2.Error as error:
        raise StoreUnavailable(f"PostgreSQL cannot be reached: {_first_line(error)}") from error
    connection.autocommit = True
    return connection


class _CannotPrepare(Exception):
    """The statement did not run; it will, said in full."""


class _FunctionsReplaced(StoreUnavailable):
    """A migration replaced the functions in the midst of a call, of which nothing remains: it may be made again."""


class Database:
    """A pool of autocommitting connections. Opens none until the first call; safe to share between threads.

    `keeps`: each thread keeps its connection between calls, which saves taking it from the pool and giving it back, as
    long as a small query takes. For processes whose threads are few and busy.
    """

    def __init__(self, url: str, *, name: str = "perdure", size: int = 5, keeps: bool = False) -> None:
        self.url = url
        self._keeps = keeps
        self._kept = threading.local()
        self._may_prepare = True
        self._pool = Pool(lambda: open_connection(url, name=name), size=size, most=2 * size, timeout_s=10)

    def call(self, sql: str, *values: Any) -> Any:
        """Run one statement that answers one value, in one round trip. None when it answers no row.

        Raises: StoreUnavailable when PostgreSQL cannot be reached or is not able to just now; what happened to the call
        is then unknown. StoreRefused when it will never take this call. psycopg2.IntegrityError: a constraint.
        """
        rows = self.rows(sql, *values)
        return rows[0][0] if rows else None

    def transition(self, function: str, types: str, *values: Any) -> Any:
        """The one value that a function answers. Raises as `call`. See `function_rows`."""
        return self.function_rows(function, types, *values)[0][0]

    def function_rows(self, function: str, types: str, *values: Any) -> Sequence[tuple[Any, ...]]:
        """The rows of a function, called by a statement that is prepared once a connection. Raises as `call`.

        For what is called all the time: planning the call may take as long as a third of it. `types` are those of the
        function's arguments.
        """
        if self._may_prepare:
            try:
                return self._prepared(function, types, values)
            except (_CannotPrepare, _FunctionsReplaced):
                self._may_prepare = False
        return self.rows(f"SELECT * FROM {_call(function, len(values))}", *values)

    def rows(self, sql: str, *values: Any) -> Sequence[tuple[Any, ...]]:
        """Run one statement and answer its rows. Raises as `call`."""
        try:
            return self._rows(sql, values)
        except _FunctionsReplaced:
            return self._rows(sql, values)

    def await_flush(self) -> None:
        """Wait until all that was committed so far is on disk. Raises as `call`.

        A transition that answered `early` did not wait for that; one that may not be on disk is no ground to act on,
        and not to be told.
        """
        self.call("SELECT await_flush()")

    def execute(self, sql: str, *values: Any) -> int:
        """Run one statement that answers nothing; the number of rows it touched. Raises as `call`."""
        with self._cursor() as cursor:
            cursor.execute(sql, values or None)
            return int(cursor.rowcount)

    def close(self) -> None:
        """Close all idle connections."""
        self._pool.close()

    def _rows(self, sql: str, values: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
        with self._cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall() if cursor.description is not None else []

    def _prepared(self, function: str, types: str, values: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
        with self._cursor() as cursor:
            try:
                if function not in cursor.connection.prepared:
                    marks = ", ".join(f"${number}" for number in range(1, len(values) + 1))
                    cursor.execute(f"PREPARE {function} ({types}) AS SELECT * FROM {function}({marks})")
                    cursor.connection.prepared.add(function)
                cursor.execute(f"EXECUTE {_call(function, len(values))}", values)
            except _CANNOT_PREPARE as error:
                raise _CannotPrepare from error
            rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
            return rows

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        lent = self._take()
        try:
            with lent.connection.cursor() as cursor:
                yield cursor
        except psycopg2.IntegrityError:
            raise
        except psycopg2.Error as error:
            if not _may_pass(error):
                raise StoreRefused(f"PostgreSQL refused a call: {_first_line(error)}") from error
            if isinstance(error, _REPLACED) or "cache lookup failed" in str(error):
                raise _FunctionsReplaced(f"PostgreSQL has no such function just now: {_first_line(error)}") from error
            if not isinstance(error, _KEEPS_CONNECTION):
                self._kept.lent = None
                lent.connection.close()
            raise StoreUnavailable(f"PostgreSQL did not answer: {_first_line(error)}") from error
        finally:
            if not self._keeps or lent.connection.closed:
                lent.give_back()

    def _take(self) -> Lent:
        kept: Lent | None = getattr(self._kept, "lent", None)
        if kept is not None:
            return kept
        lent = self._pool.take()
        if self._keeps:
            self._kept.lent = lent
        return lent


@cache
def _call(function: str, count: int) -> str:
    return f"{function}({', '.join(['%s'] * count)})"


def as_jsonb(value: Any) -> str:
    """JSON text for a jsonb parameter."""
    return json_text(value)


def _may_pass(error: psycopg2.Error) -> bool:
    """Whether the same call may succeed later."""
    if isinstance(error, psycopg2.errors.ProgramLimitExceeded):
        return False
    # A bare DatabaseError is the client library's way to say that it lost track of the connection.
    return isinstance(error, _UNAVAILABLE) or type(error) is psycopg2.DatabaseError


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:200]
