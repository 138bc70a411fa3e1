"""Hosts as they report themselves, and what each attempt used.

The column has no default and may be missing in rows of the release before, so that adding it touches none.
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE attempts ADD COLUMN IF NOT EXISTS resources jsonb;

-- Shares of what a host has are 0 to 1. Rewritten every few seconds, so pages keep room for it.
CREATE TABLE IF NOT EXISTS hosts (
    host                    text PRIMARY KEY,
    reported_at             timestamptz NOT NULL,
    level                   text NOT NULL CHECK (level IN ('ok', 'high', 'critical')),
    reason                  text,
    cpu                     real NOT NULL,
    memory                  real NOT NULL,
    disk                    real NOT NULL,
    load_per_core           real NOT NULL,
    cores                   real NOT NULL,
    memory_total_bytes      bigint NOT NULL,
    memory_available_bytes  bigint NOT NULL,
    disk_free_bytes         bigint NOT NULL
) WITH (fillfactor = 50);
"""


def upgrade() -> None:
    """Add the column and the table."""
    op.get_bind().exec_driver_sql(CHANGES)
