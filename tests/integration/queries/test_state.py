from __future__ import annotations

import json
from typing import Any

from orchestration.core.decide import Failed, Snoozed, StepError, Succeeded
from orchestration.engine.queries import Queries
from orchestration.ports import Actor
from schemas.state import MAX_STATE_BYTES, read_state
from schemas.statuses import Role, RunStatus, StepStatus, WaitReason
from schemas.workflow import WorkflowSpec
from tests.support.engine import ALICE, Harness

SSH = {"host": "10.1.2.3", "user": "root", "port": 2838}
BROKEN = Failed(StepError("refused", "connection refused", {"host": "gpu"}), permanent=True)


def state_of(queries: Queries, run_id: str, position: str | None = None) -> dict[str, Any]:
    found = queries.state_text(run_id, position)
    assert found is not None
    assert len(found[1].encode()) <= MAX_STATE_BYTES
    document: dict[str, Any] = json.loads(found[1])
    read_state(document)
    return document


def test_a_new_run_reads_as_old_clients_know_it(engine: Harness, queries: Queries) -> None:
    run = engine.start({"key": "a", "label": "First"}, {"key": "b"}, ssh=SSH, run_id="workflow_1_x", template_id="t")
    state = state_of(queries, run.run_id, "17-4")
    assert state["schema_version"] == "1.0"
    assert (state["workflow_id"], state["status"], state["active"]) == ("workflow_1_x", "running", True)
    assert (state["current_step"], state["total_steps"], state["position"]) == (0, 2, "17-4")
    assert (state["ssh_connection"], state["template_id"]) == ("ssh -p 2838 root@10.1.2.3", "t")
    first, second = state["steps"]
    assert (first["label"], first["status"], first["ready"], first["needs"]) == ("First", "pending", True, [])
    assert (second["status"], second["ready"], second["needs"]) == ("pending", False, ["a"])
    assert (first["progress"], first["result"], first["error"]) == (None, None, None)
    assert state["start_time"].endswith("Z")


def test_a_finished_step_shows_times_message_and_details(engine: Harness, queries: Queries) -> None:
    run = engine.start({"key": "a"}, {"key": "b"})
    lease = engine.claim(run, 0)
    engine.finish(lease, Succeeded({"message": "host up", "details": {"hostname": "gpu", "uptime": "6 days"}}))
    state = state_of(queries, run.run_id)
    step = state["steps"][0]
    assert step["status"] == "completed"
    assert step["result"] == {
        "success": True,
        "message": "host up",
        "details": {"hostname": "gpu", "uptime": "6 days"},
        "clipped": False,
    }
    assert step["duration_ms"] >= 0
    assert step["end_time"] >= step["start_time"]
    assert state["current_step"] == 1


def test_results_of_other_shapes_become_details(engine: Harness, queries: Queries) -> None:
    results: list[Any] = [None, 5, ["x"], {"free": 1}, {"message": "m", "free": 1}, {"details": "text"}, {"message": 3}]
    run = engine.start(*[{"key": f"k{n}", "needs": []} for n in range(len(results))])
    for position, result in enumerate(results):
        engine.finish(engine.claim(run, position), Succeeded(result))
    shown = [step["result"]["details"] for step in state_of(queries, run.run_id)["steps"]]
    assert shown == [{}, {"value": 5}, {"value": ["x"]}, {"free": 1}, {"free": 1}, {"details": "text"}, {"message": 3}]


def test_a_failed_step_shows_its_error_and_is_the_step_in_hand(engine: Harness, queries: Queries) -> None:
    run = engine.start({"key": "a"}, {"key": "b"}, {"key": "c"})
    engine.finish(engine.claim(run, 0))
    engine.finish(engine.claim(run, 1), BROKEN)
    state = state_of(queries, run.run_id)
    assert (state["status"], state["active"], state["current_step"]) == ("failed", False, 1)
    assert state["error"]["step"] == "b"
    step = state["steps"][1]
    assert step["result"] == {
        "success": False,
        "message": "connection refused",
        "error": "connection refused",
        "details": {"host": "gpu"},
        "clipped": False,
    }
    assert step["error"]["code"] == "refused"
    assert state["steps"][2]["status"] == "cancelled"


def test_a_step_that_waits_says_for_what_and_until_when(engine: Harness, queries: Queries) -> None:
    run = engine.start({"key": "a"})
    engine.finish(engine.claim(run, 0), Failed(StepError("refused", "connection refused")))
    step = state_of(queries, run.run_id)["steps"][0]
    assert (step["status"], step["waiting_for"], step["attempt"], step["failures"]) == ("pending", "retry", 1, 1)
    assert step["until"] is not None
    assert step["max_attempts"] == 3
    assert step["error"]["message"] == "connection refused"


def test_a_step_waiting_for_a_signal_has_no_end_of_its_wait(engine: Harness, queries: Queries) -> None:
    run = engine.start({"key": "a", "action": "wait_for_signal"})
    engine.finish(engine.claim(run, 0), Snoozed(WaitReason.SIGNAL, None))
    step = state_of(queries, run.run_id)["steps"][0]
    assert (step["waiting_for"], step["until"]) == ("signal", None)


def test_a_stopping_run_reads_running(engine: Harness, queries: Queries) -> None:
    run = engine.start({"key": "a"})
    engine.claim(run, 0)
    engine.runs.stop(run.run_id, ALICE)
    state = state_of(queries, run.run_id)
    assert (state["status"], state["stopping"], state["steps"][0]["stopping"]) == ("running", True, True)


def test_a_step_that_was_reset_no_longer_shows_its_old_outcome(engine: Harness, queries: Queries) -> None:
    run = engine.start({"key": "a"}, {"key": "b"})
    engine.finish(engine.claim(run, 0))
    engine.finish(engine.claim(run, 1), BROKEN)
    engine.runs.retry(run.run_id, ALICE, step="a")
    for step in state_of(queries, run.run_id)["steps"]:
        assert (step["status"], step["result"], step["error"]) == ("pending", None, None)


def test_a_forked_run_shows_the_results_it_brought_along(engine: Harness, queries: Queries) -> None:
    run = engine.start({"key": "a"}, {"key": "b"})
    engine.finish(engine.claim(run, 0), Succeeded({"message": "kept"}))
    engine.finish(engine.claim(run, 1))
    forked = engine.runs.fork(run.run_id, ALICE, step="b")
    state = state_of(queries, forked.run_id)
    assert state["forked_from"] == run.run_id
    assert state["steps"][0]["result"]["message"] == "kept"


def test_progress_is_shown_and_changes_the_tag_though_not_the_version(engine: Harness, queries: Queries) -> None:
    run = engine.start({"key": "a"})
    lease = engine.claim(run, 0)
    tags = [queries.version(run.run_id)]
    for percent in (10, 20):
        engine.attempts.save_progress(lease, {"type": "percentage", "percent": percent, "message": "copying"})
        tags.append(queries.version(run.run_id))
    state = queries.state(run.run_id)
    assert state is not None
    assert state.text is not None
    assert len(set(tags)) == 3
    assert state.etag == tags[-1]
    document = json.loads(state.text)
    assert document["steps"][0]["progress"]["percent"] == 20
    assert document["version"] == lease.version
    assert document["last_update"] > document["steps"][0]["start_time"]


def test_a_known_tag_is_answered_without_a_document(engine: Harness, queries: Queries) -> None:
    run = engine.start({"key": "a"})
    tag = queries.version(run.run_id)
    known = queries.state(run.run_id, known=tag)
    assert known is not None
    assert known.text is None
    engine.claim(run, 0)
    changed = queries.state(run.run_id, known=tag)
    assert changed is not None
    assert changed.text is not None


def test_an_unknown_run_has_neither_state_nor_tag(queries: Queries) -> None:
    assert queries.version("nobody") is None
    assert queries.state_text("nobody") is None
    assert queries.summary("nobody") is None


def test_large_details_are_cut_to_a_kib_and_say_so(engine: Harness, queries: Queries) -> None:
    run = engine.start({"key": "a"})
    details = {"hostname": "gpu", "listing": "x" * 5000, "uptime": "6 days"}
    engine.finish(engine.claim(run, 0), Succeeded({"message": "m" * 900, "details": details}))
    result = state_of(queries, run.run_id)["steps"][0]["result"]
    assert result["details"] == {"hostname": "gpu", "uptime": "6 days"}
    assert result["clipped"] is True
    assert len(result["message"]) == 500
    whole = queries.step(run.run_id, "a")
    assert whole["result"]["details"] == details


def test_a_long_run_shows_a_window_around_the_step_in_hand(engine: Harness, queries: Queries) -> None:
    run = engine.start(*[{"key": f"k{n}", "enabled": n >= 700} for n in range(1000)])
    state = state_of(queries, run.run_id)
    assert state["current_step"] == 700
    assert state["steps_truncated"] is True
    indexes = [step["index"] for step in state["steps"]]
    assert indexes == list(range(650, 850))
    assert state["total_steps"] == state["counts"]["total"] == 1000
    assert state["counts"]["skipped"] == 700


def test_the_window_is_full_at_both_ends_of_a_long_run(engine: Harness, queries: Queries) -> None:
    for current, expected in ((0, range(200)), (20, range(200)), (990, range(800, 1000)), (60, range(10, 210))):
        run = engine.start(*[{"key": f"k{n}", "enabled": n >= current} for n in range(1000)])
        assert [step["index"] for step in state_of(queries, run.run_id)["steps"]] == list(expected)


def test_secrets_in_parameters_and_metadata_are_not_shown(engine: Harness, queries: Queries) -> None:
    run = engine.start({"key": "a"}, params={"api_key": "s3cr3t-value", "size": 3}, metadata={"password": "hunter22"})
    text = json.dumps(state_of(queries, run.run_id))
    assert "s3cr3t-value" not in text
    assert "hunter22" not in text
    assert state_of(queries, run.run_id)["params"]["size"] == 3


def test_large_parameters_are_left_out_and_said(engine: Harness, queries: Queries) -> None:
    run = engine.start({"key": "a"}, params={"list": "x" * 20_000})
    state = state_of(queries, run.run_id)
    assert (state["params"], state["params_truncated"]) == (None, True)


def test_the_summary_holds_the_step_in_hand_and_stays_small(engine: Harness, queries: Queries) -> None:
    run = engine.start(*[{"key": f"k{n}", "label": "l" * 200} for n in range(400)])
    engine.finish(engine.claim(run, 0))
    lease = engine.claim(run, 1)
    engine.attempts.save_progress(lease, {"type": "checklist", "items": [{"label": "i" * 200}] * 60})
    summary = queries.summary(run.run_id)
    assert summary is not None
    assert (summary["current_step"], summary["step"]["key"], summary["percent"]) == (1, "k1", 0)
    assert summary["step"]["progress"]["items_total"] == 60
    assert len(json.dumps(summary)) < 8192


def test_the_current_run_is_the_newest_unfinished_then_the_last_just_finished(
    engine: Harness, queries: Queries, clock: Any
) -> None:
    bob = Actor("bob", Role.OPERATOR)
    assert queries.current_run("alice", 30) is None
    first, second = engine.start({"key": "a"}), engine.start({"key": "a"})
    engine.runs.start(WorkflowSpec.model_validate({"steps": [{"key": "a", "action": "work"}]}), bob, run_id="of-bob")
    assert queries.current_run("alice", 30) == second.run_id
    assert queries.current_run("bob", 30) == "of-bob"
    engine.finish(engine.claim(second, 0))
    assert queries.current_run("alice", 30) == first.run_id
    engine.finish(engine.claim(first, 0))
    assert queries.current_run("alice", 30) == first.run_id
    engine.runs.archive(first.run_id)
    assert queries.current_run("alice", 30) == second.run_id
    clock.advance(31)
    assert queries.current_run("alice", 30) is None


def test_the_words_of_the_wire_are_the_same_in_sql_and_python(engine: Harness) -> None:
    from api.wire import run_status, step_status

    for run in RunStatus:
        assert engine.database.call("SELECT wire_run_status(%s)", str(run)) == run_status(run)
    for step in StepStatus:
        assert engine.database.call("SELECT wire_step_status(%s)", str(step)) == step_status(step)
