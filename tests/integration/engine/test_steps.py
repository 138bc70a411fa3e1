"""What becomes of steps and runs as attempts end."""

from __future__ import annotations

import pytest

from orchestration.core.decide import Cancelled, Failed, HandedBack, Skipped, Snoozed, StepError, Succeeded
from orchestration.engine.attempts import Held
from orchestration.errors import LeaseLost
from schemas.statuses import WaitReason
from tests.support.engine import ALICE, Harness, TestClock

BROKEN = Failed(StepError("broken", "it broke"), permanent=True)
FLAKY = Failed(StepError("flaky", "try again"))


def test_a_list_of_steps_runs_in_order(engine: Harness) -> None:
    run = engine.start({"key": "a"}, {"key": "b"}, {"key": "c"})
    assert [step.position for step in engine.recorder.sent] == [0]
    assert engine.finish(engine.claim(run, 0)) == [1]
    assert engine.attempts.claim(run.run_id, 2, "w1") is None
    assert engine.finish(engine.claim(run, 1)) == [2]
    assert engine.finish(engine.claim(run, 2)) == []
    assert engine.run_status(run) == "completed"


def test_a_duplicate_message_claims_nothing(engine: Harness) -> None:
    run = engine.start({"key": "a"})
    engine.claim(run, 0)
    assert engine.attempts.claim(run.run_id, 0, "w2") is None
    assert engine.attempts.claim("no-such-run", 0, "w2") is None


def test_a_join_waits_for_all_its_parents(engine: Harness) -> None:
    run = engine.start({"key": "a"}, {"key": "b"}, {"key": "join", "needs": ["a", "b"]})
    assert engine.finish(engine.claim(run, 1)) == []
    assert engine.finish(engine.claim(run, 0)) == [2]


def test_a_disabled_step_is_skipped_and_its_dependents_do_not_wait_for_it(engine: Harness) -> None:
    run = engine.start({"key": "a"}, {"key": "b", "enabled": False}, {"key": "c"})
    assert engine.statuses(run) == {"a": "ready", "b": "skipped", "c": "ready"}


def test_result_from_a_worker_that_lost_its_lease_is_dropped(engine: Harness, clock: TestClock) -> None:
    run = engine.start({"key": "a"})
    stale = engine.claim(run, 0, "w1")
    clock.advance(engine.attempts.lease_s + 1)
    assert engine.sweep.expired() == 1
    engine.claim(run, 0, "w2")
    with pytest.raises(LeaseLost):
        engine.finish(stale, Succeeded({"from": "w1"}))
    assert engine.step(run, 0)["attempt"] == 2


def test_a_lease_that_was_renewed_is_not_swept(engine: Harness, clock: TestClock) -> None:
    run = engine.start({"key": "a"})
    lease = engine.claim(run, 0)
    for _ in range(3):
        clock.advance(engine.attempts.lease_s * 0.7)
        rows = engine.database.rows(
            "SELECT answer FROM heartbeat(%s, %s, %s, %s, %s)", "w1", [lease.run], [0], [1], engine.attempts.lease_s
        )
        assert rows == [("ok",)]
        assert engine.sweep.expired() == 0
    engine.finish(lease)


def test_an_attempt_that_was_taken_over_by_its_own_worker_renews_nothing(engine: Harness, clock: TestClock) -> None:
    run = engine.start({"key": "a"})
    first = engine.claim(run, 0, "w1")
    clock.advance(engine.attempts.lease_s + 1)
    assert engine.sweep.expired() == 1
    second = engine.claim(run, 0, "w1")
    lease_until = engine.step(run, 0)["lease_until"]
    clock.advance(1)
    stale, held = (Held(lease.run, lease.position, lease.attempt) for lease in (first, second))
    assert engine.attempts.heartbeat("w1", [stale]) == {stale: "lost"}
    assert engine.step(run, 0)["lease_until"] == lease_until
    assert engine.attempts.heartbeat("w1", [stale, held]) == {stale: "lost", held: "ok"}


def test_a_flaky_step_waits_and_is_tried_again_until_its_attempts_are_spent(engine: Harness, clock: TestClock) -> None:
    run = engine.start({"key": "a"}, {"key": "b"})
    for attempt in (1, 2):
        assert engine.finish(engine.claim(run, 0), FLAKY) == []
        step = engine.step(run, 0)
        assert (step["status"], step["waiting_for"], step["failures"]) == ("waiting", "retry", attempt)
        assert engine.sweep.due() == 0
        clock.advance(2.0**attempt)
        assert engine.sweep.due() == 1
    engine.finish(engine.claim(run, 0), FLAKY)
    assert engine.statuses(run) == {"a": "failed", "b": "cancelled"}
    assert engine.run_status(run) == "failed"


def test_a_failed_step_stops_the_others_and_the_run_waits_for_them(engine: Harness) -> None:
    run = engine.start({"key": "a", "needs": []}, {"key": "b"}, {"key": "c", "needs": ["a", "b"]})
    first, second = engine.claim(run, 0), engine.claim(run, 1)
    engine.finish(first, BROKEN)
    assert engine.run_status(run) == "cancelling"
    answer = engine.database.rows("SELECT answer FROM heartbeat('w1', %s, '{1}', '{1}', 15)", [second.run])
    assert answer == [("stop",)]
    engine.finish(second, Cancelled())
    assert engine.run_status(run) == "failed"
    assert engine.statuses(run) == {"a": "failed", "b": "cancelled", "c": "cancelled"}


def test_an_action_that_gives_up_unasked_fails_its_step(engine: Harness) -> None:
    run = engine.start({"key": "a"})
    engine.finish(engine.claim(run, 0), Cancelled())
    assert engine.run_status(run) == "failed"


def test_on_failure_continue_goes_on_without_the_step(engine: Harness) -> None:
    run = engine.start({"key": "a", "on_failure": "continue"}, {"key": "b"})
    assert engine.finish(engine.claim(run, 0), BROKEN) == [1]
    engine.finish(engine.claim(run, 1))
    assert engine.run_status(run) == "completed"
    assert engine.statuses(run) == {"a": "failed", "b": "completed"}


def test_a_fallback_value_stands_in_for_the_result(engine: Harness) -> None:
    run = engine.start(
        {"key": "a", "on_failure": {"fallback": {"value": {"n": 7}}}},
        {"key": "b", "params": {"n": "{{ steps.a.result.n }}"}},
    )
    engine.finish(engine.claim(run, 0), BROKEN)
    assert engine.claim(run, 1).reads == {"a": {"status": "completed", "result": {"n": 7}}}


def test_a_fallback_step_runs_before_the_dependents_of_the_step_that_failed(engine: Harness) -> None:
    steps = ({"key": "a", "on_failure": {"fallback": {"step": "plan_b"}}}, {"key": "plan_b"}, {"key": "c"})
    run = engine.start(*steps)
    assert engine.finish(engine.claim(run, 0), BROKEN) == [1]
    lease = engine.claim(run, 1)
    assert lease.when == 'steps.a.status == "failed"'
    assert lease.reads["a"]["status"] == "failed"
    assert engine.finish(lease) == [2]


def test_a_step_delay_is_a_waiting_row(engine: Harness, clock: TestClock) -> None:
    run = engine.start({"key": "a"}, {"key": "b"}, step_delay_s=5)
    assert engine.finish(engine.claim(run, 0)) == []
    assert engine.step(run, 1)["waiting_for"] == "delay"
    clock.advance(5)
    assert engine.sweep.due() == 1
    engine.finish(engine.claim(run, 1), Skipped("condition is false"))
    assert engine.run_status(run) == "completed"


def test_a_message_that_got_lost_is_sent_again_with_growing_pauses(engine: Harness, clock: TestClock) -> None:
    engine.start({"key": "a"})
    waits = []
    for _ in range(4):
        waits.append(round(engine.sweep.next_due_s() or 0))
        clock.advance(waits[-1] + 0.1)
        assert engine.sweep.due() == 1
    assert waits == [2, 4, 8, 16]


def test_a_drained_step_is_ready_at_once_and_counts_no_failure(engine: Harness) -> None:
    run = engine.start({"key": "a"})
    assert engine.finish(engine.claim(run, 0), HandedBack()) == [0]
    step = engine.step(run, 0)
    assert (step["status"], step["failures"], step["losses"], step["attempt"]) == ("ready", 0, 0, 1)


def test_a_checkpoint_is_fenced_and_handed_to_the_next_attempt(engine: Harness, clock: TestClock) -> None:
    run = engine.start({"key": "a"})
    first = engine.claim(run, 0)
    engine.attempts.save_checkpoint(first, {"page": 3})
    clock.advance(20)
    engine.sweep.expired()
    second = engine.claim(run, 0, "w2")
    assert second.checkpoint == {"page": 3}
    with pytest.raises(LeaseLost):
        engine.attempts.save_checkpoint(first, {"page": 4})


def test_a_lost_attempt_of_an_action_that_may_not_be_repeated_fails_with_outcome_unknown(
    engine: Harness, clock: TestClock
) -> None:
    run = engine.start({"key": "a", "action": "once"})
    engine.claim(run, 0)
    clock.advance(20)
    engine.sweep.expired()
    assert engine.run_status(run) == "failed"
    error = engine.database.call("SELECT error FROM attempts")
    assert error["code"] == "outcome_unknown"


def test_a_signal_that_comes_while_the_step_is_about_to_wait_is_not_lost(engine: Harness) -> None:
    run = engine.start({"key": "ok", "action": "wait_for_signal"})
    lease = engine.claim(run, 0)
    engine.runs.signal(run.run_id, ALICE, step="ok", payload={"yes": True})
    assert engine.finish(lease, Snoozed(WaitReason.SIGNAL, None)) == [0]
    assert engine.claim(run, 0).signal == {"yes": True}
