"""An index of the steps that wait, by what they wait for.

Those that wait without a time, for a signal, are in no other. Only a step that waits has an entry, so that one that
goes straight through costs nothing more. Building it reads all steps, so it is built beside the writes of a system in
use, outside a transaction: what was changed before is committed first, and keeps nobody waiting.
"""

from __future__ import annotations

from orchestration.store.migrations.indexes import build_beside_writes

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the index."""
    build_beside_writes("steps_waiting", "ON steps (waiting_for) WHERE waiting_for IS NOT NULL")
