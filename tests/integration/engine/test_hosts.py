"""Hosts as they report themselves, and what attempts used, in PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

from orchestration.core.decide import Failed, Snoozed, StepError, Succeeded
from orchestration.engine.hosts import Hosts
from orchestration.engine.queries import Queries
from orchestration.engine.runs import StartedRun
from orchestration.gates.load import Level, Load, LoadSample
from schemas.events import StepEvent
from schemas.statuses import WaitReason
from tests.support.engine import Harness, TestClock

SAMPLE = LoadSample(0.5, 0.25, 0.75, 1.5, 4.0, 8 << 30, 6 << 30, 1 << 30)
USED = {"wall_s": 1.5, "cpu_s": 0.7, "peak_memory_bytes": 1 << 20, "of": "process", "estimated": False}


def test_a_host_has_one_row_that_says_how_it_is_now(engine: Harness) -> None:
    hosts = Hosts(engine.database)
    hosts.report("box", SAMPLE, Load())
    hosts.report("box", replace(SAMPLE, cpu=0.97), Load(Level.CRITICAL, "cpu at 97 %"))
    hosts.report("attic", SAMPLE, Load())
    attic, box = hosts.all()
    assert (attic["host"], attic["level"], attic["reason"]) == ("attic", "ok", None)
    assert (box["level"], box["reason"], box["memory"], box["cores"]) == ("critical", "cpu at 97 %", 0.25, 4)
    assert box["memory_available_bytes"] == 6 << 30
    assert 0 <= box["silent_s"] < 30


def test_a_host_leaves_background_work_to_one_that_has_room_and_a_worker_for_it(engine: Harness) -> None:
    clock, hosts = TestClock(engine.database), Hosts(engine.database)
    run, people = engine.start({"key": "a"}, kind="background"), engine.start({"key": "a"})

    def left(to: StartedRun = run) -> bool:
        return engine.attempts.leave_to_others(to.run_id, 0, "full")

    hosts.report("full", SAMPLE, Load(Level.CRITICAL, "cpu at 97 %"))
    hosts.report("idle", SAMPLE, Load())
    assert not left(), "there is no worker"
    engine.database.execute(
        "INSERT INTO workers (id, name, host, boot_id, pid, started_at, queues) "
        "VALUES ('w9', 'io@idle', 'idle', 'b', 9, now(), '{other}')"
    )
    assert not left(), "it takes nothing from this queue"
    engine.database.execute("UPDATE workers SET queues = '{default,other}'")
    assert not left(people), "somebody waits for it"
    assert left()
    engine.recorder.sent.clear()
    pauses = []
    for _ in range(4):
        due = engine.database.call(
            "SELECT extract(epoch FROM due_at - clock_now())::float8 FROM steps WHERE run_id = 1"
        )
        pauses.append(round(due, 1))
        clock.advance(due)
        engine.sweep.due()
        assert left()
    assert pauses == [0.5, 1.0, 2.0, 4.0]
    assert [step.run_id for step in engine.recorder.sent].count(run.run_id) == 4
    hosts.report("idle", SAMPLE, Load(Level.HIGH, "cpu at 91 %"))
    assert not left()
    hosts.report("idle", SAMPLE, Load())
    clock.advance(30)
    assert not left(), "it may be gone"
    engine.claim(run, 0)
    hosts.report("idle", SAMPLE, Load())
    assert not left(), "somebody has it"


def test_hosts_that_are_silent_for_an_hour_are_forgotten(engine: Harness) -> None:
    clock, hosts = TestClock(engine.database), Hosts(engine.database)
    hosts.report("gone", SAMPLE, Load())
    clock.advance(3590)
    hosts.report("here", SAMPLE, Load())
    assert hosts.forget_silent() == 0
    clock.advance(20)
    assert hosts.forget_silent() == 1
    assert [host["host"] for host in hosts.all()] == ["here"]


def test_why_a_step_was_throttled_stands_in_its_state_its_attempt_and_the_trace(engine: Harness) -> None:
    run = engine.start({"key": "a"}, kind="background")
    lease = engine.claim(run, 0)
    engine.finish(lease, Snoozed(WaitReason.THROTTLED, lease.claimed_at, "throttle:box", 0.5, "cpu at 97 %"))
    queries = Queries(engine.database)
    step = queries.step(run.run_id, "a")
    assert (step["waiting_for"], step["why"], step["error"], step["failures"]) == ("throttled", "cpu at 97 %", None, 0)
    detail = queries.trace(run.run_id).rows[-1]["detail"]
    assert detail == {"waiting_for": "throttled", "on": "throttle:box", "message": "cpu at 97 %"}
    event = next(event for _, event in reversed(engine.recorder.events) if isinstance(event, StepEvent))
    assert (event.waiting_for, event.message) == ("throttled", "cpu at 97 %")

    engine.sweep.due()
    assert engine.attempts.claim(run.run_id, 0, "w1") is not None
    assert queries.step(run.run_id, "a")["why"] is None


def test_what_an_attempt_used_is_kept_with_it_however_it_ends(engine: Harness) -> None:
    run = engine.start({"key": "a"}, {"key": "b"}, {"key": "c"})
    for outcome in (Failed(StepError("broken", "no"), after_s=0), Succeeded(None)):
        engine.database.execute("UPDATE steps SET due_at = clock_now() WHERE status = 'waiting'")
        engine.sweep.due()
        engine.attempts.commit(engine.claim(run, 0), outcome, resources=USED)
    engine.attempts.commit(engine.claim(run, 1), Succeeded(None), hand_over=True)
    shown = {key: Queries(engine.database).step(run.run_id, key)["attempts"] for key in "ab"}
    assert [attempt["resources"] for attempt in shown["a"]] == [USED, USED]
    assert [attempt["resources"] for attempt in shown["b"]] == [None]
