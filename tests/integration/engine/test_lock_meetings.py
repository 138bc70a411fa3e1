"""Runs that meet at several locks: none waits for ever, none for what it could not use, and none for each other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from orchestration.core.decide import Failed, StepError
from orchestration.engine.leases import Lease
from orchestration.engine.locks import Held, InLine
from orchestration.errors import PerdureError
from orchestration.gates.gate import GateRequest, Refuse
from orchestration.store.database import open_connection
from schemas.flow import ConcurrencySpec, LockSpec
from tests.integration.engine.test_locks import Line
from tests.support.engine import ALICE, Harness, TestClock, broken_invariants

BROKEN = Failed(StepError("broken", "it broke"), permanent=True)


@pytest.fixture
def line(database_url: str) -> Iterator[Line]:
    harness = Harness(database_url)
    yield Line(harness)
    assert broken_invariants(harness.database) == {}
    harness.close()


def ask(line: Line, lease: Lease, *names: str, place: int, **fields: Any) -> Held | InLine | Refuse | Any:
    """Ask for locks and for one of so many places."""
    locks = tuple(LockSpec(name=name, **fields) for name in names)
    places = (ConcurrencySpec(key="p", limit=place),)
    return line.locks.acquire(lease, GateRequest("step", 5, 60, locks=locks, concurrency=places))


def holding(line: Line, *names: str, steps: int = 2, **fields: Any) -> Any:
    """A run whose first step took these locks for the whole run, and has ended."""
    run = line.harness.start(*({"key": f"s{n}"} for n in range(steps)))
    lease = line.harness.claim(run, 0)
    assert isinstance(line.ask(lease, *names, hold="run", **fields), Held)
    line.harness.finish(lease)
    return run


def test_who_waits_for_a_run_does_not_keep_that_run_waiting(line: Line) -> None:
    run = holding(line, "x")
    waiter = line.one()
    assert isinstance(line.ask(waiter, "x", "y"), InLine)
    lease = line.harness.claim(run, 1)
    assert isinstance(line.ask(lease, "y"), Held)
    line.harness.finish(lease)
    assert isinstance(line.ask(line.again(waiter), "x", "y"), Held)


def test_who_waits_for_a_lock_takes_no_place_from_others(line: Line) -> None:
    holder = line.one()
    assert isinstance(ask(line, holder, "x", place=4), Held)
    waiters = [line.one() for _ in range(4)]
    for waiter in waiters:
        assert isinstance(ask(line, waiter, "x", place=4), InLine)
    assert isinstance(ask(line, line.one(), place=4), Held)
    line.harness.finish(holder)
    assert isinstance(ask(line, line.again(waiters[0]), "x", place=4), Held)


def test_a_lock_that_is_taken_lets_those_go_on_who_stood_behind_one_that_wants_it_too(line: Line) -> None:
    first, second = line.one(), line.one()
    line.ask(first, "x")
    line.ask(second, "y")
    both, behind = line.one(), line.one()
    assert isinstance(line.ask(both, "x", "y"), InLine)
    assert isinstance(line.ask(behind, "y"), InLine)
    line.harness.finish(first)
    line.ask(line.one(), "x")
    line.sent()
    line.harness.finish(second)
    assert behind.run_id in line.sent()
    assert isinstance(line.ask(line.again(behind), "y"), Held)


def test_a_circle_that_a_grant_closes_is_found(line: Line) -> None:
    third = line.one()
    assert isinstance(line.ask(third, "x"), Held)
    other = holding(line, "y")
    run = line.harness.start({"key": "s1", "needs": []}, {"key": "s2", "needs": []})
    s1, s2 = line.harness.claim(run, 0), line.harness.claim(run, 1)
    assert isinstance(line.ask(s2, "x", hold="run"), InLine)
    assert isinstance(line.ask(s1, "y"), InLine)
    assert isinstance(line.ask(line.harness.claim(other, 1), "x"), InLine)
    line.harness.finish(third)
    s2 = line.again(s2)
    assert isinstance(line.ask(s2, "x", hold="run"), Held)
    line.harness.finish(s2)
    line.harness.sweep.lines()
    s1 = line.again(s1)
    refused = line.ask(s1, "y")
    assert isinstance(refused, Refuse)
    assert refused.error.code == "deadlock"
    line.harness.finish(s1, Failed(refused.error, permanent=True))


def test_a_turn_that_lapses_beside_another_sweep_is_not_forgotten(line: Line, database_url: str) -> None:
    clock = TestClock(line.harness.database)
    holder, away, after, leaver = (line.one() for _ in range(4))
    for lease in (holder, away, after, leaver):
        line.ask(lease, "x")
    line.harness.finish(holder)
    clock.advance(11)
    line.harness.runs.stop(leaver.run_id, ALICE)
    line.sent()
    sweeps = [open_connection(database_url, name="sweep") for _ in range(2)]
    for connection in sweeps:
        connection.autocommit = False
    first, second = (connection.cursor() for connection in sweeps)
    first.execute("SELECT lapse_turns(200)")
    second.execute("SELECT wake_lines(200)")
    sweeps[1].commit()
    first.execute("SELECT wake_lines(200)")
    sweeps[0].commit()
    line.harness.sweep.lines()
    assert after.run_id in line.sent()
    for connection in sweeps:
        connection.close()


def test_runs_that_fail_at_once_with_each_others_locks_do_not_deadlock(line: Line, database_url: str) -> None:
    beside = Harness(database_url)
    for _ in range(20):
        runs = [line.harness.start({"key": "p", "needs": []}, {"key": "q", "needs": []}) for _ in range(2)]
        held = [line.harness.claim(run, 0) for run in runs]
        for lease, name in zip(held, "ab", strict=True):
            assert isinstance(line.ask(lease, name), Held)
        for run, name in zip(runs, "ba", strict=True):
            assert isinstance(line.ask(line.harness.claim(run, 1), name), InLine)
        barrier = threading.Barrier(2)
        errors: list[PerdureError] = []

        def fail(engine: Harness, lease: Lease, barrier: Any = barrier, errors: Any = errors) -> None:
            barrier.wait()
            try:
                engine.attempts.commit(lease, BROKEN)
            except PerdureError as error:
                errors.append(error)

        pairs = zip((line.harness, beside), held, strict=True)
        threads = [threading.Thread(target=fail, args=pair) for pair in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert errors == []
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    assert line.harness.database.call(deadlocks) == 0
    beside.close()


def test_sweeps_that_call_the_same_waiters_by_other_lines_do_not_wait_for_each_other(
    line: Line, database_url: str
) -> None:
    holder, one, two = line.one(), line.one(), line.one()
    line.ask(holder, "A", "B", "C", "D")
    line.ask(one, "A", "C")
    line.ask(two, "B", "D")
    # As if each lock had been released by itself.
    line.harness.database.execute("DELETE FROM lock_requests WHERE held")

    def changed(*names: str) -> None:
        for name in names:
            line.harness.database.execute("INSERT INTO lock_wakes (key) VALUES (%s)", f"lock:{name}")

    sweeps = [open_connection(database_url, name="sweep") for _ in range(2)]
    for connection in sweeps:
        connection.autocommit = False
    cursors = [connection.cursor() for connection in sweeps]
    for name, cursor in zip("AB", cursors, strict=True):
        changed(name)
        cursor.execute("SELECT wake_lines(200)")
    changed("D", "C")
    for cursor in cursors:
        cursor.execute("SET LOCAL lock_timeout = '300ms'")
        cursor.execute("SELECT wake_lines(200)")
    for connection in sweeps:
        connection.commit()
        connection.close()
    line.harness.sweep.lines()
    assert isinstance(line.ask(line.again(one), "A", "C"), Held)
    assert isinstance(line.ask(line.again(two), "B", "D"), Held)


def test_a_run_that_is_retried_gets_back_what_it_held_before_it_goes_on(line: Line) -> None:
    run = holding(line, "x")
    line.harness.finish(line.harness.claim(run, 1), BROKEN)
    line.harness.runs.retry(run.run_id, ALICE)
    lease = line.harness.claim(run, 1)
    assert lease.run_locks == {"lock:x": "exclusive"}
    assert isinstance(line.ask(lease, "x", hold="run"), Held)
    assert isinstance(line.ask(line.one(), "x"), InLine)


def test_within_a_run_an_exclusive_step_stands_alone_too(line: Line) -> None:
    run = line.harness.start({"key": "a"}, {"key": "b", "needs": ["a"]}, {"key": "c", "needs": ["a"]})
    first = line.harness.claim(run, 0)
    assert isinstance(line.ask(first, "x", hold="run", shared=True), Held)
    line.harness.finish(first)
    alone, beside = line.harness.claim(run, 1), line.harness.claim(run, 2)
    assert isinstance(line.ask(alone, "x"), Held)
    assert isinstance(line.ask(beside, "x", shared=True), InLine)
    line.harness.finish(alone)
    assert isinstance(line.ask(line.again(beside), "x", shared=True), Held)


def test_a_run_that_holds_a_lock_shared_may_hold_it_alone_before_those_that_wait_for_the_run(line: Line) -> None:
    run = holding(line, "x", shared=True)
    reader = line.one()
    assert isinstance(line.ask(reader, "x", shared=True), Held)
    writer = line.one()
    assert isinstance(line.ask(writer, "x"), InLine)
    lease = line.harness.claim(run, 1)
    assert isinstance(line.ask(lease, "x"), InLine)
    line.harness.finish(reader)
    assert isinstance(line.ask(line.again(lease), "x"), Held)


def test_the_number_of_places_is_what_was_said_last(line: Line) -> None:
    holders = [line.one() for _ in range(3)]
    for holder in holders:
        assert isinstance(ask(line, holder, place=3), Held)
    fewer, more = line.one(), line.one()
    assert isinstance(ask(line, fewer, place=1), InLine)
    assert isinstance(ask(line, more, place=3), InLine)
    for holder in holders[1:]:
        line.harness.finish(holder)
    assert isinstance(ask(line, line.again(fewer), place=3), Held)
    assert isinstance(ask(line, line.again(more), place=3), Held)


def test_a_long_line_of_shared_waiters_is_called_without_a_hurry(line: Line) -> None:
    holder = line.one()
    line.ask(holder, "x")
    for _ in range(210):
        line.ask(line.one(), "x", shared=True)
    line.harness.finish(holder)
    for _ in range(3):
        line.harness.sweep.lines()
    assert line.harness.database.call("SELECT count(*) FROM lock_requests WHERE woken_at IS NULL AND NOT held") == 0
    due = line.harness.sweep.next_due_s()
    assert due is not None
    assert due > 0


def test_a_name_that_is_no_longer_asked_for_keeps_nobody_out(line: Line) -> None:
    holder, waiter = line.one(), line.one()
    line.ask(holder, "x", "y")
    assert isinstance(line.ask(waiter, "x", "y"), InLine)
    line.harness.finish(holder)
    assert isinstance(line.ask(line.again(waiter), "y"), Held)
    assert isinstance(line.ask(line.one(), "x"), Held)
