"""Retries by class of error and within a time, and chains of fallbacks, on a real database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orchestration.core.decide import Failed, Outcome, Snoozed, StepError, Succeeded
from orchestration.engine.leases import Held
from orchestration.engine.runs import StartedRun
from orchestration.errors import InvalidWorkflow
from schemas.statuses import WaitReason
from tests.support.engine import Harness, TestClock

pytestmark = pytest.mark.integration

DOWN = Failed(StepError("http.503", "down"), permanent=True)
BUSY = Failed(StepError("http.503", "busy"))


def attempted(engine: Harness, run: StartedRun, position: int, outcome: Outcome) -> list[int]:
    return engine.finish(engine.claim(run, position), outcome)


def result(engine: Harness, run: StartedRun, position: int) -> Any:
    return engine.database.call(
        "SELECT a.result FROM attempts a JOIN runs r ON r.id = a.run_id WHERE r.public_id = %s AND position = %s"
        " ORDER BY attempt DESC LIMIT 1",
        run.run_id,
        position,
    )


def due_again(engine: Harness, clock: TestClock, seconds: float) -> None:
    clock.advance(seconds)
    assert engine.sweep.due() == 1


def test_an_error_is_retried_by_the_rule_for_its_code(engine: Harness) -> None:
    policy = {"max_attempts": 5, "on": {"http.4": {"retry": False}, "http.5": {"max_attempts": 2}}}
    steps = [{"key": key, "needs": [], "retry": policy, "on_failure": "continue"} for key in "abc"]
    run = engine.start(*steps)
    attempted(engine, run, 0, Failed(StepError("http.404", "gone")))
    attempted(engine, run, 1, BUSY)
    attempted(engine, run, 2, Failed(StepError("timeout", "slow")))
    assert engine.statuses(run) == {"a": "failed", "b": "waiting", "c": "waiting"}


def test_no_retry_begins_after_the_time_for_retries(engine: Harness, clock: TestClock) -> None:
    policy = {"max_attempts": 100, "base_delay_s": 10, "max_delay_s": 10, "jitter": 0, "budget_s": 65}
    run = engine.start({"key": "a", "retry": policy})
    for _ in range(6):
        attempted(engine, run, 0, BUSY)
        due_again(engine, clock, 10)
    attempted(engine, run, 0, BUSY)
    assert engine.run_status(run) == "failed"
    assert "65 s" in engine.database.call("SELECT error -> 'details' ->> 'given_up' FROM run_documents")


def test_a_wait_before_the_first_failure_is_not_time_spent_on_retries(engine: Harness, clock: TestClock) -> None:
    run = engine.start({"key": "a", "retry": {"max_attempts": 9, "base_delay_s": 10, "jitter": 0, "budget_s": 60}})
    lease = engine.claim(run, 0)
    engine.finish(lease, Snoozed(WaitReason.LOCK, lease.claimed_at + timedelta(hours=2)))
    due_again(engine, clock, 7200)
    attempted(engine, run, 0, BUSY)
    assert engine.statuses(run) == {"a": "waiting"}
    due_again(engine, clock, 10)
    attempted(engine, run, 0, BUSY)
    assert engine.statuses(run) == {"a": "waiting"}


def test_an_attempt_that_another_process_ends_has_the_same_time(engine: Harness, clock: TestClock) -> None:
    run = engine.start({"key": "a", "retry": {"max_attempts": 9, "base_delay_s": 10, "jitter": 0, "budget_s": 60}})
    attempted(engine, run, 0, BUSY)
    due_again(engine, clock, 10)
    lease = engine.claim(run, 0, "w2")
    clock.advance(41)
    assert engine.sweep.end_attempt(Held(lease.run, 0, lease.attempt), Failed(StepError("timeout", "slow"))) == 1
    # 51 s have passed and the next delay is 20 s.
    assert engine.statuses(run) == {"a": "failed"}


def test_a_chain_is_tried_in_order_and_ends_with_its_value(engine: Harness) -> None:
    chain = [{"action": "work", "params": {"agent": 2}}, {"step": "spare"}, {"value": {"n": 0}}]
    run = engine.start(
        {"key": "a", "on_failure": {"fallback": chain}}, {"key": "spare"}, {"key": "end"}, run_id="chain-1"
    )
    assert list(engine.statuses(run)) == ["a", "spare", "end", "a-fallback"]
    assert attempted(engine, run, 0, DOWN) == [3]
    other = engine.claim(run, 3)
    assert other.params == {"agent": 2}
    assert engine.finish(other, DOWN) == [1]
    assert attempted(engine, run, 1, DOWN) == [2]
    assert result(engine, run, 1) == {"n": 0}
    assert engine.statuses(run) == {"a": "failed", "spare": "completed", "end": "ready", "a-fallback": "failed"}
    attempted(engine, run, 2, Succeeded(1))
    assert engine.run_status(run) == "completed"


def test_a_chain_that_is_exhausted_fails_the_run(engine: Harness) -> None:
    run = engine.start({"key": "a", "on_failure": {"fallback": [{"action": "work"}, {"action": "work"}]}})
    for position in (0, 1, 2):
        assert engine.run_status(run) == "running"
        attempted(engine, run, position, DOWN)
    assert engine.run_status(run) == "failed"


CACHED = {"key": "a", "params": {"q": "{{ params.q }}"}, "on_failure": {"fallback": {"cached": True}}}


def test_the_last_good_result_with_the_same_parameters_stands_in(engine: Harness) -> None:
    for number, q in enumerate(["x", "x", "y"]):
        attempted(engine, engine.start(CACHED, params={"q": q}), 0, Succeeded({"number": number}))
    run = engine.start(CACHED, {"key": "b"}, params={"q": "x"})
    assert attempted(engine, run, 0, DOWN) == [1]
    assert engine.statuses(run)["a"] == "completed"
    assert result(engine, run, 0) == {"number": 1}
    # What was only stood in for is not a new result.
    assert engine.database.call("SELECT count(*) FROM cached_results") == 2


@pytest.mark.parametrize(
    ("step", "fields"),
    [
        ({"params": {"q": "other"}}, {}),
        ({"key": "other"}, {}),
        ({"action": "once"}, {}),
        ({}, {"ssh": {"host": "h2"}}),
        ({"params": {"q": "{{ params.missing }}"}}, {}),
    ],
)
def test_a_result_of_something_else_does_not(engine: Harness, step: dict[str, Any], fields: dict[str, Any]) -> None:
    attempted(engine, engine.start(CACHED, params={"q": "x"}), 0, Succeeded(1))
    run = engine.start(CACHED | step, params={"q": "x"}, **fields)
    attempted(engine, run, 0, DOWN)
    assert engine.run_status(run) == "failed"


def test_a_result_that_is_too_old_does_not_stand_in_and_is_deleted_in_time(engine: Harness, clock: TestClock) -> None:
    young = CACHED | {"on_failure": {"fallback": {"cached": True, "max_age_s": 60}}}
    attempted(engine, engine.start(CACHED, params={"q": "x"}), 0, Succeeded(None))
    clock.advance(61)
    run = engine.start(young, params={"q": "x"})
    attempted(engine, run, 0, DOWN)
    assert engine.run_status(run) == "failed"
    assert engine.attempts.cached.purge() == 0
    run = engine.start(CACHED, params={"q": "x"})
    attempted(engine, run, 0, DOWN)
    assert (engine.run_status(run), result(engine, run, 0)) == ("completed", None)
    clock.advance(31 * 86_400)
    assert engine.attempts.cached.purge() == 1


def test_behind_a_step_the_cached_result_is_that_of_the_step_the_chain_is_of(engine: Harness) -> None:
    chain = [{"action": "work", "params": {"agent": 2}}, {"cached": True}, {"value": "none"}]
    step = {"key": "a", "params": {"agent": 1}, "on_failure": {"fallback": chain}}
    first = engine.start(step)
    attempted(engine, first, 0, DOWN)
    attempted(engine, first, 1, DOWN)
    assert result(engine, first, 1) == "none"
    attempted(engine, engine.start(step), 0, Succeeded("good"))
    last = engine.start(step)
    attempted(engine, last, 0, DOWN)
    attempted(engine, last, 1, DOWN)
    assert result(engine, last, 1) == "good"
    assert engine.run_status(last) == "completed"


def test_a_fallback_is_checked_as_steps_are(engine: Harness) -> None:
    def refused(fallback: Any) -> str | None:
        with pytest.raises(InvalidWorkflow) as error:
            engine.start({"key": "a", "on_failure": {"fallback": fallback}}, {"key": "b"})
        return error.value.where

    place = "/steps/0/on_failure/fallback"
    assert refused({"action": "nope"}) == f"{place}/action"
    assert refused([{"step": "b"}, {"action": "nope"}]) == f"{place}/1/action"
    assert refused([{"action": "work", "key": "b"}]) == f"{place}/0/key"
    assert refused([{"step": "zz"}, {"value": 1}]) == f"{place}/0/step"
    assert refused({"action": "remote"}) == "/ssh"
    assert refused({"action": "work", "params": {"x": "{{ steps.b.result }}"}}) == place
