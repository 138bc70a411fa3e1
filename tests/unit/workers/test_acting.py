"""From a claimed step to an outcome: conditions, parameters, gates, and whatever an action returns or raises."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from orchestration.actions.context import CancelToken
from orchestration.actions.outcomes import ActionCancelled, Expand, Permanent, Result, Retryable, WaitUntil
from orchestration.core.decide import (
    Cancelled,
    Failed,
    HandedBack,
    Outcome,
    Skipped,
    Snoozed,
    StepError,
    StepPolicy,
    Succeeded,
)
from orchestration.errors import LeaseLost, StoreUnavailable
from orchestration.gates.gate import Admit, Gate, GateRequest, Refuse, Verdict, Wait
from schemas.flow import BreakerSpec, FlowSpec
from schemas.statuses import WaitReason
from schemas.workflow import StepSpec
from tests.support.engine import declare
from tests.support.leases import make_emitter, make_lease
from workers.acting import LONGEST_DELAY_S, Acting
from workers.gating import Gating, Parked


def act(
    function: Callable[..., Any] = lambda ctx, params: None,
    *,
    gates: Sequence[Gate] = (),
    token: CancelToken | None = None,
    lease: dict[str, Any] | None = None,
    **declaration: Any,
) -> Outcome:
    actions = {
        "work": declare("work", function=function, **declaration),
        "remote": declare("remote", needs_host=True),
        "rooted": declare("rooted", role="admin"),
    }
    acting = Acting(actions, Gating(gates), {})
    outcome = acting.outcome(make_lease(**lease or {}), token or CancelToken(), make_emitter())
    assert not isinstance(outcome, Parked)
    return outcome


def raising(error: BaseException) -> Callable[..., Any]:
    def function(ctx: Any, params: Any) -> Any:
        raise error

    return function


def error_of(outcome: Outcome) -> StepError:
    assert isinstance(outcome, Failed), outcome
    return outcome.error


@pytest.mark.parametrize(
    ("returned", "result"),
    [
        (None, None),
        ({"a": math.nan, "b": {1}}, {"a": None, "b": [1]}),
        (Result("done", {"n": 1}), {"message": "done", "details": {"n": 1}}),
        (Expand([], "nothing to add"), {"message": "nothing to add", "details": {}}),
    ],
)
def test_what_an_action_returns_becomes_its_result(returned: Any, result: Any) -> None:
    assert act(lambda ctx, params: returned) == Succeeded(result)


def test_a_result_that_is_too_large_fails_for_good() -> None:
    outcome = act(lambda ctx, params: {"text": "x" * 300_000})
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.permanent) == ("too_large", True)


@pytest.mark.parametrize(
    ("error", "code", "permanent"),
    [
        (Permanent("no"), "permanent", True),
        (Permanent("no", code="http.404"), "http.404", True),
        (Retryable("later", code="http.503"), "http.503", False),
        (Retryable("later", code="no\0code"), "retryable", False),
        (Retryable("later"), "retryable", False),
        (ActionCancelled(""), "gave_up", True),
        (LeaseLost("taken over"), "lease_lost", True),
        (StoreUnavailable("away"), "store_unavailable", False),
        (ValueError("odd"), "exception", False),
        (SystemExit(1), "exception", False),
        (KeyboardInterrupt(), "exception", False),
    ],
)
def test_whatever_an_action_raises_becomes_a_failure(error: BaseException, code: str, permanent: bool) -> None:
    outcome = act(raising(error))
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.permanent) == (code, permanent)


@pytest.mark.parametrize(
    ("after", "kept"),
    [(1.5, 1.5), (None, None), (-1.0, None), (math.nan, None), (math.inf, LONGEST_DELAY_S), (1e300, LONGEST_DELAY_S)],
)
def test_a_delay_that_no_calendar_has_is_bounded(after: float | None, kept: float | None) -> None:
    outcome = act(raising(Retryable("busy", after=after)))
    assert isinstance(outcome, Failed)
    assert outcome.after_s == kept


def test_an_action_waits_for_a_time_or_a_signal() -> None:
    until = datetime(2031, 1, 1, tzinfo=UTC)
    assert act(raising(WaitUntil("delay", until))) == Snoozed(WaitReason.DELAY, until)
    assert act(raising(WaitUntil("delay", until.replace(tzinfo=None)))) == Snoozed(WaitReason.DELAY, until)
    assert act(raising(WaitUntil("signal"))) == Snoozed(WaitReason.SIGNAL, None)


@pytest.mark.parametrize("wait", [WaitUntil("tea", datetime(2031, 1, 1, tzinfo=UTC)), WaitUntil("delay")])
def test_a_wait_that_nothing_would_end_is_a_failure(wait: WaitUntil) -> None:
    outcome = act(raising(wait))
    assert isinstance(outcome, Failed)
    assert outcome.permanent


def test_a_false_condition_skips_the_step_and_a_broken_one_fails_it() -> None:
    assert isinstance(act(lease={"when": "params.go", "run_params": {"go": False}}), Skipped)
    assert act(lease={"when": "params.go", "run_params": {"go": True}}) == Succeeded(None)
    assert isinstance(act(lease={"when": "params.go >"}), Failed)


class Strict(BaseModel):
    seconds: int

    @field_validator("seconds")
    @classmethod
    def _odd(cls, value: int) -> int:
        return {0: value}[value]


def test_parameters_that_do_not_fit_once_resolved_fail_for_good() -> None:
    outcome = act(params=Strict, lease={"params": {"seconds": "{{ params.n }}"}, "run_params": {"n": "many"}})
    assert error_of(outcome).code == "invalid_parameters"
    assert "seconds" in error_of(outcome).message


def test_a_validator_that_raises_something_odd_is_a_failure_too() -> None:
    assert error_of(act(params=Strict, lease={"params": {"seconds": 1}})).code == "exception"


def test_an_action_whose_flow_raises_is_a_failure_too() -> None:
    assert error_of(act(flow=lambda params, host: params.nothing)).code == "exception"


def test_an_action_this_worker_does_not_know_fails_and_says_what_to_do() -> None:
    assert "start it with the module" in error_of(act(lease={"action": "unknown"})).message


@pytest.mark.parametrize(
    ("reason", "policy", "expected"),
    [
        ("stop", StepPolicy(on_lost="retry"), Cancelled),
        ("stop", StepPolicy(on_lost="fail"), Cancelled),
        ("drain", StepPolicy(on_lost="retry"), HandedBack),
        ("drain", StepPolicy(on_lost="fail"), "outcome_unknown"),
        ("timeout", StepPolicy(on_lost="retry"), "timeout"),
        ("lost", StepPolicy(on_lost="retry"), "permanent"),
    ],
)
@pytest.mark.parametrize("error", [ActionCancelled("asked to"), Permanent("socket closed")])
def test_an_action_that_was_asked_to_stop_ends_by_why_it_was_asked(
    reason: str, policy: StepPolicy, expected: Any, error: Exception
) -> None:
    token = CancelToken()

    def function(ctx: Any, params: Any) -> None:
        token.cancel(reason)
        raise error

    outcome = act(function, token=token, lease={"policy": policy})
    if not isinstance(expected, str):
        assert isinstance(outcome, expected)
    elif reason != "lost":
        assert error_of(outcome).code == expected


def test_an_action_that_succeeds_although_it_was_asked_to_stop_has_succeeded() -> None:
    token = CancelToken()
    token.cancel("stop")
    assert act(token=token) == Succeeded(None)


def depends_on_a_host(_params: object, _host: object) -> FlowSpec:
    return FlowSpec(breaker=BreakerSpec(name="host-1"))


class RecordingGate:
    """Answers what it is told to, and keeps what it learned."""

    def __init__(self, verdict: Wait | Refuse | None = None) -> None:
        self.verdict = verdict
        self.asked: list[GateRequest] = []
        self.learned: list[Outcome] = []

    def admit(self, request: GateRequest) -> Verdict:
        self.asked.append(request)
        return self.verdict or Admit(self.learned.append)


def test_a_gate_learns_how_the_action_went() -> None:
    gate = RecordingGate()
    outcome = act(raising(Retryable("refused")), gates=[gate], flow=depends_on_a_host)
    assert gate.learned == [outcome]
    assert gate.asked[0].breaker == BreakerSpec(name="host-1")


def test_a_gate_that_refuses_makes_the_step_wait_and_the_others_know_nothing_came_of_it() -> None:
    passed, refusing = RecordingGate(), RecordingGate(Wait(WaitReason.BREAKER, 30.0, "breaker:host-1", 2.0))
    began: list[Any] = []
    outcome = act(lambda ctx, params: began.append(params), gates=[passed, refusing], flow=depends_on_a_host)
    assert outcome == Snoozed(WaitReason.BREAKER, datetime(2030, 1, 1, 0, 0, 30, tzinfo=UTC), "breaker:host-1", 2.0)
    assert passed.learned == [outcome]
    assert began == []


def test_a_gate_that_refuses_fails_the_step_and_the_others_get_back_what_they_gave() -> None:
    passed = RecordingGate()
    refusing = RecordingGate(Refuse(StepError("breaker_open", "open"), permanent=True))
    outcome = act(gates=[passed, refusing], flow=depends_on_a_host)
    assert error_of(outcome).code == "breaker_open"
    assert passed.learned == [Snoozed(WaitReason.LOCK, None)]


def test_gates_are_asked_under_names_that_anybody_may_see() -> None:
    gate = RecordingGate()
    act(gates=[gate], lease={"flow": {"locks": [{"name": "repo:https://bob:hunter2@git.example/x"}]}})
    assert "hunter2" not in gate.asked[0].locks[0].name


def test_a_failure_that_a_stop_brought_about_is_no_news_of_the_target() -> None:
    gate, token = RecordingGate(), CancelToken()

    def function(ctx: Any, params: Any) -> None:
        token.cancel("stop")
        raise Retryable("connection closed")

    act(function, gates=[gate], token=token, flow=depends_on_a_host)
    assert gate.learned == [Cancelled()]


def test_a_step_that_asks_for_nothing_is_asked_nothing() -> None:
    gate = RecordingGate(Wait(WaitReason.BREAKER, 30.0, "breaker:x"))
    assert act(gates=[gate]) == Succeeded(None)
    assert gate.asked == []


def step(key: str, **fields: Any) -> StepSpec:
    return StepSpec.model_validate({"key": key, "action": "work"} | fields)


def test_added_steps_become_rows_whose_ends_are_named() -> None:
    outcome = act(lambda ctx, params: Expand([step("x"), step("y")], "planned"))
    assert isinstance(outcome, Succeeded)
    assert outcome.expand is not None
    assert [row["key"] for row in outcome.expand["steps"]] == ["x", "y"]
    assert outcome.expand["leaves"] == [1]


@pytest.mark.parametrize(
    ("added", "words"),
    [
        (step("x", action="remote"), "has none"),
        (step("x", enabled=False), "disabled"),
        (step("x", action="rooted"), "needs the role"),
        (step("x", action="unknown"), "no action"),
    ],
)
def test_added_steps_that_may_not_run_fail_the_step_that_adds_them(added: StepSpec, words: str) -> None:
    outcome = act(lambda ctx, params: Expand([added]))
    assert words in error_of(outcome).message
    assert isinstance(outcome, Failed)
    assert outcome.permanent
