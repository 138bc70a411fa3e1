"""One constraint a table that calls a function, where there were many.

PostgreSQL reads the stored expressions of a table's constraints anew in each statement that writes to it: the two
dozen of `runs` and `steps` were more than a third of the server's time for a claim and a finish. The call of a function
is short to read, its body is compiled once a connection. What is refused, and under which name, is as before.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

RUN_COUNTERS = ("pending", "queued", "active", "completed", "failed", "skipped", "cancelled")
REPLACED = {
    "runs": [
        "runs_status_check",
        "runs_ending_check",
        *(f"runs_{name}_check" for name in RUN_COUNTERS),
        "runs_counters_add_up",
        "runs_ended_when_finished",
        "runs_finished_when_nothing_is_open",
        "runs_running_has_work",
        "runs_cancelling_has_only_active",
    ],
    "steps": [
        "steps_status_check",
        "steps_waiting_for_check",
        "steps_blocked_by_check",
        "steps_held_by_a_lease",
        "steps_waiting_has_a_reason",
        "steps_ended_has_a_time",
        "steps_open_when_unblocked",
        "steps_released_when_satisfied",
        "steps_due_only_when_queued",
    ],
}


def upgrade() -> None:
    """Add the functions and their constraints, then drop those they stand for."""
    op.get_bind().exec_driver_sql((Path(__file__).parents[2] / "sql" / "soundness.sql").read_text("utf-8"))
    for table, names in REPLACED.items():
        op.execute(f"ALTER TABLE {table} " + ", ".join(f"DROP CONSTRAINT {name}" for name in names))
