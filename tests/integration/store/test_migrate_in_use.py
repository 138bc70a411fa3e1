"""The index of waiting steps is built while the system is in use, and again after a build that was interrupted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
from alembic.script import ScriptDirectory

from orchestration.store.database import Database, open_connection
from orchestration.store.migrate import migrate
from settings import ROOT
from tests.support.engine import Harness
from tests.support.workers import wait_until

MIGRATIONS = ROOT / "orchestration" / "store" / "migrations"
pytestmark = pytest.mark.integration

IS_THERE = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('steps_waiting')"
VERSION = "SELECT version_num FROM alembic_version"
NEWEST = ScriptDirectory(str(MIGRATIONS)).get_current_head()
COMMAND = "import sys; from orchestration.store.migrate import migrate; migrate(sys.argv[1])"
BUILDING = "SELECT count(*) FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting for%'"
# Between two looks at whether the other has ended.
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'second' AND query = 'ROLLBACK'"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database as it is before the index is built. The migrations after it find what they make, and leave it."""
    database = Database(database_url)
    database.execute("DROP INDEX steps_waiting")
    database.execute("UPDATE alembic_version SET version_num = '0007'")
    yield database
    database.close()


def start_to_migrate(url: str, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", COMMAND, url], cwd=ROOT, env={**os.environ, "PGAPPNAME": name})


def test_what_an_interrupted_build_left_is_built_again(database: Database, database_url: str) -> None:
    database.execute("CREATE INDEX steps_waiting ON steps (waiting_for)")
    database.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'steps_waiting'::regclass")
    migrate(database_url)
    assert database.call(IS_THERE) is True
    assert "WHERE" in str(database.call("SELECT pg_get_indexdef('steps_waiting'::regclass)")), "it is another one"
    assert database.call(VERSION) == NEWEST


def test_steps_are_written_and_others_may_migrate_while_the_index_is_built(
    database: Database, database_url: str
) -> None:
    engine = Harness(database_url)
    run = engine.start({"key": "a"}, {"key": "b"})
    other = engine.start({"key": "a"})
    with closing(open_connection(database_url, name="test")) as reader:
        # A long transaction: the build waits for its end, as it would be busy for long with a large table.
        reader.autocommit = False
        with reader.cursor() as cursor:
            cursor.execute("SET idle_in_transaction_session_timeout = 0")
            cursor.execute(
                "UPDATE steps SET losses = losses WHERE run_id = (SELECT id FROM runs WHERE public_id = %s)",
                (other.run_id,),
            )
        migrations = [start_to_migrate(database_url, "first")]
        wait_until(lambda: database.call(BUILDING) == 1, 60, lambda: "no build waits")
        migrations.append(start_to_migrate(database_url, "second"))
        wait_until(lambda: database.call(WAITING) == 1, 60, lambda: "no other waits")
        engine.finish(engine.claim(run, 0))
        engine.start({"key": "a"})
        assert database.call("SELECT count(*) FROM sessions") == 0, "the tables of the migration before are free"
        assert database.call("SELECT count(*) FROM workers") == 0
        reader.rollback()
    assert [migration.wait(60) for migration in migrations] == [0, 0]
    assert database.call(IS_THERE) is True
    assert database.call(VERSION) == NEWEST
    engine.close()
