"""The lines of breakers and of loaded hosts: who is called, in what order, and that nobody is forgotten."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from orchestration.core.decide import Failed, HandedBack, Snoozed, StepError, Succeeded
from orchestration.engine.hosts import Hosts
from orchestration.engine.leases import Lease
from orchestration.engine.runs import StartedRun
from orchestration.engine.waves import BREAKER, FIRST, LONGEST_PATIENCE_S, PATIENCE_S, Waves
from orchestration.gates.breaker import BreakerState, BreakerStatus
from orchestration.gates.load import Level, Load, LoadSample
from schemas.statuses import WaitReason
from tests.support.cost import Meter
from tests.support.engine import ALICE, Harness, TestClock

SAMPLE = LoadSample(0.5, 0.5, 0.5, 1.0, 2.0, 1 << 30, 1 << 29, 1 << 30)
HOUR_S = 3600.0
NLP = f"{BREAKER}nlp"
FAILED = Failed(StepError("http_503", "away"))


class Breakers:
    """What the janitor reads of them."""

    def __init__(self) -> None:
        self.state: BreakerState | None = BreakerState.OPEN
        self.successes = 0
        self.away = False
        self.asked: list[list[str]] = []

    def __call__(self, names: Sequence[str]) -> list[BreakerStatus] | None:
        self.asked.append(list(names))
        if self.away:
            return None
        return [] if self.state is None else [self.one(name) for name in names]

    def one(self, name: str) -> BreakerStatus:
        assert self.state is not None
        return BreakerStatus(name, self.state, None, self.successes, 0, 0, 0, 0, None, None, None, None, None)


@pytest.fixture
def breakers() -> Breakers:
    return Breakers()


@pytest.fixture
def waves(engine: Harness, breakers: Breakers) -> Waves:
    return Waves(engine.sweep, breakers)


def park(engine: Harness, run: StartedRun, position: int, on: str = NLP, spacing_s: float = 60.0) -> None:
    kept_out(engine, engine.claim(run, position), on, spacing_s)


def kept_out(engine: Harness, lease: Lease, on: str = NLP, spacing_s: float = 60.0) -> None:
    reason = WaitReason.BREAKER if on.startswith(BREAKER) else WaitReason.THROTTLED
    engine.finish(lease, Snoozed(reason, lease.claimed_at + timedelta(seconds=HOUR_S), on, spacing_s, "kept out"))


def parked(engine: Harness, count: int, on: str = NLP, **fields: Any) -> StartedRun:
    run = engine.start(*({"key": f"s{n}", "needs": []} for n in range(count)), **fields)
    for position in range(count):
        park(engine, run, position, on)
    return run


def ready(engine: Harness, *runs: StartedRun) -> int:
    return sum(list(engine.statuses(run).values()).count("ready") for run in runs)


def test_a_line_is_looked_at_only_while_somebody_stands_in_it(
    engine: Harness, waves: Waves, breakers: Breakers
) -> None:
    engine.start({"key": "a"})
    waves.release()
    assert breakers.asked == []
    parked(engine, 2)
    parked(engine, 1, f"{BREAKER}other")
    waves.release()
    assert breakers.asked == [["nlp", "other"]]


def test_nobody_is_called_while_it_is_open_or_nobody_can_say(engine: Harness, waves: Waves, breakers: Breakers) -> None:
    run = parked(engine, 3)
    for state in (BreakerState.OPEN, BreakerState.HALF_OPEN):
        breakers.state = state
        assert waves.release() == 0
    breakers.state, breakers.away = BreakerState.CLOSED, True
    assert waves.release() == 0
    assert ready(engine, run) == 0


@pytest.mark.parametrize("state", [BreakerState.CLOSED, None])
def test_once_it_is_closed_or_wiped_each_wave_that_went_well_is_followed_by_one_twice_as_large(
    engine: Harness, waves: Waves, breakers: Breakers, state: BreakerState | None
) -> None:
    run = parked(engine, 20)
    breakers.state = state
    called = [waves.release()]
    for _ in range(3):
        assert waves.release() == 0, "nothing has been heard of the wave before"
        breakers.state, breakers.successes = BreakerState.CLOSED, breakers.successes + 1
        called.append(waves.release())
    assert called == [2, 4, 8, 6]
    assert ready(engine, run) == 20


def test_of_whom_nothing_is_heard_keeps_the_others_only_for_a_while_and_then_for_longer(
    engine: Harness, waves: Waves, breakers: Breakers, clock: TestClock
) -> None:
    run = parked(engine, 20)
    breakers.state = BreakerState.CLOSED
    called = []
    for _ in range(4):
        waves.release()
        called.append(ready(engine, run))
        clock.advance(PATIENCE_S + 1)
    assert called == [FIRST, 2 * FIRST, 2 * FIRST, 3 * FIRST]


def test_one_that_opens_again_begins_anew_with_a_small_wave(engine: Harness, waves: Waves, breakers: Breakers) -> None:
    parked(engine, 20)
    for _ in range(3):
        breakers.state = BreakerState.CLOSED
        breakers.successes += 1
        assert waves.release() == FIRST
        breakers.state = BreakerState.OPEN
        assert waves.release() == 0


def test_a_run_that_was_paused_while_it_closed_is_called_once_it_is_resumed(
    engine: Harness, waves: Waves, breakers: Breakers
) -> None:
    run = parked(engine, 3)
    engine.runs.pause(run.run_id, ALICE)
    breakers.state = BreakerState.CLOSED
    assert waves.release() == 0
    engine.runs.resume(run.run_id, ALICE)
    assert waves.release() == FIRST


def test_who_is_more_urgent_goes_first_and_age_counts(
    engine: Harness, waves: Waves, breakers: Breakers, clock: TestClock
) -> None:
    old = parked(engine, 1, priority=1)
    clock.advance(20 * 30)
    low = parked(engine, 12, priority=1)
    critical = parked(engine, 1, priority=20)
    breakers.state = BreakerState.CLOSED
    waves.release()
    assert (ready(engine, old), ready(engine, low), ready(engine, critical)) == (1, 0, 1)


def test_while_it_is_open_the_more_urgent_is_due_earlier(engine: Harness) -> None:
    low = parked(engine, 3, priority=1)
    critical = parked(engine, 1, priority=20)
    late = parked(engine, 1, priority=1)
    due = [
        engine.step(low, 0),
        engine.step(critical, 0),
        engine.step(low, 1),
        engine.step(low, 2),
        engine.step(late, 0),
    ]
    minutes = [round(_seconds(engine, step["due_at"], due[0]["due_at"]) / 60) for step in due]
    assert minutes == [0, 0, 1, 2, 4]


def _seconds(engine: Harness, at: str, before: str) -> float:
    return float(engine.database.call("SELECT extract(epoch FROM %s::timestamptz - %s::timestamptz)", at, before))


def test_a_step_keeps_its_place_and_where_it_came_from_until_it_has_run(engine: Harness) -> None:
    run = parked(engine, 1)
    rank = engine.step(run, 0)["rank"]

    def again() -> Lease:
        engine.database.execute("UPDATE steps SET due_at = clock_now() WHERE due_at IS NOT NULL")
        engine.sweep.due()
        return engine.claim(run, 0)

    def kept() -> tuple[Any, Any]:
        step = engine.step(run, 0)
        return step["came_from"], step["rank"]

    lease = again()
    assert lease.came_from == NLP
    later = lease.claimed_at + timedelta(hours=1)
    engine.finish(lease, Snoozed(WaitReason.RATE_LIMIT, later, "rate:openai"))
    assert kept() == (NLP, rank)
    engine.finish(again(), Snoozed(WaitReason.RETRY, later, "budget:nlp"))
    assert kept() == (NLP, rank)
    engine.finish(again(), HandedBack())
    assert kept() == (NLP, rank)
    kept_out(engine, again(), "throttle:box")
    assert kept() == ("throttle:box", rank)
    engine.finish(again(), FAILED)
    assert kept() == (None, None)


def test_a_step_of_a_finished_run_that_is_retried_has_no_place_from_before(engine: Harness) -> None:
    run = parked(engine, 1)
    engine.runs.stop(run.run_id, ALICE)
    engine.runs.retry(run.run_id, ALICE)
    step = engine.step(run, 0)
    assert (step["status"], step["came_from"], step["rank"]) == ("ready", None, None)


def test_many_successes_at_once_call_each_step_once(engine: Harness, database_url: str) -> None:
    runs = [parked(engine, 8) for _ in range(5)]
    begin = threading.Barrier(8)
    engines = [Harness(database_url, size=1) for _ in range(8)]

    def succeed(one: Harness) -> None:
        begin.wait()
        for _ in range(2):
            one.attempts.wake_waiting(NLP, 2)

    threads = [threading.Thread(target=succeed, args=(one,)) for one in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Those whose run was locked by another are due, and found by the next sweep.
    engine.sweep.due()
    for one in engines:
        one.close()
    assert ready(engine, *runs) == 32


def test_a_wave_and_a_pause_at_once_leave_nothing_behind(
    engine: Harness, waves: Waves, breakers: Breakers, database_url: str
) -> None:
    breakers.state = None
    run = parked(engine, 30)
    other = Harness(database_url, size=1)

    def pause_and_resume() -> None:
        for _ in range(20):
            other.runs.pause(run.run_id, ALICE)
            other.runs.resume(run.run_id, ALICE)

    thread = threading.Thread(target=pause_and_resume)
    thread.start()
    while thread.is_alive():
        waves.release()
    thread.join()
    other.close()
    breakers.state = BreakerState.CLOSED
    for _ in range(10):
        breakers.successes += 1
        waves.release()
        engine.sweep.due()
    assert ready(engine, run) == 30


@pytest.mark.parametrize("level", [Level.OK, None])
def test_whom_a_host_kept_out_is_called_when_it_is_relieved_or_gone(
    engine: Harness, waves: Waves, clock: TestClock, level: Level | None
) -> None:
    hosts = Hosts(engine.database)
    hosts.report("box", SAMPLE, Load(Level.CRITICAL, "cpu at 99 %"))
    run = parked(engine, 6, "throttle:box", kind="background")
    for _ in range(10):
        clock.advance(5)
        hosts.report("box", SAMPLE, Load(Level.CRITICAL, "cpu at 99 %"))
        assert waves.release() == 0
    if level is None:
        clock.advance(30)
    else:
        hosts.report("box", SAMPLE, Load(level))
    assert (waves.release(), waves.release()) == (2, 4)
    assert ready(engine, run) == 6


def test_on_a_host_with_a_few_places_the_janitor_only_begins(engine: Harness, waves: Waves, clock: TestClock) -> None:
    hosts = Hosts(engine.database)
    run = parked(engine, 40, "throttle:box", kind="background")
    for _ in range(60):
        hosts.report("box", SAMPLE, Load(Level.HIGH, "cpu at 90 %"))
        waves.release()
        clock.advance(5)
    assert 2 * FIRST < ready(engine, run) <= (4 + 300 / LONGEST_PATIENCE_S) * FIRST


def test_while_a_host_is_critical_and_another_has_room_those_who_come_back_in_vain_are_called_more_and_more_seldom(
    engine: Harness, waves: Waves, clock: TestClock
) -> None:
    hosts = Hosts(engine.database)
    run = parked(engine, 4, "throttle:box", kind="background")
    attempts = 0
    for _ in range(240):
        hosts.report("box", SAMPLE, Load(Level.CRITICAL, "cpu at 99 %"))
        hosts.report("idle", SAMPLE, Load())
        waves.release()
        for position, status in enumerate(engine.statuses(run).values()):
            if status == "ready":
                attempts += 1
                park(engine, run, position, "throttle:box")
        clock.advance(1)
    assert 0 < attempts <= (4 + 240 / LONGEST_PATIENCE_S + 1) * FIRST


@pytest.mark.parametrize("generic", [False, True])
def test_what_a_look_a_call_and_a_place_in_line_cost_does_not_grow_with_the_line(
    engine: Harness, database_url: str, generic: bool
) -> None:
    costs: list[tuple[int, ...]] = []
    for size in (100, 3000):
        run = engine.start(*({"key": f"s{n}", "needs": []} for n in range(size)))
        engine.database.execute(
            "UPDATE steps SET status = 'waiting', waiting_for = 'breaker', waiting_on = %s, came_from = %s, "
            "rank = 1000 + position, due_at = clock_now() + interval '1 hour' "
            "WHERE run_id = (SELECT id FROM runs WHERE public_id = %s)",
            NLP,
            NLP,
            run.run_id,
        )
        engine.database.execute("VACUUM ANALYZE steps")
        meter = Meter(database_url, generic=generic)
        look = meter.call("SELECT read_gate_lines('', 500)")
        place = meter.call("SELECT ahead_in_line(%s, 1050)", NLP)
        call = meter.call("SELECT call_next(%s, 2)", NLP)
        assert (look.answer["lines"][0]["on"], call.answer) == (NLP, 2)
        assert not (look.scanned + place.scanned + call.scanned)["steps"]
        costs.append((look.buffers, place.buffers, call.buffers))
        meter.close()
        engine.runs.stop(run.run_id, ALICE)
        engine.database.execute("VACUUM ANALYZE steps")
    assert all(many <= few + 40 for few, many in zip(*costs, strict=True)), costs


def test_who_succeeds_is_done(engine: Harness, waves: Waves, breakers: Breakers) -> None:
    run = parked(engine, 2)
    breakers.state = BreakerState.CLOSED
    waves.release()
    for position in (0, 1):
        engine.finish(engine.claim(run, position), Succeeded(None))
    assert engine.run_status(run) == "completed"
    breakers.asked.clear()
    waves.release()
    assert breakers.asked == []
