"""What is bounded, what happens at the bound, and that nothing is half-written beyond it."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.core.decide import MAX_LOSSES, Failed, Lost, Snoozed, StepError, Succeeded
from orchestration.engine.attempts import CHECKPOINT_BYTES
from orchestration.engine.leases import Held
from orchestration.engine.planning import MAX_METADATA_BYTES, MAX_RUN_PARAMS_BYTES, plan_rows
from orchestration.engine.telling import MAX_EVENTS_A_FINISH
from orchestration.errors import InvalidWorkflow, TooLarge
from schemas.events import RunEvent, StepEvent
from schemas.statuses import WaitReason
from schemas.workflow import StepSpec
from tests.support.engine import ACTIONS, ALICE, Harness, TestClock

FLAKY = Failed(StepError("flaky", "try again"))


def expansion(*steps: StepSpec) -> dict[str, Any]:
    rows = plan_rows(steps, ACTIONS, 0)
    return {"steps": rows, "leaves": [row["position"] for row in rows if not row["dependents"]]}


def added(key: str, **fields: Any) -> StepSpec:
    return StepSpec.model_validate({"key": key, "action": "work"} | fields)


def test_an_expansion_fills_the_run_to_its_limit_and_not_beyond(engine: Harness) -> None:
    run = engine.start({"key": "plan"}, {"key": "report"}, max_steps=4)
    assert engine.finish(engine.claim(run, 0), Succeeded({}, expansion(added("x"), added("y")))) == [2]
    more = Succeeded({}, expansion(added("z")))
    engine.finish(engine.claim(run, 2), more)
    assert engine.statuses(run) == {"plan": "completed", "report": "cancelled", "x": "failed", "y": "cancelled"}
    error = engine.database.call("SELECT error FROM run_documents")
    assert (error["code"], error["step"]) == ("refused_expansion", "x")
    assert "limit is 4" in error["message"]


def test_an_expansion_by_nothing_goes_on_behind_its_step(engine: Harness) -> None:
    run = engine.start({"key": "plan"}, {"key": "report"})
    assert engine.finish(engine.claim(run, 0), Succeeded({}, {"steps": [], "leaves": []})) == [1]


def test_an_expansion_of_the_last_step_keeps_the_run_open(engine: Harness) -> None:
    run = engine.start({"key": "plan"})
    assert engine.finish(engine.claim(run, 0), Succeeded({}, expansion(added("x")))) == [1]
    assert engine.run_status(run) == "running"
    engine.finish(engine.claim(run, 1))
    assert engine.run_status(run) == "completed"


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([added("x", needs=[]), added("x", needs=[])], "given twice"),
        ([added("x"), added("y", enabled=False)], "disabled"),
        ([added("plan")], "already used"),
    ],
)
def test_an_expansion_that_could_not_run_fails_its_step_and_adds_nothing(
    engine: Harness, steps: list[StepSpec], said: str
) -> None:
    run = engine.start({"key": "plan"}, {"key": "report"})
    engine.finish(engine.claim(run, 0), Succeeded({}, expansion(*steps)))
    assert engine.statuses(run) == {"plan": "failed", "report": "cancelled"}
    assert said in engine.database.call("SELECT error ->> 'message' FROM run_documents")


def test_a_retry_without_delay_is_tried_again_at_once(engine: Harness) -> None:
    run = engine.start({"key": "a", "retry": {"max_attempts": 2, "base_delay_s": 0}})
    engine.finish(engine.claim(run, 0), FLAKY)
    assert engine.sweep.due() == 1
    engine.finish(engine.claim(run, 0))
    assert engine.run_status(run) == "completed"


def test_a_step_that_keeps_killing_its_worker_fails_at_the_limit(engine: Harness) -> None:
    run = engine.start({"key": "a"})
    for _ in range(MAX_LOSSES):
        lease = engine.claim(run, 0)
        engine.sweep.end_attempt(Held(lease.run, 0, lease.attempt), Lost(counted=True))
    assert engine.run_status(run) == "failed"
    assert engine.database.call("SELECT error ->> 'code' FROM run_documents") == "worker_lost"


def test_a_worker_that_is_restarted_any_number_of_times_costs_a_step_nothing(engine: Harness, clock: TestClock) -> None:
    run = engine.start({"key": "a"})
    for _ in range(MAX_LOSSES + 2):
        engine.claim(run, 0)
        clock.advance(engine.attempts.lease_s + 1)
        assert engine.sweep.expired() == 1
    step = engine.step(run, 0)
    assert (step["status"], step["failures"], step["losses"]) == ("ready", 0, 0)


def test_a_lease_that_is_renewed_between_the_look_and_the_end_is_not_ended(engine: Harness, clock: TestClock) -> None:
    run = engine.start({"key": "a"})
    lease = engine.claim(run, 0)
    clock.advance(engine.attempts.lease_s + 1)
    (row,) = engine.database.call("SELECT attempts_held(NULL, 10)")
    held = Held(lease.run, 0, lease.attempt)
    assert engine.attempts.heartbeat("w1", [held]) == {held: "ok"}
    assert engine.sweep.end(row, Lost(counted=False), lease_before=row["lease_until"]) == 0
    engine.finish(lease)


def test_a_wait_for_a_signal_with_a_time_ends_at_that_time(engine: Harness, clock: TestClock) -> None:
    run = engine.start({"key": "s", "action": "wait_for_signal"})
    lease = engine.claim(run, 0)
    until = engine.database.call("SELECT clock_now() + interval '10 s'")
    assert engine.finish(lease, Snoozed(WaitReason.SIGNAL, until)) == []
    assert engine.sweep.due() == 0
    clock.advance(11)
    assert engine.sweep.due() == 1
    assert engine.claim(run, 0).signal is None


def test_a_checkpoint_over_its_limit_is_refused_and_the_one_before_stays(engine: Harness, clock: TestClock) -> None:
    run = engine.start({"key": "a"})
    lease = engine.claim(run, 0)
    engine.attempts.save_checkpoint(lease, "x" * (CHECKPOINT_BYTES - 2))
    with pytest.raises(TooLarge):
        engine.attempts.save_checkpoint(lease, "y" * CHECKPOINT_BYTES)
    clock.advance(engine.attempts.lease_s + 1)
    engine.sweep.expired()
    assert engine.claim(run, 0).checkpoint[0] == "x"


def test_logs_are_cut_at_four_mebibytes_a_step(engine: Harness) -> None:
    run = engine.start({"key": "a"})
    lease = engine.claim(run, 0)
    mebibyte = "x" * 1024**2
    kept = [engine.attempts.save_log(lease, [(n * 1024**2, "info", mebibyte)]) for n in range(6)]
    assert kept == [True] * 4 + [False] * 2
    assert engine.database.call("SELECT sum(octet_length(text)) FROM logs") == 4 * 1024**2


def test_logs_are_cut_at_sixty_four_mebibytes_a_run(engine: Harness) -> None:
    run = engine.start(*({"key": f"s{n}", "needs": []} for n in range(2)))
    engine.database.execute("INSERT INTO log_sizes SELECT id, -1, 67108864 - 1000 FROM runs")
    lease = engine.claim(run, 0)
    assert engine.attempts.save_log(lease, [(0, "info", "x" * 1000)])
    assert not engine.attempts.save_log(engine.claim(run, 1), [(0, "info", "x")])


def test_a_wide_fan_out_tells_only_so_many_steps_and_the_run(engine: Harness) -> None:
    run = engine.start({"key": "root", "needs": []}, *({"key": f"s{n}", "needs": ["root"]} for n in range(200)))
    lease = engine.claim(run, 0)
    engine.recorder.events.clear()
    assert len(engine.finish(lease)) == 200
    told = [event for _, event in engine.recorder.events]
    assert sum(isinstance(event, StepEvent) for event in told) == 1 + MAX_EVENTS_A_FINISH
    assert isinstance(told[-1], RunEvent)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"params": {"x": "y" * MAX_RUN_PARAMS_BYTES}}, "/params"),
        ({"metadata": {"x": "y" * MAX_METADATA_BYTES}}, "/metadata"),
    ],
)
def test_oversize_run_parameters_and_metadata_leave_no_run(engine: Harness, fields: dict[str, Any], where: str) -> None:
    with pytest.raises(TooLarge) as refused:
        engine.start({"key": "a"}, **fields)
    assert refused.value.where == where
    assert engine.database.call("SELECT count(*) FROM runs") == 0


@pytest.mark.parametrize("run_id", ["", "a b", "x" * 129, "../x", "é", "a\n"])
def test_a_malformed_id_leaves_no_run(engine: Harness, run_id: str) -> None:
    with pytest.raises(InvalidWorkflow):
        engine.start({"key": "a"}, run_id=run_id)
    assert engine.database.call("SELECT count(*) FROM runs") == 0


def test_purging_is_bounded_and_leaves_nothing_of_a_run(engine: Harness, clock: TestClock) -> None:
    for _ in range(3):
        run = engine.start({"key": "a"})
        lease = engine.claim(run, 0)
        engine.attempts.save_checkpoint(lease, 1)
        engine.attempts.save_progress(lease, {"type": "simple"})
        engine.attempts.save_log(lease, [(0, "info", "hello")])
        engine.finish(lease)
    unfinished = engine.start({"key": "a"})
    clock.advance(10 * 86_400)
    assert engine.database.call("SELECT purge_runs(clock_now(), 2)") == 2
    assert engine.sweep.purge(11) == 0
    assert engine.sweep.purge(9) == 1
    tables = (
        "runs",
        "run_documents",
        "steps",
        "step_documents",
        "attempts",
        "trace",
        "checkpoints",
        "progress",
        "logs",
    )
    left = {table: engine.database.call(f"SELECT count(*) FROM {table}") for table in tables}
    assert left == dict.fromkeys(tables, 0) | {
        "runs": 1,
        "run_documents": 1,
        "steps": 1,
        "step_documents": 1,
        "trace": 1,
    }
    engine.finish(engine.claim(unfinished, 0))


def test_a_signal_or_a_skip_sends_only_the_steps_it_made_ready(engine: Harness) -> None:
    wide = [{"key": f"s{n}", "needs": []} for n in range(20)]
    ask = {"key": "ask", "action": "wait_for_signal", "needs": []}
    run = engine.start(*wide, ask, {"key": "off", "needs": []}, {"key": "behind", "needs": ["off"]})
    engine.finish(engine.claim(run, 20), Snoozed(WaitReason.SIGNAL, None))
    engine.recorder.sent.clear()
    engine.runs.signal(run.run_id, ALICE, step="ask", payload={})
    assert [step.position for step in engine.recorder.sent] == [20]
    engine.recorder.sent.clear()
    engine.runs.skip(run.run_id, ALICE, step="off")
    assert [step.position for step in engine.recorder.sent] == [22]


def test_messages_keep_the_priority_of_their_run_whatever_sends_them(engine: Harness, clock: TestClock) -> None:
    run = engine.start(
        {"key": "ask", "action": "wait_for_signal"}, {"key": "b"}, {"key": "c"}, {"key": "d"}, priority=17
    )
    engine.finish(engine.claim(run, 0), Snoozed(WaitReason.SIGNAL, None))
    engine.runs.signal(run.run_id, ALICE, step="ask", payload={})
    engine.finish(engine.claim(run, 0))
    engine.runs.skip(run.run_id, ALICE, step="b")
    engine.runs.pause(run.run_id, ALICE)
    engine.runs.resume(run.run_id, ALICE)
    engine.finish(engine.claim(run, 2), Failed(StepError("broken", "it broke"), permanent=True))
    engine.runs.retry(run.run_id, ALICE)
    clock.advance(60)
    engine.sweep.due()
    assert [step.position for step in engine.recorder.sent] == [0, 0, 1, 2, 2, 2, 2]
    assert {step.priority for step in engine.recorder.sent} == {17}
