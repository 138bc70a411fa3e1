"""What holds for all that is said in a conversation, kept with it so that every device has the same."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

CHANGES = """
-- As `schemas.chat.ConversationSettings`; NULL: none were ever given. No default, so that no row is written.
ALTER TABLE conversations ADD COLUMN IF NOT EXISTS settings jsonb;
"""


def upgrade() -> None:
    """Add the column."""
    op.get_bind().exec_driver_sql(CHANGES)
