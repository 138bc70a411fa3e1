"""Connections to PostgreSQL that are kept between calls.

Not SQLAlchemy's pool: to import that takes as long as all else that a worker's process imports, and a recovery waits
for processes that start.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg2.extensions

from orchestration.errors import StoreUnavailable

Connection = psycopg2.extensions.connection


class Lent:
    """A connection out of the pool. It goes back when it is given back, or when nobody holds this any more."""

    def __init__(self, connection: Connection, pool: Pool) -> None:
        self.connection = connection
        self._pool: Pool | None = pool

    def give_back(self) -> None:
        """Let others have it. Does nothing the second time."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.put(self.connection)

    def __del__(self) -> None:
        # The thread that kept it has ended.
        self.give_back()


class Pool:
    """Lends up to `most` connections at once, keeps up to `size` for later, and opens none before it is asked.

    Safe to share between threads. Who finds none free waits for one, `timeout_s` at most.
    """

    def __init__(self, connect: Callable[[], Connection], *, size: int, most: int, timeout_s: float) -> None:
        self._connect = connect
        self._size = size
        self._timeout_s = timeout_s
        # Last in, first out: a server that has closed what was idle for long is met seldom.
        self._idle: list[Connection] = []
        self._free = threading.BoundedSemaphore(most)

    def take(self) -> Lent:
        """A connection that was kept, else a new one. Raises: StoreUnavailable."""
        if not self._free.acquire(timeout=self._timeout_s):
            raise StoreUnavailable("all connections to PostgreSQL are in use")
        try:
            return Lent(self._kept() or self._connect(), self)
        except BaseException:
            self._free.release()
            raise

    def put(self, connection: Connection) -> None:
        """Have back what was lent; what is closed, or one too many, is not kept."""
        if not connection.closed:
            if len(self._idle) < self._size:
                self._idle.append(connection)
            else:
                connection.close()
        self._free.release()

    def close(self) -> None:
        """Close what is kept; what is lent goes on."""
        while (connection := self._kept()) is not None:
            connection.close()

    def _kept(self) -> Connection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None
