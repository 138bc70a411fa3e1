"""What overviews show: workers with what they are, sessions that can be told apart and ended, steps that wait.

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

-- Shown and named in addresses, so it is not the hash. A table of as many rows as browsers are signed in.
ALTER TABLE sessions ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE, ADD COLUMN user_agent text,
                     ADD COLUMN address text;

-- Steps that wait without a time, for a signal, are in no other index. Only a step that waits has an entry, so that one
-- that goes straight through costs nothing more. Building it reads all steps, and holds up writes meanwhile.
CREATE INDEX steps_waiting ON steps (waiting_for) WHERE waiting_for IS NOT NULL;
"""


def upgrade() -> None:
    """Add the columns, and the index of what waits."""
    op.get_bind().exec_driver_sql(CHANGES)
