"""Delays between retries: their bounds under each strategy, their spread, and what stays as it was."""

from __future__ import annotations

from random import Random
from statistics import mean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.backoff import backoff_s
from schemas.retry import RetryPolicy

STRATEGIES = ("bounded", "full", "decorrelated")
policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 1000),
    base_delay_s=st.floats(0, 86_400),
    max_delay_s=st.floats(0, 604_800),
    jitter=st.floats(0, 1),
    strategy=st.sampled_from(STRATEGIES),
)
chances = st.floats(0, 1, exclude_max=True)


def longest_s(policy: RetryPolicy, failures: int) -> float:
    """What no delay after that many failures may pass, from the policy's description."""
    match policy.strategy:
        case "bounded":
            grown = policy.base_delay_s * 2.0 ** min(failures - 1, 64) * (1 + policy.jitter)
        case "full":
            grown = policy.base_delay_s * 2.0 ** min(failures - 1, 64)
        case "decorrelated":
            grown = policy.base_delay_s * 3.0 ** min(failures, 600)
    return min(policy.max_delay_s, grown)


def shortest_s(policy: RetryPolicy, failures: int) -> float:
    match policy.strategy:
        case "bounded":
            return min(policy.max_delay_s, policy.base_delay_s * 2.0 ** min(failures - 1, 64)) * (1 - policy.jitter)
        case "full":
            return 0
        case "decorrelated":
            return min(policy.max_delay_s, policy.base_delay_s)


@given(policies, st.integers(1, 1000), chances)
def test_a_delay_lies_within_the_bounds_of_its_strategy(policy: RetryPolicy, failures: int, chance: float) -> None:
    delay = backoff_s(policy, failures, chance)
    assert 0 <= delay <= policy.max_delay_s
    assert shortest_s(policy, failures) * 0.999999 <= delay <= longest_s(policy, failures) * 1.000001


@given(policies, st.integers(1, 1000), chances)
def test_the_same_failures_and_chance_give_the_same_delay(policy: RetryPolicy, failures: int, chance: float) -> None:
    assert backoff_s(policy, failures, chance) == backoff_s(policy, failures, chance)


def test_without_a_strategy_delays_are_what_they_were() -> None:
    policy = RetryPolicy(base_delay_s=1, max_delay_s=30, jitter=0.2)
    assert [backoff_s(policy, n, 0.5) for n in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert [backoff_s(policy, 2, chance) for chance in (0, 0.5)] == pytest.approx([1.6, 2.0])
    assert backoff_s(policy, 9, 0.99) == 30


@given(policies.filter(lambda policy: policy.strategy != "decorrelated"), st.integers(1, 1200))
def test_at_the_same_chance_delays_never_shrink_from_failure_to_failure(policy: RetryPolicy, failures: int) -> None:
    assert backoff_s(policy, failures, 0.5) <= backoff_s(policy, failures + 1, 0.5)


@pytest.mark.parametrize("failures", [1, 2, 3, 6])
def test_full_jitter_spreads_evenly_from_nothing_to_the_whole_delay(failures: int) -> None:
    policy = RetryPolicy(base_delay_s=2, max_delay_s=20, strategy="full")
    dice, whole = Random(5), min(20.0, 2 * 2.0 ** (failures - 1))
    quarters = [int(4 * backoff_s(policy, failures, dice.random()) / whole) for _ in range(8000)]
    assert all(0.22 < quarters.count(n) / 8000 < 0.28 for n in range(4))


@pytest.mark.parametrize("failures", [1, 2, 5, 12])
def test_decorrelated_delays_are_spread_as_those_of_a_walk_that_is_kept(failures: int) -> None:
    """Brooker: sleep = min(cap, random_between(base, sleep * 3))."""
    policy = RetryPolicy(base_delay_s=1, max_delay_s=60, strategy="decorrelated")
    dice, seeds = Random(1), Random(2)

    def walked() -> float:
        sleep = 1.0
        for _ in range(failures):
            sleep = min(60.0, dice.uniform(1.0, sleep * 3))
        return sleep

    kept = [walked() for _ in range(6000)]
    ours = [backoff_s(policy, failures, seeds.random()) for _ in range(6000)]
    assert mean(ours) == pytest.approx(mean(kept), rel=0.06)
    assert median(ours) == pytest.approx(median(kept), rel=0.08)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_steps_that_failed_together_do_not_come_back_together(strategy: str) -> None:
    policy = RetryPolicy.model_validate({"base_delay_s": 10, "max_delay_s": 600, "strategy": strategy})
    dice = Random(3)
    delays = sorted(backoff_s(policy, 3, dice.random()) for _ in range(1000))
    # By chance alone some share a second, but no second sees many of them.
    seconds = [int(delay) for delay in delays]
    assert max(seconds.count(second) for second in set(seconds)) < 120
