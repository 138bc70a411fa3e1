"""Whether the last transition of a run let go of its row before it was on disk."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Note it in the run, so that readers know when they must wait for the disk. Rewrites no row."""
    op.execute("ALTER TABLE runs ADD COLUMN early boolean NOT NULL DEFAULT false")
