"""The budgets of retries on Valkey: they do what the model does, over processes and through an outage."""

from __future__ import annotations

import itertools
import threading
from collections import Counter

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messaging.retry_budget import NOTE_EVERY_S, ValkeyRetryBudgets
from orchestration.gates.retry_budget import WINDOW_S, Granted, Spent

pytestmark = pytest.mark.integration

PART_S = WINDOW_S / 12
numbers = itertools.count()


class Budgets(ValkeyRetryBudgets):
    """With a clock of its own for the server and the process."""

    def __init__(self, url: str, *, ratio: float = 0.25, reserve: int = 3) -> None:
        self.now = 6000.0
        super().__init__(url, ratio=ratio, reserve=reserve, clock=self._time, process_clock=self._time)

    def _time(self) -> float:
        return self.now


class Model:
    """Counts by parts of the window; a fraction of 1/4 is exact in floating point."""

    def __init__(self, ratio: float, reserve: int) -> None:
        self.ratio, self.reserve = ratio, reserve
        self.first: Counter[int] = Counter()
        self.retries: Counter[int] = Counter()

    def balance(self, now: float) -> float:
        parts = range(int(now // PART_S) - 11, int(now // PART_S) + 1)
        first, retries = (sum(kind[part] for part in parts) for kind in (self.first, self.retries))
        return self.reserve + self.ratio * first - retries

    def seconds(self, now: float) -> float:
        """Until one would be granted if nothing else happened."""
        later = now
        while self.balance(later) < 1:
            later = (later // PART_S + 1) * PART_S
        return later - now


operations = st.lists(
    st.one_of(
        st.tuples(st.just("first"), st.integers(1, 12)),
        st.tuples(st.just("retry"), st.integers(1, 4)),
        st.tuples(st.just("back"), st.just(1)),
        st.tuples(st.just("wait"), st.sampled_from([1, 2, 5, 13, 61, 200])),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ratio=st.sampled_from([0.0, 0.25, 0.5]), reserve=st.integers(1, 4), steps=operations)
def test_a_budget_grants_what_the_model_grants(
    module_redis_url: str, ratio: float, reserve: int, steps: list[tuple[str, int]]
) -> None:
    real, model = Budgets(module_redis_url, ratio=ratio, reserve=reserve), Model(ratio, reserve)
    name = str(next(numbers))
    pending, back, granted = 0, 0, 0
    told_at = -NOTE_EVERY_S

    def tell() -> None:
        nonlocal pending, back, told_at
        model.first[int(real.now // PART_S)] += pending
        model.retries[int(real.now // PART_S)] -= back
        pending, back, told_at = 0, 0, real.now

    for what, number in steps:
        if what == "wait":
            real.now += number
            continue
        for _ in range(number):
            if what == "first":
                real.note_first(name)
                pending += 1
                if real.now - told_at >= NOTE_EVERY_S:
                    tell()
            elif what == "back" and granted:
                real.give_back(name)
                granted, back = granted - 1, back + 1
            elif what == "retry":
                tell()
                answer = real.withdraw(name)
                if model.balance(real.now) >= 1:
                    assert answer == Granted()
                    granted += 1
                    model.retries[int(real.now // PART_S)] += 1
                else:
                    assert isinstance(answer, Spent)
                    assert answer.seconds == pytest.approx(model.seconds(real.now), abs=1e-6)
                    assert 0 < answer.seconds <= WINDOW_S
                    assert 0 < answer.spacing_s <= WINDOW_S


def test_in_an_outage_retries_stay_a_share_of_the_traffic(redis_url: str) -> None:
    budgets = Budgets(redis_url, ratio=0.2, reserve=10)
    made = 0
    for _ in range(300):
        # Ten first attempts a second, all of which fail, and all of them want a retry.
        for _ in range(10):
            budgets.note_first("down")
        made += sum(budgets.withdraw("down") == Granted() for _ in range(10))
        budgets.now += 1
    assert 0.9 * 0.2 * 3000 <= made <= 0.2 * 3000 + 10 * 300 / 60 + 10


def test_a_quiet_dependency_has_its_reserve_each_minute_and_says_how_long_to_wait(redis_url: str) -> None:
    budgets = Budgets(redis_url, ratio=0.2, reserve=10)
    assert [budgets.withdraw("quiet") for _ in range(10)] == [Granted()] * 10
    spent = budgets.withdraw("quiet")
    assert isinstance(spent, Spent)
    assert spent.seconds == pytest.approx(WINDOW_S)
    assert spent.spacing_s == 6
    budgets.now += spent.seconds
    assert budgets.withdraw("quiet") == Granted()


def test_budgets_of_two_dependencies_are_apart(redis_url: str) -> None:
    budgets = Budgets(redis_url, reserve=1)
    assert budgets.withdraw("a") == budgets.withdraw("b") == Granted()
    assert isinstance(budgets.withdraw("a"), Spent)


def test_many_at_once_share_one_budget(redis_url: str) -> None:
    workers = [Budgets(redis_url, ratio=0.5, reserve=5) for _ in range(8)]
    workers[0].note_first("shared")
    barrier = threading.Barrier(8)
    answers: list[Granted | Spent] = []

    def work(budgets: Budgets) -> None:
        barrier.wait()
        answers.extend(budgets.withdraw("shared") for _ in range(20))

    threads = [threading.Thread(target=work, args=(budgets,)) for budgets in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 160
    assert answers.count(Granted()) == 5


def test_a_busy_process_tells_of_first_attempts_once_a_second(redis_url: str) -> None:
    budgets = Budgets(redis_url)
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        for _ in range(500):
            budgets.note_first("busy")
        assert client.hgetall("perdure:retry-budget:busy") == {"f1200": "1"}
        budgets.now += 1
        budgets.note_first("busy")
        assert client.hgetall("perdure:retry-budget:busy") == {"f1200": "501"}
        assert 0 < client.ttl("perdure:retry-budget:busy") <= 2 * WINDOW_S


def test_after_valkey_was_wiped_a_budget_begins_with_its_reserve(redis_url: str) -> None:
    budgets = Budgets(redis_url, reserve=2)
    while budgets.withdraw("x") == Granted():
        pass
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        client.script_flush()
    assert [type(budgets.withdraw("x")) for _ in range(3)] == [Granted, Granted, Spent]


def test_with_valkey_away_every_retry_passes() -> None:
    budgets = ValkeyRetryBudgets("redis://127.0.0.1:1/0", reserve=1)
    budgets.note_first("x")
    assert [budgets.withdraw("x") for _ in range(3)] == [Granted()] * 3
