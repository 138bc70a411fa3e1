"""Locks and places: who gets them, who waits, in which order, and what becomes of them when their holder is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from orchestration.core.decide import Cancelled, Failed, Lost, StepError, Succeeded
from orchestration.engine.leases import Lease
from orchestration.engine.locks import Held, InLine, Locks
from orchestration.errors import LeaseLost
from orchestration.gates.gate import GateRequest, Refuse
from schemas.flow import ConcurrencySpec, LockSpec
from tests.support.engine import ALICE, Harness, TestClock, broken_invariants

Answer = Held | InLine | Refuse | Cancelled


class Line:
    """An engine with its locks."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.locks = Locks(harness.attempts)

    def one(self, **fields: Any) -> Lease:
        """The attempt at the only step of a new run."""
        run = self.harness.start({"key": "a"}, **fields)
        return self.harness.claim(run, 0)

    def ask(
        self, lease: Lease, *names: str, wait_s: float | None = None, **fields: Any
    ) -> Held | InLine | Refuse | Cancelled:
        locks = tuple(LockSpec(name=name, **fields) for name in names)
        return self.locks.acquire(lease, GateRequest("step", 5, 60, locks=locks, lock_wait_s=wait_s))

    def place(self, lease: Lease, key: str, limit: int) -> Answer:
        request = GateRequest("step", 5, 60, concurrency=(ConcurrencySpec(key=key, limit=limit),))
        return self.locks.acquire(lease, request)

    def again(self, lease: Lease) -> Lease:
        """The next attempt at a step that was woken."""
        found = self.harness.attempts.claim(lease.run_id, lease.position, "w2")
        assert found is not None, "the step was not woken"
        return found

    def step(self, lease: Lease) -> dict[str, Any]:
        row: dict[str, Any] = self.harness.database.call(
            "SELECT to_jsonb(s) FROM steps s WHERE run_id = %s AND position = %s", lease.run, lease.position
        )
        return row

    def sent(self) -> list[str]:
        """The runs that messages were sent for since the last look."""
        sent = [step.run_id for step in self.harness.recorder.sent]
        self.harness.recorder.sent.clear()
        return sent


@pytest.fixture
def line(database_url: str) -> Iterator[Line]:
    harness = Harness(database_url)
    yield Line(harness)
    assert broken_invariants(harness.database) == {}
    harness.close()


def test_a_lock_that_is_free_is_held_until_the_attempt_ends(line: Line) -> None:
    lease = line.one()
    assert isinstance(line.ask(lease, "file:/x"), Held)
    assert line.harness.database.call("SELECT count(*) FROM lock_requests WHERE held") == 1
    line.harness.finish(lease)
    assert line.harness.database.call("SELECT count(*) FROM lock_requests") == 0


def test_a_step_that_finds_its_lock_held_waits_as_a_row_and_holds_no_attempt(line: Line) -> None:
    holder, waiter = line.one(), line.one()
    line.ask(holder, "file:/x")
    answer = line.ask(waiter, "file:/x")
    assert isinstance(answer, InLine)
    assert answer.finished.decision.on == "lock:file:/x"
    step = line.step(waiter)
    assert (step["status"], step["waiting_for"], step["waiting_on"]) == ("waiting", "lock", "lock:file:/x")
    with pytest.raises(LeaseLost):
        line.ask(waiter, "file:/x")


def test_whoever_releases_wakes_the_next_in_line_and_nobody_else(line: Line) -> None:
    holder, *waiters = [line.one() for _ in range(4)]
    line.ask(holder, "x")
    for waiter in waiters:
        line.ask(waiter, "x")
    line.sent()
    line.harness.finish(holder)
    assert line.sent() == [waiters[0].run_id]
    for place, waiter in enumerate(waiters):
        lease = line.again(waiter)
        assert isinstance(line.ask(lease, "x"), Held)
        line.harness.finish(lease)
        assert line.sent() == [other.run_id for other in waiters[place + 1 : place + 2]]


def test_a_newcomer_does_not_overtake_one_whose_turn_has_come(line: Line) -> None:
    holder, waiter = line.one(), line.one()
    line.ask(holder, "x")
    line.ask(waiter, "x")
    line.harness.finish(holder)
    assert isinstance(line.ask(line.one(), "x"), InLine)
    assert isinstance(line.ask(line.again(waiter), "x"), Held)


def test_one_that_does_not_come_when_its_turn_has_come_lets_others_go_ahead(line: Line) -> None:
    clock = TestClock(line.harness.database)
    holder, away, next_one = line.one(), line.one(), line.one()
    for lease in (holder, away, next_one):
        line.ask(lease, "x")
    line.harness.finish(holder)
    line.sent()
    clock.advance(11)
    line.harness.sweep.lines()
    assert next_one.run_id in line.sent()
    assert isinstance(line.ask(line.again(next_one), "x"), Held)
    assert isinstance(line.ask(line.again(away), "x"), InLine)


def test_a_higher_priority_stands_earlier_in_line_but_what_waits_grows_older(line: Line) -> None:
    clock = TestClock(line.harness.database)
    holder, old, high = line.one(), line.one(priority=5), None
    line.ask(holder, "x")
    line.ask(old, "x")
    clock.advance(60)
    high = line.one(priority=10)
    line.ask(high, "x")
    clock.advance(100)
    late = line.one(priority=10)
    line.ask(late, "x")
    order = []
    lease = holder
    for _ in range(3):
        line.sent()
        line.harness.finish(lease)
        (woken,) = line.sent()
        waiter = next(one for one in (old, high, late) if one.run_id == woken)
        order.append(waiter)
        lease = line.again(waiter)
        assert isinstance(line.ask(lease, "x"), Held)
    assert order == [high, old, late]


def test_shared_holders_stand_beside_one_another_and_an_exclusive_one_alone(line: Line) -> None:
    readers = [line.one() for _ in range(3)]
    for reader in readers:
        assert isinstance(line.ask(reader, "x", shared=True), Held)
    writer, late_reader = line.one(), line.one()
    assert isinstance(line.ask(writer, "x"), InLine)
    # Or a stream of readers would keep the writer out for ever.
    assert isinstance(line.ask(late_reader, "x", shared=True), InLine)
    for reader in readers:
        line.harness.finish(reader)
    writer = line.again(writer)
    assert isinstance(line.ask(writer, "x"), Held)
    line.harness.finish(writer)
    assert isinstance(line.ask(line.again(late_reader), "x", shared=True), Held)


def test_several_locks_are_taken_together_or_not_at_all(line: Line) -> None:
    one, both, other = line.one(), line.one(), line.one()
    line.ask(one, "a")
    assert isinstance(line.ask(both, "a", "b"), InLine)
    held = line.harness.database.rows("SELECT key FROM lock_requests WHERE held")
    assert held == [("lock:a",)]
    # What it could not use anyway it does not keep others from.
    assert isinstance(line.ask(other, "b"), Held)
    line.harness.finish(one)
    line.harness.finish(other)
    both = line.again(both)
    assert isinstance(line.ask(both, "a", "b"), Held)


def test_at_most_so_many_places_are_taken_and_each_that_is_given_up_wakes_one(line: Line) -> None:
    leases = [line.one() for _ in range(6)]
    answers = [line.place(lease, "k", 2) for lease in leases]
    assert [isinstance(answer, Held) for answer in answers] == [True, True, False, False, False, False]
    line.sent()
    line.harness.finish(leases[0])
    assert line.sent() == [leases[2].run_id]
    line.harness.finish(leases[1])
    assert line.sent() == [leases[3].run_id]
    assert isinstance(line.place(line.again(leases[2]), "k", 2), Held)
    assert isinstance(line.place(line.one(), "k", 2), InLine)


@pytest.mark.parametrize("outcome", [Lost(counted=True), Failed(StepError("broken", "it broke"))])
def test_an_attempt_that_does_not_succeed_gives_up_its_lock_too(line: Line, outcome: Any) -> None:
    holder, waiter = line.one(), line.one()
    line.ask(holder, "x")
    line.ask(waiter, "x")
    line.harness.finish(holder, outcome)
    assert isinstance(line.ask(line.again(waiter), "x"), Held)


def test_a_lock_of_a_lease_that_ran_out_goes_to_the_next_and_the_late_holder_cannot_finish(line: Line) -> None:
    clock = TestClock(line.harness.database)
    holder, waiter = line.one(), line.one()
    line.ask(holder, "x")
    line.ask(waiter, "x")
    clock.advance(16)
    line.harness.sweep.expired()
    lease = line.again(waiter)
    assert isinstance(line.ask(lease, "x"), Held)
    with pytest.raises(LeaseLost):
        line.harness.finish(holder)
    assert line.harness.database.call("SELECT count(*) FROM lock_requests WHERE held") == 1


def test_a_stopped_run_leaves_the_line_and_those_behind_it_go_on(line: Line) -> None:
    holder, stopped, waiter = line.one(), line.one(), line.one()
    line.ask(holder, "x", shared=True)
    line.ask(stopped, "x")
    line.ask(waiter, "x", shared=True)
    line.harness.runs.stop(stopped.run_id, ALICE)
    line.sent()
    line.harness.sweep.lines()
    assert line.sent() == [waiter.run_id]
    assert isinstance(line.ask(line.again(waiter), "x", shared=True), Held)


def test_a_paused_run_keeps_nobody_waiting_and_asks_again_once_it_is_resumed(line: Line) -> None:
    holder, paused, waiter = line.one(), line.one(), line.one()
    for lease in (holder, paused, waiter):
        line.ask(lease, "x")
    line.harness.runs.pause(paused.run_id, ALICE)
    line.harness.finish(holder)
    waiter = line.again(waiter)
    assert isinstance(line.ask(waiter, "x"), Held)
    line.harness.runs.resume(paused.run_id, ALICE)
    assert isinstance(line.ask(line.again(paused), "x"), InLine)
    line.harness.finish(waiter)
    assert isinstance(line.ask(line.again(paused), "x"), Held)


def test_who_has_waited_for_longer_than_it_may_is_refused_and_told_who_holds_the_lock(line: Line) -> None:
    clock = TestClock(line.harness.database)
    holder, waiter = line.one(), line.one()
    line.ask(holder, "x")
    line.ask(waiter, "x", wait_s=10)
    clock.advance(9)
    assert line.harness.sweep.due() == 0
    clock.advance(2)
    line.harness.sweep.due()
    lease = line.again(waiter)
    refused = line.ask(lease, "x", wait_s=10)
    assert isinstance(refused, Refuse)
    assert refused.error.code == "lock_timeout"
    assert holder.run_id in refused.error.message
    line.harness.finish(lease, Failed(refused.error, permanent=True))
    assert line.harness.database.call("SELECT sum(timeouts) FROM lock_contention") == 1


def test_what_is_held_for_a_run_is_held_until_it_has_ended_and_its_own_steps_pass(line: Line) -> None:
    run = line.harness.start({"key": "a"}, {"key": "b"})
    first = line.harness.claim(run, 0)
    assert isinstance(line.ask(first, "x", hold="run"), Held)
    line.harness.finish(first)
    outsider = line.one()
    assert isinstance(line.ask(outsider, "x"), InLine)
    second = line.harness.claim(run, 1)
    assert isinstance(line.ask(second, "x"), Held)
    line.harness.finish(second)
    assert isinstance(line.ask(line.again(outsider), "x"), Held)


def test_runs_that_wait_for_one_another_in_a_circle_are_found_and_named(line: Line) -> None:
    runs = [line.harness.start({"key": "a"}, {"key": "b"}) for _ in range(3)]
    for name, run in zip("xyz", runs, strict=True):
        lease = line.harness.claim(run, 0)
        assert isinstance(line.ask(lease, name, hold="run"), Held)
        line.harness.finish(lease)
    seconds = [line.harness.claim(run, 1) for run in runs]
    assert isinstance(line.ask(seconds[0], "y"), InLine)
    assert isinstance(line.ask(seconds[1], "z"), InLine)
    refused = line.ask(seconds[2], "x")
    assert isinstance(refused, Refuse)
    assert refused.error.code == "deadlock"
    assert all(run.run_id in refused.error.message for run in runs)
    line.harness.finish(seconds[2], Failed(refused.error, permanent=True))
    assert isinstance(line.ask(line.again(seconds[1]), "z"), Held)


def test_asking_twice_because_an_answer_was_lost_answers_the_same(line: Line) -> None:
    lease = line.one()
    assert isinstance(line.ask(lease, "x", "y"), Held)
    assert isinstance(line.ask(lease, "x", "y"), Held)
    line.harness.finish(lease, Succeeded(None))


def test_a_step_without_locks_leaves_no_trace_of_them(line: Line) -> None:
    lease = line.one()
    line.harness.finish(lease)
    assert line.harness.database.call("SELECT bool_or(gated) FROM runs") is False
