"""The shared limiter on a real Valkey: a line, priorities, blocks, several limits at once, a crowd, wiped and away."""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
import redis

from bench.limiter import measure
from messaging.rate_limits import ValkeyRateLimits
from orchestration.core.decide import Failed, StepError
from orchestration.errors import StreamUnavailable
from orchestration.gates import Admit, GateRequest, RateLimitGate
from orchestration.gates.rate_limit import InLine, Pace, RateLimitStatus, Taken, pace_of
from schemas.flow import RateLimitSpec

pytestmark = pytest.mark.integration

SLOW = RateLimitSpec(name="slow", limit=1, per_s=4)
TEN = RateLimitSpec(name="ten", limit=10, per_s=1)
FREE = RateLimitSpec(name="free")


class Fleet:
    """Steps that ask, at a time of their own."""

    def __init__(self, url: str) -> None:
        self.now = 5000.0
        self.limits = ValkeyRateLimits(url, clock=lambda: self.now)

    def take(self, asker: str, *specs: RateLimitSpec, priority: int = 5) -> Taken | InLine:
        return self.limits.take(asker, priority, paces(*specs))

    def wait(self, asker: str, *specs: RateLimitSpec, priority: int = 5) -> float:
        answer = self.take(asker, *specs, priority=priority)
        assert isinstance(answer, InLine), f"{asker} was let through"
        return answer.seconds

    def passes(self, asker: str, *specs: RateLimitSpec) -> bool:
        return isinstance(self.take(asker, *specs), Taken)

    def status(self, name: str) -> RateLimitStatus:
        status = self.limits.one(name)
        assert status is not None
        return status


def paces(*specs: RateLimitSpec) -> list[tuple[str, Pace]]:
    return [(spec.name, pace_of(spec)) for spec in specs]


@pytest.fixture
def fleet(redis_url: str) -> Fleet:
    return Fleet(redis_url)


def test_a_whole_limit_may_come_at_once_and_then_one_an_interval(fleet: Fleet) -> None:
    assert all(fleet.passes(f"s{number}", TEN) for number in range(10))
    assert [fleet.wait(f"w{number}", TEN) for number in range(3)] == pytest.approx([0.1, 0.2, 0.3])
    fleet.now += 3600
    assert sum(fleet.passes(f"t{number}", TEN) for number in range(20)) == 10, "a pause fills the bucket, no more"


def test_what_is_free_within_milliseconds_is_charged_at_once_and_waited_for_in_place(fleet: Fleet) -> None:
    fleet.take("a", SLOW)
    fleet.now += 3.996
    answer = fleet.take("b", SLOW)
    assert isinstance(answer, Taken)
    assert answer.seconds == pytest.approx(0.004)
    assert fleet.wait("c", SLOW) == pytest.approx(4.004)


def test_nobody_takes_the_turn_that_is_about_to_come_by_asking_in_its_last_milliseconds(fleet: Fleet) -> None:
    fleet.take("first", SLOW)
    assert fleet.wait("a", SLOW) == 4
    fleet.now += 3.996
    assert fleet.wait("newcomer", SLOW) == pytest.approx(4.004)
    assert fleet.passes("a", SLOW)


def test_those_who_wait_are_told_their_turn_and_keep_their_place_however_often_they_ask(fleet: Fleet) -> None:
    fleet.take("first", SLOW)
    assert [fleet.wait(asker, SLOW) for asker in ("a", "b", "c")] == [4, 8, 12]
    fleet.now += 1
    assert [fleet.wait(asker, SLOW) for asker in ("c", "b", "a")] == [11, 7, 3]
    fleet.now += 3
    assert fleet.passes("a", SLOW)


def test_a_newcomer_does_not_overtake_who_is_due_unless_that_one_is_two_seconds_late(fleet: Fleet) -> None:
    fleet.take("first", SLOW)
    assert fleet.wait("a", SLOW) == 4
    fleet.now += 6
    assert fleet.wait("newcomer", SLOW) > 0, "the turn is a's for two seconds more"
    fleet.now += 0.01
    assert fleet.passes("other", SLOW), "a was stopped, or its worker is gone: it blocks nobody"


def test_who_comes_too_late_has_lost_its_turn_but_not_its_place(fleet: Fleet) -> None:
    fleet.take("first", SLOW)
    for asker in ("late", "b", "c"):
        assert fleet.wait(asker, SLOW)
        fleet.now += 0.25
    fleet.now = 5008.25  # `late` was due at 4, b is at 8
    assert fleet.passes("b", SLOW), "the turn of `late` has gone by"
    assert fleet.wait("late", SLOW) == 3.6, "the next turn; a tenth of an interval of lateness is made good"
    fleet.now += 3.6
    assert fleet.passes("late", SLOW), "it goes before c, which came after it"
    assert fleet.wait("c", SLOW) > 0


def test_a_higher_priority_goes_first_but_not_before_who_came_long_ago(fleet: Fleet) -> None:
    fleet.take("first", SLOW)
    assert fleet.wait("low", SLOW, priority=1) == 4
    assert fleet.wait("high", SLOW, priority=5) == 4
    assert fleet.wait("low", SLOW, priority=1) == 8
    fleet.now += 119
    assert fleet.passes("x", SLOW)
    assert fleet.wait("low", SLOW, priority=1) == 4
    fleet.now += 2
    assert fleet.wait("late riser", SLOW, priority=5) == 6, "low has waited for longer than four steps of priority"


def test_several_limits_are_charged_together_or_not_at_all(fleet: Fleet) -> None:
    assert fleet.passes("a", TEN, SLOW)
    answer = fleet.take("b", TEN, SLOW)
    assert answer == InLine(4, "slow")
    assert (fleet.status("ten").admitted, fleet.status("slow").admitted) == (1, 1)
    assert fleet.status("ten").waiting == 0, "it holds no turn where it does not come for long"
    assert (fleet.status("ten").hits, fleet.status("slow").hits) == (0, 1)
    fleet.now += 3
    assert fleet.take("b", TEN, SLOW) == InLine(1, "slow")
    assert fleet.status("ten").waiting == 1
    fleet.now += 1
    assert fleet.passes("b", TEN, SLOW)
    assert (fleet.status("ten").waiting, fleet.status("slow").waiting) == (0, 0)


def test_what_is_given_back_is_free_at_once_and_its_asker_keeps_its_place(fleet: Fleet) -> None:
    answer = fleet.take("a", SLOW, TEN)
    assert isinstance(answer, Taken)
    assert answer.rank is not None
    fleet.now += 1
    fleet.limits.give_back("a", answer.rank, paces(SLOW, TEN))
    assert fleet.passes("b", SLOW)
    assert fleet.wait("c", SLOW) == 4
    assert fleet.wait("a", SLOW) == 4, "it asked before c"
    assert (fleet.status("slow").admitted, fleet.status("ten").admitted) == (1, 0)


def test_what_the_dependency_asks_for_holds_for_everybody_and_then_they_come_one_by_one(fleet: Fleet) -> None:
    fleet.limits.block("ten", pace_of(TEN), 20)
    fleet.limits.block("ten", pace_of(TEN), 5)
    assert [fleet.wait(f"s{number}", TEN) for number in range(3)] == pytest.approx([20, 20.1, 20.2])
    status = fleet.status("ten")
    assert (status.used, status.burst, status.refused, status.hits) == (10, 10, 2, 3)
    assert status.blocked_until is not None
    assert status.blocked_until.timestamp() == 5020
    fleet.now += 20
    assert fleet.passes("s0", TEN)
    assert not fleet.passes("newcomer", TEN)
    assert fleet.status("ten").blocked_until is None


def test_a_name_without_numbers_is_never_full_but_obeys_a_block(fleet: Fleet) -> None:
    assert all(fleet.passes(f"s{number}", FREE) for number in range(50))
    fleet.limits.block("free", pace_of(FREE), 20)
    assert fleet.wait("a", FREE) == 20
    fleet.limits.unblock("free")
    assert fleet.passes("a", FREE)
    assert fleet.status("free").limit is None


def test_a_person_can_end_a_block(fleet: Fleet) -> None:
    fleet.limits.block("ten", pace_of(TEN), 20)
    fleet.limits.unblock("ten")
    fleet.limits.unblock("nobody used it")
    assert fleet.passes("a", TEN)
    assert fleet.limits.one("nobody used it") is None


def test_a_gate_passes_on_what_the_dependency_asked_for(redis_url: str) -> None:
    gate, now = RateLimitGate(ValkeyRateLimits(redis_url)), ValkeyRateLimits(redis_url)
    request = GateRequest("run/1", 5, timeout_s=30, rate_limits=(TEN, SLOW))
    verdict = gate.admit(request)
    assert isinstance(verdict, Admit)
    verdict.settle(Failed(StepError("retryable", "429"), after_s=30))
    answer = now.take("other", 5, paces(TEN))
    assert isinstance(answer, InLine)
    assert 29 < answer.seconds <= 30
    slow = now.one("slow")
    assert slow is not None
    assert slow.blocked_until is None, "the first limit is the dependency's"


def test_the_list_tells_what_an_operator_asks(fleet: Fleet) -> None:
    for number in range(12):
        fleet.take(f"s{number}", TEN)
    fleet.now += 0.01
    fleet.limits.report_hit("slow", pace_of(SLOW))
    slow, ten = fleet.limits.all()
    assert (slow.name, slow.refused, slow.used) == ("slow", 1, 0)
    assert (ten.name, ten.limit, ten.per_s, ten.burst, ten.used) == ("ten", 10, 1, 10, 10)
    assert (ten.waiting, ten.admitted, ten.hits) == (2, 10, 2)
    assert ten.next_free_at.timestamp() == pytest.approx(5000.3)
    assert [status.name for status in fleet.limits.all(limit=1)] == ["slow"]


def test_memory_is_bounded_by_the_length_of_the_line_and_everything_lapses(fleet: Fleet, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as server:
        fleet.take("first", SLOW)
        fleet.wait("second", SLOW)
        for key in ("line", "due"):
            server.zadd(f"perdure:rate-{key}:slow", {f"w{number}": 6000 for number in range(9_999)})
        assert fleet.wait("beyond", SLOW) > 0
        assert server.zcard("perdure:rate-line:slow") == server.zcard("perdure:rate-due:slow") == 10_000
        fleet.now = 6003.0
        for _ in range(12):
            fleet.take("x", SLOW)
        assert server.zcard("perdure:rate-line:slow") <= 1
        assert server.zcard("perdure:rate-late:slow") <= 10_000
        assert all(server.ttl(key) > 0 for key in server.keys("perdure:rate*:slow"))


def test_a_limit_that_is_raised_or_a_clock_set_back_keeps_nobody_waiting_for_the_old_time(fleet: Fleet) -> None:
    hourly = RateLimitSpec(name="x", limit=1, per_s=3600)
    fleet.take("a", hourly)
    raised = RateLimitSpec(name="x", limit=10, per_s=1)
    assert fleet.wait("b", raised) < 1.3
    fleet.now -= 600
    assert fleet.wait("c", raised) < 1.3


def test_a_wiped_valkey_fills_the_bucket_and_makes_those_who_wait_newcomers(fleet: Fleet, redis_url: str) -> None:
    fleet.take("a", SLOW)
    fleet.wait("b", SLOW)
    with redis.Redis.from_url(redis_url) as server:
        server.flushall()
    assert fleet.passes("c", SLOW)
    fleet.now += 4
    assert fleet.passes("b", SLOW)
    assert isinstance(answer := fleet.take("d", SLOW), InLine)
    assert answer.seconds == 4


def test_with_valkey_away_everybody_passes_and_people_are_told() -> None:
    limits = ValkeyRateLimits("redis://127.0.0.1:1/0")
    assert all(limits.take(f"s{number}", 5, paces(SLOW)) == Taken(0, None) for number in range(3))
    limits.give_back("s0", 0, paces(SLOW))
    limits.block("slow", pace_of(SLOW), 10)
    for order in (limits.all, lambda: limits.unblock("slow")):
        with pytest.raises(StreamUnavailable):
            order()


@pytest.mark.slow
def test_four_processes_hold_the_rate_together(redis_url: str) -> None:
    specs = [RateLimitSpec(name="many", limit=60, per_s=1), RateLimitSpec(name="few", limit=120, per_s=60)]
    seconds = 6.0
    found: Any = measure(redis_url, specs, processes=4, seconds=seconds)
    for held in found:
        pace = pace_of(held.spec)
        most = 1 + (seconds + pace.ahead_s + pace.catch_up_s) / pace.interval_s
        assert len(held.times) <= most
        assert len(held.times) >= pace.burst + 0.94 * held.expected - 1


@pytest.mark.slow
def test_a_valkey_wiped_in_the_middle_lets_one_bucket_more_through_and_goes_on(redis_url: str, eventually: Any) -> None:
    spec, seconds = RateLimitSpec(name="many", limit=30, per_s=1), 6.0
    limits, pace = ValkeyRateLimits(redis_url), pace_of(spec)

    def wipe() -> None:
        eventually(lambda: (status := limits.one("many")) is not None and status.admitted > 90, timeout_s=60)
        with redis.Redis.from_url(redis_url) as server:
            server.flushdb()

    wiping = Thread(target=wipe)
    wiping.start()
    [held] = measure(redis_url, [spec], processes=4, seconds=seconds)
    wiping.join()
    most = 1 + (seconds + 2 * pace.ahead_s + pace.catch_up_s) / pace.interval_s + 1
    assert held.expected < len(held.times) <= most
    status = limits.one("many")
    assert status is not None
    assert 0 < status.admitted < len(held.times)
