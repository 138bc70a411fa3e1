"""How long each request stood in line, which lock keeps its step out; and when counts were seen first and last.

Workers of the release before call the same functions and know of neither.
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

CHANGES = """
-- `waited_s`: time in line so far, beside that since `in_line_since`, which is set on the one request that keeps a step
-- back. `kept_out_by`: the key whose line the step stands in alone; empty while another gate keeps it back.
ALTER TABLE lock_requests
    ADD COLUMN IF NOT EXISTS waited_s double precision,
    ADD COLUMN IF NOT EXISTS in_line_since timestamptz,
    ADD COLUMN IF NOT EXISTS kept_out_by text;
DROP INDEX IF EXISTS lock_requests_line;
CREATE INDEX lock_requests_line ON lock_requests (key, rank, run_id, position)
    WHERE NOT held AND (kept_out_by IS NULL OR kept_out_by = key);
DROP INDEX IF EXISTS lock_requests_of_several;
CREATE INDEX lock_requests_of_several ON lock_requests (key, kept_out_by) WHERE NOT held AND keys > 1;
-- Who holds a key is found without passing over its line.
CREATE INDEX IF NOT EXISTS lock_requests_held ON lock_requests (key) WHERE held;

-- When the name of a count was seen first and last; asked for of those since the beginning.
ALTER TABLE metrics_counts ADD COLUMN IF NOT EXISTS first_at timestamptz, ADD COLUMN IF NOT EXISTS last_at timestamptz;
DELETE FROM metrics_counts WHERE span = 'ever' AND kind IN ('on', 'host');
UPDATE metrics_counts SET first_at = now(), last_at = now() WHERE span = 'ever' AND last_at IS NULL;
"""


def upgrade() -> None:
    """Add the columns and build the indexes of a table anew that holds only what is held or waited for by now."""
    op.get_bind().exec_driver_sql(CHANGES)
