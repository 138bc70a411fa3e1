"""What the gate of rate limits asks of the store and makes of its answers; and the numbers a limit is kept by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.decide import Cancelled, Failed, Outcome, Snoozed, StepError, Succeeded
from orchestration.gates import Admit, GateRequest, RateLimitGate, Verdict, Wait
from orchestration.gates.rate_limit import InLine, Pace, Taken, pace_of
from schemas.flow import RateLimitSpec
from schemas.statuses import WaitReason

OPENAI = RateLimitSpec(name="openai", limit=10)
FREE = RateLimitSpec(name="free")


class Store:
    def __init__(self, answer: Taken | InLine) -> None:
        self.answer = answer
        self.calls: list[tuple[Any, ...]] = []

    def take(self, asker: str, priority: int, paces: Sequence[tuple[str, Pace]]) -> Taken | InLine:
        self.calls.append(("take", asker, priority, [name for name, _ in paces]))
        return self.answer

    def give_back(self, asker: str, rank: float, paces: Sequence[tuple[str, Pace]]) -> None:
        self.calls.append(("give_back", asker, rank, [name for name, _ in paces]))

    def block(self, name: str, pace: Pace, seconds: float) -> None:
        self.calls.append(("block", name, seconds))

    def report_hit(self, name: str, pace: Pace) -> None:
        self.calls.append(("hit", name))


def ask(store: Store, *limits: RateLimitSpec, slept: list[float] | None = None) -> Verdict:
    gate = RateLimitGate(store, sleep=(slept if slept is not None else []).append)
    return gate.admit(GateRequest("run/1", 5, timeout_s=30, rate_limits=limits))


def test_a_step_without_limits_passes_without_asking() -> None:
    store = Store(InLine(9, "openai"))
    assert isinstance(ask(store), Admit)
    assert store.calls == []


def test_a_step_whose_turn_has_not_come_waits_for_it_and_needs_no_spacing() -> None:
    store = Store(InLine(2.5, "openai"))
    verdict = ask(store, FREE, OPENAI)
    assert isinstance(verdict, Wait)
    assert (verdict.reason, verdict.seconds, verdict.on, verdict.spacing_s) == (
        WaitReason.RATE_LIMIT,
        2.5,
        "rate:openai",
        0,
    )
    assert verdict.message == "its turn at the rate limit openai comes in 2.5 s"
    assert store.calls == [("take", "run/1", 5, ["free", "openai"])]


def test_those_who_wait_for_the_end_of_a_block_of_an_unlimited_name_come_one_after_the_other() -> None:
    verdict = ask(Store(InLine(2.5, "free")), FREE, OPENAI)
    assert isinstance(verdict, Wait)
    assert (verdict.on, verdict.spacing_s) == ("rate:free", 0.05)


@pytest.mark.parametrize(("seconds", "slept"), [(0.0, []), (0.004, [0.004])])
def test_a_few_milliseconds_are_waited_for_in_place(seconds: float, slept: list[float]) -> None:
    pauses: list[float] = []
    assert isinstance(ask(Store(Taken(seconds, 7.0)), OPENAI, slept=pauses), Admit)
    assert pauses == slept


@pytest.mark.parametrize(
    ("outcome", "call"),
    [
        (Snoozed(WaitReason.LOCK, None), ("give_back", "run/1", 7.0, ["openai", "free"])),
        (Snoozed(WaitReason.SIGNAL, None), None),
        (Failed(StepError("retryable", "busy"), after_s=20), ("block", "openai", 20)),
        (Failed(StepError("retryable", "busy"), after_s=86_400.0), ("block", "openai", 3600.0)),
        (Failed(StepError("retryable", "busy", {"status": 429})), ("hit", "openai")),
        (Failed(StepError("retryable", "broken", {"status": 500})), None),
        (Succeeded(None), None),
        (Cancelled(), None),
    ],
)
def test_the_gate_learns_from_the_outcome(outcome: Outcome, call: tuple[Any, ...] | None) -> None:
    store = Store(Taken(0.0, 7.0))
    verdict = ask(store, OPENAI, FREE)
    assert isinstance(verdict, Admit)
    verdict.settle(outcome)
    assert store.calls[1:] == ([call] if call else [])


@pytest.mark.parametrize(
    ("outcome", "call"),
    [
        (Failed(StepError("retryable", "busy"), after_s=20), ("block", "openai", 20)),
        (Failed(StepError("retryable", "busy", {"status": 429})), ("hit", "openai")),
    ],
)
def test_what_one_server_asks_for_is_never_put_on_all_runs_of_a_kind(outcome: Outcome, call: tuple[Any, ...]) -> None:
    kind = RateLimitSpec(name="kind:background", limit=10)
    for limits, expected in (((kind,), []), ((kind, OPENAI), [call])):
        store = Store(Taken(0.0, 7.0))
        verdict = ask(store, *limits)
        assert isinstance(verdict, Admit)
        verdict.settle(outcome)
        assert store.calls[1:] == expected


def test_what_was_not_charged_since_the_store_was_away_is_not_given_back() -> None:
    store = Store(Taken(0.0, None))
    verdict = ask(store, OPENAI)
    assert isinstance(verdict, Admit)
    verdict.settle(Snoozed(WaitReason.LOCK, None))
    assert len(store.calls) == 1


@pytest.mark.parametrize(
    ("limit", "per_s", "burst"),
    [(10, 1, 10), (100, 1, 100), (100, 60, 2), (10, 60, 1), (1, 1, 1), (5000, 3600, 100), (600, 60, 12), (3, 0.5, 3)],
)
def test_the_bucket_holds_the_limit_or_what_is_2_percent_of_a_minute(limit: int, per_s: float, burst: int) -> None:
    assert pace_of(RateLimitSpec(name="x", limit=limit, per_s=per_s)).burst == burst


@given(st.integers(1, 1_000_000), st.floats(0.01, 86_400))
def test_the_most_that_a_pace_lets_through_in_its_window_is_2_percent_over_or_one(limit: int, per_s: float) -> None:
    pace = pace_of(RateLimitSpec(name="x", limit=limit, per_s=per_s))
    window = max(60.0, per_s)
    most = 1 + (window + pace.ahead_s + pace.catch_up_s) / pace.interval_s
    assert pace.ahead_s >= 0
    assert pace.burst <= limit
    assert most <= window / pace.interval_s * 1.02 + 1.1 + 1e-6
