"""What counts as time in line, and what those cost a line who cannot go on because of another lock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from orchestration.core.decide import Snoozed
from orchestration.engine.leases import Lease
from orchestration.engine.locks import Held, InLine
from orchestration.gates.gate import Refuse
from orchestration.store.database import open_connection
from schemas.statuses import WaitReason
from tests.integration.engine.test_lock_meetings import ask
from tests.integration.engine.test_locks import Line
from tests.support.engine import ALICE, Harness, TestClock, broken_invariants

KEPT_OUT = 300


@pytest.fixture
def line(database_url: str) -> Iterator[Line]:
    harness = Harness(database_url)
    yield Line(harness)
    assert broken_invariants(harness.database) == {}
    harness.close()


@pytest.fixture
def clock(line: Line) -> TestClock:
    return TestClock(line.harness.database)


def park(line: Line, lease: Lease, seconds: float) -> None:
    """Have the step wait at an open breaker instead."""
    until = lease.claimed_at + timedelta(seconds=seconds)
    line.harness.finish(lease, Snoozed(WaitReason.BREAKER, until, "breaker:b"))


def in_line(line: Line) -> dict[str, tuple[int, float]]:
    """What an alert goes by: how many stand in which line, and the seconds that the first of them stood there."""
    signs = line.harness.database.call("SELECT alert_signs(300, 300, 300, 300, 1000)")
    return {sign["name"]: (sign["steps"], round(sign["oldest_s"])) for sign in signs["locks"]}


def contention(line: Line) -> dict[str, int]:
    rows = line.harness.database.rows("SELECT key, sum(waited_s)::float8 FROM lock_contention GROUP BY key")
    return {key: round(seconds) for key, seconds in rows}


def test_time_at_another_gate_is_no_time_in_line(line: Line, clock: TestClock) -> None:
    holder, waiter = line.one(), line.one()
    line.ask(holder, "x")
    line.ask(waiter, "x", wait_s=10)
    clock.advance(3)
    line.harness.finish(holder)
    park(line, line.again(waiter), 20)
    later = line.one()
    assert isinstance(line.ask(later, "x"), Held)
    clock.advance(21)
    assert in_line(line) == {}
    line.harness.sweep.due()
    assert isinstance(line.ask(line.again(waiter), "x", wait_s=10), InLine)
    clock.advance(6)
    assert line.harness.sweep.due() == 0
    assert in_line(line) == {"lock:x": (1, 9)}
    clock.advance(2)
    line.harness.sweep.due()
    refused = line.ask(line.again(waiter), "x", wait_s=10)
    assert isinstance(refused, Refuse)
    assert refused.error.code == "lock_timeout"
    assert contention(line) == {"lock:x": 11}


def test_who_keeps_its_rank_at_another_gate_goes_before_who_came_later(line: Line, clock: TestClock) -> None:
    holder, waiter, later = line.one(), line.one(), line.one()
    line.ask(holder, "x")
    line.ask(waiter, "x")
    clock.advance(3)
    line.ask(later, "x")
    line.harness.finish(holder)
    park(line, line.again(waiter), 5)
    line.harness.sweep.lines()
    later = line.again(later)
    assert isinstance(line.ask(later, "x"), Held)
    last = line.one()
    line.ask(last, "x")
    clock.advance(6)
    line.harness.sweep.due()
    assert isinstance(line.ask(line.again(waiter), "x"), InLine)
    line.sent()
    line.harness.finish(later)
    assert line.sent() == [waiter.run_id]


def test_only_the_lock_that_keeps_a_step_out_counts_as_waited_for(line: Line, clock: TestClock) -> None:
    holder, waiter = line.one(), line.one()
    line.ask(holder, "b")
    line.ask(waiter, "a", "b")
    clock.advance(7)
    assert in_line(line) == {"lock:b": (1, 7)}
    line.harness.finish(holder)
    assert isinstance(line.ask(line.again(waiter), "a", "b"), Held)
    assert contention(line) == {"lock:b": 7}


def test_what_was_waited_for_in_one_line_after_the_other_counts_together(line: Line, clock: TestClock) -> None:
    first, second, waiter = line.one(), line.one(), line.one()
    line.ask(first, "a")
    line.ask(second, "b")
    line.ask(waiter, "a", "b", wait_s=20)
    clock.advance(7)
    line.harness.finish(first)
    line.harness.sweep.lines()
    clock.advance(5)
    assert in_line(line) == {"lock:b": (1, 5)}
    # The time that it may wait for is over before its turn comes.
    clock.advance(9)
    line.harness.sweep.due()
    refused = line.ask(line.again(waiter), "a", "b", wait_s=20)
    assert isinstance(refused, Refuse)
    assert refused.error.details == {"on": "lock:b", "holders": refused.error.details["holders"]}
    assert contention(line) == {"lock:a": 7, "lock:b": 14}


def rows_read(url: str, sql: str, *values: object) -> int:
    """How many requests a statement reads."""
    read = "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'lock_requests'"
    connection = open_connection(url, name="meter")
    connection.autocommit = False
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(sql, values)
        cursor.execute(read)
        found = cursor.fetchone()
    connection.close()
    assert found is not None
    return int(found[0])


def test_those_whom_another_lock_keeps_out_cost_a_line_nothing(line: Line, database_url: str) -> None:
    holder, user, next_user = line.one(), line.one(), line.one()
    line.ask(holder, "a")
    waiting = line.harness.start(*({"key": f"s{n}", "needs": []} for n in range(KEPT_OUT)))
    for n in range(KEPT_OUT):
        assert isinstance(line.ask(line.harness.claim(waiting, n), "a", "b"), InLine)
    line.harness.sweep.lines()

    wanted = '[{"key": "lock:b", "mode": "exclusive"}]'
    acquire = "SELECT acquire_locks(%s, 0, 1, %s, NULL, 30, 2)"
    assert rows_read(database_url, acquire, user.run, wanted) < 30
    assert rows_read(database_url, "SELECT wake_lines(200)") < 30
    assert isinstance(line.ask(next_user, "b"), InLine)
    line.harness.finish(user)
    next_user = line.again(next_user)
    assert isinstance(line.ask(next_user, "b"), Held)
    line.harness.finish(next_user)
    line.sent()
    line.harness.finish(holder)
    line.harness.sweep.lines()
    assert len(line.sent()) == 1


def test_a_long_line_moves_to_the_lock_that_keeps_it_out_now_and_goes_on_from_there(line: Line) -> None:
    first, second = line.one(), line.one()
    line.ask(first, "a")
    line.ask(second, "b")
    waiters = [line.one() for _ in range(4)]
    for waiter in waiters:
        assert isinstance(line.ask(waiter, "a", "b"), InLine)
    for holder in (first, second):
        line.sent()
        line.harness.finish(holder)
        line.harness.sweep.lines()
    for waiter in waiters:
        assert waiter.run_id in line.sent()
        lease = line.again(waiter)
        assert isinstance(line.ask(lease, "a", "b"), Held)
        line.harness.finish(lease)
        line.harness.sweep.lines()


def test_who_waits_for_a_lock_alone_is_not_stopped_by_those_who_wait_for_places_as_well(line: Line) -> None:
    """A place that is taken keeps the writer out of the line of its lock; readers behind it go on."""
    reader, busy = line.one(), line.one()
    assert isinstance(line.ask(reader, "x", shared=True), Held)
    writer, behind = line.one(), line.one()
    assert isinstance(ask(line, writer, "x", place=1), InLine)
    assert isinstance(line.ask(behind, "x", shared=True), InLine)
    line.sent()
    assert isinstance(line.place(busy, "p", 1), Held)
    line.harness.sweep.lines()
    assert behind.run_id in line.sent()
    assert isinstance(line.ask(line.again(behind), "x", shared=True), Held)
    for lease in (reader, busy, behind):
        line.harness.runs.stop(lease.run_id, ALICE)
