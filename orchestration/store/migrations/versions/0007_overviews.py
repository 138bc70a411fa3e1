"""What overviews show: workers with what they are, and sessions that can be told apart and ended.

All of it may be missing in rows of the release before, which goes on writing them as it did.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE workers ADD COLUMN pool text, ADD COLUMN concurrency integer, ADD COLUMN queues text[],
                    ADD COLUMN lost_at timestamptz;

-- Shown and named in addresses, so it is not the hash. Writes the table anew, as many rows as browsers are signed in;
-- these wait meanwhile, so nothing that takes longer may follow in this transaction.
ALTER TABLE sessions ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE, ADD COLUMN user_agent text,
                     ADD COLUMN address text;
"""


def upgrade() -> None:
    """Add the columns."""
    op.get_bind().exec_driver_sql(CHANGES)
