"""Alembic's entry: one connection, one transaction as far as a migration allows, a lock against two at once."""

from __future__ import annotations

import time

from alembic import context
from sqlalchemy import Connection, text

# One key for whoever migrates from end to end, another for each of its transactions and for `_install_functions`.
MIGRATING = 7238519


def migrate(connection: Connection) -> None:
    """Run what is missing, while nobody else does.

    Asked for again and again: PostgreSQL waits for whoever waits in a statement before it ends the building of an index
    beside writes, and would wait in a circle.
    """
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": MIGRATING}):
        connection.rollback()
        time.sleep(0.1)
    connection.commit()
    try:
        context.configure(connection=connection, transactional_ddl=True)
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(7238517)"))
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATING})
        connection.commit()


migrate(context.config.attributes["connection"])
