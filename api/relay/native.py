"""The database as the relay uses it: on native threads, because psycopg2 would stop all greenlets while it waits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg2
from gevent.monkey import get_original
from gevent.threadpool import ThreadPool

from orchestration.errors import StoreUnavailable
from orchestration.store.database import Database, open_connection
from orchestration.store.pool import Connection

T = TypeVar("T")


class NativeThreads:
    """Runs blocking calls on at most `size` native threads; the greenlet that asks waits, the others go on."""

    def __init__(self, size: int) -> None:
        self._pool = ThreadPool(size)

    def run(self, work: Callable[..., T], *values: Any) -> T:
        """The result of `work(*values)`. Raises what `work` raises."""
        result: T = self._pool.apply(work, values)
        return result


def log_from_native_threads() -> None:
    """Let native threads write the log beside greenlets, once it was set up.

    The locks of logging are gevent's by then. Taken by two native threads they can forget who waits, for ever.
    Greenlets never change while the log is written, so locks of threads are right for both.
    """
    lock = get_original("_thread", "RLock")
    vars(logging)["_lock"] = lock()
    for handler in logging.getLogger().handlers:
        handler.lock = lock()


class NativeDatabase(Database):
    """One connection for each native thread, without a pool: the locks of a pool belong to greenlets here.

    For reads only, see `NativeWrites`, since a read that finds its connection lost is made once more over a new one.
    """

    def __init__(self, url: str, *, name: str) -> None:
        super().__init__(url, name=name, size=1)
        self._name = name
        self._held: Any = get_original("_thread", "_local")()

    def rows(self, sql: str, *values: Any) -> Sequence[tuple[Any, ...]]:
        try:
            return super().rows(sql, *values)
        except StoreUnavailable:
            return super().rows(sql, *values)

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        connection = getattr(self._held, "connection", None)
        if connection is None:
            connection = self._held.connection = open_connection(self.url, name=self._name)
        try:
            with connection.cursor() as cursor:
                yield cursor
        except psycopg2.Error as error:  # a read that is refused, by a database without its tables say, may work later
            self._held.connection = None
            connection.close()
            raise StoreUnavailable(f"PostgreSQL cannot be read: {error}") from error


class _Held:
    """A native thread's own connection, where `Database` looks for one that is lent by a pool."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def give_back(self) -> None:
        """It stays with its thread."""


class NativeWrites(Database):
    """As `NativeDatabase`, for calls that change something: none is made twice. Raises as `Database` does."""

    def __init__(self, url: str, *, name: str) -> None:
        super().__init__(url, name=name, size=1, keeps=True)
        self._name = name
        self._held: Any = get_original("_thread", "_local")()

    def _take(self) -> Any:
        held: _Held | None = getattr(self._held, "lent", None)
        if held is None or held.connection.closed:
            held = self._held.lent = _Held(open_connection(self.url, name=self._name))
        return held
