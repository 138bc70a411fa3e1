"""What models read and wrote, beside the time of the processor, the memory and the network.

A worker of the release before counts into the same rows without naming these, and adds nothing to them.
"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE metrics_counts
    ADD COLUMN IF NOT EXISTS prompt_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS completion_tokens bigint NOT NULL DEFAULT 0;
"""


def upgrade() -> None:
    """Add the columns; no row is rewritten."""
    op.get_bind().exec_driver_sql(CHANGES)
