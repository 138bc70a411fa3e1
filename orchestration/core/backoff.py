"""How long a step waits before it is tried again. Pure: the caller brings the chance.

Source: Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

from random import Random

from schemas.retry import RetryPolicy


def backoff_s(policy: RetryPolicy, failures: int, chance: float) -> float:
    """Seconds to wait after the n-th failure, n from 1; `chance` in [0, 1) spreads them. Never above the cap."""
    match policy.strategy:
        case "bounded":
            delay = _exponential(policy, failures) * (1 + policy.jitter * (2 * chance - 1))
        case "full":
            delay = _exponential(policy, failures) * chance
        case "decorrelated":
            delay = _decorrelated(policy, failures, chance)
    return min(policy.max_delay_s, delay)


def _exponential(policy: RetryPolicy, failures: int) -> float:
    # 2**n overflows a float beyond 1023; the cap is reached long before.
    return min(policy.max_delay_s, policy.base_delay_s * 2.0 ** min(failures - 1, 64))


def _decorrelated(policy: RetryPolicy, failures: int, chance: float) -> float:
    """The n-th delay of a walk in which each is drawn between the first and three times the one before.

    Nobody keeps the walk: it is walked anew, with numbers that follow from the chance. Each delay is spread as in one
    that was kept; only those of one step do not follow from each other.
    """
    draw = Random(chance)
    delay = policy.base_delay_s
    for _ in range(failures):
        delay = min(policy.max_delay_s, policy.base_delay_s + (3 * delay - policy.base_delay_s) * draw.random())
    return delay
