"""What the breaker gate makes of the store's answers and of outcomes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestration.core.decide import Cancelled, Failed, HandedBack, Outcome, Snoozed, StepError, Succeeded
from orchestration.gates import Admit, BreakerGate, GateRequest, Refuse, Wait
from orchestration.gates.breaker import BreakerState, Change, Passed, Refused, Report, judge
from schemas.flow import BreakerSpec
from schemas.statuses import WaitReason

CHANGE = Change("openai", BreakerState.OPEN, BreakerState.HALF_OPEN, datetime(2030, 1, 1, tzinfo=UTC), "time")


class Store:
    def __init__(self, answer: Passed | Refused, change: Change | None = None) -> None:
        self.answer, self.change = answer, change
        self.asked: list[float] = []
        self.reports: list[tuple[str, Report, str]] = []

    def acquire(self, spec: BreakerSpec, *, probe_s: float) -> Passed | Refused:
        self.asked.append(probe_s)
        return self.answer

    def report(self, spec: BreakerSpec, token: str, report: Report, *, code: str = "") -> Change | None:
        self.reports.append((token, report, code))
        return self.change


def request(**spec: Any) -> GateRequest:
    return GateRequest("run/1", 5, timeout_s=30, breaker=BreakerSpec(name="openai", recovery_s=60, **spec))


def admit(store: Store, **spec: Any) -> Admit:
    verdict = BreakerGate(store).admit(request(**spec))
    assert isinstance(verdict, Admit)
    return verdict


def test_a_step_without_a_breaker_passes_without_asking() -> None:
    store = Store(Refused(9))
    assert isinstance(BreakerGate(store).admit(GateRequest("run/1", 5, timeout_s=30)), Admit)
    assert store.asked == []


def test_while_it_is_open_steps_wait_in_a_line_that_is_as_loose_as_its_probes() -> None:
    verdict = BreakerGate(Store(Refused(10))).admit(request(probes=3))
    assert isinstance(verdict, Wait)
    assert (verdict.reason, verdict.seconds, verdict.on, verdict.spacing_s) == (
        WaitReason.BREAKER,
        10,
        "breaker:openai",
        20,
    )
    assert "openai is open" in verdict.message


def test_a_step_that_asks_for_it_fails_at_once_and_for_good() -> None:
    verdict = BreakerGate(Store(Refused(10))).admit(request(on_open="fail"))
    assert isinstance(verdict, Refuse)
    assert (verdict.error.code, verdict.permanent) == ("breaker_open", True)
    assert verdict.error.details == {"breaker": "openai", "seconds": 10}


@pytest.mark.parametrize(("timeout_s", "leased_s"), [(None, 35), (3, 8), (90, 35)])
def test_a_probe_is_leased_for_as_long_as_a_call_may_take(timeout_s: float | None, leased_s: float) -> None:
    store = Store(Passed("p"))
    admit(store, timeout_s=timeout_s)
    assert store.asked == [leased_s]


def test_a_probe_that_does_not_obey_is_over_before_its_lease_is() -> None:
    store = Store(Passed("p"))
    BreakerGate(store, stop_grace_s=60).admit(request(timeout_s=3))
    assert store.asked == [3 + 60 + 5]


def test_the_outcome_is_reported_with_the_token_of_the_call_and_the_code_of_its_error() -> None:
    store = Store(Passed("t1"))
    admit(store).settle(Failed(StepError("timeout", "slow")))
    assert store.reports == [("t1", "failed", "timeout")]


def test_an_outcome_that_says_nothing_is_reported_only_where_it_gives_a_probe_back() -> None:
    call, probe = Store(Passed("t1")), Store(Passed("t1", probe=True))
    for store in (call, probe):
        admit(store).settle(Snoozed(WaitReason.LOCK, None))
    assert (call.reports, probe.reports) == ([], [("t1", "unknown", "")])


def test_every_change_is_told_whether_asking_or_reporting_brought_it_about() -> None:
    told: list[Change] = []
    store = Store(Passed("t1", probe=True, change=CHANGE), CHANGE)
    verdict = BreakerGate(store, told.append).admit(request())
    assert isinstance(verdict, Admit)
    verdict.settle(Succeeded(None))
    assert told == [CHANGE, CHANGE]


def test_a_history_that_cannot_be_written_does_not_fail_the_step() -> None:
    def fail(change: Change) -> None:
        raise OSError("no room")

    assert isinstance(BreakerGate(Store(Passed("t1", change=CHANGE)), fail).admit(request()), Admit)


@pytest.mark.parametrize(
    ("outcome", "counts", "report"),
    [
        (Succeeded(None), (), "ok"),
        (Failed(StepError("permanent", "refused"), permanent=True), (), "ok"),
        (Failed(StepError("retryable", "unreachable")), (), "failed"),
        (Failed(StepError("retryable", "unreachable")), ("timeout",), "unknown"),
        (Failed(StepError("timeout", "slow")), ("timeout",), "failed"),
        (Failed(StepError("permanent", "quota"), permanent=True), ("permanent",), "failed"),
        (Failed(StepError("store_unavailable", "PostgreSQL is away")), (), "unknown"),
        (Failed(StepError("outcome_unknown", "drained"), permanent=True), (), "unknown"),
        (Failed(StepError("lock_timeout", "a later gate refused")), (), "unknown"),
        (Cancelled(), (), "unknown"),
        (HandedBack(), (), "unknown"),
        (Snoozed(WaitReason.SIGNAL, None), (), "unknown"),
    ],
)
def test_an_answer_means_that_the_dependency_is_there(
    outcome: Outcome, counts: tuple[str, ...], report: Report
) -> None:
    assert judge(outcome, counts) == report
