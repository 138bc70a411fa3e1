"""One PostgreSQL and one Valkey for all peers, with PostgreSQL's default durability, and what they have counted."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import redis

from cli.servers import EmbeddedPostgres, EmbeddedValkey
from cli.servers.postgres import create_database, drop_database

# Looking itself sends some 300 bytes, heartbeats and events of idle workers a little more.
QUIET_BYTES, SETTLE_S, SETTLE_LOOKS = 2000, 0.1, 30


@dataclass(frozen=True)
class Counted:
    """Bytes that were written to the write-ahead log, and sent to the broker, since the servers started."""

    wal_bytes: int
    broker_bytes: int

    def since(self, before: Counted) -> Counted:
        return Counted(self.wal_bytes - before.wal_bytes, self.broker_bytes - before.broker_bytes)


class Servers:
    """Embedded servers in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.postgres = EmbeddedPostgres(directory / "postgres")
        self.valkey = EmbeddedValkey(directory / "valkey")

    def start(self) -> None:
        self.postgres.start()
        self.valkey.start()

    def stop(self) -> None:
        self.postgres.stop()
        self.valkey.stop()

    def fresh(self, name: str) -> str:
        """An empty database and an empty broker; the URL of the database.

        Checkpointed, so that nobody pays for what came before.
        """
        drop_database(self.postgres.url, name)
        create_database(self.postgres.url, name)
        with redis.Redis.from_url(self.valkey.url) as client:
            client.flushall()
        self._execute("CHECKPOINT")
        return self.postgres.url_of(name)

    def counted(self) -> Counted:
        with redis.Redis.from_url(self.valkey.url) as client:
            broker: dict[str, Any] = client.info("stats")
        wal = self._execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")
        return Counted(int(wal), int(broker["total_net_input_bytes"]))

    def settled(self) -> Counted:
        """What was counted once nothing more comes, such as the last events of a run that has ended."""
        pause = threading.Event()
        before = self.counted()
        for _ in range(SETTLE_LOOKS):
            pause.wait(SETTLE_S)
            now = self.counted()
            if now.since(before).broker_bytes < QUIET_BYTES:
                return now
            before = now
        return before

    @contextlib.contextmanager
    def flush_taking(self, milliseconds: float) -> Iterator[None]:
        """Model a disk whose flush takes so long, with group commit: one waits, all that come meanwhile go with it.

        The flush of the real disk comes on top. 0 changes nothing.
        """
        if not milliseconds:
            yield
            return
        self._execute(f"ALTER SYSTEM SET commit_delay = {round(milliseconds * 1000)}")
        self._execute("ALTER SYSTEM SET commit_siblings = 0")
        self._execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            self._execute("ALTER SYSTEM RESET commit_delay")
            self._execute("ALTER SYSTEM RESET commit_siblings")
            self._execute("SELECT pg_reload_conf()")

    def versions(self) -> dict[str, str]:
        with redis.Redis.from_url(self.valkey.url) as client:
            server: dict[str, Any] = client.info("server")
        durable = {
            name: str(self._execute(f"SHOW {name}")) for name in ("fsync", "synchronous_commit", "wal_sync_method")
        }
        valkey = str(server.get("valkey_version") or server["redis_version"])
        return {"postgresql": str(self._execute("SHOW server_version")), "valkey": valkey, **durable}

    def _execute(self, sql: str) -> Any:
        with contextlib.closing(psycopg2.connect(self.postgres.url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)
                rows = cursor.fetchall() if cursor.description else []
        return rows[0][0] if rows else None


@contextlib.contextmanager
def servers(home: Path) -> Iterator[Servers]:
    """Running servers in a new directory below `home`, which is removed at the end."""
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=home, ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o711)
        both = Servers(directory)
        both.start()
        try:
            yield both
        finally:
            both.stop()
