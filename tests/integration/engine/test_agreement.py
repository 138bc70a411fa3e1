"""The SQL functions do what the table of transitions says, for every status and event that a real run can meet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from orchestration.core.decide import Cancelled, Failed, HandedBack, Outcome, Skipped, Snoozed, StepError, Succeeded
from orchestration.core.transitions import RunEvent, StepEvent, controls, next_run_statuses, next_step_status
from orchestration.engine.runs import StartedRun
from orchestration.errors import IllegalControl, PerdureError
from schemas.statuses import RunStatus, StepStatus, WaitReason
from tests.support.engine import ALICE, Harness, TestClock

BROKEN = Failed(StepError("broken", "it broke"), permanent=True)
FLAKY = Failed(StepError("flaky", "try again"))
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def a_run(engine: Harness, status: RunStatus, *, in_flight: bool) -> StartedRun:
    """A run of two steps in a status, with or without an attempt in progress."""
    run = engine.start({"key": "a", "needs": []}, {"key": "b", "needs": []})
    if in_flight or status == RunStatus.CANCELLING:
        engine.claim(run, 0)
    match status:
        case RunStatus.PENDING:
            engine.database.execute("UPDATE runs SET status = 'pending'")  # nothing begins a run so, yet
        case RunStatus.PAUSED:
            engine.runs.pause(run.run_id, ALICE)
        case RunStatus.CANCELLING | RunStatus.CANCELLED:
            engine.runs.stop(run.run_id, ALICE)
        case RunStatus.COMPLETED | RunStatus.FAILED:
            engine.finish(engine.claim(run, 0))
            engine.finish(engine.claim(run, 1), Succeeded({}) if status == RunStatus.COMPLETED else BROKEN)
    assert engine.run_status(run) == status
    return run


@pytest.mark.parametrize(
    ("status", "in_flight"),
    [*((status, False) for status in RunStatus), (RunStatus.RUNNING, True), (RunStatus.PAUSED, True)],
)
@pytest.mark.parametrize("event", [RunEvent.PAUSE, RunEvent.RESUME, RunEvent.STOP, RunEvent.RETRY])
def test_a_control_of_a_run_is_taken_exactly_where_it_is_offered(
    engine: Harness, status: RunStatus, in_flight: bool, event: RunEvent
) -> None:
    run = a_run(engine, status, in_flight=in_flight)
    act: dict[RunEvent, Callable[[], object]] = {
        RunEvent.PAUSE: lambda: engine.runs.pause(run.run_id, ALICE),
        RunEvent.RESUME: lambda: engine.runs.resume(run.run_id, ALICE),
        RunEvent.STOP: lambda: engine.runs.stop(run.run_id, ALICE),
        RunEvent.RETRY: lambda: engine.runs.retry(run.run_id, ALICE, step="b"),
    }
    if event in controls(status):
        act[event]()
        assert engine.run_status(run) in next_run_statuses(status, event)
    else:
        before = engine.statuses(run)
        with pytest.raises(IllegalControl):
            act[event]()
        assert engine.run_status(run) == status
        assert engine.statuses(run) == before


def a_step(engine: Harness, status: StepStatus) -> StartedRun:
    """A run whose step `s`, at position 1, has a status. What has ended has ended its run, so that it can be reset."""
    run = engine.start({"key": "first"}, {"key": "s", "action": "wait_for_signal"}, {"key": "last"})
    if status == StepStatus.PENDING:
        return run
    engine.finish(engine.claim(run, 0))
    if status == StepStatus.READY:
        return run
    if status == StepStatus.CANCELLED:
        engine.runs.stop(run.run_id, ALICE)
        return run
    lease = engine.claim(run, 1)
    if status == StepStatus.IN_PROGRESS:
        return run
    ends: dict[StepStatus, Outcome] = {
        StepStatus.WAITING: Snoozed(WaitReason.SIGNAL, None),
        StepStatus.COMPLETED: Succeeded({}),
        StepStatus.SKIPPED: Skipped("no need"),
        StepStatus.FAILED: BROKEN,
    }
    engine.finish(lease, ends[status])
    if status in (StepStatus.COMPLETED, StepStatus.SKIPPED):
        engine.finish(engine.claim(run, 2), BROKEN)
    return run


@pytest.mark.parametrize("status", StepStatus)
@pytest.mark.parametrize("event", [StepEvent.CLAIM, StepEvent.SKIP, StepEvent.RESET, StepEvent.CANCEL])
def test_an_event_of_a_step_leads_where_the_table_says(engine: Harness, status: StepStatus, event: StepEvent) -> None:
    run = a_step(engine, status)
    assert engine.statuses(run)["s"] == status
    expected = next_step_status(status, event)
    if (status, event) == (StepStatus.IN_PROGRESS, StepEvent.SKIP):
        expected = None  # its own attempt may skip it, a person may not
    try:
        match event:
            case StepEvent.CLAIM:
                engine.attempts.claim(run.run_id, 1, "w2")
            case StepEvent.SKIP:
                engine.runs.skip(run.run_id, ALICE, step="s")
            case StepEvent.RESET:
                engine.runs.retry(run.run_id, ALICE, step="s")
            case StepEvent.CANCEL:
                engine.runs.stop(run.run_id, ALICE)
    except IllegalControl:
        assert expected is None
    if event == StepEvent.RESET and expected is not None:
        expected = StepStatus.READY  # released in the same transition: what it needs is done
    if event == StepEvent.CANCEL and status == StepStatus.IN_PROGRESS:
        assert engine.step(run, 1)["stop_requested"]
        expected = None  # asked, and cancelled once its worker says so
    assert engine.statuses(run)["s"] == (expected or status)


@pytest.mark.parametrize("status", StepStatus)
def test_a_signal_wakes_what_waits_for_it_and_is_kept_for_what_has_not_ended(
    engine: Harness, status: StepStatus
) -> None:
    run = a_step(engine, status)
    if status.is_ended:
        with pytest.raises(PerdureError):
            engine.runs.signal(run.run_id, ALICE, step="s", payload={})
    else:
        engine.runs.signal(run.run_id, ALICE, step="s", payload={})
        assert engine.database.call("SELECT count(*) FROM signals") == 1
    waiting = status == StepStatus.WAITING
    assert engine.statuses(run)["s"] == (next_step_status(status, StepEvent.SIGNAL) if waiting else status)


@pytest.mark.parametrize(
    ("outcome", "event"),
    [
        (Succeeded({}), StepEvent.COMPLETE),
        (Skipped("no need"), StepEvent.SKIP),
        (BROKEN, StepEvent.FAIL),
        (FLAKY, StepEvent.RETRY_LATER),
        (Snoozed(WaitReason.DELAY, LATER), StepEvent.WAIT),
        (HandedBack(), StepEvent.HAND_BACK),
        (Cancelled(), StepEvent.CANCEL),
    ],
)
@pytest.mark.parametrize("control", ["nothing", "pause", "stop"])
def test_the_end_of_an_attempt_leads_where_the_table_says(
    engine: Harness, outcome: Outcome, event: StepEvent, control: str
) -> None:
    run = engine.start({"key": "s"}, {"key": "next"})
    lease = engine.claim(run, 0)
    if control != "nothing":
        getattr(engine.runs, control)(run.run_id, ALICE)
    engine.finish(lease, outcome)
    if control == "stop" and event in (StepEvent.RETRY_LATER, StepEvent.WAIT, StepEvent.HAND_BACK):
        event = StepEvent.CANCEL
    if control != "stop" and event == StepEvent.CANCEL:
        event = StepEvent.FAIL
    assert engine.statuses(run)["s"] == next_step_status(StepStatus.IN_PROGRESS, event)


def test_waits_become_due_and_delays_follow_a_release(engine: Harness, clock: TestClock) -> None:
    run = engine.start({"key": "a"}, {"key": "b", "delay_s": 5})
    engine.finish(engine.claim(run, 0))
    assert engine.statuses(run)["b"] == next_step_status(StepStatus.PENDING, StepEvent.DELAY)
    clock.advance(6)
    engine.sweep.due()
    assert engine.statuses(run)["b"] == next_step_status(StepStatus.WAITING, StepEvent.BECOME_DUE)
