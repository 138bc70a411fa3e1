"""From an outcome and a policy to a decision: every pair, the bounds of the backoff, the limit of losses."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.backoff import backoff_s
from orchestration.core.decide import (
    MAX_LOSSES,
    Cancelled,
    Decision,
    Failed,
    HandedBack,
    Lost,
    Outcome,
    Skipped,
    Snoozed,
    StepError,
    StepPolicy,
    Succeeded,
    Verb,
    decide,
)
from schemas.retry import Fallback, FallbackPolicy, OnFailure, RetryPolicy
from schemas.statuses import AttemptOutcome, WaitReason

BOOM = StepError("boom", "it went off", {"code": 7})
LATER = datetime(2030, 1, 1, tzinfo=UTC)
ON_FAILURE: dict[str, OnFailure] = {
    "fail": "fail",
    "continue": "continue",
    "value": FallbackPolicy(fallback=Fallback(value={"n": 1})),
    "null": FallbackPolicy(fallback=Fallback(value=None)),
    "step": FallbackPolicy(fallback=Fallback(step="plan_b")),
}
GIVES_UP = {"fail": "fail", "continue": "continue", "value": "complete", "null": "complete", "step": "continue"}


def decided(
    outcome: Outcome,
    on_failure: OnFailure = "fail",
    on_lost: Literal["retry", "fail"] = "fail",
    *,
    failures: int = 0,
    losses: int = 0,
    **retry: Any,
) -> Decision:
    policy = StepPolicy(retry=RetryPolicy(**retry), on_failure=on_failure, on_lost=on_lost)
    return decide(outcome, policy, failures=failures, losses=losses, chance=0.5)


@pytest.mark.parametrize(("name", "on_lost"), list(itertools.product(ON_FAILURE, ("retry", "fail"))))
@pytest.mark.parametrize(
    ("outcome", "verb", "recorded"),
    [
        (Succeeded({"a": 1}), "complete", "completed"),
        (Skipped("condition is false"), "skip", "skipped"),
        (Cancelled(), "cancel", "cancelled"),
        (Snoozed(WaitReason.LOCK, LATER), "wait", "waiting"),
        (Snoozed(WaitReason.SIGNAL, None), "wait", "waiting"),
        (HandedBack(), "hand_back", "handed_back"),
        (Failed(BOOM), "retry", "failed"),
        (Failed(BOOM, permanent=True), None, "failed"),
        (Lost(counted=True), "lost", "lost"),
        (Lost(counted=False), "lost", "lost"),
    ],
)
def test_each_outcome_under_each_policy(
    outcome: Outcome, verb: str | None, recorded: str, name: str, on_lost: Literal["retry", "fail"]
) -> None:
    decision = decided(outcome, ON_FAILURE[name], on_lost, max_attempts=2)
    if verb == "lost":
        verb = "hand_back" if on_lost == "retry" else None
    assert decision.verb == (verb or GIVES_UP[name])
    assert decision.outcome == recorded
    assert decision.losses == (1 if outcome == Lost(counted=True) else 0)
    if decision.verb in (Verb.RETRY, Verb.WAIT):
        assert decision.reason is not None
    if verb is None and name in ("value", "null"):
        assert decision.result == ({"n": 1} if name == "value" else None)


def test_what_succeeded_keeps_its_result_and_its_expansion() -> None:
    decision = decided(Succeeded([1, 2], {"steps": [], "leaves": []}))
    assert (decision.result, decision.expand) == ([1, 2], {"steps": [], "leaves": []})


def test_tries_are_spent_at_the_maximum_and_not_before() -> None:
    verbs = [decided(Failed(BOOM), failures=failures, max_attempts=3).verb for failures in range(4)]
    assert verbs == [Verb.RETRY, Verb.RETRY, Verb.FAIL, Verb.FAIL]
    assert decided(Failed(BOOM), max_attempts=1).verb == Verb.FAIL


def test_a_step_is_lost_three_times_and_then_fails_by_its_policy() -> None:
    for name, expected in GIVES_UP.items():
        verbs = [decided(Lost(True), ON_FAILURE[name], "retry", losses=losses).verb for losses in range(MAX_LOSSES)]
        assert verbs == [Verb.HAND_BACK, Verb.HAND_BACK, expected]
    assert MAX_LOSSES == 3
    last = decided(Lost(True), "fail", "retry", losses=2)
    assert last.error is not None
    assert (last.error.code, last.losses) == ("worker_lost", 1)


def test_losses_that_nobody_is_to_blame_for_never_fail_a_step() -> None:
    assert decided(Lost(False), "fail", "retry", losses=2).verb == Verb.HAND_BACK
    assert decided(Lost(False), "fail", "retry", losses=2).losses == 0


def test_a_lost_attempt_that_may_not_be_repeated_says_that_its_outcome_is_unknown() -> None:
    decision = decided(Lost(False))
    assert decision.error is not None
    assert (decision.verb, decision.error.code) == (Verb.FAIL, "outcome_unknown")
    assert "retry or skip" in decision.error.message


def test_failures_and_losses_are_counted_apart() -> None:
    assert (decided(Failed(BOOM), failures=5).failures, decided(Failed(BOOM)).losses) == (1, 0)
    assert decided(Lost(True)).failures == 0
    assert decided(Lost(True), "continue", "retry", losses=2).failures == 0


retries = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 1000),
    base_delay_s=st.floats(0, 86_400),
    max_delay_s=st.floats(0, 604_800),
    jitter=st.floats(0, 1),
)
chances = st.floats(0, 1, exclude_max=True)


@given(retries, st.integers(1, 5000), chances)
def test_a_delay_lies_within_the_jitter_and_the_cap(policy: RetryPolicy, failures: int, chance: float) -> None:
    delay = backoff_s(policy, failures, chance)
    plain = min(policy.max_delay_s, policy.base_delay_s * 2.0 ** min(failures - 1, 64))
    assert 0 <= delay <= policy.max_delay_s
    assert plain * (1 - policy.jitter) * 0.999999 <= delay <= plain * (1 + policy.jitter) * 1.000001


@given(retries, st.integers(1, 1200))
def test_delays_never_shrink_from_failure_to_failure(policy: RetryPolicy, failures: int) -> None:
    assert backoff_s(policy, failures, 0.5) <= backoff_s(policy, failures + 1, 0.5)


@given(st.floats(0, 1e6), chances)
def test_a_retry_waits_at_least_as_long_as_the_action_asked(after_s: float, chance: float) -> None:
    decision = decide(Failed(BOOM, after_s=after_s), StepPolicy(), failures=0, losses=0, chance=chance)
    assert decision.delay_s is not None
    assert decision.delay_s >= after_s


outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Succeeded, st.integers()),
    st.builds(Skipped, st.text()),
    st.builds(Failed, st.just(BOOM), st.booleans(), st.none() | st.floats(0, 100)),
    st.builds(Cancelled),
    st.builds(Snoozed, st.sampled_from(WaitReason), st.just(LATER)),
    st.builds(Lost, st.booleans()),
    st.builds(HandedBack),
)


@given(
    outcomes, retries, st.sampled_from(list(ON_FAILURE)), st.sampled_from(("retry", "fail")), st.integers(0, 5), chances
)
def test_every_decision_names_what_finish_needs(
    outcome: Outcome, retry: RetryPolicy, name: str, on_lost: Literal["retry", "fail"], count: int, chance: float
) -> None:
    policy = StepPolicy(retry=retry, on_failure=ON_FAILURE[name], on_lost=on_lost)
    decision = decide(outcome, policy, failures=count, losses=count, chance=chance)
    document = decision.as_json()
    assert document["verb"] in set(Verb)
    assert document["outcome"] in set(AttemptOutcome)
    if decision.verb in (Verb.RETRY, Verb.WAIT):
        # A waiting row without a time would wait for ever; only a signal may.
        assert document["reason"] == WaitReason.SIGNAL or ("delay_s" in document) or ("until" in document)
    if decision.verb in (Verb.FAIL, Verb.CONTINUE, Verb.CANCEL):
        assert document["error"]["code"]


def test_a_retry_without_delay_is_due_at_once_and_not_never() -> None:
    assert decided(Failed(BOOM), base_delay_s=0).as_json()["delay_s"] == 0


def test_the_stored_form_leaves_out_what_is_unset() -> None:
    assert decided(Succeeded(None)).as_json() == {"verb": "complete", "outcome": "completed", "result": None}
    assert decided(Snoozed(WaitReason.DELAY, LATER)).as_json()["until"] == "2030-01-01T00:00:00+00:00"
