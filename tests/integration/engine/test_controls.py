"""Stop, pause, resume, retry, skip, signal, restart and fork: each one transition, right in every state."""

from __future__ import annotations

import pytest

from orchestration.core.decide import Cancelled, Failed, Snoozed, StepError, Succeeded
from orchestration.engine.planning import plan_rows
from orchestration.errors import (
    IllegalControl,
    InvalidWorkflow,
    NotAllowed,
    RunActive,
    RunExists,
    UnknownRun,
    UnknownStep,
)
from orchestration.ports import Actor
from schemas.statuses import Role, WaitReason
from schemas.workflow import StepSpec, WorkflowSpec
from tests.support.engine import ACTIONS, ALICE, Harness, TestClock

BROKEN = Failed(StepError("broken", "it broke"), permanent=True)
CHAIN = ({"key": "a"}, {"key": "b"}, {"key": "c"})


def expansion(*keys: str) -> dict[str, object]:
    rows = plan_rows([StepSpec(key=key, action="work") for key in keys], ACTIONS, 0)
    return {"steps": rows, "leaves": [row["position"] for row in rows if not row["dependents"]]}


def test_start_with_the_same_id_and_body_answers_the_same_run(engine: Harness) -> None:
    first = engine.start(*CHAIN, run_id="mine")
    again = engine.start(*CHAIN, run_id="mine")
    assert (first.created, again.created, again.run_id) == (True, False, "mine")
    with pytest.raises(RunExists):
        engine.start({"key": "other"}, run_id="mine")


def test_start_with_the_same_idempotency_key_answers_the_same_run(engine: Harness) -> None:
    workflow = WorkflowSpec.model_validate({"steps": [{"key": "a", "action": "work"}]})
    first = engine.runs.start(workflow, ALICE, idempotency_key="k1")
    assert engine.runs.start(workflow, ALICE, idempotency_key="k1").run_id == first.run_id
    other = workflow.model_copy(update={"name": "other"})
    with pytest.raises(RunExists):
        engine.runs.start(other, ALICE, idempotency_key="k1")
    bob = Actor("bob", Role.OPERATOR)
    assert engine.runs.start(workflow, bob, idempotency_key="k1").run_id != first.run_id


def test_one_unfinished_run_per_concurrency_key(engine: Harness) -> None:
    first = engine.start({"key": "a"}, concurrency_key="root@h:22")
    with pytest.raises(RunActive, match=first.run_id):
        engine.start({"key": "a"}, concurrency_key="root@h:22")
    engine.finish(engine.claim(first, 0), BROKEN)
    second = engine.start({"key": "a"}, concurrency_key="root@h:22")
    with pytest.raises(RunActive):
        engine.runs.retry(first.run_id, ALICE)
    engine.runs.stop(second.run_id, ALICE)
    engine.runs.retry(first.run_id, ALICE)


def test_stop_cancels_at_once_when_nothing_is_in_progress(engine: Harness) -> None:
    run = engine.start(*CHAIN)
    assert engine.runs.stop(run.run_id, ALICE).status == "cancelled"
    assert set(engine.statuses(run).values()) == {"cancelled"}
    with pytest.raises(IllegalControl):
        engine.runs.stop(run.run_id, ALICE)


def test_stop_waits_for_the_step_in_progress_and_is_idempotent(engine: Harness) -> None:
    run = engine.start(*CHAIN)
    lease = engine.claim(run, 0)
    assert engine.runs.stop(run.run_id, ALICE).status == "cancelling"
    assert engine.runs.stop(run.run_id, ALICE).status == "cancelling"
    engine.finish(lease, Cancelled())
    assert engine.run_status(run) == "cancelled"


def test_a_step_that_completes_while_stopping_keeps_its_result(engine: Harness) -> None:
    run = engine.start(*CHAIN)
    lease = engine.claim(run, 0)
    engine.runs.stop(run.run_id, ALICE)
    assert engine.finish(lease) == []
    assert engine.run_status(run) == "cancelled"
    assert engine.statuses(run) == {"a": "completed", "b": "cancelled", "c": "cancelled"}


def test_pause_lets_the_step_finish_and_claims_nothing_new(engine: Harness, clock: TestClock) -> None:
    run = engine.start(*CHAIN)
    lease = engine.claim(run, 0)
    assert engine.runs.pause(run.run_id, ALICE).status == "paused"
    assert engine.finish(lease) == []
    assert engine.attempts.claim(run.run_id, 1, "w1") is None
    clock.advance(3600)
    assert engine.sweep.due() == 0
    engine.recorder.sent.clear()
    assert engine.runs.resume(run.run_id, ALICE).status == "running"
    assert [step.position for step in engine.recorder.sent] == [1]
    engine.finish(engine.claim(run, 1))


def test_a_paused_run_whose_last_step_ends_is_completed(engine: Harness) -> None:
    run = engine.start({"key": "a"})
    lease = engine.claim(run, 0)
    engine.runs.pause(run.run_id, ALICE)
    engine.finish(lease)
    assert engine.run_status(run) == "completed"
    with pytest.raises(IllegalControl, match="completed"):
        engine.runs.pause(run.run_id, ALICE)


def test_retry_resets_what_failed_and_what_depends_on_it_and_keeps_the_fence(engine: Harness) -> None:
    run = engine.start(*CHAIN)
    engine.finish(engine.claim(run, 0))
    engine.finish(engine.claim(run, 1), BROKEN)
    engine.runs.retry(run.run_id, ALICE)
    assert engine.statuses(run) == {"a": "completed", "b": "ready", "c": "pending"}
    lease = engine.claim(run, 1)
    assert (lease.attempt, lease.failures) == (2, 0)
    engine.finish(lease)
    engine.finish(engine.claim(run, 2))
    assert engine.run_status(run) == "completed"


def test_retry_from_a_named_step_runs_it_again_in_a_completed_run(engine: Harness) -> None:
    run = engine.start(*CHAIN)
    for position in range(3):
        engine.finish(engine.claim(run, position))
    with pytest.raises(IllegalControl):
        engine.runs.retry(run.run_id, ALICE)
    with pytest.raises(UnknownStep):
        engine.runs.retry(run.run_id, ALICE, step="zz")
    engine.runs.retry(run.run_id, ALICE, step="b")
    assert engine.statuses(run) == {"a": "completed", "b": "ready", "c": "pending"}


def test_a_disabled_step_stays_skipped_over_a_retry(engine: Harness) -> None:
    run = engine.start({"key": "a"}, {"key": "off", "enabled": False}, {"key": "c", "needs": ["a", "off"]})
    engine.finish(engine.claim(run, 0), BROKEN)
    engine.runs.retry(run.run_id, ALICE)
    assert engine.statuses(run) == {"a": "ready", "off": "skipped", "c": "pending"}
    assert engine.finish(engine.claim(run, 0)) == [2]


def test_skip_goes_on_without_a_step(engine: Harness) -> None:
    run = engine.start(*CHAIN)
    engine.runs.skip(run.run_id, ALICE, step="b")
    engine.runs.skip(run.run_id, ALICE, step="a")
    assert engine.statuses(run) == {"a": "skipped", "b": "skipped", "c": "ready"}
    engine.claim(run, 2)
    with pytest.raises(IllegalControl, match="in_progress"):
        engine.runs.skip(run.run_id, ALICE, step="c")


def test_skipping_the_failed_step_lets_a_failed_run_go_on(engine: Harness) -> None:
    run = engine.start(*CHAIN)
    engine.finish(engine.claim(run, 0), BROKEN)
    assert engine.runs.skip(run.run_id, ALICE, step="a").status == "running"
    assert engine.statuses(run) == {"a": "skipped", "b": "ready", "c": "pending"}


def test_skipping_the_last_failed_step_completes_the_run(engine: Harness) -> None:
    run = engine.start({"key": "a"})
    engine.finish(engine.claim(run, 0), BROKEN)
    assert engine.runs.skip(run.run_id, ALICE, step="a").status == "completed"


def test_a_signal_wakes_its_step_once(engine: Harness) -> None:
    run = engine.start({"key": "ok", "action": "wait_for_signal"}, {"key": "b"})
    engine.finish(engine.claim(run, 0), Snoozed(WaitReason.SIGNAL, None))
    assert engine.step(run, 0)["waiting_for"] == "signal"
    engine.runs.signal(run.run_id, ALICE, step="ok", payload={"n": 1})
    with pytest.raises(IllegalControl, match="already"):
        engine.runs.signal(run.run_id, ALICE, step="ok", payload={"n": 2})
    assert engine.claim(run, 0).signal == {"n": 1}
    with pytest.raises(IllegalControl, match="no signal"):
        engine.runs.signal(run.run_id, ALICE, step="b", payload={})


def test_expanded_steps_run_before_the_dependents_of_the_step_that_made_them(engine: Harness) -> None:
    run = engine.start({"key": "plan"}, {"key": "report"})
    assert engine.finish(engine.claim(run, 0), Succeeded({}, expansion("x", "y"))) == [2]
    assert engine.statuses(run) == {"plan": "completed", "report": "pending", "x": "ready", "y": "pending"}
    assert engine.finish(engine.claim(run, 2)) == [3]
    assert engine.finish(engine.claim(run, 3)) == [1]
    engine.finish(engine.claim(run, 1), BROKEN)
    # Retrying the planner removes what it made, and never gives a position out twice.
    engine.runs.retry(run.run_id, ALICE, step="plan")
    assert engine.statuses(run) == {"plan": "ready", "report": "pending"}
    assert engine.finish(engine.claim(run, 0), Succeeded({}, expansion("x"))) == [4]


def test_an_expansion_over_the_limit_or_with_a_used_key_fails_the_step(engine: Harness) -> None:
    for keys in (("x", "y", "z"), ("report",)):
        run = engine.start({"key": "plan"}, {"key": "report"}, max_steps=4)
        engine.finish(engine.claim(run, 0), Succeeded({}, expansion(*keys)))
        assert engine.statuses(run) == {"plan": "failed", "report": "cancelled"}


def test_restart_and_fork_are_new_runs(engine: Harness) -> None:
    run = engine.start(*CHAIN, params={"size": 1})
    engine.finish(engine.claim(run, 0), Succeeded({"message": "done a"}))
    engine.finish(engine.claim(run, 1))
    engine.finish(engine.claim(run, 2), BROKEN)
    again = engine.runs.restart(run.run_id, ALICE)
    assert engine.statuses(again) == {"a": "ready", "b": "pending", "c": "pending"}
    fork = engine.runs.fork(run.run_id, ALICE, step="b", params={"n": 2})
    assert engine.statuses(fork) == {"a": "completed", "b": "ready", "c": "pending"}
    lease = engine.claim(fork, 1)
    assert lease.params == {"n": 2}
    kept = engine.attempts.load_result(lease, "a")
    assert kept is not None
    assert kept["result"] == {"message": "done a"}
    engine.finish(lease)
    engine.finish(engine.claim(fork, 2))
    assert engine.run_status(fork) == "completed"


def test_rights_are_those_of_the_person_acting_now(engine: Harness) -> None:
    run = engine.start({"key": "a", "action": "rooted"})
    engine.runs.stop(run.run_id, ALICE)
    bob = Actor("bob", Role.OPERATOR)
    for act in (
        lambda: engine.runs.retry(run.run_id, bob),
        lambda: engine.runs.restart(run.run_id, bob),
        lambda: engine.runs.fork(run.run_id, bob, step="a"),
        lambda: engine.runs.skip(run.run_id, bob, step="a"),
    ):
        with pytest.raises(NotAllowed):
            act()


def test_an_unknown_run_is_said_so(engine: Harness) -> None:
    with pytest.raises(UnknownRun):
        engine.runs.pause("nope", ALICE)


@pytest.mark.parametrize(
    ("steps", "where"),
    [
        ([{"key": "a", "action": "nope"}], "/steps/0/action"),
        ([{"key": "a", "needs": ["b"]}, {"key": "b", "needs": ["a"]}], "/steps/0/needs"),
        ([{"key": "a", "needs": ["zz"]}], "/steps/0/needs/0"),
        ([{"key": "a", "params": {"x": "{{ steps.b.result }}"}}, {"key": "b"}], "/steps/0"),
        ([{"key": "a", "enabled": False}], "/steps"),
        ([{"key": "a", "action": "remote"}], "/ssh"),
        ([{"key": "a", "on_failure": {"fallback": {"step": "zz"}}}], "/steps/0/on_failure/fallback/step"),
    ],
)
def test_a_workflow_that_cannot_run_is_refused_whole(
    engine: Harness, steps: list[dict[str, object]], where: str
) -> None:
    with pytest.raises(InvalidWorkflow) as refused:
        engine.start(*steps)
    assert refused.value.where == where
    assert refused.value.mend
    assert engine.database.call("SELECT count(*) FROM runs") == 0
