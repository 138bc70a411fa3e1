"""Results that are kept to stand in for later ones, see `cached` in schemas/retry.py.

A table of its own, since runs and their attempts are purged, and their parameters are not as they were resolved. Only
steps that ask for it write here.
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

CHANGES = """
CREATE TABLE IF NOT EXISTS cached_results (
    key     bytea PRIMARY KEY CHECK (length(key) = 32),
    result  jsonb NOT NULL,
    at      timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS cached_results_at ON cached_results (at);
"""


def upgrade() -> None:
    """Add the table."""
    op.get_bind().exec_driver_sql(CHANGES)
