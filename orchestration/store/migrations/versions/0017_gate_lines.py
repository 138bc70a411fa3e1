"""The lines of breakers and of loaded hosts: who waits there, by rank.

The columns have no default and may be missing in rows of the release before, so that adding them touches none. Only a
step that waits in such a line has an entry in the index, so that all others cost nothing more; it is built beside the
writes of a system in use.
"""

from __future__ import annotations

from alembic import op

from orchestration.store.migrations.indexes import build_beside_writes

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

CHANGES = """
-- The line that a step was last called from, and its place there, until it has run; a lower rank goes first.
ALTER TABLE steps ADD COLUMN IF NOT EXISTS came_from text, ADD COLUMN IF NOT EXISTS rank double precision;
"""


def upgrade() -> None:
    """Add the columns, then build the index."""
    op.get_bind().exec_driver_sql(CHANGES)
    build_beside_writes(
        "steps_in_gate_lines",
        "ON steps (waiting_on, rank, run_id, position) "
        "WHERE waiting_for IN ('breaker', 'throttled') AND waiting_on IS NOT NULL AND NOT held",
    )
