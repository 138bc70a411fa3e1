"""An index of the steps that wait, by what they wait for.

Those that wait without a time, for a signal, are in no other. Only a step that waits has an entry, so that one that
goes straight through costs nothing more. Building it reads all steps, so it is built beside the writes of a system in
use, outside a transaction: what was changed before is committed first, and keeps nobody waiting.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

IS_BROKEN = "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('steps_waiting') AND NOT indisvalid)"
BUILD = "CREATE INDEX CONCURRENTLY IF NOT EXISTS steps_waiting ON steps (waiting_for) WHERE waiting_for IS NOT NULL"


def upgrade() -> None:
    """Build the index, after removing what an interrupted build left of it."""
    with op.get_context().autocommit_block():
        if op.get_bind().exec_driver_sql(IS_BROKEN).scalar():
            op.execute("DROP INDEX CONCURRENTLY steps_waiting")
        op.execute(BUILD)
