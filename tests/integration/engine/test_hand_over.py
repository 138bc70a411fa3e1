"""Hand-over: the commit that completes a step claims the next one, and nothing else is different."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.core.decide import Failed, StepError, Succeeded
from orchestration.engine.attempts import Finished
from orchestration.engine.leases import Lease
from orchestration.engine.runs import StartedRun
from orchestration.errors import LeaseLost
from tests.support.engine import ALICE, Harness


def hand_over(engine: Harness, lease: Lease, result: Any = None) -> Finished:
    return engine.attempts.commit(lease, Succeeded(result or {"by": lease.key}), hand_over=True)


def traced(engine: Harness, run: StartedRun) -> list[tuple[int, int, str]]:
    return list(
        engine.database.rows(
            "SELECT seq, position, kind FROM trace t JOIN runs r ON r.id = t.run_id "
            "WHERE public_id = %s AND position IS NOT NULL ORDER BY seq",
            run.run_id,
        )
    )


def test_a_step_that_is_handed_over_is_claimed_as_any_other(engine: Harness) -> None:
    params = {"greeting": "hello"}
    steps = [{"key": "a"}, {"key": "b", "params": {"from": "{{ steps.a.result.n }}"}, "timeout_s": 7}]
    run, twin = engine.start(*steps, params=params), engine.start(*steps, params=params)
    first = engine.claim(run, 0)
    taken = hand_over(engine, first, {"n": 1}).next
    engine.finish(engine.claim(twin, 0), Succeeded({"n": 1}))
    claimed = engine.claim(twin, 1)
    assert taken is not None
    for name in Lease.__slots__:
        if name not in ("run", "run_id", "claimed_at", "began_at", "taken_at"):
            assert getattr(taken, name) == getattr(claimed, name), name
    assert (taken.run_id, taken.run) == (run.run_id, first.run)
    left_out = {"run_id", "lease_until", "started_at", "began_at"}
    one, other = ({k: v for k, v in engine.step(r, 1).items() if k not in left_out} for r in (run, twin))
    assert one == other
    assert [row[1:] for row in traced(engine, run)] == [row[1:] for row in traced(engine, twin)]
    engine.finish(taken)
    assert engine.run_status(run) == "completed"


def test_each_entry_of_the_trace_has_a_version_of_its_own(engine: Harness) -> None:
    run = engine.start({"key": "a"}, {"key": "b"}, {"key": "c"})
    lease: Lease | None = engine.claim(run, 0)
    while lease is not None:
        lease = hand_over(engine, lease).next
    assert engine.run_status(run) == "completed"
    rows = traced(engine, run)
    assert [(position, kind) for _, position, kind in rows] == [
        (position, kind) for position in range(3) for kind in ("claimed", "completed")
    ]
    assert [seq for seq, *_ in rows] == list(range(2, 8))
    assert engine.database.call("SELECT version FROM runs WHERE public_id = %s", run.run_id) == 7


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ({"action": "remote", "queue": "elsewhere"}, "another queue"),
        ({"delay_s": 5}, "a delay"),
        ({"needs": ["a", "other"]}, "another need"),
    ],
)
def test_what_is_not_ready_for_this_worker_is_not_handed_over(
    engine: Harness, second: dict[str, Any], why: str
) -> None:
    queue = second.pop("queue", None)
    if second.get("action") == "remote":
        second["action"] = "work"
    run = engine.start({"key": "a", "needs": []}, {"key": "other", "needs": []}, {"key": "b", "needs": ["a"], **second})
    if queue:
        engine.database.execute("UPDATE steps SET queue = %s WHERE key = 'b'", queue)
    finished = hand_over(engine, engine.claim(run, 0))
    assert finished.next is None, why
    assert engine.step(run, 2)["status"] in ("ready", "waiting", "pending")


def test_a_fan_out_hands_over_one_and_sends_the_others(engine: Harness) -> None:
    run = engine.start({"key": "root", "needs": []}, *({"key": f"c{n}", "needs": ["root"]} for n in range(5)))
    finished = hand_over(engine, engine.claim(run, 0))
    assert finished.next is not None
    assert finished.next.position == 1
    assert [step.position for step in finished.ready] == [2, 3, 4, 5]
    row = engine.database.rows("SELECT pending, queued, active, completed FROM runs")[0]
    assert row == (0, 4, 1, 1)


def test_the_last_of_two_parents_takes_the_join(engine: Harness) -> None:
    run = engine.start({"key": "a", "needs": []}, {"key": "b", "needs": []}, {"key": "join", "needs": ["a", "b"]})
    one, other = engine.claim(run, 0), engine.claim(run, 1)
    assert hand_over(engine, one).next is None
    taken = hand_over(engine, other).next
    assert taken is not None
    assert taken.key == "join"


def test_a_paused_run_hands_nothing_over_and_goes_on_when_it_is_resumed(engine: Harness) -> None:
    run = engine.start({"key": "a"}, {"key": "b"})
    lease = engine.claim(run, 0)
    engine.runs.pause(run.run_id, ALICE)
    finished = hand_over(engine, lease)
    assert (finished.next, finished.ready) == (None, [])
    assert engine.statuses(run) == {"a": "completed", "b": "ready"}
    engine.runs.resume(run.run_id, ALICE)
    engine.finish(engine.claim(run, 1))
    assert engine.run_status(run) == "completed"


def test_a_run_that_stops_hands_nothing_over(engine: Harness) -> None:
    run = engine.start({"key": "a"}, {"key": "b"})
    lease = engine.claim(run, 0)
    engine.runs.stop(run.run_id, ALICE)
    assert hand_over(engine, lease).next is None
    assert engine.run_status(run) == "cancelled"


def test_a_late_attempt_takes_nothing_over(engine: Harness) -> None:
    run = engine.start({"key": "a"}, {"key": "b"})
    late = engine.claim(run, 0)
    engine.database.execute("UPDATE steps SET lease_until = now() - interval '1 s' WHERE position = 0")
    assert engine.sweep.expired() == 1
    with pytest.raises(LeaseLost):
        hand_over(engine, late)
    assert engine.statuses(run) == {"a": "ready", "b": "pending"}


def test_only_a_success_hands_over(engine: Harness) -> None:
    run = engine.start({"key": "a", "on_failure": "continue"}, {"key": "b"})
    broken = Failed(StepError("broken", "it broke"), permanent=True)
    finished = engine.attempts.commit(engine.claim(run, 0), broken, hand_over=True)
    assert finished.next is None
    assert [step.position for step in finished.ready] == [1]


def test_what_was_asked_to_stop_once_is_not_asked_again_in_its_next_attempt(engine: Harness) -> None:
    """A retried run: the flag of an earlier attempt must not reach one that was handed over."""
    run = engine.start({"key": "a"}, {"key": "b"})
    taken = hand_over(engine, engine.claim(run, 0)).next
    assert taken is not None
    engine.runs.stop(run.run_id, ALICE)
    engine.finish(taken, Failed(StepError("stopped", "stopped")))
    engine.runs.retry(run.run_id, ALICE, step="a")
    again = hand_over(engine, engine.claim(run, 0)).next
    assert again is not None
    assert again.attempt == 2
    assert not engine.step(run, 1)["stop_requested"]


def test_a_checkpoint_and_an_early_signal_come_with_it(engine: Harness) -> None:
    run = engine.start({"key": "a"}, {"key": "b", "action": "wait_for_signal"})
    lease = engine.claim(run, 0)
    engine.runs.signal(run.run_id, ALICE, step="b", payload={"yes": True})
    taken = hand_over(engine, lease).next
    assert taken is not None
    assert taken.signal is not None
    engine.attempts.save_checkpoint(taken, {"at": 3})
    engine.finish(taken, Failed(StepError("broken", "it broke"), permanent=True))
    engine.runs.retry(run.run_id, ALICE, step="a")
    again = hand_over(engine, engine.claim(run, 0)).next
    assert again is not None
    assert again.checkpoint == {"at": 3}
