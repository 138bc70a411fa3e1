"""A worker's session with PostgreSQL: its lock is a sign of life that goes when the process goes; it hears stops."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import psycopg2.extensions

from orchestration.errors import StoreUnavailable
from orchestration.store.database import open_connection

_RETRY_S = 0.3
_DECLARED = ("pool", "concurrency", "queues")
# The lock belongs to one worker, so whoever else holds it is a session that this one lost and PostgreSQL still keeps.
_END_OTHER_HOLDERS = "SELECT pg_terminate_backend(pid) FROM worker_sessions(%s) pid WHERE pid <> pg_backend_pid()"


def this_host() -> tuple[str, str]:
    """Host name, and boot and namespace of process ids: a process id is compared only where it means something."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return socket.gethostname(), f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname(), str(int(psutil.boot_time()))


class WorkerSession:
    """One connection that registers the worker, holds its advisory lock and listens for stop requests."""

    def __init__(self, url: str, owner: str, name: str, pid: int, declared: Mapping[str, Any] | None = None) -> None:
        self.url = url
        self.owner = owner
        self.name = name
        self.pid = pid
        # Its pool, concurrency and queues, for those who look at the workers.
        self.declared = declared or {}
        self.connection: psycopg2.extensions.connection | None = None
        self._has_lock = False
        self._next_try = 0.0

    def ensure(self) -> None:
        """Open the session and take the lock where that is missing; tries at most every 0.3 s."""
        if self.next_try is None or time.monotonic() < self.next_try:
            return
        self._next_try = time.monotonic() + _RETRY_S
        try:
            is_new = self.connection is None
            if self.connection is None:
                self.connection = self._open()
            # First, so that nobody finds a worker that has no session yet, and takes it for lost.
            self._has_lock = self._take_lock(self.connection)
            if is_new:
                self._register(self.connection)
        except (StoreUnavailable, psycopg2.Error):
            self.drop()

    @property
    def next_try(self) -> float | None:
        """When `ensure` has something to do; None while all is well."""
        return None if self._has_lock else self._next_try

    def heard_stop(self) -> bool:
        """Whether a stop was announced since the last call."""
        if self.connection is None:
            return False
        try:
            self.connection.poll()
        except psycopg2.Error:
            self.drop()
            return False
        heard = bool(self.connection.notifies)
        self.connection.notifies.clear()
        return heard

    def drop(self) -> None:
        """Forget a connection that broke."""
        if self.connection is not None:
            with contextlib.suppress(psycopg2.Error):
                self.connection.close()
        self.connection, self._has_lock = None, False

    def close(self) -> None:
        """Say good-bye, so that nobody has to wonder."""
        if self.connection is not None:
            with contextlib.suppress(psycopg2.Error), self.connection.cursor() as cursor:
                cursor.execute("UPDATE workers SET ended_at = clock_now() WHERE id = %s", (self.owner,))
        self.drop()

    def _open(self) -> psycopg2.extensions.connection:
        connection = open_connection(self.url, name=f"perdure-worker {self.owner}")
        with connection.cursor() as cursor:
            cursor.execute("LISTEN perdure_stop")
        return connection

    def _register(self, connection: psycopg2.extensions.connection) -> None:
        host, boot_id = this_host()
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO workers (id, name, host, boot_id, pid, started_at, pool, concurrency, queues) "
                "VALUES (%s, %s, %s, %s, %s, clock_now(), %s, %s, %s) "
                # Away for so long that it was taken for ended: it was not.
                "ON CONFLICT (id) DO UPDATE SET ended_at = NULL, lost_at = NULL "
                "WHERE workers.ended_at IS NOT NULL OR workers.lost_at IS NOT NULL",
                (self.owner, self.name, host, boot_id, self.pid, *map(self.declared.get, _DECLARED)),
            )

    def _take_lock(self, connection: psycopg2.extensions.connection) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(worker_lock(%s))", (self.owner,))
            taken = bool((cursor.fetchone() or (False,))[0])
            if not taken:
                cursor.execute(_END_OTHER_HOLDERS, (self.owner,))
        return taken
