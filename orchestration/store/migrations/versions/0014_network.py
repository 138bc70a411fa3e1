"""What went over the network, beside the time of the processor and the memory.

A worker of the release before counts into the same rows without naming these, and adds nothing to them.
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

CHANGES = """
-- Bytes, as far as attempts counted them. `kind` agent has the attempts that named what they depend on, by its breaker.
ALTER TABLE metrics_counts
    ADD COLUMN IF NOT EXISTS sent_bytes bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS received_bytes bigint NOT NULL DEFAULT 0;
"""


def upgrade() -> None:
    """Add the columns; no row is rewritten."""
    op.get_bind().exec_driver_sql(CHANGES)
