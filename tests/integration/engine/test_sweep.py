"""One attempt that cannot be ended keeps none of the others waiting."""

from __future__ import annotations

import pytest

from orchestration.errors import StoreRefused
from orchestration.store.database import open_connection
from schemas.workflow import WorkflowSpec
from tests.support.engine import ALICE, LEASE_S, Harness, TestClock
from workers.session import WorkerSession


def test_a_run_that_somebody_keeps_locked_does_not_hold_up_the_sweep_of_others(
    engine: Harness, clock: TestClock, database_url: str
) -> None:
    locked, other = engine.start({"key": "a"}), engine.start({"key": "a"})
    first = engine.claim(locked, 0)
    clock.advance(1)
    engine.claim(other, 0)
    clock.advance(LEASE_S + 1)
    stranger = open_connection(database_url, name="stranger")
    stranger.autocommit = False
    with stranger.cursor() as cursor:
        cursor.execute("SELECT 1 FROM runs WHERE id = %s FOR UPDATE", (first.run,))
    assert engine.sweep.expired() == 1
    assert engine.statuses(other) == {"a": "ready"}
    stranger.rollback()
    stranger.close()
    assert engine.sweep.expired() == 1


def test_an_attempt_whose_end_is_refused_does_not_hold_up_others(
    engine: Harness, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = engine.start({"key": "a"}), engine.start({"key": "a"})
    engine.claim(bad, 0)
    clock.advance(1)
    engine.claim(good, 0)
    clock.advance(LEASE_S + 1)
    real = engine.sweep.end

    def end(row: dict[str, object], *values: object, **named: object) -> int:
        if row["public_id"] == bad.run_id:
            raise StoreRefused("no")
        return real(row, *values, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(engine.sweep, "end", end)
    assert engine.sweep.expired() == 1
    assert engine.statuses(good) == {"a": "ready"}


def test_an_attempt_with_a_policy_of_a_newer_version_is_ended_and_not_repeated(
    engine: Harness, clock: TestClock
) -> None:
    run = engine.start({"key": "a"})
    lease = engine.claim(run, 0)
    engine.database.execute(
        "UPDATE step_documents SET policy = policy || %s::jsonb WHERE run_id = %s",
        '{"retry": {"max_attempts": 2, "by_the_moon": true}}',
        lease.run,
    )
    clock.advance(LEASE_S + 1)
    assert engine.sweep.expired() == 1
    assert engine.run_status(run) == "failed"


def test_an_attempt_that_nobody_heard_of_is_found_by_its_owner(engine: Harness) -> None:
    run = engine.start({"key": "a"})
    assert engine.sweep.claimed_by("w1", run.run_id, 0) == []
    lease = engine.claim(run, 0, owner="w1")
    assert engine.sweep.claimed_by("w2", run.run_id, 0) == []
    (held,) = engine.sweep.claimed_by("w1", run.run_id, 0)
    assert (held.run, held.attempt) == (lease.run, lease.attempt)


def test_what_is_old_is_purged_and_what_lives_or_may_come_again_stays(
    engine: Harness, clock: TestClock, database_url: str
) -> None:
    workflow = WorkflowSpec.model_validate({"steps": [{"key": "a", "action": "work"}]})
    engine.finish(engine.claim(engine.runs.start(workflow, ALICE, idempotency_key="k"), 0))
    living = WorkerSession(database_url, "living", "w", 1)
    living.ensure()
    gone = WorkerSession(database_url, "gone", "w", 2)
    gone.ensure()
    gone.drop()
    count = "SELECT (SELECT count(*) FROM runs) || ' ' || (SELECT count(*) FROM idempotency_keys)"
    clock.advance(2 * 86_400)
    assert engine.sweep.purge(1) == 1
    assert engine.database.call(count) == "0 1", "a start that is sent again within a week makes no second run"
    clock.advance(6 * 86_400)
    engine.sweep.purge(1)
    assert engine.database.call(count) == "0 0"
    assert engine.database.rows("SELECT id FROM workers") == [("living",)]
    living.drop()


def test_where_runs_are_kept_for_ever_all_else_has_its_time(
    engine: Harness, clock: TestClock, database_url: str
) -> None:
    workflow = WorkflowSpec.model_validate({"steps": [{"key": "a", "action": "work"}]})
    engine.finish(engine.claim(engine.runs.start(workflow, ALICE, idempotency_key="k"), 0))
    gone = WorkerSession(database_url, "gone", "w", 2)
    gone.ensure()
    gone.drop()
    count = (
        "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM idempotency_keys), (SELECT count(*) FROM workers)"
    )
    clock.advance(80 * 86_400)
    assert engine.sweep.purge(None) == 0
    assert engine.database.rows(count) == [(1, 1, 1)]
    clock.advance(11 * 86_400)
    assert engine.sweep.purge(None) == 0
    assert engine.database.rows(count) == [(1, 0, 0)]


def test_the_audit_record_is_kept_for_a_year(engine: Harness, clock: TestClock) -> None:
    record = (
        "INSERT INTO audit (at, actor, role, action, target, address, outcome, detail) "
        "VALUES (clock_now(), 'alice', 'admin', 'workflow.stop', 'r', '::1', 'done', '{}')"
    )
    engine.database.execute(record)
    clock.advance(200 * 86_400)
    engine.database.execute(record)
    engine.sweep.purge(1)
    assert engine.database.call("SELECT count(*) FROM audit") == 2
    clock.advance(200 * 86_400)
    engine.sweep.purge(1)
    assert engine.database.call("SELECT count(*) FROM audit") == 1
