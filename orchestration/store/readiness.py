"""Whether PostgreSQL is there, migrated, and keeps session locks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from orchestration.errors import StoreUnavailable
from orchestration.store.database import FUNCTIONS_SCHEMA

PROBE_LOCK = 7238518


def keeps_session_locks(connect: Callable[[], Connection]) -> bool:
    """Whether two connections are two sessions, as the janitor's lock and the workers' signs of life need.

    Behind a transaction pooler both are served by one session, which may take again what it already holds.
    Raises: StoreUnavailable.
    """
    try:
        with closing(connect()) as first, closing(connect()) as second:
            key = PROBE_LOCK + _one(first, "SELECT pg_backend_pid()") * 2**32
            held = _one(first, "SELECT pg_try_advisory_lock(%s)", key)
            taken_twice = _one(second, "SELECT pg_try_advisory_lock(%s)", key)
            # Closing ends the sessions; a pooler keeps them, so give the locks back.
            for session in (second, first):
                _one(session, "SELECT pg_advisory_unlock_all()")
            return bool(held and not taken_twice)
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        raise StoreUnavailable(str(error)) from error


def is_migrated(connect: Callable[[], Connection]) -> bool:
    """Whether this version's tables and functions are there. Raises: StoreUnavailable."""
    try:
        with closing(connect()) as connection:
            sql = "SELECT to_regprocedure(%s) IS NOT NULL AND to_regclass('public.tokens') IS NOT NULL"
            return bool(_one(connection, sql, f"{FUNCTIONS_SCHEMA}.clock_now()"))
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        raise StoreUnavailable(str(error)) from error


def _one(connection: Connection, sql: str, *values: object) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        row = cursor.fetchone()
    return int(row[0] or 0) if row else 0
