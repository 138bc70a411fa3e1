"""A start that meets a run that is just ending."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg2.extensions
import pytest

from orchestration.engine.starts import StartedRun
from orchestration.store.database import open_connection
from tests.conftest import Eventually
from tests.support.engine import Harness

HOLD = """
CREATE FUNCTION hold_starts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7);
    RETURN NULL;
END $$;
CREATE TRIGGER hold_starts AFTER INSERT ON runs FOR EACH STATEMENT EXECUTE FUNCTION hold_starts();
"""


@pytest.fixture
def other(engine: Harness) -> Iterator[psycopg2.extensions.connection]:
    with closing(open_connection(engine.database.url, name="other")) as connection:
        yield connection


def test_a_key_whose_holder_ends_in_the_midst_of_a_start_is_free(
    engine: Harness, other: psycopg2.extensions.connection, eventually: Eventually
) -> None:
    holder = engine.start({"key": "a", "action": "work"}, concurrency_key="host")
    cursor = other.cursor()
    cursor.execute(HOLD)
    cursor.execute("SELECT pg_advisory_lock(7)")
    started: list[StartedRun] = []
    start = threading.Thread(
        target=lambda: started.append(engine.start({"key": "a", "action": "work"}, concurrency_key="host"))
    )
    start.start()

    def is_held() -> bool:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return cursor.fetchone() == (1,)

    # The insert has met the holder; before the start looks who it is, that run ends.
    eventually(is_held)
    cursor.execute("SELECT stop_run(%s, '{}')", (holder.run_id,))
    cursor.execute("SELECT pg_advisory_unlock(7)")
    start.join(10)
    assert [run.created for run in started] == [True]
    assert engine.run_status(holder) == "cancelled"
    assert engine.run_status(started[0]) == "running"
