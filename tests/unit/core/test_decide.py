"""From an outcome and a policy to a decision: every pair, the bounds of the backoff, the limit of losses."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    with_cached,
)
from schemas.retry import Fallback, FallbackPolicy, OnFailure, RetryOverride, RetryPolicy
from schemas.statuses import AttemptOutcome, WaitReason

BOOM = StepError("boom", "it went off", {"code": 7})
LATER = datetime(2030, 1, 1, tzinfo=UTC)
ON_FAILURE: dict[str, OnFailure] = {
    "fail": "fail",
    "continue": "continue",
    "value": FallbackPolicy(fallback=Fallback(value={"n": 1})),
    "null": FallbackPolicy(fallback=Fallback(value=None)),
    "step": FallbackPolicy(fallback=Fallback(step="plan_b")),
    "cached": FallbackPolicy(fallback=Fallback(cached=True)),
    "cached, step": FallbackPolicy(fallback=(Fallback(cached=True), Fallback(step="plan_b"))),
    "cached, value": FallbackPolicy(fallback=(Fallback(cached=True), Fallback(value={"n": 1}))),
    "step, cached": FallbackPolicy(fallback=(Fallback(step="plan_b"), Fallback(cached=True))),
}
GIVES_UP = {
    "fail": "fail",
    "continue": "continue",
    "value": "complete",
    "null": "complete",
    "step": "continue",
    "cached": "fail",
    "cached, step": "continue",
    "cached, value": "complete",
    "step, cached": "continue",
}


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
    if verb is None and decision.verb == Verb.COMPLETE:
        assert decision.result == (None if name == "null" else {"n": 1})
    # What stands behind a step is tried by that step.
    assert (decision.cached is not None) == (verb is None and name.startswith("cached"))


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


CODES = ("boom", "http.404", "http.429", "http.500", "http.503", "timeout")
overrides = st.builds(
    RetryOverride,
    retry=st.none() | st.booleans(),
    max_attempts=st.none() | st.integers(1, 1000),
    base_delay_s=st.none() | st.floats(0, 86_400),
    max_delay_s=st.none() | st.floats(0, 604_800),
)
retries = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 1000),
    base_delay_s=st.floats(0, 86_400),
    max_delay_s=st.floats(0, 604_800),
    jitter=st.floats(0, 1),
    strategy=st.sampled_from(("bounded", "full", "decorrelated")),
    budget_s=st.none() | st.floats(0.1, 100_000),
    on=st.dictionaries(st.sampled_from((*CODES, "http.", "http.5", "h", "other")), overrides, max_size=4),
)
errors = st.builds(StepError, st.sampled_from(CODES), st.just("it went off"))
chances = st.floats(0, 1, exclude_max=True)


@given(st.floats(0, 1e6), chances)
def test_a_retry_waits_at_least_as_long_as_the_action_asked(after_s: float, chance: float) -> None:
    decision = decide(Failed(BOOM, after_s=after_s), StepPolicy(), failures=0, losses=0, chance=chance)
    assert decision.delay_s is not None
    assert decision.delay_s >= after_s


outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Succeeded, st.integers()),
    st.builds(Skipped, st.text()),
    st.builds(Failed, errors, st.booleans(), st.none() | st.floats(0, 100)),
    st.builds(Cancelled),
    st.builds(Snoozed, st.sampled_from(WaitReason), st.just(LATER)),
    st.builds(Lost, st.booleans()),
    st.builds(HandedBack),
)


@given(
    outcomes,
    retries,
    st.sampled_from(list(ON_FAILURE)),
    st.sampled_from(("retry", "fail")),
    st.integers(0, 5),
    chances,
    st.none() | st.floats(0, 200_000),
)
def test_every_decision_names_what_finish_needs(
    outcome: Outcome,
    retry: RetryPolicy,
    name: str,
    on_lost: Literal["retry", "fail"],
    count: int,
    chance: float,
    elapsed_s: float | None,
) -> None:
    policy = StepPolicy(retry=retry, on_failure=ON_FAILURE[name], on_lost=on_lost)
    decision = decide(outcome, policy, failures=count, losses=count, chance=chance, elapsed_s=elapsed_s)
    # Each releases the step's dependents, queues the step again, or ends the run.
    releases = decision.verb in (Verb.COMPLETE, Verb.SKIP, Verb.CONTINUE)
    requeues = decision.verb in (Verb.RETRY, Verb.WAIT, Verb.HAND_BACK)
    ends = decision.verb in (Verb.FAIL, Verb.CANCEL)
    assert releases + requeues + ends == 1
    document = decision.as_json()
    assert document["verb"] in set(Verb)
    assert document["outcome"] in set(AttemptOutcome)
    if decision.verb in (Verb.RETRY, Verb.WAIT):
        # A waiting row without a time would wait for ever; only a signal may.
        assert document["reason"] == WaitReason.SIGNAL or ("delay_s" in document) or ("until" in document)
    if decision.verb in (Verb.FAIL, Verb.CONTINUE, Verb.CANCEL):
        assert document["error"]["code"]


@given(retries, errors, st.booleans(), st.integers(0, 1100), chances, st.none() | st.floats(0, 200_000))
def test_no_retry_passes_the_attempts_or_the_time_there_are(
    retry: RetryPolicy, error: StepError, permanent: bool, failures: int, chance: float, elapsed_s: float | None
) -> None:
    decision = decide(
        Failed(error, permanent), StepPolicy(retry), failures=failures, losses=0, chance=chance, elapsed_s=elapsed_s
    )
    fitting = sorted((begin for begin in retry.on if error.code.startswith(begin)), key=len)
    rule = retry.on[fitting[-1]] if fitting else RetryOverride()
    most = retry.max_attempts if rule.max_attempts is None else rule.max_attempts
    cap_s = retry.max_delay_s if rule.max_delay_s is None else rule.max_delay_s
    if decision.verb == Verb.RETRY:
        assert failures + 1 < most
        assert rule.retry if permanent else rule.retry is not False
        assert decision.delay_s is not None
        assert 0 <= decision.delay_s <= cap_s
        if retry.budget_s is not None and elapsed_s is not None:
            assert elapsed_s + decision.delay_s <= retry.budget_s
    else:
        assert decision.verb == Verb.FAIL
        out_of_time = retry.budget_s is not None and elapsed_s is not None and elapsed_s + cap_s > retry.budget_s
        refused = rule.retry is False or (permanent and not rule.retry)
        assert out_of_time or refused or failures + 1 >= most


@given(
    retries,
    st.integers(1, 12),
    st.lists(st.none() | st.integers(1, 20), max_size=4),
    st.lists(errors, min_size=1, max_size=8),
    st.floats(0, 100),
    st.integers(),
)
def test_a_step_that_always_fails_ends(
    retry: RetryPolicy, most: int, others: list[int | None], every: list[StepError], took_s: float, seed: int
) -> None:
    rules = {code: RetryOverride(max_attempts=own) for code, own in zip(CODES, others, strict=False)}
    retry = retry.model_copy(update={"max_attempts": most, "on": rules})
    most = max([most, *(own or 0 for own in others)])
    dice = random.Random(seed)
    elapsed_s, tries = 0.0, 0
    while True:
        tries += 1
        elapsed_s += took_s
        error = every[tries % len(every)]
        decision = decide(
            Failed(error), StepPolicy(retry), failures=tries - 1, losses=0, chance=dice.random(), elapsed_s=elapsed_s
        )
        if decision.verb != Verb.RETRY:
            break
        elapsed_s += decision.delay_s or 0
        assert retry.budget_s is None or elapsed_s <= retry.budget_s
    assert tries <= most


def test_the_rule_for_the_longest_beginning_of_a_code_holds_in_whatever_order() -> None:
    rules = {"http.5": {"max_attempts": 9}, "http.": {"retry": False}, "http.503": {"base_delay_s": 20}}
    for names in itertools.permutations(rules):
        on = {name: rules[name] for name in names}

        def tried(code: str, failures: int, on: Any = on) -> Decision:
            return decided(Failed(StepError(code, "")), failures=failures, max_attempts=2, jitter=0, on=on)

        assert tried("http.404", 0).verb == Verb.FAIL
        assert [tried("http.500", n).verb for n in (7, 8)] == [Verb.RETRY, Verb.FAIL]
        assert tried("http.503", 0).delay_s == 20
        assert tried("http.503", 1).verb == Verb.FAIL
        assert tried("timeout", 0).delay_s == 1


def test_a_rule_can_have_what_the_action_calls_hopeless_tried_again() -> None:
    missing = Failed(StepError("http.404", "not there yet"), permanent=True)
    assert decided(missing).verb == Verb.FAIL
    assert decided(missing, on={"http.404": {"retry": True}}).verb == Verb.RETRY
    assert decided(missing, on={"http.404": {"max_attempts": 9}}).verb == Verb.FAIL


def test_a_retry_that_would_begin_after_the_time_for_retries_is_not_made_and_the_error_says_so() -> None:
    def tried(elapsed_s: float | None) -> Decision:
        policy = StepPolicy(RetryPolicy(max_attempts=9, base_delay_s=5, jitter=0, budget_s=60))
        return decide(Failed(BOOM), policy, failures=0, losses=0, chance=0.5, elapsed_s=elapsed_s)

    assert [tried(elapsed_s).verb for elapsed_s in (None, 0, 55, 55.1)] == ["retry", "retry", "retry", "fail"]
    error = tried(55.1).error
    assert error is not None
    assert (error.code, error.details["code"]) == ("boom", 7)
    assert "60 s" in error.details["given_up"]


def test_a_cached_result_that_is_found_is_the_steps_and_leaves_the_error_with_the_attempt() -> None:
    for name in ("cached", "cached, step", "cached, value"):
        decision = decided(Failed(BOOM, permanent=True), ON_FAILURE[name])
        found = with_cached(decision, {"old": 1})
        assert (found.verb, found.result, found.error, found.cached) == (Verb.COMPLETE, {"old": 1}, BOOM, None)
        assert "cached" not in decision.as_json()


def test_a_retry_without_delay_is_due_at_once_and_not_never() -> None:
    assert decided(Failed(BOOM), base_delay_s=0).as_json()["delay_s"] == 0


def test_the_stored_form_leaves_out_what_is_unset() -> None:
    assert decided(Succeeded(None)).as_json() == {"verb": "complete", "outcome": "completed", "result": None}
    assert decided(Snoozed(WaitReason.DELAY, LATER)).as_json()["until"] == "2030-01-01T00:00:00+00:00"
