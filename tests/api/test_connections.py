"""Connections of the web process to PostgreSQL under many requests at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2
import pytest

from api.services import POOL_SIZE, Services
from orchestration.store import database
from tests.conftest import Eventually

LOCK = 4711


def test_as_many_calls_at_once_as_connections_are_kept_open_none_anew(
    services: Services, database_url: str, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = database.open_connection

    def counted(url: str, *, name: str) -> Any:
        opened.append(name)
        return real(url, name=name)

    monkeypatch.setattr(database, "open_connection", counted)
    holder = psycopg2.connect(database_url)
    holder.autocommit = True
    with holder.cursor() as cursor, ThreadPoolExecutor(POOL_SIZE) as pool:

        def waiting() -> int:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            return int((cursor.fetchone() or (0,))[0])

        for _ in range(3):
            cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
            call = "SELECT pg_advisory_xact_lock_shared(%s)"
            calls = [pool.submit(services.database.call, call, LOCK) for _ in range(POOL_SIZE)]
            eventually(lambda: waiting() == POOL_SIZE)
            cursor.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
            for done in calls:
                done.result(10)
    holder.close()
    assert opened == ["perdure-web"] * POOL_SIZE
