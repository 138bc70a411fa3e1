"""What people have said breakers are to be. Valkey holds a copy of it, which may be wiped."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

CHANGES = """
-- The last order for each breaker. `auto`: left to itself again, kept for a while so that no old copy brings back more.
CREATE TABLE IF NOT EXISTS breaker_orders (
    name   text PRIMARY KEY,
    state  text NOT NULL CHECK (state IN ('open', 'closed', 'auto')),
    actor  text,
    at     timestamptz NOT NULL
);
"""


def upgrade() -> None:
    """Add the table."""
    op.get_bind().exec_driver_sql(CHANGES)
