"""Alembic's entry: one connection, one transaction for all migrations, a lock against two at once."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
context.configure(connection=connection, transactional_ddl=True)
with context.begin_transaction():
    connection.execute(text("SELECT pg_advisory_xact_lock(7238517)"))
    context.run_migrations()
