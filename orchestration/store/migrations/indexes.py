"""Indexes that are built beside the writes of a system in use."""

from __future__ import annotations

from alembic import op


def build_beside_writes(name: str, definition: str) -> None:
    """Build an index that reads a whole table, outside a transaction, after removing what an interrupted build left.

    What the migration did before is committed first, so that it keeps nobody waiting; it must bear to be run again.
    `definition`: what follows the name in `CREATE INDEX`.
    """
    is_broken = f"SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('{name}') AND NOT indisvalid)"
    with op.get_context().autocommit_block():
        if op.get_bind().exec_driver_sql(is_broken).scalar():
            op.execute(f"DROP INDEX CONCURRENTLY {name}")
        op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} {definition}")
