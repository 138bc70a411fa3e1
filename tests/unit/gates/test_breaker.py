"""What the breaker gate makes of the store's answers and of outcomes."""

from __future__ import annotations

import pytest

from orchestration.core.decide import Cancelled, Failed, Outcome, Snoozed, StepError, Succeeded
from orchestration.gates import Admit, BreakerGate, GateRequest, Wait
from orchestration.gates.breaker import Passed, Refused, Report, judge
from schemas.statuses import WaitReason


class Store:
    def __init__(self, answer: Passed | Refused) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.reports: list[tuple[str, Report]] = []

    def acquire(self, target: str, *, recovery_s: float, probe_s: float) -> Passed | Refused:
        self.asked.append(target)
        return self.answer

    def report(self, target: str, token: str, report: Report, *, threshold: int, recovery_s: float) -> None:
        self.reports.append((token, report))


def request(target: str | None = "http:h:80") -> GateRequest:
    return GateRequest(target, failure_threshold=5, recovery_s=60, timeout_s=30)


def test_an_action_without_a_target_passes_without_asking() -> None:
    store = Store(Refused(9))
    assert isinstance(BreakerGate(store).admit(request(None)), Admit)
    assert store.asked == []


def test_an_open_breaker_makes_the_step_wait_about_as_long_as_it_says() -> None:
    verdict = BreakerGate(Store(Refused(10))).admit(request())
    assert isinstance(verdict, Wait)
    assert verdict.reason is WaitReason.BREAKER
    assert 10 <= verdict.seconds <= 11


def test_the_outcome_is_reported_with_the_token_of_the_probe() -> None:
    store = Store(Passed("t1"))
    verdict = BreakerGate(store).admit(request())
    assert isinstance(verdict, Admit)
    verdict.settle(Succeeded({}))
    assert store.reports == [("t1", "ok")]


@pytest.mark.parametrize(
    ("outcome", "report"),
    [
        (Succeeded(None), "ok"),
        (Failed(StepError("x", "refused"), permanent=True), "ok"),
        (Failed(StepError("x", "unreachable")), "failed"),
        (Cancelled(), "unknown"),
        (Snoozed(WaitReason.SIGNAL, None), "unknown"),
    ],
)
def test_an_answer_means_that_the_target_is_there(outcome: Outcome, report: Report) -> None:
    assert judge(outcome) == report
