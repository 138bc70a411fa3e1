"""Runs by status, for lists. A run's status changes a few times in its life, so its updates stay HOT."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index runs by status, newest first."""
    op.execute("CREATE INDEX runs_status ON runs (status, id DESC)")
