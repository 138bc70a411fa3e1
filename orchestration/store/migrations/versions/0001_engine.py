"""The tables of the engine."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create runs, steps, attempts, trace and what they need."""
    op.get_bind().exec_driver_sql((Path(__file__).parents[2] / "sql" / "tables.sql").read_text("utf-8"))
