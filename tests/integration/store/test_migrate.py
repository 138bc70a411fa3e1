"""Migrating an empty database, one of an older version, and one that is up to date and in use."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from orchestration.store import migrate as migrate_module
from orchestration.store.database import FUNCTIONS_SCHEMA, Database
from orchestration.store.migrate import migrate
from tests.support.engine import Harness

pytestmark = pytest.mark.integration

MIGRATIONS = Path(migrate_module.__file__).parent / "migrations"


def test_functions_of_an_older_version_are_replaced_even_with_another_result_type(database_url: str) -> None:
    database = Database(database_url)
    database.execute("DROP FUNCTION elect_janitor")
    database.execute(
        "CREATE FUNCTION elect_janitor(p_owner text, p_hold_s real) RETURNS text LANGUAGE sql AS 'SELECT 1'"
    )
    database.execute(f"COMMENT ON SCHEMA {FUNCTIONS_SCHEMA} IS 'older'")
    migrate(database_url)
    assert database.rows("SELECT elected FROM elect_janitor('me', 1)") == [(True,)]
    database.close()


def test_migrating_again_changes_nothing(database_url: str) -> None:
    database = Database(database_url)
    before = database.call("SELECT max(oid::bigint) FROM pg_proc")
    migrate(database_url)
    assert database.call("SELECT max(oid::bigint) FROM pg_proc") == before
    database.close()


def test_a_database_of_a_later_release_is_left_as_it_is(database_url: str) -> None:
    """Going back is starting the release before, beside processes of the later one perhaps."""
    database = Database(database_url)
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.execute(f"CREATE FUNCTION {FUNCTIONS_SCHEMA}.of_later() RETURNS integer LANGUAGE sql AS 'SELECT 7'")
    database.execute(f"COMMENT ON SCHEMA {FUNCTIONS_SCHEMA} IS 'later'")
    migrate(database_url)
    assert database.call("SELECT of_later()") == 7
    assert database.call("SELECT version_num FROM alembic_version") == "9999"
    database.close()


def test_migrations_go_forward_only() -> None:
    scripts = [revision.module for revision in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
    assert len(scripts) >= 5
    assert [script.revision for script in scripts if hasattr(script, "downgrade")] == []
    assert [script.revision for script in scripts if not hasattr(script, "upgrade")] == []


def test_runs_go_on_while_the_functions_are_replaced(database_url: str) -> None:
    engine = Harness(database_url)
    failures: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            while not done.is_set():
                run = engine.start({"key": "a"}, {"key": "b"})
                for position in (0, 1):
                    engine.finish(engine.claim(run, position))
        except BaseException as error:
            failures.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    for n in range(5):
        engine.database.execute(f"COMMENT ON SCHEMA {FUNCTIONS_SCHEMA} IS 'older {n}'")
        migrate(database_url)
    done.set()
    worker.join()
    assert failures == []
    engine.close()
