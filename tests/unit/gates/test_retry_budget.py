"""What the gate of retry budgets makes of the store's answers, and what it tells the store of how it went."""

from __future__ import annotations

import pytest

from orchestration.core.decide import Cancelled, Failed, Outcome, Snoozed, StepError, Succeeded
from orchestration.gates.gate import Admit, GateRequest, Verdict, Wait
from orchestration.gates.retry_budget import Granted, RetryBudgetGate, Spent, dependency
from schemas.flow import BreakerSpec, RateLimitSpec
from schemas.retry import RetryPolicy
from schemas.statuses import WaitReason

RETRY = RetryPolicy(base_delay_s=3, max_delay_s=100, jitter=0)


class Store:
    def __init__(self, answer: Granted | Spent) -> None:
        self.answer = answer
        self.calls: list[tuple[str, str]] = []

    def note_first(self, name: str) -> None:
        self.calls.append(("first", name))

    def withdraw(self, name: str) -> Granted | Spent:
        self.calls.append(("retry", name))
        return self.answer

    def give_back(self, name: str) -> None:
        self.calls.append(("back", name))


def request(failures: int = 0, *, breaker: str | None = "openai", rates: tuple[str, ...] = ()) -> GateRequest:
    return GateRequest(
        asker="r/0",
        priority=5,
        timeout_s=30,
        failures=failures,
        retry=RETRY,
        breaker=BreakerSpec(name=breaker) if breaker else None,
        rate_limits=tuple(RateLimitSpec(name=name) for name in rates),
    )


def admitted(verdict: Verdict) -> Admit:
    assert isinstance(verdict, Admit)
    return verdict


def test_a_step_that_names_no_dependency_is_asked_nothing() -> None:
    store = Store(Spent(9, 1))
    admitted(RetryBudgetGate(store).admit(request(5, breaker=None))).settle(Succeeded(1))
    assert store.calls == []


@pytest.mark.parametrize(
    ("breaker", "rates", "name"),
    [
        ("openai", ("github",), "openai"),
        (None, ("github", "other"), "github"),
        (None, ("kind:background", "github"), "github"),
        (None, ("kind:background",), None),
    ],
)
def test_a_step_depends_on_its_breaker_or_else_on_its_first_limit(
    breaker: str | None, rates: tuple[str, ...], name: str | None
) -> None:
    assert dependency(request(breaker=breaker, rates=rates)) == name


@pytest.mark.parametrize(
    "outcome", [Succeeded(1), Failed(StepError("x", "x")), Cancelled(), Snoozed(WaitReason.SIGNAL, None)]
)
def test_a_first_attempt_is_counted_once_it_was_made(outcome: Outcome) -> None:
    store = Store(Spent(9, 1))
    verdict = admitted(RetryBudgetGate(store).admit(request()))
    assert store.calls == []
    verdict.settle(outcome)
    assert store.calls == [("first", "openai")]


def test_a_first_attempt_that_a_later_gate_kept_out_is_not_counted() -> None:
    store = Store(Granted())
    admitted(RetryBudgetGate(store).admit(request())).settle(Snoozed(WaitReason.LOCK, None))
    assert store.calls == []


def test_a_granted_retry_that_a_later_gate_kept_out_is_given_back() -> None:
    cases: list[tuple[Outcome, list[tuple[str, str]]]] = [
        (Snoozed(WaitReason.BREAKER, None), [("retry", "openai"), ("back", "openai")]),
        (Snoozed(WaitReason.SIGNAL, None), [("retry", "openai")]),
        (Failed(StepError("x", "x")), [("retry", "openai")]),
    ]
    for outcome, calls in cases:
        store = Store(Granted())
        admitted(RetryBudgetGate(store).admit(request(1))).settle(outcome)
        assert store.calls == calls


@pytest.mark.parametrize(("failures", "store_s", "seconds"), [(1, 1, 6), (3, 1, 24), (9, 1, 200), (1, 40, 40)])
def test_a_retry_without_budget_waits_twice_its_delay_in_the_line_of_its_dependency(
    failures: int, store_s: float, seconds: float
) -> None:
    verdict = RetryBudgetGate(Store(Spent(store_s, 2.5)), chance=lambda: 0.5).admit(request(failures))
    assert verdict == Wait(WaitReason.RETRY, seconds, on="budget:openai", spacing_s=2.5)
