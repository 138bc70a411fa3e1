"""What PostgreSQL's errors mean to whoever called: try again, or never."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest

from orchestration.errors import StoreRefused, StoreUnavailable
from orchestration.store.database import FUNCTIONS_SCHEMA, Database, _FunctionsReplaced, open_connection
from orchestration.store.migrate import migrate
from tests.support.engine import Harness


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url, size=1)
    yield database
    database.close()


def backend(database: Database) -> int:
    return int(database.call("SELECT pg_backend_pid()"))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'read_only_sql_transaction'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'transaction_timeout'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'cannot_connect_now'; END $$",
    ],
)
def test_what_may_pass_is_unavailable_and_the_next_call_has_a_new_connection(
    database: Database, statement: str
) -> None:
    before = backend(database)
    with pytest.raises(StoreUnavailable):
        database.execute(statement)
    assert backend(database) != before


@pytest.mark.parametrize("code", ["query_canceled", "lock_not_available", "deadlock_detected", "serialization_failure"])
def test_a_wait_that_was_cut_short_keeps_the_connection(database: Database, code: str) -> None:
    before = backend(database)
    with pytest.raises(StoreUnavailable):
        database.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$")
    assert backend(database) == before


def test_a_lock_held_by_somebody_else_is_unavailable_not_refused(database: Database, database_url: str) -> None:
    other = open_connection(database_url, name="other")
    with other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(7)")
    with pytest.raises(StoreUnavailable):
        database.call("SELECT set_config('lock_timeout', '50ms', false), pg_advisory_lock(7)")
    other.close()


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("SELECT make_interval(secs => %s)", (1e300,)),
        ("SELECT no_such_column FROM runs", ()),
        ("SELECT %s", (object(),)),
        ("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded'; END $$", ()),
    ],
)
def test_what_will_never_be_taken_is_refused_and_keeps_the_connection(
    database: Database, statement: str, values: tuple[object, ...]
) -> None:
    before = backend(database)
    with pytest.raises(StoreRefused):
        database.rows(statement, *values)
    assert backend(database) == before


def test_a_function_that_is_missing_just_now_may_come_back(database: Database) -> None:
    before = backend(database)
    with pytest.raises(StoreUnavailable):
        database.rows("SELECT no_such_function()")
    assert backend(database) == before


def test_a_call_whose_function_was_replaced_in_its_midst_is_made_again(database: Database) -> None:
    missing, real = ["claim"], database._cursor

    @contextmanager
    def replaced_once() -> Iterator[object]:
        if missing:
            raise _FunctionsReplaced(missing.pop())
        with real() as cursor:
            yield cursor

    database._cursor = replaced_once  # type: ignore[method-assign]
    assert database.call("SELECT 1") == 1


def test_a_broken_constraint_is_told_as_it_is(database: Database) -> None:
    with pytest.raises(psycopg2.errors.UniqueViolation):
        database.execute("INSERT INTO janitor VALUES (true, '', now())")


def test_a_call_whose_prepared_statement_is_gone_is_made_in_full(database_url: str) -> None:
    """As behind a pooler that gives each statement another connection."""
    engine = Harness(database_url, size=1)
    run = engine.start({"key": "a"}, {"key": "b"})
    lease = engine.claim(run, 0)
    engine.database.execute("DEALLOCATE ALL")
    engine.finish(lease)
    engine.finish(engine.claim(run, 1))
    assert engine.run_status(run) == "completed"
    engine.close()


def test_a_call_prepared_before_the_functions_were_replaced_finds_the_new_ones(database_url: str) -> None:
    engine = Harness(database_url, size=1)
    run = engine.start({"key": "a"}, {"key": "b"})
    engine.finish(engine.claim(run, 0))
    other = Database(database_url)
    other.execute(f"COMMENT ON SCHEMA {FUNCTIONS_SCHEMA} IS 'of another version'")
    migrate(database_url)
    engine.finish(engine.claim(run, 1))
    assert engine.run_status(run) == "completed"
    other.close()
    engine.close()
