"""The limiter on Valkey does what the model does, and keeps its promises to those who wait."""

from __future__ import annotations

import heapq
import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from messaging.rate_limits import ValkeyRateLimits
from orchestration.gates.rate_limit import InLine, Pace, Taken, pace_of
from schemas.flow import RateLimitSpec
from tests.integration.messaging.limiter_model import LimiterModel

pytestmark = pytest.mark.integration

numbers = itertools.count()
# All in eighths of a second, so that the two may not differ by how they round.
paces = st.builds(
    lambda interval, more, catch_up: Pace(interval, interval * more, catch_up),
    st.sampled_from([0.0, 0.25, 0.5, 1.0, 4.0]),
    st.sampled_from([0, 0, 1, 3]),
    st.sampled_from([0.0, 0.125, 0.25]),
)
operations = st.one_of(
    st.tuples(
        st.just("take"),
        st.tuples(st.integers(0, 7), st.sampled_from([1, 5, 5, 5, 20]), st.sampled_from(["a", "b", "ab", "ba", "abc"])),
    ),
    st.tuples(st.just("again"), st.integers(0, 7)),
    st.tuples(st.just("give back"), st.integers(0, 7)),
    st.tuples(st.just("wait"), st.sampled_from([0.125, 0.25, 1.0, 2.5])),
    st.tuples(st.just("block"), st.sampled_from(["a", "b"])),
)


class Both:
    """Three limits and their model, asked the same at the same time."""

    def __init__(self, url: str, chosen: list[Pace]) -> None:
        self.now, prefix = 5000.0, next(numbers)
        self.real, self.model = ValkeyRateLimits(url, clock=lambda: self.now), LimiterModel()
        self.limits = {letter: (f"{letter}{prefix}", pace) for letter, pace in zip("abc", chosen, strict=True)}
        self.waiting: dict[str, tuple[int, str, float]] = {}
        self.admitted: list[tuple[str, float, str]] = []

    def take(self, asker: str, priority: int, letters: str) -> None:
        asked = [self.limits[letter] for letter in letters]
        # Whoever asks again has done with what it was let through for.
        self.admitted = [entry for entry in self.admitted if entry[0] != asker]
        real = self.real.take(asker, priority, asked)
        verdict, value, position = self.model.take(self.now, asker, priority, asked)
        if isinstance(real, Taken):
            assert real.rank is not None
            assert (verdict, value) == ("pass", real.rank)
            assert real.seconds == 0
            self.waiting.pop(asker, None)
            self.admitted.append((asker, real.rank, letters))
        else:
            assert (verdict, value) == ("wait", real.seconds)
            assert real.name == asked[int(position)][0]
            self.waiting[asker] = (priority, letters, self.now + real.seconds)

    def again(self, number: int) -> None:
        """Somebody who waits comes back when it was told to."""
        asker = sorted(self.waiting)[number % len(self.waiting)]
        priority, letters, due = self.waiting[asker]
        self.now = max(self.now, due)
        self.take(asker, priority, letters)

    def give_back(self, number: int) -> None:
        asker, rank, letters = self.admitted.pop(number % len(self.admitted))
        asked = [self.limits[letter] for letter in letters]
        self.real.give_back(asker, rank, asked)
        self.model.give_back(self.now, asker, rank, asked)

    def block(self, letter: str) -> None:
        name, pace = self.limits[letter]
        self.real.block(name, pace, 1.5)
        self.model.block(self.now, name, 1.5)

    def compare(self) -> None:
        for name, _ in self.limits.values():
            status, limit = self.real.one(name), self.model.limits[name]
            if status is None:
                assert (limit.admitted, limit.hits, limit.waiters) == (0, 0, {})
                continue
            assert (status.admitted, status.hits) == (limit.admitted, limit.hits)
            assert status.waiting == sum(w.due >= self.now - 2 for w in limit.in_line().values())
            assert 0 <= status.used <= status.burst


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.lists(paces, min_size=3, max_size=3), steps=st.lists(operations, min_size=5, max_size=50))
def test_the_limiter_does_what_the_model_does(module_redis_url: str, chosen: list[Pace], steps: list[Any]) -> None:
    both = Both(module_redis_url, chosen)
    for operation, value in steps:
        match operation:
            case "take":
                number, priority, letters = value
                if f"s{number}" not in both.waiting:
                    both.take(f"s{number}", priority, letters)
            case "again" if both.waiting:
                both.again(value)
            case "give back" if both.admitted:
                both.give_back(value)
            case "wait":
                both.now += value
            case "block":
                both.block(value)
        both.compare()


class Crowd:
    """Steps that come, wait as they are told, come back late or never; in virtual time, to the end."""

    def __init__(self, url: str, pace: Pace) -> None:
        self.now, self.pace, self.name = 5000.0, pace, f"crowd{next(numbers)}"
        self.limits = ValkeyRateLimits(url, clock=lambda: self.now)
        self.admitted: list[tuple[float, int]] = []
        self.asked = 0

    def run(self, comings: list[tuple[float, int, float | None]]) -> None:
        """Each comes at a time, has a priority, and comes back so much later than it was told; None: never."""
        heap = [(5000.0 + at, number) for number, (at, _, _) in enumerate(comings)]
        heapq.heapify(heap)
        while heap:
            self.now, number = heapq.heappop(heap)
            _, priority, lateness = comings[number]
            self.asked += 1
            answer = self.limits.take(f"s{number}", priority, [(self.name, self.pace)])
            if isinstance(answer, Taken):
                self.admitted.append((self.now + answer.seconds, number))
            elif isinstance(answer, InLine) and lateness is not None:
                # A timer is never early, as PostgreSQL's is not, by the microsecond that the answer was rounded to.
                heapq.heappush(heap, (self.now + answer.seconds + lateness + 1e-6, number))

    def most_over(self) -> float:
        """By how many attempts the busiest of all spans is over what the pace allows."""
        times = sorted(at for at, _ in self.admitted)
        slack_s = self.pace.ahead_s + self.pace.catch_up_s
        return max(
            last - first + 1 - (1 + (times[last] - times[first] + slack_s) / self.pace.interval_s)
            for first in range(len(times))
            for last in range(first, len(times))
        )


limits = st.sampled_from([(10, 1.0), (4, 1.0), (30, 60.0), (1, 3.0), (50, 1.0), (3, 0.5)])
comings = st.lists(
    st.tuples(
        st.floats(0, 10), st.sampled_from([1, 5, 5, 10, 20]), st.sampled_from([0.0, 0.0, 0.03, 0.5, 1.9, 4.0, None])
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=limits, comings=comings)
def test_nobody_starves_and_the_rate_holds_however_late_and_dead_the_waiters_are(
    module_redis_url: str, limit: tuple[int, float], comings: list[Any]
) -> None:
    crowd = Crowd(module_redis_url, pace_of(RateLimitSpec(name="x", limit=limit[0], per_s=limit[1])))
    crowd.run(comings)
    through = {number for _, number in crowd.admitted}
    assert len(crowd.admitted) == len(through)
    assert {number for number, coming in enumerate(comings) if coming[2] is not None} <= through
    assert crowd.most_over() < 0.1
    status = crowd.limits.one(crowd.name)
    assert status is not None
    assert status.admitted == len(through)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=limits, at=st.lists(st.floats(0, 10), min_size=1, max_size=60, unique_by=lambda x: round(x, 3)))
def test_punctual_steps_go_in_the_order_they_came_in_and_ask_twice_at_most(
    module_redis_url: str, limit: tuple[int, float], at: list[float]
) -> None:
    crowd = Crowd(module_redis_url, pace_of(RateLimitSpec(name="x", limit=limit[0], per_s=limit[1])))
    crowd.run([(time, 5, 0.0) for time in sorted(at)])
    assert [number for _, number in crowd.admitted] == list(range(len(at)))
    assert crowd.asked <= 2 * len(at)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=limits, many=st.integers(2, 60), lateness=st.sampled_from([0.0, 0.02]))
def test_a_line_loses_nothing_by_steps_that_come_back_a_little_late(
    module_redis_url: str, limit: tuple[int, float], many: int, lateness: float
) -> None:
    pace = pace_of(RateLimitSpec(name="x", limit=limit[0], per_s=limit[1]))
    assume(many > pace.burst)
    crowd = Crowd(module_redis_url, pace)
    crowd.run([(0.0, 5, lateness)] * many)
    last = max(at for at, _ in crowd.admitted) - 5000.0
    assert last == pytest.approx((many - pace.burst) * pace.interval_s, abs=lateness + 0.01 + pace.interval_s / 100)
