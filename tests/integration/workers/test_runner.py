"""The path of a step in a worker, where PostgreSQL answers oddly or not at all."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

import logs
from orchestration.actions.context import CancelToken
from orchestration.actions.outcomes import Permanent
from orchestration.core.decide import Decision
from orchestration.engine.leases import Held, Lease
from orchestration.errors import StoreRefused, StoreUnavailable
from orchestration.secrets import SecretStore
from schemas.events import StepEvent
from tests.support.engine import Harness, declare
from workers.acting import Acting
from workers.emitter import Flusher
from workers.gating import Gating
from workers.keeper_client import KeeperClient
from workers.runner import Runner


class Line:
    """What is said to the keeper."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.draining = CancelToken().event
        self.token = CancelToken()

    def claiming(self, run_id: str, position: int) -> None:
        self.said.append("claiming")

    def refused(self, run_id: str, position: int) -> None:
        self.said.append("refused")

    def unheard(self, run_id: str, position: int | None) -> None:
        self.said.append("unheard" if position is None else f"unheard {position}")

    def hold(self, lease: Lease, token: CancelToken, *, hands_over_s: float, after: Held | None = None) -> Held:
        self.said.append("hold" if after is None else f"hold {lease.position} for {after.position}")
        self.hands_over_s = hands_over_s
        self.token = token
        return Held(lease.run, lease.position, lease.attempt)

    def drop(self, held: Held) -> None:
        self.said.append("drop")


def make_runner(
    engine: Harness,
    line: Line,
    function: Callable[..., Any] = lambda ctx, params: {"ok": True},
    hand_over_s: float = 0.0,
) -> Runner:
    return Runner(
        owner="w1",
        attempts=engine.attempts,
        keeper=cast(KeeperClient, line),
        acting=Acting({"work": declare("work", function=function)}, Gating(), {}),
        flusher=Flusher(0.01),
        secrets=SecretStore(None, {}),
        fault_hook=lambda point, run_id, key: line.said.append(point),
        hand_over_s=hand_over_s,
    )


def failing(engine: Harness, monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> None:
    """Let the next calls of `finish` raise these, one each."""
    left, real = list(errors), engine.attempts._finish

    def finish(lease: Lease, decision: Decision, hand_over: bool) -> Any:
        if left:
            raise left.pop(0)
        return real(lease, decision, hand_over)

    monkeypatch.setattr(engine.attempts, "_finish", finish)


def test_the_keeper_is_told_of_each_point_and_of_the_end_before_anybody_else(engine: Harness) -> None:
    line = Line()
    run = engine.start({"key": "a"})
    make_runner(engine, line).attempt(run.run_id, 0)
    assert line.said == [
        *("claiming", "hold", "claimed", "acted", "before_commit"),
        *("drop", "committed", "dispatched", "before_ack"),
    ]


def test_an_outcome_waits_for_postgresql(engine: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    run = engine.start({"key": "a"})
    failing(engine, monkeypatch, StoreUnavailable("away"), StoreUnavailable("away"))
    make_runner(engine, Line()).attempt(run.run_id, 0)
    assert engine.run_status(run) == "completed"


@pytest.mark.parametrize(("failures", "stored"), [(2, ["the end of the log\n"]), (1000, [])])
def test_an_outcome_waits_for_its_log_but_not_for_ever(
    engine: Harness, monkeypatch: pytest.MonkeyPatch, failures: int, stored: list[str]
) -> None:
    left, real = [StoreUnavailable("a stale connection")] * failures, engine.attempts.save_log

    def save_log(lease: Lease, pieces: Sequence[tuple[int, str, str]]) -> bool:
        if left:
            raise left.pop()
        return real(lease, pieces)

    monkeypatch.setattr(engine.attempts, "save_log", save_log)
    run = engine.start({"key": "a"})
    make_runner(engine, Line(), lambda ctx, params: ctx.log("the end of the log\n")).attempt(run.run_id, 0)
    assert engine.run_status(run) == "completed"
    assert [text for (text,) in engine.database.rows("SELECT text FROM logs")] == stored


def test_an_outcome_that_postgresql_refuses_fails_the_step_instead_of_losing_it(
    engine: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = engine.start({"key": "a"})
    failing(engine, monkeypatch, StoreRefused("value out of range"))
    make_runner(engine, Line()).attempt(run.run_id, 0)
    assert engine.run_status(run) == "failed"
    assert engine.database.call("SELECT error ->> 'code' FROM attempts") == "unstorable"


def test_what_is_refused_again_is_left_to_the_lease(engine: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    run, line = engine.start({"key": "a"}), Line()
    failing(engine, monkeypatch, StoreRefused("no such function"), StoreRefused("no such function"))
    with pytest.raises(StoreRefused):
        make_runner(engine, line).attempt(run.run_id, 0)
    assert line.said[-1] == "drop"


def test_an_attempt_lost_while_postgresql_was_away_is_given_up(
    engine: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, line = engine.start({"key": "a"}), Line()
    failing(engine, monkeypatch, *[StoreUnavailable("away")] * 1000)
    make_runner(engine, line, lambda ctx, params: line.token.cancel("lost")).attempt(run.run_id, 0)
    assert line.said[-2:] == ["drop", "before_ack"]


@pytest.mark.parametrize("error", [StoreUnavailable("away"), StoreRefused("refused"), ValueError("unreadable policy")])
def test_a_claim_whose_answer_is_not_understood_is_given_to_the_keeper(
    engine: Harness, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    line = Line()

    def claim(run_id: str, position: int, owner: str) -> None:
        line.draining.set()  # or it would be tried again
        raise error

    monkeypatch.setattr(engine.attempts, "claim", claim)
    runner = make_runner(engine, line)
    if isinstance(error, StoreUnavailable):
        runner.attempt("run", 0)
    else:
        with pytest.raises(type(error)):
            runner.attempt("run", 0)
    assert line.said == ["claiming", "unheard 0"]


def test_a_message_that_meets_an_outage_is_heeded_when_it_is_over(
    engine: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, line = engine.start({"key": "a"}), Line()
    real, away = engine.attempts.claim, [StoreUnavailable("away"), StoreUnavailable("away")]

    def claim(run_id: str, position: int, owner: str) -> Lease | None:
        if away:
            raise away.pop()
        return real(run_id, position, owner)

    monkeypatch.setattr(engine.attempts, "claim", claim)
    make_runner(engine, line).attempt(run.run_id, 0)
    assert engine.run_status(run) == "completed"
    assert line.said[:6] == ["claiming", "unheard 0", "claiming", "unheard 0", "claiming", "hold"]


def test_a_message_is_left_to_the_sweep_when_an_outage_is_too_long(
    engine: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.runner.LONGEST_OUTAGE_S", 0.0)
    run, line = engine.start({"key": "a"}), Line()

    def claim(run_id: str, position: int, owner: str) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(engine.attempts, "claim", claim)
    make_runner(engine, line).attempt(run.run_id, 0)
    assert line.said == ["claiming", "unheard 0"]
    assert engine.statuses(run) == {"a": "ready"}


def test_nothing_to_claim_and_a_drain_do_nothing(engine: Harness) -> None:
    line = Line()
    runner = make_runner(engine, line)
    runner.attempt("no-such-run", 0)
    line.draining.set()
    runner.attempt("no-such-run", 0)
    assert line.said == ["claiming", "refused"]


def test_what_an_attempt_used_is_stored_with_its_end_unless_it_was_short(engine: Harness) -> None:
    def work(ctx: Any, params: Any) -> None:
        if ctx.step_key != "short":
            ends = time.thread_time() + 0.02
            while time.thread_time() < ends:
                pass
        if ctx.step_key == "broken":
            raise Permanent("no")

    run = engine.start({"key": "long"}, {"key": "short"}, {"key": "broken"})
    make_runner(engine, Line(), work, hand_over_s=60).attempt(run.run_id, 0)
    long, short, broken = [row for (row,) in engine.database.rows("SELECT resources FROM attempts ORDER BY position")]
    assert short is None
    for used in (long, broken):
        assert 0.02 <= used["cpu_s"] <= used["wall_s"] + 0.01
        assert used["peak_memory_bytes"] > 1024**2
        assert (used["of"], used["estimated"]) == ("thread", True)


def test_what_went_over_the_network_is_told_also_of_a_short_attempt(engine: Harness) -> None:
    def work(ctx: Any, params: Any) -> None:
        if ctx.step_key == "talks":
            ctx.count_network(sent=10, received=300)
            ctx.count_network(received=5)
            ctx.count_tokens(prompt=20, completion=3)

    breaker = {"breaker": {"name": "nlp"}}
    run = engine.start({"key": "talks"} | breaker, {"key": "silent"} | breaker)
    make_runner(engine, Line(), work, hand_over_s=60).attempt(run.run_id, 0)
    talks, silent = [row for (row,) in engine.database.rows("SELECT resources FROM attempts ORDER BY position")]
    assert (talks["sent_bytes"], talks["received_bytes"], talks["agent"]) == (10, 305, "nlp")
    assert (talks["prompt_tokens"], talks["completion_tokens"]) == (20, 3)
    assert silent is None


def test_what_cannot_be_a_number_of_tokens_is_bounded(engine: Harness) -> None:
    def work(ctx: Any, params: Any) -> None:
        ctx.count_tokens(prompt=10**30, completion=-5)

    run = engine.start({"key": "a"})
    make_runner(engine, Line(), work, hand_over_s=60).attempt(run.run_id, 0)
    used = engine.database.call("SELECT resources FROM attempts")
    assert (used["prompt_tokens"], used["completion_tokens"]) == (2**40, 0)


def test_what_is_logged_within_an_attempt_names_it_and_shows_no_secret(
    engine: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_KNOWN", logs._KnownSecrets())
    formatter, lines = logs.JsonFormatter(), []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", lambda record: lines.append(json.loads(formatter.format(record))))

    def work(ctx: Any, params: Any) -> None:
        value = ctx.secret("door")
        logging.getLogger("some.library").warning("sent %s", value)
        time.sleep(0.01)

    run = engine.start({"key": "a"}, {"key": "b"})
    runner = replace(
        make_runner(engine, Line(), work, hand_over_s=60),
        secrets=SecretStore(None, {"PERDURE_SECRET_DOOR": "open-sesame-42"}),
    )
    root, level = logging.getLogger(), logging.getLogger("perdure.runner").level
    root.addHandler(handler)
    logging.getLogger("perdure.runner").setLevel(logging.INFO)
    try:
        runner.attempt(run.run_id, 0)
        logging.getLogger("some.library").warning("idle, and still open-sesame-42")
    finally:
        root.removeHandler(handler)
        logging.getLogger("perdure.runner").setLevel(level)
    assert "open-sesame-42" not in str(lines)
    sent = [line for line in lines if line["message"] == "sent [redacted]"]
    ended = [line for line in lines if line["message"] == "attempt ended"]
    for found in (sent, ended):
        assert [(line["run_id"], line["step"], line["attempt"]) for line in found] == [
            (run.run_id, key, 1) for key in "ab"
        ]
        assert {line["trace_id"] for line in found} == {logs.trace_id_of(run.run_id)}
    assert all(line["wall_s"] >= 0.01 and line["outcome"] == "completed" for line in ended)
    assert "run_id" not in lines[-1]


ENDED = ("acted", "before_commit")
TOLD = ("committed", "dispatched", "before_ack")


def test_within_its_slice_a_worker_goes_on_with_the_next_step_without_a_message(engine: Harness) -> None:
    run, line = engine.start({"key": "a"}, {"key": "b"}, {"key": "c"}), Line()
    make_runner(engine, line, hand_over_s=60).attempt(run.run_id, 0)
    assert engine.run_status(run) == "completed"
    assert [step.position for step in engine.recorder.sent] == [0]
    assert line.said == [
        *("claiming", "hold", "claimed", *ENDED, "hold 1 for 0", *TOLD),
        *("claimed", *ENDED, "hold 2 for 1", *TOLD),
        *("claimed", *ENDED, "drop", *TOLD),
    ]
    seen = [event for _, event in engine.recorder.events if isinstance(event, StepEvent)]
    assert [(event.key, event.status) for event in seen] == [
        (key, status) for key in "abc" for status in ("in_progress", "completed")
    ]
    versions = [event.version for event in seen]
    assert versions == sorted(versions)


def test_after_its_slice_a_worker_sends_a_message_so_that_others_have_their_turn(
    engine: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, line = engine.start({"key": "a"}, {"key": "b"}, {"key": "c"}), Line()
    passed = [0.0]
    monkeypatch.setattr("workers.runner.time", SimpleNamespace(monotonic=lambda: time.monotonic() + passed[0]))

    def slow(ctx: Any, params: Any) -> None:
        passed[0] += 61 if ctx.step_key == "b" else 0

    make_runner(engine, line, slow, hand_over_s=60).attempt(run.run_id, 0)
    assert engine.statuses(run) == {"a": "completed", "b": "completed", "c": "ready"}
    assert [step.position for step in engine.recorder.sent] == [0, 2]
    assert line.said[-4:] == ["drop", *TOLD]


def test_a_worker_that_drains_takes_nothing_over(engine: Harness) -> None:
    run, line = engine.start({"key": "a"}, {"key": "b"}), Line()
    make_runner(engine, line, lambda ctx, params: line.draining.set(), hand_over_s=60).attempt(run.run_id, 0)
    assert engine.statuses(run) == {"a": "completed", "b": "ready"}
    assert [step.position for step in engine.recorder.sent] == [0, 1]


def test_a_hand_over_whose_answer_is_lost_is_given_to_the_keeper(
    engine: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, line = engine.start({"key": "a"}, {"key": "b"}), Line()
    real = engine.attempts._finish

    def lost_answer(lease: Lease, decision: Decision, hand_over: bool) -> Any:
        answer = real(lease, decision, hand_over)
        if hand_over:
            raise StoreUnavailable("the answer was lost")
        return answer

    monkeypatch.setattr(engine.attempts, "_finish", lost_answer)
    make_runner(engine, line, hand_over_s=60).attempt(run.run_id, 0)
    assert engine.statuses(run) == {"a": "completed", "b": "in_progress"}
    assert line.said[-3:] == ["unheard", "drop", "before_ack"]
    assert engine.sweep.claimed_by("w1", run.run_id, None) == [Held(1, 1, 1)]


def test_a_hand_over_whose_answer_is_not_understood_is_given_to_the_keeper(
    engine: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, line = engine.start({"key": "a"}, {"key": "b"}), Line()
    engine.database.execute("UPDATE step_documents SET policy = '{}' WHERE position = 1")
    with pytest.raises(KeyError):
        make_runner(engine, line, hand_over_s=60).attempt(run.run_id, 0)
    assert line.said[-2:] == ["unheard", "drop"]


def test_a_step_that_was_handed_over_too_late_is_not_begun(engine: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    run, line = engine.start({"key": "a"}, {"key": "b"}), Line()
    monkeypatch.setattr("workers.runner.HAND_OVER_PATIENCE_S", 0.0)
    make_runner(engine, line, hand_over_s=60).attempt(run.run_id, 0)
    assert engine.statuses(run) == {"a": "completed", "b": "in_progress"}
    assert line.said[-5:] == ["unheard 1", "drop", *TOLD]
