"""A worker's session with PostgreSQL: its lock is a sign of life that goes when the process goes; it hears stops."""

from __future__ import annotations

import contextlib
import socket
import time

import psutil
import psycopg2
import psycopg2.extensions

from orchestration.errors import StoreUnavailable
from orchestration.store.database import open_connection

_RECONNECT_S = 0.3


def this_host() -> tuple[str, str]:
    """Host name and boot, so that a process id is compared only where it means something."""
    return socket.gethostname(), str(int(psutil.boot_time()))


class WorkerSession:
    """One connection that registers the worker, holds its advisory lock and listens for stop requests."""

    def __init__(self, url: str, owner: str, name: str, pid: int) -> None:
        self.url = url
        self.owner = owner
        self.name = name
        self.pid = pid
        self._connection: psycopg2.extensions.connection | None = None
        self._next_try = 0.0

    def ensure(self) -> None:
        """Open the session if it is not open; tries again at most every 0.3 s while PostgreSQL is away."""
        if self._connection is not None or time.monotonic() < self._next_try:
            return
        self._next_try = time.monotonic() + _RECONNECT_S
        try:
            connection = open_connection(self.url, name=f"perdure-worker {self.owner}")
            host, boot_id = this_host()
            with connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO workers VALUES (%s, %s, %s, %s, %s, clock_now()) ON CONFLICT DO NOTHING",
                    (self.owner, self.name, host, boot_id, self.pid),
                )
                cursor.execute("SELECT pg_try_advisory_lock(worker_lock(%s))", (self.owner,))
                cursor.execute("LISTEN perdure_stop")
        except (StoreUnavailable, psycopg2.Error):
            return
        self._connection = connection

    def fileno(self) -> int | None:
        """The descriptor to wait on, None while closed."""
        return self._connection.fileno() if self._connection is not None else None

    def heard_stop(self) -> bool:
        """Whether a stop was announced since the last call."""
        if self._connection is None:
            return False
        try:
            self._connection.poll()
        except psycopg2.Error:
            self.drop()
            return False
        heard = bool(self._connection.notifies)
        self._connection.notifies.clear()
        return heard

    def drop(self) -> None:
        """Forget a connection that broke."""
        if self._connection is not None:
            with contextlib.suppress(psycopg2.Error):
                self._connection.close()
        self._connection = None

    def close(self) -> None:
        """Say good-bye, so that nobody has to wonder."""
        if self._connection is not None:
            with contextlib.suppress(psycopg2.Error), self._connection.cursor() as cursor:
                cursor.execute("UPDATE workers SET ended_at = clock_now() WHERE id = %s", (self.owner,))
        self.drop()
