"""Bring a database to the tables and functions this version needs. Safe to run at every start, and by many at once."""

from __future__ import annotations

import hashlib
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_exponential

from orchestration.errors import StoreUnavailable
from orchestration.store.database import FUNCTIONS_SCHEMA, connect_options, open_connection

WAIT_FOR_SERVER_S = 3.0
_HERE = Path(__file__).parent


def migrate(url: str) -> None:
    """Apply the migrations that are missing, then install this version's functions in their own schema.

    A database that a later release has migrated is left as it is.

    Raises: StoreUnavailable when PostgreSQL cannot be reached.
    """
    _reach(url)
    engine = create_engine(
        url.replace("postgres://", "postgresql://", 1).replace("postgresql://", "postgresql+psycopg2://", 1),
        connect_args=connect_options(lock_timeout_ms=60_000, statement_timeout_ms=0) | {"options": ""},
    )
    config = Config()
    config.set_main_option("script_location", str(_HERE / "migrations").replace("%", "%%"))
    config.attributes["configure_logger"] = False
    with engine.connect() as connection:
        is_ours = not _is_of_a_later_release(connection, config)
        if is_ours:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    engine.dispose()
    if is_ours:
        _install_functions(url)


def _is_of_a_later_release(connection: Connection, config: Config) -> bool:
    """Whether the database holds a migration that is not known here.

    Then there is nothing to do: its tables and its functions serve this release too, and ours would take from a later
    one that runs beside us what it calls.
    """
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    found = MigrationContext.configure(connection).get_current_heads()
    connection.rollback()
    return not known.issuperset(found)


@retry(
    retry=retry_if_exception_type(StoreUnavailable),
    wait=wait_exponential(multiplier=0.1, max=1),
    stop=stop_after_delay(WAIT_FOR_SERVER_S),
    reraise=True,
)
def _reach(url: str) -> None:
    """Wait for a server that is just starting: containers come up in any order."""
    open_connection(url, name="perdure-migrate").close()


def _install_functions(url: str) -> None:
    """Put this version's functions in place of those that were there, in one transaction, unless they are the same.

    Replaced as a whole: PostgreSQL refuses to change the result of a function that stays. Callers resolve the names
    anew with each call, so processes that run meanwhile find either set.
    """
    files = [file.read_text("utf-8") for file in sorted((_HERE / "sql" / "functions").glob("*.sql"))]
    digest = hashlib.sha256("\0".join(files).encode()).hexdigest()
    connection = open_connection(url, name="perdure-migrate")
    connection.autocommit = False
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(7238517)")
            cursor.execute("SELECT obj_description(to_regnamespace(%s), 'pg_namespace')", (FUNCTIONS_SCHEMA,))
            if cursor.fetchone() == (digest,):
                return
            cursor.execute(f"DROP SCHEMA IF EXISTS {FUNCTIONS_SCHEMA} CASCADE")
            cursor.execute(f"CREATE SCHEMA {FUNCTIONS_SCHEMA}")
            # Bodies may name functions that come later in the order of the files.
            cursor.execute("SET LOCAL check_function_bodies = off")
            for text in files:
                cursor.execute(text)
            cursor.execute(f"COMMENT ON SCHEMA {FUNCTIONS_SCHEMA} IS '{digest}'")
    finally:
        connection.close()
