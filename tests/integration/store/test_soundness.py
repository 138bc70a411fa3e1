"""What must never happen to a row of runs or steps is refused by the database, under the name of the rule."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2.errors
import pytest

from tests.support.engine import Harness


@pytest.fixture(scope="module")
def engine(module_database_url: str) -> Iterator[Harness]:
    """One for all: what is refused changes nothing."""
    harness = Harness(module_database_url)
    harness.start({"key": "a"}, {"key": "b"})
    yield harness
    harness.close()


# Each breaks one rule, whose name begins with that of the table.
BROKEN = [
    ("pending = -1, total = total - 2", "runs_counters_not_negative"),
    ("completed = 7", "runs_counters_add_up"),
    ("status = 'lost'", "runs_status_check"),
    ("ending = 'completed'", "runs_ending_check"),
    ("status = 'paused', ending = 'completed'", "runs_ending_check"),
    ("status = 'completed'", "runs_ended_when_finished"),
    ("ended_at = now()", "runs_ended_when_finished"),
    ("status = 'completed', ended_at = now()", "runs_finished_when_nothing_is_open"),
    ("queued = 0, pending = 0, completed = 2", "runs_finished_when_nothing_is_open"),
    ("queued = 0, pending = 2", "runs_running_has_work"),
    ("status = 'cancelling', ending = 'failed'", "runs_cancelling_has_only_active"),
    ("status = 'cancelling', pending = 0, queued = 0, active = 2", "runs_cancelling_has_only_active"),
    ("status = 'lost'", "steps_status_check"),
    ("status = 'in_progress', due_at = NULL", "steps_held_by_a_lease"),
    ("owner = 'w1'", "steps_held_by_a_lease"),
    ("status = 'waiting'", "steps_waiting_has_a_reason"),
    ("waiting_for = 'delay'", "steps_waiting_has_a_reason"),
    ("status = 'waiting', waiting_for = 'luck'", "steps_waiting_for_check"),
    ("status = 'completed', due_at = NULL", "steps_ended_has_a_time"),
    ("ended_at = now()", "steps_ended_has_a_time"),
    ("blocked_by = -1", "steps_blocked_by_check"),
    ("blocked_by = 1", "steps_open_when_unblocked"),
    ("status = 'pending', due_at = NULL", "steps_open_when_unblocked"),
    ("released = true", "steps_released_when_satisfied"),
    ("status = 'cancelled', ended_at = now(), due_at = NULL, released = true", "steps_released_when_satisfied"),
    ("status = 'completed', ended_at = now()", "steps_due_only_when_queued"),
]


@pytest.mark.parametrize(("change", "rule"), BROKEN)
def test_a_row_that_makes_no_sense_is_refused(engine: Harness, change: str, rule: str) -> None:
    table = rule.partition("_")[0]
    row = "WHERE position = 0" if table == "steps" else ""
    with pytest.raises(psycopg2.errors.CheckViolation) as refusal:
        engine.database.execute(f"UPDATE {table} SET {change} {row}")
    assert refusal.value.diag.constraint_name == rule
    assert refusal.value.diag.table_name == table


def test_an_attempt_with_an_unknown_outcome_is_refused(engine: Harness) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation) as refusal:
        engine.database.execute(
            "INSERT INTO attempts (run_id, position, attempt, outcome, ended_at) VALUES (1, 0, 1, 'luck', now())"
        )
    assert refusal.value.diag.constraint_name == "attempts_outcome_check"


def test_no_other_constraint_is_read_with_each_statement(engine: Harness) -> None:
    names = engine.database.rows(
        "SELECT conname FROM pg_constraint WHERE contype = 'c' "
        "AND conrelid IN ('runs'::regclass, 'steps'::regclass, 'attempts'::regclass, 'trace'::regclass)"
    )
    assert {name for (name,) in names} == {"runs_are_sound", "steps_are_sound", "attempts_are_sound"}
